"""What the emulated engines do not serve, and how they say so."""

from __future__ import annotations

import json

import pytest

from neocloud.wire import fetch

from .world import CHAT, chat, plan_with, run, serving

COMPLETIONS = b"/v1/completions"
EMBEDDINGS = b"/v1/embeddings"
TOOLS = [{"type": "function", "function": {"name": "f"}}]
NEVER = {"type": "integer", "minimum": 3, "maximum": 2}


def named(name: str) -> dict[str, object]:
    return {"type": "function", "function": {"name": name}}


def text(**fields: object) -> dict[str, object]:
    return {"model": "llama", "prompt": "hi", **fields}


WRONG = [
    (CHAT, b"", None),
    (CHAT, b"{", None),
    (CHAT, b"[]", None),
    (CHAT, b'{"model": "llama"}', None),
    (CHAT, b'{"model": "llama", "messages": [{"role": "user", "content": "\\ud800"}]}', None),
    (CHAT, b'{"model": "llama", "messages": [{"role": "\xff"}]}', None),
    (CHAT, chat("hi", max_tokens="7"), "max_tokens"),
    (CHAT, chat("hi", max_tokens=0), "max_tokens"),
    (CHAT, chat("hi", max_completion_tokens=-1), "max_completion_tokens"),
    (CHAT, chat("hi", max_tokens=10**30), "max_tokens"),
    (CHAT, chat("hi", n=0), "n"),
    (CHAT, chat("hi", n=129), "n"),
    (CHAT, chat("hi", top_logprobs=2), "top_logprobs"),
    (CHAT, chat("hi", logprobs=True, top_logprobs=21), "top_logprobs"),
    (CHAT, chat("hi", stop=[""]), "stop"),
    (CHAT, chat("hi", min_tokens=9, max_tokens=8), "min_tokens"),
    (CHAT, chat("hi", cache_salt=""), "cache_salt"),
    (CHAT, chat("hi", tool_choice="required"), "tool_choice"),
    (CHAT, chat("hi", tools=TOOLS, tool_choice="some"), "tool_choice"),
    (CHAT, chat("hi", tools=TOOLS, tool_choice=named("g")), "tool_choice"),
    (
        CHAT,
        chat(
            "hi", tools=[{"function": {"name": "f", "parameters": NEVER}}], tool_choice="required"
        ),
        "tools",
    ),
    (CHAT, chat("hi", response_format={"type": "yaml"}), "response_format"),
    (CHAT, chat("hi", response_format={"type": "json_schema"}), "response_format"),
    (
        CHAT,
        chat("hi", response_format={"type": "json_schema", "json_schema": {"schema": NEVER}}),
        "response_format",
    ),
    (CHAT, chat("hi", stream_options={"include_usage": True}), "stream_options"),
    (CHAT, {"model": "llama", "messages": []}, "messages"),
    (
        CHAT,
        {"model": "llama", "messages": [{"role": "user", "content": [{"type": "image_url"}]}]},
        "messages[0].content",
    ),
    (COMPLETIONS, text(prompt=""), "prompt"),
    (COMPLETIONS, text(prompt=[]), "prompt"),
    (COMPLETIONS, text(prompt=["a", "b"]), "prompt"),
    (COMPLETIONS, text(prompt=[[1], [2]]), "prompt"),
    (COMPLETIONS, text(prompt=[1, -2]), "prompt"),
    (COMPLETIONS, text(prompt=[1, 2**32]), "prompt"),
    (COMPLETIONS, text(prompt=[True]), "prompt"),
    (COMPLETIONS, text(prompt={"a": 1}), "prompt"),
    (COMPLETIONS, text(echo=True), "echo"),
    (COMPLETIONS, text(best_of=2), "best_of"),
    (COMPLETIONS, text(logprobs=-1), "logprobs"),
    (EMBEDDINGS, {"model": "llama"}, None),
    (EMBEDDINGS, {"model": "llama", "input": []}, "input"),
    (EMBEDDINGS, {"model": "llama", "input": ["a", ""]}, "input"),
    (EMBEDDINGS, {"model": "llama", "input": [{}]}, "input"),
    (EMBEDDINGS, {"model": "llama", "input": "a", "dimensions": 0}, "dimensions"),
    (EMBEDDINGS, {"model": "llama", "input": "a", "encoding_format": "x"}, "encoding_format"),
]


def test_wrong_bodies_are_answered_with_400_and_the_field():
    async def test() -> None:
        async with serving() as world:
            for page, body, param in WRONG:
                answer = await world.post(body, page)
                error = json.loads(answer.body)["error"]
                assert (answer.status, error["param"]) == (400, param), (body, error)
                assert error["type"] == "invalid_request_error"
                assert error["message"]
                assert set(error) == {"message", "type", "param", "code"}
            assert (await world.metrics()).waiting == 0

    run(test)


@pytest.mark.parametrize(
    "prompt", ["hello", ["hello"], [1, 2], [[3, 4]]], ids=["text", "texts", "ids", "lists of ids"]
)
def test_a_prompt_may_be_text_or_token_ids(prompt):
    async def test() -> None:
        async with serving(speed=50) as world:
            answer = await world.post(text(prompt=prompt, max_tokens=1), COMPLETIONS)
            assert json.loads(answer.body)["usage"]["prompt_tokens"] == 2

    run(test)


def test_unknown_models_pages_and_replicas_are_404_and_wrong_methods_405():
    async def test() -> None:
        async with serving() as world:
            answer = await world.post({**chat("hi"), "model": "gpt-9"})
            error = json.loads(answer.body)["error"]
            assert (answer.status, error["code"], error["param"]) == (
                404,
                "model_not_found",
                "model",
            )
            prefix = world.first.prefix
            for path in (
                b"/nothing",
                b"/replicas/",
                prefix,
                prefix + b"/",
                prefix + b"/v1/rerank",
                b"/control/faults",
                b"/replicas/frankfurt/h100-sxm/llama/99/health",
                b"/health",
            ):
                assert (await fetch(world.pool, b"GET", path)).status == 404, path
            assert (await world.get(CHAT)).status == 405
            assert (await world.post(b"{}", b"/health")).status == 405
            listed = json.loads((await fetch(world.pool, b"GET", b"/")).body)
            assert listed["replicas"] == [e.replica for e in world.endpoints]
            assert listed["emulated"] is True

    run(test)


def test_what_exceeds_context_or_cache_is_400_and_what_just_fits_is_served():
    async def test() -> None:
        # 8 blocks of 16 tokens are the context here, since the cache holds no more.
        async with serving(plan_with(kv_tokens=128), speed=50) as world:
            models = json.loads((await world.get(b"/v1/models")).body)
            (model,) = models["data"]
            assert (model["id"], model["max_model_len"]) == ("llama", 128)

            async def ask(prompt_tokens: int, **limit: int) -> tuple[int, str | None]:
                body = text(prompt=list(range(prompt_tokens)), ignore_eos=True, **limit)
                answer = json.loads((await world.post(body, COMPLETIONS)).body)
                if "error" in answer:
                    return 400, answer["error"]["code"]
                return 200, str(answer["usage"]["completion_tokens"])

            assert await ask(100, max_tokens=28) == (200, "28")
            assert await ask(100) == (200, "28")
            assert await ask(100, max_tokens=29) == (400, "context_length_exceeded")
            assert await ask(127, max_tokens=1) == (200, "1")
            assert await ask(128, max_tokens=1) == (400, "context_length_exceeded")
            assert await ask(128) == (400, "context_length_exceeded")

    run(test)
