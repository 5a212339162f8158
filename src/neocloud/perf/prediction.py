"""What a prediction says: values, how sure they are, where the time goes."""

from __future__ import annotations

import msgspec

from neocloud.perf.intervals import Interval
from neocloud.perf.records import Configuration, Load, Memory, StepTerms

_NEAR = 0.7
_FAR = 0.3


class Outputs(msgspec.Struct, frozen=True, kw_only=True):
    """The values that are judged by measurements, power apart."""

    total_tok_s_per_accelerator: float
    output_tok_s_per_accelerator: float
    ttft_ms: float
    tpot_ms: float
    joules_per_output_token: float


class Intervals(msgspec.Struct, frozen=True, kw_only=True):
    """Where nine and where five of ten measured values lie, of each of the `Outputs`.

    From how far off predictions were on rows that the fit had not seen, at the same nearness to
    measured neighbours. Energy has no measurements to speak of: its interval is throughput's at the
    modelled power.
    """

    total_tok_s_per_accelerator: Interval
    output_tok_s_per_accelerator: Interval
    ttft_ms: Interval
    tpot_ms: Interval
    joules_per_output_token: Interval


class Prediction(msgspec.Struct, frozen=True, kw_only=True):
    """What one replica gives at a fixed concurrency. Power is modelled, judged on nothing yet."""

    model: str
    configuration: Configuration
    load: Load
    concurrency: int
    memory: Memory
    decode_batch: float
    """Sequences that generate at once on the replica, mean."""
    ttft_ms: float
    tpot_ms: float
    requests_per_s: float
    output_tok_s_per_accelerator: float
    total_tok_s_per_accelerator: float
    watts_per_accelerator: float
    joules_per_output_token: float
    intervals: Intervals | None
    """None where how far off predictions are is not known."""
    explained: float
    """Share of the physics' variance that measured neighbours explain: 1 where this very case was
    measured, 0 far from all."""
    nearness: str
    """The same in words: near, between or far."""
    physics: Outputs
    """The same without the learned part: what neighbours changed is the difference."""
    tokens_per_step: float
    """That a sequence gains: 1, and of those drafted the ones that are kept."""
    decode_step: StepTerms
    """Time of one decode step at that batch."""
    prefill_step: StepTerms
    """What a step that holds one whole prompt (at most what a step carries) alone takes."""
    roofline_decode_ms: float
    """The same decode step at the data sheet's peaks: the limit."""
    roofline_requests_per_s: float
    """Requests that memory and compute at these peaks would allow at that batch."""


def nearness(explained: float) -> str:
    """`Prediction.explained` in words."""
    if explained >= _NEAR:
        return "near: measured neighbours"
    if explained >= _FAR:
        return "between: measured relatives"
    return "far: physics alone"
