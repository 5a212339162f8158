"""The placement with replicas in parts: its prices, and what they prove.

The linear program is solved over some of the options; its prices tell which of the others would
pay, and these are added until none would (column generation). Sets of types that are not served
become cuts on the way.

Any prices prove something. Let rows that several models share (pools, power, contracts) have prices
instead. What then remains falls apart into models, and into hours where replicas may change:

    least cost >= constant(prices) + sum over the parts of the least cost of the part at the prices

With parts solved as linear programs that is the bound of the relaxation, with parts solved in whole
numbers it is a better one (Geoffrion 1974).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neocloud.planner.demand import HOURS
from neocloud.planner.placing.covering import covers, rounded
from neocloud.planner.placing.cuts import broken
from neocloud.planner.placing.formulation import (
    Costs,
    Formulation,
    limit,
    plain_costs,
    serve,
)
from neocloud.planner.placing.known import Known
from neocloud.planner.placing.layout import Layout, Numbers, Places
from neocloud.planner.placing.limits import feed, hold
from neocloud.planner.placing.program import Relaxed, Watch, relax

_ADDED = 120
"""Options added at once."""
_CLOSE = 1e-5
"""Relative: how near the proven bound must come to the objective of the linear program."""


_GAIN = 1e-4
"""Relative: what a round must raise the objective by for another one."""


@dataclass(frozen=True, slots=True, eq=False)
class Relaxation:
    """Prices and what they prove.

    Attributes:
        bound: no placement costs less.
        constant: what power and contracts are worth in it.
        room: what pools, groups and firm power are worth in it, shape (spans,), 0 or less.
        rent: prices of what is shared, 0 or more, shape (shared, spans).
        parts: the bound's part of each model, shape (models, spans).
        reduced: what any replicas of an option add to the bound at least, shape (o, spans).
        replicas: in parts, shape (o, spans).
        options: those that were looked at closely.
        priced: costs with the prices of all shared rows in them.
        fed: costs with the prices of power in them.
    """

    bound: float
    constant: float
    room: Numbers
    rent: Numbers
    parts: Numbers
    reduced: Numbers
    replicas: Numbers
    options: Places
    priced: Costs
    fed: Costs


def whole_program(
    layout: Layout, known: Known, options: Places | None = None
) -> tuple[Formulation, int]:
    """All of the placement as one program, and how many rows any choice of options shares."""
    f = serve(layout, plain_costs(layout), options=options)
    f.rows["rounded"] = known.add_to(f)
    hold(f)
    feed(f)
    common = f.program.row_count
    limit(f)
    return f, common


def relaxed(layout: Layout, known: Known, watch: Watch, options: Places) -> Relaxation | None:
    """Solve in parts of replicas, beginning with some options; adds to what is known.

    Where the time runs out, what is proven by then.

    None if even in parts the demand cannot be served.
    """
    count, models = len(layout.option_model), np.arange(len(layout.models))
    last, found = -np.inf, None
    while True:
        f, common = whole_program(layout, known, options)
        answer = relax(f.program, watch)
        if answer is None:
            if len(options) == count:
                return None
            # Perhaps only these options are too few.
            options = _more_options(options, found, count)
            continue
        more = broken(f, answer.values)
        found = proven(layout, known, answer.prices[:common], f, answer)
        wanted = np.minimum(found.reduced, 0.0).sum(axis=1)
        wanted[options] = 0.0
        worth = found.bound >= answer.objective - _CLOSE * abs(answer.objective)
        gained = answer.objective - last > _GAIN * abs(answer.objective)
        if watch.left <= 0.0 or ((worth or not wanted.any()) and not gained):
            return found
        last = answer.objective
        if not worth:
            added = np.argsort(wanted, kind="stable")[:_ADDED]
            options = np.union1d(options, added[wanted[added] < 0.0])
        known.cuts += more
        priced = zip(known.rounded, answer.prices[f.rows["rounded"]], strict=True)
        known.rounded = [one for one, price in priced if price > 0.0]
        working = np.zeros_like(found.replicas)
        working[f.options] = answer.values[f.replicas]
        if f.used is not None:
            working[f.options] -= answer.values[f.used]
        known.rounded += rounded(layout, covers(layout, known.cuts, models), working)


def _more_options(options: Places, found: Relaxation | None, count: int) -> Places:
    """Twice as many, those next that cost least at the last prices; all if there are none yet."""
    if found is None:
        return np.arange(count)
    order = np.argsort(found.reduced.min(axis=1), kind="stable")
    left = order[~np.isin(order, options)]
    return np.union1d(options, left[: len(options)])


def proven(
    layout: Layout, known: Known, prices: Numbers, f: Formulation, answer: Relaxed
) -> Relaxation:
    """What prices of the shared and the models' own rows prove, over all options."""
    full = serve(layout, plain_costs(layout))
    known.add_to(full)
    own = full.program.row_count
    hold(full)
    fed_from = full.program.row_count
    feed(full)
    program, spans = full.program, full.spans
    all_costs, _ = program.reduced(prices)
    shared = prices.copy()
    shared[:own] = 0.0
    shared_costs, _ = program.reduced(shared)
    power = shared.copy()
    power[:fed_from] = 0.0
    power_costs, power_worth = program.reduced(power)
    reduced = _replicas(full, all_costs)
    rest = program.least(shared_costs)
    for places in (full.replicas, full.sent, *full.stands.values()):
        rest[places.ravel()] = 0.0
    if full.used is not None:
        rest[full.used.ravel()] = 0.0
    parts = np.zeros((len(layout.models), spans))
    np.add.at(parts, layout.option_model, np.minimum(reduced, 0.0))
    for m, stands in full.stands.items():
        parts[m] += program.least(all_costs)[stands].sum(axis=0)
    models, by_span = (np.concatenate(labels) for labels in zip(*full.labels, strict=True))
    np.add.at(parts, (models, by_span), _ends(full, prices, 0, own))
    room = np.zeros(spans)
    held = _ends(full, prices, own, fed_from)
    np.add.at(room, np.arange(len(held)) % spans, held)
    constant = power_worth + float(rest.sum())
    replicas = np.zeros((len(layout.option_model), spans))
    replicas[f.options] = answer.values[f.replicas]
    return Relaxation(
        bound=constant + float(room.sum()) + float(parts.sum()),
        constant=constant,
        room=room,
        rent=np.maximum(0.0, -prices[own:fed_from].reshape(-1, spans)),
        parts=parts,
        reduced=reduced,
        replicas=replicas,
        options=f.options,
        priced=Costs(shared_costs[full.replicas], shared_costs[full.sent]),
        fed=Costs(power_costs[full.replicas], power_costs[full.sent]),
    )


