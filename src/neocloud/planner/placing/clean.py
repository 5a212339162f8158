"""Tenants who allow no dirty energy, in large placements.

Whether a site may serve them in an hour hangs on what else it draws in that hour: a yes or no for
every site and hour, which a large program does not get through. Two placements without it hold the
answer between them. Without the limits nothing is dearer, so that gives the bound. Where such
tenants are sent only to sites all of whose energy in the hour is within the limit, whatever of it
is drawn, the limits hold, and that gives the answer.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from neocloud.planner.demand import HOURS, DemandClass
from neocloud.planner.setting import Placed, Setting


def has_limits(setting: Setting) -> bool:
    """True if a class limits what the energy of its sites may emit."""
    return any(c.carbon_limit_kg_per_kwh is not None for c in setting.classes)


def without_limits(setting: Setting) -> Setting:
    """The same with no such limit."""
    free = tuple(replace(c, carbon_limit_kg_per_kwh=None) for c in setting.classes)
    return replace(setting, classes=free)


@dataclass(frozen=True, slots=True)
class Strict:
    """The setting with classes cut by the hours in which they find the same sites clean.

    Attributes:
        setting: without limits; some classes ask in some hours only.
        owner: of each class, the place of the class of the setting that it was cut from.
    """

    setting: Setting
    owner: tuple[int, ...]


def strict(setting: Setting) -> Strict | None:
    """Only sites whose energy is clean whatever they draw; None where a class finds none."""
    classes: list[DemandClass] = []
    owner: list[int] = []
    for k, demand in enumerate(setting.classes):
        if demand.carbon_limit_kg_per_kwh is None:
            classes.append(demand)
            owner.append(k)
            continue
        for sites, hours in _by_sites(setting, demand, demand.carbon_limit_kg_per_kwh).items():
            by_hour = np.where(hours, demand.by_hour, 0.0)
            if not by_hour.any():
                continue
            if not sites:
                return None
            part = replace(demand, sites=sites, by_hour=by_hour, carbon_limit_kg_per_kwh=None)
            classes.append(part)
            owner.append(k)
    return Strict(replace(setting, classes=tuple(classes)), tuple(owner))


def _by_sites(
    setting: Setting, demand: DemandClass, limit: float
) -> dict[tuple[str, ...], NDArray[np.bool_]]:
    """Hours by the sites that are clean in them."""
    found: dict[tuple[str, ...], NDArray[np.bool_]] = {}
    for hour in range(HOURS):
        clean = tuple(
            site
            for site in demand.sites
            if setting.contracts[site]
            and all(
                c.carbon_kg_per_kwh <= limit for c in setting.contracts[site] if c.kw_at(hour) > 0.0
            )
        )
        found.setdefault(clean, np.zeros(HOURS, dtype=bool))[hour] = True
    return found


def joined(cut: Strict, placed: Placed, bound: float) -> Placed:
    """The answer for the classes as they were, with the bound that was proven without limits."""
    flows: dict[tuple[int, int], NDArray[np.float64]] = {}
    for (option, part), hourly in placed.flows.items():
        key = (option, cut.owner[part])
        flows[key] = flows[key] + hourly if key in flows else hourly
    return replace(placed, flows=flows, bound=min(bound, placed.cost))
