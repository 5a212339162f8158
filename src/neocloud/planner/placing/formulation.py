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
from numpy.typing import ArrayLike

from neocloud.planner.demand import HOURS
from neocloud.planner.placing.layout import Layout, Numbers, Places, Truths
from neocloud.planner.placing.program import INFINITY, Program, Terms
from neocloud.planner.setting import Spares

DAY = np.arange(HOURS, dtype=np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class Cut:
    """A set of types that must be served: sent to them, or kept for them if a site is lost.

    Attributes:
        model: whose types.
        types: shape (t,).
        hours: where it is asked for, shape (24,).
        lost: the site that is lost; -1 for none.
    """

    model: int
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
        models: whose demand is served.
        drawn: by contract, shape (contracts, hours); empty where power has a price instead.
        clean: 1 where a gate is open, shape (hours,), for each gate.
        rows: places of some rows by what they are about.
        labels: model and span of each row that is a model's own; these rows come first.
        stands: 1 where a model holds replicas at a site, shape (sites, spans), by model.
    """

    layout: Layout
    program: Program
    options: Places
    ports: Places
    hours: Places
    replicas: Places
    used: Places | None
    sent: Places
    models: Places = field(default_factory=lambda: np.zeros(0, np.int64))
    drawn: Places = field(default_factory=lambda: np.zeros((0, 0), np.int64))
    clean: list[Places] = field(default_factory=list)
    rows: dict[str, Places] = field(default_factory=dict)
    labels: list[tuple[Places, Places]] = field(default_factory=list)
    stands: dict[int, Places] = field(default_factory=dict)

    @property
    def spans(self) -> int:
        """Numbers of replicas of an option: hours, or 1."""
        return int(self.replicas.shape[1])

    @property
    def columns(self) -> Places:
        """Where its replicas stand in an array of all hours, or of one that stands for the day."""
        return self.hours if self.layout.setting.hourly else np.zeros(1, np.int64)

    def label(self, models: ArrayLike, spans: ArrayLike, count: int) -> None:
        """Say whose the rows are that come next."""
        self.labels.append(
            (
                np.broadcast_to(np.asarray(models, dtype=np.int64), (count,)),
                np.broadcast_to(np.asarray(spans, dtype=np.int64), (count,)),
            )
        )

    def span_of(self, hours: Places) -> Places:
        """Span of each of the formulation's hours, by its place."""
        return hours if self.layout.setting.hourly else np.zeros_like(hours)

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
    layout: Layout,
    costs: Costs,
    *,
    options: Places | None = None,
    models: Places | None = None,
    hours: Places = DAY,
) -> Formulation:
    """Variables of some options, models and hours (all), and what the models ask for."""
    chosen = np.arange(len(layout.option_model)) if options is None else options
    inside = np.zeros(len(layout.option_model), dtype=bool)
    inside[chosen] = True
    ports = np.flatnonzero(inside[layout.port_option])
    program, spans = Program(), len(hours) if layout.setting.hourly else 1
    column = hours if layout.setting.hourly else np.zeros(1, np.int64)
    replicas = program.variables(
        (len(chosen), spans),
        costs.replica[chosen][:, column],
        layout.most[chosen][:, None],
        integer=True,
    )
    most_sent = layout.most_sent[np.ix_(ports, hours)]
    sent = program.variables((len(ports), len(hours)), costs.sent[ports][:, hours], most_sent)
    spare = layout.setting.spares is Spares.REPLICA
    used = program.variables((len(chosen), spans), 0.0, 1.0, integer=True) if spare else None
    found = Formulation(layout, program, chosen, ports, hours, replicas, used, sent)
    _serve_models(found, np.arange(len(layout.models)) if models is None else models)
    _stand_at_sites(found)
    return found


