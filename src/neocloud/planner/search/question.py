"""What the search is asked, and what a configuration that fits brings to it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neocloud.catalog import Accelerator, Architecture
from neocloud.perf import Configuration, Correction, Load, Predictor, StepNumbers
from neocloud.planner.search.grid import Grid
from neocloud.spec import Objective


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What the search is asked.

    Attributes:
        architecture: the model.
        accelerator: what it should run on.
        engine: what serves it: `vllm`, `sglang`.
        load: its requests.
        objective: its latency objective.
        grid: what is looked at.
        rtts_ms: round trips between the accelerator's site and the users.
        confidence: quantile of the prediction to plan at: 0.5 takes it as it is, at 0.8 four of
            five replicas are at least as fast as planned.
        predictor: what predictions rest on.
    """

    architecture: Architecture
    accelerator: Accelerator
    engine: str
    load: Load
    objective: Objective
    grid: Grid
    rtts_ms: tuple[float, ...] = (0.0,)
    confidence: float = 0.5
    predictor: Predictor


@dataclass(frozen=True, slots=True)
class Run:
    """A configuration whose weights leave room for a cache.

    Attributes:
        configuration: at the least batch limit of the grid.
        kv_tokens: that the cache of a replica holds, with each batch limit of the grid.
        numbers: of its steps, physics alone.
        correction: what measured neighbours change of them.
        slower: factor on its steps at the confidence asked for.
        later: factor on the time to the first token beyond that.
    """

    configuration: Configuration
    kv_tokens: NDArray[np.float64]
    numbers: StepNumbers
    correction: Correction
    slower: float = 1.0
    later: float = 1.0

    @property
    def ranks(self) -> int:
        """Ranks with sequences of their own, all stages."""
        return self.configuration.attention_dp * self.configuration.pp
