"""`Cloud`: the checked content of a cloud file, and what each of its fields means."""
# ruff: noqa: RUF009  (`required` and `optional` return `dataclasses.field`)

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from types import MappingProxyType

from neocloud.catalog import Architecture, Catalog
from neocloud.spec.accelerators import AcceleratorEntry, CloudCatalog
from neocloud.spec.contracts import Contract, Rental, TenantLimits
from neocloud.spec.debt import CREDITS
from neocloud.spec.demand import Demand, Network
from neocloud.spec.fields import optional, required
from neocloud.spec.finance import Billing, Finance
from neocloud.spec.kinds import (
    Choice,
    Currency,
    Money,
    Name,
    Number,
    Text,
    Whole,
)
from neocloud.spec.planning import Planning
from neocloud.spec.power import SHARE, active_mw
from neocloud.spec.pricing import ModelPrices, Pricing
from neocloud.spec.problems import Note
from neocloud.spec.references import (
    Declared,
    Precision,
)
from neocloud.spec.serving import Gateway
from neocloud.spec.sites import Site
from neocloud.spec.structures import ListOf, Section, Table, Values
from neocloud.spec.terms import PrepaidCredit
from neocloud.spec.traces import TraceFile

_MODEL = Declared("model", "models", "E201")
_TENANT = Declared("tenant", "tenants", "E202")
_SITE = Declared("site", "sites", "E203")
_ALONE = "none where the file has `finance` and `contracts`; else it must be given"
_ALONE_ORIGIN = "a company in figures: for `report` and `stress` alone"


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
    kv_precisions: tuple[str, ...] = optional(
        ListOf(Choice(("bf16", "fp8"))), "Number formats of the KV cache that may be used.",
        default=("bf16",), origin="a coarser format is another model in quality",
    )  # fmt: skip
    min_sites: int = optional(
        Whole(1, 1000), "Sites that must hold it at least.", "sites", default=1,
        origin="assumption: one",
    )  # fmt: skip
    price_per_mtok: ModelPrices = required(Section(ModelPrices), "What tenants pay.")
    max_output_tokens: int = optional(
        Whole(1, 10_000_000), "Limit of an answer where the client sets none.", "tokens",
        default=4096, origin="assumption: bounds what one request may cost",
    )  # fmt: skip
    lab: str = optional(
        Text(100), "Who made it.", default="", shown="what stands before the slash of `config`",
        origin="names of models begin with their maker's",
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
    rate_limits: TenantLimits | None = optional(
        Section(TenantLimits), "How much it may ask at once.", default=None, shown="no limit",
        origin="no limit unless asked for",
    )  # fmt: skip
    budget_per_month: Decimal | None = optional(
        Money(0, 10**12), "The most that it may spend in a month, in its currency.", "currency",
        default=None, shown="no limit", origin="no limit unless asked for",
    )  # fmt: skip
    priority: str = optional(
        Choice(("low", "normal", "high")), "Who is served first when not all can be.",
        default="normal", origin="assumption: all alike",
    )  # fmt: skip
    weight: float = optional(
        Number(above=0, maximum=1000), "Its share among waiting tenants of the same priority, "
        "against theirs.", default=1.0, origin="assumption: all alike",
    )  # fmt: skip
    carbon_limit_g_per_kwh: float | None = optional(
        Number(above=0, maximum=2000, remedy="Write grams per kWh of power drawn: 200."),
        "Sites whose power emits more may not serve it: a hard limit, on the energy that is "
        "drawn in the hour.", "g/kWh", default=None, shown="no limit",
        origin="no limit unless asked for",
    )  # fmt: skip
    credit: str = optional(
        Choice(CREDITS), "Its credit rating.",
        default="unrated", origin="nothing is known unless given",
    )  # fmt: skip
    kind: str = optional(
        Choice(("lab", "hyperscaler", "enterprise", "startup", "reseller", "public", "other")),
        "What it is: `lab` makes models of its own.", default="other",
        origin="nothing is known unless given",
    )  # fmt: skip
    lab: str = optional(
        Text(100), "Who makes the models that its accelerators train and serve.", default="",
        shown="the maker of the contract's `model`; its own name where it is a `lab`",
        origin="assumption",
    )  # fmt: skip
    currency: str = optional(
        Currency(), "Currency of its invoices.", default="", shown="the cloud's",
        origin="the cloud's currency",
    )  # fmt: skip
    tax_rate: Decimal = optional(
        Money(0, 1, remedy=SHARE), "Tax added on its invoices, as a share.",
        default=Decimal(0), origin="assumption: tax is settled elsewhere",
    )  # fmt: skip
    minimum_spend_per_month: Decimal = optional(
        Money(0, 10**12), "The least that it is charged for a calendar month, before credits and "
        "tax, in its currency.", "currency", default=Decimal(0),
        origin="pay for what is used, unless agreed",
    )  # fmt: skip
    prepaid_credits: tuple[PrepaidCredit, ...] = optional(
        ListOf(Section(PrepaidCredit), unique=False), "Credits that its invoices are taken from.",
        default=(), shown="none", origin="nothing is paid ahead, unless agreed",
    )  # fmt: skip
    address: str = optional(
        Text(1000, blank=True), "Address on the invoice.", default="", origin="nothing to print"
    )
    tax_id: str = optional(
        Text(50, blank=True), "Its tax number on the invoice.", default="",
        origin="nothing to print",
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Cloud:
    """A whole cloud as its file declares it, checked. Mappings keep the order of the file.

    Attributes:
        file: name of the file, for messages.
        lines: line of each path that stands in the file; see `where`.
        traces: those that the file points to, by their path.
        notes: what is no mistake but should be known.
        content_hash: sixteen hex digits over the file, and the configurations and traces that it
            points to.
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
    sites: Mapping[str, Site] = optional(
        Table(Site), "Sites by name.", make=lambda: MappingProxyType({}), shown=_ALONE,
        origin=_ALONE_ORIGIN,
    )  # fmt: skip
    models: Mapping[str, Model] = optional(
        Table(Model), "Models by name.", make=lambda: MappingProxyType({}), shown=_ALONE,
        origin=_ALONE_ORIGIN,
    )  # fmt: skip
    demand: tuple[Demand, ...] = optional(
        ListOf(Section(Demand), unique=False), "What is asked for.", default=(), shown=_ALONE,
        origin=_ALONE_ORIGIN,
    )  # fmt: skip
    tenants: Mapping[str, Tenant] = optional(
        Table(Tenant), "Tenants by id.", default=None, shown="one tenant, `default`",
        origin="a cloud for oneself",
    )  # fmt: skip
    accelerators: Mapping[str, AcceleratorEntry] = optional(
        Table(AcceleratorEntry), "Accelerators that the catalog has not, or has otherwise.",
        make=lambda: MappingProxyType({}), shown="none", origin="the catalog's suffice",
    )  # fmt: skip
    network: Network = optional(
        Section(Network), "The way to the users.", make=Network, shown="its defaults",
        origin="see there",
    )  # fmt: skip
    contracts: tuple[Contract, ...] = optional(
        ListOf(Section(Contract), unique=False), "What tenants have bound themselves to.",
        default=(), shown="none", origin="assumption",
    )  # fmt: skip
    rental: Rental | None = optional(
        Section(Rental), "What may be rented from others.", default=None, shown="nothing",
        origin="nothing is rented unless asked for",
    )  # fmt: skip
    pricing: Pricing = optional(
        Section(Pricing), "Which requests are billed, and discounts and surcharges.",
        make=Pricing, shown="its defaults", origin="see there",
    )  # fmt: skip
    billing: Billing = optional(
        Section(Billing), "Who sends the invoices.", make=Billing, shown="its defaults",
        origin="see there",
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
    traces: Mapping[str, TraceFile] = field(
        default_factory=lambda: MappingProxyType({}), compare=False, repr=False
    )
    notes: tuple[Note, ...] = field(default=(), compare=False, repr=False)
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

    def seen(self, catalog: Catalog) -> Catalog:
        """The catalog with the accelerators and traces of this file."""
        if isinstance(catalog, CloudCatalog) or not (self.accelerators or self.traces):
            return catalog
        added = {key: entry.accelerator(catalog) for key, entry in self.accelerators.items()}
        return CloudCatalog(catalog, MappingProxyType(added), self.traces)

    def active_mw(self, site: str) -> float | None:
        """Active MW of a site on the plan's day; None where the file gives it no ladder."""
        return active_mw(self.sites[site].power_ladder, self.planning.day)

    def rate(self, currency: str) -> Decimal:
        """Units of the cloud's currency for one unit of `currency`."""
        return Decimal(1) if currency == self.currency else self.exchange_rates[currency]