def _replicas(full: Formulation, costs: Numbers) -> Numbers:
    """What any replicas of an option add at least, shape (o, spans); infinite where none may be.

    Replicas may earn what their ports take, at most their rate (of all but one where one is to
    spare) and at most what their users want. That is concave in their number, with a bend where
    they are enough for an hour: so the best number is one, the most, or a whole number at a bend.
    """
    layout, spans = full.layout, full.spans
    count = len(layout.option_model)
    worth, wanted = np.zeros((count, HOURS)), np.zeros((count, HOURS))
    np.add.at(wanted, layout.port_option, layout.most_sent)
    np.maximum.at(
        worth, layout.port_option, np.where(layout.most_sent > 0.0, -costs[full.sent], 0.0)
    )
    shape = (count, spans, HOURS // spans)
    worth, wanted = worth.reshape(shape), wanted.reshape(shape)
    spare = full.used is not None
    most, rate = layout.most[:, None, None], layout.rate[:, None, None]
    bends = np.floor(wanted / rate) + spare
    ones = np.ones((count, spans, 1))
    tried = np.clip(np.concatenate([ones, bends, bends + 1.0, ones * most], axis=2), 1.0, None)
    tried = np.minimum(tried, np.maximum(most, 1.0))
    least = np.full((count, spans), np.inf)
    for place in range(tried.shape[2]):
        number = tried[:, :, place]
        room = (number - spare)[:, :, None] * rate
        earned = (worth * np.minimum(room, wanted)).sum(axis=2)
        least = np.minimum(least, costs[full.replicas] * number - earned)
    return np.where(layout.most[:, None] > 0.0, least, np.inf)


def _ends(full: Formulation, prices: Numbers, first: int, last: int) -> Numbers:
    """What the ends of rows are worth at their prices."""
    inside, program = prices[first:last], full.program
    low = np.concatenate(program.low)[first:last]
    high = np.concatenate(program.high)[first:last]
    end = np.where(inside > 0.0, low, high)
    there = np.isfinite(end)
    found: Numbers = np.where(there, inside * np.where(there, end, 0.0), 0.0)
    return found
