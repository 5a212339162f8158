"""Text completions: what is read of them, what the engine is asked, what clients see."""

from __future__ import annotations

import json
from typing import Any

import pytest
from openai import OpenAI

from neocloud.gateway.apis.api import Usage, Wanted
from neocloud.gateway.apis.openai.completions import AskedCompletion, Completions
from neocloud.gateway.apis.refusals import ApiError

from .openai_streams import COUNTED, DONE, USAGE, data
from .served import served

API = Completions()


def body(**fields: object) -> bytes:
    return json.dumps({"model": "m", "prompt": "once", **fields}).encode()


@pytest.mark.parametrize(
    ("prompt", "prompts"),
    [
        ("once", 1),
        ("", 1),
        (["once", "twice", "thrice"], 3),
        ([1, 2, 3, 4], 1),
        ([[1, 2], [3]], 2),
    ],
)
@pytest.mark.parametrize("choices", [None, 1, 3])
def test_answers_are_prompts_times_choices(prompt: object, prompts: int, choices: object) -> None:
    asked = API.read(body(prompt=prompt, n=choices))
    assert asked.answers == prompts * (choices or 1)
    assert json.loads(asked.prompt) == prompt


def test_best_of_has_more_generated_than_comes_back() -> None:
    asked = API.read(body(prompt=["a", "b"], n=2, best_of=5))
    assert isinstance(asked, AskedCompletion)
    assert (asked.answers, asked.prompts, asked.choices) == (10, 2, 2)


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"prompt": None}, "bad_body"),
        ({"prompt": 5}, "bad_body"),
        ({"prompt": {}}, "bad_body"),
        ({"prompt": []}, "bad_body"),
        ({"prompt": [[]]}, "bad_body"),
        ({"prompt": [None]}, "bad_body"),
        ({"model": 3}, "bad_body"),
        ({"stream": "yes"}, "bad_body"),
        ({"max_tokens": -1}, "bad_max_tokens"),
        ({"max_tokens": 1.5}, "bad_body"),
        ({"n": 0}, "bad_n"),
        ({"n": 129}, "bad_n"),
        ({"best_of": 0}, "bad_best_of"),
        ({"best_of": 129}, "bad_best_of"),
    ],
)
def test_what_is_no_request_is_refused(fields: dict[str, object], code: str) -> None:
    with pytest.raises(ApiError) as refused:
        API.read(body(**fields))
    assert (refused.value.status, refused.value.code) == (400, code)


@pytest.mark.parametrize("text", [b"", b"[]", b"{", b'{"model":"m"}', b"\xff", b"[" * 5000])
def test_what_is_no_object_is_refused(text: bytes) -> None:
    with pytest.raises(ApiError):
        API.read(text)


def test_the_gateways_limit_is_set_where_the_client_sets_none() -> None:
    def sent(**fields: object) -> dict[str, Any]:
        text = body(**fields)
        dialect = API.toward(frozenset({"completions"}))
        assert dialect is not None
        told = dialect.request(text, API.read(text), Wanted(model="m", limit=50))
        read: dict[str, Any] = json.loads(told)
        return read

    assert sent()["max_tokens"] == 50
    assert sent(max_tokens=None)["max_tokens"] == 50
    assert sent(max_tokens=7)["max_tokens"] == 7
    assert sent(max_tokens=0, echo=True)["max_tokens"] == 0


def test_only_an_engine_that_speaks_it_is_asked() -> None:
    assert API.toward(frozenset({"chat", "embeddings"})) is None


def token(text: str, finish: str | None = None, index: int = 0, **more: object) -> bytes:
    choice = {"index": index, "text": text, "logprobs": None, "finish_reason": finish}
    shared = {"id": "cmpl-1", "object": "text_completion", "created": 1, "model": "m"}
    return data({**shared, "choices": [choice], **more})


def usage_event() -> bytes:
    shared = {"id": "cmpl-1", "object": "text_completion", "created": 1, "model": "m"}
    return data({**shared, "choices": [], "usage": USAGE})


def engine(path: str, request: dict[str, Any]) -> bytes | list[bytes]:
    assert path == "/v1/completions"
    count = len(request["prompt"]) if isinstance(request["prompt"], list) else 1
    count *= request.get("n") or 1
    if request.get("stream"):
        assert request["stream_options"]["include_usage"] is True
        words = [token(word, None, n) for word in ("up", "on") for n in range(count)]
        ends = [token("", "stop", n) for n in range(count)]
        return [*words, *ends, usage_event(), DONE]
    choices = [{"index": n, "text": "upon", "finish_reason": "stop"} for n in range(count)]
    return json.dumps({"id": "cmpl-1", "choices": choices, "usage": USAGE}).encode()


def test_openais_client() -> None:
    with served(engine, {"completions"}, API) as world:
        client = OpenAI(base_url=world.base, api_key="k", max_retries=0)
        whole = client.completions.create(model="m", prompt=["a", "b"], n=2)
        assert [choice.text for choice in whole.choices] == ["upon"] * 4
        assert whole.usage is not None
        assert whole.usage.total_tokens == 16
        told = list(client.completions.create(model="m", prompt="a", stream=True))
        assert "".join(chunk.choices[0].text for chunk in told) == "upon"
        assert all(chunk.usage is None for chunk in told)
        asked = list(
            client.completions.create(
                model="m", prompt="a", stream=True, stream_options={"include_usage": True}
            )
        )
        assert [chunk.usage.completion_tokens for chunk in asked if chunk.usage] == [5]
        assert asked[-1].choices == []
    assert world.used == [COUNTED] * 3


def test_a_stream_of_several_is_whole_when_each_has_ended() -> None:
    text = body(prompt=["a", "b"], n=2, best_of=None, stream=True)
    dialect = API.toward(frozenset({"completions"}))
    assert dialect is not None
    stream = dialect.stream(API.read(text))
    for index in range(4):
        assert not stream.complete
        told = {"prompt_tokens": 10, "completion_tokens": 1}
        stream.feed(token("w", "stop", index, usage=told))
        assert stream.usage == Usage(10 * (index // 2 + 1), 0, index + 1)
    assert stream.complete
