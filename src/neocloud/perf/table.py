"""`StepTable`: what a step of one replica costs, looked up in microseconds.

The hand-over from the performance model to whatever runs steps: the emulated engine, a twin. A
measured table of the same form could stand in its place.
"""

from __future__ import annotations

import numpy as np

from neocloud.catalog import Accelerator, Architecture
from neocloud.perf import kernels
from neocloud.perf.numbers import StepNumbers, step_numbers
from neocloud.perf.records import Configuration, PrefillAttention, StepTableData


class StepTable:
    """Seconds and joules of a step, over decode batch, context and prefill tokens.

    Between grid points it interpolates linearly in each axis, which is exact for KV reads (bytes
    grow with batch times mean context). Below the first point it keeps the first value, above the
    last it continues the last cell's slope. Prefill attention is exact: closed form. Noise is not
    its business.
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
        i, u = kernels.cell(self._batch, len(self._batch), decodes)
        mean = decode_context / decodes if decodes else 0.0
        j, v = kernels.cell(self._context, len(self._context), mean)
        k, w = kernels.cell(self._prefill, len(self._prefill), prefill_tokens)
        at, by = (i, j, k), (u, v, w)
        seconds = kernels.interpolate(self.data.seconds, self._sizes, at, by)
        joules = kernels.interpolate(self.data.joules, self._sizes, at, by)
        if prefill_tokens:
            more_seconds, more_joules = self._attention(prefill_tokens, prefill_pairs)
            seconds += more_seconds
            joules += more_joules
        return seconds, joules

    @property
    def idle_watts(self) -> float:
        """Power of the replica while no step runs, its share of the hosts included."""
        return self.data.idle_watts

    def slowed(self, factor: float) -> StepTable:
        """The same table with every step `factor` times as long and as much energy."""
        a = self.data.attention
        return StepTable(
            StepTableData(
                decode_batch=self.data.decode_batch,
                mean_context=self.data.mean_context,
                prefill_tokens=self.data.prefill_tokens,
                seconds=tuple(s * factor for s in self.data.seconds),
                joules=tuple(j * factor for j in self.data.joules),
                attention=PrefillAttention(
                    flops_per_pair=a.flops_per_pair,
                    flops_per_window_pair=a.flops_per_window_pair,
                    window=a.window,
                    flops_per_s=a.flops_per_s / factor,
                    half_tokens=a.half_tokens,
                    watts=a.watts,
                    joules_per_flop=a.joules_per_flop * factor,
                ),
                idle_watts=self.data.idle_watts,
            )
        )

    def _attention(self, tokens: int, pairs: int) -> tuple[float, float]:
        """`kernels.prefill_attention_seconds` and its energy, on plain numbers."""
        a = self.data.attention
        flops = a.flops_per_pair * pairs + a.flops_per_window_pair * min(pairs, tokens * a.window)
        lost = tokens * a.half_tokens / 2.0 * (a.flops_per_pair + a.flops_per_window_pair)
        seconds = (flops + lost) / a.flops_per_s
        return seconds, seconds * a.watts + flops * a.joules_per_flop


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
    points = {0.0, 1.0}
    step = 8.0
    while step < largest:
        points.add(float(round(step)))
        step *= 2.0**0.5
    return tuple(sorted(points | {float(largest)}))


def _context_axis(window: float, longest: int) -> tuple[float, ...]:
    points = {0.0, float(longest)}
    if 0 < window < longest:
        points.add(window)  # where the windows are full the slope changes
    return tuple(sorted(points))


def table_of(numbers: StepNumbers, configuration: Configuration, longest: int) -> StepTable:
    """Tabulate the kernels for one configuration; `longest` is the longest context in tokens."""
    batch = _batch_axis(configuration.max_batch)
    context = _context_axis(float(numbers.window), longest)
    prefill = _prefill_axis(configuration.batch_tokens)
    b = np.array(batch)[:, None, None]
    c = np.array(context)[None, :, None] * b
    p = np.array(prefill)[None, None, :]
    nothing = np.zeros(1)
    seconds = kernels.step_seconds(numbers, b, c, p, nothing)
    joules = kernels.step_joules(numbers, b, c, p, nothing, seconds)
    return StepTable(
        StepTableData(
            decode_batch=batch,
            mean_context=context,
            prefill_tokens=prefill,
            seconds=tuple(seconds.ravel().tolist()),
            joules=tuple(joules.ravel().tolist()),
            attention=PrefillAttention(
                flops_per_pair=float(numbers.pair_flops),
                flops_per_window_pair=float(numbers.pair_window_flops),
                window=float(numbers.window),
                flops_per_s=float(numbers.attention_rate),
                half_tokens=float(numbers.prefill_half_tokens),
                watts=float(numbers.static_w * numbers.tp),
                joules_per_flop=float(numbers.dynamic_w * numbers.tp / numbers.peak_flops),
            ),
            idle_watts=float(numbers.idle_w * numbers.tp),
        )
    )


def step_table(
    architecture: Architecture, accelerator: Accelerator, configuration: Configuration
) -> StepTable:
    """Tabulate what a step costs for `configuration`, up to the model's longest context."""
    numbers = step_numbers(architecture, accelerator, configuration)
    return table_of(numbers, configuration, architecture.max_context)
