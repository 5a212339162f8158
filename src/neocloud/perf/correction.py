"""The learned part applied: a factor on the steps of one configuration, by its load.

A closed loop has one load, so one factor. In an open loop and in a scheduler the batch changes, and
the factor with it: a replica on which B sequences generate is taken for one that B requests in
flight hold there. The factor on the time to the first token is learned on closed loops, whose
waves an open loop does not have, and stays with them.

Where prefill is apart, one factor stands for both kinds of workers: that of the decode workers'
configuration, at the requests in flight in the whole deployment over all of its accelerators. So
it was learned and judged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from neocloud.catalog import Accelerator, Architecture
from neocloud.perf.features import Features, features_of
from neocloud.perf.learned import KNOTS, Correction, Learned
from neocloud.perf.numbers import StepNumbers
from neocloud.perf.predictor import Predictor, shipped
from neocloud.perf.records import Configuration, Load

_NONE = Correction(step=np.zeros(len(KNOTS)), first=np.zeros(len(KNOTS)))
CLOSED, DISAGGREGATED = "closed", "disaggregated"
_USUAL_LOAD = 8.0
"""Requests in flight for each accelerator: the median of measured closed loops."""


class Situation(msgspec.Struct, frozen=True):
    """A configuration and what it serves, as the learned part tells them apart.

    Attributes:
        architecture: the model.
        accelerator: what it runs on.
        configuration: how one replica runs; one decode worker where prefill is apart.
        load: lengths of the requests.
        mode: `closed`, or `disaggregated` where prefill is apart.
        layer: what hands over between the two, see `layer_of`; empty in one engine.
    """

    architecture: Architecture
    accelerator: Accelerator
    configuration: Configuration
    load: Load
    mode: str = CLOSED
    layer: str = ""


class Slower(msgspec.Struct, frozen=True, kw_only=True):
    """Factors on predictions, arrays over situations.

    Attributes:
        step: on the time of steps, so on the time per token.
        first: on the time to the first token.
    """

    step: NDArray[np.float64]
    first: NDArray[np.float64]


def layer_of(accelerator: Accelerator, engine: str, predictor: Predictor | None = None) -> str:
    """What splits prefill from generation under an engine, as in the newest measured rows.

    All such rows since the end of 2025 name one: on AMD's accelerators Mori, on NVIDIA's Dynamo.
    For an engine that was measured with neither it is empty: then that engine's own rows speak.
    """
    learned = (predictor or shipped()).learned
    layer = "mori" if accelerator.maker == "AMD" else "dynamo"
    known = () if learned is None else learned.table.names["engine"]
    return layer if f"{engine}/{layer}" in known else ""


def features(
    architecture: Architecture,
    accelerator: Accelerator,
    configuration: Configuration,
    load: Load,
    in_flight: float,
    predictor: Predictor,
) -> Features:
    """What the learned part compares, `in_flight` requests for each accelerator."""
    asked = Situation(architecture, accelerator, configuration, load)
    return _features(asked, in_flight, predictor)


def _features(asked: Situation, in_flight: float, predictor: Predictor) -> Features:
    return features_of(
        asked.architecture,
        asked.accelerator,
        asked.configuration,
        inputs=asked.load.input_tokens,
        outputs=asked.load.output_tokens,
        load=in_flight,
        mode=asked.mode,
        layer=asked.layer,
        year=predictor.year(asked.configuration.engine),
    )


def correction_of(
    architecture: Architecture,
    accelerator: Accelerator,
    configuration: Configuration,
    load: Load,
    predictor: Predictor | None = None,
    *,
    mode: str = CLOSED,
    layer: str = "",
) -> Correction:
    """Correction of a configuration at any load, for requests of the given lengths.

    See `Situation` for the arguments; `corrections_of` for many at once.
    """
    used = predictor or shipped()
    if used.learned is None:
        return _NONE
    asked = Situation(architecture, accelerator, configuration, load, mode, layer)
    return _correction(used.learned, _features(asked, 1.0, used))


@lru_cache(maxsize=4096)
def _correction(learned: Learned, at_one: Features) -> Correction:
    # Configurations of a search that differ in their batch limit share one.
    return learned.correction(at_one)


def corrections_of(
    asked: Sequence[Situation], predictor: Predictor | None = None
) -> list[Correction]:
    """Corrections of many configurations at any load, in their order: as `correction_of`."""
    used = predictor or shipped()
    if used.learned is None:
        return [_NONE] * len(asked)
    return used.learned.corrections([_features(a, 1.0, used) for a in asked])


def slower_by(
    asked: Sequence[Situation],
    confidence: float,
    predictor: Predictor | None = None,
    *,
    in_flight: float = _USUAL_LOAD,
) -> Slower:
    """How much slower than predicted runs may be, so that a share `confidence` of them is faster.

    From errors on rows left out whose nearness to measured neighbours was the same; see `Band`.

    Args:
        asked: what is predicted.
        confidence: 0.05 to 0.95; at 0.5 the predictions stand.
        predictor: what they rest on; None for the shipped one.
        in_flight: requests for each accelerator at which nearness is taken.

    Raises:
        ValueError: `confidence` is outside of its range, or the predictor has no bands.
    """
    used = predictor or shipped()
    if used.bands is None:
        raise ValueError("how far off this predictor is was never judged: it has no bands")
    explained = explained_of(asked, in_flight, used)
    modes = np.array([a.mode for a in asked], dtype=np.str_)
    step, first = np.ones(len(asked)), np.ones(len(asked))
    for mode in sorted(set(modes.tolist())):
        some = modes == mode
        step[some] = used.bands.band("tpot", mode).factor(explained[some], confidence)
        first[some] = used.bands.band("ttft", mode).factor(explained[some], confidence)
    return Slower(step=step, first=first)


def explained_of(
    asked: Sequence[Situation], in_flight: float, predictor: Predictor
) -> NDArray[np.float64]:
    """Share of the physics' variance that measured neighbours explain, of each; 0 far from all."""
    if predictor.learned is None:
        return np.zeros(len(asked))
    return predictor.learned.explained([_features(a, in_flight, predictor) for a in asked])


def scaled(numbers: StepNumbers, step: Any) -> StepNumbers:
    """The same with every step `step` times as long, by number or array that broadcasts.

    The kernels hold the result against the data sheet's peaks: no factor gets below them.
    """
    return replace(
        numbers,
        decode_factor=numbers.decode_factor * step,
        prefill_factor=numbers.prefill_factor * step,
    )
