"""Random work for a replica: limits, requests that share beginnings, what happens when."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st

from neocloud.replica import Limits, Request


class Prices:
    """A step table that tells every composition apart."""

    def cost(self, decodes, decode_context, prefill_tokens, prefill_pairs):
        seconds = 1 + 0.25 * decodes + 2**-10 * decode_context + 0.5 * prefill_tokens
        return seconds + 2**-12 * prefill_pairs, 3 * seconds


def chained(words: tuple[int, ...]) -> tuple[int, ...]:
    """Ids of blocks whose contents are `words`: each depends on all before it."""
    ids, state = [], b""
    for word in words:
        state = hashlib.blake2b(state + bytes([word]), digest_size=8).digest()
        ids.append(int.from_bytes(state, "big"))
    return tuple(ids)


@dataclass(frozen=True)
class Job:
    prompt: int
    answer: int
    words: tuple[int, ...]

    def ids(self) -> tuple[int, ...]:
        return chained(self.words)

    def request(self) -> Request:
        return Request(
            input_tokens=self.prompt,
            output_tokens=self.answer,
            prefix_ids=np.array(self.ids(), dtype=np.uint64),
        )


@st.composite
def limits(draw) -> Limits:
    max_batch = draw(st.integers(1, 6))
    return Limits(
        max_batch=max_batch,
        batch_tokens=max_batch + draw(st.integers(0, 12)),
        block_tokens=draw(st.integers(1, 4)),
        kv_blocks=draw(st.integers(1, 24)),
        prefix_cache=draw(st.booleans()) or draw(st.booleans()),
        max_queue=draw(st.sampled_from((0, 0, 2, 5))),
    )


@st.composite
def jobs(draw, block_tokens: int) -> Job:
    prompt = draw(st.integers(1, 24))
    answer = draw(st.integers(1, 12))
    # Two kinds of block make shared beginnings likely; ids may stop early or go into the answer.
    most = (prompt + draw(st.sampled_from((0, 0, answer)))) // block_tokens
    words = draw(st.lists(st.integers(0, 1), max_size=most))
    if draw(st.booleans()):
        words = words + [0] * (most - len(words))
    return Job(prompt, answer, tuple(words))


@st.composite
def scenarios(draw):
    """Limits, and events: a job, ("abort", nth handle) or "tick" (a step begins, or ends)."""
    bounds = draw(limits())
    job = jobs(bounds.block_tokens)
    kinds = st.sampled_from(("job", "tick", "tick", "abort"))
    events: list = draw(st.lists(job, max_size=8))
    for kind in draw(st.lists(kinds, max_size=40)):
        if kind == "abort":
            events.append(("abort", draw(st.integers(0, 15))))
        else:
            events.append("tick" if kind == "tick" else draw(job))
    return bounds, events


def long_scenario(seed: int):
    """As `scenarios`, but hundreds of events drawn with numpy: crowded, with evictions."""
    rng = np.random.default_rng(seed)
    max_batch = int(rng.integers(1, 8))
    bounds = Limits(
        max_batch=max_batch,
        batch_tokens=max_batch + int(rng.integers(0, 30)),
        block_tokens=int(rng.integers(1, 5)),
        kv_blocks=int(rng.integers(8, 40)),
    )
    events: list = []
    for _ in range(300):
        kind = rng.random()
        if kind < 0.15:
            prompt, answer = int(rng.integers(1, 30)), int(rng.integers(1, 16))
            size = (prompt + int(rng.choice((0, answer)))) // bounds.block_tokens
            words = (rng.random(size) < 0.3).astype(int).tolist()
            events.append(Job(prompt, answer, tuple(words)))
        elif kind < 0.18:
            events.append(("abort", int(rng.integers(0, 45))))
        else:
            events.append("tick")
    return bounds, events
