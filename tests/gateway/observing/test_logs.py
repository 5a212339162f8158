"""The log: a line a request, nothing private in it, nothing from outside that makes a line."""

from __future__ import annotations

import io
import json
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.gateway.scripted import answers, waits
from tests.gateway.world import KEY, Taker, ask, authorization, before, run, until

from neocloud.gateway import LogFormat, configure
from neocloud.gateway.observability.logs import (
    BURST,
    WINDOW_S,
    AccessLog,
    BackgroundHandler,
    Fields,
    JsonFormatter,
    Repeats,
    TextFormatter,
    access_log,
)
from neocloud.gateway.requests.observer import Observer


class Written(io.StringIO):
    """A stream that can still be read once it is closed."""

    def close(self) -> None: ...

    def lines(self) -> list[str]:
        return self.getvalue().splitlines()

    def objects(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.getvalue().split("\n") if line]


@contextmanager
def logging_to(log_format: LogFormat, level: int = logging.INFO) -> Iterator[Written]:
    """Pytest's own handlers come back afterwards."""
    root = logging.getLogger()
    handlers, old_level = root.handlers[:], root.level
    root.handlers = []
    written = Written()
    configure(level, log_format, written)
    try:
        yield written
    finally:
        for handler in root.handlers:
            handler.close()
        root.handlers, root.level = handlers, old_level


def flushed() -> None:
    for handler in logging.getLogger().handlers:
        handler.flush()


def record(message: str, *arguments: object, **more: object) -> logging.LogRecord:
    made = logging.LogRecord("some.log", logging.INFO, "", 0, message, arguments, None)
    for name, value in more.items():
        setattr(made, name, value)
    return made


def test_a_line_a_request(tmp_path: Path) -> None:
    async def test() -> None:
        async with before(tmp_path, answers(4)) as world:
            world.gateway.observer = Observer(None, access_log())
            await world.post(ask("my secret prompt"))
            await world.taken(ask("another secret", stream=True))
            await world.post(ask(model="a\nforged line"), authorization("nc-wrong-key-of-mine"))
            await world.post(ask(model="gone"))
            events = {event.request_id: event for event in world.usage()}
        flushed()
        assert "secret" not in written.getvalue()
        for private in (KEY, "nc-wrong", "word word", "Bearer", "forged"):
            assert private not in written.getvalue()
        lines = written.objects()
        requests = [line for line in lines if line["message"] == "request"]
        refused = [line for line in lines if line["message"] == "refused"]
        assert {line["request_id"] for line in requests} == set(events)
        for line in requests:
            event = events[line["request_id"]]
            assert line["logger"] == "neocloud.access"
            assert line["level"] == "info"
            for name in ("tenant", "key_id", "model", "replica", "output_tokens", "input_tokens"):
                assert line[name] == getattr(event, name)
            assert (line["status"], line["attempts"]) == ("completed", 1)
            assert line["duration_s"] == pytest.approx(
                (event.finished_ns - event.admitted_ns) / 1e9, abs=1e-6
            )
            assert ("stream" in line) is event.streamed
        assert [(line["http_status"], line["reason"]) for line in refused] == [
            (401, "invalid_api_key"), (404, "model_not_found"),
        ]  # fmt: skip

    with logging_to("json") as written:
        run(test)


def test_how_long_it_waited_is_told(tmp_path: Path) -> None:
    async def test() -> None:
        async with before(tmp_path, waits) as world:
            world.gateway.observer = Observer(None, AccessLog())
            state = world.fleet.states[0]
            state.target_concurrency = state.max_occupancy = 1.0
            world.fleet.changed()
            first, second = Taker(), Taker()
            world.send(ask(), first)
            await until(lambda: state.in_flight == 1)
            world.send(ask(), second)
            await until(lambda: len(world.gateway.waiting) == 1)
            world.mocks[0].script = answers()
            answers()(world.mocks[0], world.mocks[0].open[0], {})
            await second.ended.wait()
        flushed()
        waited = [line for line in written.objects() if "waited_s" in line]
        assert len(waited) == 1
        assert 0 < waited[0]["waited_s"] <= waited[0]["duration_s"]

    with logging_to("json") as written:
        run(test)


