"""`Cloud`: the checked content of a cloud file, and what each of its fields means."""
# ruff: noqa: RUF009  (`required` and `optional` return `dataclasses.field`)

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from types import MappingProxyType

from neocloud.catalog import Architecture
from neocloud.spec.fields import optional, required
from neocloud.spec.kinds import (
    Bytes,
    Choice,
    Currency,
    Day,
    Money,
    Name,
    Number,
    Pattern,
    Text,
    Whole,
)
from neocloud.spec.references import (
    ACCELERATOR,
    METRO,
    SHAPE,
    TRACE,
    Declared,
    MarketMetro,
    Precision,
    Shares,
)
from neocloud.spec.structures import Either, ListOf, Section, Table, Values

_SHARE = "A share is a part of 1: write 0.8 for 80 %."
_MODEL = Declared("model", "models", "E201")
_TENANT = Declared("tenant", "tenants", "E202")
_SITE = Declared("site", "sites", "E203")


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerContract:
    """Power that a site may draw. A site's contracts stand in the order in which they are used."""

    kind: str = optional(
        Choice(("grid",)), "What supplies the power.", default="grid",
        origin="the only kind that this version knows",
    )  # fmt: skip
    capacity_mw: float | None = optional(
        Number(0, 5000, remedy="Write megawatts, not kilowatts."),
        "The most that the whole site may draw under it, cooling included.", "MW",
        default=None, shown="no limit", origin="assumption: the limit is the pools' own power",
    )  # fmt: skip
    usd_per_mwh: Decimal | None = optional(
        Money(0, 5000, remedy="Write a price per MWh: 89 for 0.089 a kWh."),
        "Price of energy in dollars; give this or `eur_per_mwh`.", "USD/MWh",
        default=None, origin="one of the two prices must be given",
    )  # fmt: skip
    eur_per_mwh: Decimal | None = optional(
        Money(0, 5000, remedy="Write a price per MWh: 91 for 0.091 a kWh."),
        "Price of energy in euros; give this or `usd_per_mwh`.", "EUR/MWh",
        default=None, origin="one of the two prices must be given",
    )  # fmt: skip
    take_or_pay: float = optional(
        Number(0, 1, remedy=_SHARE),
        "Share of the capacity's energy that is paid whether drawn or not.",
        default=0.0, origin="assumption: pay for what is drawn",
    )  # fmt: skip
    start: date | None = optional(
        Day(), "First day of supply.", default=None, shown="supplied already",
        origin="assumption",
    )  # fmt: skip

    @property
    def price_per_mwh(self) -> Decimal:
        """Price of energy in `currency`."""
        price = self.usd_per_mwh if self.usd_per_mwh is not None else self.eur_per_mwh
        assert price is not None, "checked when the file was read"
        return price

    @property
    def currency(self) -> str:
        """Currency of the price."""
        return "USD" if self.usd_per_mwh is not None else "EUR"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """Nodes of one kind at a site."""

    key: str = optional(
        Name(), "Name of the pool, unique in its site; part of each replica's id.", name="name",
        default="", shown="the accelerator's key", origin="one pool a kind is the usual case",
    )  # fmt: skip
    accelerator: str = required(ACCELERATOR, "What the nodes hold.")
    nodes: int = required(Whole(1, 1_000_000), "Nodes that stand there.", "nodes")
    engine: str = optional(
        Choice(("vllm", "emulated")),
        "What serves: `vllm`, or `emulated`: the performance model behind the same HTTP interface.",
        default="vllm", origin="vLLM runs on both makers' accelerators",
    )  # fmt: skip
    ownership: str = optional(
        Choice(("owned",)), "Who owns the nodes.", default="owned",
        origin="the only kind that this version knows",
    )  # fmt: skip
    capex_usd: Decimal | None = optional(
        Money(0, 10_000_000),
        "Price of one accelerator bought and installed, with its share of server, network and "
        "storage.", "USD", default=None, shown="the catalog's figure",
        origin="catalog: 49,500 for an H100, others by the ratio of their cost of owning",
    )  # fmt: skip
    life_years: float = optional(
        Number(1, 20), "Years over which the price is recovered.", "years",
        default=5.0, origin="between CoreWeave's 6 years and Nebius' 4 (annual reports, 2025)",
    )  # fmt: skip
    residual_share: float = optional(
        Number(0, 1, remedy=_SHARE), "Share of the price that the nodes are worth at the end.",
        default=0.0, origin="assumption: the careful side",
    )  # fmt: skip
    maintenance_share_per_year: float = optional(
        Number(0, 1, remedy=_SHARE), "Repairs, spares and support a year, as a share of the price.",
        "1/year", default=0.03, origin="assumption: common for servers after warranty",
    )  # fmt: skip
    availability: float = optional(
        Number(above=0, maximum=1, remedy=_SHARE),
        "Share of time in which a node can serve.", default=0.97,
        origin=(
            "derived: 419 unplanned stops of 2,048 H100 nodes in 54 days (Llama 3 report, Meta "
            "2024) are one in 264 node-days; a repair of a week, an assumption, leaves 0.974"
        ),
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A place with power and pools. Its name is part of each replica's id."""

    key: str
    metro: str = required(MarketMetro(), "Metro where the site stands.")
    pue: float = optional(
        Number(1, 3, remedy="Use facility power divided by IT power."),
        "Power of the whole facility over power of its IT.", default=1.25,
        origin=(
            "assumption: between the hyperscalers' 1.08 to 1.18 and the 1.56 that Uptime "
            "Institute's survey of 2024 found"
        ),
    )  # fmt: skip
    power: tuple[PowerContract, ...] = optional(
        ListOf(Section(PowerContract), unique=False), "Contracts in the order in which they are "
        "used.", default=(), shown="one contract at the catalog's price of the metro",
        origin="catalog: EIA (industrial retail, 2023) or Ember (wholesale, 2024-09 to 2025-08)",
    )  # fmt: skip
    network_usd_per_gb: Decimal = optional(
        Money(0, 10), "Price of traffic to and from the Internet.", "USD/GB",
        default=Decimal("0.0024"),
        origin=(
            "derived: 1 USD per Mbit/s and month in London in 2015, falling 15 % a year to 2025 "
            "(TeleGeography) is 0.20; at half use of the billed peak 0.0012 a GB; twice, for two "
            "carriers"
        ),
    )  # fmt: skip
    facility_usd_per_kw_month: Decimal = optional(
        Money(0, 10_000), "Rent of space, cooling and power distribution per kW of IT.",
        "USD/kW-month", default=Decimal(195),
        origin="wholesale colocation in North America, 2025 (CBRE: 138, 163 in 2022, 2023)",
    )  # fmt: skip
    pools: tuple[Pool, ...] = required(ListOf(Section(Pool), unique=False), "Nodes at the site.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    """How fast a model must answer. A plan that cannot hold it is refused."""

    ttft_ms: float = required(
        Number(above=0, maximum=3_600_000), "Time to the first token, network included.", "ms"
    )
    tpot_ms: float = required(
        Number(above=0, maximum=60_000), "Time per output token after the first.", "ms"
    )
    percentile: float = optional(
        Number(50, 99.9, remedy="Write 90 for nine of ten requests."),
        "Share of requests that must hold both, in per cent.", "%", default=90.0,
        origin="assumption: nine of ten",
    )  # fmt: skip


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
class Model:
    """A model that is served. Its name is what clients send as `model`."""

    key: str
    config: str = required(
        Text(), "Name of the architecture in the catalog, or path of a `config.json` relative to "
        "the file."
    )  # fmt: skip
    architecture: Architecture
    objective: Objective = required(Section(Objective), "How fast it must answer.")
    precisions: tuple[str, ...] = optional(
        ListOf(Precision()), "Number formats of the weights that may be served.", default=(),
        shown="the checkpoint's own",
        origin="a coarser format is another model in quality; it must be asked for",
    )  # fmt: skip
    price_per_mtok: TokenPrices = required(Section(TokenPrices), "What tenants pay.")
    max_output_tokens: int = optional(
        Whole(1, 10_000_000), "Limit of an answer where the client sets none.", "tokens",
        default=4096, origin="assumption: bounds what one request may cost",
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class FixedLengths:
    """Requests that are all of one length."""

    input_tokens: float = required(Number(1, 10_000_000), "Tokens of the prompt.", "tokens")
    output_tokens: float = required(Number(1, 10_000_000), "Tokens of the answer.", "tokens")


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """Requests of one tenant for one model."""

    model: str = required(_MODEL, "Model that is asked for.")
    tenant: str = optional(
        _TENANT, "Who asks.", default="", shown="the only tenant",
        origin="with several tenants it must be given",
    )  # fmt: skip
    metros: Mapping[str, float] = optional(
        Shares(), "Where the users are: shares by metro that sum to 1, a list of metros in equal "
        "shares, one metro, or `internet-users`: the 40 metros with most people online, by their "
        "number.", default=None, shown="`internet-users`",
        origin="GeoNames populations times the share of people online (World Bank)",
    )  # fmt: skip
    requests_per_s: float = required(
        Number(above=0, maximum=10_000_000), "Requests, mean over the day.", "1/s"
    )
    shape: str = optional(
        SHAPE, "How the rate moves over the day, in the users' local time: a daily shape of the "
        "catalog.", default="flat", origin="assumption: no daily rhythm",
    )  # fmt: skip
    lengths: str | FixedLengths = optional(
        Either(TRACE, Section(FixedLengths)), "How long requests are: a trace of the catalog, or fixed "
        "lengths.", default="azure-conv",
        origin="Azure LLM inference trace 2023, conversation: 1,155 tokens in, 211 out on average",
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    """A customer. Its id, the key, never changes."""

    key: str
    name: str = optional(
        Text(200), "Name on the invoice.", default="", shown="the key", origin="the key"
    )
    allowed_sites: tuple[str, ...] | None = optional(
        ListOf(_SITE), "Sites that may see its requests: a hard limit everywhere.", default=None,
        shown="all", origin="no limit unless asked for",
    )  # fmt: skip
    allowed_models: tuple[str, ...] | None = optional(
        ListOf(_MODEL), "Models that it may use.", default=None, shown="all",
        origin="no limit unless asked for",
    )  # fmt: skip
    currency: str = optional(
        Currency(), "Currency of its invoices.", default="", shown="the cloud's",
        origin="the cloud's currency",
    )  # fmt: skip
    tax_rate: Decimal = optional(
        Money(0, 1, remedy=_SHARE), "Tax added on its invoices, as a share.",
        default=Decimal(0), origin="assumption: tax is settled elsewhere",
    )  # fmt: skip
    address: str = optional(
        Text(1000, blank=True), "Address on the invoice.", default="", origin="nothing to print"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """The front door that `neocloud up` opens."""

    listen: str = optional(
        Pattern(r"(\[[0-9a-fA-F:]+\]|[A-Za-z0-9.-]*):\d{1,5}", "address as 127.0.0.1:8080"),
        "Address and port.", default="127.0.0.1:8080", origin="reachable from this machine only",
    )  # fmt: skip
    ledger: str = optional(
        Pattern(r"sqlite:///.+", "ledger as sqlite:///ledger.db"),
        "Where usage is recorded; a relative path starts from the file's folder.",
        default="sqlite:///ledger.db", origin="needs no server",
    )  # fmt: skip
    default_metro: str | None = optional(
        METRO, "Where a client is taken to be that does not say.", default=None,
        shown="the metro of the first site", origin="assumption",
    )  # fmt: skip
    max_body_bytes: int = optional(
        Bytes(1024, 2**30), "Largest request body; a larger one is refused with status 413.",
        "bytes", default=4 * 2**20,
        origin="assumption: a million tokens of text are some 4 MiB",
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Planning:
    """What the search over configurations looks at."""

    tp: tuple[int, ...] = optional(
        ListOf(Whole(1, 1024)), "Degrees of tensor parallelism.", "accelerators",
        default=(1, 2, 4, 8), origin="a node holds 8 accelerators",
    )  # fmt: skip
    batch: tuple[int, ...] = optional(
        ListOf(Whole(1, 65_536)), "Largest batches: sequences that may run at once.", "sequences",
        default=tuple(2**n for n in range(10)), origin="beyond 512 latency objectives bind",
    )  # fmt: skip
    replicas: str = optional(
        Choice(("fixed",)), "Whether replicas follow the hour: `fixed` keeps the busiest hour's.",
        default="fixed", origin="the only kind that this version knows",
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Finance:
    """What money costs."""

    cost_of_capital: float = optional(
        Number(0, 1, remedy=_SHARE), "Yearly rate at which capital must be recovered.", "1/year",
        default=0.10,
        origin="CoreWeave's interest on average debt was about 11 % in 2025; later loans 6 to 9 %",
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Cloud:
    """A whole cloud as its file declares it, checked. Mappings keep the order of the file.

    Attributes:
        file: name of the file, for messages.
        lines: line of each path that stands in the file; see `where`.
        content_hash: sixteen hex digits over the file and the configurations that it points to.
    """

    name: str = required(Name(), "Name of the cloud.")
    currency: str = optional(
        Currency(), "Currency of plans, reports and token prices.", default="USD",
        origin="most prices of accelerators and tokens are in dollars",
    )  # fmt: skip
    exchange_rates: Mapping[str, Decimal] = optional(
        Values(Currency(), Money(above=0, maximum=1_000_000)),
        "Units of the cloud's currency for one unit of another.",
        make=lambda: MappingProxyType({}), shown="none",
        origin="needed only where other currencies stand in the file",
    )  # fmt: skip
    sites: Mapping[str, Site] = required(Table(Site), "Sites by name.")
    models: Mapping[str, Model] = required(Table(Model), "Models by name.")
    demand: tuple[Demand, ...] = required(
        ListOf(Section(Demand), unique=False), "What is asked for."
    )
    tenants: Mapping[str, Tenant] = optional(
        Table(Tenant), "Tenants by id.", default=None, shown="one tenant, `default`",
        origin="a cloud for oneself",
    )  # fmt: skip
    gateway: Gateway = optional(
        Section(Gateway), "The front door.", make=Gateway, shown="its defaults", origin="see there"
    )
    planning: Planning = optional(
        Section(Planning), "What is searched.", make=Planning, shown="its defaults",
        origin="see there",
    )  # fmt: skip
    finance: Finance = optional(
        Section(Finance), "What money costs.", make=Finance, shown="its defaults",
        origin="see there",
    )  # fmt: skip
    file: str = field(default="cloud.yaml", compare=False)
    lines: Mapping[str, int] = field(
        default_factory=lambda: MappingProxyType({}), compare=False, repr=False
    )
    content_hash: str = ""

    def where(self, path: str) -> str:
        """Place in the file of a path such as `sites.ashburn.pue`, as `cloud.yaml:41`.

        A field that the file leaves out has the place of what it belongs to.
        """
        while path:
            if path in self.lines:
                return f"{self.file}:{self.lines[path]}"
            path = path.rpartition(".")[0]
        return self.file

    def rate(self, currency: str) -> Decimal:
        """Units of the cloud's currency for one unit of `currency`."""
        return Decimal(1) if currency == self.currency else self.exchange_rates[currency]
