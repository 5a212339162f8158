"""Placement: how many replicas of which candidate stand where, and who is served from there.

Variables, for options o (a candidate of a model in a pool), demand classes k, hours h, power
contracts c: replicas n[o] (whole numbers), flows f[k,h,o] (requests/s), drawn power y[c,h] (kW)
and paid energy of a day e[c] (kWh). Minimise

    24 sum n[o] tp[o] (capital + operations) + sum e[c] price[c] + sum f 3600 network

such that all demand is served; a replica takes no more than its rate; a pool holds its replicas; a
site draws from its contracts what its replicas use, idle power plus a part in proportion to the
load; each site could feed its replicas at full load; and what take-or-pay obliges to is paid.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from neocloud.planner.candidates import Candidate
from neocloud.planner.demand import HOURS, DemandClass
from neocloud.planner.program import INFINITY, Program, Solution

RELATIVE_GAP = 1e-4
TIME_LIMIT_S = 60.0
_UNSERVED_COST = 1e6
"""Of a request/s not served, in a program that asks what is missing; above any other shortage."""


@dataclass(frozen=True, slots=True)
class Contract:
    """Power of a site.

    Attributes:
        price: of a kWh.
        capacity_kw: what the site may draw; None for no limit.
        take_or_pay: share of the energy it could give that is always paid.
        availability: share of the capacity that it gives in each UTC hour.
    """

    price: float
    capacity_kw: float | None
    take_or_pay: float
    availability: tuple[float, ...] = (1.0,) * HOURS

    def kw_at(self, hour: int) -> float:
        """What the site may draw in an hour, kW; infinite where there is no limit."""
        return INFINITY if self.capacity_kw is None else self.capacity_kw * self.availability[hour]

    @property
    def least_kwh(self) -> float:
        """Energy of a day that is paid for, drawn or not."""
        return self.take_or_pay * (self.capacity_kw or 0.0) * sum(self.availability)


@dataclass(frozen=True, slots=True)
class Option:
    """A candidate in a pool."""

    site: str
    pool: str
    model: str
    candidate: Candidate
    accelerator_hour: float
    """Capital and operations."""
    network_per_request: float


@dataclass(frozen=True, slots=True)
class Setting:
    """Everything that placement decides over.

    `rtt_ms` is by (user metro, site), `accelerators` by (site, pool), `active_kw` by site: the
    most that it may draw whatever its contracts give, where the file says so.
    """

    options: tuple[Option, ...]
    classes: tuple[DemandClass, ...]
    contracts: Mapping[str, tuple[Contract, ...]]
    pue: Mapping[str, float]
    accelerators: Mapping[tuple[str, str], int]
    rtt_ms: Mapping[tuple[str, str], float]
    active_kw: Mapping[str, float] = field(default_factory=dict)

    def firm_kw(self, site: str) -> float:
        """What the site may draw in every hour, kW; infinite where nothing limits it."""
        contracts = self.contracts[site]
        least = min(sum(c.kw_at(hour) for c in contracts) for hour in range(HOURS))
        return min(least, self.active_kw.get(site, INFINITY))


@dataclass(frozen=True, slots=True)
class Placed:
    """The answer: replicas by option, flows by (option, class), a day's energy by contract."""

    replicas: tuple[int, ...]
    flows: Mapping[tuple[int, int], NDArray[np.float64]]
    drawn_kwh: Mapping[tuple[str, int], float]
    """By (site, place of the contract)."""
    gap: float
    objective: float


@dataclass(frozen=True, slots=True)
class Shortage:
    """What is missing at least: a limit, where, by how much, of how much."""

    limit: str
    where: str
    missing: float
    available: float
    unit: str


@dataclass(frozen=True, slots=True)
class _Variables:
    replicas: list[int]
    flows: dict[tuple[int, int, int], int]
    drawn: dict[tuple[str, int, int], int]
    paid: dict[tuple[str, int], int]


def reaches(setting: Setting, demand: DemandClass, option: Option) -> bool:
    """True if the option may and can serve the class in time."""
    if option.model != demand.model or option.site not in demand.sites:
        return False
    return setting.rtt_ms[demand.metro, option.site] <= option.candidate.max_rtt_ms + 1e-9


def place(setting: Setting) -> Placed | None:
    """Solve the placement; None if the demand cannot be served."""
    program = Program()
    variables = _variables(program, setting)
    _serve_demand(program, setting, variables, {})
    _hold_in_pools(program, setting, variables, {})
    _feed(program, setting, variables, {})
    solution = program.solve(relative_gap=RELATIVE_GAP, seconds=TIME_LIMIT_S)
    return None if solution is None else _read(setting, variables, solution)


def shortages(setting: Setting) -> tuple[Shortage, ...]:
    """What the limits lack at least for the demand to be served.

    The same program with room to exceed each limit, at a price; costs play no part.
    """
    program = Program()
    variables = _variables(program, setting)
    program.cost = [0.0] * len(program.cost)
    unserved = {
        (k, h): program.variable(_UNSERVED_COST)
        for k, demand in enumerate(setting.classes)
        for h in range(HOURS)
        if demand.by_hour[h] > 0
    }
    more_accelerators = {place: program.variable(1.0) for place in setting.accelerators}
    more_kw = {site: program.variable(0.5) for site in setting.contracts}
    _serve_demand(program, setting, variables, unserved)
    _hold_in_pools(program, setting, variables, more_accelerators)
    _feed(program, setting, variables, more_kw)
    solution = program.solve(relative_gap=0.01, seconds=TIME_LIMIT_S)
    assert solution is not None, "every limit can be exceeded, so there is always an answer"
    x = solution.values
    found = [
        Shortage(
            "accelerators",
            f"{site}/{pool}",
            float(np.ceil(x[v] - 1e-6)),
            float(setting.accelerators[site, pool]),
            "accelerators",
        )
        for (site, pool), v in more_accelerators.items()
        if x[v] > 1e-6
    ]
    for site, v in more_kw.items():
        if x[v] > 1e-6:
            there = setting.firm_kw(site) / 1e3
            found.append(Shortage("power", site, float(x[v]) / 1e3, there, "MW"))
    for k, demand in enumerate(setting.classes):
        missing = max((float(x[v]) for (kk, _), v in unserved.items() if kk == k), default=0.0)
        if missing > 1e-6:
            found.append(
                Shortage(
                    "latency or allowed sites",
                    f"{demand.model} from {demand.metro}",
                    missing,
                    float(demand.by_hour.max()) - missing,
                    "requests/s",
                )
            )
    return tuple(found)


