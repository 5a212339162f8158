"""Responses of an engine that speaks them: answers pass, usage and the end are found."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neocloud.gateway.apis.event_stream import MAX_EVENT_BYTES
from neocloud.gateway.apis.responses import Responses
from neocloud.gateway.apis.responses.native import ResponsesEvents

from .openai_streams import COUNTED, DONE
from .test_responses import body
from .test_responses_answers import USED

API = Responses()


def event(kind: str, **fields: Any) -> bytes:
    text = json.dumps({"type": kind, "sequence_number": 1, **fields})
    return f"event: {kind}\ndata: {text}\n\n".encode()


def response(status: str, usage: dict[str, Any] | None) -> dict[str, Any]:
    return {"id": "resp_1", "object": "response", "status": status, "error": None, "usage": usage}


BEGUN = [
    event("response.created", response=response("in_progress", None)),
    event("response.in_progress", response=response("in_progress", None)),
    event("response.output_text.delta", item_id="msg", delta="hel"),
    event("response.output_text.delta", item_id="msg", delta="error"),
    event("response.function_call_arguments.delta", item_id="fc", delta="{}"),
    event("response.output_text.delta", item_id="msg", delta=""),
    event("response.output_text.done", item_id="msg", text="response.completed"),
]


class Seen:
    """All of a stream, and what the client got of it."""

    def __init__(self, *pieces: bytes) -> None:
        self.stream = ResponsesEvents()
        self.before_end = b"".join([self.stream.feed(piece) for piece in pieces])
        self.before_end += self.stream.rest()
        self.client = self.before_end + self.stream.held

    @property
    def told(self) -> tuple[object, ...]:
        s = self.stream
        return self.client, s.held, s.usage, s.complete, s.failed, s.content_events


@pytest.mark.parametrize("status", ["completed", "incomplete", "failed"])
def test_the_end_is_held_and_tells_the_usage(status: str) -> None:
    end = event(f"response.{status}", response=response(status, USED))
    seen = Seen(*BEGUN, end)
    assert seen.before_end == b"".join(BEGUN)
    assert seen.stream.held == end
    assert seen.stream.usage == COUNTED
    assert seen.stream.complete == (status != "failed")
    assert seen.stream.failed == (status == "failed")
    assert seen.stream.content_events == 3


def test_before_its_end_a_stream_is_not_complete() -> None:
    seen = Seen(*BEGUN)
    assert not seen.stream.complete
    assert not seen.stream.failed
    assert seen.stream.usage is None


@pytest.mark.parametrize(
    "error",
    [
        event("error", code="server_error", message="no room"),
        b'data: {"error":{"message":"shut down","code":500}}\n\n',
        b'data: {"error":{"message":"\n\n',
    ],
)
def test_an_error_is_a_failure_even_before_done(error: bytes) -> None:
    seen = Seen(*BEGUN, error, DONE)
    assert seen.stream.failed
    assert not seen.stream.complete
    assert seen.client == b"".join(BEGUN) + error


def test_this_api_has_no_done() -> None:
    end = event("response.completed", response=response("completed", USED))
    assert Seen(*BEGUN, end, DONE).client == b"".join(BEGUN) + end
    assert Seen(*BEGUN, end, DONE).stream.complete


def test_usage_told_on_the_way_is_known_if_the_stream_is_cut() -> None:
    told = {**USED, "output_tokens": 2, "output_tokens_details": None}
    seen = Seen(event("response.in_progress", response=response("in_progress", told)))
    assert seen.stream.usage is not None
    assert (seen.stream.usage.output_tokens, seen.stream.usage.cached_tokens) == (2, 8)


def test_an_end_that_does_not_end_is_bounded() -> None:
    stream = ResponsesEvents()
    stream.feed(event("response.completed", response=response("completed", USED)))
    while not stream.oversized:
        stream.feed(event("response.output_text.delta", delta="z" * 100_000))
    assert len(stream.held) < MAX_EVENT_BYTES + 200_000


@given(
    st.lists(
        st.sampled_from([
            *BEGUN, DONE, b": ping\n\n", b"\n", event("error", message="x"),
            event("response.completed", response=response("completed", USED)),
            event("response.completed", response=response("completed", None)).replace(
                b"\n", b"\r\n"
            ),
        ]),
        max_size=8,
    ),
    st.lists(st.integers(0, 1500), max_size=6),
)  # fmt: skip
def test_any_splitting_gives_the_same(events: list[bytes], cuts: list[int]) -> None:
    text = b"".join(events)
    at_once = Seen(text)
    places = sorted({min(place, len(text)) for place in cuts} | {0, len(text)})
    assert Seen(*[text[a:b] for a, b in pairwise(places)]).told == at_once.told
    assert Seen(*[text[n : n + 1] for n in range(len(text))]).told == at_once.told


@pytest.mark.parametrize(
    ("answer", "counted"),
    [
        (response("completed", USED), True),
        (response("completed", None), False),
        (response("completed", {"tokens": 3}), False),
        ([], False),
    ],
)
def test_a_whole_answer_passes(answer: object, counted: bool) -> None:
    text = json.dumps(answer).encode()
    told, usage = API.through.whole(text, API.read(body()))
    assert told == text
    assert usage == (COUNTED if counted else None)
