"""Good replicas: cells put together, then neighbourhoods solved again.

A cell is a model in a span: an hour where replicas may change, else the day. Each cell alone, with
pools at their prices, gives a plan and a piece of the bound. Plans that do not fit together are
made to, model by model; then a few models of a span at a time are freed and placed again at their
best beside the rest (large neighbourhood search, Shaw 1998), those first that are farthest from
their piece of the bound.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np

from neocloud.planner.placing.formulation import DAY, Formulation
from neocloud.planner.placing.layout import Layout, Numbers, Places
from neocloud.planner.placing.limits import shared
from neocloud.planner.placing.parts import Part, Parts

_IN_AN_HOUR = (1, 2, 3, 4)
"""Models freed at once; all of them where that finds nothing more."""
_IN_A_DAY = (2, 3, 4)
"""The same where replicas stand all day: one model has little room for itself there."""
_CELL_GAP = 1e-3
_CELL_S = 1.0
_SAMPLED_EVERY = 8
"""Hours between those in which all cells are solved alone."""
_WORTH = 1e-5
"""Of the bound: what a cell's whole numbers must add for the like of it to be solved alone."""
_MADE_ROOM_GAP = 5e-3
_STEP_GAP = 1e-3


@dataclass(slots=True, eq=False)
class Search:
    """Replicas so far, and what is proven of each cell.

    Attributes:
        parts: solves parts.
        models: those with demand.
        replicas: shape (o, spans).
        plans: of each cell alone, by (model, span).
        bounds: of each cell, shape (models, spans).
        spans: bounds of whole spans, pools included, shape (spans,).
        found: true for the spans that are served.
        tried: neighbourhoods that gave nothing, by span.
        proven: a bound found otherwise.
    """

    parts: Parts
    models: Places
    replicas: Numbers
    bounds: Numbers
    spans: Numbers
    found: list[bool]
    plans: dict[tuple[int, int], Part] = field(default_factory=dict)
    tried: dict[int, set[tuple[int, ...]]] = field(default_factory=dict)
    proven: float = -np.inf

    @property
    def layout(self) -> Layout:
        """The setting."""
        return self.parts.layout

    @property
    def bound(self) -> float:
        """No placement costs less."""
        relaxation = self.parts.relaxation
        by_cell = self.bounds.sum(axis=0) + relaxation.room
        now = relaxation.constant + float(np.maximum(by_cell, self.spans).sum())
        return max(now, self.proven)

    @property
    def served(self) -> bool:
        """True if there are replicas for everything."""
        return all(self.found)

    def hours(self, span: int) -> Places:
        """Hours of a span."""
        return np.array([span]) if self.layout.setting.hourly else DAY


def begun(parts: Parts) -> Search:
    """Nothing placed, and the relaxation's bounds."""
    layout, relaxation = parts.layout, parts.relaxation
    count = relaxation.parts.shape[1]
    wanted = layout.demand.max(axis=1, initial=0.0) > 0.0
    asked = [m for m, key in enumerate(layout.models) if layout.setting.min_sites.get(key, 0) > 1]
    return Search(
        parts=parts,
        models=np.union1d(layout.type_model[wanted], np.array(asked, dtype=np.int64)),
        replicas=np.zeros((len(layout.option_model), count)),
        bounds=relaxation.parts.copy(),
        spans=np.full(count, -np.inf),
        found=[False] * count,
    )


def tighten(search: Search, span: int, model: int, seconds: float) -> float:
    """Solve a cell alone: its plan, its piece of the bound; by how much that is larger now."""
    parts, hours = search.parts, search.hours(span)
    before = float(search.bounds[model, span])
    part = parts.priced(np.array([model]), hours, _CELL_GAP, seconds)
    search.plans[model, span] = part
    search.bounds[model, span] = max(before, part.bound)
    return float(search.bounds[model, span]) - before


def tighten_all(search: Search, seconds: float) -> None:
    """Solve cells alone: all models in some spans, then those in the others where it gave much."""
    watch, count = search.parts.watch, len(search.spans)
    end = watch.spent + seconds
    some = range(0, count, _SAMPLED_EVERY)
    gained = dict.fromkeys(search.models.tolist(), 0.0)
    for span in some:
        for m in gained:
            if watch.spent >= end:
                return
            gained[m] += tighten(search, span, m, min(_CELL_S, end - watch.spent)) / len(some)
    worth = sorted((-gain, m) for m, gain in gained.items() if gain > _WORTH * search.bound)
    for _, m in worth:
        for span in range(count):
            if span in some:
                continue
            if watch.spent >= end:
                return
            tighten(search, span, m, min(_CELL_S, end - watch.spent))


def together(search: Search, span: int, gap: float, seconds: float) -> None:
    """Place all models of a span at once."""
    none = np.zeros_like(search.replicas)
    start = search.replicas if search.found[span] else None
    part = search.parts.beside(none, search.models, search.hours(span), gap, seconds, start=start)
    search.spans[span] = max(search.spans[span], part.bound)
    if part.replicas is not None:
        search.replicas[:, span] = part.replicas[:, span]
        search.found[span] = True