def limit(f: Formulation) -> None:
    """A replica takes no more than its rate, and a closed gate lets nothing pass.

    These rows come last: those before them are the same for any choice of options.
    """
    layout, program = f.layout, f.program
    place = np.full(len(layout.option_model), -1)
    place[f.options] = np.arange(len(f.options))
    own = place[layout.port_option[f.ports]]
    each = np.arange(len(f.options) * len(f.hours)).reshape(len(f.options), len(f.hours))
    rate = layout.rate[f.options][:, None]
    terms = [Terms(each[own], f.sent), Terms(each, f.by_hour(), -rate)]
    if f.used is not None:
        terms.append(Terms(each, np.broadcast_to(f.used, each.shape), rate))
    f.rows["rate"] = program.rows(each.size, -INFINITY, 0.0, *terms).reshape(each.shape)
    if f.used is not None:
        block = np.arange(f.used.size).reshape(f.used.shape)
        most = layout.most[f.options][:, None]
        f.rows["used"] = program.rows(
            f.used.size, -INFINITY, 0.0, Terms(block, f.replicas), Terms(block, f.used, -most)
        ).reshape(block.shape)
    for place_, clean in enumerate(f.clean):
        ports = np.flatnonzero(layout.port_gate[f.ports] == place_)
        wanted = layout.most_sent[np.ix_(f.ports[ports], f.hours)]
        block = np.arange(wanted.size).reshape(wanted.shape)
        program.rows(
            wanted.size,
            -INFINITY,
            0.0,
            Terms(block, f.sent[ports]),
            Terms(block, clean[None, :], -wanted),
        )


def _serve_models(f: Formulation, models: Places) -> None:
    """All that is asked of a model is sent somewhere: the widest cut, and an equality."""
    layout, hours = f.layout, len(f.hours)
    total = np.zeros((len(layout.models), hours))
    np.add.at(total, layout.type_model, layout.demand[:, f.hours])
    place = np.full(len(layout.models), -1)
    place[models] = np.arange(len(models))
    block = np.arange(len(models) * hours).reshape(len(models), hours)
    of_port = place[layout.option_model[layout.port_option[f.ports]]]
    low = total[models].ravel()
    f.models = models
    spans = f.span_of(np.arange(hours))
    f.label(np.repeat(models, hours), np.tile(spans, len(models)), block.size)
    f.rows["demand"] = f.program.rows(block.size, low, low, Terms(block[of_port], f.sent)).reshape(
        block.shape
    )


def _stand_at_sites(f: Formulation) -> None:
    """Models that must stand at several sites, in every hour."""
    layout, program = f.layout, f.program
    least = layout.setting.min_sites
    for m in f.models.tolist():
        model = layout.models[m]
        if least.get(model, 0) <= 1:
            continue
        of_model = np.flatnonzero(layout.option_model == m)
        sites = np.unique(layout.option_site[of_model])
        stands = program.variables((len(sites), f.spans), 0.0, 1.0, integer=True)
        here = np.flatnonzero(layout.option_model[f.options] == m)
        row = np.searchsorted(sites, layout.option_site[f.options[here]])
        f.stands[m] = stands
        block = np.arange(stands.size).reshape(stands.shape)
        f.label(m, np.tile(np.arange(f.spans), len(sites)), stands.size)
        f.label(m, np.arange(f.spans), f.spans)
        program.rows(
            stands.size,
            0.0,
            INFINITY,
            Terms(block[row], f.replicas[here]),
            Terms(block, stands, -1.0),
        )
        program.rows(
            f.spans, float(least[model]), INFINITY, Terms(np.arange(f.spans)[None, :], stands)
        )


def cut(f: Formulation, cuts: Iterable[Cut]) -> None:
    """Add cuts, in those of their hours and models that the formulation has."""
    for one in cuts:
        if one.model not in f.models:
            continue
        if one.lost < 0:
            where = np.flatnonzero(one.hours[f.hours])
            ports = np.flatnonzero(_any(f.layout.reach[one.types])[f.ports])
            terms = Terms(np.arange(len(where)), f.sent[np.ix_(ports, where)])
            low = f.layout.demand[one.types][:, f.hours[where]].sum(axis=0)
            f.label(one.model, f.span_of(where), len(where))
        else:
            where, terms, low = _kept(f, one)
            f.label(one.model, where, len(where))
        f.program.rows(len(where), low, INFINITY, terms)


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


def fix(f: Formulation, replicas: Numbers) -> None:
    """Let the replicas be what is given and no other."""
    program = f.program
    for places, values in ((f.replicas, replicas), (f.used, np.minimum(replicas, 1.0))):
        if places is not None:
            program.bound(places, values, values)
