"""Responses of an engine that speaks only chat: answers, streamed and not."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neocloud.gateway.apis.refusals import ApiError
from neocloud.gateway.apis.responses import Responses

from .openai_streams import COUNTED, DONE, USAGE, data
from .response_events import judge, read_events
from .test_responses import TOOL, body

API = Responses()
THROUGH = API.through_chat
SHARED = {"id": "chatcmpl-abc", "object": "chat.completion.chunk", "created": 17, "model": "e"}
USED = {
    "input_tokens": 11,
    "input_tokens_details": {"cached_tokens": 8},
    "output_tokens": 5,
    "output_tokens_details": {"reasoning_tokens": 3},
    "total_tokens": 16,
}


def chunk(delta: dict[str, Any] | None = None, finish: str | None = None, **more: Any) -> bytes:
    choice = {"index": 0, "delta": delta or {}, "finish_reason": finish}
    return data({**SHARED, "choices": [choice], **more})


def own_usage() -> bytes:
    return data({**SHARED, "choices": [], "usage": USAGE})


def call(index: int, name: str | None, arguments: str, given: str | None = None) -> dict[str, Any]:
    function = {"name": name, "arguments": arguments} if name else {"arguments": arguments}
    told: dict[str, Any] = {"index": index, "function": function}
    return {"tool_calls": [told if name is None else {"id": given, "type": "function", **told}]}


def streamed(*pieces: bytes, **fields: object) -> tuple[Any, bytes]:
    """The stream, and all that the client gets."""
    stream = THROUGH.stream(API.read(body(stream=True, **fields)))
    out = b"".join([stream.feed(piece) for piece in pieces]) + stream.rest()
    return stream, out + stream.held


def whole(message: dict[str, Any], finish: str | None = "stop", **fields: object) -> dict[str, Any]:
    choice = {"index": 0, "message": message, "finish_reason": finish}
    answer = {**SHARED, "object": "chat.completion", "choices": [choice], "usage": USAGE}
    told, usage = THROUGH.whole(json.dumps(answer).encode(), API.read(body(**fields)))
    assert usage == COUNTED
    read: dict[str, Any] = json.loads(told)
    return read


# whole answers


def test_a_whole_answer() -> None:
    told = whole({"role": "assistant", "content": "hello"})
    text = {"type": "output_text", "text": "hello", "annotations": [], "logprobs": []}
    message = {
        "type": "message", "id": "msg_abc_0", "status": "completed", "role": "assistant",
        "content": [text],
    }  # fmt: skip
    assert told == {
        "id": "resp_abc", "object": "response", "created_at": 17, "status": "completed",
        "model": "m", "output": [message], "usage": USED, "error": None,
        "incomplete_details": None, "instructions": None, "max_output_tokens": None,
        "metadata": {}, "parallel_tool_calls": True, "previous_response_id": None,
        "reasoning": {"effort": None, "summary": None}, "store": False, "temperature": None,
        "text": {"format": {"type": "text"}}, "tool_choice": "auto", "tools": [],
        "top_logprobs": 0, "top_p": None, "truncation": "disabled", "user": None,
        "background": False,
    }  # fmt: skip


def test_the_answer_repeats_its_request() -> None:
    fields = {
        "instructions": "be brief", "metadata": {"a": "b"}, "tools": [TOOL], "temperature": 0.25,
        "top_p": 0.5, "max_output_tokens": 9, "tool_choice": "required", "user": "u",
        "parallel_tool_calls": False, "reasoning": {"effort": "low"}, "top_logprobs": 2,
        "text": {"format": {"type": "json_object"}},
    }  # fmt: skip
    told = whole({"content": "x"}, store=True, **fields)
    assert {name: told[name] for name in fields} == fields
    assert told["store"] is False
    nulls = whole({"content": "x"}, metadata=None, tools=None, text=None, tool_choice=None)
    assert (nulls["metadata"], nulls["tools"], nulls["tool_choice"]) == ({}, [], "auto")


def test_thoughts_and_calls() -> None:
    calls = [
        {"id": "c1", "type": "function", "function": {"name": "look", "arguments": '{"a":1}'}},
        {"type": "function", "function": {"name": "touch", "arguments": "{}"}},
    ]
    for name in ("reasoning_content", "reasoning"):
        message = {"content": None, name: "hm", "tool_calls": calls}
        output = whole(message, "tool_calls")["output"]
        assert output == [
            {"type": "reasoning", "id": "rs_abc_0", "status": "completed", "summary": [],
             "content": [{"type": "reasoning_text", "text": "hm"}]},
            {"type": "function_call", "id": "fc_abc_1", "status": "completed", "call_id": "c1",
             "name": "look", "arguments": '{"a":1}'},
            {"type": "function_call", "id": "fc_abc_2", "status": "completed",
             "call_id": "call_abc_1", "name": "touch", "arguments": "{}"},
        ]  # fmt: skip


@pytest.mark.parametrize(
    ("finish", "status", "reason"),
    [
        ("stop", "completed", None),
        ("tool_calls", "completed", None),
        (None, "completed", None),
        ("length", "incomplete", "max_output_tokens"),
        ("content_filter", "incomplete", "content_filter"),
    ],
)
def test_how_an_answer_stands(finish: str | None, status: str, reason: str | None) -> None:
    told = whole({"content": "cut"}, finish)
    assert told["status"] == status
    assert told["incomplete_details"] == (None if reason is None else {"reason": reason})
    assert told["error"] is None
    expected = "completed" if status == "completed" else "incomplete"
    assert [item["status"] for item in told["output"]] == [expected]


@pytest.mark.parametrize("answer", [b"", b"[]", b"{}", b'{"choices":[]}', b"<html>", b"\xff"])
def test_what_is_no_chat_completion_is_the_engines_fault(answer: bytes) -> None:
    with pytest.raises(ApiError, match="no chat completion") as refused:
        THROUGH.whole(answer, API.read(body()))
    assert refused.value.status == 502


def test_log_probabilities_come_with_the_text() -> None:
    probability = {"token": "a", "logprob": -0.5, "bytes": [97], "top_logprobs": []}
    choice = {
        "index": 0, "message": {"content": "a"}, "finish_reason": "stop",
        "logprobs": {"content": [probability]},
    }  # fmt: skip
    answer = json.dumps({**SHARED, "choices": [choice], "usage": USAGE}).encode()
    told = json.loads(THROUGH.whole(answer, API.read(body(top_logprobs=1)))[0])
    assert told["output"][0]["content"][0]["logprobs"] == [probability]
    streamed_choice = {
        "index": 0, "delta": {"content": "a"}, "logprobs": {"content": [probability]}
    }  # fmt: skip
    _, out = streamed(data({**SHARED, "choices": [streamed_choice]}), chunk({}, "stop"), DONE)
    final = judge(out)
    assert final["output"][0]["content"][0]["logprobs"] == [probability]
    assert [e["logprobs"] for e in read_events(out) if "logprobs" in e] == [[probability]] * 2


@pytest.mark.parametrize("finish", ["abort", "error"])
def test_a_whole_answer_that_the_engine_broke_off_is_its_fault(finish: str) -> None:
    with pytest.raises(ApiError, match="broke off") as refused:
        whole({"content": "cut"}, finish)
    assert refused.value.status == 502


# streams


def test_the_events_of_a_text_in_order() -> None:
    stream, out = streamed(
        chunk({"role": "assistant", "content": ""}), chunk({"content": "hel"}),
        chunk({"content": "lo"}), chunk({}, "stop"), own_usage(), DONE,
    )  # fmt: skip
    assert [event["type"] for event in read_events(out)] == [
        "response.created", "response.in_progress", "response.output_item.added",
        "response.content_part.added", "response.output_text.delta", "response.output_text.delta",
        "response.output_text.done", "response.content_part.done", "response.output_item.done",
        "response.completed",
    ]  # fmt: skip
    final = judge(out)
    assert final["usage"] == USED
    assert stream.usage == COUNTED
    assert stream.complete
    assert (stream.content_seen, stream.content_events) == (True, 2)
    assert read_events(stream.held)[0]["type"] == "response.completed"
    assert final == whole({"content": "hello"})


def test_each_token_goes_at_once_and_only_the_end_waits() -> None:
    stream = THROUGH.stream(API.read(body(stream=True)))
    assert b"response.created" in stream.feed(chunk({"role": "assistant"}))
    assert b'"delta":"a"' in stream.feed(chunk({"content": "a"}))
    assert b"response.output_item.done" in stream.feed(chunk({}, "stop"))
    assert stream.feed(own_usage()) == b""
    assert stream.held == b""
    assert stream.feed(DONE) == b""
    assert stream.held.startswith(b"event: response.completed\ndata: ")


def test_the_events_of_calls_in_order() -> None:
    _, out = streamed(
        chunk({"content": "I look"}),
        chunk(call(0, "look", "", "c1")), chunk(call(0, None, '{"a"')), chunk(call(0, None, ":1}")),
        chunk(call(1, "touch", "{}", "c2")), chunk({}, "tool_calls"), own_usage(), DONE,
    )  # fmt: skip
    final = judge(out)
    kinds = [event["type"].removeprefix("response.") for event in read_events(out)]
    begun = kinds.index("output_item.done") + 1
    assert kinds[begun:] == [
        "output_item.added", "function_call_arguments.delta", "function_call_arguments.delta",
        "function_call_arguments.done", "output_item.done",
        "output_item.added", "function_call_arguments.delta", "function_call_arguments.done",
        "output_item.done", "completed",
    ]  # fmt: skip
    assert [item["type"] for item in final["output"]] == ["message", *["function_call"] * 2]
    assert [item.get("arguments") for item in final["output"]] == [None, '{"a":1}', "{}"]


def test_calls_that_an_engine_sends_whole_and_uncounted() -> None:
    def sent(name: str) -> dict[str, Any]:
        return {"tool_calls": [{"id": name, "function": {"name": name, "arguments": "{}"}}]}

    _, out = streamed(chunk(sent("look")), chunk(sent("touch")), chunk({}, "tool_calls"), DONE)
    assert [item["name"] for item in judge(out)["output"]] == ["look", "touch"]


def test_calls_that_are_mixed_fail_rather_than_lie() -> None:
    stream, out = streamed(
        chunk(call(0, "look", "{", "c1")), chunk(call(1, "touch", "{", "c2")),
        chunk(call(0, None, "")), chunk(call(0, None, "}")), chunk({}, "tool_calls"), DONE,
    )  # fmt: skip
    assert "mixes" in judge(out)["error"]["message"]
    assert stream.failed
    assert not stream.complete


@pytest.mark.parametrize(
    ("error", "told"),
    [
        ({"error": {"message": "shut down", "code": 500}}, "shut down"),
        ({"error": "overloaded"}, "overloaded"),
        ({"error": {"code": 7}}, "the engine failed"),
        ({"error": [1]}, "the engine failed"),
        ({"object": "error", "message": "no room"}, "no room"),
    ],
)
@pytest.mark.parametrize("before", [0, 1])
@pytest.mark.parametrize("done", [0, 1])
def test_an_error_in_the_stream_becomes_response_failed(
    error: dict[str, Any], told: str, before: int, done: int
) -> None:
    stream, out = streamed(*[chunk({"content": "a"})] * before, data(error), *[DONE] * done)
    final = judge(out)
    assert final["error"] == {"message": told, "code": "server_error"}
    assert final["status"] == "failed"
    assert [item["status"] for item in final["output"]] == ["incomplete"] * before
    assert stream.failed
    assert not stream.complete
    assert read_events(stream.held)[-1]["type"] == "response.failed"


def test_an_event_that_cannot_be_read_is_a_failure() -> None:
    stream, out = streamed(chunk({"content": "a"}), b"data: {broken\n\n", chunk({}, "stop"), DONE)
    assert stream.failed
    assert "cannot be read" in judge(out)["error"]["message"]


def test_an_answer_that_the_engine_broke_off_failed() -> None:
    stream, out = streamed(chunk({"content": "a"}), chunk({}, "abort"), own_usage(), DONE)
    assert stream.failed
    assert (judge(out)["status"], judge(out)["usage"]) == ("failed", USED)


@pytest.mark.parametrize("more", [0, 30])
def test_a_body_that_just_ends_is_a_failure(more: int) -> None:
    stream, out = streamed(chunk({"content": "a"}), chunk({"content": "b"})[:more])
    final = judge(out)
    assert (final["status"], final["output"][0]["status"]) == ("failed", "incomplete")
    assert stream.failed
    assert not stream.complete


def test_without_done_the_end_of_the_body_ends_it() -> None:
    stream, out = streamed(chunk({"content": "a"}), chunk({}, "stop", usage=USAGE))
    assert stream.complete
    assert judge(out)["usage"] == USED


def test_continuous_usage_is_known_in_mid_stream_and_never_shown() -> None:
    stream = THROUGH.stream(API.read(body(stream=True)))
    out = stream.feed(chunk({"content": "a"}, usage={**USAGE, "completion_tokens": 1}))
    assert stream.usage is not None
    assert stream.usage.output_tokens == 1
    assert b"completion_tokens" not in out


def test_a_request_in_several_lines_does_not_break_the_events() -> None:
    text = json.dumps({"model": "m", "input": "a", "stream": True, "tools": [TOOL]}, indent=2)
    stream = THROUGH.stream(API.read(text.replace("\n", "\r\n").encode()))
    out = stream.feed(chunk({"content": "a"}) + chunk({}, "stop")) + stream.feed(DONE) + stream.held
    assert judge(out)["tools"] == [TOOL]


def test_the_engines_name_of_an_answer_cannot_break_out() -> None:
    odd = {**SHARED, "id": 'chatcmpl-a"\n\ndata: x/../é', "created": None}
    choice = {"index": 0, "delta": {"content": "a"}, "finish_reason": "stop"}
    _, out = streamed(data({**odd, "choices": [choice]}), DONE)
    assert judge(out)["id"] == "resp_adatax"
    nameless = json.dumps({"choices": [{"message": {"content": "a"}}]}).encode()
    told = json.loads(THROUGH.whole(nameless, API.read(body()))[0])
    assert len(told["id"]) > 12
    assert told["created_at"] > 1_700_000_000


# streamed equals unstreamed, and however it is cut

TEXT = st.sampled_from(["a", " b", "é", '"', "\\", "\n\n", "日本", "error", "[DONE]"])
CALLS = st.lists(
    st.tuples(st.sampled_from(["look", "touch"]), st.lists(TEXT, max_size=3)), max_size=3
)


@st.composite
def answers(draw: st.DrawFn) -> tuple[list[bytes], dict[str, Any], str]:
    """The events of a stream, the same as a message, and the reason to finish."""
    thoughts, texts = draw(st.lists(TEXT, max_size=3)), draw(st.lists(TEXT, max_size=3))
    refusals, calls = draw(st.lists(TEXT, max_size=1)), draw(CALLS)
    finish = draw(st.sampled_from(["stop", "length", "content_filter", "tool_calls", "abort"]))
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
    deltas += [{"reasoning_content": text} for text in thoughts]
    deltas += [{"content": text} for text in texts] + [{"refusal": text} for text in refusals]
    for number, (name, pieces) in enumerate(calls):
        deltas.append(call(number, name, "", f"c{number}"))
        deltas += [call(number, None, piece) for piece in pieces]
    events = [chunk(delta) for delta in deltas] + [chunk({}, finish), own_usage(), DONE]
    message = {
        "content": "".join(texts), "reasoning_content": "".join(thoughts),
        "refusal": "".join(refusals) or None,
        "tool_calls": [
            {"id": f"c{n}", "function": {"name": name, "arguments": "".join(pieces)}}
            for n, (name, pieces) in enumerate(calls)
        ],
    }  # fmt: skip
    return events, message, finish


def cut(whole_body: bytes, places: Sequence[int]) -> list[bytes]:
    at = sorted({min(place, len(whole_body)) for place in places} | {0, len(whole_body)})
    return [whole_body[a:b] for a, b in pairwise(at)]


@given(answers(), st.lists(st.integers(0, 3000), max_size=6))
def test_report_08_a_translated_stream_ends_as_the_unstreamed_answer(
    answer: tuple[list[bytes], dict[str, Any], str], places: list[int]
) -> None:
    events, message, finish = answer
    stream, out = streamed(*events)
    final = judge(out)
    if finish == "abort":
        assert final["status"] == "failed"
    else:
        assert final == whole(message, finish)
    assert stream.usage == COUNTED
    assert stream.complete == (finish != "abort")
    other, again = streamed(*cut(b"".join(events), places))
    assert again == out
    assert (other.usage, other.complete, other.failed) == (
        stream.usage, stream.complete, stream.failed,
    )  # fmt: skip
