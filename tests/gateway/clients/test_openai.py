"""OpenAI's own client through `neocloud up`, before the fake: what it gets, what is metered."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from openai import OpenAI
from pydantic import BaseModel
from tests.gateway.world import KEY

from neocloud.ledger import Status

from .conftest import Room

TEXT = "".join(f"t{i} " for i in range(7))
MESSAGES: Any = [{"role": "user", "content": "one two"}]
TOOL: Any = {
    "type": "function",
    "function": {
        "name": "look",
        "parameters": {"type": "object", "properties": {"said": {"type": "string"}}},
    },
}


class Said(BaseModel):
    """What the fake's tools are given."""

    said: str


@pytest.fixture
def client(fake: Room) -> Iterator[OpenAI]:
    with OpenAI(base_url=fake.front.base, api_key=KEY, max_retries=0, timeout=30) as made:
        yield made


def test_chat_tells_its_request_id_and_is_metered_by_it(fake, client):
    whole = client.chat.completions.create(model="m", messages=MESSAGES)
    assert whole.choices[0].message.content == TEXT
    assert whole.usage is not None
    assert (whole.usage.prompt_tokens, whole.usage.completion_tokens) == (2, 7)
    (event,) = fake.events(1)
    assert event.request_id == whole._request_id
    assert (event.input_tokens, event.cached_tokens, event.output_tokens) == (2, 1, 7)
    assert (event.api, event.streamed, event.estimated) == ("chat", False, False)


@pytest.mark.parametrize("asks", [True, False])
def test_chat_streamed_with_and_without_usage(fake, client, asks):
    options: Any = {"stream_options": {"include_usage": True}} if asks else {}
    stream = client.chat.completions.create(model="m", messages=MESSAGES, stream=True, **options)
    chunks = list(stream)
    assert "".join(c.delta.content or "" for each in chunks for c in each.choices) == TEXT
    told = [each.usage for each in chunks if each.usage is not None]
    assert [each.completion_tokens for each in told] == [7] * asks
    (event,) = fake.events(1)
    assert event.request_id == stream.response.headers["x-request-id"]
    assert (event.output_tokens, event.streamed) == (7, True)


def test_tools_in_chat_streamed_and_not(fake, client):
    forced: Any = {
        "tools": [TOOL],
        "tool_choice": {"type": "function", "function": {"name": "look"}},
    }
    whole = client.chat.completions.create(model="m", messages=MESSAGES, **forced)
    (call,) = whole.choices[0].message.tool_calls or []
    assert call.function.name == "look"
    assert Said.model_validate_json(call.function.arguments).said == TEXT
    with client.chat.completions.stream(model="m", messages=MESSAGES, **forced) as stream:
        final = stream.get_final_completion()
    (call,) = final.choices[0].message.tool_calls or []
    assert Said.model_validate_json(call.function.arguments).said == TEXT
    assert [event.output_tokens for event in fake.events(2)] == [7, 7]


def test_several_answers_logprobs_and_unknown_fields_pass(fake, client):
    whole = client.chat.completions.create(
        model="m", messages=MESSAGES, n=3, logprobs=True, top_logprobs=2, seed=7,
        extra_body={"guided_regex": "a+", "field of ours": [1]},
    )  # fmt: skip
    assert len(whole.choices) == 3
    heard = heard_by(fake)
    assert (heard["logprobs"], heard["top_logprobs"], heard["seed"]) == (True, 2, 7)
    assert (heard["guided_regex"], heard["field of ours"]) == ("a+", [1])
    (event,) = fake.events(1)
    assert event.output_tokens == 21


def test_a_schema_passes(fake, client):
    format_: Any = {
        "type": "json_schema",
        "json_schema": {"name": "said", "schema": Said.model_json_schema(), "strict": True},
    }
    client.chat.completions.create(model="m", messages=MESSAGES, response_format=format_)
    assert heard_by(fake)["response_format"] == format_
    fake.events(1)


def heard_by(fake: Room) -> dict[str, Any]:
    """The last request as the upstream got it."""
    with urllib.request.urlopen(fake.upstream + "/heard") as answer:
        return json.loads(json.load(answer)["body"])


def test_completions_and_embeddings(fake, client):
    whole = client.completions.create(model="m", prompt="one two", max_tokens=5)
    assert whole.choices[0].finish_reason == "length"
    stream = client.completions.create(model="m", prompt="one two", stream=True)
    assert "".join(each.choices[0].text for each in stream if each.choices) == TEXT
    vectors = client.embeddings.create(model="m", input=["a", "b c"])
    assert [len(each.embedding) for each in vectors.data] == [8, 8]
    events = fake.events(3)
    assert [event.output_tokens for event in events] == [5, 7, 0]
    assert [event.input_tokens for event in events] == [2, 2, 3]
    assert [event.api for event in events] == ["completions", "completions", "embeddings"]


