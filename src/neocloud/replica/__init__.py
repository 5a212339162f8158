"""One engine replica as a state machine without a clock.

`Replica` is the state machine, `Timeline` puts it on a time line that its owner moves, `replay`
runs a list of arrivals through it in virtual time. Invariants R1 to R16: docs/invariants.md.
"""

from neocloud.replica.compiled import PLAIN, Kernels, compiled
from neocloud.replica.limits import limits_of
from neocloud.replica.records import (
    Limits,
    Refusal,
    RefusalReason,
    Replay,
    Request,
    Served,
    Snapshot,
    StepCost,
    StepResult,
    StepWork,
)
from neocloud.replica.replay import replay
from neocloud.replica.replica import Replica
from neocloud.replica.timeline import StepEnd, Timeline

__all__ = [
    "PLAIN",
    "Kernels",
    "Limits",
    "Refusal",
    "RefusalReason",
    "Replay",
    "Replica",
    "Request",
    "Served",
    "Snapshot",
    "StepCost",
    "StepEnd",
    "StepResult",
    "StepWork",
    "Timeline",
    "compiled",
    "limits_of",
    "replay",
]
