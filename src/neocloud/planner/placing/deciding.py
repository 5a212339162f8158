"""Choose the replicas."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from neocloud.planner.demand import HOURS
from neocloud.planner.placing.answer import read, settle
from neocloud.planner.placing.clean import open_wide, strict
from neocloud.planner.placing.cuts import broken
from neocloud.planner.placing.formulation import Formulation
from neocloud.planner.placing.known import Known
from neocloud.planner.placing.layout import Layout, Numbers, lay_out
from neocloud.planner.placing.mixing import advance, begun_mix
from neocloud.planner.placing.opening import opening
from neocloud.planner.placing.parts import Parts
from neocloud.planner.placing.program import Clock, SolverError, Watch, relax, solve
from neocloud.planner.placing.relaxation import relaxed, whole_program
from neocloud.planner.placing.search import (
    Search,
    assemble,
    begun,
    excess,
    improve,
    neighbourhoods,
    tighten_all,
    together,
)
from neocloud.planner.setting import Placed, Setting

Progress = Callable[[str, float | None], None]
TARGET_GAP = 1e-4
SECONDS = 60.0
_PLAIN = 16
"""Options up to which the whole program is solved as it stands."""
_FEW = 240
"""Options up to which every cell is solved alone first."""
_TIGHTEN_SHARE = 0.65
_BETWEEN_SHARE = 0.3
"""Of the time for each of two placements that hold the answer between them."""
_MORE = 1e-5
"""Relative: what counts as a better bound."""
_PASSES = 5
"""Between rounds of mixing."""
_FIRST_SHARE = 0.75
_STEP_S = 0.2
_LAST_S = 2.0
"""For an hour that nothing else has served, whatever time is left."""


def silent(_: str, __: float | None) -> None:
    """Progress that nobody watches."""


@dataclass(slots=True, eq=False)
class _Best:
    """The best answer so far."""

    formulation: Formulation
    values: Numbers
    cost: float


def place(
    setting: Setting,
    *,
    target_gap: float = TARGET_GAP,
    seconds: float = SECONDS,
    progress: Progress = silent,
    clock: Clock | None = None,
) -> Placed | None:
    """Place replicas and flows at the least cost; None if the demand cannot be served.

    The same setting gives the same answer unless the time runs out before the gap is reached: then
    it depends on how fast the machine is.

    Args:
        setting: what to decide over.
        target_gap: proven relative distance from the best at which to stop.
        seconds: at most; somewhat more if the least work is not done by then.
        progress: told what is being done and the gap proven so far.
        clock: seconds since any moment; None counts only the time in the solver.

    Raises:
        SolverError: nothing was found in the time.
    """
    layout = lay_out(setting)
    if layout.unreachable:
        return None
    if layout.most.size <= _PLAIN or not layout.gates:
        return _place(layout, target_gap, Watch(seconds, clock), progress)
    limited = _between(layout, target_gap, seconds * _BETWEEN_SHARE, progress, clock)
    if limited is None or (limited.gap > target_gap and layout.most.size <= _FEW):
        rest = seconds * (1.0 - 2.0 * _BETWEEN_SHARE)
        found = _place(layout, target_gap, Watch(rest, clock), progress)
        return _better_of(limited, found)
    return limited


def _better_of(one: Placed | None, other: Placed | None) -> Placed | None:
    """The cheaper of two answers of one setting, with the better bound of both."""
    if one is None or other is None:
        return one or other
    cheaper = min(one, other, key=lambda placed: placed.cost)
    return replace(cheaper, bound=min(cheaper.cost, max(one.bound, other.bound)))


def _between(
    layout: Layout, target_gap: float, seconds: float, progress: Progress, clock: Clock | None
) -> Placed | None:
    """Between a placement without limits on energy and one that is strict on them; see `clean`.

    None if there is no strict one.
    """
    answer = _place(strict(layout), target_gap / 2, Watch(seconds, clock), progress)
    if answer is None:
        return None
    free = _place(open_wide(layout), target_gap / 2, Watch(seconds, clock), progress)
    bound = free.bound if free is not None else -np.inf
    return replace(answer, bound=min(bound, answer.cost))


def _place(layout: Layout, target_gap: float, watch: Watch, progress: Progress) -> Placed | None:
    known = Known()
    if layout.most.size <= _PLAIN:
        return _plain(layout, known, watch, target_gap, None, 0.0)
    progress("relaxing", None)
    relaxation = relaxed(layout, known, watch, opening(layout, watch))
    if relaxation is None:
        return None
    search = begun(Parts(layout, relaxation, known, watch))
    _start(search, target_gap, progress)
    best = _improved(search, target_gap, progress)
    if best is not None and _gap(search, best) <= target_gap:
        return read(best.formulation, best.values, search.bound)
    return _plain(layout, known, watch, target_gap, best, search.bound)


def _gap(search: Search, best: _Best) -> float:
    return (best.cost - search.bound) / best.cost if best.cost > 0.0 else 0.0


def _improved(search: Search, target_gap: float, progress: Progress) -> _Best | None:
    """Improve replicas, and the bound where plans are mixed, until nothing more is found."""
    watch, best = search.parts.watch, _better(search, None)
    few = search.layout.most.size <= _FEW and not search.layout.setting.hourly
    mix, passes = begun_mix(search) if few else None, 0
    while best is not None and watch.left > 0.0:
        progress("improving", _gap(search, best))
        if _gap(search, best) <= target_gap:
            break
        passes += 1
        cost, bound = best.cost, search.bound
        changed = _pass(search, best, target_gap)
        if mix is not None and watch.left > 0.0 and (not changed or passes % _PASSES == 0):
            advance(mix)
            changed = changed or search.bound > bound + _MORE * cost
        best = _better(search, best)
        if best is None or not (changed or best.cost < cost):
            break
    return best


def evaluate(
    setting: Setting, replicas: NDArray[np.int64], *, seconds: float = SECONDS
) -> Placed | None:
    """The best flows for given replicas, shape (options, 24); None if they break a limit.

    The bound of the answer is its cost: the best with these replicas.
    """
    layout = lay_out(setting)
    given = np.asarray(replicas, dtype=np.float64)
    if given.shape != (len(setting.options), HOURS):
        raise ValueError(f"replicas of shape {given.shape}, not {(len(setting.options), HOURS)}")
    if not setting.hourly and (given != given[:, :1]).any():
        return None
    # More than could be of use may stand there today.
    layout = replace(layout, most=np.maximum(layout.most, given.max(axis=1)))
    settled = settle(layout, given if setting.hourly else given[:, :1], [], Watch(seconds))
    return None if settled is None else read(*settled, float("inf"))


def _start(search: Search, target_gap: float, progress: Progress) -> None:
    """Replicas for every span, and where options are few what each cell costs at least."""
    watch, layout = search.parts.watch, search.layout
    few = layout.most.size <= _FEW
    if few or not layout.setting.hourly:
        progress("placing each model alone", None)
        budget = _TIGHTEN_SHARE * watch.left
        tighten_all(search, budget)
    progress("placing all models", None)
    for span in range(len(search.spans)):
        share = _FIRST_SHARE * watch.left / (len(search.spans) - span)
        if not few and layout.setting.hourly:
            together(search, span, target_gap / 2, share)
        if not search.found[span]:
            assemble(search, span, _STEP_S if layout.setting.hourly else _LAST_S)
    for span, found in enumerate(search.found):
        if not found:
            together(search, span, target_gap / 2, max(_LAST_S, _FIRST_SHARE * watch.left))


def _better(search: Search, best: _Best | None) -> _Best | None:
    """The better one of what was found before and what the search has now."""
    if not search.served:
        return best
    settled = settle(search.layout, search.replicas, search.parts.known.cuts, _enough())
    if settled is None:
        return best
    f, values = settled
    cost = f.program.cost_of(values)
    return _Best(f, values, cost) if best is None or cost < best.cost else best


def _enough() -> Watch:
    """Time for what must be done to have an answer at all."""
    return Watch(SECONDS)


def _pass(search: Search, best: _Best, target_gap: float) -> bool:
    """Free neighbourhoods until one pays, or one a span; False if none does any more."""
    layout, watch = search.layout, search.parts.watch
    saved, changed = 0.0, set[int]()
    above = _excess(search, best)
    for span, chosen in neighbourhoods(search, above):
        if watch.left <= 0.0:
            break
        if span in changed:
            continue
        gain = improve(search, span, chosen, min(_STEP_S, watch.left))
        if gain > 0.0:
            saved += gain
            changed.add(span)
            cost = best.cost - saved
            if not layout.setting.hourly or cost - search.bound <= target_gap * cost:
                break
    return saved > 0.0


def _excess(search: Search, best: _Best) -> Numbers:
    return excess(search, best.formulation, best.values)


def _plain(
    layout: Layout,
    known: Known,
    watch: Watch,
    target_gap: float,
    best: _Best | None,
    bound: float,
) -> Placed | None:
    """Solve the whole program, from the best so far, with the time that is left."""
    while True:
        f, _ = whole_program(layout, known)
        if best is not None and watch.left <= 0.0:
            return read(best.formulation, best.values, bound)
        if best is None:
            answer = relax(f.program, _enough())
            if answer is None:
                return None
            more = broken(f, answer.values)
            if more:
                known.cuts += more
                continue
        start = None
        if best is not None:
            replicas = np.zeros(f.replicas.shape)
            replicas[best.formulation.options] = best.values[best.formulation.replicas]
            start = (f.replicas.ravel(), np.rint(replicas).ravel())
        whole = solve(f.program, watch, relative_gap=target_gap / 2, start=start)
        if whole is None:
            return None
        bound = max(bound, whole.bound)
        if whole.values is None:
            if best is not None:
                return read(best.formulation, best.values, bound)
            raise SolverError(f"no placement found within {watch.seconds:g} s")
        more = broken(f, whole.values)
        if more:
            known.cuts += more
            continue
        settled = settle(layout, np.rint(whole.values[f.replicas]), known.cuts, _enough())
        if settled is None:
            raise SolverError("the replicas found do not serve the demand")
        cost = settled[0].program.cost_of(settled[1])
        if best is not None and best.cost < cost:
            return read(best.formulation, best.values, bound)
        return read(*settled, bound)
