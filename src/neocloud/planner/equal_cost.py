"""How far a cloud's objectives must be loosened for it to cost no more than so much."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from neocloud.planner.comparison import Trial
from neocloud.planner.figures import total_per_hour
from neocloud.planner.infeasible import with_objectives
from neocloud.planner.placing.program import SolverError
from neocloud.planner.records import Plan
from neocloud.spec import Cloud

MAX_FACTOR = 4.0
"""Assumption: with objectives four times as long it is another service."""
_NEAR = 0.01
"""A plan that costs less than the limit by no more than this share is near enough."""
_CLOSE = 1.1
"""Factors nearer together than this do where the cost is near too; else the search goes on, since
cost may be the same over a wide range of factors."""
_NARROW = 1.02
"""Factors nearer together than this are not told apart: cost moves in whole replicas."""
_MOST_TRIALS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Loosening:
    """What was found.

    Attributes:
        factor: the least factor found that suffices; where none does, that of the cheapest plan.
        plan: made with it.
        reached: True if it costs no more than the limit.
        trials: all that were made.
    """

    factor: float
    plan: Plan
    reached: bool
    trials: tuple[Trial, ...]


def with_factor(cloud: Cloud, factor: float) -> Cloud:
    """The cloud with TTFT and TPOT of all objectives times `factor`."""
    return with_objectives(
        cloud,
        {
            key: replace(
                model.objective,
                ttft_ms=model.objective.ttft_ms * factor,
                tpot_ms=model.objective.tpot_ms * factor,
            )
            for key, model in cloud.models.items()
        },
    )


def loosen(
    plan: Plan, limit: float, plan_at: Callable[[float], Plan], max_factor: float
) -> Loosening:
    """Loosen until a plan costs no more than `limit` an hour: try the most, then halve the way.

    Halving is by the factor's logarithm. It ends when a plan is within 1 per cent below the limit
    and a factor a tenth less fails, when a factor 2 per cent less fails, or after twelve plans.

    Args:
        plan: with the objectives as they are; costs more than `limit`.
        limit: cost an hour, what is paid for power not drawn included.
        plan_at: makes the plan with all objectives times a factor.
        max_factor: the most to try, above 1.

    Raises:
        SolverError: no plan was found at `max_factor` in the time that the file gives. A factor
            between that ends so counts as one that does not suffice.
    """
    at_most = plan_at(max_factor)
    trials = [_trial(max_factor, at_most)]
    if total_per_hour(at_most) > limit:
        saves = total_per_hour(at_most) < total_per_hour(plan)
        factor, best = (max_factor, at_most) if saves else (1.0, plan)
        return Loosening(factor=factor, plan=best, reached=False, trials=tuple(trials))
    low, high, best = 1.0, max_factor, at_most
    while _worth_trying(low, high, total_per_hour(best), limit, len(trials)):
        middle = math.sqrt(low * high)
        try:
            found = plan_at(middle)
        except SolverError:
            trials.append(Trial(factor=middle, total_per_hour=None))
            low = middle
            continue
        trials.append(_trial(middle, found))
        if total_per_hour(found) <= limit:
            high, best = middle, found
        else:
            low = middle
    return Loosening(factor=high, plan=best, reached=True, trials=tuple(trials))


def _trial(factor: float, plan: Plan) -> Trial:
    return Trial(factor=factor, total_per_hour=total_per_hour(plan))


def _worth_trying(low: float, high: float, cost: float, limit: float, trials: int) -> bool:
    near = cost >= (1.0 - _NEAR) * limit
    told_apart = high > (_CLOSE if near else _NARROW) * low
    return told_apart and trials < _MOST_TRIALS
