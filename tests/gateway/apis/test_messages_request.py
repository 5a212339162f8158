"""Requests of the Messages API: what is read, and what a chat engine is asked in their place."""

from __future__ import annotations

import json
from typing import Any

import pytest

from neocloud.gateway.apis.api import Wanted
from neocloud.gateway.apis.messages import Messages
from neocloud.gateway.apis.refusals import ApiError

PNG = {"type": "base64", "media_type": "image/png", "data": "iVBORw0K"}
PNG_PART = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0K"}}
HI = [{"role": "user", "content": "hi"}]
TOOL = {"name": "f", "description": "does f", "input_schema": {"type": "object", "b": 1, "a": 2}}
API = Messages()


def body(messages: object = HI, **fields: object) -> bytes:
    asked: dict[str, object] = {"model": "m", "max_tokens": 50, "messages": messages, **fields}
    return json.dumps({name: value for name, value in asked.items() if value is not ...}).encode()


def put(messages: object = HI, wanted: Wanted | None = None, **fields: object) -> dict[str, Any]:
    """What the chat engine is asked."""
    data = body(messages, **fields)
    sent = API.by_chat.request(data, API.read(data), wanted or Wanted(model="e"))
    return json.loads(sent)


def turns(*content: object, role: str = "user", **fields: object) -> list[dict[str, Any]]:
    """Messages of the engine for one turn of these blocks."""
    return put([{"role": role, "content": list(content)}], **fields)["messages"]


def refused(messages: object = HI, **fields: object) -> str:
    with pytest.raises(ApiError) as caught:
        put(messages, **fields)
    assert caught.value.status == 400
    return str(caught.value)


# read


def test_what_is_read() -> None:
    asked = API.read(body(system="s", tools=[TOOL], stream=True))
    assert (asked.model, asked.limit, asked.answers) == ("m", 50, 1)
    assert (asked.stream, asked.wants_usage) == (True, True)
    assert json.loads(asked.prompt) == ["s", [TOOL], HI]
    plain = API.read(body())
    assert (plain.stream, plain.wants_usage) == (False, True)
    assert json.loads(plain.prompt) == HI
    assert json.loads(API.read(body(tools=[TOOL], system=None)).prompt) == [None, [TOOL], HI]


def test_prompts_that_go_on_share_their_beginning() -> None:
    more = [*HI, {"role": "assistant", "content": "yes"}]
    for fields in ({}, {"system": "s"}, {"tools": [TOOL]}):
        first = API.read(body(**fields)).prompt
        second = API.read(body(more, **fields)).prompt
        assert second.startswith(first.rstrip(b"]"))


def test_what_differs_in_each_request_of_claude_code_is_no_prompt() -> None:
    def system(mark: str) -> list[dict[str, str]]:
        header = {"type": "text", "text": f"x-anthropic-billing-header: cch={mark}"}
        return [header, {"type": "text", "text": "You help."}]

    one, two = (API.read(body(system=system(mark))).prompt for mark in "ab")
    assert one == two
    assert b"You help." in one
    assert put(system=system("a"))["messages"][0] == {"role": "system", "content": "You help."}
    odd = "x-anthropic-billing-header in a text"
    assert put(system=odd)["messages"][0]["content"] == odd
    assert odd.encode() in API.read(body(system=odd)).prompt


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"max_tokens": ...}, "max_tokens: this field is required"),
        ({"max_tokens": None}, "max_tokens: this field is required"),
        ({"max_tokens": 0}, "max_tokens: must be at least 1"),
        ({"max_tokens": "5"}, "$.max_tokens"),
        ({"model": ...}, "model"),
        ({"messages": ...}, "messages"),
        ({"n": 2}, "one answer"),
        ({"stop_sequences": "x"}, "$.stop_sequences"),
    ],
)
def test_what_is_no_request_is_refused_with_what_and_where(
    fields: dict[str, object], said: str
) -> None:
    with pytest.raises(ApiError) as caught:
        API.read(body(**fields) if "messages" not in fields else body(...))
    assert caught.value.status == 400
    assert said in str(caught.value)


@pytest.mark.parametrize("data", [b"", b"[]", b"{", b"\xff", b"[" * 100_000])
def test_what_is_no_json_is_refused(data: bytes) -> None:
    with pytest.raises(ApiError):
        API.read(data)


