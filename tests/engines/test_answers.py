"""What emulated answers can hold beside plain text: several at once, tools, JSON, vectors."""

from __future__ import annotations

import asyncio
import base64
import json

import numpy as np
import pytest
from jsonschema import Draft202012Validator
from openai import AsyncOpenAI

from .world import World, chat, plan_with, run, serving, streamed

USAGE = {"stream_options": {"include_usage": True}}
COMPLETIONS = b"/v1/completions"
EMBEDDINGS = b"/v1/embeddings"
PARAMETERS = {
    "type": "object",
    "required": ["city", "unit", "days"],
    "properties": {
        "city": {"type": "string", "minLength": 3},
        "unit": {"enum": ["celsius", "fahrenheit"]},
        "days": {"type": "integer", "minimum": 2},
        "note": {"type": "string"},
    },
    "additionalProperties": False,
}
TOOLS = [
    {"type": "function", "function": {"name": "weather", "parameters": PARAMETERS}},
    {"type": "function", "function": {"name": "nothing"}},
]


def client_of(world: World) -> AsyncOpenAI:
    base = f"http://{world.first.address}{world.first.prefix.decode()}/v1"
    return AsyncOpenAI(base_url=base, api_key="none", max_retries=0)


@pytest.mark.parametrize("page", [b"/v1/chat/completions", COMPLETIONS])
def test_several_answers_at_once_are_told_apart_and_their_prompt_counts_once(page):
    async def test() -> None:
        async with serving(speed=50) as world:
            body = chat("Why? " * 40, n=3, prompt="Why? " * 40)
            whole = json.loads((await world.post(body, page)).body)
            texts = [
                c["message"]["content"] if "message" in c else c["text"] for c in whole["choices"]
            ]
            assert [choice["index"] for choice in whole["choices"]] == [0, 1, 2]
            assert whole["usage"]["completion_tokens"] == sum(len(t) for t in texts) / 4
            assert len(set(map(len, texts))) > 1  # each has a length of its own
            taken = await streamed(world, {**body, **USAGE}, page)
            said = ["", "", ""]
            for event in taken.events():
                for choice in event["choices"]:
                    delta = choice.get("delta", {})
                    said[choice["index"]] += delta.get("content", choice.get("text", ""))
            assert said == texts
            usage = taken.events()[-1]["usage"]
            assert usage["completion_tokens"] == whole["usage"]["completion_tokens"]
            assert usage["prompt_tokens"] == whole["usage"]["prompt_tokens"] < 100
            assert (await world.metrics()).running == 0

    run(test)


def test_several_answers_are_taken_whole_or_not_at_all():
    async def test() -> None:
        async with serving(plan_with(max_batch=1), max_queue=2) as world:
            refused = await world.post(chat("hi", n=3, max_tokens=5))
            assert refused.status == 503
            found = await world.metrics()
            assert (found.running, found.waiting) == (0, 0)
            assert (await world.post(chat("hi", n=2, max_tokens=5))).status == 200
            page = (await world.get(b"/metrics")).body.decode()
            assert 'vllm:admission_rejections_total{engine="0",model_name="llama"' in page
            assert 'reason="requests"} 1\n' in page

    run(test)


