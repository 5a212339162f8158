"""What a plan is held against: the naive one, today's, and itself with more of a limit."""

from __future__ import annotations

import msgspec

from neocloud.planner.costs import CostByTier


class Naive(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody without a planner would stand up.

    Each user's requests go to the nearest site that may serve them, to its accelerator with the
    most memory, in the checkpoint's own precision, on the fewest accelerators that it fits, with
    the engine's default limits; replicas for the busiest hour. Where the objective needs more
    accelerators a replica, it gets them.
    """

    cost_per_hour: CostByTier
    cost_per_mtok: float
    accelerators: int
    missing_accelerators: int
    """Of them, those that the nearest pools have not."""
    missed: tuple[str, ...]
    """Models whose objective it misses wherever it is tried; they are in neither figure."""


class TodayChange(msgspec.Struct, frozen=True, kw_only=True):
    """Replicas of one model in one pool, in the plan that runs and in the new one."""

    site: str
    pool: str
    model: str
    replicas_today: int
    replicas: int


class Today(msgspec.Struct, frozen=True, kw_only=True):
    """The plan that runs, under the demand and prices of the file."""

    file: str
    cost_per_hour: float | None
    """None where its replicas cannot serve the demand any more."""
    changes: tuple[TodayChange, ...]


class Worth(msgspec.Struct, frozen=True, kw_only=True):
    """What one more of a limit saves, found by placing again; its own price is not in it."""

    what: str
    """`node`, `pool` or `megawatt`."""
    where: str
    saved_per_hour: float
    uncertain_per_hour: float
    """What the proven gaps of both placements leave open."""


class Answers(msgspec.Struct, frozen=True, kw_only=True):
    """What a plan is held against; None or empty for what was not asked."""

    naive: Naive | None = None
    today: Today | None = None
    worth: tuple[Worth, ...] = ()
    spares_cost_per_hour: float | None = None
    """What the spares that the file asks for cost."""
