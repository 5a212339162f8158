"""What supplies a cloud: sites, their power contracts, their pools of accelerators."""
# ruff: noqa: RUF009  (`required` and `optional` return `dataclasses.field`)

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from neocloud.spec.fields import optional, required
from neocloud.spec.kinds import Choice, Day, Money, Name, Number, Whole
from neocloud.spec.references import ACCELERATOR, MarketMetro
from neocloud.spec.structures import ListOf, Section

SHARE = "A share is a part of 1: write 0.8 for 80 %."


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
        Number(0, 1, remedy=SHARE),
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
        Number(0, 1, remedy=SHARE), "Share of the price that the nodes are worth at the end.",
        default=0.0, origin="assumption: the careful side",
    )  # fmt: skip
    maintenance_share_per_year: float = optional(
        Number(0, 1, remedy=SHARE), "Repairs, spares and support a year, as a share of the price.",
        "1/year", default=0.03, origin="assumption: common for servers after warranty",
    )  # fmt: skip
    availability: float = optional(
        Number(above=0, maximum=1, remedy=SHARE),
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
