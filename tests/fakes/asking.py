"""Requests of every API as a fake upstream reads them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from .behaviour import Behaviour

APIS = {
    "/v1/chat/completions": "chat",
    "/v1/completions": "completions",
    "/v1/embeddings": "embeddings",
    "/v1/responses": "responses",
    "/v1/messages": "messages",
}
"""Route and name of each API."""


class NotServedError(Exception):
    """A request that gets an error: status, message, code, field."""

    def __init__(self, status: int, message: str, code: str = "", param: str = "") -> None:
        super().__init__(message)
        self.status, self.code, self.param = status, code, param


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What a request asks for, whatever its API.

    Attributes:
        words: of the prompt.
        inputs: texts of an embeddings request.
        n: answers at once.
        tool: name of the tool that it forces; empty for none.
    """

    api: str
    model: str
    stream: bool = False
    include_usage: bool = False
    continuous_usage: bool = False
    max_tokens: int | None = None
    ignore_eos: bool = False
    n: int = 1
    words: int = 1
    inputs: int = 0
    base64: bool = False
    tool: str = ""


class Amounts(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens of an answer, and its content events: text and tokens of each.

    Attributes:
        completion: tokens of all `n` answers.
        cached: -1 if not told; so `reasoning`.
        cut: the answer ends at the request's `max_tokens`.
    """

    prompt: int
    cached: int
    reasoning: int
    completion: int
    cut: bool
    pieces: tuple[tuple[str, int], ...]


def read(api: str, body: bytes) -> Asked:
    """Read a body.

    Raises:
        NotServedError: it is no JSON object with a model.
    """
    try:
        said = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise NotServedError(400, f"the body is not JSON: {error}") from None
    if not isinstance(said, dict) or not isinstance(said.get("model"), str):
        raise NotServedError(400, "model is missing", param="model")
    if api == "embeddings":
        return _embeddings(said)
    options = said.get("stream_options") or {}
    most = next(
        (
            said[name]
            for name in ("max_completion_tokens", "max_tokens", "max_output_tokens")
            if said.get(name) is not None
        ),
        None,
    )
    if most is not None and (type(most) is not int or most < 1):
        raise NotServedError(400, "max_tokens must be a whole number from 1 on", param="max_tokens")
    return Asked(
        api=api,
        model=said["model"],
        stream=bool(said.get("stream")),
        include_usage=bool(options.get("include_usage")),
        continuous_usage=bool(options.get("continuous_usage_stats")),
        max_tokens=most,
        ignore_eos=bool(said.get("ignore_eos")),
        n=said.get("n") or 1,
        words=_words(said),
        tool=_tool(said),
    )


def amounts_of(asked: Asked, behaviour: Behaviour) -> Amounts:
    """Tokens and content events of the answer to a request."""
    tokens = behaviour.tokens
    if tokens < 0:
        if asked.ignore_eos and asked.max_tokens is not None:
            tokens = asked.max_tokens
        else:
            tokens = behaviour.chunks if behaviour.chunks >= 0 else 3
    cut = asked.max_tokens is not None and tokens >= asked.max_tokens
    if asked.max_tokens is not None:
        tokens = min(tokens, asked.max_tokens)
    if asked.api == "embeddings":
        tokens, cut = 0, False
    chunks = behaviour.chunks if behaviour.chunks >= 0 else tokens
    word: Callable[[int], str] = (lambda i: f"t{i}é€𝄞 ") if behaviour.utf8 else (lambda i: f"t{i} ")
    pieces = []
    for i in range(chunks):
        first, end = i * tokens // chunks, (i + 1) * tokens // chunks
        text = "".join(map(word, range(first, end)))
        pieces.append(("x" * behaviour.size if behaviour.size else text, end - first))
    if chunks == 0 and tokens:  # one event holds nothing less than all
        pieces = [("".join(map(word, range(tokens))), tokens)]
    return Amounts(
        prompt=behaviour.prompt if behaviour.prompt >= 0 else asked.words,
        cached=behaviour.cached,
        reasoning=min(behaviour.reasoning, tokens),
        completion=tokens * asked.n,
        cut=cut,
        pieces=tuple(pieces),
    )


def _embeddings(said: dict[str, Any]) -> Asked:
    given = said.get("input")
    texts = given if isinstance(given, list) else [given]
    if texts and isinstance(texts[0], int):
        texts = [texts]
    words = sum(len(t) if isinstance(t, list) else max(1, len(str(t).split())) for t in texts)
    return Asked(
        api="embeddings",
        model=said["model"],
        words=words,
        inputs=len(texts),
        base64=said.get("encoding_format") == "base64",
    )


def _words(said: dict[str, Any]) -> int:
    """Words of the prompt, at least 1; token ids are a word each."""
    total = 0
    for name in ("messages", "prompt", "input", "system", "instructions"):
        total += _words_in(said.get(name))
    return max(1, total)


def _words_in(value: Any) -> int:
    if isinstance(value, str):
        return len(value.split())
    if isinstance(value, int):
        return 1
    if isinstance(value, list):
        return sum(map(_words_in, value))
    if isinstance(value, dict):
        return _words_in(value.get("content")) + _words_in(value.get("text"))
    return 0


def _tool(said: dict[str, Any]) -> str:
    choice, tools = said.get("tool_choice"), said.get("tools") or []
    if isinstance(choice, dict):
        kind = choice.get("type")
        if kind in ("function", "tool"):
            return str((choice.get("function") or choice).get("name", ""))
        choice = kind
    if choice in ("required", "any") and tools:
        tool = tools[0]
        return str((tool.get("function") or tool).get("name", ""))
    return ""
