"""What engines do on the wire, through the gateway: draining, full, left by a client, too long.

Truths 3, 4 and 10 to 13. `test_answers.py` has the rest.
"""

from __future__ import annotations

import asyncio
import json

import pytest
from tests.fakes.upstream import Upstream, running
from tests.gateway.reports.stage import PATHS, STREAMING, Stage, before, body_of, stage
from tests.gateway.world import Taker, run, until

from neocloud.gateway import Meter
from neocloud.ledger import Status


@pytest.mark.parametrize("kind", ["vllm", "sglang"])
def test_rows_03_and_04_a_draining_engine_fails_no_request(tmp_path, monkeypatch, kind):
    """vLLM answers 500 and a healthy `/health`, SGLang 503. What runs there ends with its usage."""
    monkeypatch.setattr("neocloud.gateway.metering.meter.PROBE_S", 0.05)

    async def test() -> None:
        async with running() as one, running() as two, stage(tmp_path, one, two, kind=kind) as up:
            meter = Meter(up.fleet, up.ledger)
            await meter.start()
            probing = asyncio.create_task(meter.run())
            up.fleet.states[1].in_flight = 1  # the first is chosen
            slow = Taker()
            up.send("chat", body_of("chat", "CHUNKS=20 PACE_MS=15", stream=True), slow)
            await slow.some.wait()
            up.fleet.states[1].in_flight = 0
            one.drain = kind
            for step in range(12):
                api = list(PATHS)[step % len(PATHS)]
                assert (await up.post(api, body_of(api))).status == 200
                await asyncio.sleep(0.02)
            await slow.ended.wait()
            assert slow.whole
            probing.cancel()
            await asyncio.gather(probing, return_exceptions=True)
            events = await up.settled(13)
            assert {event.status for event in events} == {Status.COMPLETED}
            (streamed,) = [event for event in events if event.streamed]
            assert (streamed.output_tokens, streamed.estimated) == (20, False)
            assert {e.replica for e in events if not e.streamed} == {up.fleet.states[1].replica}

    run(test)


@pytest.mark.parametrize("kind", ["vllm", "sglang", "llamacpp", "remote"])
def test_row_10_usage_is_asked_for_in_each_request_not_by_a_flag(tmp_path, kind):
    """A flag would switch it on for whoever else asks that engine; unstreamed needs none."""

    async def test(up: Stage, upstream: Upstream) -> None:
        for api in ("chat", "completions"):
            await up.post(api, body_of(api, stream=True))
            assert upstream.heard[-1].json()["stream_options"]["include_usage"] is True
            await up.post(api, body_of(api))
            assert "stream_options" not in upstream.heard[-1].json()

    before(tmp_path, test, kind=kind)


@pytest.mark.parametrize("stream", [True, False])
def test_row_11_a_full_engine_sends_requests_elsewhere(tmp_path, stream):
    """vLLM's bounded queue: 503 without `retry-after`. It is no failure of the replica."""

    async def test() -> None:
        async with running("FIRST_MS=40", max_open=2) as one, running("FIRST_MS=5") as two, stage(
            tmp_path, one, two
        ) as up:  # fmt: skip
            answers = await asyncio.gather(
                *(up.post("chat", body_of("chat", stream=stream)) for _ in range(30))
            )
            assert {answer.status for answer in answers} == {200}
            events = await up.settled(30)
            assert {event.status for event in events} == {Status.COMPLETED}
            await until(lambda: len(up.attempts()) == sum(e.attempts - 1 for e in events))
            assert {each.fault for each in up.attempts()} == {"status_503"}
            assert [state.breaker.opened for state in up.fleet.states] == [0, 0]
            assert one.count.totals.refused == len(up.attempts()) > 0

    run(test)


@pytest.mark.parametrize("api", PATHS)
def test_row_11_all_full_is_told_with_when_to_come_again(tmp_path, api):
    async def test(up: Stage, upstream: Upstream) -> None:
        answer = await up.post(api, body_of(api))
        assert answer.status == 503
        assert int(answer.headers[b"retry-after"]) >= 1
        said = json.loads(answer.body)
        assert (said.get("type") == "error") == (api == "messages")
        (event,) = await up.settled(1)
        assert event.status is Status.FAILED
        (state,) = up.fleet.states
        assert not state.breaker.opened

    before(tmp_path, test, words="FAULT=full")


def test_row_12_the_engines_counter_of_aborts_is_not_needed(tmp_path):
    """vLLM stops, and counts no abort: the ledger's own event says that it was one."""

    async def test(up: Stage, upstream: Upstream) -> None:
        for count, api in enumerate(STREAMING, 1):
            taker = Taker()
            call = up.send(api, body_of(api, "CHUNKS=10000 PACE_MS=5", stream=True, limit=10**4),
                           taker)  # fmt: skip
            await until(lambda taker=taker: b"t3 " in taker.body)
            call.abort()
            await up.settled(count)
            await until(lambda count=count: upstream.count.totals.aborted == count)
        assert {event.status for event in up.usage()} == {Status.ABORTED}
        assert upstream.count.totals.completion_tokens < 1000 * len(STREAMING)

    before(tmp_path, test)


@pytest.mark.parametrize("api", STREAMING)
def test_row_13_more_than_the_context_is_refused_once_and_ejects_nobody(tmp_path, api):
    """The engine says 400. It is the client's own mistake: no other replica is asked."""

    async def test() -> None:
        async with running(context=512) as one, running(context=512) as two, stage(
            tmp_path, one, two
        ) as up:  # fmt: skip
            for _ in range(12):
                answer = await up.post(api, body_of(api, limit=600))
                assert answer.status == 400
                assert b"exceed 512" in answer.body
            events = await up.settled(12)
            assert {(e.status, e.attempts, e.output_tokens) for e in events} == {
                (Status.FAILED, 1, 0)
            }
            assert [state.breaker.opened for state in up.fleet.states] == [0, 0]
            assert (await up.post(api, body_of(api, limit=100))).status == 200

    run(test)