def test_responses_streamed_and_not_with_tools(fake, client):
    whole = client.responses.create(model="m", input="one two")
    assert whole.output_text == TEXT
    events = list(client.responses.create(model="m", input="one two", stream=True))
    assert (events[0].type, events[-1].type) == ("response.created", "response.completed")
    assert "".join(e.delta for e in events if e.type == "response.output_text.delta") == TEXT
    tool: Any = {"type": "function", "strict": False, **TOOL["function"]}
    choice: Any = {"type": "function", "name": "look"}
    with client.responses.stream(
        model="m", input="one two", tools=[tool], tool_choice=choice
    ) as stream:
        final = stream.get_final_response()
    (call,) = [item for item in final.output if item.type == "function_call"]
    assert Said.model_validate_json(call.arguments).said == TEXT
    assert final.usage is not None
    assert final.usage.output_tokens == 7
    assert [event.output_tokens for event in fake.events(3)] == [7, 7, 7]


def test_models(fake, client):
    assert [model.id for model in client.models.list()] == ["m"]
    assert client.models.retrieve("m").id == "m"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("none")
    fake.events(0)


ERRORS = [
    ("STATUS=400", openai.BadRequestError, 400),
    ("STATUS=413", openai.APIStatusError, 413),
    ("STATUS=422", openai.UnprocessableEntityError, 422),
    ("STATUS=429 RETRY_AFTER=7", openai.RateLimitError, 429),
    ("FAULT=full", openai.InternalServerError, 503),
    ("FAULT=draining", openai.InternalServerError, 500),
    ("FAULT=error-200", openai.InternalServerError, 502),
]


@pytest.mark.parametrize(("words", "error", "status"), ERRORS)
def test_errors_of_the_engine_have_the_clients_classes(fake, client, words, error, status):
    asked: Any = [{"role": "user", "content": words}]
    with pytest.raises(error) as raised:
        client.chat.completions.create(model="m", messages=asked)
    assert raised.value.status_code == status
    (event,) = fake.events(1)
    assert event.status is Status.FAILED
    assert raised.value.request_id == event.request_id
    if status in (429, 503):
        assert int(raised.value.response.headers["retry-after"]) >= 1


def test_errors_of_the_gateway_have_the_clients_classes(fake, client):
    with pytest.raises(openai.AuthenticationError) as unknown:
        client.with_options(api_key="wrong").chat.completions.create(model="m", messages=MESSAGES)
    assert unknown.value.code == "invalid_api_key"
    assert unknown.value.request_id
    with pytest.raises(openai.NotFoundError) as missing:
        client.chat.completions.create(model="none", messages=MESSAGES)
    assert missing.value.code == "model_not_found"
    with pytest.raises(openai.BadRequestError):
        client.chat.completions.create(model="m", messages=MESSAGES, max_tokens=0)
    with pytest.raises(openai.APIStatusError) as large:
        client.embeddings.create(model="m", input="x" * 5_000_000)
    assert large.value.status_code == 413
    fake.events(0)  # refused, not admitted


def test_the_clients_own_retries_are_requests_of_their_own(fake, client):
    asked: Any = [{"role": "user", "content": "STATUS=500"}]
    with pytest.raises(openai.InternalServerError):
        client.with_options(max_retries=2).chat.completions.create(model="m", messages=asked)
    events = fake.events(3)
    assert len({event.request_id for event in events}) == 3
    assert {event.status for event in events} == {Status.FAILED}


def test_a_stream_that_fails_raises_in_the_client(fake, client):
    asked: Any = [{"role": "user", "content": "FAULT=error-event AFTER=1 CHUNKS=5"}]
    with pytest.raises(openai.APIError, match="shut down"):
        list(client.chat.completions.create(model="m", messages=asked, stream=True))
    (event,) = fake.events(1)
    assert event.status is Status.FAILED


def test_a_stream_that_the_client_closes_is_aborted(fake, client):
    asked: Any = [{"role": "user", "content": "FAULT=stall AFTER=2 CHUNKS=9"}]
    with client.chat.completions.create(model="m", messages=asked, stream=True) as stream:
        for chunk in stream:
            if chunk.choices and chunk.choices[0].delta.content == "t0 ":
                break
    (event,) = fake.events(1)
    assert event.status is Status.ABORTED
    assert event.output_tokens == 1  # of seven tokens in nine events the first holds none
