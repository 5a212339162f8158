"""Report 1 (litellm 13280): 8 spend rows for 9 requests, and a large gap to the provider's invoice.

Ours: over a mix of APIs, streams, places of usage and clients that hang up, the ledger's sums equal
the upstream's own count, to the request and to the token. The environment variable
NEOCLOUD_MIXED_REQUESTS sets how many: 1000000 for the run of the report. `make soak` kills besides.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections import Counter
from typing import Any

import pytest
from tests.gateway.world import Taker, authorization, until

from neocloud.ledger import Reader, Status

from .stage import PATHS, STREAMING, Stage, before, body_of

REQUESTS = int(os.environ.get("NEOCLOUD_MIXED_REQUESTS", "6000"))
CLIENTS = 24
SEED = 13280
TOLD = ("own", "last", "finish", "each", "cumulative", "null")
EXACT = ("chat", "completions", "messages")
"""APIs whose usage this engine tells with each event, so that nothing of them is estimated."""


class Waiting(Taker):
    """Hangs up once it has seen a text."""

    def __init__(self, last: bytes) -> None:
        super().__init__()
        self.last = last
        self.call: Any = None

    def on_data(self, data: bytes) -> None:
        super().on_data(data)
        if self.last in self.body:
            self.call.abort()
            self.ended.set()


def asked(chance: random.Random) -> tuple[str, bytes, bytes]:
    """API and body of one of a mix; the text at which its client hangs up, empty for never."""
    tokens = chance.randint(1, 24)
    words = f"TOKENS={tokens} CHUNKS={chance.randint(1, tokens)} " + "word " * chance.randint(0, 40)
    words += f"PROMPT={chance.randint(3, 900)} "
    if chance.random() < 0.1:
        api, after = chance.choice(EXACT), chance.randint(1, 5)
        words += f"CACHED=1 FAULT=stall AFTER={after} CHUNKS=9 TOKENS=18"
        # each event has two tokens: after the fifth, t9 was the last
        return api, body_of(api, words, stream=True), b"t%d " % (2 * after - 1)
    api = chance.choice(list(PATHS))
    fields: dict[str, Any] = {}
    if api != "embeddings":  # whose usage does not tell them
        words += f"CACHED={chance.randint(-1, 3)} "
    if api in STREAMING and chance.random() < 0.6:
        fields["stream"] = True
        if api in ("chat", "completions"):
            words += f"USAGE={chance.choice(TOLD)} "
            if chance.random() < 0.4:
                fields["stream_options"] = {"include_usage": chance.random() < 0.7}
    if api in ("chat", "completions") and "USAGE" not in words and chance.random() < 0.2:
        fields["n"] = chance.randint(2, 3)
    return api, body_of(api, words, **fields), b""


async def client(up: Stage, chance: random.Random, left: list[int], seen: Counter[str]) -> None:
    """Ask one after the other, as long as any are left."""
    while left[0] > 0:
        left[0] -= 1
        api, body, last = asked(chance)
        taker = Waiting(last) if last else Taker()
        call = up.pool.request(b"POST", PATHS[api].encode(), taker, authorization(), body)
        if isinstance(taker, Waiting):
            taker.call = call
        await taker.ended.wait()
        assert taker.status == 200, taker.body
        seen["aborted" if last else "whole"] += 1
        seen[api] += 1


@pytest.mark.slow
def test_report_01_the_upstreams_own_count_equals_the_ledgers(tmp_path):
    # Fails by one for each event lost or doubled, and by its tokens for each misread usage. Seen to
    # fail with a settle that writes all but one of a thousand.
    async def test(up: Stage, upstream) -> None:
        left, seen = [REQUESTS], Counter[str]()
        await asyncio.gather(
            *(client(up, random.Random(SEED + n), left, seen) for n in range(CLIENTS))
        )
        await until(lambda: not up.ledger.open_requests and not upstream.count.totals.open)
        ours: Counter[str] = Counter()
        for event in Reader(up.path).usage():
            assert not event.estimated, event
            ours["requests"] += 1
            ours[event.status] += 1
            ours["by_" + event.api] += 1
            ours["prompt"] += event.input_tokens
            ours["cached"] += event.cached_tokens
            ours["output"] += event.output_tokens
            if event.status is Status.COMPLETED:
                ours["whole_prompt"] += event.input_tokens
                ours["whole_output"] += event.output_tokens
        theirs = upstream.count.totals
        assert ours["requests"] == theirs.requests == REQUESTS
        assert (ours["completed"], ours["aborted"]) == (theirs.whole, theirs.aborted)
        assert (seen["whole"], seen["aborted"]) == (theirs.whole, theirs.aborted)
        assert seen["aborted"] > REQUESTS / 20
        assert ours["whole_prompt"] == theirs.whole_prompt_tokens
        assert ours["whole_output"] == theirs.whole_completion_tokens
        assert ours["prompt"] == theirs.prompt_tokens
        assert ours["output"] == theirs.completion_tokens
        assert ours["cached"] == theirs.cached_tokens
        assert {api: ours["by_" + api] for api in PATHS} == {api: seen[api] for api in PATHS}

    before(tmp_path, test, within_s=max(120.0, REQUESTS / 50))
