"""One prediction: a model, an accelerator, a configuration, a load."""

from __future__ import annotations

import numpy as np

from neocloud.catalog import Accelerator, Architecture
from neocloud.perf import kernels
from neocloud.perf.closed_loop import Loop, aggregated
from neocloud.perf.correction import features, scaled
from neocloud.perf.fitted import step_numbers
from neocloud.perf.intervals import Bands, Interval
from neocloud.perf.memory import memory
from neocloud.perf.numbers import StepNumbers
from neocloud.perf.prediction import Intervals, Outputs, Prediction, nearness
from neocloud.perf.predictor import Predictor, shipped
from neocloud.perf.records import Configuration, Load, Memory, StepTerms


class DoesNotFitError(ValueError):
    """Weights, activations and reserve leave no room for a KV cache: see `memory`."""

    def __init__(self, message: str, parts: Memory) -> None:
        super().__init__(message)
        self.memory = parts


def step_terms(
    architecture: Architecture,
    accelerator: Accelerator,
    configuration: Configuration,
    *,
    decodes: float = 0.0,
    decode_context: float = 0.0,
    prefill_tokens: float = 0.0,
    prefill_pairs: float | None = None,
    predictor: Predictor | None = None,
) -> StepTerms:
    """Time of one step of a rank by term. `prefill_pairs` None means a prompt without a past.

    The physics alone: a single step has no load that the learned part could go by. The fit's
    factors are shared out over the terms. A step that the data sheet's peaks bound from below is
    stretched to that, so that the terms always add up to `kernels.step_seconds`.
    """
    pairs = kernels.causal_pairs(prefill_tokens) if prefill_pairs is None else prefill_pairs
    return terms_of(
        step_numbers(architecture, accelerator, configuration, predictor),
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
    predictor: Predictor | None = None,
) -> Prediction:
    """Predict the closed loop of `concurrency` requests on one replica.

    Args:
        architecture: the model.
        accelerator: what it runs on.
        configuration: how it runs.
        load: lengths of the requests.
        concurrency: requests in flight, of the whole replica.
        predictor: what it rests on; None for the shipped one.

    Raises:
        DoesNotFitError: the model leaves no room for a KV cache.
        ConfigurationError, MissingFigureError, NoParametersError: see `step_numbers`.
    """
    used = predictor or shipped()
    plain = step_numbers(architecture, accelerator, configuration, used)
    parts = memory(architecture, accelerator, configuration)
    if not parts.fits:
        raise DoesNotFitError(_does_not_fit(architecture, configuration, parts), parts)
    step, first, explained = 1.0, 1.0, 0.0
    if used.learned is not None:
        # Those that wait for a place outside change nothing inside.
        most = room_of(configuration, parts, load) * float(plain.ranks * plain.stages)
        in_flight = min(float(concurrency), most) / configuration.accelerators
        case = [features(architecture, accelerator, configuration, load, in_flight, used)]
        step, first = (float(np.exp(-errors[0])) for errors in used.learned.errors(case))
        explained = float(used.learned.explained(case)[0])
    physics = _Closed(plain, configuration, parts, load, concurrency, 1.0)
    found = _Closed(scaled(plain, step), configuration, parts, load, concurrency, first)
    n, batch = found.numbers, float(found.loop.batch)
    outputs = found.outputs()
    chunk = min(load.input_tokens, configuration.batch_tokens)
    return Prediction(
        model=architecture.name,
        configuration=configuration,
        load=load,
        concurrency=concurrency,
        memory=parts,
        decode_batch=batch * found.ranks,
        ttft_ms=outputs.ttft_ms,
        tpot_ms=outputs.tpot_ms,
        requests_per_s=found.rate,
        output_tok_s_per_accelerator=outputs.output_tok_s_per_accelerator,
        total_tok_s_per_accelerator=outputs.total_tok_s_per_accelerator,
        watts_per_accelerator=found.watts / configuration.accelerators,
        joules_per_output_token=outputs.joules_per_output_token,
        intervals=None if used.bands is None else _intervals(used.bands, outputs, explained),
        explained=explained,
        nearness=nearness(explained),
        physics=physics.outputs(),
        tokens_per_step=float(n.accepted),
        decode_step=terms_of(n, batch, batch * load.context, 0.0, 0.0),
        prefill_step=terms_of(n, 0.0, 0.0, chunk, kernels.causal_pairs(chunk)),
        roofline_decode_ms=found.least_step_s * 1e3,
        roofline_requests_per_s=found.most_requests_per_s,
    )


