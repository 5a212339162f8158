"""Tenants who allow no dirty energy, in large placements.

Whether a site may serve them in an hour hangs on what else it draws in that hour: a yes or no for
every site and hour, which a large program does not get through. Two placements without it hold the
answer between them. With every gate open nothing is dearer, so that gives the bound. With those
gates open behind which all energy of the hour is within the limit, whatever of it is drawn, the
limits hold, and that gives the answer.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from neocloud.planner.demand import HOURS
from neocloud.planner.placing.layout import Layout


def open_wide(layout: Layout) -> Layout:
    """The same with every gate open."""
    return replace(layout, gates=(), port_gate=np.full_like(layout.port_gate, -1))


def strict(layout: Layout) -> Layout:
    """The same with gates open in hours in which no contract emits more than they allow."""
    setting = layout.setting
    is_open = np.ones((len(layout.gates) + 1, HOURS), dtype=bool)  # the last for ports without
    for place, gate in enumerate(layout.gates):
        for contract in setting.contracts[layout.sites[gate.site]]:
            if contract.carbon_kg_per_kwh > gate.limit:
                is_open[place] &= np.array([contract.kw_at(h) <= 0.0 for h in range(HOURS)])
    sent = np.where(is_open[layout.port_gate], layout.most_sent, 0.0)
    return replace(open_wide(layout), most_sent=sent, shut=not is_open.all())
