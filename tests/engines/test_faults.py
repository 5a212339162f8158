"""Faults of emulated replicas: switched on by whoever runs them, never by a request."""

from __future__ import annotations

import asyncio
import json

import pytest

from neocloud.engines.emulated.faults import Faults
from neocloud.wire import UpstreamFault, fetch

from .world import World, chat, plan, run, serving, stream, streamed

FIRST, SECOND = plan().placements[0].replica_ids()[:2]
LONG = {"max_tokens": 5000, "ignore_eos": True}


async def taken(world: World, **fields: object):
    """A stream, however it ends."""
    _, taker = stream(world.pool, world.first, chat("hi", **LONG, **fields))
    await taker.ended.wait()
    return taker


async def freed(world: World) -> None:
    found = await world.until(lambda m: m.running == 0)
    assert found.kv_usage == 0


def test_an_error_within_a_stream_ends_it_as_if_all_were_well():
    async def test() -> None:
        async with serving(speed=20, faults={FIRST: Faults(error_after=3)}) as world:
            taker = await taken(world, stream_options={"include_usage": True})
            assert taker.error is None
            assert taker.status == 200
            *events, error = taker.events()  # [DONE] is behind them
            assert error["error"]["code"] == 500
            assert sum(1 for e in events if e["choices"][0]["delta"].get("content")) == 3
            assert all(event["usage"] is None for event in events)
            await freed(world)

    run(test)


def test_a_truncated_stream_is_no_whole_body():
    async def test() -> None:
        async with serving(speed=20, faults={FIRST: Faults(truncate_after=2)}) as world:
            taker = await taken(world)
            assert taker.error is not None
            assert taker.error.fault == UpstreamFault.LOST
            assert taker.body.count(b'"delta":{"content":"') == 2
            assert b"[DONE]" not in taker.body
            await freed(world)
            # Another replica is as it was, and an answer that is not streamed, too.
            other = await fetch(
                world.pool,
                b"POST",
                world.endpoints[1].prefix + b"/v1/chat/completions",
                (),
                json.dumps(chat("hi", max_tokens=5)).encode(),
            )
            assert other.status == 200
            assert (await world.post(chat("hi", max_tokens=5))).status == 200

    run(test)


def test_a_stalled_stream_says_nothing_more_and_its_client_may_leave():
    async def test() -> None:
        async with serving(speed=20, faults={FIRST: Faults(stall_after=2)}) as world:
            call, taker = stream(world.pool, world.first, chat("hi", max_tokens=50))
            done = await world.until(lambda m: m.running == 0 and m.generated_tokens == 50)
            assert done.kv_usage == 0
            assert not taker.ended.is_set()
            assert taker.body.count(b'"delta":{"content":"') == 2
            call.abort()
            call, taker = stream(world.pool, world.first, chat("hi", **LONG))
            await taker.some.wait()
            call.abort()
            await freed(world)

    run(test)


def test_keep_alive_is_promised_and_not_kept():
    async def test() -> None:
        async with serving(speed=20, faults={FIRST: Faults(close_after_stream=True)}) as world:
            taker = await streamed(world, chat("hi", max_tokens=3))
            assert b"connection" not in taker.headers  # so HTTP/1.1 keeps it alive
            assert world.server.connections == 0
            assert (await world.post(chat("hi", max_tokens=3))).status == 200
            assert world.server.connections == 1

    run(test)


def test_a_draining_replica_refuses_while_it_says_that_it_is_well():
    async def test() -> None:
        async with serving(faults={FIRST: Faults(refuse=True)}) as world:
            refused = await world.post(chat("hi"))
            assert refused.status == 500
            assert json.loads(refused.body)["error"]["code"] == "draining"
            assert refused.headers[b"x-neocloud-emulated"] == b"true"
            assert (await world.get(b"/health")).status == 200
            assert (await world.get(b"/metrics")).status == 200
        async with serving(family="sglang") as world:
            assert (await world.get(b"/ready")).status == 200
            world.service.draining = True
            assert (await world.get(b"/health")).status == 503
            assert (await world.post(chat("hi"))).status == 500

    run(test)


def test_a_slow_start_is_over_in_time():
    async def test() -> None:
        async with serving(speed=20, faults={FIRST: Faults(loading_s=0.2)}) as world:
            for page in (b"/health", b"/v1/models", b"/metrics"):
                assert (await world.get(page)).status == 503
            assert (await world.post(chat("hi"))).status == 503
            while (await world.get(b"/health")).status == 503:
                await asyncio.sleep(0.01)
            assert (await world.post(chat("hi", max_tokens=2))).status == 200

    run(test)


def test_the_control_route_changes_faults_and_is_there_only_if_asked_for():
    async def test() -> None:
        async with serving(speed=20, control=True) as world:

            async def put(path: bytes, body: bytes, method: bytes = b"PUT"):
                return await fetch(world.pool, method, b"/control/faults" + path, (), body)

            told = await put(b"/" + FIRST.encode(), b'{"refuse": true}')
            assert json.loads(told.body)[FIRST]["refuse"] is True
            assert (await world.post(chat("hi"))).status == 500
            assert json.loads((await put(b"", b"", b"GET")).body)[SECOND]["refuse"] is False
            await put(b"", b"{}")
            assert (await world.post(chat("hi", max_tokens=2))).status == 200
            for wrong in (b"", b'{"explode": 1}', b'{"stall_after": -1}', b'{"loading_s": 1e999}'):
                assert (await put(b"", wrong)).status == 400
            assert (await put(b"/nowhere", b"{}")).status == 404
            assert (await put(b"", b"{}", b"DELETE")).status == 405
        async with serving() as world:
            assert (await fetch(world.pool, b"GET", b"/control/faults")).status == 404

    run(test)


@pytest.mark.parametrize("name", sorted(Faults.__struct_fields__))
def test_a_request_cannot_ask_for_a_fault(name):
    async def test() -> None:
        async with serving(speed=20, control=True) as world:
            value = 1 if name.endswith(("after", "_s")) else True
            fields = {name: value, "faults": {name: value}, "extra_body": {name: value}}
            text = f"FAULT={name} {json.dumps(fields)}"
            taker = await streamed(world, chat(text, max_tokens=4, **fields))
            assert len(taker.text()) == 16
            prefix = b"/control/faults"
            assert (await world.get(prefix)).status == 404  # below a replica there is none

    run(test)


def test_sglang_names_are_understood_and_marked():
    async def test() -> None:
        async with serving(speed=50, family="sglang") as world:
            body = chat("hi " * 60, max_tokens=6, ignore_eos=True)
            for _ in range(2):
                await world.post(body)
            page = (await world.get(b"/metrics")).body.decode()
            assert "vllm:" not in page
            assert all(
                'emulated="true"' in line for line in page.splitlines() if not line.startswith("#")
            )
            found = await world.metrics()
            assert found.emulated
            assert found.generated_tokens == 12
            assert found.cached_tokens % 16 == 0
            assert 0 < found.cached_tokens < found.prompt_tokens
            assert found.joules > 0
            assert (await world.get(b"/version")).status == 404
        async with serving() as world:
            assert (await world.get(b"/ready")).status == 404
            assert json.loads((await world.get(b"/load")).body) == {"server_load": 0}
            version = json.loads((await world.get(b"/version")).body)["version"]
            assert version.startswith("emulated-")
            assert (await world.get(b"/ping")).status == 200

    run(test)
