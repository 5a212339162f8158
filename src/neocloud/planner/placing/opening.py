"""Which options to begin with: those that pay in a few hours, with power at a plain price."""

from __future__ import annotations

import numpy as np

from neocloud.planner.demand import HOURS
from neocloud.planner.placing.cuts import broken
from neocloud.planner.placing.formulation import Costs, Cut, cut, limit, plain_costs, serve
from neocloud.planner.placing.layout import Layout, Numbers, Places
from neocloud.planner.placing.limits import hold
from neocloud.planner.placing.program import Watch, relax

_FEW = 240
"""So many options need no choice."""
_ROUNDS = 3
_PER_USED = 2
"""Options kept beyond those used, for each of them."""


def opening(layout: Layout, watch: Watch) -> Places:
    """Options that are likely to be used; all where they are few."""
    count = len(layout.option_model)
    useful = np.flatnonzero(layout.most > 0.0)
    if count <= _FEW:
        return np.arange(count)
    hours = _hours(layout)
    costs, cuts = _costs(layout, len(hours)), list[Cut]()
    rounds = 0
    while True:
        f = serve(layout, costs, options=useful, hours=hours)
        cut(f, cuts)
        hold(f)
        limit(f)
        answer = relax(f.program, watch)
        if answer is None:
            return np.arange(count)  # the whole program says what there is to say
        more = broken(f, answer.values)
        rounds += 1
        if not more or rounds == _ROUNDS:
            break
        cuts += more
    used = answer.values[f.replicas].max(axis=1) > 1e-9
    worth = np.where(used, -1.0, answer.reduced[f.replicas].min(axis=1))
    keep = int(used.sum()) * (1 + _PER_USED)
    return np.sort(useful[np.argsort(worth, kind="stable")[:keep]])


def _hours(layout: Layout) -> Places:
    """Where models, and types that few options reach, want most, and every sixth."""
    peaks = []
    for m in range(len(layout.models)):
        mine = layout.demand[layout.type_model == m]
        if len(mine):
            peaks.append(int(mine.sum(axis=0).argmax()))
    return np.unique([*peaks, *range(0, HOURS, 6)])


def _costs(layout: Layout, hours: int) -> Costs:
    """Plain costs, with energy at the mean of a site's contracts, each for its share of hours."""
    price = np.zeros(len(layout.sites))
    for s, site in enumerate(layout.sites):
        contracts = layout.setting.contracts[site]
        if contracts:
            each = [c.price + layout.setting.carbon_price * c.carbon_kg_per_kwh for c in contracts]
            price[s] = float(np.mean(each))
    plain, at = plain_costs(layout), price[layout.option_site]
    of_port = at[layout.port_option]
    weight = HOURS / hours
    spans: Numbers = layout.idle_kw * at * (HOURS / plain.replica.shape[1])
    replica = plain.replica + spans[:, None]
    if layout.setting.hourly:
        replica = replica * weight
    slope = layout.slope_kw[layout.port_option] * of_port
    return Costs(replica, (plain.sent + slope[:, None]) * weight)
