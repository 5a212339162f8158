"""Search over configurations; placement of replicas and flows over sites; `Plan`.

The records come with the package. What calculates is loaded when it is first asked for: whoever
only reads a plan (a gateway, an emulated engine) needs no solver in memory.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from neocloud.planner.answers import Answers, Naive, Today, TodayChange, Worth
from neocloud.planner.costs import CostByTier
from neocloud.planner.progress import Progress
from neocloud.planner.records import (
    SCHEMA,
    Binding,
    Engine,
    Flow,
    ModelSummary,
    Obligation,
    OperatingPoint,
    Placement,
    Plan,
    Prefill,
    Rates,
    Rented,
    Search,
    Skipped,
    Unallocated,
)
from neocloud.planner.store import PlanFileError, plan_schema, read_plan, write_plan

if TYPE_CHECKING:
    from neocloud.planner.answering import with_baselines, with_worth
    from neocloud.planner.build import ground_of, make_plan, placed_on
    from neocloud.planner.capacities import capacity
    from neocloud.planner.ground import Ground, assemble
    from neocloud.planner.hourly import planned_activity
    from neocloud.planner.infeasible import Change, InfeasibleError
    from neocloud.planner.lengths import Lengths, lengths_of
    from neocloud.planner.placing.program import SolverError
    from neocloud.planner.rates import request_gb
    from neocloud.planner.runners_up import Explanation, RunnerUp, explain_model
    from neocloud.planner.steps import placement_table
    from neocloud.planner.summary import point_at

_LATER = {
    "Change": "neocloud.planner.infeasible",
    "Explanation": "neocloud.planner.runners_up",
    "Ground": "neocloud.planner.ground",
    "InfeasibleError": "neocloud.planner.infeasible",
    "Lengths": "neocloud.planner.lengths",
    "RunnerUp": "neocloud.planner.runners_up",
    "SolverError": "neocloud.planner.placing.program",
    "assemble": "neocloud.planner.ground",
    "capacity": "neocloud.planner.capacities",
    "explain_model": "neocloud.planner.runners_up",
    "ground_of": "neocloud.planner.build",
    "lengths_of": "neocloud.planner.lengths",
    "make_plan": "neocloud.planner.build",
    "placed_on": "neocloud.planner.build",
    "placement_table": "neocloud.planner.steps",
    "planned_activity": "neocloud.planner.hourly",
    "point_at": "neocloud.planner.summary",
    "request_gb": "neocloud.planner.rates",
    "with_baselines": "neocloud.planner.answering",
    "with_worth": "neocloud.planner.answering",
}
"""Modules of what calculates."""

__all__ = [
    "SCHEMA",
    "Answers",
    "Binding",
    "Change",
    "CostByTier",
    "Engine",
    "Explanation",
    "Flow",
    "Ground",
    "InfeasibleError",
    "Lengths",
    "ModelSummary",
    "Naive",
    "Obligation",
    "OperatingPoint",
    "Placement",
    "Plan",
    "PlanFileError",
    "Prefill",
    "Progress",
    "Rates",
    "Rented",
    "RunnerUp",
    "Search",
    "Skipped",
    "SolverError",
    "Today",
    "TodayChange",
    "Unallocated",
    "Worth",
    "assemble",
    "capacity",
    "explain_model",
    "ground_of",
    "lengths_of",
    "make_plan",
    "placed_on",
    "placement_table",
    "plan_schema",
    "planned_activity",
    "point_at",
    "read_plan",
    "request_gb",
    "with_baselines",
    "with_worth",
    "write_plan",
]


def __getattr__(name: str) -> Any:
    """What calculates, by name (PEP 562)."""
    module = _LATER.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(module), name)
    globals()[name] = found
    return found
