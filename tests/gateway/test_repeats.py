"""`Idempotency-Key`: a repeated request is neither served nor billed twice."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from neocloud.gateway.requests.repeats import KEPT_NS, Mark, MarkFile, Repeats
from neocloud.ledger import Status
from neocloud.quotas import TenantLimit
from neocloud.wire import Response

from .scripted import Script, answers, says, waits
from .world import Taker, World, ask, authorization, before, rules_with, run, until

MARK = Mark("key", b"name", b"body")


def named(name: bytes = b"one") -> tuple[tuple[bytes, bytes], ...]:
    return (*authorization(), (b"idempotency-key", name))


def told(answer: Response) -> tuple[int, str, str]:
    error = json.loads(answer.body)["error"]
    return answer.status, error["code"], error["message"]


def heed(world: World, folder: Path) -> None:
    world.gateway.repeats = Repeats(MarkFile(folder / "repeats.db", 0, time.time_ns()))


@pytest.mark.parametrize("stream", [False, True])
def test_a_request_that_was_served_is_not_served_again(tmp_path: Path, stream: bool) -> None:
    async def test() -> None:
        async with before(tmp_path, answers()) as world:
            heed(world, tmp_path)
            first = await world.post(ask(stream=stream), named())
            assert first.status == 200
            request_id = first.headers[b"x-request-id"].decode()
            for _ in range(2):
                status, code, message = told(await world.post(ask(stream=stream), named()))
                assert (status, code) == (409, "idempotency_key_used")
                assert f"request {request_id} " in message
                assert "has ended as completed and is billed" in message
            assert (await world.post(ask(stream=stream), named(b"two"))).status == 200
            assert (await world.post(ask(stream=stream))).status == 200
            status, code, _ = told(await world.post(ask("other", stream=stream), named()))
            assert (status, code) == (422, "idempotency_key_reused")
            await world.gateway.repeats.close()
            assert len(world.mocks[0].bodies) == len(world.usage()) == 3

    run(test)


def test_one_that_is_under_way_is_not_asked_twice(tmp_path: Path) -> None:
    async def test() -> None:
        async with before(tmp_path, waits) as world:
            heed(world, tmp_path)
            body = json.dumps(ask()).encode()
            taker = Taker()
            call = world.pool.request(b"POST", b"/v1/chat/completions", taker, named(), body)
            await world.mocks[0].begun.wait()
            answer = await world.post(ask(), named())
            status, code, message = told(answer)
            assert (status, code, answer.headers[b"retry-after"]) == (
                409, "idempotency_key_in_use", b"1",
            )  # fmt: skip
            assert "still under way" in message
            call.abort()
            event = await world.event()
            assert event.status is Status.ABORTED
            status, code, message = told(await world.post(ask(), named()))
            assert (status, code) == (409, "idempotency_key_used")
            assert f"request {event.request_id} " in message
            assert "aborted" in message
            await world.gateway.repeats.close()
            assert len(world.mocks[0].bodies) == 1

    run(test)


@pytest.mark.parametrize("script", [says(500, "ill"), says(400, "no")])
def test_one_that_failed_costs_nothing_and_may_come_again(tmp_path: Path, script: Script) -> None:
    async def test() -> None:
        async with before(tmp_path, script) as world:
            heed(world, tmp_path)
            for _ in range(2):
                assert (await world.post(ask(), named())).status in {400, 500}
            await world.gateway.repeats.close()
            assert [event.status for event in world.usage()] == [Status.FAILED] * 2

    run(test)


def test_one_that_was_refused_may_come_again(tmp_path: Path) -> None:
    async def test() -> None:
        rules = rules_with(limit=TenantLimit(concurrent_requests=1))
        async with before(tmp_path, waits, rules=rules) as world:
            heed(world, tmp_path)
            taker = Taker()
            call = world.send(ask(), taker)
            await world.mocks[0].begun.wait()
            assert [(await world.post(ask(), named())).status for _ in range(2)] == [429, 429]
            world.mocks[0].script = answers()
            call.abort()
            await until(lambda: len(world.usage()) == 1)
            assert (await world.post(ask(), named())).status == 200
            for name in (b"x" * 256, b""):
                assert told(await world.post(ask(), named(name)))[:2] == (
                    400, "bad_idempotency_key",
                )  # fmt: skip
            await world.gateway.repeats.close()

    run(test)


def test_who_leaves_while_it_waits_for_a_place_may_come_again(tmp_path: Path) -> None:
    async def test() -> None:
        async with before(tmp_path, waits) as world:
            heed(world, tmp_path)
            (state,) = world.fleet.states
            state.max_occupancy = state.target_concurrency = 1.0
            holder = world.send(ask(), Taker())
            await world.mocks[0].begun.wait()
            body = json.dumps(ask("next")).encode()
            call = world.pool.request(b"POST", b"/v1/chat/completions", Taker(), named(), body)
            await until(lambda: len(world.gateway.waiting) == 1)
            assert told(await world.post(ask("next"), named()))[1] == "idempotency_key_in_use"
            call.abort()
            await until(lambda: not world.gateway.waiting)
            world.mocks[0].script = answers()
            holder.abort()
            assert (await world.post(ask("next"), named())).status == 200
            await world.gateway.repeats.close()

    run(test)


def test_nothing_is_admitted_where_it_cannot_be_told(tmp_path: Path) -> None:
    async def test() -> None:
        async with before(tmp_path, answers()) as world:
            marks = MarkFile(tmp_path / "repeats.db", 0, 0)
            world.gateway.repeats = Repeats(marks)
            marks.close()
            assert told(await world.post(ask(), named()))[:2] == (503, "not_ready")
            assert (await world.post(ask())).status == 200
            assert len(world.mocks[0].bodies) == 1

    run(test)


def test_workers_share_their_marks_and_none_keeps_a_body(tmp_path: Path) -> None:
    path = tmp_path / "repeats.db"
    one, other = MarkFile(path, 0, 0), MarkFile(path, 1, 0)
    assert one.begin(MARK, 5) is None
    one.tell(MARK, "id", "open")
    earlier = other.begin(MARK, 6)
    assert earlier is not None
    assert (earlier.request_id, earlier.status) == ("id", "open")
    one.tell(MARK, "id", "completed")
    assert other.begin(MARK, 6 + KEPT_NS - 2) is not None
    assert other.begin(MARK, 6 + KEPT_NS) is None  # a day later it holds no more
    for each in (one, other):
        each.close()
    assert path.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(("worker", "started_ns"), [(0, 0), (1, 9)])
def test_what_a_crash_left_open_may_have_been_billed(
    tmp_path: Path, worker: int, started_ns: int
) -> None:
    path = tmp_path / "repeats.db"
    never = Mark("key", b"never admitted", b"body")
    died = MarkFile(path, 0, 0)
    for mark in (MARK, never):
        assert died.begin(mark, 5) is None
    died.tell(MARK, "id", "open")
    died.close()
    again = MarkFile(path, worker, started_ns)
    earlier = again.begin(MARK, 6)
    assert earlier is not None
    assert (earlier.request_id, earlier.status) == ("id", "unknown")
    assert again.begin(never, 6) is None
    again.close()