@pytest.mark.parametrize(
    "choice", ["required", {"type": "function", "function": {"name": "weather"}}]
)
def test_a_forced_tool_is_called_with_arguments_that_its_schema_allows(choice):
    async def test() -> None:
        async with serving(speed=50) as world, client_of(world) as client:
            asked = {
                "model": "llama",
                "messages": [{"role": "user", "content": "How warm is it?"}],
                "tools": TOOLS,
                "tool_choice": choice,
            }
            whole = await client.chat.completions.create(**asked)
            (made,) = whole.choices
            assert made.finish_reason == ("tool_calls" if choice == "required" else "stop")
            assert made.message.content is None
            (call,) = made.message.tool_calls
            assert call.function.name == "weather"
            Draft202012Validator(PARAMETERS).validate(json.loads(call.function.arguments))
            pieces, names, usage = "", [], None
            async for chunk in await client.chat.completions.create(**asked, stream=True, **USAGE):
                usage = chunk.usage or usage
                for one in chunk.choices:
                    for part in one.delta.tool_calls or ():
                        names += [part.function.name] if part.function.name else []
                        pieces += part.function.arguments or ""
            assert (names, pieces) == (["weather"], call.function.arguments)
            assert usage.completion_tokens == whole.usage.completion_tokens == -(-len(pieces) // 4)
            free = await client.chat.completions.create(**{**asked, "tool_choice": "auto"})
            assert "emulated" in free.choices[0].message.content
            cut = await client.chat.completions.create(**asked, max_tokens=2)
            assert cut.choices[0].finish_reason == "length"
            assert cut.choices[0].message.tool_calls[0].function.arguments == pieces[:8]

    run(test)


def test_an_answer_may_be_json_of_a_schema():
    async def test() -> None:
        async with serving(speed=50) as world:
            form = {"type": "json_schema", "json_schema": {"name": "w", "schema": PARAMETERS}}
            taken = await streamed(world, chat("hi", response_format=form))
            Draft202012Validator(PARAMETERS).validate(json.loads(taken.text()))
            assert taken.events()[-1]["choices"][0]["finish_reason"] == "stop"
            plain = await world.post(chat("hi", response_format={"type": "json_object"}))
            said = json.loads(json.loads(plain.body)["choices"][0]["message"]["content"])
            assert said == {"emulated": True}

    run(test)


def test_log_probabilities_are_well_formed():
    async def test() -> None:
        async with serving(speed=50) as world, client_of(world) as client:
            asked = {
                "model": "llama",
                "messages": [{"role": "user", "content": "hi"}],
                "logprobs": True,
                "top_logprobs": 3,
                "max_tokens": 4,
            }
            whole = await client.chat.completions.create(**asked)
            content = whole.choices[0].logprobs.content
            assert "".join(one.token for one in content) == whole.choices[0].message.content
            assert all(one.logprob == 0 and len(one.top_logprobs) == 3 for one in content)
            assert all(bytes(one.bytes).decode() == one.token for one in content)
            told = []
            async for chunk in await client.chat.completions.create(**asked, stream=True):
                for choice in chunk.choices:
                    told += choice.logprobs.content if choice.logprobs else []
            assert told == content
            old = await client.completions.create(
                model="llama", prompt="hi", logprobs=2, max_tokens=3
            )
            probabilities = old.choices[0].logprobs
            assert "".join(probabilities.tokens) == old.choices[0].text
            assert probabilities.text_offset == [0, 4, 8]
            assert [len(top) for top in probabilities.top_logprobs] == [2, 2, 2]

    run(test)


def test_stop_words_end_an_answer_and_are_told_on_wish():
    async def test() -> None:
        async with serving(speed=50) as world:
            body = chat("hi", max_tokens=60, ignore_eos=True, stop=["four letters", "model"])
            for more, end in (({}, ": no "), ({"include_stop_str_in_output": True}, ": no model")):
                said = json.loads((await world.post({**body, **more})).body)
                (choice,) = said["choices"]
                assert choice["message"]["content"].endswith(end)
                assert (choice["finish_reason"], choice["stop_reason"]) == ("stop", "model")
                assert said["usage"]["completion_tokens"] < 15
                assert (await streamed(world, {**body, **more})).text().endswith(end)

    run(test)


def test_tenants_with_other_salts_do_not_find_each_others_blocks():
    async def test() -> None:
        async with serving(speed=50) as world:

            async def cached(**salt: str) -> int:
                body = chat("a long and secret prompt " * 30, max_tokens=1, **salt)
                usage = json.loads((await world.post(body)).body)["usage"]
                return usage["prompt_tokens_details"]["cached_tokens"]

            assert await cached(cache_salt="acme") == 0
            assert await cached(cache_salt="rheingold") == 0
            assert await cached() == 0
            found = [await cached(cache_salt="acme"), await cached(), await cached(cache_salt="x")]
            assert found[0] == found[1] > 0
            assert found[0] % 16 == 0
            assert found[2] == 0

    run(test)


def test_embeddings_are_unit_vectors_that_the_text_decides():
    async def test() -> None:
        async with serving(speed=50) as world, client_of(world) as client:
            asked = {"model": "llama", "input": ["the sky", "the sea", "the sky"]}
            made = await client.embeddings.create(**asked)  # its client asks for base64
            vectors = np.array([one.embedding for one in made.data])
            assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-5)
            assert (vectors[0] == vectors[2]).all()
            assert abs(vectors[0] @ vectors[1]) < 0.2
            assert made.usage.prompt_tokens == 2 + 2 + 2
            short = await client.embeddings.create(
                model="llama", input=[1, 2, 3], dimensions=5, encoding_format="float"
            )
            assert len(short.data[0].embedding) == 5
            answer = await world.post({**asked, "encoding_format": "base64"}, EMBEDDINGS)
            said = json.loads(answer.body)
            raw = np.frombuffer(base64.b64decode(said["data"][1]["embedding"]), "<f4")
            assert raw == pytest.approx(vectors[1])
            assert said["system_fingerprint"].startswith("emulated-")
            assert answer.headers[b"x-neocloud-emulated"] == b"true"
            found = await world.metrics()
            assert (found.prompt_tokens, found.generated_tokens) == (6 + 3 + 6, 0)
            long = {"model": "llama", "input": list(range(200_000))}
            assert (await world.post(long, EMBEDDINGS)).status == 400
            assert (await world.post({"model": "x", "input": "a"}, EMBEDDINGS)).status == 404

    run(test)


