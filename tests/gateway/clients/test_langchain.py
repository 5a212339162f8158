"""LangChain's client of OpenAI through `neocloud up`: it counts tokens by what streams say."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.messages import AIMessageChunk
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from pydantic import BaseModel, SecretStr
from tests.gateway.world import KEY

from .conftest import Room

TEXT = "".join(f"t{i} " for i in range(7))


class Look(BaseModel):
    """Looks."""

    said: str


def chat(room: Room, **fields: Any) -> ChatOpenAI:
    return ChatOpenAI(
        base_url=room.front.base, api_key=SecretStr(KEY), model=room.model, max_retries=0, **fields
    )


def joined(chunks: list[Any]) -> AIMessageChunk:
    total = chunks[0]
    for chunk in chunks[1:]:
        total += chunk
    return total


@pytest.mark.parametrize("place", ["own", "last", "finish", "each", "cumulative"])
def test_tokens_count_once_wherever_the_engine_told_them(fake, place):
    asked = f"one two USAGE={place}"
    whole = chat(fake).invoke(asked)
    assert whole.content == TEXT
    streamed = joined(list(chat(fake, stream_usage=True).stream(asked)))
    assert streamed.content == TEXT
    for message in (whole, streamed):
        assert message.usage_metadata is not None
        assert message.usage_metadata["output_tokens"] == 7
        assert message.usage_metadata["input_tokens"] == 3
    assert [(e.input_tokens, e.output_tokens) for e in fake.events(2)] == [(3, 7)] * 2


def test_no_usage_where_none_was_asked_for(fake):
    streamed = joined(list(chat(fake, stream_usage=False).stream("one two")))
    assert streamed.content == TEXT
    assert streamed.usage_metadata is None
    (event,) = fake.events(1)
    assert event.output_tokens == 7


def test_tools_structured_output_responses_and_embeddings(fake):
    bound = chat(fake).bind_tools([Look], tool_choice="Look")
    assert bound.invoke("one").tool_calls[0]["args"] == {"said": TEXT}
    assert joined(list(bound.stream("one"))).tool_calls[0]["args"] == {"said": TEXT}
    structured = chat(fake).with_structured_output(Look, method="function_calling")
    assert structured.invoke("one") == Look(said=TEXT)
    by_responses = chat(fake, use_responses_api=True).invoke("one two")
    assert by_responses.text == TEXT
    assert by_responses.usage_metadata["output_tokens"] == 7
    vectors = OpenAIEmbeddings(
        base_url=fake.front.base, api_key=SecretStr(KEY), model="m",
        check_embedding_ctx_length=False,
    ).embed_documents(["a", "b"])  # fmt: skip
    assert [len(vector) for vector in vectors] == [8, 8]
    assert [event.api for event in fake.events(5)] == [
        "chat", "chat", "chat", "responses", "embeddings"
    ]  # fmt: skip
