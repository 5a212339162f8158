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
    sent = np.zeros((len(layout.port_option), HOURS))
    sent[np.ix_(f.ports, f.hours)] = values[f.sent]
    replicas = np.zeros((len(layout.option_model), HOURS))
    replicas[np.ix_(f.options, f.hours)] = values[f.by_hour()]
    inside = np.zeros(HOURS, dtype=bool)
    inside[f.hours] = True
    return [*unserved(layout, sent, inside), *unkept(layout, replicas, inside)]


def unserved(layout: Layout, sent: Numbers, inside: Truths) -> list[Cut]:
    """Types that what is sent through the ports, shape (p, 24), does not serve."""
    found = []
    for m, types, ports in _models(layout):
        reach, demand = layout.reach[np.ix_(types, ports)], layout.demand[types] * inside
        for short, hours in short_sets(reach, sent[ports], demand):
            found.append(Cut(m, _in_all(layout, types, short), hours))
    return found


def unkept(layout: Layout, replicas: Numbers, inside: Truths) -> list[Cut]:
    """Types that replicas, shape (o, 24), could not serve if a site were lost."""
    if layout.setting.spares is not Spares.SITE:
        return []
    found = []
    could = replicas * layout.rate[:, None]
    for m in range(len(layout.models)):
        of_model = layout.option_model == m
        for lost in np.unique(layout.option_site[of_model]).tolist():
            options = np.flatnonzero(of_model & (layout.option_site != lost))
            types = np.flatnonzero(
                (layout.type_model == m) & layout.option_reach[:, options].any(axis=1)
            )
            if len(types) == 0:
                continue
            reach = layout.option_reach[np.ix_(types, options)]
            for short, hours in short_sets(reach, could[options], layout.demand[types] * inside):
                found.append(Cut(m, _in_all(layout, types, short), hours, lost))
    return found


def _models(layout: Layout) -> list[tuple[int, Places, Places]]:
    """Each model that has both types and ports, with them."""
    of_port = layout.option_model[layout.port_option]
    found = []
    for m in range(len(layout.models)):
        types, ports = np.flatnonzero(layout.type_model == m), np.flatnonzero(of_port == m)
        if len(types) and len(ports):
            found.append((m, types, ports))
    return found


def _in_all(layout: Layout, types: Places, short: Truths) -> Truths:
    found = np.zeros(len(layout.type_model), dtype=bool)
    found[types[short]] = True
    return found
