"""Attaching any OpenAI-compatible server."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from neocloud.engines import (
    Endpoint,
    EngineAnswerError,
    MetricsReader,
    endpoint_of_url,
    is_healthy,
    list_models,
    readiness,
    scrape,
)
from neocloud.wire import Client, Exchange, Pool, UpstreamError, UpstreamFault, serve

from .asking import run

MODELS = b'{"object":"list","data":[{"id":"a","object":"model"},{"id":"b/c"}]}'
Answers = dict[str, tuple[int, bytes]]


def against(
    answers: Answers, test: Callable[[Pool, Endpoint], Awaitable[None]], **fields: str
) -> list[Exchange]:
    """Run a test against a server that knows these pages; what it was asked."""
    seen: list[Exchange] = []

    def handler(exchange: Exchange) -> None:
        seen.append(exchange)
        status, body = answers.get(exchange.path, (404, b"no"))
        exchange.respond(status, (), body)

    async def main() -> None:
        server = await serve(handler, "127.0.0.1", 0)
        client = Client()
        host, port = server.address
        endpoint = endpoint_of_url(
            f"http://{host}:{port}/base/v1", replica="s/p/m/0", model="a", **fields
        )
        try:
            await test(client.pool(endpoint.address), endpoint)
        finally:
            await client.close()
            await server.close_gracefully(0)

    run(main)
    return seen


def test_models_are_listed_with_the_key():
    async def test(pool: Pool, endpoint: Endpoint) -> None:
        assert await list_models(pool, endpoint) == ("a", "b/c")

    (asked,) = against({"/base/v1/models": (200, MODELS)}, test, key="sk-1")
    assert asked.headers[b"authorization"] == b"Bearer sk-1"
    (asked,) = against({"/base/v1/models": (200, MODELS)}, test)
    assert b"authorization" not in asked.headers


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (401, b"", "check the key"),
        (404, b"", "answered 404"),
        (200, b"<html>", "list of models"),
        (200, b"\xff", "list of models"),
        (200, b'{"data": [{"name": "a"}]}', "list of models"),
    ],
)
def test_an_answer_that_lists_no_models_is_an_error_in_words(status, body, said):
    async def test(pool: Pool, endpoint: Endpoint) -> None:
        with pytest.raises(EngineAnswerError, match=said) as raised:
            await list_models(pool, endpoint)
        assert "/base/v1/models" in str(raised.value)
        assert "sk-1" not in str(raised.value)

    against({"/base/v1/models": (status, body)}, test, key="sk-1")


@pytest.mark.parametrize(
    ("kind", "answers", "healthy"),
    [
        ("vllm", {"/base/health": (200, b"")}, True),
        ("vllm", {"/base/health": (503, b"")}, False),
        ("vllm", {"/base/v1/models": (200, MODELS)}, False),
        ("remote", {"/base/v1/models": (200, MODELS)}, True),
        ("remote", {"/base/health": (401, b""), "/base/v1/models": (200, MODELS)}, True),
        ("remote", {"/base/health": (503, b""), "/base/v1/models": (200, MODELS)}, False),
        ("remote", {}, False),
        # SGLang's /health generates a token; older releases have no /ready.
        ("sglang", {"/base/ready": (200, b""), "/base/health": (503, b"")}, True),
        ("sglang", {"/base/ready": (503, b""), "/base/health": (200, b"")}, False),
        ("sglang", {"/base/health": (200, b"")}, True),
    ],
)
def test_health_by_its_page_or_for_remote_ones_by_their_models(kind, answers, healthy):
    async def test(pool: Pool, endpoint: Endpoint) -> None:
        assert await is_healthy(pool, endpoint) == healthy

    against(answers, test, kind=kind)


def test_the_count_is_found_wherever_it_is_told():
    page = b"trtllm_num_requests_running 3\n"

    async def found(pool: Pool, endpoint: Endpoint) -> None:
        metrics = await scrape(pool, endpoint)
        assert metrics is not None
        assert metrics.running == 3

    async def nothing(pool: Pool, endpoint: Endpoint) -> None:
        assert await scrape(pool, endpoint) is None

    against({"/base/metrics": (200, page)}, found)
    against({"/base/metrics": (200, b"[]"), "/base/prometheus/metrics": (200, page)}, found)
    against({"/base/metrics": (500, page)}, nothing)
    against({}, nothing)


READY = {"/base/health": (200, b""), "/base/v1/models": (200, MODELS)}


@pytest.mark.parametrize(
    ("answers", "told", "reason"),
    [
        (READY, {}, ""),
        (READY | {"/base/health": (503, b"")}, {}, "not healthy"),
        # healthy is not enough:
        (READY, {"draining": True}, "draining"),
        (READY, {"running": False}, "not running"),
        ({"/base/health": (200, b"")}, {}, "does not list the model"),
        (READY | {"/base/v1/models": (200, b'{"data": [{"id": "z"}]}')}, {}, "does not list"),
    ],
)
def test_an_engine_takes_requests_only_if_all_is_well(answers, told, reason):
    async def test(pool: Pool, endpoint: Endpoint) -> None:
        found = await readiness(pool, endpoint, **told)
        assert found.ready == (not reason)
        assert found.reason.startswith(reason)

    against(answers, test, kind="vllm")


def test_page_and_family_are_kept_from_the_first_scrape(caplog):
    vllm, both = b"vllm:num_requests_running 2\n", b"trtllm_num_requests_running 3\n"
    pages: Answers = {}

    async def test(pool: Pool, endpoint: Endpoint) -> None:
        reader = MetricsReader(endpoint)
        for _ in range(3):
            assert await reader.read(pool) is None
        assert caplog.text.count("tells no metrics that are known here") == 1
        assert reader.family == ""
        pages["/base/prometheus/metrics"] = (200, both)
        assert (await reader.read(pool)).running == 3
        pages["/base/metrics"] = (200, vllm)
        # A page that came later, and a family that stands first in the table, change nothing.
        assert (await reader.read(pool)).running == 3
        pages["/base/prometheus/metrics"] = (200, vllm + both)
        assert (await reader.read(pool)).running == 3
        assert reader.family == "trtllm_"
        pages["/base/prometheus/metrics"] = (503, b"")
        assert await reader.read(pool) is None
        # Another engine took the place: it is looked for again.
        pages["/base/prometheus/metrics"] = (200, b"")
        assert (await reader.read(pool)).running == 2
        assert reader.family == "vllm:"

    against(pages, test)


def test_nobody_there_is_unhealthy_and_has_no_count():
    async def gone() -> None:
        server = await serve(lambda _: None, "127.0.0.1", 0)
        host, port = server.address
        await server.close_gracefully(0)
        client = Client()
        endpoint = endpoint_of_url(f"http://{host}:{port}", replica="r", model="m")
        pool = client.pool(endpoint.address)
        try:
            assert not await is_healthy(pool, endpoint)
            assert await scrape(pool, endpoint) is None
            with pytest.raises(UpstreamError) as raised:
                await list_models(pool, endpoint)
            assert raised.value.fault == UpstreamFault.CONNECT
        finally:
            await client.close()

    run(gone)
