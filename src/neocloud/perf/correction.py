"""The learned part applied: a factor on the steps of one configuration, by its load.

A closed loop has one load, so one factor. In an open loop and in a scheduler the batch changes, and
the factor with it: a replica on which B sequences generate is taken for one that B requests in
flight hold there. The factor on the time to the first token is learned on closed loops, whose
waves an open loop does not have, and stays with them.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np

from neocloud.catalog import Accelerator, Architecture
from neocloud.perf.features import Features, features_of
from neocloud.perf.learned import KNOTS, Correction, Learned
from neocloud.perf.numbers import StepNumbers
from neocloud.perf.predictor import Predictor, shipped
from neocloud.perf.records import Configuration, Load

_NONE = Correction(step=np.zeros(len(KNOTS)), first=np.zeros(len(KNOTS)))


def features(
    architecture: Architecture,
    accelerator: Accelerator,
    configuration: Configuration,
    load: Load,
    in_flight: float,
    predictor: Predictor,
) -> Features:
    """What the learned part compares, `in_flight` requests for each accelerator."""
    return features_of(
        architecture,
        accelerator,
        configuration,
        inputs=load.input_tokens,
        outputs=load.output_tokens,
        load=in_flight,
        year=predictor.year(configuration.engine),
    )


def correction_of(
    architecture: Architecture,
    accelerator: Accelerator,
    configuration: Configuration,
    load: Load,
    predictor: Predictor | None = None,
) -> Correction:
    """Correction of a configuration at any load, for requests of the given lengths."""
    used = predictor or shipped()
    if used.learned is None:
        return _NONE
    at_one = features(architecture, accelerator, configuration, load, 1.0, used)
    return _correction(used.learned, at_one)


@lru_cache(maxsize=4096)
def _correction(learned: Learned, at_one: Features) -> Correction:
    # Configurations of a search that differ in their batch limit share one.
    return learned.correction(at_one)


def scaled(numbers: StepNumbers, step: Any) -> StepNumbers:
    """The same with every step `step` times as long, by number or array that broadcasts.

    The kernels hold the result against the data sheet's peaks: no factor gets below them.
    """
    return replace(
        numbers,
        decode_factor=numbers.decode_factor * step,
        prefill_factor=numbers.prefill_factor * step,
    )
