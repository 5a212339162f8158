"""Report 7 (litellm 33736, 30630, 35958, 36008, 13245; pollinations 5594): a client hangs up.

There: no spend row, or a guess against the provider's full bill. Ours: whatever the stage, one
event, status aborted, with the engine's own count as far as it told one, else an estimate that is
marked and bounded; and the engine stops.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest
from tests.fakes.upstream import Upstream, running
from tests.gateway.scripted import PROMPT_TOKENS, event, streams, token, usage
from tests.gateway.world import KEY, Taker, run, until

from neocloud.gateway import TenantRule
from neocloud.ledger import Status, UsageEvent
from neocloud.quotas import TenantLimit
from neocloud.wire import Call

from .stage import PATHS, PRICE, STREAMING, Stage, before, body_of, rules_of, scripted, stage

ASKED = [
    *((api, None) for api in STREAMING),
    ("responses", frozenset({"responses"})),
    ("messages", frozenset({"messages"})),
]
"""APIs, and what the engine speaks in place of all: in native responses and messages it tells what
it generated at the end only, so that what is broken off is estimated."""
PACE_MS = 5
PACED_IN_A_SECOND = 1000 // PACE_MS


async def hung_up(
    up: Stage, api: str, body: bytes, when: Callable[[Taker], bool]
) -> tuple[Taker, UsageEvent]:
    """A client that leaves once `when` is true; what it saw, and the one event."""
    taker = Taker()
    call = up.send(api, body, taker)
    await until(lambda: when(taker))
    call.abort()
    (found,) = await up.settled(1)
    assert found.status is Status.ABORTED
    assert (found.api, found.attempts) == (api, 1)
    if taker.status:
        assert found.request_id == taker.request_id
    return taker, found


async def stopped(upstream: Upstream) -> Any:
    """The one request as the engine counted it, once it saw that nobody waits any more."""
    await until(lambda: upstream.count.totals.aborted == 1)
    (row,) = upstream.count.rows
    return row


@pytest.mark.parametrize("after", [1, 4, 99])
@pytest.mark.parametrize(("api", "speaks"), ASKED)
def test_report_07_mid_stream(tmp_path, api, speaks, after):
    # Fails if an abort leaves no event, or counts events: each holds two tokens. 99: after all
    # content and before the finish. Seen to fail where `_client_gone` only drops the call.
    seen = 2 * min(after, 6)

    async def test(up: Stage, upstream: Upstream) -> None:
        words = f"FAULT=stall AFTER={after} CHUNKS=6 TOKENS=12 PROMPT=77 CACHED=5"
        last = b"t%d " % (seen - 1)
        _, found = await hung_up(
            up, api, body_of(api, words, stream=True), lambda taker: last in taker.body
        )
        row = await stopped(upstream)
        assert row.completion_tokens == seen
        assert found.first_token_ns > 0
        assert found.estimated == (speaks is not None)
        if found.estimated:
            assert found.output_tokens == min(after, 6)  # events: at least a token each
            assert found.input_tokens > 0
        else:
            assert found.output_tokens == row.completion_tokens
            assert (found.input_tokens, found.cached_tokens) == (77, 5)

    before(tmp_path, test, speaks=speaks)


@pytest.mark.parametrize("api", STREAMING)
def test_report_07_an_engine_without_continuous_usage_is_estimated_and_marked(tmp_path, api):
    async def test(up: Stage, upstream: Upstream) -> None:
        # more events than tokens that were asked for: the estimate stays within these
        words = "FAULT=stall AFTER=5 CHUNKS=6 SIZE=4 PROMPT=77"
        body = body_of(api, words, stream=True, limit=3)
        _, found = await hung_up(up, api, body, lambda taker: taker.body.count(b"xxxx") >= 5)
        row = await stopped(upstream)
        assert found.estimated
        assert row.completion_tokens <= found.output_tokens == 3
        assert 0 < found.input_tokens <= len(words)

    before(tmp_path, test, kind="remote")


@pytest.mark.parametrize("api", STREAMING)
def test_report_07_the_engine_stops_within_a_second_of_its_own_pace(tmp_path, api):
    # Measured by the engine: tokens that it generates at its pace after the client has left. Fails
    # if the call is dropped with the answer's end only: it would generate all.
    async def test(up: Stage, upstream: Upstream) -> None:
        words = f"CHUNKS=100000 PACE_MS={PACE_MS}"
        body = body_of(api, words, stream=True, limit=100_000)
        _, found = await hung_up(up, api, body, lambda taker: b"t9 " in taker.body)
        row = await stopped(upstream)
        assert 10 <= row.completion_tokens <= 10 + PACED_IN_A_SECOND
        assert 10 <= found.output_tokens <= row.completion_tokens

    before(tmp_path, test)


@pytest.mark.parametrize("fault", ["black-hole", "stall-head"])
@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("api", PATHS)
def test_report_07_before_the_first_byte(tmp_path, api, fault, stream):
    async def test(up: Stage, upstream: Upstream) -> None:
        fields = {"stream": stream} if api in STREAMING else {}
        body = body_of(api, f"FAULT={fault}", **fields)
        taker, found = await hung_up(up, api, body, lambda _: upstream.count.totals.open == 1)
        row = await stopped(upstream)
        # of an unstreamed answer that comes no further than its head all was generated
        assert found.output_tokens == 0
        assert row.completion_tokens == 0 or (fault == "stall-head" and not stream)
        assert found.estimated
        assert taker.body == b""

    before(tmp_path, test)


@pytest.mark.parametrize("api", STREAMING)
def test_report_07_unstreamed_while_the_engine_generates(tmp_path, api):
    # Of such an answer the engine tells nothing: the estimate must not exceed what it generated.
    async def test(up: Stage, upstream: Upstream) -> None:
        body = body_of(api, f"CHUNKS=100000 PACE_MS={PACE_MS}", limit=100_000)
        _, found = await hung_up(
            up, api, body, lambda _: upstream.count.totals.completion_tokens >= 5
        )
        row = await stopped(upstream)
        assert row.completion_tokens <= 5 + PACED_IN_A_SECOND
        assert found.estimated
        assert found.output_tokens <= row.completion_tokens

    before(tmp_path, test)


def finishes() -> list[tuple[str, tuple[bytes, ...], bool]]:
    last = event(choices=[{"index": 0, "delta": {}, "finish_reason": "stop"}])
    told = event(choices=[], usage=usage(2))
    with_it = event(
        choices=[{"index": 0, "delta": {}, "finish_reason": "stop"}], usage=usage(2)
    )  # fmt: skip
    said = (token("t0 "), token("t1 "))
    return [
        ("after the finish event", (*said, last), False),
        ("after usage in the finish event", (*said, with_it), True),
        ("after usage, before [DONE]", (*said, last, told), True),
    ]


@pytest.mark.parametrize(("stage_name", "pieces", "told"), finishes())
@pytest.mark.parametrize("api", ["chat", "messages", "responses"])
def test_report_07_between_the_finish_and_done(tmp_path, api, stage_name, pieces, told):
    """The engine has said all that matters, and its answer is not whole yet."""

    async def test() -> None:
        async with (
            scripted(streams(*pieces, then="wait")) as (mock, url),
            stage(tmp_path, url, kind="remote") as up,
        ):
            _, found = await hung_up(
                up, api, body_of(api, stream=True),
                lambda taker: bool(mock.open) and b"t1 " in taker.body,
            )  # fmt: skip
            await mock.gone.wait()
            assert found.estimated != told
            assert found.output_tokens == 2
            if told:
                assert (found.input_tokens, found.cached_tokens) == (PROMPT_TOKENS, 2)

    run(test)


async def raw(up: Stage, data: bytes) -> None:
    """Send bytes and leave at once."""
    _, writer = await asyncio.open_connection(*up.server.address)
    writer.write(data)
    await writer.drain()
    writer.close()
    await writer.wait_closed()


def request(api: str, body: bytes, length: int) -> bytes:
    return (
        f"POST {PATHS[api]} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {KEY}\r\n"
        f"content-length: {length}\r\n\r\n"
    ).encode() + body


@pytest.mark.parametrize("api", PATHS)
def test_report_07_before_its_request_is_whole(tmp_path, api):
    # Not admitted: no event, and the engine is not asked.
    async def test(up: Stage, upstream: Upstream) -> None:
        body = body_of(api)
        for size in (0, 1, len(body) - 1):
            await raw(up, request(api, body[:size], len(body)))
        assert (await up.post(api, body)).status == 200  # whatever was to come has come
        (found,) = await up.settled(1)
        assert found.status is Status.COMPLETED
        assert upstream.count.totals.requests == 1

    before(tmp_path, test)


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("api", STREAMING)
def test_report_07_as_soon_as_it_is_sent(tmp_path, api, stream):
    # The end of the connection comes with the request, before the engine was connected to.
    count = 20

    async def test(up: Stage, upstream: Upstream) -> None:
        body = body_of(api, "FAULT=stall AFTER=1 CHUNKS=6", stream=stream)
        for _ in range(count):
            await raw(up, request(api, body, len(body)))
        events = await up.settled(count)
        assert len(events) == count
        assert {found.status for found in events} == {Status.ABORTED}
        await until(lambda: not upstream.count.totals.open)
        assert upstream.count.totals.requests <= count

    before(tmp_path, test)


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("api", PATHS)
def test_report_07_while_it_waits_for_a_place(tmp_path, api, stream):
    """Who waits was not admitted: no event, no request to the engine, and all it held is back."""
    limit = TenantLimit(concurrent_requests=2, budget=10**9)

    async def test() -> None:
        async with (
            running("FAULT=black-hole") as upstream,
            stage(tmp_path, upstream, rules=rules_of({"acme": TenantRule(limit=limit)})) as up,
        ):
            (state,) = up.fleet.states
            state.target_concurrency = state.max_occupancy = 1.0
            up.fleet.changed()
            fields = {"stream": stream} if api in STREAMING else {}
            calls: list[Call] = []
            for _ in range(2):
                calls.append(up.send(api, body_of(api, **fields), Taker()))
                await until(
                    lambda: len(up.gateway.waiting) == len(calls) - 1 and up.ledger.open_requests
                )
            calls[1].abort()
            await until(lambda: not up.gateway.waiting)
            assert up.gateway.traffic.refused[499] == 1
            calls[0].abort()
            (found,) = await up.settled(1)
            assert found.status is Status.ABORTED
            await until(lambda: not upstream.count.totals.open)
            assert upstream.count.totals.requests == 1
            left = up.gateway.quotas.remaining("acme", time.monotonic())
            assert left.concurrent == 2
            assert left.budget == 10**9 - PRICE.of(found)

    run(test)
