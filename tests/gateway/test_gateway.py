"""The request path against engines that are well, ill, or break off."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from neocloud.ledger import KeyRing, KeyStore, Status
from neocloud.wire import Limits

from .scripted import DONE, PROMPT_TOKENS, Script, answers, event, says, streams, token, waits
from .world import (
    KEY,
    Taker,
    ask,
    authorization,
    before,
    refused_address,
    rules_with,
    run,
    until,
)

# who may, and what


def test_a_key_is_asked_for_and_a_revoked_one_refused(tmp_path: Path) -> None:
    async def test() -> None:
        async with before(tmp_path, answers()) as world:
            store = KeyStore(world.path)
            text, key = store.create("acme", "one", 1)
            world.gateway.callers.keys = KeyRing(store.keys())
            for headers in ((), authorization("nc-x"), ((b"authorization", b"Basic x"),)):
                answer = await world.post(ask(), headers)
                assert answer.status == 401
                assert answer.headers[b"www-authenticate"] == b"Bearer"
                assert json.loads(answer.body)["error"]["type"] == "authentication_error"
            assert (await world.post(ask(), authorization(text))).status == 200
            store.revoke(key.key_id, 2)
            world.gateway.callers.keys = KeyRing(store.keys())
            assert (await world.post(ask(), authorization(text))).status == 401
            (event,) = world.usage()
            assert (event.key_id, event.tenant) == (key.key_id, "acme")
            assert world.gateway.traffic.refused[401] == 4

    run(test)


def test_the_clients_key_stays_and_the_engines_is_sent(tmp_path: Path) -> None:
    async def test() -> None:
        async with before(tmp_path, answers()) as world:
            await world.post(ask())
            (headers,) = world.mocks[0].headers
            assert headers[b"authorization"] == b"Bearer engine"
            assert KEY.encode() not in b"".join(headers.values())

    run(test)


def test_a_tenants_sites_bound_where_it_is_served(tmp_path: Path) -> None:
    async def test() -> None:
        rules = rules_with(allowed_sites=frozenset({"far"}))
        async with before(tmp_path, answers(), says(503, "full"), rules=rules) as world:
            assert (await world.post(ask())).status == 503
            assert [len(mock.bodies) for mock in world.mocks] == [0, 1]
            found = await world.event()
            assert (found.site, found.attempts, found.status) == ("far", 1, Status.FAILED)

    run(test)


def test_a_tenants_models_are_all_that_it_sees(tmp_path: Path) -> None:
    async def test() -> None:
        rules = rules_with(allowed_models=frozenset({"other"}))
        async with before(tmp_path, answers(), rules=rules) as world:
            assert (await world.post(ask())).status == 404
            models = json.loads((await world.get("/v1/models")).body)["data"]
            assert [model["id"] for model in models] == ["other"]
            assert (await world.get("/v1/models", None)).status == 401
            assert not world.usage()

    run(test)


@pytest.mark.parametrize(
    ("body", "metro", "status", "code"),
    [
        (ask(model="none"), b"frankfurt", 404, "model_not_found"),
        (ask(), b"atlantis", 400, "bad_metro"),
        (ask(max_tokens=0), b"frankfurt", 400, "bad_max_tokens"),
        (b"{", b"frankfurt", 400, "bad_body"),
    ],
)
def test_a_request_that_is_wrong_is_refused_and_leaves_no_event(
    tmp_path: Path, body: object, metro: bytes, status: int, code: str
) -> None:
    async def test() -> None:
        async with before(tmp_path, answers()) as world:
            headers = (*authorization(), (b"x-neocloud-metro", metro))
            answer = await world.post(body, headers)
            assert (answer.status, json.loads(answer.body)["error"]["code"]) == (status, code)
            assert not world.mocks[0].bodies
            assert (await world.post(ask())).status == 200
            assert len(world.usage()) == 1

    run(test)


def test_pages(tmp_path: Path) -> None:
    async def test() -> None:
        async with before(tmp_path, answers()) as world:
            plain, metrics = b"text/plain; charset=utf-8", b"text/plain; version=0.0.4"
            for name, kind in (("/readyz", plain), ("/healthz", plain), ("/metrics", metrics)):
                answer = await world.get(name, None)
                assert answer.status == 200
                assert answer.headers[b"content-type"].startswith(kind)
            assert (await world.get("/nothing")).status == 404
            wrong = await world.get("/v1/chat/completions")
            assert (wrong.status, wrong.headers[b"allow"]) == (405, b"POST")
            await world.post(ask())
            page = (await world.get("/metrics", None)).body.decode()
            labels = 'model="m",tenant="acme",api="chat",status="completed",emulated="false"'
            assert f"neocloud_requests_total{{{labels}}} 1\n" in page
            assert 'neocloud_refused_total{status="405",reason="method_not_allowed"} 1\n' in page
            world.fleet.states[0].healthy = False
            assert (await world.get("/readyz", None)).status == 503
            world.fleet.states[0].healthy = True
            world.gateway.draining = True
            assert (await world.get("/readyz", None)).status == 503
            assert (await world.post(ask())).status == 503

    run(test)


def test_a_body_too_large_is_refused_as_openai_words_it(tmp_path: Path) -> None:
    async def test() -> None:
        limits = Limits(max_body_bytes=1000)
        async with before(tmp_path, answers(), limits=limits) as world:
            answer = await world.post(ask("x" * 1000))
            assert answer.status == 413
            assert json.loads(answer.body)["error"]["type"] == "invalid_request_error"
            assert (await world.post(ask("x" * 100))).status == 200
            assert len(world.usage()) == 1

    run(test)


# metering


def test_what_the_engine_counts_is_written(tmp_path: Path) -> None:
    async def test() -> None:
        async with before(tmp_path, answers(4)) as world:
            for stream in (False, True):
                answer = await world.post(ask(stream=stream))
                request_id = answer.headers[b"x-request-id"].decode()
                (found,) = [e for e in world.usage() if e.request_id == request_id]
                assert (found.input_tokens, found.cached_tokens, found.output_tokens) == (
                    PROMPT_TOKENS, 2, 4,
                )  # fmt: skip
                assert found.status is Status.COMPLETED
                assert (found.streamed, found.estimated, found.attempts) == (stream, False, 1)
                assert (found.user_metro, found.price_version) == ("frankfurt", "p1")
                assert found.admitted_ns <= found.first_token_ns <= found.finished_ns

    run(test)


def test_usage_reaches_who_asks_for_it_and_no_one_else(tmp_path: Path) -> None:
    async def test() -> None:
        async with before(tmp_path, answers()) as world:
            silent = await world.post(ask(stream=True))
            told = await world.post(ask(stream=True, stream_options={"include_usage": True}))
            assert b'"usage"' not in silent.body
            assert b'"usage"' in told.body
            assert silent.body.endswith(DONE)
            assert told.body.endswith(DONE)
            assert silent.body.count(b'"content"') == told.body.count(b'"content"') == 3
            assert [e.output_tokens for e in world.usage()] == [3, 3]

    run(test)


# engines that fail


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_an_engine_that_is_full_is_replaced(tmp_path: Path, status: int, stream: bool) -> None:
    async def test() -> None:
        async with before(tmp_path, says(status, "full"), answers()) as world:
            answer = await world.post(ask(stream=stream))
            assert answer.status == 200
            found = await world.event()
            assert (found.attempts, found.site, found.status) == (2, "far", Status.COMPLETED)

    run(test)


def test_an_engine_that_cannot_be_reached_is_replaced(tmp_path: Path) -> None:
    async def test() -> None:
        async with before(tmp_path, refused_address(), answers()) as world:
            assert (await world.post(ask())).status == 200
            found = await world.event()
            assert (found.attempts, found.site, found.status) == (2, "far", Status.COMPLETED)
            assert [state.breaker.failures for state in world.fleet.states] == [1, 0]
            for _ in range(8):
                assert (await world.post(ask())).status == 200
            # After a few failures in a row it is let alone.
            assert [e.attempts for e in world.usage()][-1] == 1

    run(test)


def test_it_is_tried_three_times_and_no_more(tmp_path: Path) -> None:
    async def test() -> None:
        full = says(503, "full")
        async with before(tmp_path, full, full, full, full) as world:
            answer = await world.post(ask())
            assert (answer.status, json.loads(answer.body)["error"]["message"]) == (503, "full")
            found = await world.event()
            assert (found.attempts, found.status) == (3, Status.FAILED)
            assert (found.input_tokens, found.output_tokens) == (0, 0)

    run(test)


def test_what_the_engine_refuses_is_passed_on_and_counted_once(tmp_path: Path) -> None:
    async def test() -> None:
        async with before(tmp_path, says(400, "too long"), answers()) as world:
            answer = await world.post(ask(stream=True))
            assert (answer.status, json.loads(answer.body)["error"]["message"]) == (400, "too long")
            found = await world.event()
            assert (found.status, found.attempts) == (Status.FAILED, 1)
            assert (found.input_tokens, found.output_tokens) == (0, 0)
            assert not world.mocks[1].bodies

    run(test)


def test_a_stream_that_broke_before_an_event_was_whole_is_begun_anew(tmp_path: Path) -> None:
    """What the first engine left half-written is no part of the second one's answer."""

    async def test() -> None:
        broken = streams(token("lost")[:-9], then="abort")
        async with before(tmp_path, broken, answers()) as world:
            answer = await world.post(ask(stream=True))
            assert answer.status == 200
            assert b"lost" not in answer.body
            assert answer.body.endswith(DONE)
            assert (await world.event()).attempts == 2
        (tmp_path / "b").mkdir()
        async with before(tmp_path / "b", broken, says(400, "too long")) as world:
            answer = await world.post(ask(stream=True))
            assert (answer.status, json.loads(answer.body)["error"]["message"]) == (400, "too long")
            assert (await world.event()).status is Status.FAILED

    run(test)


