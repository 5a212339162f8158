"""What starts a plan's replica on this machine: the command, and what the plan leaves open."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from neocloud.engines.child import Command
from neocloud.engines.endpoint import Endpoint, endpoint_of_url
from neocloud.engines.errors import EngineStartError

if TYPE_CHECKING:  # the planner loads numpy, and nothing of it is called here
    from neocloud.planner import Placement

_DEVICES = "CUDA_VISIBLE_DEVICES"
"""ROCm's runtime reads it too."""


def planned_endpoint(placement: Placement, replica: str, port: int) -> Endpoint:
    """Where a replica of a plan answers once it is started on this machine."""
    return endpoint_of_url(
        f"http://127.0.0.1:{port}",
        replica=replica,
        model=placement.model,
        kind=placement.engine.kind,
        precision=placement.configuration.precision,
    )


def planned_command(
    placement: Placement,
    replica: str,
    port: int,
    program: Sequence[str],
    devices: Sequence[int],
) -> Command:
    """The plan's command with the port and the accelerators that it leaves open.

    Args:
        placement: of the replica.
        replica: its id.
        port: to answer on.
        program: what the engine is called by on this machine.
        devices: accelerators that it gets, by number; empty for all that are there.

    Raises:
        EngineStartError: the replica is not of this placement, or is more than one process on one
            machine: then it is to be started by hand and attached.
    """
    engine = placement.engine
    if replica not in placement.replica_ids():
        raise EngineStartError(f"{replica} is no replica of {placement.site}/{placement.pool}")
    if engine.more_nodes or placement.workers > 1 or placement.prefill is not None:
        raise EngineStartError(
            f"{replica} takes several processes, on several nodes perhaps: start them as the plan "
            f"says, then attach it with --upstream {replica}=http://HOST:PORT"
        )
    wanted = placement.configuration.accelerators
    if devices and len(devices) != wanted:
        raise EngineStartError(f"{replica} runs on {wanted} accelerators, not on {len(devices)}")
    environment = engine.environment
    if devices:
        environment += ((_DEVICES, ",".join(str(device) for device in devices)),)
    return Command(
        arguments=(*program, *engine.arguments, "--port", str(port)), environment=environment
    )
