"""What both engines' flags are computed from: ranks, and where they stand."""

from __future__ import annotations

from dataclasses import dataclass

from neocloud.planner.flags.families import Parsers
from neocloud.planner.flags.records import Launch, LaunchError, Role, node_address

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Sizes:
    """Numbers of one replica.

    Attributes:
        stage: accelerators of a pipeline stage.
        rank: accelerators of an attention rank, over all stages.
        local: accelerators of the replica on a node.
        rank_batch: sequences that may run at once on an attention rank.
        batch: the same on the replica: what was planned, rounded up to whole ranks.
    """

    stage: int
    rank: int
    local: int
    rank_batch: int
    batch: int


@dataclass(frozen=True, slots=True)
class Settled:
    """What is decided before an engine's flags are written."""

    sizes: Sizes
    block_tokens: int
    quantization: str
    """Value of `--quantization`; empty where the checkpoint says it."""
    parsers: Parsers


def sizes_of(request: Launch) -> Sizes:
    """Ranks and batches of a replica.

    Raises:
        LaunchError: experts are spread where there are none, or ranks and nodes do not fit.
    """
    c = request.configuration
    rank, local = c.tp * c.pp, c.accelerators // request.nodes
    if local % rank and rank % local:
        raise LaunchError(
            f"{request.nodes} nodes of {local} accelerators hold neither whole ranks of {rank} "
            "nor whole parts of one"
        )
    if c.ep > 1 and not any(group.experts for group in request.architecture.layers):
        raise LaunchError(f"{request.architecture.name} has no experts to spread over {c.ep}")
    rank_batch = -(-c.max_batch // c.attention_dp)
    return Sizes(
        stage=c.tp * c.attention_dp,
        rank=rank,
        local=local,
        rank_batch=rank_batch,
        batch=rank_batch * c.attention_dp,
    )


def host_of(request: Launch, node: int) -> str:
    """Address that a node's server listens on."""
    if request.host is not None:
        return request.host
    if request.nodes == 1 and request.role is Role.AGGREGATED:
        return LOOPBACK
    return node_address(node)