@pytest.mark.parametrize("then", ["finish", "abort"])
def test_a_stream_that_ends_too_soon_does_not_look_whole(tmp_path: Path, then: str) -> None:
    async def test() -> None:
        script = streams(token("a") + token("b"), then=then)
        async with before(tmp_path, script, answers()) as world:
            taker = await world.taken(ask(stream=True))
            if taker.status:  # else it broke before the admission was durable: nothing was sent
                assert b"[DONE]" not in taker.body
            assert not taker.whole
            found = await world.event()
            assert (found.status, found.attempts) == (Status.FAILED, 1)
            assert (found.output_tokens, found.estimated) == (2, True)
            assert not world.mocks[1].bodies

    run(test)


def test_an_error_in_the_stream_is_a_failure_whatever_follows(tmp_path: Path) -> None:
    async def test() -> None:
        script = streams(token("a"), event(error={"message": "out of memory"}) + DONE)
        async with before(tmp_path, script) as world:
            taker = await world.taken(ask(stream=True))
            assert taker.whole
            assert b"out of memory" in taker.body
            assert (await world.event()).status is Status.FAILED

    run(test)


# clients that leave


@pytest.mark.parametrize("script", [streams(token("a"), then="wait"), waits])
def test_who_hangs_up_stops_the_engine(tmp_path: Path, script: Script) -> None:
    async def test() -> None:
        async with before(tmp_path, script) as world:
            taker = Taker()
            call = world.send(ask(stream=True), taker)
            await world.mocks[0].begun.wait()
            if script is not waits:
                await taker.some.wait()
            call.abort()
            await world.mocks[0].gone.wait()
            found = await world.event()
            assert (found.status, found.attempts, found.estimated) == (Status.ABORTED, 1, True)
            assert found.output_tokens == (0 if script is waits else 1)
            await until(lambda: world.fleet.states[0].in_flight == 0)

    run(test)


def test_the_engine_is_sent_its_own_name_of_the_model_and_a_limit(tmp_path: Path) -> None:
    async def test() -> None:
        async with before(tmp_path, answers(), model="engine/m") as world:
            assert (await world.post(ask())).status == 200
            (body,) = world.mocks[0].bodies
            assert json.loads(body) == {**ask(), "model": "engine/m", "max_tokens": 50}
            assert (await world.event()).model == "m"

    run(test)
