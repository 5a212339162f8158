"""What engines do on the wire, through the gateway: how answers come, end and are counted.

Truths 1, 2, 5 to 9 and 14. Each was seen of a real engine (vLLM, SGLang, llama.cpp, transformers);
here the fake upstream does it. `test_places.py` has the rest.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.fakes.upstream import Upstream, running
from tests.gateway.reports.stage import PATHS, STREAMING, Stage, before, body_of, stage
from tests.gateway.world import run

from neocloud.ledger import Status

DONE = b"data: [DONE]\n\n"


@pytest.mark.parametrize("fault", ["closes", "closes-on-reuse"])
@pytest.mark.parametrize("stream", [True, False])
def test_row_01_keep_alive_that_lies_fails_no_request(tmp_path, fault, stream):
    """llama.cpp announces keep-alive and closes. Fails without a second try on a fresh one."""

    async def test(up: Stage, upstream: Upstream) -> None:
        for _ in range(5):
            for api in STREAMING:
                answer = await up.post(api, body_of(api, stream=stream))
                assert answer.status == 200
        events = await up.settled(5 * len(STREAMING))
        assert {event.status for event in events} == {Status.COMPLETED}
        assert {event.attempts for event in events} == {1}
        assert len(events) == upstream.count.totals.whole

    before(tmp_path, test, words=f"FAULT={fault} CHUNKS=3")


@pytest.mark.parametrize("api", STREAMING)
def test_row_02_done_after_an_error_is_no_success(tmp_path, api):
    """vLLM that is told to end. The client sees the error, the tenant pays nothing."""

    async def test(up: Stage, upstream: Upstream) -> None:
        words = "FAULT=error-done AFTER=2 CHUNKS=9"
        answer = await up.post(api, body_of(api, words, stream=True))
        assert (answer.status, b"EngineCore was shut down" in answer.body) == (200, True)
        if api in ("chat", "completions"):
            assert answer.body.endswith(DONE)  # the body is whole, as the engine's was
        (event,) = await up.settled(1)
        assert event.status is Status.FAILED

    before(tmp_path, test)


def test_row_02_a_replica_that_goes_on_so_is_let_alone(tmp_path):
    """Fails if the head of an answer counts as success: then no errors open a breaker."""

    async def test() -> None:
        async with running("FAULT=error-done AFTER=1 CHUNKS=9") as bad, running() as good, stage(
            tmp_path, bad, good
        ) as up:  # fmt: skip
            for _ in range(40):
                await up.post("chat", body_of("chat", stream=True))
            events = await up.settled(40)
            first, second = up.fleet.states
            failed = [event for event in events if event.status is Status.FAILED]
            assert {event.replica for event in failed} == {first.replica}
            # five open it; a try after its back-off may be one more
            assert 5 <= len(failed) <= 7
            assert first.breaker.opened
            assert not second.breaker.opened
            bad.behaviour = good.behaviour
            first.breaker.until_s = 0.0  # its back-off is over
            up.fleet.changed()
            answers = [await up.post("chat", body_of("chat", stream=True)) for _ in range(10)]
            assert all(answer.body.endswith(DONE) for answer in answers)
            assert not first.breaker.opened

    run(test)


@pytest.mark.parametrize("api", STREAMING)
@pytest.mark.parametrize(("tokens", "chunks"), [(40, 7), (3, 11), (9, 9)])
def test_row_05_tokens_are_counted_from_usage_never_from_events(tmp_path, api, tokens, chunks):
    """Events hold several tokens or none: incomplete UTF-8 waits for the next."""

    async def test(up: Stage, upstream: Upstream) -> None:
        words = f"TOKENS={tokens} CHUNKS={chunks} SIZE=5 UTF8=true SPLIT=11"
        for stream in (True, False):
            assert (await up.post(api, body_of(api, words, stream=stream))).status == 200
        for event in await up.settled(2):
            assert (event.output_tokens, event.estimated) == (tokens, False)

    before(tmp_path, test)


@pytest.mark.parametrize("api", ["chat", "completions"])
@pytest.mark.parametrize("asks", [True, False])
def test_row_06_usage_after_the_finish_event_is_read_and_stripped(tmp_path, api, asks):
    async def test(up: Stage, upstream: Upstream) -> None:
        options = {"stream_options": {"include_usage": True}} if asks else {}
        words = "TOKENS=9 CHUNKS=4"
        answer = await up.post(api, body_of(api, words, stream=True, **options))
        assert answer.body.endswith(DONE)
        bare = [part for part in answer.body.split(b"\n\n") if b'"choices":[]' in part]
        assert len(bare) == asks
        (event,) = await up.settled(1)
        assert event.output_tokens == 9

    before(tmp_path, test, kind="remote")


@pytest.mark.parametrize("api", STREAMING)
def test_row_07_usage_in_the_finish_event_and_no_done(tmp_path, api):
    """transformers: the end of the body is a legal end."""

    async def test(up: Stage, upstream: Upstream) -> None:
        words = "USAGE=finish DONE=false TOKENS=9 CHUNKS=4 FAULT=until-close"
        taker = await up.taken(api, body_of(api, words, stream=True))
        assert (taker.status, taker.whole) == (200, True)
        (event,) = await up.settled(1)
        assert event.status is Status.COMPLETED
        assert (event.output_tokens, event.estimated) == (9, False)

    before(tmp_path, test, kind="remote")


@pytest.mark.parametrize("api", ["chat", "completions"])
def test_row_07_but_an_end_without_a_finish_is_none(tmp_path, api):
    async def test(up: Stage, upstream: Upstream) -> None:
        words = "DONE=false FAULT=truncate AFTER=4 CHUNKS=4"
        taker = await up.taken(api, body_of(api, words, stream=True))
        assert not taker.whole
        (event,) = await up.settled(1)
        assert event.status is Status.FAILED

    before(tmp_path, test)


@pytest.mark.parametrize(("kind", "asked"), [("vllm", True), ("sglang", True), ("remote", False)])
@pytest.mark.parametrize("api", ["chat", "completions", "messages", "responses"])
def test_row_08_usage_in_each_event_is_asked_for_and_stripped(tmp_path, api, kind, asked):
    async def test(up: Stage, upstream: Upstream) -> None:
        answer = await up.post(api, body_of(api, "TOKENS=9 CHUNKS=4", stream=True))
        options = upstream.heard[-1].json()["stream_options"]
        assert options["include_usage"] is True
        assert bool(options.get("continuous_usage_stats")) == asked
        if api in ("chat", "completions"):
            chunks = [part for part in answer.body.split(b"\n\n") if b'"choices":[{' in part]
            assert len(chunks) >= 5
            assert not any((json.loads(c.removeprefix(b"data: "))).get("usage") for c in chunks)

    before(tmp_path, test, kind=kind)


@pytest.mark.parametrize("api", ["chat", "completions"])
def test_row_08_a_stream_cut_in_its_midst_is_billed_exactly(tmp_path, api):
    """Failed, so not billed; but what was generated is on record by the engine's own count."""

    async def test(up: Stage, upstream: Upstream) -> None:
        words = "FAULT=truncate AFTER=3 CHUNKS=6 TOKENS=24 PROMPT=70 CACHED=16"
        await up.taken(api, body_of(api, words, stream=True))
        (event,) = await up.settled(1)
        assert (event.input_tokens, event.cached_tokens, event.output_tokens) == (70, 16, 12)
        assert not event.estimated

    before(tmp_path, test)


