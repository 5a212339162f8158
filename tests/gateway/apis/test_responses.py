"""Responses: what is read and refused, and how engines of either kind are asked."""

from __future__ import annotations

import json
from typing import Any

import pytest

from neocloud.gateway.apis.api import Wanted
from neocloud.gateway.apis.media import media_of
from neocloud.gateway.apis.refusals import ApiError
from neocloud.gateway.apis.responses import Responses, not_kept

API = Responses()
CHAT = frozenset({"chat"})
NATIVE = frozenset({"responses"})
IMAGE = "data:image/png;base64,AAAA"


def body(**fields: object) -> bytes:
    return json.dumps({"model": "m", "input": "hello", **fields}).encode()


def sent(text: bytes, speaks: frozenset[str] = CHAT, **wanted: Any) -> dict[str, Any]:
    dialect = API.toward(speaks)
    assert dialect is not None
    told = dialect.request(text, API.read(text), Wanted(**{"model": "m", **wanted}))
    read: dict[str, Any] = json.loads(told)
    return read


def messages(given: object, **fields: object) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = sent(body(input=given, **fields))["messages"]
    return found


def refusal(text: bytes, speaks: frozenset[str] = CHAT) -> ApiError:
    with pytest.raises(ApiError) as refused:
        sent(text, speaks)
    assert refused.value.status == 400
    return refused.value


# what is read


def test_what_is_read() -> None:
    asked = API.read(body(stream=True, max_output_tokens=9))
    assert (asked.model, asked.stream, asked.limit, asked.answers) == ("m", True, 9, 1)
    assert json.loads(asked.prompt) == "hello"
    both = API.read(body(instructions="be brief", input=[{"role": "user", "content": "hi"}]))
    assert json.loads(both.prompt) == ["be brief", [{"role": "user", "content": "hi"}]]
    assert (
        API.read(body(background=False, previous_response_id=None, conversation=None)).limit is None
    )


@pytest.mark.parametrize(
    "fields",
    [{"input": None}, {"input": 3}, {"input": {}}, {"model": None}, {"instructions": 4},
     {"stream": 1}, {"max_output_tokens": 0}, {"max_output_tokens": "9"}],
)  # fmt: skip
@pytest.mark.parametrize("speaks", [CHAT, NATIVE])
def test_what_is_no_request_is_refused(speaks: frozenset[str], fields: dict[str, object]) -> None:
    refusal(body(**fields), speaks)


@pytest.mark.parametrize(
    ("field", "value"),
    [("previous_response_id", "resp_1"), ("background", True), ("conversation", {"id": "c"}),
     ("prompt", {"id": "pmpt_1"})],
)  # fmt: skip
@pytest.mark.parametrize("speaks", [CHAT, NATIVE])
def test_what_needs_kept_answers_is_refused_and_says_why(
    speaks: frozenset[str], field: str, value: object
) -> None:
    error = refusal(body(**{field: value}), speaks)
    assert error.code == "no_stored_responses"
    assert str(error).startswith(field)
    assert "not kept" in str(error)


def test_report_10_reading_an_answer_again_is_not_there_and_so_no_usage() -> None:
    error = not_kept("/v1/responses/resp_1")
    assert error.status == 404
    assert "/v1/responses/resp_1" in str(error)
    assert "not kept" in str(error)


def test_images_in_it_are_found() -> None:
    parts = [{"type": "input_image", "image_url": IMAGE}, {"type": "input_text", "text": "what?"}]
    asked = API.read(body(instructions="look", input=[{"role": "user", "content": parts}]))
    found = media_of(asked.prompt, frozenset())
    assert (found.parts, found.bytes) == (1, len(IMAGE))
    inside = [
        {"role": "user", "content": [{"type": "input_image", "image_url": "http://10.0.0.1"}]}
    ]
    with pytest.raises(ApiError):
        media_of(API.read(body(input=inside)).prompt, frozenset())


def test_who_is_asked_how() -> None:
    assert API.toward(frozenset({"completions"})) is None
    paths = [getattr(API.toward(speaks), "path", None) for speaks in (CHAT, NATIVE)]
    assert paths == [b"/v1/chat/completions", b"/v1/responses"]


# an engine that speaks responses


