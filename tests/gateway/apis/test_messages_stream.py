"""Chat streams as Anthropic's, in whatever pieces they come and however engines mix them."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neocloud.gateway.apis.api import Usage
from neocloud.gateway.apis.event_stream import MAX_EVENT_BYTES

from .messages_script import (
    DONE,
    USAGE,
    call,
    delta,
    event,
    finish,
    read,
    text,
    translated,
    usage,
)

ROLE = delta(role="assistant", content="")
TOLD = {
    "input_tokens": 6,
    "cache_creation_input_tokens": 0,
    "cache_read_input_tokens": 3,
    "output_tokens": 4,
}


def test_a_text() -> None:
    stream, out = translated(ROLE, text("Grüße "), text('"🚀"\n\ndata: x'), finish(), usage(), DONE)
    assert stream.complete
    assert stream.usage == Usage(9, 3, 4)
    assert (stream.content_seen, stream.content_events) == (True, 2)
    assert [told["type"] for told in read(out).events] == [
        "message_start", "ping", "content_block_start", "content_block_delta",
        "content_block_delta", "content_block_stop",
    ]  # fmt: skip
    whole = read(out + stream.held)
    assert whole.stopped
    assert whole.message == {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": [],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": TOLD,
    }
    assert whole.blocks == [{"type": "text", "text": 'Grüße "🚀"\n\ndata: x', "json": ""}]


def test_each_event_passes_as_soon_as_it_is_whole() -> None:
    stream, _ = translated(ROLE, text("a"))
    piece = text("b")
    assert stream.feed(piece[:-1]) == b""
    out = stream.feed(piece[-1:])
    assert out == (
        b"event: content_block_delta\n"
        b'data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"b"}}'
        b"\n\n"
    )
    assert b"content_block_stop" in stream.feed(finish())
    assert stream.feed(usage() + DONE) == b""


PLACES = {
    "own event": [text("a"), finish(), usage(), DONE],
    "last content event": [delta(content="a", finish="stop", usage=USAGE), DONE],
    "finish event, no done": [text("a"), delta(finish="stop", usage=USAGE)],
    "before the finish": [text("a"), usage(), finish(), DONE],
    "each event, cumulative": [
        delta(content="", usage={"prompt_tokens": 9, "completion_tokens": 0}),
        delta(content="a", usage={"prompt_tokens": 9, "completion_tokens": 1}),
        delta(finish="stop", usage={"prompt_tokens": 9, "completion_tokens": 4}),
        usage(),
        DONE,
    ],
    "several": [text("a"), finish(), usage({"prompt_tokens": 9}), usage(), DONE],
    "null elsewhere": [event(choices=[], usage=None), text("a"), finish(), usage(), DONE],
}


@pytest.mark.parametrize("place", PLACES)
def test_report_9_usage_survives_translation_wherever_it_stands(place: str) -> None:
    stream, out = translated(*PLACES[place])
    whole = read(out + stream.held)
    assert whole.stopped
    assert stream.usage == Usage(9, 3, 4)
    assert whole.message["usage"] == TOLD
    assert [block["text"] for block in whole.blocks] == ["a"]


def test_report_9_an_event_without_choices_is_no_crash() -> None:
    odd = [event(choices=[]), event(choices=None), event(), event(choices=[{"index": 0}])]
    stream, out = translated(*odd, text("a"), *odd, finish(), DONE)
    assert stream.complete
    whole = read(out + stream.held)
    assert whole.blocks[0]["text"] == "a"
    assert stream.usage is None
    assert whole.message["usage"] == {"input_tokens": 0, "output_tokens": 0}


@pytest.mark.parametrize("bad", [{}, 3, "x", {"prompt_tokens": "many"}, []])
def test_usage_that_is_none_is_not_believed(bad: object) -> None:
    stream, out = translated(text("a"), usage(bad), finish(), DONE)
    assert stream.usage is None
    assert read(out + stream.held).stopped


def test_prompt_tokens_stand_in_the_first_event_where_the_engine_tells_them_there() -> None:
    first = {"prompt_tokens": 9, "completion_tokens": 0}
    _, out = translated(delta(role="assistant", content="", usage=first))
    assert read(out).message["usage"]["input_tokens"] == 9


def test_reasoning_tokens_are_told() -> None:
    told = USAGE | {"completion_tokens_details": {"reasoning_tokens": 2}}
    stream, out = translated(delta(reasoning_content="x"), finish(), usage(told), DONE)
    assert stream.usage == Usage(9, 3, 4, 2)
    whole = read(out + stream.held)
    assert whole.message["usage"]["output_tokens_details"] == {"thinking_tokens": 2}


# thinking


@pytest.mark.parametrize("name", ["reasoning", "reasoning_content"])
def test_thinking_is_a_block_before_the_text(name: str) -> None:
    stream, out = translated(
        delta(**{name: "hm"}), delta(**{name: "m"}), text("a"), finish(), usage(), DONE
    )
    whole = read(out + stream.held)
    assert [
        (block["type"], block.get("thinking"), block.get("text")) for block in whole.blocks
    ] == [
        ("thinking", "hmm", None),
        ("text", None, "a"),
    ]
    assert stream.content_events == 3


def test_thinking_told_under_both_names_is_one() -> None:
    stream, out = translated(delta(reasoning="hm", reasoning_content="hm"), finish(), DONE)
    assert read(out + stream.held).blocks[0]["thinking"] == "hm"


def test_thinking_that_was_not_wanted_is_counted_and_not_shown() -> None:
    stream, out = translated(
        delta(reasoning="hm"), text("a"), finish(), DONE, thinking={"type": "disabled"}
    )
    assert [block["type"] for block in read(out + stream.held).blocks] == ["text"]
    assert stream.content_events == 2


# why it stopped


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        ("stop", "end_turn"),
        ("length", "max_tokens"),
        ("content_filter", "refusal"),
        ("something new", "end_turn"),
    ],
)
def test_why_it_stopped(reason: str, told: str) -> None:
    stream, out = translated(text("a"), finish(reason), DONE)
    assert read(out + stream.held).message["stop_reason"] == told


def test_a_tool_call_is_the_reason_even_where_the_engine_says_stop() -> None:
    stream, out = translated(call(0, "{}", id="0", name="f"), finish("stop"), DONE)
    assert read(out + stream.held).message["stop_reason"] == "tool_use"


@pytest.mark.parametrize("field", ["stop_reason", "matched_stop"])
@pytest.mark.parametrize(("matched", "told"), [("END", "END"), ("</s>", None), (2, None)])
def test_stop_sequences(field: str, matched: object, told: str | None) -> None:
    stream, out = translated(
        text("a"), finish("stop", **{field: matched}), DONE, stop_sequences=["X", "END"]
    )
    message = read(out + stream.held).message
    assert message["stop_sequence"] == told
    assert message["stop_reason"] == ("stop_sequence" if told else "end_turn")


def test_a_refusal() -> None:
    stream, out = translated(delta(refusal="no"), finish(), DONE)
    whole = read(out + stream.held)
    assert (whole.blocks[0]["text"], whole.message["stop_reason"]) == ("no", "refusal")


# what goes wrong


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        (
            {"message": "out of memory", "type": "Internal", "code": 500},
            "api_error",
            "out of memory",
        ),
        ({"message": "later", "code": "429"}, "rate_limit_error", "later"),
        ({"message": "no", "type": "BadRequestError", "code": None}, "invalid_request_error", "no"),
        ("gone", "api_error", "gone"),
        ([1], "api_error", "the engine failed"),
        ({}, "api_error", "the engine failed"),
    ],
)
def test_an_error_in_the_stream_ends_it(error: object, kind: str, message: str) -> None:
    stream, out = translated(
        ROLE, text("a"), event(error=error), text("b"), finish(), usage(), DONE, text("c")
    )
    assert stream.failed
    assert not stream.complete
    assert stream.held == b""
    assert stream.usage is not None, "what was used is still counted"
    whole = read(out)
    assert whole.error is not None
    assert whole.error["type"] == kind
    assert whole.error["message"] == message
    assert whole.blocks[0]["text"] == "a"


def test_an_error_at_once() -> None:
    stream, out = translated(event(error={"message": "no", "code": 503}), DONE)
    assert read(out).events == [
        {"type": "error", "error": {"type": "overloaded_error", "message": "no"}}
    ]
    assert stream.held == b""
    bare = b'event: error\ndata: {"object":"error","message":"no","code":400}\n\n'
    stream, out = translated(bare, DONE)
    assert (read(out).error or {})["type"] == "invalid_request_error"


def test_error_null_is_none() -> None:
    stream, _ = translated(event(choices=[], error=None), text("a"), finish(), DONE)
    assert stream.complete


@pytest.mark.parametrize("broken", [b"data: {broken\n\n", b'data: {"id":"\xff"}\n\n'])
def test_an_event_that_cannot_be_read_is_an_error(broken: bytes) -> None:
    stream, out = translated(text("a"), broken, text("b"), finish(), DONE)
    assert stream.failed
    assert "cannot be read" in (read(out).error or {})["message"]
    assert stream.held == b""


@pytest.mark.parametrize("reason", ["abort", "error"])
def test_an_answer_that_the_engine_gave_up_is_not_complete(reason: str) -> None:
    stream, out = translated(text("a"), finish(reason), usage(), DONE)
    assert (stream.complete, stream.failed, stream.held) == (False, True, b"")
    assert read(out).error is not None


@pytest.mark.parametrize("events", [[], [ROLE], [text("a")], [call(0, "{}", id="0", name="f")]])
def test_a_stream_that_just_ends_has_no_end(events: list[bytes]) -> None:
    stream, out = translated(*events)
    assert not stream.complete
    assert stream.held == b""
    assert not read(out).stopped


def test_an_engine_without_done_ends_well() -> None:
    stream, out = translated(text("a"), finish())
    assert stream.complete
    assert read(out + stream.held).stopped


def test_done_alone_is_an_answer_of_nothing() -> None:
    stream, out = translated(DONE, DONE)
    whole = read(out + stream.held)
    assert (whole.stopped, whole.blocks, whole.message["stop_reason"]) == (True, [], "end_turn")


def test_other_choices_are_not_mixed_in() -> None:
    other = event(choices=[{"index": 1, "delta": {"content": "b"}, "finish_reason": "stop"}])
    stream, out = translated(text("a"), other)
    assert [block["text"] for block in read(out).blocks] == ["a"]
    assert not stream.complete


def test_comments_keep_the_connection_alive() -> None:
    stream, out = translated(b": here\n\n", text("a"), b":\r\n\r\n", finish(), DONE, b": x\n\n")
    assert out.startswith(b": here\n\n")
    assert b"\n\n:\n\n" in out
    assert read(out + stream.held).stopped


def test_an_event_without_end_is_noticed() -> None:
    stream, _ = translated(b"")
    stream.feed(b"x" * MAX_EVENT_BYTES)
    assert not stream.oversized
    stream.feed(b"x")
    assert stream.oversized


# properties

PIECES = st.sampled_from(("a", "", "ä\n\n", '"usage":{', "[DONE]", '\\"', "🚀", "{", "}"))
EVENTS = st.one_of(
    st.builds(text, PIECES),
    st.builds(lambda piece: delta(reasoning=piece), PIECES),
    st.builds(lambda index, piece: call(index, piece, id=str(index), name="f"),
              st.integers(0, 2), PIECES),
    st.builds(call, st.integers(0, 2), PIECES),
    st.just(finish()),
    st.just(usage()),
    st.just(delta(content="x", usage=USAGE)),
    st.just(event(error={"message": "bad"})),
    st.sampled_from((b": ping\n\n", b"data: {broken\n\n", DONE, b"event: x\nid: 1\n\n")),
)  # fmt: skip


@given(
    st.lists(st.tuples(EVENTS, st.booleans()), max_size=10),
    st.lists(st.integers(0, 3000), max_size=12),
    st.booleans(),
)
def test_pieces_do_not_matter(
    events: list[tuple[bytes, bool]], cuts: list[int], ended: bool
) -> None:
    body = b"".join(e.replace(b"\n", b"\r\n") if crossed else e for e, crossed in events)
    if not ended:
        body = body[:-3]
    whole, out = translated(body)
    read(out + whole.held)
    places = [0, *sorted(cut for cut in cuts if cut < len(body)), len(body)]
    split, out_split = translated(*[body[a:b] for a, b in pairwise(places)])
    assert (out_split, split.held) == (out, whole.held)
    for name in ("usage", "content_seen", "content_events", "failed", "complete"):
        assert getattr(split, name) == getattr(whole, name), name


def test_split_at_every_byte() -> None:
    body = b"".join([
        ROLE, delta(reasoning="hm"), text("ä🚀"), call(0, '{"a":', id="0", name="f"),
        call(1, '{"b":2}', id="1", name="g"), call(0, "1}"), finish("tool_calls"), usage(), DONE,
    ])  # fmt: skip
    stream, out = translated(body)
    expected = out + stream.held
    assert read(expected).stopped
    for place in range(len(body)):
        stream, out = translated(body[:place], body[place:])
        assert out + stream.held == expected, place
    stream, out = translated(*[body[place : place + 1] for place in range(len(body))])
    assert out + stream.held == expected
