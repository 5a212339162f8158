"""What the limits lack at least for the demand to be served.

The same program with room to exceed each limit, at a weight; costs play no part. Extra power is
taken to emit as much as the dirtiest contract of its site.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from neocloud.planner.demand import HOURS, DemandClass
from neocloud.planner.placing.cuts import broken
from neocloud.planner.placing.formulation import Costs, Cut, Formulation, cut, limit, serve
from neocloud.planner.placing.layout import Layout, Numbers, Places, Truths, lay_out
from neocloud.planner.placing.limits import feed
from neocloud.planner.placing.program import INFINITY, SolverError, Terms, Watch, solve
from neocloud.planner.setting import Contract, Setting, Shortage

SECONDS = 60.0
_RELATIVE_GAP = 0.01
_KW = 0.5
"""Weight of a kW beside that of an accelerator, which with its share of a node and its cooling
draws 1 to 2 kW: so that either lack weighs alike (an assumption)."""
_KG = 0.01
"""Weight of a kg: a kW drawn for a day emits about 10 kg."""
_HAIR = 1e-6
"""Relative addition to what is not whole, so that a solver sees the limit reached."""


@dataclass(frozen=True, slots=True, eq=False)
class _Limits:
    """What is there, in the order of the layout; infinite where nothing limits."""

    nodes: Numbers
    node_accelerators: Numbers
    accelerators: Numbers
    power_kw: Numbers
    cooling_kw: Numbers


@dataclass(frozen=True, slots=True, eq=False)
class _More:
    """Places of the variables by which limits are exceeded."""

    nodes: Places
    rented: Places
    power: Places
    cooling: Places
    carbon: Places


def shortages(setting: Setting, *, seconds: float = SECONDS) -> tuple[Shortage, ...]:
    """The least change of limits with which the demand can be served; empty if it can be now.

    `reach` is told for classes that cannot be served at all, or only on energy that emits more
    than they allow.

    Raises:
        SolverError: not found within the time.
    """
    watch, found = Watch(seconds), []
    reachable = [
        any(setting.reaches(c, option) for option in setting.options) for c in setting.classes
    ]
    lost = [c for c, can in zip(setting.classes, reachable, strict=True) if not can]
    found += [_unserved(c) for c in lost if c.by_hour.max() > 0.0]
    kept = tuple(c for c, can in zip(setting.classes, reachable, strict=True) if can)
    setting, few = _few_sites(replace(setting, classes=kept))
    found += few
    told = _exceeded(setting, watch)
    if told is None:
        # Only energy that is too dirty for a class cannot be had by more of anything.
        limited = [c for c in kept if c.carbon_limit_kg_per_kwh is not None]
        some = tuple(c for c in kept if c.carbon_limit_kg_per_kwh is None)
        for demand in limited:
            again = _exceeded(replace(setting, classes=(*some, demand)), watch)
            if again is None:
                found.append(_unserved(demand))
            else:
                some, told = (*some, demand), again
        if told is None:
            told = _exceeded(replace(setting, classes=some), watch)
    if told is None:
        raise SolverError("HiGHS finds no placement even with more of everything")
    return (*found, *told)


def _short(limit: str, where: str, missing: float, available: float, unit: str) -> Shortage:
    return Shortage(limit=limit, where=where, missing=missing, available=available, unit=unit)


def _unserved(demand: DemandClass) -> Shortage:
    peak = float(demand.by_hour.max())
    return _short("reach", f"{demand.model} from {demand.metro}", peak, 0.0, "requests/s")


def _few_sites(setting: Setting) -> tuple[Setting, list[Shortage]]:
    """Models that must stand at more sites than could hold them, asked for no more than that."""
    least, found = dict(setting.min_sites), []
    for model, wanted in setting.min_sites.items():
        there = len({option.site for option in setting.options if option.model == model})
        if wanted > max(1, there):
            found.append(_short("sites", model, float(wanted - there), float(there), "sites"))
            least[model] = there
    return replace(setting, min_sites=least), found


def _exceeded(setting: Setting, watch: Watch) -> list[Shortage] | None:
    """What limits are exceeded by at least; None if exceeding them does not help."""
    generous = replace(
        setting,
        contracts={
            site: tuple(_free(c) for c in contracts) + _extra(contracts)
            for site, contracts in setting.contracts.items()
        },
        active_kw={},
        cooling_kw={},
        carbon_price=0.0,
        carbon_cap_kg=None,
    )
    layout = lay_out(generous)
    layout = replace(layout, most=layout.useful)
    spans = HOURS if setting.hourly else 1
    free = Costs(np.zeros((len(layout.rate), spans)), np.zeros((len(layout.port_option), HOURS)))
    limits, cuts = _limits(setting, layout), list[Cut]()
    while True:
        f = serve(layout, free)
        cut(f, cuts)
        feed(f)
        limit(f)
        more = _exceed(f, setting, limits)
        whole = solve(f.program, watch, relative_gap=_RELATIVE_GAP)
        if whole is None:
            return None
        if whole.values is None:
            raise SolverError("HiGHS did not find what is missing in time")
        broken_now = broken(f, whole.values)
        if not broken_now:
            return _told(f, setting, limits, more, whole.values)
        cuts += broken_now


def _free(contract: Contract) -> Contract:
    return replace(contract, price=0.0, take_or_pay=0.0, peak_price=0.0)


def _extra(contracts: tuple[Contract, ...]) -> tuple[Contract, ...]:
    """Power beyond the contracts of a site that has any."""
    dirtiest = max((c.carbon_kg_per_kwh for c in contracts), default=0.0)
    return (Contract(price=0.0, carbon_kg_per_kwh=dirtiest),) if contracts else ()


def _limits(setting: Setting, layout: Layout) -> _Limits:
    size = np.array([float(setting.node_accelerators[pool]) for pool in layout.pools])
    room = np.array([float(setting.accelerators[pool]) for pool in layout.pools])
    uncooled = replace(setting, cooling_kw={})
    power = np.array([uncooled.firm_kw(site) for site in layout.sites])
    cooling = [
        setting.cooling_kw.get(site, INFINITY) if setting.contracts[site] else INFINITY
        for site in layout.sites
    ]
    return _Limits(room / size, size, room, power, np.array(cooling))


def _exceed(f: Formulation, setting: Setting, limits: _Limits) -> _More:
    """Rows of the limits with what exceeds them."""
    layout, program = f.layout, f.program
    groups = setting.groups
    more = _More(
        nodes=program.variables((len(layout.pools),), limits.node_accelerators, integer=True),
        rented=program.variables((len(groups),), 1.0),
        power=program.variables((len(layout.sites),), _KW),
        cooling=program.variables((len(layout.sites),), _KW),
        carbon=program.variables((1,), _KG),
    )
    rented = np.array([float(group.accelerators) for group in groups])
    at_site = _at_site(layout) * layout.full_kw
    _exceed_by(f, layout.holds, limits.accelerators, more.nodes, limits.node_accelerators)
    _exceed_by(f, _in_groups(setting, layout) @ layout.holds, rented, more.rented)
    _exceed_by(f, at_site, limits.power_kw, more.power)
    _exceed_by(f, at_site, limits.cooling_kw, more.cooling)
    place, each = 0, np.arange(HOURS)
    emitted: list[tuple[Places, float]] = []
    for s, site in enumerate(layout.sites):
        contracts = layout.setting.contracts[site]
        emitted += [(f.drawn[place + c], k.carbon_kg_per_kwh) for c, k in enumerate(contracts)]
        place += len(contracts)
        if contracts:
            extra = Terms(each, f.drawn[place - 1])
            program.rows(HOURS, -INFINITY, 0.0, extra, Terms(each, more.power[s], -1.0))
    if setting.carbon_cap_kg is not None:
        terms = [Terms(np.zeros(HOURS, int), kw, kg) for kw, kg in emitted]
        program.rows(1, -INFINITY, setting.carbon_cap_kg, *terms, Terms(0, more.carbon, -1.0))
    return more


def _exceed_by(
    f: Formulation, taken: Numbers, there: Numbers, more: Places, each: Numbers | float = 1.0
) -> None:
    part = taken[:, f.options]
    row, option = np.nonzero(part)
    block = np.arange(len(there) * f.spans).reshape(len(there), f.spans)
    f.program.rows(
        block.size,
        -INFINITY,
        np.repeat(there, f.spans),
        Terms(block[row], f.replicas[option], part[row, option][:, None]),
        Terms(block, more[:, None], -np.broadcast_to(each, there.shape)[:, None]),
    )


def _at_site(layout: Layout) -> Truths:
    found: Truths = np.arange(len(layout.sites))[:, None] == layout.option_site
    return found


def _in_groups(setting: Setting, layout: Layout) -> Numbers:
    inside = [[pool in group.pools for pool in layout.pools] for group in setting.groups]
    return np.array(inside, dtype=np.float64).reshape(len(setting.groups), len(layout.pools))


def _told(
    f: Formulation, setting: Setting, limits: _Limits, more: _More, values: Numbers
) -> list[Shortage]:
    """Shortages from the replicas, whole as they are, so that they hold exactly."""
    layout = f.layout
    replicas = np.rint(values[f.replicas])
    held = (layout.holds[:, f.options] @ replicas).max(axis=1, initial=0.0)
    lacking = np.ceil((held - limits.accelerators) / limits.node_accelerators - 1e-9)
    found = [
        _short("nodes", f"{site}/{pool}", float(lacking[i]), float(limits.nodes[i]), "nodes")
        for i, (site, pool) in enumerate(layout.pools)
        if lacking[i] > 0.0
    ]
    rented = (_in_groups(setting, layout) @ layout.holds[:, f.options] @ replicas).max(axis=1)
    for group, taken in zip(setting.groups, rented, strict=True):
        if taken > group.accelerators:
            there = float(group.accelerators)
            found.append(_short("rented", group.name, float(taken) - there, there, "accelerators"))
    full = (_at_site(layout) * layout.full_kw)[:, f.options] @ replicas
    needed = full.max(axis=1, initial=0.0)
    extra = values[more.power]
    for s, site in enumerate(layout.sites):
        for name, there, least in (
            ("power", limits.power_kw[s], extra[s]),
            ("cooling", limits.cooling_kw[s], 0.0),
        ):
            if there == INFINITY:
                continue
            kw = max(float(needed[s] - there), float(least))
            if kw > 1e-6 * max(1.0, there):
                found.append(_short(name, site, kw * (1 + _HAIR) / 1e3, there / 1e3, "MW"))
    if setting.carbon_cap_kg is not None and values[more.carbon[0]] > 1e-6:
        kg = float(values[more.carbon[0]]) * (1.0 + _HAIR) + _HAIR * setting.carbon_cap_kg
        found.append(_short("carbon", "cloud", kg, setting.carbon_cap_kg, "kg/day"))
    return found
