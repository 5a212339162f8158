"""Why a cloud cannot serve its demand, in the words of its file, and the least that lifts it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from neocloud.planner.demand import HOURS, DemandClass
from neocloud.planner.ground import Ground, draws_of
from neocloud.planner.placing import place, shortages
from neocloud.planner.placing.program import SolverError
from neocloud.planner.power import carbon_t_per_year
from neocloud.planner.search.find import Found
from neocloud.planner.setting import INFINITY, Setting, Shortage
from neocloud.spec import Cloud, Objective

_USERS_SHOWN = 3
_ROOM = 1.005
"""A changed figure is given with half a per cent of room, rounded up to four digits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A figure of the file to be changed.

    Attributes:
        path: where it stands, pools and contracts by name or place: `sites.paris.pools.h100.nodes`.
        value: what it would have to be at least.
        unit: of it.
    """

    path: str
    value: float
    unit: str


class InfeasibleError(Exception):
    """No plan exists.

    Attributes:
        reasons: each limit that binds, where, and what is missing.
        changes: figures of the file that, all changed, make it feasible; empty where no change of
            figures does.
    """

    def __init__(self, reasons: Sequence[str], changes: Sequence[Change] = ()) -> None:
        super().__init__("; ".join(reasons))
        self.reasons = tuple(reasons)
        self.changes = tuple(changes)


@dataclass(frozen=True, slots=True)
class Explained:
    """One limit: a sentence, and what would have to change."""

    reason: str
    changes: tuple[Change, ...] = ()


def stranded(setting: Setting) -> dict[str, list[DemandClass]]:
    """Demand by model that no candidate anywhere could serve, whatever the capacity."""
    found: dict[str, list[DemandClass]] = {}
    for demand in setting.classes:
        if not any(setting.reaches(demand, option) for option in setting.options):
            found.setdefault(demand.model, []).append(demand)
    return found


def loosened(ground: Ground, more: float) -> dict[str, Objective]:
    """For each model with users out of reach, the least objective that reaches them, times `more`.

    Models that no objective helps are left out.
    """
    found: dict[str, Objective] = {}
    for model, classes in stranded(ground.setting).items():
        objective = _reaching(ground, model, classes, more)
        if objective is not None:
            found[model] = objective
    return found


def explain_objectives(ground: Ground, wanted: Mapping[str, Objective]) -> list[Explained]:
    """A sentence for each model with users out of reach, and the objective that is wanted."""
    return [
        _out_of_reach(ground, model, classes, wanted.get(model))
        for model, classes in stranded(ground.setting).items()
    ]


def with_objectives(cloud: Cloud, objectives: Mapping[str, Objective]) -> Cloud:
    """The cloud with some models' objectives replaced."""
    models = {
        key: replace(model, objective=objectives.get(key, model.objective))
        for key, model in cloud.models.items()
    }
    return replace(cloud, models=models)


def explain_shortages(ground: Ground) -> list[Explained]:
    """A sentence for each limit that lacks something, at the least."""
    try:
        return [_say(ground, s) for s in shortages(ground.setting)]
    except SolverError:
        # That nothing serves the demand is proven; only the least that is missing is not known.
        return [Explained("what is missing at least was not found in the time: more of everything")]


def explain_curves(ground: Ground) -> list[Explained]:
    """For a carbon cap that is held by the line that placement draws along, not by the curves."""
    cap = ground.setting.carbon_cap_kg
    return [] if cap is None else [_carbon(ground, cap)]


def left_out(ground: Ground) -> list[str]:
    """A sentence for each pool that no plan can be made with."""
    return [
        f"{ground.cloud.where(f'sites.{s.site}.pools.{s.pool}')}: pool {s.site}/{s.pool} is left "
        f"out: {s.reason}"
        for s in ground.skipped
    ]


def _findings(ground: Ground, demand: DemandClass) -> Iterator[tuple[float, Found]]:
    """What the search found where a class may be served, with the round trip there."""
    for (site, _, model), found in ground.searched.found.items():
        if model == demand.model and site in demand.sites:
            yield ground.setting.rtt_ms[demand.metro, site], found


