"""vLLM: a server that runs, attached by `endpoint_of_url(..., kind="vllm")`, or one that we start.

What is known of it was read in vLLM 0.33.0 and, for 0.32, seen on the wire of its CPU build.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from neocloud.engines.kinds import VLLM
from neocloud.engines.planned import planned_command, planned_endpoint
from neocloud.engines.running import EngineStart

if TYPE_CHECKING:  # the planner loads numpy, and nothing of it is called here
    from neocloud.planner import Placement

PROGRAM = (VLLM,)
_DRAIN = "--shutdown-timeout"


def vllm_start(
    placement: Placement,
    replica: str,
    *,
    port: int,
    program: Sequence[str] = PROGRAM,
    devices: Sequence[int] = (),
    grace_s: float = 30.0,
    log_path: Path | None = None,
) -> EngineStart:
    """What starts a replica of a plan with vLLM on this machine.

    vLLM cuts answers off at SIGTERM unless `--shutdown-timeout` says how long they may take. The
    plan's command has it; where it has not, `grace_s` is added.

    Raises:
        EngineStartError: the replica is not one process on one machine.
    """
    command = planned_command(placement, replica, port, program, devices)
    arguments = command.arguments
    if _DRAIN in arguments:
        grace_s = float(arguments[arguments.index(_DRAIN) + 1])
    else:
        arguments += (_DRAIN, f"{grace_s:.0f}")
    return EngineStart(
        endpoint=planned_endpoint(placement, replica, port),
        command=msgspec.structs.replace(command, arguments=arguments, log_path=log_path),
        grace_s=grace_s,
    )
