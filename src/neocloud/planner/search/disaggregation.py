"""Replicas in which prompts are worked on apart from answers: x prefill and y decode workers.

Any prefill workers may feed any decode workers, on the same kind of accelerator or another. At each
distance, for each decode worker at its operating point, the prefill workers that hold the time to
the first token are combined with it in all numbers up to the grid's; what another combination
equals or beats in accelerators of each pool and power for each request, in size and in reach is
dropped. What is left is evaluated as a whole, and takes what it then takes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from neocloud.perf import Steady, memory, scaled, stack, together
from neocloud.planner.search.candidates import Candidate, Counts, Station, best_of
from neocloud.planner.search.curves import SHARES, Curves
from neocloud.planner.search.dominance import undominated
from neocloud.planner.search.grid import COARSE, FINE, limited
from neocloud.planner.search.states import States, in_time, leading
from neocloud.planner.search.stations import Decoders, Prefills

Array = NDArray[np.float64]
_BELOW = 12
"""Times 30 per cent below a decode worker's operating point: where prefill workers bind."""


@dataclass(frozen=True, slots=True)
class _Pairs:
    """Combinations as vectors: places of decoder and prefill worker, numbers of workers."""

    decoder: NDArray[np.int64]
    prefill: NDArray[np.int64]
    decode_workers: NDArray[np.int64]
    prefill_workers: NDArray[np.int64]
    measures: Array

    def take(self, which: NDArray[np.bool_]) -> _Pairs:
        return _Pairs(
            self.decoder[which],
            self.prefill[which],
            self.decode_workers[which],
            self.prefill_workers[which],
            self.measures[which],
        )


def disaggregated(
    prefills: Prefills, decoders: Decoders, rtts_ms: Sequence[float]
) -> tuple[tuple[Candidate, ...], Counts]:
    """Candidates of prefill workers of one kind and decode workers of one, and what was examined.

    Accelerators of both count apart, as if they stood in two pools.
    """
    fits = int(prefills.fits.sum())
    size = prefills.rate.size
    hopeless = Counts(examined=size, no_room=size - fits, too_slow=fits)
    if not len(decoders) or not fits:
        return (), hopeless
    found: list[_Pairs] = []
    for rtt in sorted(set(rtts_ms)):
        for d in range(len(decoders)):
            pairs = _with(prefills, decoders, d, rtt)
            if pairs is not None:
                found.append(pairs)
    if not found:
        return (), hopeless
    joined = _joined(found)
    kept = joined.take(undominated(joined.measures))
    best = best_of(_Replicas(prefills, decoders, kept).candidates())
    looked = len(joined.decoder)
    counts = Counts(
        examined=size + looked,
        no_room=size - fits,
        dominated=fits + looked - len(best),
        kept=len(best),
    )
    return best, counts


def _with(prefills: Prefills, decoders: Decoders, d: int, rtt_ms: float) -> _Pairs | None:
    """Prefill workers that are in time for one decoder, in all numbers of both."""
    q = decoders.question
    factor, later = float(decoders.factor[d]), float(decoders.later[d])
    late_s = (prefills.aside_s[:, None] + factor * prefills.late_s) * later
    holds = prefills.fits & (late_s * 1e3 + rtt_ms <= q.objective.ttft_ms)
    last = np.logical_and.accumulate(holds, axis=1).sum(axis=1) - 1
    rows = np.flatnonzero(last >= 0)
    if not len(rows):
        return None
    rate = prefills.rate[rows, last[rows]] / factor
    watts, size = prefills.watts[rows, last[rows]], prefills.size[rows]
    best = undominated(np.stack([size / rate, watts / rate, size], axis=1))
    rows, rate, watts, size = rows[best], rate[best], watts[best], size[best]
    numbers = np.arange(1, q.grid.workers + 1)
    p, x, y = (a.reshape(-1) for a in np.meshgrid(np.arange(len(rows)), numbers, numbers))
    both = np.minimum(x * rate[p], y * decoders.rate[d])
    on_prompts, on_answers = x * size[p], y * decoders.size[d]
    power = x * watts[p] + y * decoders.watts[d]
    measures = np.stack(
        [
            on_prompts / both,
            on_answers / both,
            power / both,
            on_prompts + on_answers,
            np.full(len(p), -rtt_ms),
        ],
        axis=1,
    )
    return _Pairs(np.full(len(p), d), rows[p], y, x, measures)


def _joined(pairs: Sequence[_Pairs]) -> _Pairs:
    return _Pairs(
        np.concatenate([p.decoder for p in pairs]),
        np.concatenate([p.prefill for p in pairs]),
        np.concatenate([p.decode_workers for p in pairs]),
        np.concatenate([p.prefill_workers for p in pairs]),
        np.concatenate([p.measures for p in pairs]),
    )


