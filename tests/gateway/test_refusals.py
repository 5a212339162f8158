"""Refusals: what a client is told, in the shape of its API, and what it is not told."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from neocloud.gateway.requests.faults import told_of
from neocloud.gateway.tenants.limits import refused
from neocloud.quotas import Limited, Refusal, TenantLimit
from neocloud.wire import NO_LINES, Limits, UpstreamFault, fetch

from .scripted import answers
from .world import ask, authorization, before, refused_address, rules_with, run

_ANTHROPIC = frozenset({b"/v1/messages", b"/v1/messages?beta=true", b"/v1/messages/count_tokens"})


@pytest.mark.parametrize(
    ("path", "head", "status"),
    [
        (b"/v1/messages", b"content-length: 9999\r\n", 413),
        (b"/v1/messages?beta=true", b"x: " + b"x" * 70_000 + b"\r\n", 431),
        (b"/v1/messages", b"transfer-encoding: gzip\r\n", 501),
        (b"/v1/messages/count_tokens", b"content-length: x\r\n", 400),
        (b"/v1/chat/completions", b"content-length: 9999\r\n", 413),
        (b"/v1/messagesx", b"content-length: 9999\r\n", 413),
    ],
)
def test_what_cannot_be_read_is_refused_in_the_shape_of_the_api(
    tmp_path: Path, path: bytes, head: bytes, status: int
) -> None:
    async def test() -> None:
        async with before(tmp_path, answers(), limits=Limits(max_body_bytes=1000)) as world:
            reader, writer = await asyncio.open_connection(*world.server.address)
            # One that is well before it: what is told must not follow from its path.
            writer.write(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
            assert b"ok\n" in await reader.readuntil(b"ok\n")
            writer.write(b"POST %b HTTP/1.1\r\nhost: x\r\n%b\r\n" % (path, head))
            lines, _, body = (await reader.read()).partition(b"\r\n\r\n")
            writer.close()
            assert int(lines.split()[1]) == status
            told = json.loads(body)
            assert told.get("type") == ("error" if path in _ANTHROPIC else None)
            assert ("code" in told["error"]) is (path not in _ANTHROPIC)

    run(test)


def test_between_two_requests_no_path_is_known(tmp_path: Path) -> None:
    async def test() -> None:
        async with before(tmp_path, answers()) as world:
            reader, writer = await asyncio.open_connection(*world.server.address)
            writer.write(b"GET /v1/messages HTTP/1.1\r\nhost: x\r\n\r\n\0\0\0\0")
            told = (await reader.read()).split(b"HTTP/1.1 ")[1:]
            writer.close()
            assert [answer[:3] for answer in told] == [b"405", b"400"]
            assert [b'"type":"error"' in answer for answer in told] == [True, False]

    run(test)


@pytest.mark.parametrize("path", [b"/v1/messages/count_tokens", b"/v1/messages/batches"])
def test_what_is_not_served_below_messages_is_told_as_anthropic_does(
    tmp_path: Path, path: bytes
) -> None:
    async def test() -> None:
        async with before(tmp_path, answers()) as world:
            answer = await fetch(world.pool, b"POST", path, authorization(), b"{}")
            assert answer.status == 404
            told = json.loads(answer.body)
            assert (told["type"], told["error"]["type"]) == ("error", "not_found_error")
            assert path.decode() in told["error"]["message"]

    run(test)


@pytest.mark.parametrize(
    ("kind", "wait_s", "limit", "status", "said"),
    [
        (Limited.REQUESTS, 12.3, 60, 429, "requests: the limit is 60 a minute; come again in 13 s"),
        (Limited.TOKENS, 0.2, 9000, 429, "come again in 1 s"),
        (Limited.TOKENS, 0.2, 9000, 429, "too many tokens: the limit is 9000 a minute"),
        (Limited.TOKENS, None, 9000, 413, "alone exceeds the limit of 9000 tokens a minute"),
        (Limited.CONCURRENCY, 1.0, 1, 429, "at once: the limit is 1; come again in 1 s"),
        (Limited.BUDGET, 3600.0, 77, 429, "budget of this month is used up; come again in 3600 s"),
        (Limited.BUDGET, None, 77, 429, "alone may cost more than the budget of a month"),
        (Limited.UNAVAILABLE, 0.5, 0, 503, "limits cannot be checked at present"),
    ],
)
def test_a_refusal_tells_the_limit_and_how_long_to_wait(
    kind: Limited, wait_s: float | None, limit: int, status: int, said: str
) -> None:
    error = refused(Refusal(kind, wait_s, limit), NO_LINES)
    assert error.status == status
    assert said in str(error)
    assert "77" not in str(error), "money is not told in its smallest unit"


def test_the_wait_is_the_one_of_the_header(tmp_path: Path) -> None:
    async def test() -> None:
        rules = rules_with(limit=TenantLimit(requests_per_minute=2))
        async with before(tmp_path, answers(), rules=rules) as world:
            told = [await world.post(ask()) for _ in range(3)]
            assert [answer.status for answer in told] == [200, 200, 429]
            wait_s = told[2].headers[b"retry-after"].decode()
            message = json.loads(told[2].body)["error"]["message"]
            assert message.endswith(f"the limit is 2 a minute; come again in {wait_s} s")

    run(test)


def test_an_engine_out_of_reach_is_told_without_its_address(tmp_path: Path) -> None:
    async def test() -> None:
        nowhere = refused_address()
        async with before(tmp_path, nowhere) as world:
            answer = await world.post(ask())
            assert answer.status == 502
            error = json.loads(answer.body)["error"]
            assert error["code"] == "engine_unreachable"
            assert "no connection to the engine could be made" in error["message"]
            for part in (str(nowhere.port), nowhere.host, "near"):
                assert part not in error["message"]

    run(test)


@pytest.mark.parametrize("fault", list(UpstreamFault))
def test_each_fault_has_words_of_its_own_status(fault: UpstreamFault) -> None:
    told = told_of(fault)
    assert told.status == (504 if fault is UpstreamFault.TIMEOUT else 502)
    assert told.message
    assert told.code.startswith("engine_")


def test_every_405_says_what_is_allowed(tmp_path: Path) -> None:
    async def test() -> None:
        async with before(tmp_path, answers()) as world:
            for method, path, allowed in (
                (b"GET", b"/v1/chat/completions", b"POST"),
                (b"PUT", b"/v1/messages", b"POST"),
                (b"POST", b"/v1/models", b"GET, HEAD"),
                (b"DELETE", b"/healthz", b"GET, HEAD"),
            ):
                answer = await fetch(world.pool, method, path, authorization())
                assert (answer.status, answer.headers[b"allow"]) == (405, allowed)

    run(test)
