"""What placement decides over, and what it answers: plain numbers, no look-ups.

Power is at the site's meter, PUE included; hours are the UTC hours of one representative day.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from neocloud.planner.demand import HOURS, DemandClass

INFINITY = float("inf")


class Spares(Enum):
    """What a placement must survive."""

    NONE = "none"
    REPLICA = "replica"
    """N + 1: wherever an option is used, one of its replicas is more than its peak needs."""
    SITE = "site"
    """Any one site may be lost: the others then still take all that may be served by them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """Power of a site.

    Attributes:
        price: of a kWh.
        capacity_kw: what the site may draw; None for no limit.
        take_or_pay: share of the energy it could give that is always paid.
        availability: share of the capacity that it gives in each UTC hour.
        carbon_kg_per_kwh: emissions of its energy.
        peak_price: of the day's highest draw, for each kW and day (a month's demand charge / 30.4).
    """

    price: float
    capacity_kw: float | None = None
    take_or_pay: float = 0.0
    availability: tuple[float, ...] = (1.0,) * HOURS
    carbon_kg_per_kwh: float = 0.0
    peak_price: float = 0.0

    def kw_at(self, hour: int) -> float:
        """What the site may draw in an hour, kW; infinite where there is no limit."""
        return INFINITY if self.capacity_kw is None else self.capacity_kw * self.availability[hour]

    @property
    def least_kwh(self) -> float:
        """Energy of a day that is paid for, drawn or not."""
        return self.take_or_pay * (self.capacity_kw or 0.0) * sum(self.availability)


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One way to serve a model at a site: what one replica holds, takes, draws and costs.

    Attributes:
        model: model key.
        site: site key.
        holds: accelerators that it holds, by pool of the site: one pool, or two where prompts are
            worked on elsewhere than answers.
        requests_per_s: what it takes within the objective.
        max_rtt_ms: users farther away would see their first token too late at full load.
        idle_kw: power at the meter of a replica that nobody uses.
        full_kw: the same at full load. The straight line between the two lies below the curve.
        cost_per_hour: of what it holds: capital and operations, or rent.
        network_per_request: of a request of mean length.
    """

    model: str
    site: str
    holds: Mapping[str, int]
    requests_per_s: float
    max_rtt_ms: float
    idle_kw: float
    full_kw: float
    cost_per_hour: float
    network_per_request: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Pools that together may give no more than so many accelerators at once (what is rented)."""

    name: str
    pools: tuple[tuple[str, str], ...]
    accelerators: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """Everything that placement decides over.

    Attributes:
        options: ways to serve.
        classes: demand.
        contracts: power of each site in merit order; a site without any has its energy in the
            price of its accelerators.
        accelerators: how many stand in a pool, by (site, pool).
        node_accelerators: accelerators of one node, by (site, pool).
        rtt_ms: round trips, by (user metro, site).
        active_kw: the most that a site may draw whatever its contracts give, where the file says.
        cooling_kw: the same for what its cooling takes away, at the meter.
        groups: limits over several pools.
        min_sites: sites that must hold a model at least, where more than one.
        spares: what must be survived.
        hourly: replicas may change from hour to hour; else the same ones stand all day.
        carbon_price: of a kg, added to the cost.
        carbon_cap_kg: emissions of a day at most.
    """

    options: tuple[Option, ...]
    classes: tuple[DemandClass, ...]
    contracts: Mapping[str, tuple[Contract, ...]]
    accelerators: Mapping[tuple[str, str], int]
    node_accelerators: Mapping[tuple[str, str], int]
    rtt_ms: Mapping[tuple[str, str], float]
    active_kw: Mapping[str, float] = field(default_factory=dict)
    cooling_kw: Mapping[str, float] = field(default_factory=dict)
    groups: tuple[Group, ...] = ()
    min_sites: Mapping[str, int] = field(default_factory=dict)
    spares: Spares = Spares.NONE
    hourly: bool = False
    carbon_price: float = 0.0
    carbon_cap_kg: float | None = None

    def firm_kw(self, site: str) -> float:
        """What the site may draw in every hour, kW; infinite where nothing limits it."""
        contracts = self.contracts[site]
        if not contracts:
            return INFINITY
        least = min(sum(c.kw_at(hour) for c in contracts) for hour in range(HOURS))
        return min(least, self.active_kw.get(site, INFINITY), self.cooling_kw.get(site, INFINITY))

    def reaches(self, demand: DemandClass, option: Option) -> bool:
        """True if the option may and can serve the class in time."""
        if option.model != demand.model or option.site not in demand.sites:
            return False
        return self.rtt_ms[demand.metro, option.site] <= option.max_rtt_ms + 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """The answer.

    Attributes:
        replicas: by option and hour, whole numbers of shape (options, 24).
        flows: requests/s by (option, class), shape (24,).
        drawn_kw: by (site, place of the contract), shape (24,).
        cost: of the day, what carbon costs included.
        bound: no placement costs less: proven.
    """

    replicas: NDArray[np.int64]
    flows: Mapping[tuple[int, int], NDArray[np.float64]]
    drawn_kw: Mapping[tuple[str, int], NDArray[np.float64]]
    cost: float
    bound: float

    @property
    def gap(self) -> float:
        """Proven relative distance from the best."""
        return max(0.0, (self.cost - self.bound) / self.cost) if self.cost > 0 else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortage:
    """What is missing at least for the demand to be served.

    Attributes:
        limit: `nodes` (of a pool), `power` (MW of a site), `cooling` (MW), `rented` (accelerators
            of a group), `sites` (that a model may stand at), `carbon` (kg a day), or `reach`:
            requests/s that no option may and can serve.
        where: `site/pool`, the site, the group, the model; `model from metro` for `reach`.
        missing: how much more; whole for what comes in whole numbers.
        available: how much there is.
        unit: of both.
    """

    limit: str
    where: str
    missing: float
    available: float
    unit: str


__all__ = [
    "INFINITY",
    "Contract",
    "Group",
    "Option",
    "Placed",
    "Setting",
    "Shortage",
    "Spares",
]
