"""Placement as variables and rows.

Variables, for options o, their ports p, hours h, contracts c: replicas n[o,h] (whole numbers; one
for all hours unless they may change), requests/s g[p,h] sent through a port, kW y[c,h] drawn.
Rows: all demand of a model is sent somewhere; a replica takes no more than its rate; pools, groups
and firm power hold the replicas; each site draws what its replicas use. That everybody is served
within reach is held by cuts, which come as they are broken (serving.py).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from neocloud.planner.demand import HOURS
from neocloud.planner.placing.layout import Layout, Numbers, Places, Truths
from neocloud.planner.placing.program import INFINITY, Program, Terms
from neocloud.planner.setting import Contract, Spares

DAY = np.arange(HOURS, dtype=np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class Cut:
    """A set of types that must be served: sent to them, or kept for them if a site is lost.

    Attributes:
        types: shape (t,).
        hours: where it is asked for, shape (24,).
        lost: the site that is lost; -1 for none.
    """

    types: Truths
    hours: Truths
    lost: int = -1


@dataclass(frozen=True, slots=True, eq=False)
class Costs:
    """Cost of the day for a replica, shape (o, hours or 1), and for a request/s, (p, 24)."""

    replica: Numbers
    sent: Numbers


@dataclass(slots=True, eq=False)
class Formulation:
    """A program with the places of its variables and of the rows whose prices matter.

    Attributes:
        layout: what it stands for.
        program: the program.
        options: options in it, places in the layout; likewise ports and hours.
        replicas: shape (options, hours), or (options, 1) where they stand all day.
        used: 1 where an option holds replicas, where spares need to know; the same shape.
        sent: shape (ports, hours).
        drawn: by contract, shape (contracts, hours); empty where power has a price instead.
        rows: places of rows by what they are about.
        cuts: cuts in it with their rows, a place for each hour that has one, else -1.
    """

    layout: Layout
    program: Program
    options: Places
    ports: Places
    hours: Places
    replicas: Places
    used: Places | None
    sent: Places
    drawn: Places = field(default_factory=lambda: np.zeros((0, 0), np.int64))
    rows: dict[str, Places] = field(default_factory=dict)
    cuts: list[tuple[Cut, Places]] = field(default_factory=list)

    @property
    def spans(self) -> int:
        """Numbers of replicas of an option: hours, or 1."""
        return int(self.replicas.shape[1])

    def by_hour(self) -> Places:
        """Replicas by option and hour, whether or not they may change."""
        return np.broadcast_to(self.replicas, (len(self.options), len(self.hours)))


def plain_costs(layout: Layout) -> Costs:
    """What replicas and requests cost, power aside."""
    spans = HOURS if layout.setting.hourly else 1
    replica = np.repeat(layout.hour_cost[:, None] * (HOURS / spans), spans, axis=1)
    sent = np.repeat(layout.flow_cost[layout.port_option][:, None], HOURS, axis=1)
    return Costs(replica, sent)


def serve(
    layout: Layout, costs: Costs, *, options: Places | None = None, hours: Places = DAY
) -> Formulation:
    """Variables, and the rows of demand, rate, spare replicas and least sites."""
    chosen = np.arange(len(layout.option_model)) if options is None else options
    place = np.full(len(layout.option_model), -1)
    place[chosen] = np.arange(len(chosen))
    ports = np.flatnonzero(place[layout.port_option] >= 0)
    own = place[layout.port_option[ports]]
    program, spans = Program(), len(hours) if layout.setting.hourly else 1
    column = hours if layout.setting.hourly else np.zeros(1, np.int64)
    replicas = program.variables(
        (len(chosen), spans),
        costs.replica[chosen][:, column],
        layout.most[chosen][:, None],
        integer=True,
    )
    wanted = layout.reach[:, ports].T.astype(np.float64) @ layout.demand[:, hours]
    sent = program.variables((len(ports), len(hours)), costs.sent[ports][:, hours], wanted)
    spare = layout.setting.spares is Spares.REPLICA
    used = program.variables((len(chosen), spans), 0.0, 1.0, integer=True) if spare else None
    found = Formulation(layout, program, chosen, ports, hours, replicas, used, sent)
    each = np.arange(len(chosen) * len(hours)).reshape(len(chosen), len(hours))
    rate = layout.rate[chosen][:, None]
    terms = [Terms(each[own], sent), Terms(each, found.by_hour(), -rate)]
    if used is not None:
        terms.append(Terms(each, np.broadcast_to(used, each.shape), rate))
        block = np.arange(used.size).reshape(used.shape)
        most = layout.most[chosen][:, None]
        program.rows(used.size, -INFINITY, 0.0, Terms(block, replicas), Terms(block, used, -most))
    found.rows["rate"] = program.rows(each.size, -INFINITY, 0.0, *terms)
    _serve_models(found)
    _stand_at_sites(found)
    return found


def _serve_models(f: Formulation) -> None:
    """All that is asked of a model is sent somewhere: the widest cut, and an equality."""
    layout, hours = f.layout, len(f.hours)
    total = np.zeros((len(layout.models), hours))
    np.add.at(total, layout.type_model, layout.demand[:, f.hours])
    block = np.arange(total.size).reshape(total.shape)
    model = layout.option_model[layout.port_option[f.ports]]
    f.rows["demand"] = f.program.rows(
        total.size, total.ravel(), total.ravel(), Terms(block[model], f.sent)
    ).reshape(total.shape)


def _stand_at_sites(f: Formulation) -> None:
    """Models that must stand at several sites, in every hour."""
    layout, program = f.layout, f.program
    least = layout.setting.min_sites
    for m, model in enumerate(layout.models):
        if least.get(model, 0) <= 1:
            continue
        of_model = np.flatnonzero(layout.option_model == m)
        sites = np.unique(layout.option_site[of_model])
        stands = program.variables((len(sites), f.spans), 0.0, 1.0, integer=True)
        here = np.flatnonzero(layout.option_model[f.options] == m)
        row = np.searchsorted(sites, layout.option_site[f.options[here]])
        block = np.arange(stands.size).reshape(stands.shape)
        f.rows[f"site of {model}"] = program.rows(
            stands.size,
            0.0,
            INFINITY,
            Terms(block[row], f.replicas[here]),
            Terms(block, stands, -1.0),
        ).reshape(stands.shape)
        program.rows(
            f.spans, float(least[model]), INFINITY, Terms(np.arange(f.spans)[None, :], stands)
        )


def cut(f: Formulation, cuts: Iterable[Cut]) -> None:
    """Add cuts, in those of their hours that the formulation has."""
    for one in cuts:
        if one.lost < 0:
            where = np.flatnonzero(one.hours[f.hours])
            ports = np.flatnonzero(_any(f.layout.reach[one.types])[f.ports])
            terms = Terms(np.arange(len(where)), f.sent[np.ix_(ports, where)])
            low = f.layout.demand[one.types][:, f.hours[where]].sum(axis=0)
            places = np.full(len(f.hours), -1)
        else:
            where, terms, low = _kept(f, one)
            places = np.full(f.spans, -1)
        places[where] = f.program.rows(len(where), low, INFINITY, terms)
        f.cuts.append((one, places))


def _any(reach: Truths) -> Truths:
    return np.asarray(reach.any(axis=0), dtype=bool)


def _kept(f: Formulation, one: Cut) -> tuple[Places, Terms, Numbers]:
    """Columns, terms and low ends of a cut that keeps replicas at other sites."""
    layout = f.layout
    reached = _any(layout.option_reach[one.types]) & (layout.option_site != one.lost)
    here = np.flatnonzero(reached[f.options])
    wanted = layout.demand[one.types].sum(axis=0)
    if layout.setting.hourly:
        where = np.flatnonzero(one.hours[f.hours])
        low = wanted[f.hours[where]]
    else:
        where, low = np.zeros(1, np.int64), wanted.max(keepdims=True)
    rate = layout.rate[f.options[here]][:, None]
    return where, Terms(np.arange(len(where)), f.replicas[np.ix_(here, where)], rate), low


def hold(f: Formulation) -> None:
    """Pools, groups of pools, and firm power hold the replicas, in every hour."""
    layout, program, spans = f.layout, f.program, f.spans
    setting = layout.setting
    room = np.array(list(setting.accelerators.values()), dtype=np.float64)
    inside = np.array(
        [[pool in group.pools for pool in layout.pools] for group in setting.groups], dtype=float
    ).reshape(len(setting.groups), len(layout.pools))
    at_site = np.arange(len(layout.sites))[:, None] == layout.option_site
    blocks = {
        "pools": (layout.holds, room),
        "groups": (
            inside @ layout.holds,
            np.array([float(group.accelerators) for group in setting.groups]),
        ),
        "firm": (at_site * layout.full_kw, layout.firm_kw()),
    }
    for name, (taken, there) in blocks.items():
        part = taken[:, f.options]
        row, option = np.nonzero(part)
        block = np.arange(len(there) * spans).reshape(len(there), spans)
        f.rows[name] = program.rows(
            block.size,
            -INFINITY,
            np.repeat(there, spans),
            Terms(block[row], f.replicas[option], part[row, option][:, None]),
        ).reshape(block.shape)


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
    for place, (_, contract) in enumerate(contracts):
        _bill(f, contract, f.drawn[place])
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


def _bill(f: Formulation, contract: Contract, drawn: Places) -> None:
    """What is paid for at least, and the highest draw."""
    program, hours = f.program, len(drawn)
    if contract.least_kwh > 0:
        paid = program.variables((1,), contract.price, lower=contract.least_kwh)
        program.rows(1, 0.0, INFINITY, Terms(0, paid), Terms(np.zeros(hours, int), drawn, -1.0))
    if contract.peak_price > 0:
        peak = program.variables((1,), contract.peak_price)
        each = np.arange(hours)
        program.rows(hours, 0.0, INFINITY, Terms(each, peak), Terms(each, drawn, -1.0))


def _gate(
    f: Formulation, place: int, contracts: list[tuple[int, Contract]], most_kw: float
) -> None:
    """In an hour the gate is open only if what the site draws emits no more than its limit."""
    layout, program, gate = f.layout, f.program, f.layout.gates[place]
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
    ports = np.flatnonzero(layout.port_gate[f.ports] == place)
    wanted = layout.reach[:, f.ports[ports]].T.astype(np.float64) @ layout.demand[:, f.hours]
    block = np.arange(wanted.size).reshape(wanted.shape)
    program.rows(
        wanted.size,
        -INFINITY,
        0.0,
        Terms(block, f.sent[ports]),
        Terms(block, clean[None, :], -wanted),
    )
