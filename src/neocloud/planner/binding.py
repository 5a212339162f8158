"""Which limits a placement has used up."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from neocloud.planner.demand import HOURS
from neocloud.planner.records import Binding
from neocloud.planner.setting import INFINITY, Group, Placed, Setting

_USED_UP = 0.99
"""Share of the carbon cap above which it counts as used up: whole replicas leave some room."""


def binding(setting: Setting, placed: Placed, emitted_t: float) -> tuple[Binding, ...]:
    """Limits with less room than the smallest replica that might stand there.

    Args:
        setting: what was placed.
        placed: the answer.
        emitted_t: emissions of a year, tonnes.
    """
    found = [
        *(_pool(setting, placed, site, pool) for site, pool in setting.accelerators),
        *(_group(setting, placed, group) for group in setting.groups),
        *(_power(setting, placed, site) for site in setting.contracts),
        _carbon(setting, emitted_t),
    ]
    return tuple(b for b in found if b is not None)


def _pool(setting: Setting, placed: Placed, site: str, pool: str) -> Binding | None:
    there = setting.accelerators[site, pool]
    here = [
        (o, option.holds[pool])
        for o, option in enumerate(setting.options)
        if option.site == site and pool in option.holds
    ]
    if not here:
        return None
    used = _busiest(placed, here)
    if there - used >= min(held for _, held in here):
        return None
    return Binding(
        limit="accelerators",
        where=f"{site}/{pool}",
        used=used,
        available=float(there),
        unit="accelerators",
    )


def _group(setting: Setting, placed: Placed, group: Group) -> Binding | None:
    inside = [
        (o, held)
        for o, option in enumerate(setting.options)
        if (held := sum(n for p, n in option.holds.items() if (option.site, p) in group.pools))
    ]
    if not inside:
        return None
    used = _busiest(placed, inside)
    if group.accelerators - used >= min(held for _, held in inside):
        return None
    return Binding(
        limit="rented",
        where=group.name,
        used=used,
        available=float(group.accelerators),
        unit="accelerators",
    )


def _busiest(placed: Placed, each: Sequence[tuple[int, float]]) -> float:
    """What replicas of some options take in the hour that takes most, by what one takes."""
    return float(np.max(sum((placed.replicas[o] * taken for o, taken in each), np.zeros(HOURS))))


def _power(setting: Setting, placed: Placed, site: str) -> Binding | None:
    firm_kw = setting.firm_kw(site)
    draw = [(o, opt.full_kw) for o, opt in enumerate(setting.options) if opt.site == site]
    if firm_kw == INFINITY or not draw:
        return None
    used = _busiest(placed, draw)
    if firm_kw - used >= min(kw for _, kw in draw):
        return None
    cooled = setting.cooling_kw.get(site, INFINITY) <= firm_kw
    return Binding(
        limit="cooling" if cooled else "power",
        where=site,
        used=used / 1e3,
        available=firm_kw / 1e3,
        unit="MW",
    )


def _carbon(setting: Setting, emitted_t: float) -> Binding | None:
    cap = setting.carbon_cap_kg
    if cap is None:
        return None
    available = cap * 365.0 / 1e3
    if emitted_t < _USED_UP * available:
        return None
    return Binding(
        limit="carbon", where="all sites", used=emitted_t, available=available, unit="t/year"
    )
