"""One prediction: a model, an accelerator, a configuration, a load."""

from __future__ import annotations

import msgspec
import numpy as np

from neocloud.catalog import Accelerator, Architecture
from neocloud.perf import kernels
from neocloud.perf.closed_loop import Loop, aggregated
from neocloud.perf.constants import Fit
from neocloud.perf.fitted import step_numbers
from neocloud.perf.memory import memory
from neocloud.perf.numbers import StepNumbers
from neocloud.perf.records import Configuration, Load, Memory, StepTerms


class DoesNotFitError(ValueError):
    """Weights, activations and reserve leave no room for a KV cache: see `memory`."""

    def __init__(self, message: str, parts: Memory) -> None:
        super().__init__(message)
        self.memory = parts


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
    tokens_per_step: float
    """That a sequence gains: 1, and of those drafted the ones that are kept."""
    decode_step: StepTerms
    """Time of one decode step at that batch."""
    prefill_step: StepTerms
    """What a step that holds one whole prompt (at most what a step carries) alone takes."""
    roofline_decode_ms: float
    """The same decode step at the data sheet's peaks: the limit."""


def step_terms(
    architecture: Architecture,
    accelerator: Accelerator,
    configuration: Configuration,
    *,
    decodes: float = 0.0,
    decode_context: float = 0.0,
    prefill_tokens: float = 0.0,
    prefill_pairs: float | None = None,
    fit: Fit | None = None,
) -> StepTerms:
    """Time of one step of a rank by term. `prefill_pairs` None means a prompt without a past.

    The fit's factors are shared out over the terms. A step that the data sheet's peaks bound from
    below is stretched to that, so that the terms always add up to `kernels.step_seconds`.
    """
    pairs = kernels.causal_pairs(prefill_tokens) if prefill_pairs is None else prefill_pairs
    return terms_of(
        step_numbers(architecture, accelerator, configuration, fit),
        decodes,
        decode_context,
        prefill_tokens,
        pairs,
    )


def terms_of(
    n: StepNumbers, decodes: float, context: float, prefill: float, pairs: float
) -> StepTerms:
    """`step_terms` of a configuration's numbers."""
    work = tuple(np.float64(v) for v in (decodes, context, prefill, pairs))
    values = [float(v) for v in kernels.step_terms(n, *work)]
    total = sum(values)
    stretch = float(kernels.step_seconds(n, *work)) / total if total else 0.0
    weights, kv_read, attention, collectives, floor, host = (v * stretch for v in values)
    return StepTerms(
        weights=weights,
        kv_read=kv_read,
        prefill_attention=attention,
        collectives=collectives,
        floor=floor,
        host=host,
    )


def predict(
    architecture: Architecture,
    accelerator: Accelerator,
    configuration: Configuration,
    load: Load,
    concurrency: int,
    fit: Fit | None = None,
) -> Prediction:
    """Predict the closed loop of `concurrency` requests on one replica.

    Args:
        architecture: the model.
        accelerator: what it runs on.
        configuration: how it runs.
        load: lengths of the requests.
        concurrency: requests in flight, of the whole replica.
        fit: fitted parameters; None for the shipped ones.

    Raises:
        DoesNotFitError: the model leaves no room for a KV cache.
        ConfigurationError, MissingFigureError, NoParametersError: see `step_numbers`.
    """
    n = step_numbers(architecture, accelerator, configuration, fit)
    parts = memory(architecture, accelerator, configuration)
    if not parts.fits:
        raise DoesNotFitError(_does_not_fit(architecture, configuration, parts), parts)
    ranks = float(n.ranks * n.stages)
    loop = aggregated(
        n,
        inputs=np.float64(load.input_tokens),
        outputs=np.float64(load.output_tokens),
        concurrency=np.float64(concurrency / ranks),
        room=np.float64(room_of(configuration, parts, load)),
        batch_tokens=np.float64(configuration.batch_tokens),
    )
    rate, batch = float(loop.requests_per_s), float(loop.batch)
    context = batch * load.context
    roof = kernels.roofline_seconds(
        n, np.float64(batch), np.float64(context), np.float64(0), np.float64(0)
    )
    watts = _watts(n, loop, load)
    accelerators = configuration.accelerators
    output_rate = rate * load.output_tokens
    chunk = min(load.input_tokens, configuration.batch_tokens)
    return Prediction(
        model=architecture.name,
        configuration=configuration,
        load=load,
        concurrency=concurrency,
        memory=parts,
        decode_batch=batch * ranks,
        ttft_ms=float(loop.ttft_s) * 1e3,
        tpot_ms=float(loop.tpot_s) * 1e3,
        requests_per_s=rate,
        output_tok_s_per_accelerator=output_rate / accelerators,
        total_tok_s_per_accelerator=rate * (load.input_tokens + load.output_tokens) / accelerators,
        watts_per_accelerator=watts / accelerators,
        joules_per_output_token=watts / output_rate,
        tokens_per_step=float(n.accepted),
        decode_step=terms_of(n, batch, context, 0.0, 0.0),
        prefill_step=terms_of(n, 0.0, 0.0, chunk, kernels.causal_pairs(chunk)),
        roofline_decode_ms=max(float(roof[0]), float(roof[1])) * 1e3,
    )


def room_of(configuration: Configuration, parts: Memory, load: Load) -> float:
    """Sequences that a rank can run at once: the batch limit's share, or what the cache holds.

    A sequence is counted at three quarters of its answer: engines reserve ahead of the tokens.
    """
    c = configuration
    held = parts.kv_tokens / c.pp / (load.input_tokens + 0.75 * load.output_tokens)
    return max(1.0, min(c.max_batch / (c.attention_dp * c.pp), held))


def _watts(n: StepNumbers, loop: Loop, load: Load) -> float:
    """Mean power of the replica: of a step with its share of prompts, that lasts as long."""
    seconds = loop.tpot_s * n.accepted
    prompt = loop.batch * n.accepted / load.output_tokens * load.input_tokens
    joules = kernels.step_joules(
        n,
        loop.batch,
        loop.batch * load.context,
        prompt,
        prompt * (load.input_tokens + 1.0) / 2.0,
        seconds,
    )
    return float(joules / seconds * n.stages)


def _does_not_fit(architecture: Architecture, configuration: Configuration, parts: Memory) -> str:
    giga = 1e-9
    return (
        f"{architecture.name} in {configuration.precision} does not fit "
        f"{configuration.accelerators} x "
        f"{configuration.accelerator}: each accelerator holds {parts.capacity * giga:.0f} GB, of "
        f"which the engine takes {configuration.memory_share:.0%}; weights need "
        f"{parts.weights * giga:.1f} GB, activations {parts.activations * giga:.1f} GB, reserve "
        f"{parts.reserve * giga:.1f} GB. Use a larger tp, a smaller precision or another "
        "accelerator."
    )
