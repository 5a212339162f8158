"""Report 9 (litellm 28735, 36553; ogx 6541): a usage chunk that has choices, or crashes an adapter.

LangChain counted such a chunk twice. Ours: whoever asked gets exactly one usage chunk, in OpenAI's
shape, wherever the engine told it; whoever did not ask gets none; Messages keeps it.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.fakes.upstream import Upstream

from .stage import Stage, before, body_of

PLACES = ("own", "last", "finish", "each", "cumulative", "null")
SHAPE = ["id", "object", "created", "model", "choices", "usage"]
"""Fields of OpenAI's usage chunk, in its order."""


def events(body: bytes) -> list[dict[str, Any]]:
    """Chunks of an answer that ends well."""
    *chunks, last, rest = body.split(b"\n\n")
    assert (last, rest) == (b"data: [DONE]", b"")
    return [json.loads(chunk.removeprefix(b"data: ")) for chunk in chunks]


@pytest.mark.parametrize("asks", [True, False])
@pytest.mark.parametrize("where", PLACES)
@pytest.mark.parametrize("kind", ["vllm", "remote"])
@pytest.mark.parametrize("api", ["chat", "completions"])
def test_report_09_one_usage_chunk_of_openais_shape_and_only_when_asked(
    tmp_path, api, kind, where, asks
):
    # Fails if usage passes where the engine put it: `last` and `finish` have non-empty choices,
    # `each` and `cumulative` would be counted several times over.
    async def test(up: Stage, upstream: Upstream) -> None:
        words = f"USAGE={where} TOKENS=9 CHUNKS=4 CACHED=1"
        options = {"stream_options": {"include_usage": True}} if asks else {}
        answer = await up.post(api, body_of(api, words, stream=True, **options))
        chunks = events(answer.body)
        with_usage = [chunk for chunk in chunks if chunk.get("usage")]
        assert [bool(chunk["choices"]) for chunk in chunks] == [True] * (len(chunks) - asks) + [
            False
        ] * asks
        assert len(with_usage) == asks
        if not asks:
            return
        (told,) = with_usage
        assert told is chunks[-1]
        assert list(told) == SHAPE
        assert told["choices"] == []
        whole = json.loads((await up.post(api, body_of(api, words))).body)
        assert told["usage"] == whole["usage"]
        assert {chunk["id"] for chunk in chunks} == {told["id"]}
        assert answer.body.endswith(
            b"data: " + json.dumps(told, separators=(",", ":")).encode() + b"\n\ndata: [DONE]\n\n"
        )

    before(tmp_path, test, kind=kind)


@pytest.mark.parametrize("where", PLACES)
def test_report_09_messages_keep_usage(tmp_path, where):
    async def test(up: Stage, upstream: Upstream) -> None:
        words = f"USAGE={where} TOKENS=9 CHUNKS=4 CACHED=1 PROMPT=30"
        answer = await up.post("messages", body_of("messages", words, stream=True))
        said = [
            json.loads(line.removeprefix(b"data: "))
            for line in answer.body.splitlines()
            if line.startswith(b"data: ")
        ]
        (last,) = [each for each in said if each["type"] == "message_delta"]
        assert last["usage"]["output_tokens"] == 9
        assert last["usage"]["input_tokens"] + last["usage"]["cache_read_input_tokens"] == 30
        assert said[-1] == {"type": "message_stop"}

    before(tmp_path, test)
