"""What supplies a cloud: sites and their pools of accelerators."""
# ruff: noqa: RUF009  (`required` and `optional` return `dataclasses.field`)

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from neocloud.spec.fields import optional, required
from neocloud.spec.kinds import Choice, Day, Money, Name, Number, Pattern, Text, Whole
from neocloud.spec.power import MEGAWATTS, SHARE, PowerContract, PowerStep
from neocloud.spec.references import ACCELERATOR, MarketMetro
from neocloud.spec.structures import ListOf, Section


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
        Choice(("vllm", "sglang", "emulated")),
        "What serves: `vllm`, `sglang`, or `emulated`: the performance model behind vLLM's HTTP "
        "interface.", default="vllm", origin="vLLM runs on both makers' accelerators",
    )  # fmt: skip
    ownership: str = optional(
        Choice(("owned", "leased")), "Who owns the nodes. Leased ones cost `lease_usd_per_hour` in "
        "place of price and maintenance; space and power are the site's.", default="owned",
        origin="the usual case",
    )  # fmt: skip
    lease_usd_per_hour: Decimal | None = optional(
        Money(0, 1000, remedy="Write a price per accelerator-hour: 1.90."),
        "Price of one leased accelerator, paid every hour of the lease.",
        "USD/accelerator-hour", default=None, origin="`leased` needs it",
    )  # fmt: skip
    spare_nodes: int = optional(
        Whole(0, 1_000_000), "Of the nodes, those that stand ready for others that fail: paid "
        "for, never planned on.", "nodes", default=0,
        origin="assumption: `availability` says all",
    )  # fmt: skip
    fabric_domain: int | None = optional(
        Whole(1, 100_000), "Accelerators that share a scale-up fabric here, where fewer than the "
        "accelerator allows.", "accelerators", default=None, shown="the accelerator's",
        origin="catalog",
    )  # fmt: skip
    fabric: str | None = optional(
        Choice(("infiniband", "roce", "ethernet")), "Network between the nodes.", default=None,
        shown="not stated", origin="assumption", later="deploy",
    )  # fmt: skip
    scale_out_gbit_per_s: float | None = optional(
        Number(1, 10_000, remedy="Write gigabits a second for each accelerator: 400."),
        "Bandwidth of that network for each accelerator, one way; 1 keeps replicas within nodes.",
        "Gbit/s", default=None, shown="the accelerator's usual network cards", origin="catalog",
    )  # fmt: skip
    start: date | None = optional(
        Day(), "First day on which the nodes serve.", default=None, shown="there already",
        origin="assumption",
    )  # fmt: skip
    capex_usd: Decimal | None = optional(
        Money(0, 10_000_000),
        "Price of one accelerator bought and installed, with its share of server, network and "
        "storage.", "USD", default=None, shown="the catalog's figure",
        origin="catalog: 49,500 for an H100, others by the ratio of their cost of owning",
    )  # fmt: skip
    life_years: float | None = optional(
        Number(1, 20), "Years over which the price is recovered.", "years", default=None,
        shown="`finance.life_years`", origin="see there",
    )  # fmt: skip
    residual_share: float | None = optional(
        Number(0, 1, remedy=SHARE), "Share of the price that the nodes are worth at the end.",
        default=None, shown="`finance.residual_share`", origin="see there",
    )  # fmt: skip
    maintenance_share_per_year: float | None = optional(
        Number(0, 1, remedy=SHARE), "Repairs, spares and support a year, as a share of the price.",
        "1/year", default=None, shown="`finance.maintenance_share_per_year`", origin="see there",
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
class EnergyMeter:
    """What measures the energy of a whole site: a table that grows, or a Prometheus server."""

    csv: str = optional(
        Text(), "Path of a table from the file's folder on, with the columns `time` and `kWh` "
        "(used since the line before) or `W` (mean power since then). Give this or `prometheus`.",
        default="", shown="none", origin="one of the two must be given",
    )  # fmt: skip
    prometheus: str = optional(
        Pattern(r"https?://[^\s@]+", "URL as http://127.0.0.1:9090"),
        "Prometheus server that is asked instead.", default="", shown="none",
        origin="one of the two must be given",
    )  # fmt: skip
    query: str = optional(
        Text(2000), "What it is asked for: the site's power in watts, facility included; several "
        "series are summed. `prometheus` needs it.", default="", shown="none",
        origin="given by the meter",
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
    power_ladder: tuple[PowerStep, ...] = optional(
        ListOf(Section(PowerStep), unique=False), "Megawatts that are reserved, contracted, "
        "connected and active, by day; no plan draws more than is active.", default=(),
        shown="all that the contracts give is active", origin="assumption",
    )  # fmt: skip
    cooling: str | None = optional(
        Choice(("air", "liquid")), "How racks are cooled; where it is `air`, no pool may need "
        "liquid.", default=None, shown="not stated", origin="assumption: as the nodes need",
    )  # fmt: skip
    rack_kw: float | None = optional(
        Number(1, 2000, remedy="Write kilowatts: 130 for a rack of 130,000 W."),
        "The most that a rack may draw: a node that draws more cannot stand there.", "kW",
        default=None, shown="not stated", origin="assumption: as the nodes need",
    )  # fmt: skip
    cooling_mw: float | None = optional(
        Number(0, 5000, remedy=MEGAWATTS), "Power of IT whose heat the cooling takes away: no plan "
        "draws more.", "MW", default=None, shown="not stated", origin="assumption: all of it",
    )  # fmt: skip
    racks: int | None = optional(
        Whole(1, 1_000_000), "Racks that stand there; `rack_kw` says how many nodes each feeds.",
        "racks", default=None, shown="not stated", origin="assumption: enough",
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
    meter: EnergyMeter | None = optional(
        Section(EnergyMeter), "What measures its energy, facility included.", default=None,
        shown="none: energy is modelled, and marked so", origin="nothing is read unless asked for",
    )  # fmt: skip
    pools: tuple[Pool, ...] = optional(
        ListOf(Section(Pool), unique=False), "Nodes at the site.", default=(),
        shown="none where the file has `finance` and `contracts`; else it must be given",
        origin="assets may say what stands there, for `report` and `stress`",
    )  # fmt: skip