def test_nobody_is_asked_where_nobody_listens() -> None:
    with logging_to("text", logging.WARNING):
        assert access_log() is None
    with logging_to("text", logging.INFO):
        assert access_log() is not None


@given(st.text(max_size=60), st.text(max_size=40))
def test_whatever_stands_in_it_a_record_is_one_line(message: str, model: str) -> None:
    """Line breaks of all sorts, terminal escapes, text that runs backwards."""
    made = record("%s", message, fields=Fields(request_id="r", model=model), exc_text="x\u2028y\rz")
    text = JsonFormatter().format(made)
    assert text.isprintable()
    found = json.loads(text)
    if "nc-" not in message.lower() and "sk-" not in message.lower():
        assert message in found["message"] or "..." in found["message"]
    assert found.get("model", "") == model
    made.exc_text = None
    line = TextFormatter().format(made)
    assert line.isprintable()
    assert " request_id=r" in line


def test_an_exception_follows_its_line_indented() -> None:
    with logging_to("text") as written:
        try:
            int("first\nsecond")
        except ValueError:
            logging.getLogger("x").exception("it failed")
        flushed()
        first, *rest = written.lines()
        assert first.endswith("ERROR x it failed")
        assert rest
        assert all(line.startswith("    ") for line in rest)


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Bearer very-private", "{'authorization': 'Bearer very-private'}",
        "x-api-key: very-private", "key nc-abcdef-very-private is odd", "sk-very-private",
        "b'authorization', b'Bearer very-private'", "Basic very-private",
    ],
)  # fmt: skip
def test_keys_are_left_out_should_a_message_hold_one(text: str) -> None:
    for formatter in (JsonFormatter(), TextFormatter()):
        assert "very-private" not in formatter.format(record("went wrong: %s", text))


def test_repeats_are_counted_and_told_once_in_a_while() -> None:
    repeats = Repeats()
    passed = []
    for number in range(BURST * 3):
        made = record("the store is gone: %s", number)
        made.created = 1000.0
        passed.append(repeats.filter(made))
    assert passed == [True] * BURST + [False] * (BURST * 2)
    other = record("something else")
    other.created = 1000.0
    assert repeats.filter(other)
    later = record("the store is gone: %s", "still")
    later.created = 1000.0 + WINDOW_S
    assert repeats.filter(later)
    assert JsonFormatter().format(later).endswith(f'"held_back":{BURST * 2}}}')


def test_refusals_repeat_and_requests_do_not() -> None:
    repeats = Repeats()
    refusals = [record("refused", fields=Fields(request_id=str(n), http_status=401, reason="x"))
                for n in range(BURST + 5)]  # fmt: skip
    requests = [record("request", fields=Fields(request_id=str(n))) for n in range(BURST + 5)]
    assert sum(map(repeats.filter, refusals)) == BURST
    assert sum(map(repeats.filter, requests)) == BURST + 5


def test_kinds_of_lines_do_not_pile_up() -> None:
    repeats = Repeats()
    for number in range(5000):
        repeats.filter(record(f"message {number}"))
    assert len(repeats._seen) <= 1024


class Blocked(Written):
    """Somebody reads the log, and has stopped."""

    def __init__(self) -> None:
        super().__init__()
        self.go_on = threading.Event()
        self.begun = threading.Event()

    def write(self, text: str) -> int:
        self.begun.set()
        assert self.go_on.wait(20)
        return super().write(text)


def test_who_reads_slowly_loses_lines_and_slows_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("neocloud.gateway.observability.logs._QUEUED", 50)
    stream = Blocked()
    handler = BackgroundHandler(stream)
    handler.setFormatter(TextFormatter())
    handler.handle(record("first"))
    assert stream.begun.wait(10)
    for number in range(200):
        handler.handle(record("line %d", number))
    stream.go_on.set()
    handler.close()
    lines = stream.lines()
    assert " first" in lines[0]
    assert any(line.endswith("lines of the log were lost") for line in lines)
    lost = int(next(line for line in lines if "were lost" in line).split()[-7])
    assert len(lines) - 1 + lost == 201
