"""Event streams, in whatever pieces they come."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from neocloud.gateway.sse import MAX_EVENT_BYTES, EventStream, usage_of_body

DONE = b"data: [DONE]\n\n"
USAGE = {"prompt_tokens": 9, "completion_tokens": 4, "prompt_tokens_details": {"cached_tokens": 3}}


def event(end: bytes = b"\n\n", **fields: object) -> bytes:
    return b"data: " + json.dumps(fields).encode() + end


def token(text: str, finish: str | None = None, **fields: object) -> bytes:
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": finish}
    return event(choices=[choice], **fields)


def fed(*pieces: bytes, hide: bool = True) -> tuple[EventStream, bytes]:
    """The stream after these pieces, and what the client gets before the ledger is asked."""
    stream = EventStream(hide_usage=hide)
    out = b"".join([stream.feed(piece) for piece in pieces])
    return stream, out + stream.rest()


EVENTS = st.one_of(
    st.builds(token, st.sampled_from(("a", "", "ä\n\n", '"usage":{', "[DONE]", '\\"'))),
    st.just(token("x", "stop")),
    st.just(token("x", None, usage=USAGE)),
    st.just(token("x", None, usage=None)),
    st.just(event(choices=[], usage=USAGE)),
    st.just(event(error={"message": "bad"})),
    st.sampled_from((b": ping\n\n", b"data: {broken\n\n", DONE)),
)


@given(
    st.lists(st.tuples(EVENTS, st.booleans()), max_size=8),
    st.lists(st.integers(0, 2000), max_size=12),
    st.booleans(),
    st.booleans(),
)
@example([(DONE, False), (DONE, True)], [14], True, True)
def test_pieces_do_not_matter(
    events: list[tuple[bytes, bool]], cuts: list[int], hide: bool, ended: bool
) -> None:
    body = b"".join(
        e.removesuffix(b"\n\n") + b"\r\n\r\n" if crossed else e for e, crossed in events
    )
    if not ended:
        body = body[:-3]
    whole, out = fed(body, hide=hide)
    places = [0, *sorted(cut for cut in cuts if cut < len(body)), len(body)]
    pieces = [body[a:b] for a, b in pairwise(places)]
    split, out_split = fed(*pieces, hide=hide)
    assert (out_split, split.held) == (out, whole.held)
    for name in ("usage", "content_seen", "content_events", "finished", "done", "failed"):
        assert getattr(split, name) == getattr(whole, name), name
    if not hide:
        assert out + whole.held == body


def test_each_event_passes_as_soon_as_it_is_whole() -> None:
    stream = EventStream(hide_usage=True)
    first, second = token("a"), token("b")
    assert stream.feed(first + second[:10]) == first
    assert stream.feed(second[10:-1]) == b""
    assert stream.feed(second[-1:]) == second


def test_usage_in_an_event_of_its_own_is_hidden_from_who_did_not_ask() -> None:
    own = event(choices=[], usage=USAGE)
    stream, out = fed(token("a"), own, hide=True)
    assert out == token("a")
    assert stream.usage is not None
    usage = stream.usage
    assert (usage.prompt_tokens, usage.completion_tokens, usage.cached_tokens) == (9, 4, 3)
    assert fed(token("a"), own, hide=False)[1] == token("a") + own


def test_usage_in_the_last_content_event_is_cut_out_of_it() -> None:
    last = token("b", "stop", id="c", usage=USAGE)
    stream, out = fed(last, hide=True)
    assert stream.usage is not None
    assert stream.finished
    read = json.loads(out.removeprefix(b"data: "))
    assert read == json.loads(token("b", "stop", id="c").removeprefix(b"data: "))
    assert fed(last, hide=False)[1] == last


def test_of_cumulative_usages_the_last_counts() -> None:
    pieces = [
        token("x", usage={"prompt_tokens": 9, "completion_tokens": count}) for count in (1, 2, 3)
    ]
    stream, _ = fed(*pieces)
    assert stream.usage is not None
    assert stream.usage.completion_tokens == 3
    assert stream.content_events == 3


def test_null_usage_is_none() -> None:
    stream, out = fed(token("a", usage=None))
    assert stream.usage is None
    assert out == token("a", usage=None)


def test_more_cached_than_there_were_prompt_tokens_is_not_believed() -> None:
    told = {"prompt_tokens": 2, "prompt_tokens_details": {"cached_tokens": 5}}
    stream, _ = fed(event(choices=[], usage=told))
    assert stream.usage is not None
    assert stream.usage.cached_tokens == 2


@pytest.mark.parametrize("end", [b"\n\n", b"\r\n\r\n"])
def test_done_is_held(end: bytes) -> None:
    done = b"data: [DONE]" + end
    stream, out = fed(token("a", "stop") + done)
    assert out == token("a", "stop")
    assert stream.held == done
    assert stream.done
    assert stream.complete


def test_done_without_its_blank_line_is_held_too() -> None:
    stream, out = fed(token("a"), b"data: [DONE]\n")
    assert (out, stream.held, stream.done) == (token("a"), b"data: [DONE]\n", True)


@pytest.mark.parametrize("error", [{"message": "out of memory", "code": 500}, "out of memory", [1]])
def test_an_error_is_a_failure_even_before_done(error: object) -> None:
    bad = event(error=error)
    stream, out = fed(token("a"), bad, DONE)
    assert out == token("a") + bad
    assert stream.failed
    assert stream.done
    assert not stream.complete


def test_error_null_is_none() -> None:
    stream, _ = fed(token("a", "stop", error=None), DONE)
    assert stream.complete


def test_text_that_looks_like_our_marks_is_text() -> None:
    """An answer about the protocol: what is quoted in it is no event of it."""
    said = 'data: [DONE]\n\n{"error": 1, "usage": {"prompt_tokens": 1}, "finish_reason": "x"}'
    stream, out = fed(token(said))
    assert out == token(said)
    assert (stream.done, stream.failed, stream.finished, stream.usage) == (False,) * 3 + (None,)


def test_a_stream_that_just_ends_is_not_complete() -> None:
    assert not fed(token("a"))[0].complete
    assert not fed()[0].complete
    assert fed(token("a", "length"))[0].complete


def test_events_with_content_are_counted() -> None:
    tool = event(
        choices=[{"delta": {"tool_calls": [{"function": {"arguments": '{"a'}}]}}],
    )
    role = event(choices=[{"delta": {"role": "assistant", "content": ""}}])
    stream, _ = fed(role)
    assert (stream.content_seen, stream.content_events) == (False, 0)
    thought = event(choices=[{"delta": {"reasoning_content": "hm"}}])
    stream, _ = fed(role, token("a"), thought, tool, token("b", "stop"), DONE)
    assert (stream.content_seen, stream.content_events) == (True, 4)


def test_an_event_without_end_is_noticed() -> None:
    stream = EventStream(hide_usage=True)
    stream.feed(b"x" * MAX_EVENT_BYTES)
    assert not stream.oversized
    stream.feed(b"x")
    assert stream.oversized


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"{}", b'{"usage": null}', b'{"usage": 3}'])
def test_an_answer_that_tells_no_usage(body: bytes) -> None:
    assert usage_of_body(body) is None


def test_usage_of_an_answer() -> None:
    usage = usage_of_body(json.dumps({"choices": [], "usage": USAGE}).encode())
    assert usage is not None
    assert (usage.prompt_tokens, usage.completion_tokens, usage.cached_tokens) == (9, 4, 3)


def test_an_event_may_have_other_lines_before_its_data():
    stream = EventStream(hide_usage=True)
    whole = (
        b': here\n\nevent: message\ndata: {"choices":[{"delta":{"content":"a"}}]}\n\n'
        b': note\ndata: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":1}}\n\n'
        b"event: end\ndata: [DONE]\n\n"
    )
    out = stream.feed(whole)
    assert out == b': here\n\nevent: message\ndata: {"choices":[{"delta":{"content":"a"}}]}\n\n'
    assert stream.usage is not None
    assert stream.usage.completion_tokens == 1
    assert stream.done
    assert stream.held == b"event: end\ndata: [DONE]\n\n"
