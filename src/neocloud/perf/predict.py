"""One prediction: a model, an accelerator, a configuration, a load."""

from __future__ import annotations

import msgspec
import numpy as np

from neocloud.catalog import Accelerator, Architecture
from neocloud.perf import kernels, steady
from neocloud.perf.memory import memory
from neocloud.perf.numbers import step_numbers
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
    ttft_ms: float
    tpot_ms: float
    requests_per_s: float
    output_tok_s_per_accelerator: float
    total_tok_s_per_accelerator: float
    watts_per_accelerator: float
    joules_per_output_token: float
    decode_step: StepTerms
    """Time of one decode step at that batch."""
    prefill_step: StepTerms
    """Time of one step that holds one whole prompt (at most what a step carries) alone."""
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
) -> StepTerms:
    """Time of one step by term. `prefill_pairs` None means a prompt without a past."""
    n = step_numbers(architecture, accelerator, configuration)
    pairs = kernels.causal_pairs(prefill_tokens) if prefill_pairs is None else prefill_pairs
    values = kernels.terms(
        n,
        np.float64(decodes),
        np.float64(decode_context),
        np.float64(prefill_tokens),
        np.float64(pairs),
    )
    weights, kv_read, attention, collectives, floor, host = (float(v) for v in values)
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
) -> Prediction:
    """Predict the closed loop of `concurrency` requests on one replica.

    Raises:
        DoesNotFitError: the model leaves no room for a KV cache.
        ConfigurationError, MissingFigureError, NoParametersError: see `step_numbers`.
    """
    parts = memory(architecture, accelerator, configuration)
    if not parts.fits:
        raise DoesNotFitError(_does_not_fit(architecture, configuration, parts), parts)
    n = step_numbers(architecture, accelerator, configuration)
    s = steady.at_concurrency(
        n,
        load,
        np.float64(concurrency),
        batch_tokens=float(configuration.batch_tokens),
        max_batch=float(configuration.max_batch),
        kv_tokens=float(parts.kv_tokens),
    )
    rate, batch = float(s.requests_per_s), float(s.decode_batch)
    chunk = min(load.input_tokens, configuration.batch_tokens)
    roof = kernels.roofline_seconds(
        n, np.float64(batch), np.float64(batch * load.context), np.float64(0), np.float64(0)
    )
    watts = float(s.watts) / configuration.tp
    output_rate = rate * load.output_tokens
    return Prediction(
        model=architecture.name,
        configuration=configuration,
        load=load,
        concurrency=concurrency,
        memory=parts,
        decode_batch=batch,
        ttft_ms=float(s.ttft_s) * 1e3,
        tpot_ms=float(s.tpot_s) * 1e3,
        requests_per_s=rate,
        output_tok_s_per_accelerator=output_rate / configuration.tp,
        total_tok_s_per_accelerator=rate
        * (load.input_tokens + load.output_tokens)
        / configuration.tp,
        watts_per_accelerator=watts,
        joules_per_output_token=float(s.watts) / output_rate,
        decode_step=step_terms(
            architecture,
            accelerator,
            configuration,
            decodes=batch,
            decode_context=batch * load.context,
        ),
        prefill_step=step_terms(architecture, accelerator, configuration, prefill_tokens=chunk),
        roofline_decode_ms=max(float(roof[0]), float(roof[1])) * 1e3,
    )


def _does_not_fit(architecture: Architecture, configuration: Configuration, parts: Memory) -> str:
    giga = 1e-9
    return (
        f"{architecture.name} in {configuration.precision} does not fit {configuration.tp} x "
        f"{configuration.accelerator}: each accelerator holds {parts.capacity * giga:.0f} GB, of "
        f"which the engine takes {configuration.memory_share:.0%}; weights need "
        f"{parts.weights * giga:.1f} GB, activations {parts.activations * giga:.1f} GB, reserve "
        f"{parts.reserve * giga:.1f} GB. Use a larger tp, a smaller precision or another "
        "accelerator."
    )