def test_an_engine_that_speaks_it_gets_the_clients_fields() -> None:
    fields = {
        "input": [{"role": "user", "content": "hi"}], "tools": [{"type": "web_search"}],
        "own": {"a": [1, 2]}, "text": {"verbosity": "low"},
    }  # fmt: skip
    assert sent(body(**fields, store=True), NATIVE) == {"model": "m", **fields, "store": False}
    more = sent(body(**fields), NATIVE, model="x", limit=50, salt_field="cache_salt", salt="s")
    assert more == {
        "model": "x", **fields, "store": False, "max_output_tokens": 50, "cache_salt": "s",
    }  # fmt: skip
    assert sent(body(max_output_tokens=7), NATIVE, limit=50)["max_output_tokens"] == 7
    own = sent(body(cache_salt="mine"), NATIVE, salt_field="cache_salt", salt="s")["cache_salt"]
    assert own not in {"mine", "s"}


@pytest.mark.parametrize("speaks", [CHAT, NATIVE])
def test_no_field_of_another_api_makes_the_answer_longer_than_was_read(
    speaks: frozenset[str],
) -> None:
    text = body(n=50, best_of=50, max_tokens=9999, max_completion_tokens=9999, n_predict=9999)
    told = sent(text, speaks, limit=50)
    assert not {"n", "best_of", "max_completion_tokens", "n_predict"} & told.keys()
    assert told.get("max_tokens", told.get("max_output_tokens")) == 50
    assert 9999 not in told.values()


# an engine that speaks chat


def test_a_plain_request() -> None:
    assert sent(body()) == {"model": "m", "messages": [{"role": "user", "content": "hello"}]}
    told = sent(body(stream=True), continuous=True, limit=50, model="x", salt_field="s", salt="t")
    assert told == {
        "model": "x", "messages": [{"role": "user", "content": "hello"}], "stream": True,
        "stream_options": {"include_usage": True, "continuous_usage_stats": True},
        "max_tokens": 50, "s": "t",
    }  # fmt: skip
    plain = sent(body(stream=True, stream_options={"include_obfuscation": False}))
    assert plain["stream_options"] == {"include_usage": True}


def test_settings_are_translated_and_unknown_fields_pass() -> None:
    told = sent(
        body(
            temperature=0.5, top_p=0.9, max_output_tokens=7, user="u", metadata={"a": "b"},
            reasoning={"effort": "low", "summary": "auto"}, store=True, truncation="disabled",
            include=["reasoning.encrypted_content"], text={"verbosity": "low"}, top_k=5,
            chat_template_kwargs={"enable_thinking": False}, service_tier=None,
            parallel_tool_calls=True, tool_choice="auto", tools=[], max_tool_calls=3,
        ),
        limit=50,
    )  # fmt: skip
    del told["messages"]
    assert told == {
        "model": "m", "temperature": 0.5, "top_p": 0.9, "max_tokens": 7, "user": "u",
        "reasoning_effort": "low", "verbosity": "low", "top_k": 5,
        "chat_template_kwargs": {"enable_thinking": False},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [({"top_logprobs": 3}, 3), ({"include": ["message.output_text.logprobs"]}, 0)],
)
def test_log_probabilities_are_asked_for(fields: dict[str, object], wanted: int) -> None:
    told = sent(body(**fields))
    assert (told["logprobs"], told["top_logprobs"]) == (True, wanted)


def test_instructions_and_roles() -> None:
    assert messages("hi", instructions="be brief") == [
        {"role": "system", "content": "be brief"},
        {"role": "user", "content": "hi"},
    ]
    turns = [
        {"role": "developer", "content": "no jokes"},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]},
        {"role": "assistant", "content": [
            {"type": "output_text", "text": "ye", "annotations": []},
            {"type": "output_text", "text": "s"},
        ]},
        {"role": "user", "content": "and?"},
    ]  # fmt: skip
    assert messages(turns, instructions="be brief") == [
        {"role": "system", "content": "be brief\n\nno jokes"},
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": "yes"},
        {"role": "user", "content": "and?"},
    ]


def test_parts() -> None:
    sound = {"data": "AAAA", "format": "wav"}
    parts = [
        {"type": "input_text", "text": "what?"},
        {"type": "input_image", "image_url": IMAGE, "detail": "low"},
        {"type": "input_image", "image_url": IMAGE},
        {"type": "input_audio", "input_audio": sound},
    ]
    assert messages([{"role": "user", "content": parts}])[0]["content"] == [
        {"type": "text", "text": "what?"},
        {"type": "image_url", "image_url": {"url": IMAGE, "detail": "low"}},
        {"type": "image_url", "image_url": {"url": IMAGE}},
        {"type": "input_audio", "input_audio": sound},
    ]