def _reaching(
    ground: Ground, model: str, classes: Sequence[DemandClass], more: float
) -> Objective | None:
    """The least objective that reaches all classes, times `more`; None where no objective does."""
    objective = ground.cloud.models[model].objective
    ttft, tpot = objective.ttft_ms, objective.tpot_ms
    for demand in classes:
        best: tuple[float, float, float] | None = None
        for rtt, found in _findings(ground, demand):
            if found.coarse is None or not found.coarse.fits.any():
                continue
            steady = found.coarse.steady
            seen = np.maximum(steady.ttft_s_at_percentile * 1e3 + rtt, ttft)
            each = np.maximum(steady.tpot_s_at_percentile * 1e3, tpot)
            worse = np.where(found.coarse.fits, seen / ttft * (each / tpot), np.inf)
            at = np.unravel_index(int(np.argmin(worse)), worse.shape)
            if best is None or worse[at] < best[0]:
                best = (float(worse[at]), float(seen[at]), float(each[at]))
        if best is None:
            return None
        ttft, tpot = max(ttft, best[1]), max(tpot, best[2])
    return replace(
        objective,
        ttft_ms=ttft if ttft == objective.ttft_ms else _up(ttft * more),
        tpot_ms=tpot if tpot == objective.tpot_ms else _up(tpot * more),
    )


def _up(value: float) -> float:
    """With `_ROOM`, rounded up to four digits."""
    value *= _ROOM
    step = 10.0 ** (math.floor(math.log10(value)) - 3)
    return float(f"{math.ceil(value / step - 1e-9) * step:.6g}")


def _out_of_reach(
    ground: Ground, model: str, classes: Sequence[DemandClass], objective: Objective | None
) -> Explained:
    cloud, setting = ground.cloud, ground.setting
    users = [f"{d.metro} ({_round_trips(setting, d)})" for d in classes]
    shown = ", ".join(users[:_USERS_SHOWN])
    more = len(users) - _USERS_SHOWN
    sites = {site for d in classes for site in d.sites}
    tried = "; ".join(
        f"{site}/{pool} reaches {f.nearest or 'only users nearer by'}"
        for (site, pool, name), f in ground.searched.found.items()
        if name == model and site in sites
    )
    old = cloud.models[model].objective
    changes, wanted = [], []
    for name in ("ttft_ms", "tpot_ms"):
        if objective is not None and getattr(objective, name) > getattr(old, name):
            value = getattr(objective, name)
            changes.append(Change(path=f"models.{model}.objective.{name}", value=value, unit="ms"))
            wanted.append(f"{name} {value:g}")
    least = (
        f"Loosen the objective to at least {' and '.join(wanted)}, or allow another precision, or "
        "add a nearer site or a faster accelerator."
        if changes
        else "No objective helps: allow another precision, or add accelerators with more memory."
    )
    return Explained(
        f"{cloud.where(f'models.{model}.objective')}: the objective of {model} binds: no site "
        f"that may serve them meets it for users in {shown}"
        f"{f' and {more} metros more' if more > 0 else ''}. {tried}. {least}",
        tuple(changes),
    )


def _round_trips(setting: Setting, demand: DemandClass) -> str:
    return ", ".join(
        f"{setting.rtt_ms[demand.metro, site]:.0f} ms to {site}"
        for site in demand.sites
        if (demand.metro, site) in setting.rtt_ms
    )


def _say(ground: Ground, s: Shortage) -> Explained:
    cloud = ground.cloud
    if s.limit == "nodes":
        return _nodes(ground, s)
    if s.limit in ("power", "cooling"):
        return _megawatts(ground, s)
    if s.limit == "rented":
        path = "rental.max_accelerators"
        return Explained(
            f"{cloud.where(path)}: what may be rented binds: {s.available:.0f} accelerators, and "
            f"{s.missing:.0f} more are needed. Raise max_accelerators.",
            (Change(path=path, value=s.available + s.missing, unit=s.unit),),
        )
    if s.limit == "carbon":
        return _carbon(ground, s.available + s.missing)
    if s.limit == "sites":
        path = f"models.{s.where}.min_sites"
        left = max(1.0, cloud.models[s.where].min_sites - s.missing)
        return Explained(
            f"{cloud.where(path)}: min_sites of {s.where} binds: it finds room at "
            f"{left:.0f} sites only. Lower it, or add a site.",
            (Change(path=path, value=left, unit="sites"),),
        )
    return Explained(
        f"{s.limit} binds for {s.where}: {s.missing:.2f} requests/s cannot be served anywhere it "
        "may go."
    )


