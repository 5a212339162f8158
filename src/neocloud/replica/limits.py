"""A placement of the plan as the bounds of its replicas' scheduler."""

from __future__ import annotations

from typing import TYPE_CHECKING

from neocloud.replica.records import Limits

if TYPE_CHECKING:  # the planner brings a solver with it, which a scheduler has no use for
    from neocloud.planner import Placement


def limits_of(placement: Placement) -> Limits:
    """The scheduler's bounds of one replica of the placement; its queue has none."""
    c = placement.configuration
    return Limits(
        max_batch=c.max_batch,
        batch_tokens=max(c.batch_tokens, c.max_batch),
        block_tokens=c.block_tokens,
        kv_blocks=placement.kv_tokens // c.block_tokens,
    )
