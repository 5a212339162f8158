"""The front door that `neocloud up` opens, and what stands behind it beside the plan."""
# ruff: noqa: RUF009  (`required` and `optional` return `dataclasses.field`)

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType

from neocloud.spec.fields import optional, required
from neocloud.spec.kinds import Bytes, Money, Number, Pattern, Text, Whole
from neocloud.spec.power import SHARE
from neocloud.spec.references import METRO, Declared
from neocloud.spec.structures import ListOf, Section, Table, Values

_PORT = "([0-9]{1,4}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"
_ADDRESS = rf"(\[[0-9a-fA-F:]+\]|[A-Za-z0-9.-]*):{_PORT}"
_MODEL = Declared("model", "models", "E201")
_RANGE = r"[0-9a-fA-F.:]+/[0-9]{1,3}"
_HOST = r"[A-Za-z0-9.-]+"


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenPrices:
    """What tenants pay for a million tokens, in the cloud's currency."""

    input: Decimal = required(
        Money(0, 100_000, decimals=6), "Price of prompt tokens.", "currency/Mtok"
    )
    cached_input: Decimal = optional(
        Money(0, 100_000, decimals=6), "Price of prompt tokens found in the prefix cache.",
        "currency/Mtok", default=Decimal(-1), shown="as `input`",
        origin="assumption: no discount; half of the public lists ask 0.10 to 0.25 of input",
    )  # fmt: skip
    output: Decimal = required(
        Money(0, 100_000, decimals=6), "Price of generated tokens.", "currency/Mtok"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Remote:
    """A model that somebody else serves: another cloud, or a site's own router."""

    key: str
    url: str = required(
        Pattern(r"https?://[^\s@]+", "URL as https://api.example.com/v1"),
        "Base URL of an OpenAI-compatible server.",
    )  # fmt: skip
    model: str = required(_MODEL, "Which model of this file it serves.")
    served_as: str = optional(
        Text(), "Name that it knows the model by.", default="", shown="the model's name",
        origin="the same name",
    )  # fmt: skip
    key_env: str = optional(
        Pattern(r"[A-Za-z_][A-Za-z0-9_]*", "name of a variable as PROVIDER_KEY"),
        "Environment variable that holds its key.", default="", shown="no key",
        origin="no secret belongs in a file",
    )  # fmt: skip
    price_per_mtok: TokenPrices | None = optional(
        Section(TokenPrices), "What is paid to it.", default=None, shown="nothing known",
        origin="assumption: dearer than all of the cloud's own",
    )  # fmt: skip
    metro: str | None = optional(
        METRO, "Where it stands.", default=None, shown="unknown: no round trip is reckoned with",
        origin="assumption",
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """The front door that `neocloud up` opens."""

    listen: str = optional(
        Pattern(_ADDRESS, "address as 127.0.0.1:8080"),
        "Address and port.", default="127.0.0.1:8080", origin="reachable from this machine only",
    )  # fmt: skip
    ledger: str = optional(
        Pattern(r"sqlite:///.+|postgres(ql)?://[^\s]+", "ledger as sqlite:///ledger.db"),
        "Where usage is recorded, sqlite:///FILE or postgresql://HOST/DATABASE; a relative path "
        "starts from the file's folder.",
        default="sqlite:///ledger.db", origin="needs no server",
    )  # fmt: skip
    segments: str = optional(
        Text(), "Folder of this machine in which usage is made durable before it is shipped to "
        "the ledger.", default="", shown="beside the ledger, or `ledger-segments` for PostgreSQL",
        origin="one disk holds both",
    )  # fmt: skip
    default_metro: str | None = optional(
        METRO, "Where a client is taken to be that does not say.", default=None,
        shown="the metro of the first site", origin="assumption",
    )  # fmt: skip
    address_ranges: Mapping[str, str] = optional(
        Values(Pattern(_RANGE, "address range as 10.1.0.0/16"), METRO),
        "Metro of clients by their address, the longest prefix first; a header says more.",
        make=lambda: MappingProxyType({}), shown="none", origin="nothing is known unless given",
    )  # fmt: skip
    max_body_bytes: int = optional(
        Bytes(1024, 2**30), "Largest request body; a larger one is refused with status 413.",
        "bytes", default=4 * 2**20,
        origin="assumption: a million tokens of text are some 4 MiB",
    )  # fmt: skip
    media_hosts: tuple[str, ...] = optional(
        ListOf(Pattern(_HOST, "host as images.example.com")),
        "Hosts from which engines may fetch images and other media that a prompt names by URL.",
        default=(), shown="none: media come as data: URLs",
        origin="an engine could be made to read what only the operator's network sees",
    )  # fmt: skip
    remotes: Mapping[str, Remote] = optional(
        Table(Remote), "Servers of others that take what the cloud's own replicas cannot in time.",
        make=lambda: MappingProxyType({}), shown="none", origin="nothing leaves unless asked for",
    )  # fmt: skip
    quotas: str | None = optional(
        Pattern(rf"rediss?://[^\s/@]+(:{_PORT})?(/[0-9]{{1,3}})?", "store as redis://host:6379/0"),
        "Store that several gateways share for limits and budgets; its password stands in the "
        "environment variable NEOCLOUD_QUOTAS_PASSWORD.",
        default=None, shown="a file beside the ledger", origin="needs no server",
    )  # fmt: skip
    workers: int = optional(
        Whole(1, 1024), "Processes that serve.", "processes", default=1,
        origin="assumption: one core",
    )  # fmt: skip
    admin_listen: str | None = optional(
        Pattern(_ADDRESS, "address as 127.0.0.1:8081"),
        "Address and port of the admin API; its token stands in the environment variable "
        "NEOCLOUD_ADMIN_TOKEN.", default=None, shown="none", origin="closed unless asked for",
    )  # fmt: skip
    tls_certificate: str | None = optional(
        Text(), "Path of the certificate chain.", default=None, shown="none: plain HTTP",
        origin="a proxy may stand before it",
    )  # fmt: skip
    tls_key: str | None = optional(
        Text(), "Path of the certificate's key.", default=None, shown="none: plain HTTP",
        origin="a proxy may stand before it",
    )  # fmt: skip
    traces: str | None = optional(
        Pattern(r"https?://[^\s@]+", "URL as http://127.0.0.1:4318"),
        "OpenTelemetry collector that traces are sent to over HTTP.", default=None,
        shown="none", origin="nothing is sent unless asked for",
    )  # fmt: skip
    trace_share: float = optional(
        Number(0, 1, remedy=SHARE), "Of the traces that begin here, the share that is sent; "
        "whoever begins one before the gateway decides for it.", default=1.0,
        origin="assumption: all, until they are too many",
    )  # fmt: skip
