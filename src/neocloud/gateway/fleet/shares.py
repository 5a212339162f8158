"""Where the plan sends each metro's requests, by UTC hour of the day."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from neocloud.routing import Shares

if TYPE_CHECKING:  # the planner loads numpy, and nothing of it is called here
    from neocloud.planner import Plan

HourShares = Mapping[tuple[str, str], Shares]
"""Shares of sites and pools by user metro and model, for one hour."""


def shares_at(plan: Plan | None, hour: int) -> HourShares:
    """The plan's flows at an hour of the day (UTC) as shares; empty without a plan.

    Tenants of a metro are taken together: a tenant's `allowed_sites` holds whatever the shares.
    """
    if plan is None:
        return {}
    weights: dict[tuple[str, str], dict[str, float]] = {}
    for flow in plan.flows:
        rates = flow.requests_per_s_by_hour
        place = f"{flow.site}/{flow.pool}"
        found = weights.setdefault((flow.user_metro, flow.model), {})
        found[place] = found.get(place, 0.0) + rates[hour % len(rates)]
    return {
        key: shares for key, found in weights.items() if (shares := Shares.of(found)) is not None
    }
