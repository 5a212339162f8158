"""Traces as a collector gets them: whose they are, what is in them, and what is not."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.gateway.observing.collector import Span, collecting
from tests.gateway.scripted import answers, says, streams, token, waits
from tests.gateway.world import KEY, Taker, World, ask, authorization, before, run, until

from neocloud.gateway import Observing, SettingsError
from neocloud.gateway.observability.spans import SpanMaker
from neocloud.gateway.observability.tracing import QUEUED, Refused, Trace, Tracing, start_tracing
from neocloud.gateway.requests.observer import Observer
from neocloud.gateway.workers.watching import start_observing

SERVER, CLIENT, INTERNAL = 2, 3, 1
TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
PARENT = f"00-{TRACE}-{SPAN}-01".encode()


@contextmanager
def traced(world: World, url: str, share: float = 1.0) -> Iterator[Tracing]:
    tracing = start_tracing(url, share, worker=2)
    world.gateway.observer = Observer(tracing, None)
    try:
        yield tracing
    finally:
        tracing.close()


def named(spans: list[Span], name: str) -> list[Span]:
    return [span for span in spans if span.name == name]


def headers(*more: tuple[bytes, bytes]) -> tuple[tuple[bytes, bytes], ...]:
    return (*authorization(), *more)


def test_a_request_that_fails_over(tmp_path: Path) -> None:
    async def test() -> None:
        with collecting() as collector:
            async with before(tmp_path, says(500, "broken"), answers(4)) as world:
                with traced(world, collector.url):
                    answer = await world.post(
                        ask("my secret prompt", stream=True),
                        headers((b"traceparent", PARENT), (b"tracestate", b"vendor=1")),
                    )
                    spans = await asyncio.to_thread(collector.wait, 4)
                event = await world.event()
                upstream = [mock.headers[0] for mock in world.mocks]
        assert set(collector.paths) == {"/v1/traces"}
        (request,) = named(spans, "chat m")
        assert (request.trace_id, request.parent_id, request.kind) == (TRACE, SPAN, SERVER)
        assert request.attributes | {"gen_ai.response.time_to_first_chunk": 0} == {
            "gen_ai.operation.name": "chat", "gen_ai.provider.name": "neocloud",
            "gen_ai.request.model": "m", "gen_ai.request.stream": True,
            "gen_ai.usage.input_tokens": 7, "gen_ai.usage.cache_read.input_tokens": 2,
            "gen_ai.usage.output_tokens": 4, "gen_ai.response.time_to_first_chunk": 0,
            "neocloud.request_id": event.request_id, "neocloud.api": "chat",
            "neocloud.status": "completed", "neocloud.tenant": "acme", "neocloud.site": "far",
            "neocloud.pool": "pool", "neocloud.replica": "far/pool/m/0",
            "neocloud.engine": "remote", "neocloud.attempts": 2, "neocloud.estimated": False,
            "neocloud.emulated": False,
        }  # fmt: skip
        assert 0 < request.attributes["gen_ai.response.time_to_first_chunk"] < 60
        assert request.resource["service.name"] == "neocloud"
        assert request.resource["service.instance.id"] == "worker-2"
        first, second = named(spans, "ask replica")
        assert (first.failed, second.failed, request.failed) == (True, False, False)
        assert first.attributes["error.type"] == "status_500"
        assert [s.attributes["neocloud.replica"] for s in (first, second)] == [
            "near/pool/m/0", "far/pool/m/0",
        ]  # fmt: skip
        (commit,) = named(spans, "commit usage")
        for inner in (first, second, commit):
            assert (inner.trace_id, inner.parent_id) == (TRACE, request.span_id)
            assert request.start_ns <= inner.start_ns <= inner.end_ns <= request.end_ns
        assert first.kind == second.kind == CLIENT
        assert first.end_ns <= second.start_ns
        # What the engines got leads back to the attempt that asked them.
        for told, span in zip(upstream, (first, second), strict=True):
            assert told[b"traceparent"] == f"00-{TRACE}-{span.span_id}-01".encode()
            assert told[b"tracestate"] == b"vendor=1"
        assert len({span.span_id for span in spans}) == len(spans)
        raw = b"".join(collector.bodies)
        assert answer.status == 200
        for private in (b"secret", b"t0", KEY.encode(), b"Bearer"):
            assert private not in raw

    run(test)


def test_time_in_the_queue_is_a_span(tmp_path: Path) -> None:
    async def test() -> None:
        with collecting() as collector:
            async with before(tmp_path, waits) as world:
                state = world.fleet.states[0]
                state.target_concurrency = state.max_occupancy = 1.0
                world.fleet.changed()
                with traced(world, collector.url):
                    first, second = Taker(), Taker()
                    world.send(ask(), first)
                    await until(lambda: state.in_flight == 1)
                    world.send(ask(), second)
                    await until(lambda: len(world.gateway.waiting) == 1)
                    world.mocks[0].script = answers()
                    answers()(world.mocks[0], world.mocks[0].open[0], {})
                    await second.ended.wait()
                    spans = await asyncio.to_thread(collector.wait, 7)
        (wait,) = named(spans, "wait for a place")
        (whole,) = [s for s in named(spans, "chat m") if s.span_id == wait.parent_id]
        (tried,) = [s for s in named(spans, "ask replica") if s.parent_id == whole.span_id]
        assert whole.start_ns == wait.start_ns < wait.end_ns <= tried.start_ns

    run(test)


def test_refused_aborted_and_failed_requests(tmp_path: Path) -> None:
    async def test() -> None:
        with collecting() as collector:
            async with before(tmp_path, streams(token("x"), then="wait")) as world:
                with traced(world, collector.url):
                    await world.post(ask(model="no-such-model"))
                    await world.post(ask(), ())
                    taker = Taker()
                    call = world.send(ask(stream=True), taker)
                    await taker.some.wait()
                    await until(lambda: bool(taker.body))
                    call.abort()
                    spans = await asyncio.to_thread(collector.wait, 5)
        refused = [s for s in spans if "http.response.status_code" in s.attributes]
        told = {
            (s.attributes["http.response.status_code"], s.attributes["error.type"]) for s in refused
        }
        assert told == {(404, "model_not_found"), (401, "invalid_api_key")}
        (left,) = named(spans, "chat m")
        assert left.attributes["neocloud.status"] == "aborted"
        assert left.attributes["error.type"] == "client_gone"
        assert b"no-such-model" not in b"".join(collector.bodies)

    run(test)


@pytest.mark.parametrize(
    ("share", "parent", "passed_on", "sent"),
    [
        (0.0, None, False, False),
        (0.0, PARENT, True, True),
        (1.0, PARENT[:-1] + b"0", True, False),
        (1.0, b"00-" + b"0" * 32 + b"-" + SPAN.encode() + b"-01", True, True),
        (0.0, b"nonsense", False, False),
    ],
)
def test_who_decides(
    tmp_path: Path, share: float, parent: bytes | None, passed_on: bool, sent: bool
) -> None:
    """Who begins a trace does; where that is the gateway, by the share."""

    async def test() -> None:
        with collecting() as collector:
            async with before(tmp_path, answers()) as world:
                with traced(world, collector.url, share) as tracing:
                    more = () if parent is None else ((b"traceparent", parent),)
                    assert (await world.post(ask(), headers(*more))).status == 200
                assert (b"traceparent" in world.mocks[0].headers[0]) is passed_on
                if passed_on and not sent:  # as it came: nothing of ours lies between
                    assert world.mocks[0].headers[0][b"traceparent"] == parent
                assert tracing.counts["sent"] == sent
        assert bool(collector.spans) is sent

    run(test)


def test_nothing_is_passed_on_without_traces(tmp_path: Path) -> None:
    async def test() -> None:
        async with before(tmp_path, answers()) as world:
            await world.post(ask(), headers((b"traceparent", PARENT)))
            assert b"traceparent" not in world.mocks[0].headers[0]

    run(test)


@given(st.binary(max_size=80))
def test_any_bytes_may_stand_for_a_parent(told: bytes) -> None:
    tracing = Tracing.__new__(Tracing)
    tracing._bound = 2**64
    tracing._draw = lambda bits: 1 << (bits - 1)
    trace = tracing.begin({b"traceparent": told, b"tracestate": told}, 1, 0)
    assert trace is not None
    line = trace.sent(b"", "r")  # type: ignore[arg-type]
    assert line.count(b"\r\n") == line.count(b"\n") == line.count(b"\r") in (1, 2)


class Stuck:
    """A collector that takes nothing until it is told to give up."""

    def __init__(self) -> None:
        self.gone = threading.Event()
        self.begun = threading.Event()

    def export(self, spans: object) -> object:
        self.begun.set()
        self.gone.wait(30)
        return None

    def shutdown(self) -> None:
        self.gone.set()


def test_a_stuck_collector_costs_traces_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("neocloud.gateway.observability.tracing._CLOSE_S", 0.05)
    stuck = Stuck()
    tracing = Tracing(SpanMaker(0), stuck, 1.0)
    trace = tracing.begin({}, 1, 0)
    assert isinstance(trace, Trace)
    record = Refused(trace, "r", "chat", 404, "model_not_found", 2)
    for _ in range(QUEUED):
        tracing.put(record)
    assert stuck.begun.wait(10)
    for _ in range(QUEUED):
        tracing.put(record)
    lost = tracing.counts["lost"]
    assert 0 < lost <= QUEUED
    tracing.close()
    assert stuck.gone.is_set()
    assert tracing.counts["sent"] == 0


def test_a_collector_that_refuses_is_counted(tmp_path: Path) -> None:
    async def test() -> None:
        with collecting(status=400) as collector:
            async with before(tmp_path, answers()) as world:
                with traced(world, collector.url) as tracing:
                    assert (await world.post(ask())).status == 200
        assert collector.paths
        assert tracing.counts == {"sent": 0, "lost": 0, "failed": 1}

    run(test)


def test_without_the_extra_it_is_said_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry", None)

    async def test() -> None:
        async with before(tmp_path, answers()) as world:
            with pytest.raises(SettingsError, match=r"pip install 'neocloud\[telemetry\]'"):
                start_observing(world.gateway, Observing(traces="http://x"), 0, lambda: 0)
            assert start_observing(world.gateway, Observing(), 0, lambda: 0) is None
            assert world.gateway.observer is None

    run(test)