@pytest.mark.parametrize("told", [0, 48])
@pytest.mark.parametrize("api", STREAMING)
def test_row_09_cached_tokens_where_the_engine_tells_them(tmp_path, api, told):
    """vLLM and SGLang tell them only with a flag, which the planner sets: tests/planner/flags."""

    async def test(up: Stage, upstream: Upstream) -> None:
        cached = f"CACHED={told}" if told else ""
        for stream in (True, False):
            await up.post(api, body_of(api, f"PROMPT=100 {cached}", stream=stream))
        for event in await up.settled(2):
            assert (event.input_tokens, event.cached_tokens) == (100, told)

    before(tmp_path, test)


@pytest.mark.parametrize("status", [400, 413, 422])
@pytest.mark.parametrize("api", PATHS)
def test_row_14_an_engines_error_comes_in_the_words_of_the_api(tmp_path, api, status):
    async def test(up: Stage, upstream: Upstream) -> None:
        answer = await up.post(api, body_of(api, f"STATUS={status}"))
        assert answer.status == status
        assert answer.headers[b"x-request-id"]
        said: dict[str, Any] = json.loads(answer.body)
        assert said["error"]["message"] == "as told"
        assert (said.get("type") == "error") == (api == "messages")
        (event,) = await up.settled(1)
        assert event.status is Status.FAILED
        assert event.request_id == answer.headers[b"x-request-id"].decode()

    before(tmp_path, test)


def test_row_14_a_model_that_the_engine_does_not_know_is_the_operators_fault(tmp_path):
    async def test(up: Stage, upstream: Upstream) -> None:
        upstream.models = ("other",)
        for api in PATHS:
            assert (await up.post(api, body_of(api))).status == 502
        assert (await up.post("chat", body_of("chat", model="none"))).status == 404

    before(tmp_path, test)
