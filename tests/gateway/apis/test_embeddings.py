"""Embeddings: what is read of them, what the engine is asked, what clients see."""

from __future__ import annotations

import base64
import json
import struct
from typing import Any

import pytest
from langchain_openai import OpenAIEmbeddings
from openai import OpenAI

from neocloud.gateway.apis.api import Usage, Wanted
from neocloud.gateway.apis.openai.embeddings import MAX_INPUTS, Embeddings
from neocloud.gateway.apis.refusals import ApiError

from .served import served

API = Embeddings()
USAGE = {"prompt_tokens": 6, "total_tokens": 6}


def body(**fields: object) -> bytes:
    return json.dumps({"model": "m", "input": "once", **fields}).encode()


@pytest.mark.parametrize(
    ("given", "inputs"),
    [("once", 1), (["once", "twice"], 2), ([1, 2, 3], 1), ([[1, 2], [3], [4]], 3)],
)
def test_inputs_are_counted_and_nothing_is_generated(given: object, inputs: int) -> None:
    asked = API.read(body(input=given, stream=True))
    assert asked.answers == inputs
    assert asked.limit == 0
    assert not asked.stream
    assert json.loads(asked.prompt) == given


@pytest.mark.parametrize("given", [None, 1, {}, [], [{}], [[]]])
def test_what_is_no_request_is_refused(given: object) -> None:
    with pytest.raises(ApiError) as refused:
        API.read(body(input=given))
    assert refused.value.status == 400


def test_openais_bound_of_inputs_holds() -> None:
    assert API.read(body(input=["a"] * MAX_INPUTS)).answers == MAX_INPUTS
    with pytest.raises(ApiError):
        API.read(body(input=["a"] * (MAX_INPUTS + 1)))


def test_no_limit_of_tokens_is_set_and_the_rest_passes() -> None:
    dialect = API.toward(frozenset({"embeddings"}))
    assert dialect is not None
    text = body(dimensions=64, encoding_format="base64", own={"a": 1})
    assert dialect.request(text, API.read(text), Wanted(model="m", limit=50)) == text
    salted = Wanted(model="other", limit=50, salt_field="cache_salt", salt="s")
    assert json.loads(dialect.request(text, API.read(text), salted)) == {
        **json.loads(text), "model": "other", "cache_salt": "s",
    }  # fmt: skip
    assert API.toward(frozenset({"chat"})) is None


def engine(path: str, request: dict[str, Any]) -> bytes:
    assert path == "/v1/embeddings"
    inputs = request["input"] if isinstance(request["input"], list) else [request["input"]]
    vector: object = [0.5] * request.get("dimensions", 4)
    if request.get("encoding_format") == "base64":
        vector = base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()  # type: ignore[arg-type, misc]
    made = [{"object": "embedding", "index": n, "embedding": vector} for n, _ in enumerate(inputs)]
    answer = {"object": "list", "model": "m", "data": made, "usage": USAGE}
    return json.dumps(answer).encode()


def test_openais_and_langchains_clients() -> None:
    with served(engine, {"embeddings"}, API) as world:
        client = OpenAI(base_url=world.base, api_key="k", max_retries=0)
        answer = client.embeddings.create(model="m", input=["a", "b"], dimensions=8)
        assert [each.embedding for each in answer.data] == [[0.5] * 8] * 2
        assert answer.usage.prompt_tokens == 6
        langchain = OpenAIEmbeddings(
            model="m", base_url=world.base, api_key="k", check_embedding_ctx_length=False
        )
        assert langchain.embed_documents(["a", "b", "c"]) == [[0.5] * 4] * 3
    assert world.used == [Usage(6, 0, 0)] * 2
    assert world.sent[0]["encoding_format"] == "base64", "as OpenAI's client asks by itself"
