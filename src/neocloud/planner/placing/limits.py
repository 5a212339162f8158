"""What holds the replicas and feeds them: pools, groups, firm power; contracts and their energy.

These rows join the models; without them each could be placed alone.
"""

from __future__ import annotations

import numpy as np

from neocloud.planner.placing.formulation import Formulation
from neocloud.planner.placing.layout import Layout, Numbers, Places
from neocloud.planner.placing.program import INFINITY, Terms
from neocloud.planner.setting import Contract


def shared(layout: Layout) -> tuple[Numbers, Numbers]:
    """What replicas share: what one takes, shape (shared, o), and what is there, (shared,).

    Accelerators of pools, of groups of pools, firm power of sites.
    """
    setting = layout.setting
    inside = np.array(
        [[pool in group.pools for pool in layout.pools] for group in setting.groups], dtype=float
    ).reshape(len(setting.groups), len(layout.pools))
    at_site = np.arange(len(layout.sites))[:, None] == layout.option_site
    taken = np.concatenate([layout.holds, inside @ layout.holds, at_site * layout.full_kw])
    there = np.concatenate(
        [
            np.array([float(setting.accelerators[pool]) for pool in layout.pools]),
            np.array([float(group.accelerators) for group in setting.groups]),
            layout.firm_kw(),
        ]
    )
    return taken, there


def hold(f: Formulation, others: Numbers | None = None) -> None:
    """What is shared holds the replicas, in every hour.

    Beside others, shape (o, hours or 1), where there are any.
    """
    taken, there = shared(f.layout)
    part = taken[:, f.options]
    row, option = np.nonzero(part)
    block = np.arange(len(there) * f.spans).reshape(len(there), f.spans)
    room = np.repeat(there[:, None], f.spans, axis=1)
    if others is not None:
        room = np.maximum(0.0, room - taken @ others[:, f.columns])
    f.program.rows(
        block.size,
        -INFINITY,
        room.ravel(),
        Terms(block[row], f.replicas[option], part[row, option][:, None]),
    )


def feed(f: Formulation) -> None:
    """Contracts, what they cost, what they emit, and the gates that need clean energy."""
    layout, program, hours = f.layout, f.program, len(f.hours)
    setting = layout.setting
    contracts = [(s, c) for s, key in enumerate(layout.sites) for c in setting.contracts[key]]
    count, most = len(contracts), layout.most_kw()
    f.drawn = program.variables(
        (count, hours),
        np.array([_kwh_cost(setting.carbon_price, c) for _, c in contracts]).reshape(count, 1),
        np.array([[min(c.kw_at(int(h)), most[s]) for h in f.hours] for s, c in contracts]).reshape(
            count, hours
        ),
    )
    block = np.arange(len(layout.sites) * hours).reshape(len(layout.sites), hours)
    fed = np.array([bool(setting.contracts[key]) for key in layout.sites])
    site = layout.option_site[f.options]
    o, p = np.flatnonzero(fed[site]), np.flatnonzero(fed[layout.option_site[_own(f)]])
    own = _own(f)[p]
    owner = np.array([s for s, _ in contracts], dtype=np.int64)
    f.rows["power"] = program.rows(
        block.size,
        0.0,
        0.0,
        Terms(block[owner], f.drawn),
        Terms(block[site[o]], f.by_hour()[o], -layout.idle_kw[f.options[o]][:, None]),
        Terms(block[layout.option_site[own]], f.sent[p], -layout.slope_kw[own][:, None]),
    ).reshape(block.shape)
    for place, (s, contract) in enumerate(contracts):
        kw = np.array([min(contract.kw_at(int(h)), most[s]) for h in f.hours])
        _bill(f, contract, f.drawn[place], kw)
    if setting.carbon_cap_kg is not None:
        emitted = np.array([c.carbon_kg_per_kwh for _, c in contracts]).reshape(count, 1)
        row = Terms(np.zeros((1, 1), np.int64), f.drawn, emitted)
        f.rows["carbon"] = program.rows(1, -INFINITY, setting.carbon_cap_kg, row)
    for place, _ in enumerate(layout.gates):
        _gate(f, place, contracts, float(most[layout.gates[place].site]))


def _own(f: Formulation) -> Places:
    """Option of each port, by its place in the layout."""
    return f.layout.port_option[f.ports]


def _kwh_cost(carbon_price: float, contract: Contract) -> float:
    """Cost of a kWh drawn; where a least amount is paid, the price goes with the bill instead."""
    price = 0.0 if contract.least_kwh > 0 else contract.price
    return price + carbon_price * contract.carbon_kg_per_kwh


def _bill(f: Formulation, contract: Contract, drawn: Places, most_kw: Numbers) -> None:
    """What is paid for at least, and the highest draw."""
    program, hours = f.program, len(drawn)
    if contract.least_kwh > 0:
        least = contract.least_kwh
        most = max(least, float(most_kw.sum()))
        paid = program.variables((1,), contract.price, most, lower=least)
        program.rows(1, 0.0, INFINITY, Terms(0, paid), Terms(np.zeros(hours, int), drawn, -1.0))
    if contract.peak_price > 0:
        peak = program.variables((1,), contract.peak_price, float(most_kw.max()))
        each = np.arange(hours)
        program.rows(hours, 0.0, INFINITY, Terms(each, peak), Terms(each, drawn, -1.0))


def _gate(
    f: Formulation, place: int, contracts: list[tuple[int, Contract]], most_kw: float
) -> None:
    """In an hour the gate is open only if what the site draws emits no more than its limit."""
    program, gate = f.program, f.layout.gates[place]
    each = np.arange(len(f.hours))
    clean = program.variables((len(f.hours),), 0.0, 1.0, integer=True)
    here = [i for i, (site, _) in enumerate(contracts) if site == gate.site]
    over = np.array([contracts[i][1].carbon_kg_per_kwh - gate.limit for i in here])
    worst = most_kw * max(0.0, float(over.max()))
    program.rows(
        len(each),
        -INFINITY,
        worst,
        Terms(each[None, :], f.drawn[here], over[:, None]),
        Terms(each, clean, worst),
    )
    f.clean.append(clean)
