"""Choose the replicas."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from neocloud.planner.demand import HOURS
from neocloud.planner.placing.answer import read, settle
from neocloud.planner.placing.cuts import broken
from neocloud.planner.placing.formulation import (
    Cut,
    Formulation,
    cut,
    feed,
    hold,
    plain_costs,
    serve,
)
from neocloud.planner.placing.layout import Layout, lay_out
from neocloud.planner.placing.program import Clock, SolverError, Watch, relax, solve
from neocloud.planner.setting import Placed, Setting

Progress = Callable[[str, float | None], None]
TARGET_GAP = 1e-4
SECONDS = 60.0


def silent(_: str, __: float | None) -> None:
    """Progress that nobody watches."""


def whole_program(layout: Layout, cuts: list[Cut]) -> Formulation:
    """All of the placement as one program."""
    f = serve(layout, plain_costs(layout))
    hold(f)
    feed(f)
    cut(f, cuts)
    return f


def place(
    setting: Setting,
    *,
    target_gap: float = TARGET_GAP,
    seconds: float = SECONDS,
    progress: Progress = silent,
    clock: Clock | None = None,
) -> Placed | None:
    """Place replicas and flows at the least cost; None if the demand cannot be served."""
    layout, watch, cuts = lay_out(setting), Watch(seconds, clock), list[Cut]()
    if layout.unreachable:
        return None
    while True:
        answer = relax(whole_program(layout, cuts).program, watch)
        if answer is None:
            return None
        more = broken(whole_program(layout, cuts), answer.values)
        if not more:
            break
        cuts += more
    progress("relaxed", None)
    bound = 0.0
    while True:
        f = whole_program(layout, cuts)
        whole = solve(f.program, watch, relative_gap=target_gap / 2)
        if whole is None:
            return None
        if whole.values is None:
            raise SolverError(f"no placement found within {seconds:g} s")
        bound = max(bound, whole.bound)
        more = broken(f, whole.values)
        if not more:
            break
        cuts += more
    settled = settle(layout, np.rint(whole.values[f.replicas]), cuts, watch)
    if settled is None:
        raise SolverError("the replicas found do not serve the demand")
    return read(*settled, bound)


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