def test_whom_it_can_be_put_to() -> None:
    both = frozenset({"chat", "messages"})
    assert API.toward(both) is API.by_chat
    assert API.toward(frozenset({"messages"})) is API.through
    assert API.toward(frozenset({"chat"})) is API.by_chat
    assert API.toward(frozenset({"completions"})) is None


# to an engine that speaks it


def test_bytes_pass_through() -> None:
    data = b' {"max_tokens" : 5, "model":"m","messages":[],"stream":true,"x":{"y":1.0}}'
    assert API.through.request(data, API.read(data), Wanted(model="m", continuous=True)) == data


def test_name_and_salt_are_set_and_the_clients_salt_is_mixed_in() -> None:
    def sent(data: bytes) -> dict[str, Any]:
        wanted = Wanted(model="e", salt_field="cache_salt", salt="tenant", limit=9)
        return json.loads(API.through.request(data, API.read(data), wanted))

    first = sent(body(stream=True, thinking={"type": "enabled"}))
    assert first == json.loads(body(stream=True, thinking={"type": "enabled"})) | {
        "model": "e", "cache_salt": "tenant",
    }  # fmt: skip
    assert sent(body(cache_salt="own"))["cache_salt"] not in ("own", "tenant")


# to an engine that speaks chat


def test_a_plain_request() -> None:
    assert put() == {"model": "e", "messages": HI, "max_tokens": 50}


def test_a_stream_asks_for_its_usage() -> None:
    assert put(stream=True)["stream_options"] == {"include_usage": True}
    asked = put(stream=True, wanted=Wanted(model="e", continuous=True))
    assert asked["stream"] is True
    assert asked["stream_options"] == {"include_usage": True, "continuous_usage_stats": True}
    assert "stream" not in put(stream=False)


def test_settings() -> None:
    asked = put(
        stop_sequences=["a", "b"],
        temperature=0.5,
        top_p=0.9,
        top_k=40,
        metadata={"user_id": "u", "x": 1},
        thinking={"type": "enabled", "budget_tokens": 2000},
        service_tier="auto",
        cache_control={"type": "ephemeral"},
        context_management={"edits": []},
    )
    assert asked == {
        "model": "e", "messages": HI, "max_tokens": 50, "stop": ["a", "b"], "temperature": 0.5,
        "top_p": 0.9, "top_k": 40, "user": "u",
    }  # fmt: skip
    assert put(stop_sequences=[]) == put()


def test_the_form_and_the_effort_of_the_answer() -> None:
    schema = {"type": "object", "b": 1, "a": 1}
    form = {"type": "json_schema", "schema": schema}
    asked = put(output_config={"format": form, "effort": "max"})
    described = {"name": "answer", "schema": schema, "strict": True}
    assert asked["response_format"] == {"type": "json_schema", "json_schema": described}
    assert asked["reasoning_effort"] == "high"
    assert put(output_format=form)["response_format"] == asked["response_format"]
    assert "output_config.effort" in refused(output_config={"effort": "huge"})
    assert "output_config.format" in refused(output_config={"format": {"type": "json_schema"}})


def test_unknown_fields_pass_untouched() -> None:
    more = {"chat_template_kwargs": {"enable_thinking": False}, "seed": 7, "min_p": 1e-3}
    assert put(**more) == put() | more
    raw = body().replace(b'{"model"', b'{"seed":   1.50,"model"')
    assert b'"seed":1.50' in API.by_chat.request(raw, API.read(raw), Wanted(model="e"))


def test_what_would_pass_by_the_metering_does_not_pass() -> None:
    more = {"best_of": 9, "max_completion_tokens": 9999, "n": 1, "stream_options": {}}
    assert put(**more) == put()


def test_the_cache_is_salted() -> None:
    salted = Wanted(model="e", salt_field="cache_salt", salt="tenant")
    assert put(wanted=salted)["cache_salt"] == "tenant"
    own = put(wanted=salted, cache_salt="own")["cache_salt"]
    assert own not in ("own", "tenant")
    assert put(wanted=salted, cache_salt="other")["cache_salt"] != own
    assert put(cache_salt="own")["cache_salt"] == "own"