class _Replicas:
    """Combinations as a whole, each a row: x prefill and y decode workers at any load."""

    def __init__(self, prefills: Prefills, decoders: Decoders, pairs: _Pairs) -> None:
        def column(values: Any) -> Array:
            return np.asarray(values, dtype=np.float64)[:, None]

        q, other = decoders.question, prefills.question
        self._q, self._other, self._pairs = q, other, pairs
        self._runs = [decoders.runs[int(decoders.row[d])] for d in pairs.decoder]
        self._prefills = [prefills.configurations[int(p)] for p in pairs.prefill]
        self._prefill_numbers = stack([prefills.numbers[int(p)] for p in pairs.prefill])
        self._decode_numbers = stack([r.numbers for r in self._runs])
        self._top = column(decoders.batch[pairs.decoder])
        self._ranks = column(np.array([r.ranks for r in self._runs]))
        self._x, self._y = column(pairs.prefill_workers), column(pairs.decode_workers)
        own = column(np.array([r.configuration.accelerators for r in self._runs]))
        apart = column(np.array([c.accelerators for c in self._prefills]))
        self._accelerators = self._y * own + self._x * apart
        self._idle_watts = (
            self._y * own * self._decode_numbers.idle_w
            + self._x * apart * self._prefill_numbers.idle_w
        )

    def candidates(self) -> tuple[Candidate, ...]:
        """Each up to the largest batch that holds the objective; those that hold it at none not."""
        down = (COARSE[1] / COARSE[0]) ** (-np.arange(_BELOW * FINE, -1, -1) / FINE)
        rtts = -self._pairs.measures[:, -1]
        below = self._states(self._top * down)
        q = self._q
        holds = np.stack(
            [in_time(_row(below.steady, i), q.objective, rtt) for i, rtt in enumerate(rtts)]
        )
        last = leading(holds, below.rate)
        shares = np.array([*SHARES, 1.0])
        top = self._top * down[np.maximum(last, 0)][:, None]
        curves = Curves(self._states(top * shares))
        return tuple(
            self._candidate(int(i), float(rtts[i]), int(below.limit[i, last[i]]), curves)
            for i in np.flatnonzero(last >= 0)
        )

    def _candidate(self, i: int, rtt_ms: float, limit: int, curves: Curves) -> Candidate:
        q, other = self._q, self._other
        decode = limited(self._runs[i].configuration, q.grid.batch[limit])
        prefill = self._prefills[i]
        return Candidate(
            decode=Station(
                configuration=decode,
                memory=memory(q.architecture, q.accelerator, decode),
                workers=int(self._y[i, 0]),
            ),
            prefill=Station(
                configuration=prefill,
                memory=memory(other.architecture, other.accelerator, prefill),
                workers=int(self._x[i, 0]),
            ),
            max_rtt_ms=rtt_ms,
            curve=curves.curve(i, float(self._idle_watts[i, 0])),
        )

    def _states(self, own: Array) -> States:
        """At mean batches of a decode rank, shape (combinations, batches)."""
        q = self._q
        worker = own * self._ranks
        # Learned at requests in flight over all accelerators; those in prefill are few.
        load = self._y * worker / self._accelerators
        factor = np.stack(
            [r.correction.step_factor(load[i]) * r.slower for i, r in enumerate(self._runs)]
        )
        steady = together(
            scaled(self._prefill_numbers, factor),
            scaled(self._decode_numbers, factor),
            q.load,
            worker,
            prefill_workers=self._x,
            decode_workers=self._y,
            batch_tokens=np.array([[float(c.batch_tokens)] for c in self._prefills]),
            max_batch=np.inf,
            kv_tokens=np.inf,
            percentile=q.objective.percentile,
        )
        limits = np.array([float(b) for b in q.grid.batch])
        needed = np.asarray(steady.batch_at_percentile) / self._y
        place = np.searchsorted(limits, needed / self._ranks - 1e-9)
        held = place < len(limits)
        place = np.minimum(place, len(limits) - 1)
        kv = np.take_along_axis(np.stack([r.kv_tokens for r in self._runs]), place, axis=1)
        later = np.array([[r.later] for r in self._runs])
        whole = msgspec.structs.replace(
            steady,
            fits=np.asarray(steady.fits) & held & (needed * q.load.context <= kv),
            ttft_s=steady.ttft_s * later,
            ttft_s_at_percentile=steady.ttft_s_at_percentile * later,
        )
        return States(whole, place)


def _row(steady: Steady, i: int) -> Steady:
    """One row of what in_time looks at."""
    shape = np.shape(steady.requests_per_s)
    rows = {
        name: np.broadcast_to(value, shape)[i]
        for name, value in msgspec.structs.asdict(steady).items()
    }
    return Steady(**rows)
