"""SGLang: a server that runs, attached by `endpoint_of_url(..., kind="sglang")`, or one we start.

What is known of it was read in SGLang 0.5.23.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from neocloud.engines.kinds import SGLANG
from neocloud.engines.planned import planned_command, planned_endpoint
from neocloud.engines.running import EngineStart

if TYPE_CHECKING:  # the planner loads numpy, and nothing of it is called here
    from neocloud.planner import Placement

PROGRAM = (SGLANG,)


def sglang_start(
    placement: Placement,
    replica: str,
    *,
    port: int,
    program: Sequence[str] = PROGRAM,
    devices: Sequence[int] = (),
    grace_s: float = 30.0,
    log_path: Path | None = None,
) -> EngineStart:
    """What starts a replica of a plan with SGLang on this machine.

    At SIGTERM SGLang lets running requests end without any limit (`managers/tokenizer_manager.py`,
    sigterm_watchdog), looking every five seconds: `grace_s` is ours.

    Raises:
        EngineStartError: the replica is not one process on one machine.
    """
    command = planned_command(placement, replica, port, program, devices)
    return EngineStart(
        endpoint=planned_endpoint(placement, replica, port),
        command=msgspec.structs.replace(command, log_path=log_path),
        grace_s=grace_s,
    )
