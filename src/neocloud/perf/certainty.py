"""How sure a prediction is: where measured values lie against it, by nearness to measured ones."""

from __future__ import annotations

import msgspec
import numpy as np

from neocloud.perf.correction import Situation, explained_of
from neocloud.perf.intervals import Interval
from neocloud.perf.prediction import nearness
from neocloud.perf.predictor import Predictor, shipped


class Certainty(msgspec.Struct, frozen=True, kw_only=True):
    """Measured over predicted, of rows that the fit had not seen; see docs/accuracy.md."""

    explained: float
    """Share of the physics' variance that measured neighbours explain: 1 where measured."""
    nearness: str
    """The same in words."""
    throughput: Interval
    ttft: Interval
    tpot: Interval


def certainty(
    asked: Situation, in_flight: float, predictor: Predictor | None = None
) -> Certainty | None:
    """How sure a prediction is at `in_flight` requests for each accelerator.

    None where the predictor was never judged.
    """
    used = predictor or shipped()
    if used.bands is None:
        return None
    explained = float(np.clip(explained_of([asked], in_flight, used)[0], 0.0, 1.0))
    throughput, ttft, tpot = (
        used.bands.interval(output, asked.mode, 1.0, explained)
        for output in ("throughput", "ttft", "tpot")
    )
    return Certainty(
        explained=explained,
        nearness=nearness(explained),
        throughput=throughput,
        ttft=ttft,
        tpot=tpot,
    )
