"""Report 10 (litellm 15740, 17814, 40572): one request is logged twice, by a bridge between APIs.

There also reading a stored response counted as use. Ours: one event for an admitted request, also
where it is translated; reading is no use.
"""

from __future__ import annotations

from collections import Counter

import pytest
from tests.fakes.upstream import Upstream
from tests.gateway.world import KEY, authorization, fetch

from .stage import PATHS, STREAMING, Stage, before, body_of

TRANSLATED = frozenset({"chat", "embeddings"})
"""What an engine speaks to which responses and messages are translated."""


@pytest.mark.parametrize("speaks", [None, TRANSLATED])
def test_report_10_one_event_a_request_in_every_api(tmp_path, speaks):
    # Fails if the bridge settles beside the flight: twice as many events as requests. Seen to fail
    # with counters that are told twice.
    async def test(up: Stage, upstream: Upstream) -> None:
        asked: Counter[str] = Counter()
        for api in PATHS:
            if speaks and api == "completions":
                continue  # nobody translates it
            for stream in (False, True) if api in STREAMING else (False,):
                fields = {"stream": stream} if stream else {}
                answer = await up.post(api, body_of(api, "TOKENS=5", **fields))
                assert answer.status == 200
                asked[api] += 1
        events = await up.settled(asked.total())
        assert Counter(event.api for event in events) == asked
        assert upstream.count.totals.requests == asked.total()
        if speaks:
            assert set(upstream.count.totals.by_api) == speaks
        sums = up.gateway.traffic.sums.values()
        assert sum(each.requests for each in sums) == asked.total()
        assert sum(e.output_tokens for e in sums) == upstream.count.totals.completion_tokens

    before(tmp_path, test, speaks=speaks)


def test_report_10_reading_is_no_use(tmp_path):
    async def test(up: Stage, upstream: Upstream) -> None:
        made = await up.post("responses", body_of("responses"))
        await up.settled(1)
        for page in (
            "/v1/responses/fake-0", "/v1/responses/fake-0/input_items", "/v1/responses",
            "/v1/chat/completions", "/v1/chat/completions/fake-0", "/v1/models", "/v1/models/m",
            "/metrics", "/healthz", "/readyz",
        ):  # fmt: skip
            for method in (b"GET", b"DELETE"):
                await fetch(up.pool, method, page.encode(), authorization(KEY))
        for page in ("/v1/responses/fake-0/cancel", "/v1/messages/count_tokens"):
            answer = await up.post(page, body_of("messages"))
            assert answer.status == 404
        assert made.status == 200
        assert len(up.usage()) == 1
        assert upstream.count.totals.requests == 1

    before(tmp_path, test)
