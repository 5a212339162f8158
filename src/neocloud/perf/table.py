"""`StepTable`: what a step of one replica costs, looked up in microseconds.

The hand-over from the performance model to whatever runs steps: the emulated engine, a twin. A
measured table of the same form could stand in its place.

A scheduler thinks of one replica and one token a sequence and step. A replica of several ranks
shares its sequences equally among them, and a prompt stands on one rank, for which the others wait
as in `mix`. Where a step gives more tokens to a sequence (drafts), a step here is that part of one
which gives one token.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from neocloud.catalog import Accelerator, Architecture
from neocloud.perf import kernels
from neocloud.perf.correction import correction_of, scaled
from neocloud.perf.fitted import step_numbers
from neocloud.perf.interpolation import cell, interpolate
from neocloud.perf.learned import Correction
from neocloud.perf.mix import coupling
from neocloud.perf.numbers import StepNumbers
from neocloud.perf.predictor import Predictor
from neocloud.perf.records import (
    Configuration,
    Load,
    PrefillAttention,
    StepPower,
    StepTableData,
)

_CONTEXTS_AN_OCTAVE = 0.5


class StepTable:
    """Seconds and joules of a step, over decode batch, context and prefill tokens.

    Between grid points it interpolates linearly in each axis, which is exact for KV reads (bytes
    grow with batch times mean context). Below the first point it keeps the first value, above the
    last it continues the last cell's slope. Prefill attention is exact: closed form. What a step
    takes at the least by the data sheet is tabulated beside what the model says, and the larger
    counts. Noise is not part of a step table.
    """

    __slots__ = ("_batch", "_context", "_prefill", "_sizes", "data")

    def __init__(self, data: StepTableData) -> None:
        self.data = data
        self._batch = data.decode_batch
        self._context = data.mean_context
        self._prefill = data.prefill_tokens
        self._sizes = (len(self._context), len(self._prefill))

    def cost(
        self, decodes: int, decode_context: int, prefill_tokens: int, prefill_pairs: int
    ) -> tuple[float, float]:
        """Seconds and joules of one step of the whole replica.

        Args:
            decodes: sequences that generate one token each.
            decode_context: tokens that they attend to, summed.
            prefill_tokens: prompt tokens computed.
            prefill_pairs: (query, key) pairs of their attention: for each prefilled token, the
                tokens up to and including itself.
        """
        i, u = cell(self._batch, len(self._batch), decodes)
        mean = decode_context / decodes if decodes else 0.0
        j, v = cell(self._context, len(self._context), mean)
        seconds, work = self._of_rank((i, j, 0), (u, v, 0.0), 0, 0)
        accepted = self.data.accepted
        if not prefill_tokens:
            seconds, work = seconds / accepted, work / accepted
        else:
            k, w = cell(self._prefill, len(self._prefill), prefill_tokens)
            both, both_work = self._of_rank((i, j, k), (u, v, w), prefill_tokens, prefill_pairs)
            added = both - seconds + self.data.prompt_s
            added_work = both_work - work
            # With one rank and no drafts this is `both` and the prompt's admission.
            seconds = seconds / accepted + added * self.data.prompt_weight
            work = work / accepted + added_work * self.data.prompt_work
        power = self.data.power
        return seconds, power.static_w * seconds + power.dynamic_w * min(seconds, work)

    def _of_rank(
        self,
        at: tuple[int, int, int],
        by: tuple[float, float, float],
        tokens: int,
        pairs: int,
    ) -> tuple[float, float]:
        """`kernels.step_seconds` of a rank, and how long it is busy at the data sheet's peaks."""
        d, sizes = self.data, self._sizes
        seconds = interpolate(d.seconds, sizes, at, by)
        memory = interpolate(d.memory_s, sizes, at, by)
        compute = interpolate(d.compute_s, sizes, at, by)
        if tokens:
            a = d.attention
            flops = (
                a.flops_per_pair * pairs
                + a.flops_per_window_pair * min(pairs, tokens * a.window)
                + a.flops_per_recent_pair * min(pairs, tokens * a.recent)
            )
            each = a.flops_per_pair + a.flops_per_window_pair + a.flops_per_recent_pair
            if pairs:
                # Beyond the largest batch the last value stays: a line might fall below nothing.
                near, far = a.s_per_flop[at[0] : at[0] + 2]
                s_per_flop = near + min(by[0], 1.0) * (far - near)
                seconds += (flops + tokens * a.half_tokens / 2.0 * each) * s_per_flop
            compute += flops / a.peak_flops
        return max(seconds, memory, compute), memory + compute

    @property
    def idle_watts(self) -> float:
        """Power of the replica while no step runs, its share of the hosts included."""
        return self.data.idle_watts

    def slowed(self, factor: float) -> StepTable:
        """The same table with every step `factor` times as long and as much energy."""
        d, a = self.data, self.data.attention
        return StepTable(
            StepTableData(
                decode_batch=d.decode_batch,
                mean_context=d.mean_context,
                prefill_tokens=d.prefill_tokens,
                seconds=tuple(s * factor for s in d.seconds),
                memory_s=tuple(s * factor for s in d.memory_s),
                compute_s=tuple(s * factor for s in d.compute_s),
                attention=PrefillAttention(
                    flops_per_pair=a.flops_per_pair,
                    flops_per_window_pair=a.flops_per_window_pair,
                    window=a.window,
                    flops_per_recent_pair=a.flops_per_recent_pair,
                    recent=a.recent,
                    s_per_flop=tuple(s * factor for s in a.s_per_flop),
                    peak_flops=a.peak_flops / factor,
                    half_tokens=a.half_tokens,
                ),
                power=d.power,
                accepted=d.accepted,
                prompt_s=d.prompt_s * factor,
                prompt_weight=d.prompt_weight,
                prompt_work=d.prompt_work,
                idle_watts=d.idle_watts,
            )
        )


