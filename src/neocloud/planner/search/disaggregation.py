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

import msgspec
import numpy as np
from numpy.typing import NDArray

from neocloud.perf import Steady, memory, scaled, step_numbers, together
from neocloud.planner.search.candidates import CURVE, Candidate, Counts, Station, best_of, curve_of
from neocloud.planner.search.dominance import undominated
from neocloud.planner.search.grid import COARSE, FINE, limited
from neocloud.planner.search.states import DIP, States, in_time
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
    candidates: dict[tuple[object, ...], Candidate] = {}
    for i in range(len(kept.decoder)):
        whole = _whole(prefills, decoders, kept, i)
        if whole is not None:
            key = (whole.decode, whole.prefill, whole.max_rtt_ms)
            candidates[key] = whole
    best = best_of(tuple(candidates.values()))
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


def _whole(prefills: Prefills, decoders: Decoders, pairs: _Pairs, i: int) -> Candidate | None:
    """One combination as a whole, up to the largest batch that holds the objective."""
    q = decoders.question
    d, p = int(pairs.decoder[i]), int(pairs.prefill[i])
    x, y = int(pairs.prefill_workers[i]), int(pairs.decode_workers[i])
    rtt = -float(pairs.measures[i, -1])
    down = (COARSE[1] / COARSE[0]) ** (-np.arange(_BELOW * FINE, -1, -1) / FINE)
    replica = _Replica(prefills, decoders, d, p, x, y)
    below = replica.states(float(decoders.batch[d]) * down)
    rate = below.rate[0]
    holds = in_time(below.steady, q.objective, rtt)[0]
    worth = rate >= (1.0 - DIP) * np.maximum.accumulate(rate)
    last = int(np.logical_and.accumulate(holds & worth).sum()) - 1
    if last < 0:
        return None
    batch = float(decoders.batch[d]) * float(down[last])
    shares = np.array([*(share * batch for share in CURVE), batch])
    limit = q.grid.batch[int(below.limit[0, last])]
    decode = limited(decoders.runs[int(decoders.row[d])].configuration, limit)
    prefill = prefills.configurations[p]
    other = prefills.question
    return Candidate(
        decode=Station(
            configuration=decode,
            memory=memory(q.architecture, q.accelerator, decode),
            workers=y,
        ),
        prefill=Station(
            configuration=prefill,
            memory=memory(other.architecture, other.accelerator, prefill),
            workers=x,
        ),
        max_rtt_ms=rtt,
        curve=curve_of(replica.states(shares), replica.idle_watts),
    )


class _Replica:
    """x prefill and y decode workers together, at any load."""

    def __init__(
        self, prefills: Prefills, decoders: Decoders, d: int, p: int, x: int, y: int
    ) -> None:
        self._q = decoders.question
        self._x, self._y = x, y
        self._run = decoders.runs[int(decoders.row[d])]
        self._prefill = prefills.configurations[p]
        other = prefills.question
        # The hand-over is that of the prefill worker's kind.
        self._prefill_numbers = step_numbers(
            other.architecture,
            other.accelerator,
            self._prefill,
            other.predictor,
            layer=prefills.layer,
        )
        own, apart = self._run.configuration.accelerators, self._prefill.accelerators
        self._accelerators = y * own + x * apart
        self.idle_watts = y * own * float(self._run.numbers.idle_w) + x * apart * float(
            self._prefill_numbers.idle_w
        )

    def states(self, own: Array) -> States:
        """At mean batches of a decode rank, shape (batches,); the answer has one row."""
        run, q = self._run, self._q
        worker = own * run.ranks
        # Learned at requests in flight over all accelerators; those in prefill are few.
        load = self._y * worker / self._accelerators
        factor = run.correction.step_factor(load) * run.slower
        steady = together(
            scaled(self._prefill_numbers, factor),
            scaled(run.numbers, factor),
            q.load,
            worker,
            prefill_workers=self._x,
            decode_workers=self._y,
            batch_tokens=float(self._prefill.batch_tokens),
            max_batch=np.inf,
            kv_tokens=np.inf,
            percentile=q.objective.percentile,
        )
        return self._limited(steady)

    def _limited(self, steady: Steady) -> States:
        run, q = self._run, self._q
        limits = np.array([float(b * run.ranks) for b in q.grid.batch])
        needed = np.asarray(steady.batch_at_percentile) / self._y
        place = np.searchsorted(limits, needed - 1e-9)
        held = place < len(limits)
        place = np.minimum(place, len(limits) - 1)
        fits = np.asarray(steady.fits) & held & (needed * q.load.context <= run.kv_tokens[place])
        rows = {
            name: np.atleast_2d(np.broadcast_to(getattr(steady, name), needed.shape))
            for name in msgspec.structs.asdict(steady)
        }
        whole = Steady(**rows)
        whole = msgspec.structs.replace(
            whole,
            fits=fits[None, :],
            ttft_s=whole.ttft_s * run.later,
            ttft_s_at_percentile=whole.ttft_s_at_percentile * run.later,
        )
        return States(whole, place[None, :])
