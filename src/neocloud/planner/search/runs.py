"""Configurations of the grid that can exist and fit, with what their steps cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neocloud.perf import (
    Configuration,
    ConfigurationError,
    Predictor,
    Situation,
    Slower,
    corrections_of,
    replica_kv_tokens,
    slower_by,
    step_numbers,
)
from neocloud.planner.flags import LaunchError, check_drafts
from neocloud.planner.search.grid import configurations
from neocloud.planner.search.question import Question, Run

MEDIAN = 0.5
"""Confidence at which predictions stand as they are."""


@dataclass(frozen=True, slots=True)
class Runs:
    """What fits, and how many configurations there were beside it."""

    runs: tuple[Run, ...]
    configurations: int
    no_room: int


def runs_of(q: Question) -> Runs:
    """Look at every configuration of the grid on the question's accelerator."""
    fitting: list[tuple[Configuration, NDArray[np.float64]]] = []
    existing = no_room = 0
    for configuration in configurations(q.architecture, q.accelerator, q.engine, q.grid):
        tokens = kv_tokens_of(q, configuration)
        if tokens is None:
            continue  # does not exist, so it was never a point
        existing += 1
        if tokens[0] > 0.0:
            fitting.append((configuration, tokens))
        else:
            no_room += 1
    asked = [Situation(q.architecture, q.accelerator, c, q.load) for c, _ in fitting]
    corrections = corrections_of(asked, q.predictor)
    slower = slower_at(q.confidence, asked, q.predictor)
    kept = [
        Run(
            configuration=configuration,
            kv_tokens=tokens,
            numbers=step_numbers(q.architecture, q.accelerator, configuration, q.predictor),
            correction=correction,
            slower=float(step),
            later=float(first / step),
        )
        for (configuration, tokens), correction, step, first in zip(
            fitting, corrections, slower.step, slower.first, strict=True
        )
    ]
    return Runs(tuple(kept), existing, no_room)


def kv_tokens_of(q: Question, configuration: Configuration) -> NDArray[np.float64] | None:
    """Tokens that the cache of a replica holds at each batch limit of the grid.

    None if the configuration cannot exist; none at the least limit: its weights leave no room.
    """
    ranks = configuration.attention_dp * configuration.pp
    limits = np.array([float(batch * ranks) for batch in q.grid.batch])
    try:
        check_drafts(q.engine, q.architecture, configuration)
        return replica_kv_tokens(q.architecture, q.accelerator, configuration, limits)
    except (ConfigurationError, LaunchError):
        return None


def slower_at(confidence: float, asked: Sequence[Situation], predictor: Predictor | None) -> Slower:
    """Factors at a confidence; none where the prediction itself is planned with."""
    if confidence == MEDIAN or not asked:
        return Slower(step=np.ones(len(asked)), first=np.ones(len(asked)))
    return slower_by(asked, confidence, predictor)