class _Closed:
    """One closed loop of a replica, solved; `first` is a factor on the time to the first token."""

    def __init__(
        self,
        numbers: StepNumbers,
        configuration: Configuration,
        parts: Memory,
        load: Load,
        concurrency: int,
        first: float,
    ) -> None:
        n = self.numbers = numbers
        self.load, self.accelerators = load, configuration.accelerators
        self.ranks = float(n.ranks * n.stages)
        room = room_of(configuration, parts, load)
        self.loop = aggregated(
            n,
            inputs=np.float64(load.input_tokens),
            outputs=np.float64(load.output_tokens),
            concurrency=np.float64(concurrency / self.ranks),
            room=np.float64(room),
            batch_tokens=np.float64(configuration.batch_tokens),
        )
        batch = np.float64(self.loop.batch)
        nothing = np.float64(0)
        memory_s, compute_s = kernels.roofline_seconds(
            n, batch, batch * load.context, nothing, nothing
        )
        pairs = kernels.causal_pairs(load.input_tokens)
        _, prompt_s = kernels.roofline_seconds(n, nothing, nothing, load.input_tokens, pairs)
        steps = load.output_tokens / float(n.accepted) / float(batch)
        self.least_step_s = max(float(memory_s), float(compute_s))
        least = max(steps * float(memory_s), steps * float(compute_s) + float(prompt_s))
        self.most_requests_per_s = self.ranks / least
        self.tpot_s = float(self.loop.tpot_s)
        answer = self.tpot_s * (load.output_tokens - 1.0)
        # The loop keeps to the data sheet's peaks; what is learned of the first token has to too.
        fastest = concurrency / self.most_requests_per_s - answer
        # What is learned of the first token holds for requests that have a place.
        waiting = float(self.loop.outside_s)
        inside = max(float(self.loop.ttft_s) - waiting, 0.0) * first
        self.ttft_s = max(inside + waiting, fastest)
        self.rate = concurrency / (self.ttft_s + answer)
        self.watts = _watts(n, self.loop, load)

    def outputs(self) -> Outputs:
        """In a user's units."""
        load, each = self.load, self.rate / self.accelerators
        return Outputs(
            total_tok_s_per_accelerator=each * (load.input_tokens + load.output_tokens),
            output_tok_s_per_accelerator=each * load.output_tokens,
            ttft_ms=self.ttft_s * 1e3,
            tpot_ms=self.tpot_s * 1e3,
            joules_per_output_token=self.watts / (self.rate * load.output_tokens),
        )


def _intervals(bands: Bands, outputs: Outputs, explained: float) -> Intervals:
    def around(output: str, value: float) -> Interval:
        return bands.interval(output, "closed", value, explained)

    share = around("throughput", 1.0)
    joules = outputs.joules_per_output_token
    return Intervals(
        total_tok_s_per_accelerator=around("throughput", outputs.total_tok_s_per_accelerator),
        output_tok_s_per_accelerator=around("throughput", outputs.output_tok_s_per_accelerator),
        ttft_ms=around("ttft", outputs.ttft_ms),
        tpot_ms=around("tpot", outputs.tpot_ms),
        # The most tokens at the same power are the least energy for each.
        joules_per_output_token=Interval(
            low_90=joules / share.high_90,
            low_50=joules / share.high_50,
            high_50=joules / share.low_50,
            high_90=joules / share.low_90,
        ),
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
