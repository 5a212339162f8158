"""Anthropic's streams of engines that speak them, and unstreamed messages."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neocloud.gateway.apis.api import AnswerStream, Usage
from neocloud.gateway.apis.event_stream import MAX_EVENT_BYTES
from neocloud.gateway.apis.messages import Messages

from .messages_script import asked, fed


def event(kind: str, end: bytes = b"\n\n", **fields: object) -> bytes:
    told = json.dumps({"type": kind, **fields}, ensure_ascii=False)
    return f"event: {kind}\ndata: {told}".encode() + end


def start(**usage: int) -> bytes:
    return event("message_start", message={"id": "x", "content": [], "usage": usage})


def delta(reason: str | None = "end_turn", **usage: int) -> bytes:
    return event("message_delta", delta={"stop_reason": reason}, usage=usage)


def text(piece: str) -> bytes:
    return event("content_block_delta", index=0, delta={"type": "text_delta", "text": piece})


PING = event("ping")
STOP = event("message_stop")
BLOCK = event("content_block_start", index=0, content_block={"type": "text", "text": ""})
CLOSED = event("content_block_stop", index=0)


def through(*pieces: bytes) -> tuple[AnswerStream, bytes]:
    stream = Messages().through.stream(asked())
    return stream, fed(stream, *pieces)


def test_bytes_pass_and_the_end_waits() -> None:
    before = [
        start(input_tokens=9, output_tokens=1), PING, BLOCK, text("ä"),
        text('"type":"message_stop"'), CLOSED, delta(output_tokens=5),
    ]  # fmt: skip
    stream, out = through(*before, STOP)
    assert out == b"".join(before)
    assert stream.held == STOP
    assert stream.complete
    assert stream.usage == Usage(9, 0, 5)
    assert (stream.content_seen, stream.content_events) == (True, 2)


def test_each_event_passes_as_soon_as_it_is_whole() -> None:
    stream, _ = through(start(input_tokens=9))
    assert stream.feed(text("a")[:-1]) == b""
    assert stream.feed(b"\n" + text("b")) == text("a") + text("b")


@pytest.mark.parametrize(
    ("first", "last", "usage"),
    [
        # Anthropic: prompt at the start, without what the cache gave or took
        (
            {"input_tokens": 5, "cache_read_input_tokens": 3, "cache_creation_input_tokens": 2},
            {"output_tokens": 4},
            Usage(10, 3, 4),
        ),
        # vLLM: the cached ones are known at the end only, and counted among the others before
        (
            {"input_tokens": 10, "output_tokens": 0},
            {"input_tokens": 7, "cache_read_input_tokens": 3, "output_tokens": 4},
            Usage(10, 3, 4),
        ),
        # all at the end
        ({"input_tokens": 0, "output_tokens": 0}, {"input_tokens": 9, "output_tokens": 4},
         Usage(9, 0, 4)),
        # none at the end
        ({"input_tokens": 9}, {"input_tokens": 0, "output_tokens": 4}, Usage(9, 0, 4)),
    ],
)  # fmt: skip
def test_usage_told_bit_by_bit(first: dict[str, int], last: dict[str, int], usage: Usage) -> None:
    stream, _ = through(start(**first), text("a"), delta(**last), STOP)
    assert stream.usage == usage


def test_usage_known_so_far_when_it_breaks_off() -> None:
    stream, _ = through(start(input_tokens=9, output_tokens=1), text("a"))
    assert stream.usage == Usage(9, 0, 1)
    assert not stream.counted, "that is the prompt alone"
    assert not stream.complete
    assert stream.held == b""


def test_cumulative_output_counts_once() -> None:
    stream, _ = through(
        start(input_tokens=9, output_tokens=1), delta(None, output_tokens=3), delta(output_tokens=7)
    )
    assert stream.usage == Usage(9, 0, 7)
    assert stream.counted


def test_an_error_is_a_failure_and_no_end_follows_it() -> None:
    bad = event("error", error={"type": "overloaded_error", "message": "full"})
    stream, out = through(start(input_tokens=9), text("a"), bad, STOP)
    assert out.endswith(bad)
    assert (stream.failed, stream.complete, stream.held) == (True, False, b"")
    odd = b"event: error\ndata: broken\n\n"
    stream, out = through(odd, STOP)
    assert (out, stream.failed, stream.held) == (odd, True, b"")


def test_an_engine_that_just_ends_after_its_reason_gets_its_end() -> None:
    stream, _ = through(start(input_tokens=9), delta(output_tokens=3))
    assert stream.complete
    assert json.loads(stream.held.split(b"data: ")[1]) == {"type": "message_stop"}
    assert through(start(input_tokens=9), text("a"))[0].held == b""


def test_a_stream_without_its_beginning_gets_one() -> None:
    """As llama.cpp's where the first token is no whole character: clients fail without."""
    stream, out = through(BLOCK, text("a"), CLOSED, delta(output_tokens=3), STOP)
    first = json.loads(out.split(b"data: ")[1].split(b"\n")[0])
    assert (first["type"], first["message"]["model"]) == ("message_start", "m")
    assert out.endswith(BLOCK + text("a") + CLOSED + delta(output_tokens=3))
    assert stream.complete
    assert stream.usage is None, "the prompt's tokens were not told"


