"""`make_plan`: from a cloud to its cheapest plan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from neocloud.catalog import Catalog
from neocloud.perf import Predictor, shipped
from neocloud.planner import rates
from neocloud.planner.demand import demand_classes
from neocloud.planner.ground import Ground, assemble, draws_of
from neocloud.planner.hosts import Host, hosts_of, rented_hosts
from neocloud.planner.infeasible import (
    Explained,
    InfeasibleError,
    explain_curves,
    explain_objectives,
    explain_shortages,
    left_out,
    loosened,
    stranded,
    with_objectives,
)
from neocloud.planner.lengths import lengths_of
from neocloud.planner.placing import place
from neocloud.planner.power import carbon_t_per_year
from neocloud.planner.progress import Progress, silent
from neocloud.planner.records import Plan
from neocloud.planner.searching import Asked, search_all
from neocloud.planner.setting import INFINITY, Group, Placed, Setting, Spares
from neocloud.planner.supply import active_kw, contracts_of, cooling_kw
from neocloud.spec import Cloud

TARGET_GAP = 1e-4
_LOOSER = (1.0, 1.1, 1.25, 1.5, 2.0, 3.0)
"""Times the least objective that reaches all users, which a replica holds with next to no load."""
_HALVES = 4
_CAP_ROUNDS = 10
_LEAST_SLOPE = 0.1
"""Of emissions by the curves over those by the line."""
_KG = 1e3


def make_plan(
    cloud: Cloud,
    catalog: Catalog,
    progress: Progress = silent,
    predictor: Predictor | None = None,
) -> Plan:
    """Find the cheapest way to serve the cloud's demand within its objectives and limits.

    Args:
        cloud: the checked file.
        catalog: where its keys lead.
        progress: told what is being done, and how far.
        predictor: what predictions rest on; None for the shipped one.

    Raises:
        InfeasibleError: the demand cannot be served; says which limits bind and by how much.
        MissingFigureError: the plan needs a figure that neither file nor catalog has.
    """
    ground = ground_of(cloud, catalog, progress, predictor)
    placed = placed_on(ground, progress)
    return assemble(ground, placed)


def placed_on(ground: Ground, progress: Progress = silent) -> Placed:
    """Solve the placement.

    A carbon cap is held by what replicas draw by their curves, which is a little above the line
    that placement goes by: its cap is lowered until what is emitted is within the file's.

    Raises:
        InfeasibleError: see `make_plan`.
    """
    setting = ground.setting
    if setting.carbon_cap_kg is None:
        placed = _solved(ground, setting, progress)
        if placed is None:
            raise infeasible(ground, progress)
        return placed
    cap = line = setting.carbon_cap_kg
    before: tuple[float, float] | None = None
    for _ in range(_CAP_ROUNDS):
        lowered = replace(setting, carbon_cap_kg=line)
        placed = _solved(ground, lowered, progress)
        if placed is None:
            break
        emitted = carbon_t_per_year(lowered, placed, draws_of(ground)) * _KG / 365.0
        if emitted <= cap * (1.0 + 1e-9):
            return placed
        slope = 1.0 if before is None else (before[1] - emitted) / (before[0] - line)
        before = (line, emitted)
        line -= (emitted - cap * (1.0 - 1e-4)) / max(slope, _LEAST_SLOPE)
        if line <= 0.0:
            break
    raise infeasible(ground, progress)


def _solved(ground: Ground, setting: Setting, progress: Progress) -> Placed | None:
    seconds = ground.cloud.planning.max_seconds
    return place(setting, target_gap=TARGET_GAP, seconds=seconds, progress=progress)


def infeasible(ground: Ground, progress: Progress = silent) -> InfeasibleError:
    """Why nothing serves the demand, and the least changes that, all applied, make it feasible.

    Where users are out of reach, their objectives are loosened until they are in reach, and then
    further until what stands there suffices; what it lacks even so is named too.
    """
    progress("looking for what binds", None)
    if not stranded(ground.setting):
        return _told(ground, explain_shortages(ground) or explain_curves(ground))
    low, wider = 0.0, ground
    for high in _LOOSER:
        wider = _with_looser(ground, high, progress)
        if wider is ground:  # no objective helps
            break
        if _feasible(wider):
            return _told(ground, _least_objectives(ground, low, high, progress))
        low = high
    lacking = explain_shortages(wider) if wider is not ground else []
    return _told(ground, [*explain_objectives(ground, loosened(ground, _LOOSER[-1])), *lacking])


def _with_looser(ground: Ground, more: float, progress: Progress) -> Ground:
    """The same with objectives that reach all users, times `more`; itself where none does."""
    objectives = loosened(ground, more)
    if not objectives:
        return ground
    cloud = with_objectives(ground.cloud, objectives)
    return ground_of(cloud, ground.catalog, progress, ground.predictor)


def _feasible(ground: Ground) -> bool:
    seconds = ground.cloud.planning.max_seconds
    return place(ground.setting, target_gap=1.0, seconds=seconds) is not None


def _least_objectives(
    ground: Ground, low: float, high: float, progress: Progress
) -> list[Explained]:
    """Objectives between times that fail and times that suffice, halved a few times."""
    for _ in range(_HALVES if low else 0):
        middle = (low + high) / 2.0
        if _feasible(_with_looser(ground, middle, progress)):
            high = middle
        else:
            low = middle
    return explain_objectives(ground, loosened(ground, high))


def _told(ground: Ground, explained: list[Explained]) -> InfeasibleError:
    changes = [c for e in explained for c in e.changes]
    return InfeasibleError([*(e.reason for e in explained), *left_out(ground)], changes)


def ground_of(
    cloud: Cloud,
    catalog: Catalog,
    progress: Progress = silent,
    predictor: Predictor | None = None,
) -> Ground:
    """Everything that a plan is made on: demand, supply, and what the search gives."""
    seen, used = cloud.seen(catalog), predictor or shipped()
    own, skipped = hosts_of(cloud, seen, used)
    others, rented = rented_hosts(cloud, seen, used)
    hosts = (*own, *others)
    places = tuple(dict.fromkeys(h.site for h in others))
    classes = demand_classes(cloud, seen, places)
    lengths = {m: lengths_of(cloud, seen, m) for m in sorted({c.model for c in classes})}
    metros = {s.key: s.metro for s in cloud.sites.values()} | {h.site: h.metro for h in hosts}
    rtt_ms = {
        (metro, site): rates.round_trip_ms(cloud, seen, metro, place)
        for metro in sorted({c.metro for c in classes})
        for site, place in metros.items()
    }
    p = cloud.planning
    setting = Setting(
        options=(),
        classes=classes,
        contracts={
            **{key: contracts_of(cloud, site, seen) for key, site in cloud.sites.items()},
            **dict.fromkeys(places, ()),
        },
        accelerators={(h.site, h.pool): h.accelerators for h in hosts},
        node_accelerators={(h.site, h.pool): h.accelerator.node_accelerators for h in hosts},
        rtt_ms=rtt_ms,
        active_kw=active_kw(cloud),
        cooling_kw=cooling_kw(cloud),
        groups=_rented_group(cloud, others),
        min_sites={m: cloud.models[m].min_sites for m in lengths if cloud.models[m].min_sites > 1},
        spares=Spares(p.spares),
        hourly=p.replicas == "hourly",
        carbon_price=float(p.carbon_price_per_tonne) / _KG,
        carbon_cap_kg=(
            None if p.carbon_cap_t_per_year is None else p.carbon_cap_t_per_year * _KG / 365.0
        ),
    )
    worth = {site: most_per_kwh(setting, site, hosts) for site in setting.contracts}
    searched = search_all(Asked(cloud, hosts, classes, lengths, rtt_ms, worth, used), progress)
    setting = replace(setting, options=tuple(way.option for way in searched.ways))
    return Ground(
        cloud=cloud,
        catalog=seen,
        predictor=used,
        hosts=hosts,
        skipped=skipped,
        rented=rented,
        lengths=lengths,
        searched=searched,
        setting=setting,
    )


def most_per_kwh(setting: Setting, site: str, hosts: Sequence[Host]) -> float:
    """The most that a kilowatt-hour can be worth at a site; infinite where power may run short.

    It runs short where all nodes of the site at their maximum draw more than is there in every
    hour, where a tenant's or the plan's carbon limit may bind.
    """
    contracts = setting.contracts[site]
    if not contracts:
        return 0.0
    limits = [c.carbon_limit_kg_per_kwh for c in setting.classes if site in c.sites]
    dirtiest = max(c.carbon_kg_per_kwh for c in contracts)
    if setting.carbon_cap_kg is not None or any(m is not None and m < dirtiest for m in limits):
        return INFINITY
    most_kw = sum(
        h.accelerators * h.node_kw_per_accelerator * h.pue for h in hosts if h.site == site
    )
    if setting.firm_kw(site) < most_kw:
        return INFINITY
    return max(
        c.price + c.carbon_kg_per_kwh * setting.carbon_price + c.peak_price for c in contracts
    )


def _rented_group(cloud: Cloud, rented: tuple[Host, ...]) -> tuple[Group, ...]:
    """The limit on all that is rented together, where the file sets one."""
    if cloud.rental is None or cloud.rental.max_accelerators is None or not rented:
        return ()
    pools = tuple((h.site, h.pool) for h in rented)
    most = cloud.rental.max_accelerators
    return (Group(name="rental", pools=pools, accelerators=most),)
