"""Prefill and decode workers of the scheduler itself, to hold the stations' formulas against.

Both are replicas of `neocloud.replica`: a prefill worker's requests end with their first token, a
decode worker works on prompts at no cost, as their caches come from elsewhere. Ranks are workers
of their own, so one of them is run, with its share of the requests.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from neocloud.perf import StepNumbers, kernels
from neocloud.replica import Limits, Replay, Request, replay

from .cases import Case
from .service import NOTHING, Lengths

_WARM_UP = 8
"""One part in this many of the requests is left out: the worker starts empty."""
_ANY = 1_000_000
"""More than is ever needed."""


class Rank:
    """Steps of one rank of a worker, by the kernels; joules of all ranks at the same step."""

    def __init__(self, numbers: StepNumbers) -> None:
        self._numbers = numbers
        self._cost = lru_cache(maxsize=None)(self._of_kernels)

    def _of_kernels(
        self, decodes: int, context: int, prefill: int, pairs: int, prompts: float
    ) -> tuple[float, float]:
        n = self._numbers
        work = tuple(np.float64(v) for v in (decodes, context, prefill, pairs))
        seconds = float(kernels.step_seconds(n, *work)) + prompts * float(n.host_prompt_s)
        return seconds, float(kernels.step_joules(n, *work, seconds)) * float(n.stages)


class PrefillRank(Rank):
    """A prompt's admission is shared out over its steps, as its tokens are."""

    def __init__(self, numbers: StepNumbers, mean_input: float) -> None:
        super().__init__(numbers)
        self._mean_input = mean_input

    def cost(
        self, decodes: int, decode_context: int, prefill_tokens: int, prefill_pairs: int
    ) -> tuple[float, float]:
        assert not decodes, "a prompt's first token is its last"
        prompts = prefill_tokens / self._mean_input
        return self._cost(0, 0, prefill_tokens, prefill_pairs, prompts)


class DecodeRank(Rank):
    """Prompts cost nothing here. Contexts are told apart by 64 tokens, steps by sequence."""

    def cost(
        self, decodes: int, decode_context: int, prefill_tokens: int, prefill_pairs: int
    ) -> tuple[float, float]:
        if not decodes:
            return 0.0, 0.0
        seconds, joules = self._cost(decodes, round(decode_context / 64) * 64, 0, 0, 0.0)
        accepted = float(self._numbers.accepted)
        return seconds / accepted, joules / accepted


@dataclass(frozen=True)
class Seen:
    ttft_s: float
    ttft_s_at_percentile: float
    tpot_s: float
    tpot_s_at_percentile: float
    decode_batch: float
    busy: float
    watts: float


def prefill_rank(c: Case, lengths: Lengths, rate: float, seed: int) -> Seen:
    """Work off the prompts as they arrive, `rate` a second at random."""
    done = _prefilled(c, lengths, _arrivals(len(lengths.input_tokens), rate, seed))
    return _seen(c, done)


def decode_rank(c: Case, lengths: Lengths, rate: float, seed: int) -> Seen:
    """Generate the answers whose caches arrive, `rate` a second at random."""
    return _seen(c, _decoded(c, lengths, _arrivals(len(lengths.input_tokens), rate, seed)))


def deployment(
    prefill: Case, decode: Case, lengths: Lengths, rate: float, decode_workers: int, seed: int
) -> tuple[Seen, Seen]:
    """One prefill worker that hands over to decode workers in turn, each of one rank.

    What the first of these sees comes second.
    """
    count = len(lengths.input_tokens)
    done = _prefilled(prefill, lengths, _arrivals(count, rate, seed))
    handed = np.empty(count)
    for s in done.served:
        handed[s.index] = s.first_token_s + float(prefill.numbers.transfer_s)
    mine = np.argsort(handed)[::decode_workers]
    own = Lengths(lengths.input_tokens[mine], lengths.output_tokens[mine])
    return _seen(prefill, done), _seen(decode, _decoded(decode, own, handed[mine]))


def _arrivals(count: int, rate: float, seed: int) -> np.ndarray:
    return np.cumsum(np.random.default_rng(seed).exponential(1.0 / rate, count))


def _prefilled(c: Case, lengths: Lengths, arrivals: np.ndarray) -> Replay:
    requests = [
        Request(input_tokens=int(i), output_tokens=1, prefix_ids=NOTHING)
        for i in lengths.input_tokens
    ]
    steps = PrefillRank(c.numbers, lengths.input_tokens.mean())
    return replay(requests, arrivals.tolist(), _limits(c.configuration.batch_tokens), steps)


def _decoded(c: Case, lengths: Lengths, arrivals: np.ndarray) -> Replay:
    steps = DecodeRank(c.numbers)
    return replay(lengths.requests(), arrivals.tolist(), _limits(_ANY), steps)


def _limits(batch_tokens: int) -> Limits:
    return Limits(
        max_batch=min(batch_tokens, 2048),
        batch_tokens=batch_tokens,
        block_tokens=16,
        kv_blocks=_ANY,
        prefix_cache=False,
    )


def _seen(c: Case, done: Replay) -> Seen:
    assert not done.refused and not done.preemptions
    kept = done.served[len(done.served) // _WARM_UP :]
    arrived, first, finished, tokens = np.array(
        [(s.arrival_s, s.first_token_s, s.finish_s, s.output_tokens) for s in kept]
    ).T
    idle = (done.end_s - done.busy_s) * float(c.numbers.idle_w * c.numbers.group * c.numbers.stages)
    several = tokens > 1
    decoding = finished - first
    each = decoding[several] / (tokens[several] - 1) if several.any() else np.full(1, np.nan)
    return Seen(
        ttft_s=(first - arrived).mean(),
        ttft_s_at_percentile=float(np.quantile(first - arrived, 0.9)),
        tpot_s=decoding.sum() / max((tokens - 1).sum(), 1),
        tpot_s_at_percentile=float(np.quantile(each, 0.9)),
        decode_batch=decoding.sum() / (finished.max() - finished.min()),
        busy=done.busy_s / done.end_s,
        watts=(done.joules + idle) / done.end_s,
    )
