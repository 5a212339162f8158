"""Search over configurations; placement of replicas and flows over sites; `Plan`."""

from neocloud.planner.answering import with_baselines, with_worth
from neocloud.planner.answers import Answers, Naive, Today, TodayChange, Worth
from neocloud.planner.assemble import Ground, assemble
from neocloud.planner.build import ground_of, make_plan, placed_on
from neocloud.planner.capacity import capacity
from neocloud.planner.costs import CostByTier
from neocloud.planner.hourly import planned_activity
from neocloud.planner.infeasible import Change, InfeasibleError
from neocloud.planner.lengths import Lengths, lengths_of
from neocloud.planner.placing.program import SolverError
from neocloud.planner.progress import Progress
from neocloud.planner.rates import request_gb
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
from neocloud.planner.runners_up import Explanation, RunnerUp, explain_model
from neocloud.planner.steps import placement_table
from neocloud.planner.store import PlanFileError, plan_schema, read_plan, write_plan
from neocloud.planner.summary import point_at

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
