"""OpenAI's and LangChain's own clients before an engine that speaks only chat completions."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from langchain_core.messages import AIMessageChunk
from langchain_openai import ChatOpenAI
from openai import BadRequestError, OpenAI
from pydantic import BaseModel

from neocloud.gateway.apis.openai import Chat
from neocloud.gateway.apis.responses import Responses

from .openai_streams import COUNTED, DONE, USAGE
from .served import Served, served
from .test_responses import TOOL
from .test_responses_answers import call, chunk, own_usage

WORDS = ["It ", "rains", "."]


class Weather(BaseModel):
    """What is asked for."""

    sky: str


def engine(path: str, request: dict[str, Any]) -> bytes | list[bytes]:
    """Calls a tool where it is given one, unless one has answered; fits a schema; else talks."""
    assert path == "/v1/chat/completions"
    messages = request["messages"]
    calls = bool(request.get("tools")) and messages[-1]["role"] != "tool"
    words = ['{"sky"', ':"grey"}'] if "response_format" in request else WORDS
    if messages[-1].get("content") == "fail":
        return [chunk({"content": "a"}), b'data: {"error":{"message":"shut down"}}\n\n', DONE]
    if request.get("stream"):
        end = "tool_calls" if calls else "stop"
        events = [chunk({"role": "assistant", "content": ""}), chunk({"reasoning_content": "hm"})]
        if calls:
            events += [chunk(call(0, "look", "", "c1")), chunk(call(0, None, '{"at":"here"}'))]
        else:
            events += [chunk({"content": word}) for word in words]
        last = [own_usage()] if request["stream_options"]["include_usage"] else []
        return [*events, chunk({}, end), *last, DONE]
    message: dict[str, Any] = {"role": "assistant", "content": "".join(words)}
    if calls:
        function = {"name": "look", "arguments": '{"at":"here"}'}
        tool_calls = [{"id": "c1", "type": "function", "function": function}]
        message = {"role": "assistant", "content": None, "tool_calls": tool_calls}
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls" if calls else "stop"}
    answer = {"id": "chatcmpl-1", "created": 1, "model": "m", "choices": [choice], "usage": USAGE}
    return json.dumps({"object": "chat.completion", **answer}).encode()


@pytest.fixture
def world() -> Iterator[Served]:
    with served(engine, {"chat"}, Responses(), Chat(), limit=50) as found:
        yield found


def client(world: Served) -> OpenAI:
    return OpenAI(base_url=world.base, api_key="k", max_retries=0)


def langchain(world: Served, **more: Any) -> ChatOpenAI:
    return ChatOpenAI(model="m", base_url=world.base, api_key="k", max_retries=0, **more)


def test_create(world: Served) -> None:
    answer = client(world).responses.create(model="m", input="weather?", instructions="be brief")
    assert answer.output_text == "It rains."
    assert answer.status == "completed"
    assert answer.usage is not None
    assert answer.usage.input_tokens_details.cached_tokens == 8
    assert answer.usage.output_tokens_details.reasoning_tokens == 3
    assert answer.instructions == "be brief"
    assert world.used == [COUNTED]
    assert world.sent[0]["max_tokens"] == 50


def test_create_as_a_stream(world: Served) -> None:
    events = list(client(world).responses.create(model="m", input="weather?", stream=True))
    assert events[0].type == "response.created"
    text = [event.delta for event in events if event.type == "response.output_text.delta"]
    thought = [event.delta for event in events if event.type == "response.reasoning_text.delta"]
    assert (text, thought) == (WORDS, ["hm"])
    assert events[-1].type == "response.completed"
    assert events[-1].response.usage.total_tokens == 16
    assert world.used == [COUNTED]


def test_the_clients_own_reading_of_a_stream_agrees(world: Served) -> None:
    with client(world).responses.stream(model="m", input="weather?") as stream:
        kinds = [event.type for event in stream]
        final = stream.get_final_response()
    assert kinds[-1] == "response.completed"
    assert final.output_text == "It rains."
    assert [item.type for item in final.output] == ["reasoning", "message"]


def test_a_tool_is_called_and_its_output_sent_back(world: Served) -> None:
    tools: list[Any] = [TOOL]
    with client(world).responses.stream(model="m", input="weather?", tools=tools) as stream:
        for _ in stream:
            pass
        first = stream.get_final_response()
    called = [item for item in first.output if item.type == "function_call"]
    assert [(item.name, item.arguments) for item in called] == [("look", '{"at":"here"}')]
    turns: list[Any] = [
        {"role": "user", "content": "weather?"},
        *[item.model_dump(exclude_none=True) for item in first.output],
        {"type": "function_call_output", "call_id": called[0].call_id, "output": "grey"},
    ]
    second = client(world).responses.create(model="m", input=turns, tools=tools)
    assert second.output_text == "It rains."
    roles = [message["role"] for message in world.sent[1]["messages"]]
    assert roles == ["user", "assistant", "tool"]


@pytest.mark.parametrize("streamed", [True, False])
def test_a_schema_is_kept(world: Served, streamed: bool) -> None:
    if streamed:
        with client(world).responses.stream(model="m", input="?", text_format=Weather) as stream:
            parsed = stream.until_done().get_final_response().output_parsed
    else:
        answer = client(world).responses.parse(model="m", input="?", text_format=Weather)
        parsed = answer.output_parsed
    assert parsed == Weather(sky="grey")
    form = world.sent[0]["response_format"]
    assert form["json_schema"]["schema"]["properties"]["sky"]["type"] == "string"


def test_a_failure_shows(world: Served) -> None:
    events = list(client(world).responses.create(model="m", input="fail", stream=True))
    assert events[-1].type == "response.failed"
    assert events[-1].response.error is not None
    assert events[-1].response.error.message == "shut down"


def test_a_refusal_says_why(world: Served) -> None:
    with pytest.raises(BadRequestError, match="web_search"):
        client(world).responses.create(model="m", input="x", tools=[{"type": "web_search"}])
    with pytest.raises(BadRequestError, match="not kept"):
        client(world).responses.create(model="m", input="x", previous_response_id="resp_1")


# LangChain


@pytest.mark.parametrize("responses", [True, False])
def test_report_09_langchain_counts_the_tokens_of_a_stream_once(
    world: Served, responses: bool
) -> None:
    model = langchain(world, stream_usage=True, use_responses_api=responses)
    total: AIMessageChunk | None = None
    told = 0
    for piece in model.stream("weather?"):
        assert isinstance(piece, AIMessageChunk)
        told += piece.usage_metadata is not None
        total = piece if total is None else total + piece
    assert total is not None
    assert told == 1
    assert total.text == "It rains."
    assert total.usage_metadata is not None
    assert (total.usage_metadata["input_tokens"], total.usage_metadata["output_tokens"]) == (11, 5)
    assert total.usage_metadata["input_token_details"]["cache_read"] == 8
    assert total.usage_metadata["output_token_details"]["reasoning"] == 3
    whole = model.invoke("weather?")
    assert whole.usage_metadata == total.usage_metadata


def test_report_09_langchain_that_does_not_ask_gets_no_usage(world: Served) -> None:
    pieces = list(langchain(world, stream_usage=False).stream("weather?"))
    assert "".join(str(piece.text) for piece in pieces) == "It rains."
    assert all(piece.usage_metadata is None for piece in pieces)
    assert world.used == [COUNTED], "the gateway knows it nonetheless"


@pytest.mark.parametrize("responses", [True, False])
def test_langchain_calls_tools(world: Served, responses: bool) -> None:
    def look(at: str) -> str:
        """Look at a place."""
        return at

    bound = langchain(world, use_responses_api=responses).bind_tools([look])
    total: Any = None
    for piece in bound.stream("weather?"):
        total = piece if total is None else total + piece
    assert [(each["name"], each["args"]) for each in total.tool_calls] == [("look", {"at": "here"})]
