"""The clients before the real llama.cpp: the same calls, and the engine's own count for each."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import anthropic
import openai
import pytest
from langchain_openai import ChatOpenAI
from openai import OpenAI
from pydantic import SecretStr
from tests.gateway.world import KEY

from neocloud.ledger import Status

from .conftest import Room

MESSAGES: Any = [{"role": "user", "content": "Why is the sky blue?"}]
SCHEMA: Any = {
    "type": "object", "properties": {"a": {"type": "boolean"}}, "required": ["a"],
    "additionalProperties": False,
}  # fmt: skip


@pytest.fixture
def client(llama: Room) -> Iterator[OpenAI]:
    with OpenAI(base_url=llama.front.base, api_key=KEY, max_retries=0, timeout=60) as made:
        yield made


TO_THE_END = {"ignore_eos": True}
"""Random weights may end an answer at any token."""


def test_chat_streamed_and_not_tell_what_is_metered(llama, client):
    whole = client.chat.completions.create(
        model="micro", messages=MESSAGES, max_tokens=9, extra_body=TO_THE_END
    )
    stream = client.chat.completions.create(
        model="micro", messages=MESSAGES, max_tokens=9, stream=True, extra_body=TO_THE_END,
        stream_options={"include_usage": True},
    )  # fmt: skip
    (streamed,) = [chunk.usage for chunk in stream if chunk.usage is not None]
    silent = client.chat.completions.create(
        model="micro", messages=MESSAGES, max_tokens=9, stream=True, extra_body=TO_THE_END
    )
    assert not [chunk for chunk in silent if chunk.usage is not None]
    events = llama.events(3)
    assert {event.engine for event in events} == {"llamacpp"}
    assert whole.usage is not None
    for event, told in zip(events, (whole.usage, streamed, streamed), strict=True):
        assert not event.estimated
        assert (event.input_tokens, event.output_tokens) == (
            told.prompt_tokens, told.completion_tokens
        )  # fmt: skip
        assert event.output_tokens == 9
    assert events[0].request_id == whole._request_id


def test_every_other_api_is_metered_by_the_engines_count(llama, client):
    text = client.completions.create(model="micro", prompt="Why", max_tokens=5)
    vectors = client.embeddings.create(model="micro", input=["Why", "not"])
    response = client.responses.create(model="micro", input="Why?", max_output_tokens=5)
    with anthropic.Anthropic(base_url=llama.front.url, api_key=KEY, max_retries=0) as other:
        asked: Any = {"model": "micro", "max_tokens": 5, "messages": MESSAGES}
        message = other.messages.create(**asked)
        with other.messages.stream(**asked) as stream:
            streamed = stream.get_final_message()
    assert text.usage is not None
    assert response.usage is not None
    assert len(vectors.data) == 2
    found = llama.events(5)
    assert [event.api for event in found] == [
        "completions", "embeddings", "responses", "messages", "messages"
    ]  # fmt: skip
    assert [event.output_tokens for event in found] == [
        text.usage.completion_tokens, 0, response.usage.output_tokens,
        message.usage.output_tokens, streamed.usage.output_tokens,
    ]  # fmt: skip
    assert found[0].input_tokens == text.usage.prompt_tokens == 4
    assert found[1].input_tokens == vectors.usage.prompt_tokens == 8
    assert found[2].input_tokens == response.usage.input_tokens
    for event, told in ((found[3], message.usage), (found[4], streamed.usage)):
        cached = told.cache_read_input_tokens or 0
        assert (event.input_tokens, event.cached_tokens) == (told.input_tokens + cached, cached)
    assert not any(event.estimated for event in found)


def test_structured_output_several_answers_and_logprobs_are_real(llama, client):
    format_: Any = {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA}}
    whole = client.chat.completions.create(
        model="micro", messages=MESSAGES, max_tokens=60, response_format=format_, temperature=0
    )
    assert set(json.loads(whole.choices[0].message.content or "")) == {"a"}
    several = client.chat.completions.create(
        model="micro", messages=MESSAGES, max_tokens=4, n=2, logprobs=True, top_logprobs=3,
        extra_body=TO_THE_END,
    )  # fmt: skip
    assert len(several.choices) == 2
    for choice in several.choices:
        assert choice.logprobs is not None
        assert len((choice.logprobs.content or [])[0].top_logprobs) == 3
    first, second = llama.events(2)
    assert whole.usage is not None
    assert several.usage is not None
    assert first.output_tokens == whole.usage.completion_tokens
    assert second.output_tokens == several.usage.completion_tokens


def test_langchain_streams(llama):
    chat = ChatOpenAI(
        base_url=llama.front.base, api_key=SecretStr(KEY), model="micro", max_retries=0,
        stream_usage=True, max_tokens=6,  # type: ignore[call-arg]
    )  # fmt: skip
    chunks = list(chat.stream("Why?"))
    total = chunks[0]
    for chunk in chunks[1:]:
        total += chunk
    (event,) = llama.events(1)
    assert total.usage_metadata is not None
    assert total.usage_metadata["output_tokens"] == event.output_tokens == 6


def test_a_prompt_beyond_the_context_is_the_clients_mistake(llama, client):
    long: Any = [{"role": "user", "content": "x" * 9000}]
    with pytest.raises(openai.BadRequestError) as raised:
        client.chat.completions.create(model="micro", messages=long)
    (event,) = llama.events(1)
    assert event.status is Status.FAILED
    assert raised.value.request_id == event.request_id


def test_a_client_that_leaves_is_aborted_and_the_engine_is_free_again(llama, client):
    with client.chat.completions.create(
        model="micro", messages=MESSAGES, max_tokens=1900, stream=True, extra_body=TO_THE_END
    ) as stream:
        for _, _chunk in zip(range(5), stream, strict=False):
            pass
    (event,) = llama.events(1)
    assert event.status is Status.ABORTED
    assert 0 < event.output_tokens < 1900
