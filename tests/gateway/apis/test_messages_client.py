"""Anthropic's own client, a chat engine, and the translation between them."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

import anthropic
import pytest

from neocloud.gateway.apis.api import Wanted
from neocloud.gateway.apis.messages import Messages
from neocloud.gateway.apis.refusals import JSON, ApiError, error_body
from neocloud.wire import Exchange, header_lines, serve

from .messages_script import DONE, USAGE, call, delta, event, finish, text, usage

EVENTS = header_lines(((b"content-type", b"text/event-stream"),))
TOOL: Any = {
    "name": "weather",
    "description": "Weather of a place",
    "input_schema": {"type": "object", "properties": {"place": {"type": "string"}}},
}
HI: Any = [{"role": "user", "content": "hi"}]


class ChatEngine:
    """A chat engine that says what a test tells it, behind the translation; it ends as that says.

    Attributes:
        asked: requests as the engine gets them.
        status: of the answers.
        body: of an unstreamed one.
        pieces: of a streamed one.
    """

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.status = 200
        self.body = b""
        self.pieces: list[bytes] = []

    def handle(self, exchange: Exchange) -> None:
        api = Messages()
        try:
            asked = api.read(exchange.body)
            dialect = api.toward(frozenset({"chat"}))
            assert dialect is not None
            sent = dialect.request(exchange.body, asked, Wanted(model="engine's"))
            self.asked.append(json.loads(sent))
            if self.status != 200:
                exchange.respond(self.status, JSON, dialect.refusal(self.status, self.body))
            elif not asked.stream:
                exchange.respond(200, JSON, dialect.whole(self.body, asked)[0])
            else:
                stream = dialect.stream(asked)
                exchange.start(200, EVENTS)
                for piece in self.pieces:
                    exchange.write(stream.feed(piece))
                exchange.write(stream.rest())
                if stream.complete or stream.failed:
                    exchange.finish(stream.held)
                else:
                    exchange.abort()
        except ApiError as error:
            body = error_body(error.status, str(error), error.code, anthropic=True)
            exchange.respond(error.status, JSON, body)


@pytest.fixture
def engine() -> ChatEngine:
    return ChatEngine()


@pytest.fixture
def client(engine: ChatEngine) -> Iterator[anthropic.Anthropic]:
    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(serve(engine.handle, "127.0.0.1", 0))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    host, port = server.address
    try:
        with anthropic.Anthropic(
            base_url=f"http://{host}:{port}", api_key="k", max_retries=0, timeout=20
        ) as client:
            yield client
    finally:
        asyncio.run_coroutine_threadsafe(server.close_gracefully(1.0), loop).result(20)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def completion(finish: str = "stop", **message: object) -> bytes:
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish}
    return json.dumps({"id": "chatcmpl-1", "choices": [choice], "usage": USAGE}).encode()


def ask(client: anthropic.Anthropic, **fields: Any) -> anthropic.types.Message:
    asked: Any = {"model": "m", "max_tokens": 50, "messages": HI, **fields}
    message = client.messages.create(**asked)
    assert isinstance(message, anthropic.types.Message)
    return message


def test_create(client: anthropic.Anthropic, engine: ChatEngine) -> None:
    engine.body = completion(content="Grüße 🚀")
    message = ask(client, system="be brief", extra_body={"temperature": 0.5})
    (block,) = message.content
    assert isinstance(block, anthropic.types.TextBlock)
    assert block.text == "Grüße 🚀"
    assert (message.stop_reason, message.model, message.id) == ("end_turn", "m", "msg_1")
    told = message.usage
    assert (told.input_tokens, told.cache_read_input_tokens, told.output_tokens) == (6, 3, 4)
    assert engine.asked == [
        {
            "model": "engine's",
            "messages": [{"role": "system", "content": "be brief"}, *HI],
            "max_tokens": 50,
            "temperature": 0.5,
        }
    ]


def test_stream(client: anthropic.Anthropic, engine: ChatEngine) -> None:
    engine.pieces = [
        delta(role="assistant", content=""), delta(reasoning="hm"), text("Grü"), text("ße 🚀"),
        finish(), usage(), DONE,
    ]  # fmt: skip
    with client.messages.stream(model="m", max_tokens=50, messages=HI) as stream:
        assert list(stream.text_stream) == ["Grü", "ße 🚀"]
        message = stream.get_final_message()
    assert [block.type for block in message.content] == ["thinking", "text"]
    assert message.stop_reason == "end_turn"
    told = message.usage
    assert (told.input_tokens, told.cache_read_input_tokens, told.output_tokens) == (6, 3, 4)
    assert engine.asked[0]["stream_options"] == {"include_usage": True}


def test_raw_events(client: anthropic.Anthropic, engine: ChatEngine) -> None:
    engine.pieces = [text("a"), finish(), usage(), DONE]
    events = client.messages.create(model="m", max_tokens=50, messages=HI, stream=True)
    assert [told.type for told in events] == [
        "message_start", "content_block_start", "content_block_delta", "content_block_stop",
        "message_delta", "message_stop",
    ]  # fmt: skip


def test_a_round_of_tools(client: anthropic.Anthropic, engine: ChatEngine) -> None:
    calls = [
        {"id": f"c{number}", "function": {"name": "weather", "arguments": f'{{"place":"{place}"}}'}}
        for number, place in enumerate(("Rome", "Oslo"))
    ]
    engine.body = completion("tool_calls", content=None, tool_calls=calls)
    message = ask(client, tools=[TOOL], tool_choice={"type": "any"})
    assert message.stop_reason == "tool_use"
    used = [block for block in message.content if block.type == "tool_use"]
    assert [block.input for block in used] == [{"place": "Rome"}, {"place": "Oslo"}]
    results = [{"type": "tool_result", "tool_use_id": b.id, "content": "sun"} for b in used]
    engine.body = completion(content="Sun in both.")
    turns = [
        *HI,
        {"role": "assistant", "content": message.content},
        {"role": "user", "content": results},
    ]
    assert ask(client, messages=turns, tools=[TOOL]).stop_reason == "end_turn"
    sent = engine.asked[1]["messages"]
    assert [told["role"] for told in sent] == ["user", "assistant", "tool", "tool"]
    assert [told["id"] for told in sent[1]["tool_calls"]] == ["c0", "c1"]
    assert [told["tool_call_id"] for told in sent[2:]] == ["c0", "c1"]


def test_streamed_tools_even_interleaved(client: anthropic.Anthropic, engine: ChatEngine) -> None:
    engine.pieces = [
        text("so"), call(0, id="c0", name="weather"), call(0, '{"place":'),
        call(1, '{"place":', id="c1", name="weather"), call(0, '"Rome"}'), call(1, '"Oslo"}'),
        finish("tool_calls"), usage(), DONE,
    ]  # fmt: skip
    with client.messages.stream(model="m", max_tokens=50, messages=HI, tools=[TOOL]) as stream:
        message = stream.get_final_message()
    assert message.stop_reason == "tool_use"
    inputs = {block.id: block.input for block in message.content if block.type == "tool_use"}
    assert inputs == {"c0": {"place": "Rome"}, "c1": {"place": "Oslo"}}


def test_a_form(client: anthropic.Anthropic, engine: ChatEngine) -> None:
    engine.body = completion(content='{"place":"Rome"}')
    form = {"type": "json_schema", "schema": TOOL["input_schema"]}
    ask(client, output_config={"format": form})
    asked = engine.asked[0]["response_format"]
    assert asked["json_schema"]["schema"] == TOOL["input_schema"]


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, anthropic.BadRequestError),
        (401, anthropic.AuthenticationError),
        (403, anthropic.PermissionDeniedError),
        (404, anthropic.NotFoundError),
        (422, anthropic.UnprocessableEntityError),
        (429, anthropic.RateLimitError),
        (500, anthropic.InternalServerError),
        (503, anthropic.InternalServerError),
    ],
)
def test_refusals(
    client: anthropic.Anthropic,
    engine: ChatEngine,
    status: int,
    error: type[anthropic.APIStatusError],
) -> None:
    engine.status = status
    engine.body = b'{"error":{"message":"what it is","type":"EngineError","code":1}}'
    with pytest.raises(error, match="what it is") as caught:
        ask(client)
    assert caught.value.status_code == status


def test_what_cannot_be_translated(client: anthropic.Anthropic, engine: ChatEngine) -> None:
    source = {"type": "base64", "media_type": "application/pdf", "data": "x"}
    turns = [{"role": "user", "content": [{"type": "document", "source": source}]}]
    with pytest.raises(anthropic.BadRequestError, match=r"messages\.0\.content\.0\.source"):
        ask(client, messages=turns)
    assert engine.asked == []


Take = Callable[[anthropic.Anthropic], object]


def final(client: anthropic.Anthropic) -> object:
    with client.messages.stream(model="m", max_tokens=50, messages=HI) as stream:
        return stream.get_final_message()


def raw(client: anthropic.Anthropic) -> object:
    return list(client.messages.create(model="m", max_tokens=50, messages=HI, stream=True))


@pytest.mark.parametrize("take", [final, raw])
def test_an_error_in_the_stream_is_raised(
    client: anthropic.Anthropic, engine: ChatEngine, take: Take
) -> None:
    engine.pieces = [text("a"), event(error={"message": "out of memory", "code": 500}), DONE]
    with pytest.raises(anthropic.APIStatusError, match="out of memory") as caught:
        take(client)
    assert caught.value.body == {
        "type": "error",
        "error": {"type": "api_error", "message": "out of memory"},
    }


@pytest.mark.parametrize("take", [final, raw])
def test_a_stream_that_breaks_off_is_no_answer(
    client: anthropic.Anthropic, engine: ChatEngine, take: Take
) -> None:
    engine.pieces = [text("a")]
    with pytest.raises(Exception, match=r"(?i)incomplete|closed"):
        take(client)
