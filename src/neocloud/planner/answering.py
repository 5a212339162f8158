"""A plan with what it is held against."""

from __future__ import annotations

import msgspec

from neocloud.planner.answers import Answers
from neocloud.planner.ground import Ground
from neocloud.planner.naive import naive
from neocloud.planner.progress import Progress, silent
from neocloud.planner.records import Plan
from neocloud.planner.setting import Placed
from neocloud.planner.today import compare_today
from neocloud.planner.worth import spares_cost, worth

WORTH_SECONDS = 10.0
"""For each placement that is tried with more of a limit."""


def with_baselines(
    ground: Ground, plan: Plan, today: tuple[str, Plan] | None, progress: Progress = silent
) -> Plan:
    """The plan beside the naive one and, where the file names one, today's (its name first)."""
    progress("the naive plan", None)
    answers = Answers(
        naive=naive(ground),
        today=None if today is None else compare_today(ground, today[1], today[0], plan),
    )
    return msgspec.structs.replace(plan, answers=answers)


def with_worth(ground: Ground, placed: Placed, plan: Plan, progress: Progress = silent) -> Plan:
    """The plan with what one more of each binding limit is worth, and what its spares cost."""
    seconds = min(WORTH_SECONDS, ground.cloud.planning.max_seconds)
    answers = msgspec.structs.replace(
        plan.answers,
        worth=worth(ground.setting, placed, plan.binding, seconds, progress),
        spares_cost_per_hour=spares_cost(ground.setting, placed, seconds),
    )
    return msgspec.structs.replace(plan, answers=answers)