def test_thinking_and_tools_count_as_content() -> None:
    stream, _ = through(
        start(input_tokens=9),
        event("content_block_delta", index=0, delta={"type": "thinking_delta", "thinking": "a"}),
        event("content_block_delta", index=1, delta={"partial_json": "{"}),
        BLOCK, PING,
    )  # fmt: skip
    assert stream.content_events == 2


def test_an_event_without_end_is_noticed() -> None:
    stream, _ = through()
    stream.feed(b"x" * (MAX_EVENT_BYTES + 1))
    assert stream.oversized


EVENTS = st.sampled_from((
    start(input_tokens=9), PING, BLOCK, text("ä\n\n"), text("message_stop"), CLOSED, STOP,
    delta(None, output_tokens=2), delta(output_tokens=3), event("error", error={"message": "x"}),
    b": here\n\n", b"event: x\ndata: message_ broken\n\n",
))  # fmt: skip


@given(
    st.lists(st.tuples(EVENTS, st.booleans()), max_size=10),
    st.lists(st.integers(0, 1500), max_size=12),
    st.booleans(),
)
def test_pieces_do_not_matter(
    events: list[tuple[bytes, bool]], cuts: list[int], ended: bool
) -> None:
    body = b"".join(e.replace(b"\n", b"\r\n") if crossed else e for e, crossed in events)
    if not ended:
        body = body[:-3]
    whole, out = through(body)
    places = [0, *sorted(cut for cut in cuts if cut < len(body)), len(body)]
    split, out_split = through(*[body[a:b] for a, b in pairwise(places)])
    assert (out_split, split.held) == (out, whole.held)
    for name in ("usage", "content_seen", "content_events", "failed", "complete"):
        assert getattr(split, name) == getattr(whole, name), name
    if body.startswith(start(input_tokens=9)) and not whole.failed:
        assert (out + whole.held).startswith(body)


def test_usage_of_an_unstreamed_message() -> None:
    told = {"input_tokens": 5, "cache_read_input_tokens": 3, "output_tokens": 4}
    details = {"output_tokens_details": {"thinking_tokens": 2}}
    body = json.dumps({"type": "message", "usage": told | details}).encode()
    assert Messages().through.whole(body, asked()) == (body, Usage(8, 3, 4, 2))


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"{}", b'{"usage": null}', b'{"usage": 3}'])
def test_a_message_that_tells_no_usage(body: bytes) -> None:
    assert Messages().through.whole(body, asked()) == (body, None)
