"""Unstreamed chat completions as messages, and engines' errors in Anthropic's shape."""

from __future__ import annotations

import json
from typing import Any

import pytest

from neocloud.gateway.apis.api import Usage
from neocloud.gateway.apis.messages import Messages
from neocloud.gateway.apis.refusals import ApiError

from .messages_script import DONE, USAGE, asked, call, delta, finish, read, text, translated, usage


def completion(
    finish: str | None = "stop", choice: dict[str, object] | None = None, **message: object
) -> bytes:
    told = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish}
    choices = [told | (choice or {})]
    return json.dumps({"id": "chatcmpl-1", "choices": choices, "usage": USAGE}).encode()


def message(body: bytes, **fields: object) -> dict[str, Any]:
    told, _ = Messages().by_chat.whole(body, asked(**fields))
    return json.loads(told)


def test_a_text() -> None:
    told, used = Messages().by_chat.whole(completion(content="Grüße 🚀"), asked())
    assert used == Usage(9, 3, 4)
    assert json.loads(told) == {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": [{"type": "text", "text": "Grüße 🚀"}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {
            "input_tokens": 6,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 3,
            "output_tokens": 4,
        },
    }


def test_thinking_text_and_calls() -> None:
    calls = [
        {"id": "a", "type": "function", "function": {"name": "f", "arguments": '{"b":1,"a":2}'}},
        {"id": "b", "type": "function", "function": {"name": "g", "arguments": ""}},
        {"id": "c", "type": "function", "function": {"name": "h", "arguments": '{"cut'}},
        {"id": "d", "type": "function", "function": {"name": "i", "arguments": {"x": 1}}},
        {"id": "e", "type": "function", "function": {"name": "j", "arguments": "[1]"}},
    ]
    told = message(completion("tool_calls", content="so", reasoning="hm", tool_calls=calls))
    assert told["stop_reason"] == "tool_use"
    assert told["content"][:2] == [
        {"type": "thinking", "thinking": "hm", "signature": ""},
        {"type": "text", "text": "so"},
    ]
    assert [block["input"] for block in told["content"][2:]] == [
        {"b": 1, "a": 2}, {}, {"INVALID_JSON": '{"cut'}, {"x": 1}, {"INVALID_JSON": "[1]"},
    ]  # fmt: skip
    assert [block["id"] for block in told["content"][2:]] == list("abcde")
    silent = message(completion(content="so", reasoning="hm"), thinking={"type": "disabled"})
    assert [block["type"] for block in silent["content"]] == ["text"]


def test_why_it_stopped() -> None:
    assert message(completion("length", content="a"))["stop_reason"] == "max_tokens"
    assert message(completion("content_filter"))["stop_reason"] == "refusal"
    refused = message(completion(content=None, refusal="no"))
    assert (refused["stop_reason"], refused["content"][0]["text"]) == ("refusal", "no")
    called = completion(tool_calls=[{"id": "a", "function": {"name": "f", "arguments": "{}"}}])
    assert message(called)["stop_reason"] == "tool_use"
    ended = message(completion(choice={"stop_reason": "END"}), stop_sequences=["END"])
    assert (ended["stop_reason"], ended["stop_sequence"]) == ("stop_sequence", "END")
    assert message(completion(choice={"stop_reason": 2}))["stop_reason"] == "end_turn"


def test_report_8_streamed_equals_unstreamed() -> None:
    calls = [{"id": "a", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}]
    whole = message(completion("tool_calls", content="so", reasoning="hm", tool_calls=calls))
    stream, out = translated(
        delta(reasoning="hm"), text("s"), text("o"), call(0, '{"a":', id="a", name="f"),
        call(0, "1}"), finish("tool_calls"), usage(), DONE,
    )  # fmt: skip
    streamed = read(out + stream.held)
    for block in streamed.blocks:
        given = block.pop("json")
        if block["type"] == "tool_use":
            block["input"] = json.loads(given)
    assert streamed.message | {"content": streamed.blocks} == whole


@pytest.mark.parametrize(
    "body",
    [
        b"", b"<html>", b"{}", b"[]", b'{"choices":[]}', b'{"error":{"message":"x"}}', b'"\xff"',
        completion("abort", content="a"), b"[" * 100_000,
    ],
)  # fmt: skip
def test_what_is_no_answer_is_no_message(body: bytes) -> None:
    with pytest.raises(ApiError) as caught:
        message(body)
    assert caught.value.status == 502


def test_an_answer_that_tells_no_usage() -> None:
    body = b'{"choices":[{"message":{"content":"a"}}],"usage":null}'
    told, used = Messages().by_chat.whole(body, asked())
    assert used is None
    assert json.loads(told)["usage"] == {"input_tokens": 0, "output_tokens": 0}


# refusals


@pytest.mark.parametrize(
    ("status", "body", "kind", "said"),
    [
        (400, {"error": {"message": "too long", "type": "BadRequestError", "code": 400}},
         "invalid_request_error", "too long"),
        (404, {"error": {"message": "no model", "type": "NotFoundError"}}, "not_found_error",
         "no model"),
        (400, {"object": "error", "message": "old vLLM", "code": 400}, "invalid_request_error",
         "old vLLM"),
        (401, {"error": "who?"}, "authentication_error", "who?"),
        (422, {"detail": "bad field"}, "invalid_request_error", "bad field"),
        (422, {"detail": [{"loc": ["x"]}]}, "invalid_request_error", '[{"loc":["x"]}]'),
        (429, {}, "rate_limit_error", "the engine answered 429 Too Many Requests"),
        (503, None, "overloaded_error", "the engine answered 503 Service Unavailable"),
        (599, [1], "api_error", "the engine answered 599"),
        (500, {"type": "error", "error": {"type": "api_error", "message": "own"}}, "api_error",
         "own"),
        (529, {"type": "error", "error": {"type": "overloaded_error", "message": "own"}},
         "overloaded_error", "own"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("dialect", [Messages.through, Messages.by_chat])
def test_an_engines_refusal_has_anthropics_shape(
    dialect: Any, status: int, body: object, kind: str, said: str
) -> None:
    data = b"" if body is None else json.dumps(body).encode()
    assert json.loads(dialect.refusal(status, data)) == {
        "type": "error",
        "error": {"type": kind, "message": said},
    }


def test_a_refusal_that_is_no_text() -> None:
    told = json.loads(Messages().by_chat.refusal(502, b"\xff<html>"))
    assert told["error"]["message"] == "the engine answered 502 Bad Gateway"
