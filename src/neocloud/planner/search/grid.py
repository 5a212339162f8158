"""What the search looks at: every configuration of a stated grid that can exist."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import msgspec
import numpy as np

from neocloud.catalog import Accelerator, Architecture
from neocloud.perf import Configuration

COARSE = np.geomspace(0.03125, 1024.0, 41)
"""Mean decode batches of a rank, 30 per cent apart: from one sequence on 32 ranks."""
FINE = 8
"""Steps that lie between two of `COARSE` where the objective ends: 3 per cent apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """The grid of one model: all combinations of these that can exist are looked at.

    Attributes:
        tp: tensor parallelism of the attention.
        attention_dp: data parallelism of the attention; above 1 for models with experts only,
            since ranks of a dense model share nothing and are replicas of their own.
        pp: pipeline parallelism.
        precisions: number formats of the weights.
        kv_precisions: number formats of the KV cache.
        drafts: tokens drafted a step, where the model has layers for it.
        batch_tokens: tokens of a step: how prompts are cut into chunks.
        batch: limits of the sequences that a rank runs at once, rising.
        most_accelerators: of one replica.
        workers: most prefill and most decode workers of a replica in which they are apart; 0 where
            they are not looked at.
        aggregated: whether engines that work on prompts and answers count.
    """

    tp: tuple[int, ...] = (1, 2, 4, 8)
    attention_dp: tuple[int, ...] = (1, 2, 4, 8, 16)
    pp: tuple[int, ...] = (1, 2)
    precisions: tuple[str, ...]
    kv_precisions: tuple[str, ...] = ("bf16",)
    drafts: tuple[int, ...] = (0, 1, 2, 3)
    batch_tokens: tuple[int, ...] = (2048, 8192, 16384)
    batch: tuple[int, ...] = (8, 16, 32, 64, 128, 256, 512, 1024)
    most_accelerators: int = 16
    workers: int = 4
    aggregated: bool = True


def configurations(
    architecture: Architecture, accelerator: Accelerator, engine: str, grid: Grid
) -> Iterator[Configuration]:
    """Every configuration of the grid, at the least batch limit; some cannot exist.

    Experts lie whole over all accelerators of a stage or are cut over them; both are looked at.
    """
    has_experts = any(g.experts for g in architecture.layers)
    drafts = grid.drafts if architecture.mtp_layers else (0,)
    for tp, dp, pp in product(grid.tp, grid.attention_dp if has_experts else (1,), grid.pp):
        if tp * dp * pp > grid.most_accelerators:
            continue
        spread = tp * dp if has_experts else 1
        for ep, precision, kv, drafted, tokens in product(
            sorted({1, spread}), grid.precisions, grid.kv_precisions, drafts, grid.batch_tokens
        ):
            yield Configuration(
                accelerator=accelerator.key,
                tp=tp,
                attention_dp=dp,
                pp=pp,
                ep=ep,
                precision=precision,
                kv_precision=kv,
                engine=engine,
                drafts=drafted,
                max_batch=grid.batch[0] * dp * pp,
                batch_tokens=tokens,
            )


def limited(configuration: Configuration, batch: int) -> Configuration:
    """The same with another limit of the sequences that a rank runs at once."""
    return msgspec.structs.replace(
        configuration, max_batch=batch * configuration.attention_dp * configuration.pp
    )