def test_calls_and_their_outputs() -> None:
    """What the model thought is dropped; calls of one turn stand in one message."""
    items = [
        {"role": "user", "content": "weather?"},
        {"type": "reasoning", "id": "rs", "summary": [], "content": [{"type": "reasoning_text"}]},
        {"type": "message", "role": "assistant", "id": "msg", "status": "completed",
         "content": [{"type": "output_text", "text": "I look", "annotations": []}]},
        {"type": "function_call", "id": "fc", "call_id": "c1", "name": "look", "arguments": "{}"},
        {"type": "function_call", "call_id": "c2", "name": "look", "arguments": '{"a":1}'},
        {"type": "function_call_output", "call_id": "c1", "output": "rain"},
        {"type": "function_call_output", "call_id": "c2",
         "output": [{"type": "input_text", "text": "sun"}]},
        {"type": "function_call", "call_id": "c3", "name": "look", "arguments": "{}"},
    ]  # fmt: skip

    def call(name: str, arguments: str) -> dict[str, object]:
        function = {"name": "look", "arguments": arguments}
        return {"id": name, "type": "function", "function": function}

    assert messages(items) == [
        {"role": "user", "content": "weather?"},
        {"role": "assistant", "content": "I look",
         "tool_calls": [call("c1", "{}"), call("c2", '{"a":1}')]},
        {"role": "tool", "tool_call_id": "c1", "content": "rain"},
        {"role": "tool", "tool_call_id": "c2", "content": "sun"},
        {"role": "assistant", "content": None, "tool_calls": [call("c3", "{}")]},
    ]  # fmt: skip


TOOL = {
    "type": "function", "name": "look", "description": "looks", "strict": True,
    "parameters": {"type": "object", "properties": {}},
}  # fmt: skip


def test_tools() -> None:
    told = sent(body(tools=[TOOL], tool_choice="required", parallel_tool_calls=False))
    function = {name: value for name, value in TOOL.items() if name != "type"}
    assert told["tools"] == [{"type": "function", "function": function}]
    assert told["tool_choice"] == "required"
    assert told["parallel_tool_calls"] is False
    one = sent(body(tools=[TOOL], tool_choice={"type": "function", "name": "look"}))
    assert one["tool_choice"] == {"type": "function", "function": {"name": "look"}}
    bare = sent(body(tools=[{"type": "function", "name": "bare", "parameters": None}]))
    assert bare["tools"] == [{"type": "function", "function": {"name": "bare"}}]


def test_allowed_tools_are_the_only_ones_that_the_engine_sees() -> None:
    choice = {
        "type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "look"}]
    }  # fmt: skip
    told = sent(body(tools=[TOOL, {"type": "function", "name": "touch"}], tool_choice=choice))
    assert [tool["function"]["name"] for tool in told["tools"]] == ["look"]
    assert told["tool_choice"] == "required"


def test_formats() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string"}}}
    form = {"type": "json_schema", "name": "it", "schema": schema, "strict": True}
    assert sent(body(text={"format": form}))["response_format"] == {
        "type": "json_schema", "json_schema": {"name": "it", "schema": schema, "strict": True},
    }  # fmt: skip
    free = sent(body(text={"format": {"type": "json_object"}}))["response_format"]
    assert free == {"type": "json_object"}
    assert "response_format" not in sent(body(text={"format": {"type": "text"}}))


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"tools": [TOOL, {"type": "web_search"}, {"type": "mcp"}]}, "mcp, web_search"),
        ({"tools": [{"type": "function"}]}, "name"),
        ({"tools": [TOOL], "tool_choice": {"type": "mcp", "server_label": "x"}}, "mcp"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"tool_choice": {"type": "function", "name": "look"}}, "tool_choice"),
        ({"text": {"format": {"type": "grammar"}}}, "grammar"),
        ({"input": [{"type": "item_reference", "id": "x"}]}, "not kept"),
        ({"input": [{"type": "computer_call_output", "output": {}}]}, "computer_call_output"),
        ({"input": [{"type": "function_call", "name": "look"}]}, "call_id"),
        ({"input": [{"role": "tool", "content": "x"}]}, "tool"),
        ({"input": ["hello"]}, "object"),
        ({"input": [{}]}, "None"),
        ({"input": [{"role": "user", "content": [{"type": "input_file"}]}]}, "input_file"),
        ({"input": [{"role": "user", "content": [{"type": "input_image", "file_id": "f"}]}]},
         "image_url"),
        ({"input": [{"role": "system", "content": [{"type": "input_image"}]}]}, "input_image"),
    ],
)  # fmt: skip
def test_what_chat_cannot_do_is_refused_by_name(fields: dict[str, object], named: str) -> None:
    assert named in str(refusal(body(**fields)))
