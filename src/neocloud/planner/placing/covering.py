"""Enough replicas for what only they can serve, and how that rounds.

Options that alone reach some types must together be able to take what these want: a row of whole
numbers only,

    sum over the options of rate x replicas >= wanted

Divided by any r > 0 it rounds (Gomory 1960; Nemhauser and Wolsey 1990): with f the part of wanted/r
beyond a whole number and f_o that of rate_o/r,

    sum of (floor(rate_o/r) + min(1, f_o/f)) replicas >= ceil(wanted/r)

which cuts parts of replicas off that the linear program would use.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from neocloud.planner.placing.formulation import Cut, Formulation
from neocloud.planner.placing.layout import Layout, Numbers, Places, Truths
from neocloud.planner.placing.program import INFINITY, Terms

_LEAST_BROKEN = 0.01
"""Of a replica, about: what a rounded row must cut off to be worth adding."""
_WHOLE = 1e-6
_RATE_PARTS = (1, 2, 3, 4)


@dataclass(frozen=True, slots=True, eq=False)
class Cover:
    """Options that alone can serve something.

    Attributes:
        model: whose they are.
        options: places.
        wanted: what they must be able to take, shape (spans,).
    """

    model: int
    options: Places
    wanted: Numbers


@dataclass(frozen=True, slots=True, eq=False)
class Rounded:
    """A rounded row: options, their factors, and what the sum is at least, in one span."""

    model: int
    span: int
    options: Places
    factors: Numbers
    least: float


def covers(layout: Layout, cuts: Iterable[Cut], models: Places) -> list[Cover]:
    """For each type, all types of a model, and the sets of cuts; each set of options once."""
    found: dict[tuple[int, int, bytes], Cover] = {}
    sets = [(int(m), types, -1) for m in models for types in _plain_sets(layout, int(m))]
    sets += [(one.model, one.types, one.lost) for one in cuts if one.model in models]
    for model, chosen, lost in sets:
        ways = layout.option_reach & (layout.option_site != lost)
        reached = _any(ways[chosen])
        key = (model, lost, reached.tobytes())
        if key in found:
            continue
        # Whoever can be served by no other option counts too.
        inside = (layout.type_model == model) & ways.any(axis=1)
        inside &= ~(ways & ~reached).any(axis=1)
        wanted = layout.demand[inside].sum(axis=0)
        found[key] = Cover(
            model,
            np.flatnonzero(reached & (layout.most > 0.0)),
            wanted if layout.setting.hourly else wanted.max(keepdims=True),
        )
    return list(found.values())


def _plain_sets(layout: Layout, model: int) -> list[Truths]:
    """Types one by one, and all of them."""
    of_model = layout.type_model == model
    single = np.eye(len(layout.type_model), dtype=bool)[of_model]
    return [*single, of_model] if len(single) else []


def _any(reach: Truths) -> Truths:
    return np.asarray(reach.any(axis=0), dtype=bool)


def cover(f: Formulation, found: Iterable[Cover]) -> None:
    """Add the rows. They follow from others; from them a solver finds what rounding gives."""
    place = _places(f)
    for one in found:
        here = place[one.options]
        options = one.options[here >= 0]
        rate, each = f.layout.rate[options][:, None], np.arange(f.spans)
        terms = [Terms(each, f.replicas[here[here >= 0]], rate)]
        if f.used is not None:
            terms.append(Terms(each, f.used[here[here >= 0]], -rate))
        f.program.rows(f.spans, one.wanted[f.columns], INFINITY, *terms)


def add_rounded(f: Formulation, rows: list[Rounded]) -> Places:
    """Add rounded rows of the formulation's models and spans, as rows of the models."""
    column = np.full(int(f.columns.max()) + 1, -1)
    column[f.columns] = np.arange(len(f.columns))
    place = _places(f)
    inside = {(m, span) for m in f.models.tolist() for span in f.columns.tolist()}
    kept = [one for one in rows if (one.model, one.span) in inside]
    if not kept:
        return np.zeros(0, dtype=np.int64)
    row = np.repeat(np.arange(len(kept)), [len(one.options) for one in kept])
    option = place[np.concatenate([one.options for one in kept])]
    span = column[np.array([one.span for one in kept])]
    factor = np.concatenate([one.factors for one in kept])
    inside = option >= 0
    row, option, factor = row[inside], option[inside], factor[inside]
    terms = [Terms(row, f.replicas[option, span[row]], factor)]
    if f.used is not None:
        terms.append(Terms(row, f.used[option, span[row]], -factor))
    f.label(np.array([one.model for one in kept]), span, len(kept))
    least = np.array([one.least for one in kept])
    return f.program.rows(len(kept), least, INFINITY, *terms)


def _places(f: Formulation) -> Places:
    place = np.full(len(f.layout.option_model), -1)
    place[f.options] = np.arange(len(f.options))
    return place


def rounded(layout: Layout, found: Iterable[Cover], working: Numbers) -> list[Rounded]:
    """Rounded rows that replicas at work, in parts, shape (o, spans), break most: one a cover."""
    rows: list[Rounded] = []
    for one in found:
        rate, there = layout.rate[one.options], working[one.options]
        divisors = _divisors(rate[there.max(axis=1, initial=0.0) > _WHOLE], len(one.wanted))
        if len(divisors) == 0:
            continue
        with np.errstate(divide="ignore", invalid="ignore"):
            part = rate[None, :, None] / divisors[:, None, :]
            wanted = one.wanted[None, :] / divisors
        over = wanted - np.floor(wanted)
        over = np.where(over < _WHOLE, 1.0, over)
        least = np.ceil(wanted - _WHOLE)
        floor = np.floor(part + _WHOLE)
        rest = np.clip(part - floor, 0.0, None)
        factors = floor + np.minimum(1.0, rest / over[:, None, :])
        broken = (least - (factors * there[None, :, :]).sum(axis=1)) / np.maximum(1.0, least)
        best = broken.argmax(axis=0)
        for span in np.flatnonzero(broken.max(axis=0) > _LEAST_BROKEN):
            r = int(best[span])
            rows.append(
                Rounded(
                    one.model, int(span), one.options, factors[r, :, span], float(least[r, span])
                )
            )
    return rows


def _divisors(rates: Numbers, spans: int) -> Numbers:
    """What to try, shape (any, spans): rates of options in use, and parts of them."""
    of_rates = np.unique(np.concatenate([rates / k for k in _RATE_PARTS]))
    return np.repeat(of_rates[:, None], spans, axis=1)
