"""llama.cpp itself, on a model of 6.6 MB that the tests write: its wire, its count, its end."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from neocloud.engines import (
    EngineStartError,
    ModelFileError,
    StartedEngine,
    endpoint_of_url,
    list_models,
    readiness,
    scrape,
)
from neocloud.engines.llamacpp import LlamaCpp, LlamaOptions, model_file
from neocloud.engines.llamacpp.gguf_file import read_head
from neocloud.wire import Client, Pool, Response, fetch

from .asking import Taker, run, stream, until
from .gguf_model import write_model
from .starting import alive

OPTIONS = LlamaOptions(threads=1, parallel=2, context=512)


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    return write_model(tmp_path_factory.mktemp("model") / "micro.gguf")


@asynccontextmanager
async def serving(
    model: Path, options: LlamaOptions = OPTIONS
) -> AsyncIterator[tuple[StartedEngine, Pool]]:
    async with LlamaCpp.start(model, options=options) as engine:
        client = Client()
        try:
            yield engine, client.pool(engine.endpoint.address)
        finally:
            await client.close()


def against(
    model: Path, test: Callable[[StartedEngine, Pool], Awaitable[None]],
    options: LlamaOptions = OPTIONS,
) -> None:  # fmt: skip
    async def main() -> None:
        async with serving(model, options) as (engine, pool):
            await test(engine, pool)

    run(main)


async def post(pool: Pool, page: str, **body: object) -> Response:
    return await fetch(
        pool, b"POST", page.encode(), (), json.dumps({"model": "micro", **body}).encode()
    )


async def said(pool: Pool, page: str, **body: object) -> dict:
    answer = await post(pool, page, **body)
    assert answer.status == 200, answer.body
    return json.loads(answer.body)


MESSAGES = [{"role": "user", "content": "Why is the sky blue?"}]


def test_it_speaks_all_five_apis_and_tells_usage_in_each(model):
    async def test(engine: StartedEngine, pool: Pool) -> None:
        assert engine.endpoint.model == "micro"
        assert engine.endpoint.precision == "F16"
        assert await list_models(pool, engine.endpoint) == ("micro",)
        assert (await engine.readiness(pool)).ready

        chat = await said(pool, "/v1/chat/completions", messages=MESSAGES, max_tokens=5)
        assert chat["choices"][0]["finish_reason"] == "length"
        prompt = chat["usage"]["prompt_tokens"]
        # one token a byte, the one that begins, and a space is three bytes to this tokenizer
        text = "<user>Why is the sky blue?\n<assistant>"
        assert prompt == 1 + len(text) + 2 * text.count(" ")
        assert chat["usage"]["completion_tokens"] == 5

        text = await said(pool, "/v1/completions", prompt="Why", max_tokens=5)
        assert text["usage"]["prompt_tokens"] == 4
        embedded = await said(pool, "/v1/embeddings", input=["Why", "not"])
        assert [len(one["embedding"]) for one in embedded["data"]] == [256, 256]
        assert embedded["usage"]["prompt_tokens"] == 8
        message = await said(pool, "/v1/messages", messages=MESSAGES, max_tokens=5)
        assert message["usage"]["output_tokens"] == 5
        cached = message["usage"]["cache_read_input_tokens"]
        assert cached + message["usage"]["input_tokens"] == prompt
        response = await said(
            pool, "/v1/responses", input="Why is the sky blue?", max_output_tokens=5
        )
        assert response["usage"]["input_tokens"] == prompt

        counted = await scrape(pool, engine.endpoint)
        assert counted.prompt_tokens == 3 * prompt + 4 + 8
        assert counted.generated_tokens == 20
        assert counted.cached_tokens >= prompt - 1
        assert (counted.running, counted.waiting) == (0, 0)

    against(model, test)


def test_a_stream_tells_its_usage_after_its_end(model):
    async def test(engine: StartedEngine, pool: Pool) -> None:
        body = {"model": "micro", "messages": MESSAGES, "max_tokens": 9,
                "stream_options": {"include_usage": True}}  # fmt: skip
        for _ in range(3):  # it says keep-alive, and closes
            _, taker = stream(pool, engine.endpoint, body)
            await taker.ended.wait()
            assert taker.error is None
            events = taker.events()
            assert events[-2]["choices"][0]["finish_reason"] == "length"
            assert events[-1]["choices"] == []
            assert events[-1]["usage"]["completion_tokens"] == 9

    against(model, test)


def test_an_unforced_limit_a_schema_and_several_answers(model):
    async def test(engine: StartedEngine, pool: Pool) -> None:
        one = await said(pool, "/v1/chat/completions", messages=MESSAGES, max_tokens=1)
        assert one["usage"]["completion_tokens"] == 1
        two = await said(pool, "/v1/chat/completions", messages=MESSAGES, max_tokens=3, n=2)
        assert len(two["choices"]) == 2
        schema = {"type": "object", "properties": {"ok": {"type": "boolean"}},
                  "required": ["ok"], "additionalProperties": False}  # fmt: skip
        shaped = await said(
            pool, "/v1/chat/completions", messages=MESSAGES, max_tokens=200,
            response_format={"type": "json_schema",
                             "json_schema": {"name": "answer", "schema": schema}},
        )  # fmt: skip
        if shaped["choices"][0]["finish_reason"] == "stop":  # noise may fill it with white space
            assert set(json.loads(shaped["choices"][0]["message"]["content"])) == {"ok"}
        refused = await post(pool, "/v1/completions", prompt="x" * 600, max_tokens=5)
        assert refused.status == 400
        assert b"exceed_context_size_error" in refused.body

    against(model, test)


def test_sigterm_lets_all_answers_end_those_that_wait_too(model):
    async def test() -> None:
        async with serving(model) as (engine, pool):
            body = {"model": "micro", "prompt": "go", "max_tokens": 400, "ignore_eos": True}
            takers: list[Taker] = [
                stream(pool, engine.endpoint, body, b"/v1/completions")[1] for _ in range(4)
            ]
            await takers[0].some.wait()
            busy = await scrape(pool, engine.endpoint)
            while busy.running < 2:  # the second may be a moment behind the first
                busy = await scrape(pool, engine.endpoint)
            assert busy.running == 2  # and two wait, for there are two slots
            await engine.stop()
            for taker in takers:
                await taker.ended.wait()
                assert taker.error is None
                assert taker.body.endswith(b"data: [DONE]\n\n")
                assert b'"finish_reason":"length"' in taker.body

    run(test)


def test_a_grace_that_is_over_cuts(model):
    async def test() -> None:
        hasty = LlamaOptions(threads=1, parallel=1, context=4096, grace_s=0.1)
        async with serving(model, hasty) as (engine, pool):
            body = {"model": "micro", "prompt": "go", "max_tokens": 4000, "ignore_eos": True}
            _, taker = stream(pool, engine.endpoint, body, b"/v1/completions")
            await taker.some.wait()
            await engine.stop()
            await taker.ended.wait()
            assert taker.error is not None

    run(test)


def test_a_killed_llama_comes_again(model):
    async def test(engine: StartedEngine, pool: Pool) -> None:
        (child,) = _children(engine._child._process.pid)
        os.kill(child, signal.SIGKILL)
        await until(lambda: engine.restarts == 1)
        async with asyncio.timeout(8):
            while not (await engine.readiness(pool)).ready:
                await asyncio.sleep(0.02)
        assert not alive(child)
        again = await said(pool, "/v1/completions", prompt="Why", max_tokens=2)
        assert again["usage"]["completion_tokens"] == 2

    against(model, test)


def _children(process: int) -> list[int]:
    text = Path(f"/proc/{process}/task/{process}/children").read_text()
    return [int(child) for child in text.split()]


def test_a_server_that_runs_already_is_attached_by_its_url(model):
    async def test(engine: StartedEngine, pool: Pool) -> None:
        url = f"http://{engine.endpoint.address}/v1"
        attached = endpoint_of_url(url, replica="s/p/m/0", model="micro", kind="llamacpp")
        assert attached.speaks == engine.endpoint.speaks
        assert (await readiness(pool, attached)).ready
        other = endpoint_of_url(url, replica="s/p/m/0", model="another", kind="llamacpp")
        assert (await readiness(pool, other)).reason == "does not list the model"

    against(model, test)


def test_without_a_prompt_cache_no_prompt_is_found_again(model):
    async def cached(options: LlamaOptions) -> int:
        async with serving(model, options) as (_, pool):
            for _ in range(2):
                answer = await said(pool, "/v1/completions", prompt="Why is it so?", max_tokens=1)
            return answer["usage"]["prompt_tokens_details"]["cached_tokens"]

    async def test() -> None:
        assert await cached(OPTIONS) > 5
        assert await cached(LlamaOptions(threads=1, context=512, prompt_cache=False)) == 0

    run(test)


def test_no_prompt_and_no_answer_is_in_what_it_says(model):
    async def test(engine: StartedEngine, pool: Pool) -> None:
        answer = await said(
            pool, "/v1/chat/completions", max_tokens=8,
            messages=[{"role": "user", "content": "the word is xylophone"}],
        )  # fmt: skip
        await until(lambda: "stop processing" in engine.tail)
        assert "xylophone" not in engine.tail
        assert answer["choices"][0]["message"]["content"] not in engine.tail

    against(model, test)


def test_a_missing_llama_is_an_error_that_names_what_to_install(model, monkeypatch):
    monkeypatch.setattr("neocloud.engines.llamacpp.adapter.find_spec", lambda _: None)
    with pytest.raises(EngineStartError, match=r"pip install 'neocloud\[local\]'"):
        LlamaCpp.start(model)


def test_what_is_no_model_is_an_error_in_words(model, tmp_path):
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(model.read_bytes()[:100])
    other = tmp_path / "other.gguf"
    other.write_bytes(b"PK\x03\x04" + bytes(100))
    for path, why in (
        (tmp_path / "none.gguf", "No such file"),
        (cut, "ends within its head"),
        (other, "does not begin with GGUF"),
    ):
        with pytest.raises(EngineStartError, match=why):
            LlamaCpp.start(path)
    whole_head = tmp_path / "weights-missing.gguf"
    whole_head.write_bytes(model.read_bytes()[:200_000])

    async def test() -> None:
        with pytest.raises(EngineStartError, match="before it served"):
            async with LlamaCpp.start(whole_head):
                pytest.fail("it cannot be up")

    run(test)


def test_the_head_says_what_the_file_is(tmp_path):
    path = write_model(tmp_path / "m.gguf", context=1234, name="Micro One")
    head = read_head(path)
    assert (head.architecture, head.name, head.precision) == ("llama", "Micro One", "F16")
    assert (head.context, head.pooling) == (1234, False)
    assert path.read_bytes() == write_model(
        tmp_path / "n.gguf", context=1234, name="Micro One"
    ).read_bytes()  # fmt: skip


def test_a_model_is_a_path_or_a_name_of_the_hub(model, tmp_path, monkeypatch):
    assert model_file(str(model)) == model
    with pytest.raises(ModelFileError, match="hub:OWNER/REPOSITORY"):
        model_file(str(tmp_path / "none.gguf"))
    with pytest.raises(ModelFileError, match="hub:OWNER/REPOSITORY"):
        model_file("hub:owner/file.gguf")
    monkeypatch.setattr("neocloud.engines.llamacpp.hub.find_spec", lambda _: None)
    with pytest.raises(ModelFileError, match="pip install huggingface_hub"):
        model_file("hub:owner/repository/file.gguf")


def test_a_name_of_the_hub_is_fetched_by_its_own_library(model, tmp_path, monkeypatch):
    """With a stand-in for `huggingface_hub`: nothing is fetched here."""
    (tmp_path / "huggingface_hub.py").write_text(
        "def hf_hub_download(repository, file):\n"
        "    if file != 'sub/f.gguf': raise RuntimeError('404')\n"
        f"    assert repository == 'owner/repository'\n    return {str(model)!r}\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert model_file("hub:owner/repository/sub/f.gguf") == model
    with pytest.raises(ModelFileError, match="cannot be fetched: 404"):
        model_file("hub:owner/repository/g.gguf")