def test_events_hold_several_tokens_or_none():
    async def test() -> None:
        options = {"include_usage": True, "continuous_usage_stats": True}
        body = chat("hi", max_tokens=10, ignore_eos=True, stream_options=options)
        async with serving(speed=50, stream_interval=4) as world:
            events = (await streamed(world, body)).events()
            counts = [event["usage"]["completion_tokens"] for event in events]
            assert counts == [0, 1, 5, 9, 10, 10, 10]
        async with serving(speed=50) as world:
            foreign = chat("Wie spät ist es?", max_tokens=200, ignore_eos=True, **USAGE)
            taken = await streamed(world, foreign)
            content = [
                e
                for e in taken.events()
                if e["choices"] and e["choices"][0]["delta"].get("content")
            ]
            assert 150 < len(content) < 200
            assert taken.events()[-1]["usage"]["completion_tokens"] == 200
            assert "Länge – gleich" in taken.text()
            whole = json.loads((await world.post({**foreign, "stream_options": None})).body)
            assert whole["choices"][0]["message"]["content"] == taken.text()

    run(test)


def test_noise_spreads_the_times_and_leaves_their_mean():
    async def test() -> None:
        from neocloud.engines.emulated.pace import Paced

        class Constant:
            idle_watts = 7.0

            def cost(self, *composition: int) -> tuple[float, float]:
                return 2.0, 10.0

        drawn = [Paced(Constant(), 4.0, 0.3, "a").cost(1, 1, 0, 0) for _ in range(2)]
        assert drawn[0] == drawn[1]  # the seed decides
        paced = Paced(Constant(), 4.0, 0.3, "a")
        seconds, joules = np.array([paced.cost(1, 1, 0, 0) for _ in range(20_000)]).T
        assert joules == pytest.approx(5 * seconds)
        # Four standard errors of the mean of a log-normal.
        error = 0.5 * np.sqrt(np.expm1(0.09)) / np.sqrt(20_000)
        assert abs(seconds.mean() - 0.5) < 4 * error
        assert np.log(seconds).std() == pytest.approx(0.3, rel=0.03)
        assert paced.idle_watts == 7.0
        async with serving(speed=50, noise=0.2) as world:
            assert (await world.post(chat("hi", max_tokens=4))).status == 200
        await asyncio.sleep(0)

    run(test)