def _batch_axis(largest: int) -> tuple[float, ...]:
    """0 to `largest`, dense where launch and memory dominate, four points an octave beyond."""
    points = {0, 1, 2, 3, 4, 6, 8}
    step = 8.0
    while step < largest:
        step *= 2.0**0.25
        points.add(min(round(step), largest))
    points = {p for p in points if p < largest} | {largest}
    return tuple(float(p) for p in sorted(points | {0, 1}))


def _prefill_axis(largest: int) -> tuple[float, ...]:
    """0 to `largest`, two points an octave; the first few all, where each token reads experts."""
    points = {float(count) for count in (0, 1, 2, 3, 4, 6) if count < largest}
    step = 8.0
    while step < largest:
        points.add(float(round(step)))
        step *= 2.0**0.5
    return tuple(sorted(points | {float(largest)}))


def _context_axis(n: StepNumbers, longest: int) -> tuple[float, ...]:
    """Where windows are full the slope changes; beside them, reads and FLOPs bend each other."""
    points = {0.0, float(longest)}
    inside = {float(w) for w in (n.window, n.recent) if 0 < w < longest}
    points |= inside
    if inside or n.state_bytes:
        step = 256.0
        while step < longest:
            points.add(step)
            step *= 2.0**_CONTEXTS_AN_OCTAVE
    return tuple(sorted(points))


def table_of(
    numbers: StepNumbers,
    configuration: Configuration,
    longest: int,
    correction: Correction | None = None,
) -> StepTable:
    """Tabulate the kernels for one configuration.

    Args:
        numbers: of the configuration, physics alone.
        configuration: how it runs.
        longest: the longest context, tokens.
        correction: the learned part's, taken at each decode batch; None for the physics alone.
    """
    batch = _batch_axis(configuration.max_batch)
    # A step without a decoding sequence carries one request's prompt at least.
    loads = np.maximum(batch, 1.0) / configuration.accelerators
    factors = np.ones(len(batch)) if correction is None else correction.step_factor(loads)
    factors = factors[:, None, None]
    n = scaled(numbers, factors)
    ranks = float(n.ranks * n.stages)
    context = _context_axis(n, longest)
    prefill = _prefill_axis(configuration.batch_tokens)
    b = np.array(batch)[:, None, None] / ranks
    c = np.array(context)[None, :, None] * b
    p = np.array(prefill)[None, None, :]
    nothing = np.zeros(1)
    memory, compute = kernels.roofline_seconds(n, b, c, p, nothing)
    replica = float(n.group * n.stages)
    return StepTable(
        StepTableData(
            decode_batch=batch,
            mean_context=context,
            prefill_tokens=prefill,
            seconds=_flat(kernels.free_seconds(n, b, c, p, nothing), b, c, p),
            memory_s=_flat(memory, b, c, p),
            compute_s=_flat(compute, b, c, p),
            attention=PrefillAttention(
                flops_per_pair=float(n.pair_flops),
                flops_per_window_pair=float(n.pair_window_flops),
                window=float(n.window),
                flops_per_recent_pair=float(n.pair_recent_flops),
                recent=float(n.recent),
                s_per_flop=_flat(n.prefill_factor / n.attention_rate, factors),
                peak_flops=float(n.peak_flops),
                half_tokens=float(n.prefill_half_tokens),
            ),
            power=StepPower(
                static_w=float(n.static_w) * replica, dynamic_w=float(n.dynamic_w) * replica
            ),
            accepted=float(n.accepted),
            prompt_s=float(n.host_prompt_s),
            prompt_weight=float(coupling(n)) / ranks,
            prompt_work=1.0 / ranks,
            idle_watts=float(n.idle_w) * replica,
        )
    )


def _flat(values: Any, *axes: Any) -> tuple[float, ...]:
    found = np.broadcast_to(values, np.broadcast_shapes(*(np.shape(axis) for axis in axes)))
    return tuple(found.ravel().tolist())


def step_table(
    architecture: Architecture,
    accelerator: Accelerator,
    configuration: Configuration,
    load: Load,
    predictor: Predictor | None = None,
) -> StepTable:
    """Tabulate what a step costs for `configuration`, up to the model's longest context.

    Args:
        architecture: the model.
        accelerator: what it runs on.
        configuration: how it runs.
        load: lengths of the requests: what the learned part goes by, besides the batch.
        predictor: what it rests on; None for the shipped one.
    """
    numbers = step_numbers(architecture, accelerator, configuration, predictor)
    correction = correction_of(architecture, accelerator, configuration, load, predictor)
    return table_of(numbers, configuration, architecture.max_context, correction)