def assemble(search: Search, span: int, seconds: float) -> None:
    """Put the plans of a span's cells together; what does not fit is placed beside the rest."""
    layout, column = search.layout, [span]
    placed = np.zeros_like(search.replicas)
    done: list[int] = []
    for m in _hardest_first(search, span):
        plan = search.plans.get((m, span))
        if plan is not None and plan.replicas is not None:
            tried = placed[:, column] + plan.replicas[:, column]
            if fits(layout, tried):
                placed[:, column] = tried
                done.append(m)
                continue
        if not _make_room(search, span, m, done, placed, seconds):
            return
        done.append(m)
    search.replicas[:, span] = placed[:, span]
    search.found[span] = True


def _make_room(
    search: Search, span: int, model: int, done: list[int], placed: Numbers, seconds: float
) -> bool:
    """Place a model beside those that are done; some of them move where there is no room."""
    layout, hours = search.layout, search.hours(span)
    movable = _largest_first(layout, placed[:, span], done)
    moved = 0
    while True:
        freed = np.array(sorted([model, *movable[:moved]]))
        inside = np.isin(layout.option_model, freed)
        others = placed * ~inside[:, None]
        costs, parts = search.parts.relaxation.priced, search.parts
        if layout.setting.hourly or layout.shut:
            part = parts.beside(others, freed, hours, _MADE_ROOM_GAP, seconds, costs=costs)
        else:
            part = parts.sketched(others, freed, _MADE_ROOM_GAP, seconds, costs=costs)
        if part.replicas is not None:
            placed[:, span] = others[:, span] + part.replicas[:, span]
            return True
        if moved >= len(movable):
            return False
        moved = min(len(movable), 2 * moved + 1)


def _hardest_first(search: Search, span: int) -> list[int]:
    """Models by the accelerators of the smallest replica that the relaxation uses."""
    layout, used = search.layout, search.parts.relaxation.replicas[:, span] > 1e-9
    size = layout.holds.sum(axis=0)
    smallest = {
        int(m): float(size[(layout.option_model == m) & used].min(initial=np.inf))
        for m in search.models
    }
    return sorted(smallest, key=lambda m: (-smallest[m], m))


def _largest_first(layout: Layout, placed: Numbers, done: list[int]) -> list[int]:
    held = layout.holds.sum(axis=0) * placed
    return sorted(done, key=lambda m: (-float(held[layout.option_model == m].sum()), m))


def fits(layout: Layout, replicas: Numbers) -> bool:
    """True if there is room for replicas of shape (o, any)."""
    taken, there = shared(layout)
    return bool((taken @ replicas <= there[:, None] * (1.0 + 1e-9)).all())


def excess(search: Search, f: Formulation, values: Numbers) -> Numbers:
    """What each cell costs above its piece of the bound at the prices, shape (models, spans)."""
    layout, priced = search.layout, search.parts.relaxation.priced
    count = search.bounds.shape[1]
    cost = np.zeros_like(search.bounds)
    replicas = priced.replica[f.options] * values[f.replicas]
    sent = (priced.sent[f.ports] * values[f.sent]).reshape(len(f.ports), count, -1).sum(axis=2)
    np.add.at(cost, layout.option_model[f.options], replicas)
    np.add.at(cost, layout.option_model[layout.port_option[f.ports]], sent)
    return cost - search.bounds


def neighbourhoods(search: Search, above: Numbers) -> Iterator[tuple[int, tuple[int, ...]]]:
    """Spans and models to free, those first that cost most above their bounds."""
    models = search.models.tolist()
    for size in (*(_IN_AN_HOUR if search.layout.setting.hourly else _IN_A_DAY), len(models)):
        if size > len(models):
            continue
        worth = sorted(
            (
                (-float(above[list(chosen), span].sum()), span, chosen)
                for span in range(above.shape[1])
                for chosen in combinations(models, size)
            ),
        )
        for _, span, chosen in worth:
            if chosen not in search.tried.setdefault(span, set()):
                yield span, chosen


def improve(search: Search, span: int, chosen: tuple[int, ...], seconds: float) -> float:
    """Place some models of a span again beside the rest; what that saves at the prices."""
    layout, freed = search.layout, np.array(chosen)
    inside = np.isin(layout.option_model, freed)[:, None]
    mine, others = search.replicas * inside, search.replicas * ~inside
    hours, parts = search.hours(span), search.parts
    if layout.setting.hourly:
        part = parts.beside(others, freed, hours, _STEP_GAP, seconds, start=search.replicas)
    else:
        part = parts.sketched(others, freed, _STEP_GAP, seconds, start=search.replicas)
    before, after = parts.cost_of(mine, freed, hours), np.inf
    if part.replicas is not None:
        after = parts.cost_of(part.replicas, freed, hours)
    if part.replicas is None or after >= before - 1e-7 * max(1.0, abs(before)):
        search.tried[span].add(chosen)
        return 0.0
    search.replicas[:, span] = others[:, span] + part.replicas[:, span]
    search.tried[span] = set()
    return before - after