def _carbon(ground: Ground, kg: float) -> Explained:
    path = "planning.carbon_cap_t_per_year"
    cap = _up(_emitted(ground, kg))
    return Explained(
        f"{ground.cloud.where(path)}: the carbon cap binds: at least {cap:g} t a year are emitted. "
        "Raise it, or add cleaner power.",
        (Change(path=path, value=cap, unit="t/year"),),
    )


def _emitted(ground: Ground, kg: float) -> float:
    """Tonnes a year by the curves, of a placement that emits so many kg a day by its line."""
    setting = replace(ground.setting, carbon_cap_kg=kg * _ROOM)
    answer = place(setting, target_gap=1.0, seconds=ground.cloud.planning.max_seconds)
    if answer is None:
        return kg * 365.0 / 1e3
    return carbon_t_per_year(setting, answer, draws_of(ground))


def _nodes(ground: Ground, s: Shortage) -> Explained:
    site, _, pool = s.where.partition("/")
    path = f"sites.{site}.pools.{pool}"
    nodes = next(p.nodes for p in ground.cloud.sites[site].pools if p.key == pool)
    return Explained(
        f"{ground.cloud.where(path)}: pool {s.where} binds: it holds {_count(s.available)} to plan "
        f"on and {s.missing:.0f} more {'is' if s.missing == 1.0 else 'are'} needed. Add nodes, or "
        "lower the demand.",
        (Change(path=f"{path}.nodes", value=nodes + s.missing, unit="nodes"),),
    )


def _count(nodes: float) -> str:
    return "1 node" if nodes == 1.0 else f"{nodes:.0f} nodes"


def _megawatts(ground: Ground, s: Shortage) -> Explained:
    """Each of the limits on a site's power that is below what is needed is to be raised."""
    cloud, site = ground.cloud, s.where
    setting, declared = ground.setting, ground.cloud.sites[s.where]
    needed = s.available + s.missing
    changes: list[Change] = []
    cooled = setting.cooling_kw.get(site, INFINITY) / 1e3
    if cooled < needed:
        value = _up(needed / declared.pue)
        changes.append(Change(path=f"sites.{site}.cooling_mw", value=value, unit="MW"))
    active = cloud.active_mw(site)
    if active is not None and active < needed:
        step = len(declared.power_ladder) - 1
        path = f"sites.{site}.power_ladder.{step}.active_mw"
        changes.append(Change(path=path, value=_up(needed), unit="MW"))
    contracts = setting.contracts[site]
    firm = min(sum(c.kw_at(h) for c in contracts) for h in range(HOURS)) / 1e3
    # The contract that gives most of its capacity in its worst hour needs the least of it.
    worst = [min(c.availability) for c in contracts]
    best = max(range(len(contracts)), key=lambda c: worst[c])
    if firm < needed and worst[best] > 0.0:
        capacity = (declared.power[best].capacity_mw or 0.0) + (needed - firm) / worst[best]
        path = f"sites.{site}.power.{best}.capacity_mw"
        changes.append(Change(path=path, value=_up(capacity), unit="MW"))
    there = f"{s.available:.4g} MW"
    if s.limit == "cooling":
        place, what = f"sites.{site}.cooling_mw", f"its cooling suffices for {there}"
        remedy = "Raise cooling_mw"
    elif active is not None and s.available >= active - 1e-9:
        place, what = f"sites.{site}.power_ladder", f"{there} are active"
        remedy = "Raise active_mw"
    else:
        place, what = f"sites.{site}.power", f"its contracts give {there} in every hour"
        remedy = "Raise capacity_mw" if worst[best] > 0.0 else "Add a contract that always gives"
    return Explained(
        f"{cloud.where(place)}: {s.limit} at {site} binds: {what} and {s.missing:.4g} MW more are "
        f"needed. {remedy}, or lower the demand.",
        tuple(changes),
    )
