"""Cuts that values break: sets of types that get too little, now or with a site lost."""

from __future__ import annotations

import numpy as np

from neocloud.planner.demand import HOURS
from neocloud.planner.placing.formulation import Cut, Formulation
from neocloud.planner.placing.layout import Layout, Numbers, Places, Truths
from neocloud.planner.placing.serving import short_sets
from neocloud.planner.setting import Spares


def broken(f: Formulation, values: Numbers) -> list[Cut]:
    """All that values of the formulation's variables break."""
    layout = f.layout
    sent = np.zeros((len(layout.port_option), len(f.hours)))
    sent[f.ports] = values[f.sent]
    found = []
    for m in f.models.tolist():
        ports = np.flatnonzero(layout.option_model[layout.port_option] == m)
        types = np.flatnonzero(layout.type_model == m)
        found += _short(layout, m, types, layout.reach[:, ports], sent[ports], f.hours, -1)
    if layout.setting.spares is Spares.SITE:
        replicas = np.zeros((len(layout.option_model), len(f.hours)))
        replicas[f.options] = values[f.by_hour()]
        for m in f.models.tolist():
            found += _unkept(layout, m, replicas, f.hours)
    return found


def _unkept(layout: Layout, model: int, replicas: Numbers, hours: Places) -> list[Cut]:
    """Types that replicas, shape (o, hours), could not serve if a site were lost."""
    found = []
    could = replicas * layout.rate[:, None]
    of_model = layout.option_model == model
    for lost in np.unique(layout.option_site[of_model]).tolist():
        options = np.flatnonzero(of_model & (layout.option_site != lost))
        reach = layout.option_reach[:, options]
        # Who can be served nowhere else is not asked for.
        types = np.flatnonzero((layout.type_model == model) & reach.any(axis=1))
        found += _short(layout, model, types, reach, could[options], hours, lost)
    return found


def uncovered(layout: Layout, replicas: Numbers, models: Places) -> list[Cut]:
    """Types of some models that replicas, shape (o, 1), are too few for in some hour."""
    spare = layout.setting.spares is Spares.REPLICA
    could = np.maximum(replicas - spare, 0.0) * layout.rate[:, None]
    could, hours = np.repeat(could, HOURS, axis=1), np.arange(HOURS)
    found = []
    for m in models.tolist():
        types = np.flatnonzero(layout.type_model == m)
        options = np.flatnonzero(layout.option_model == m)
        reach = layout.option_reach[:, options]
        found += _short(layout, m, types, reach, could[options], hours, -1)
    return found


def _short(
    layout: Layout,
    model: int,
    types: Places,
    reach: Truths,
    supply: Numbers,
    hours: Places,
    lost: int,
) -> list[Cut]:
    """Cuts of some types that a supply in some hours does not serve."""
    if len(types) == 0 or reach.shape[1] == 0:
        return []
    found = []
    for short, when in short_sets(reach[types], supply, layout.demand[np.ix_(types, hours)]):
        inside = np.zeros(len(layout.type_model), dtype=bool)
        inside[types[short]] = True
        broken_in = np.zeros(HOURS, dtype=bool)
        broken_in[hours[when]] = True
        found.append(Cut(model, inside, broken_in, lost))
    return found