def test_system_prompts() -> None:
    blocks = [{"type": "text", "text": "a", "cache_control": {}}, {"type": "text", "text": "b"}]
    assert put(system="a")["messages"][0] == {"role": "system", "content": "a"}
    assert put(system=blocks)["messages"][0] == {"role": "system", "content": "a\n\nb"}
    assert put(system="")["messages"] == put(system=[])["messages"] == HI
    amid = [*HI, {"role": "system", "content": blocks}, *HI]
    assert put(amid)["messages"] == [*HI, {"role": "system", "content": "a\n\nb"}, *HI]
    assert "system.0" in refused(system=[{"type": "image", "source": PNG}])


def test_text_and_images() -> None:
    text = {"type": "text", "text": "ä 🚀", "cache_control": {"type": "ephemeral"}}
    part = {"type": "text", "text": "ä 🚀"}
    assert turns(text) == [{"role": "user", "content": "ä 🚀"}]
    assert turns(text, text) == [{"role": "user", "content": [part, part]}]
    assert turns({"type": "image", "source": PNG}, text) == [
        {"role": "user", "content": [PNG_PART, part]}
    ]
    far = {"type": "image", "source": {"type": "url", "url": "https://a.example/x.png"}}
    assert turns(far)[0]["content"] == [
        {"type": "image_url", "image_url": {"url": "https://a.example/x.png"}}
    ]
    assert turns() == [{"role": "user", "content": ""}]


def test_documents_of_text() -> None:
    source = {"type": "text", "media_type": "text/plain", "data": "long"}
    content = turns({"type": "document", "title": "T", "context": None, "source": source})[0]
    assert [part["text"] for part in content["content"]] == ["T", "long"]
    inner = {"type": "content", "content": [{"type": "image", "source": PNG}]}
    assert turns({"type": "document", "source": inner})[0]["content"] == [PNG_PART]
    found = {
        "type": "search_result", "title": "T", "source": "https://a.example",
        "content": [{"type": "text", "text": "x"}],
    }  # fmt: skip
    texts = [part["text"] for part in turns(found)[0]["content"]]
    assert texts == ["T\nhttps://a.example", "x"]


def test_a_tools_round() -> None:
    calls = [
        {"type": "thinking", "thinking": "hm", "signature": "x"},
        {"type": "redacted_thinking", "data": "x"},
        {"type": "text", "text": "let me see"},
        {"type": "tool_use", "id": "t1", "name": "f", "input": {"b": "ä", "a": [1.0]}},
        {"type": "tool_use", "id": "t2", "name": "g", "input": {}},
    ]
    results = [
        {"type": "tool_result", "tool_use_id": "t1", "content": "one"},
        {
            "type": "tool_result",
            "tool_use_id": "t2",
            "is_error": True,
            "content": [
                {"type": "text", "text": "a"},
                {"type": "image", "source": PNG},
                {"type": "text", "text": "b"},
            ],
        },
        {"type": "tool_result", "tool_use_id": "t3"},
        {"type": "text", "text": "go on"},
    ]
    sent = put([*HI, {"role": "assistant", "content": calls}, {"role": "user", "content": results}])
    arguments = sent["messages"][1]["tool_calls"][0]["function"]["arguments"]
    assert list(json.loads(arguments).items()) == [("b", "ä"), ("a", [1.0])]
    assert sent["messages"][1:] == [
        {
            "role": "assistant",
            "content": "let me see",
            "reasoning": "hm",
            "reasoning_content": "hm",
            "tool_calls": [
                {"id": "t1", "type": "function", "function": {"name": "f", "arguments": arguments}},
                {"id": "t2", "type": "function", "function": {"name": "g", "arguments": "{}"}},
            ],
        },
        {"role": "tool", "tool_call_id": "t1", "content": "one"},
        {"role": "tool", "tool_call_id": "t2", "content": "Error: a\nb"},
        {"role": "tool", "tool_call_id": "t3", "content": ""},
        {"role": "user", "content": [PNG_PART, {"type": "text", "text": "go on"}]},
    ]
    assert "continue_final_message" not in sent


