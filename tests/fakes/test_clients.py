"""The makers' own clients understand what the fake upstream says."""

from __future__ import annotations

import asyncio

import pytest
from anthropic import AsyncAnthropic
from openai import APIStatusError, AsyncOpenAI, RateLimitError

from .asked_raw import run
from .upstream import running

MESSAGES = [{"role": "user", "content": "one two"}]


def test_openais_client_reads_chat_responses_and_embeddings():
    async def test() -> None:
        async with running("CHUNKS=3 TOKENS=7 CACHED=1") as upstream:
            base = upstream.url + "/v1"
            async with AsyncOpenAI(base_url=base, api_key="x", max_retries=0) as client:
                text, usage = "", None
                async for chunk in await client.chat.completions.create(
                    model="m",
                    messages=MESSAGES,
                    stream=True,
                    stream_options={"include_usage": True},
                ):
                    usage = chunk.usage or usage
                    text += "".join(c.delta.content or "" for c in chunk.choices)
                assert text == "".join(f"t{i} " for i in range(7))
                assert usage.completion_tokens == 7
                assert usage.prompt_tokens_details.cached_tokens == 1
                whole = await client.responses.create(model="m", input="one two")
                assert whole.output_text == text
                events = [
                    event
                    async for event in await client.responses.create(
                        model="m", input="one two", stream=True
                    )
                ]
                assert events[0].type == "response.created"
                assert events[-1].type == "response.completed"
                assert events[-1].response.usage.output_tokens == 7
                assert "".join(e.delta for e in events if "text.delta" in e.type) == text
                vectors = await client.embeddings.create(model="m", input=["a", "b"])
                assert [len(one.embedding) for one in vectors.data] == [8, 8]
                for words, error in (
                    ("STATUS=429", RateLimitError),
                    ("FAULT=full", APIStatusError),
                ):
                    asked = [{"role": "user", "content": words}]
                    with pytest.raises(error):
                        await client.chat.completions.create(model="m", messages=asked)
            assert upstream.count.totals.whole_completion_tokens == 3 * 7

    run(test)


def test_anthropics_client_reads_messages():
    async def test() -> None:
        async with running("CHUNKS=3 TOKENS=7 CACHED=1") as upstream:
            async with AsyncAnthropic(base_url=upstream.url, api_key="x", max_retries=0) as client:
                asked = {"model": "m", "max_tokens": 50, "messages": MESSAGES}
                whole = await client.messages.create(**asked)
                assert (whole.usage.input_tokens, whole.usage.output_tokens) == (1, 7)
                async with client.messages.stream(**asked) as stream:
                    text = "".join([piece async for piece in stream.text_stream])
                    final = await stream.get_final_message()
                assert text == whole.content[0].text
                assert final.usage.output_tokens == 7
                tool = {"name": "look", "input_schema": {"type": "object"}}
                choice = {"type": "tool", "name": "look"}
                async with client.messages.stream(
                    **asked, tools=[tool], tool_choice=choice
                ) as stream:
                    made = await stream.get_final_message()
                assert made.stop_reason == "tool_use"
                assert made.content[0].input == {"said": text}
            await asyncio.sleep(0)

    run(test)
