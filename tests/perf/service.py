"""A replica of the scheduler itself under load, to hold the steady state's formulas against."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neocloud.perf import Load, Memory, memory
from neocloud.replica import Limits, Request, replay

from .cases import CATALOG, Case

NOTHING = np.zeros(0, dtype=np.uint64)
_WARM_UP = 8
"""One part in this many of the requests is left out: the replica starts empty."""


@dataclass(frozen=True)
class Lengths:
    input_tokens: np.ndarray
    output_tokens: np.ndarray

    def load(self) -> Load:
        i, o = self.input_tokens.astype(float), self.output_tokens.astype(float)
        return Load(
            input_tokens=i.mean(),
            output_tokens=o.mean(),
            context_tokens=(o * (i + o / 2)).mean() / o.mean(),
            input_cv2=(i**2).mean() / i.mean() ** 2 - 1,
            input_at_percentile=float(np.quantile(i, 0.9)),
            typical_output_tokens=(o**-0.5).mean() ** -2,
        )

    def requests(self) -> list[Request]:
        return [
            Request(input_tokens=int(i), output_tokens=int(o), prefix_ids=NOTHING)
            for i, o in zip(self.input_tokens, self.output_tokens, strict=True)
        ]


def fixed(input_tokens: int, output_tokens: int, count: int) -> Lengths:
    return Lengths(np.full(count, input_tokens), np.full(count, output_tokens))


def from_trace(count: int, seed: int) -> Lengths:
    """Lengths of a recorded conversation service, drawn at random."""
    trace = CATALOG.trace("azure-conv")
    drawn = np.random.default_rng(seed).integers(0, len(trace.input_tokens), count)
    return Lengths(trace.input_tokens[drawn], trace.output_tokens[drawn])


def memory_of(c: Case) -> Memory:
    return memory(c.architecture, c.accelerator, c.configuration)


def limits(c: Case) -> Limits:
    return Limits(
        max_batch=c.configuration.max_batch,
        batch_tokens=c.configuration.batch_tokens,
        block_tokens=c.configuration.block_tokens,
        kv_blocks=memory_of(c).replica_kv_tokens // c.configuration.block_tokens,
        prefix_cache=False,
    )


@dataclass(frozen=True)
class Seen:
    ttft_s: float
    ttft_s_at_percentile: float
    tpot_s: float
    tpot_s_at_percentile: float
    requests_per_s: float
    decode_batch: float
    busy: float
    watts: float


def open_loop(c: Case, lengths: Lengths, rate: float, seed: int) -> Seen:
    """Serve the requests as they arrive, `rate` a second at random."""
    count = len(lengths.input_tokens)
    arrivals = np.cumsum(np.random.default_rng(seed).exponential(1.0 / rate, count))
    done = replay(lengths.requests(), arrivals.tolist(), limits(c), c.table)
    kept = done.served[count // _WARM_UP :]
    idle = (done.end_s - done.busy_s) * c.table.idle_watts
    rows = [(s.arrival_s, s.first_token_s, s.finish_s, s.output_tokens) for s in kept]
    return _seen(c, rows, done.busy_s / done.end_s, (done.joules + idle) / done.end_s)


def _seen(c: Case, rows: list, busy: float, watts: float) -> Seen:
    arrived, first, finished, tokens = np.array(rows).T
    # What passes outside of steps before the first token, the scheduler knows nothing of.
    ttft = first - arrived + float(c.numbers.first_token_s)
    several = tokens > 1
    each = (finished - first)[several] / (tokens[several] - 1)
    decoding = finished - first
    span = finished.max() - finished.min()
    return Seen(
        ttft_s=ttft.mean(),
        ttft_s_at_percentile=float(np.quantile(ttft, 0.9)),
        tpot_s=decoding.sum() / (tokens - 1).sum(),
        tpot_s_at_percentile=float(np.quantile(each, 0.9)),
        requests_per_s=(len(rows) - 1) / span,
        decode_batch=decoding.sum() / span,
        busy=busy,
        watts=watts,
    )