def test_a_call_without_text_and_an_error_that_says_so() -> None:
    call = {"type": "tool_use", "id": "t", "name": "f", "input": {}}
    assert turns(call, role="assistant")[0]["content"] is None
    said = {"type": "tool_result", "tool_use_id": "t", "is_error": True, "content": "Error 5"}
    assert turns(said) == [{"role": "tool", "tool_call_id": "t", "content": "Error 5"}]


def test_an_answer_that_is_begun_goes_on() -> None:
    begun = put([*HI, {"role": "assistant", "content": "The answer is ("}])
    assert begun["continue_final_message"] is True
    assert begun["add_generation_prompt"] is False
    assert "continue_final_message" not in put()


def test_tools() -> None:
    asked = put(tools=[TOOL, {"type": "custom", "name": "g", "input_schema": {}, "strict": True}])
    assert asked["tools"] == [
        {
            "type": "function",
            "function": {
                "name": "f",
                "description": "does f",
                "parameters": TOOL["input_schema"],
            },
        },
        {"type": "function", "function": {"name": "g", "parameters": {}, "strict": True}},
    ]
    assert "tool_choice" not in asked
    assert "tools.0: 'web_search_20250305'" in refused(
        tools=[{"type": "web_search_20250305", "name": "web_search"}]
    )
    assert "tools.1.input_schema" in refused(tools=[TOOL, {"name": "g", "input_schema": None}])


@pytest.mark.parametrize(
    ("choice", "put_as"),
    [
        ({"type": "auto"}, "auto"),
        ({"type": "any"}, "required"),
        ({"type": "none"}, "none"),
        ({"type": "tool", "name": "f"}, {"type": "function", "function": {"name": "f"}}),
    ],
)
def test_choices_of_tools(choice: dict[str, object], put_as: object) -> None:
    asked = put(tools=[TOOL], tool_choice=choice)
    assert asked["tool_choice"] == put_as
    assert "parallel_tool_calls" not in asked
    one = put(tools=[TOOL], tool_choice=choice | {"disable_parallel_tool_use": True})
    assert one["parallel_tool_calls"] is False


def test_choices_that_cannot_be() -> None:
    assert "tool_choice" in refused(tools=[TOOL], tool_choice={"type": "tool"})
    assert "tool_choice" in refused(tools=[TOOL], tool_choice={"type": "some"})
    assert "tool_choice" in refused(tool_choice={"type": "any"})
    assert "tool_choice" not in put(tool_choice={"type": "auto"})


PDF = {"type": "base64", "media_type": "application/pdf", "data": "x"}


@pytest.mark.parametrize(
    ("role", "block", "said"),
    [
        ("user", {"type": "document", "source": PDF}, "messages.0.content.0.source: only"),
        ("user", {"type": "image", "source": {"type": "file", "file_id": "f"}}, "content.0.source"),
        ("user", {"type": "image"}, "content.0: a block of type 'image'"),
        ("user", {"type": "container_upload"}, "content.0: a block of type 'container_upload'"),
        ("user", {"type": "tool_use", "id": "x", "name": "f"}, "of type 'tool_use'"),
        ("assistant", {"type": "image", "source": PNG}, "of type 'image'"),
        ("assistant", {"type": "server_tool_use", "id": "x"}, "of type 'server_tool_use'"),
        ("user", {"type": "tool_result"}, "content.0.tool_use_id"),
        ("user", {"type": "tool_result", "tool_use_id": "t", "content": [{"type": "thinking"}]},
         "messages.0.content.0.content.0: a block of type 'thinking'"),
        ("user", {"text": "x"}, "$.messages[0].content[0]"),
        ("tool", {"type": "text", "text": "x"}, "messages.0.role: 'tool'"),
        ("system", {"type": "image", "source": PNG}, "messages.0.content.0"),
    ],
)  # fmt: skip
def test_what_cannot_be_put_is_refused_with_what_and_where(
    role: str, block: dict[str, object], said: str
) -> None:
    assert said in refused([{"role": role, "content": [block]}])


def test_what_anthropics_servers_do_is_refused() -> None:
    assert "mcp_servers" in refused(mcp_servers=[{"url": "https://a.example"}])
    assert "container" in refused(container="c")
    assert put(mcp_servers=[], container=None) == put()
    assert "messages: at least one" in refused([])