def _variables(program: Program, setting: Setting) -> _Variables:
    replicas = []
    flows: dict[tuple[int, int, int], int] = {}
    for o, option in enumerate(setting.options):
        hourly = option.candidate.configuration.accelerators * option.accelerator_hour
        replicas.append(program.variable(HOURS * hourly, integer=True))
        for k, demand in enumerate(setting.classes):
            if reaches(setting, demand, option):
                for h in range(HOURS):
                    if demand.by_hour[h] > 0:
                        cost = 3600.0 * option.network_per_request
                        flows[o, k, h] = program.variable(cost)
    drawn: dict[tuple[str, int, int], int] = {}
    paid: dict[tuple[str, int], int] = {}
    for site, contracts in setting.contracts.items():
        for c, contract in enumerate(contracts):
            for h in range(HOURS):
                drawn[site, c, h] = program.variable(0.0, contract.kw_at(h))
            paid[site, c] = program.variable(contract.price)
    return _Variables(replicas, flows, drawn, paid)


def _serve_demand(
    program: Program,
    setting: Setting,
    variables: _Variables,
    unserved: Mapping[tuple[int, int], int],
) -> None:
    for k, demand in enumerate(setting.classes):
        for h in range(HOURS):
            rate = float(demand.by_hour[h])
            if rate <= 0:
                continue
            terms = [
                (variables.flows[o, k, h], 1.0)
                for o in range(len(setting.options))
                if (o, k, h) in variables.flows
            ]
            if (k, h) in unserved:
                terms.append((unserved[k, h], 1.0))
            program.row(rate, terms, rate)
    for o, option in enumerate(setting.options):
        for h in range(HOURS):
            terms = [
                (variables.flows[o, k, h], 1.0)
                for k in range(len(setting.classes))
                if (o, k, h) in variables.flows
            ]
            if terms:
                terms.append((variables.replicas[o], -option.candidate.requests_per_s))
                program.row(-INFINITY, terms, 0.0)


def _hold_in_pools(
    program: Program,
    setting: Setting,
    variables: _Variables,
    more: Mapping[tuple[str, str], int],
) -> None:
    for (site, pool), accelerators in setting.accelerators.items():
        terms = [
            (variables.replicas[o], float(option.candidate.configuration.accelerators))
            for o, option in enumerate(setting.options)
            if (option.site, option.pool) == (site, pool)
        ]
        if (site, pool) in more:
            terms.append((more[site, pool], -1.0))
        if terms:
            program.row(-INFINITY, terms, float(accelerators))


def _feed(
    program: Program, setting: Setting, variables: _Variables, more: Mapping[str, int]
) -> None:
    for site, contracts in setting.contracts.items():
        here = [o for o, option in enumerate(setting.options) if option.site == site]
        to_kw = setting.pue[site] / 1e3
        for h in range(HOURS):
            terms = [(variables.drawn[site, c, h], -1.0) for c in range(len(contracts))]
            for o in here:
                candidate = setting.options[o].candidate
                terms.append((variables.replicas[o], candidate.idle_watts * to_kw))
                slope = (candidate.full_watts - candidate.idle_watts) / candidate.requests_per_s
                terms += [
                    (variables.flows[o, k, h], slope * to_kw)
                    for k in range(len(setting.classes))
                    if (o, k, h) in variables.flows
                ]
            low = 0.0
            if site in more:  # one number for all hours: in most of them more than is needed
                terms.append((more[site], -1.0))
                low = -INFINITY
            program.row(low, terms, 0.0)
        firm_kw = setting.firm_kw(site)
        if firm_kw < INFINITY:
            terms = [
                (variables.replicas[o], setting.options[o].candidate.full_watts * to_kw)
                for o in here
            ]
            if site in more:
                terms.append((more[site], -1.0))
            program.row(-INFINITY, terms, firm_kw)
        for c, contract in enumerate(contracts):
            drawn = [(variables.drawn[site, c, h], -1.0) for h in range(HOURS)]
            program.row(0.0, [(variables.paid[site, c], 1.0), *drawn], INFINITY)
            if contract.least_kwh > 0:
                program.row(contract.least_kwh, [(variables.paid[site, c], 1.0)], INFINITY)


def _read(setting: Setting, variables: _Variables, solution: Solution) -> Placed:
    x = solution.values
    flows: dict[tuple[int, int], NDArray[np.float64]] = {}
    for (o, k, h), v in variables.flows.items():
        if x[v] > 1e-9:
            flows.setdefault((o, k), np.zeros(HOURS))[h] = x[v]
    drawn_kwh = {
        (site, c): float(sum(x[variables.drawn[site, c, h]] for h in range(HOURS)))
        for site, contracts in setting.contracts.items()
        for c in range(len(contracts))
    }
    return Placed(
        replicas=tuple(round(x[v]) for v in variables.replicas),
        flows=flows,
        drawn_kwh=drawn_kwh,
        gap=solution.gap,
        objective=solution.objective,
    )
