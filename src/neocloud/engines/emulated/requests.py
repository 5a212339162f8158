"""Bodies of requests: read, checked, laid out as tokens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np

from neocloud.engines.emulated.tokens import header, whole_tokens


class BadRequestError(Exception):
    """A request that is not served, in words for its sender.

    Attributes:
        status: of the answer.
        param: field that is wrong; None for the body as a whole.
        code: word for programs; None without.
    """

    def __init__(
        self, message: str, *, param: str | None = None, code: str | None = None, status: int = 400
    ) -> None:
        super().__init__(message)
        self.status = status
        self.param = param
        self.code = code


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What a request asks of an engine, whichever of the two interfaces it came by.

    Attributes:
        model: name of the model.
        prompt: laid out in whole tokens.
        max_tokens: the most that it may generate; None for no limit of its own.
        ignore_eos: generate exactly `max_tokens`.
        seed: of the drawn length.
        stream: send each token as it comes.
        include_usage: a streamed answer ends with its usage.
        continuous_usage: each event of a stream carries the usage so far; only with the former.
    """

    model: str
    prompt: bytes
    max_tokens: int | None
    ignore_eos: bool
    seed: int
    stream: bool
    include_usage: bool
    continuous_usage: bool


class _StreamOptions(msgspec.Struct):
    include_usage: bool | None = None
    continuous_usage_stats: bool | None = None


class _Body(msgspec.Struct, kw_only=True):
    model: str
    max_tokens: int | None = None
    n: int | None = None
    ignore_eos: bool | None = None
    seed: int | None = None
    stream: bool | None = None
    stream_options: _StreamOptions | None = None


class _Part(msgspec.Struct):
    type: str
    text: str = ""


class _Message(msgspec.Struct):
    role: str
    content: str | list[_Part] | None = None
    tool_calls: msgspec.Raw = msgspec.Raw()


class _ChatBody(_Body, kw_only=True):
    messages: list[_Message]
    max_completion_tokens: int | None = None
    logprobs: bool | None = None
    tools: msgspec.Raw = msgspec.Raw()


class _CompletionBody(_Body, kw_only=True):
    prompt: str | list[Any]
    echo: bool | None = None
    best_of: int | None = None
    logprobs: int | None = None


_chat = msgspec.json.Decoder(_ChatBody)
_completion = msgspec.json.Decoder(_CompletionBody)


def read_chat(body: bytes) -> Asked:
    """Read a body of `/v1/chat/completions`.

    Raises:
        BadRequestError: it cannot be served.
    """
    asked = _decoded(_chat, body)
    if not asked.messages:
        raise BadRequestError("messages is empty", param="messages")
    if asked.logprobs:
        raise BadRequestError("an emulated engine has no logprobs", param="logprobs")
    most = asked.max_completion_tokens
    return _asked(
        asked,
        _laid_out(asked),
        most if most is not None else asked.max_tokens,
        "max_tokens" if most is None else "max_completion_tokens",
    )


def read_completion(body: bytes) -> Asked:
    """Read a body of `/v1/completions`.

    Raises:
        BadRequestError: it cannot be served.
    """
    asked = _decoded(_completion, body)
    if asked.echo:
        raise BadRequestError("echo is not supported", param="echo")
    if asked.best_of not in (None, 1):
        raise BadRequestError("best_of other than 1 is not supported", param="best_of")
    if asked.logprobs is not None:
        raise BadRequestError("an emulated engine has no logprobs", param="logprobs")
    return _asked(asked, _prompt(asked.prompt), asked.max_tokens, "max_tokens")


def _decoded(decoder: msgspec.json.Decoder[Any], body: bytes) -> Any:
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        text = str(error)
        param = text.rsplit("`$.", 1)[1].rstrip("`") if "`$." in text else None
        raise BadRequestError(f"the body is not as it should be: {text}", param=param) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadRequestError(f"the body is not JSON: {error}") from None


def _asked(body: _Body, prompt: bytes, most: int | None, param: str) -> Asked:
    if body.n not in (None, 1):
        raise BadRequestError("n other than 1 is not supported", param="n")
    if most is not None and most < 1:
        raise BadRequestError(f"{param} must be at least 1, got {most}", param=param)
    options = body.stream_options
    if options is not None and not body.stream:
        raise BadRequestError("stream_options needs stream", param="stream_options")
    include_usage = options is not None and bool(options.include_usage)
    return Asked(
        model=body.model,
        prompt=prompt,
        max_tokens=most,
        ignore_eos=bool(body.ignore_eos),
        seed=body.seed or 0,
        stream=bool(body.stream),
        include_usage=include_usage,
        # As in vLLM, which reads this option only beside the other.
        continuous_usage=include_usage
        and options is not None
        and bool(options.continuous_usage_stats),
    )


def _given(raw: msgspec.Raw) -> bytes:
    text = bytes(raw)
    return b"" if text == b"null" else text


def _laid_out(body: _ChatBody) -> bytes:
    pieces: list[bytes] = []
    tools = _given(body.tools)
    if tools:
        pieces += (header("tools"), whole_tokens(tools))
    for place, message in enumerate(body.messages):
        content = message.content
        if isinstance(content, list):
            for part in content:
                if part.type != "text":
                    raise BadRequestError(
                        f"content of type {part.type!r}: an emulated engine takes text only",
                        param=f"messages[{place}].content",
                    )
            content = "".join(part.text for part in content)
        text = (content or "").encode() + _given(message.tool_calls)
        pieces += (header(message.role), whole_tokens(text))
    pieces.append(header("assistant"))
    return b"".join(pieces)


def _prompt(prompt: str | Sequence[Any]) -> bytes:
    """A prompt as text, as token ids, or as a list of one of them."""
    wrong = "prompt must be one text, or one list of token ids"
    if not isinstance(prompt, str) and len(prompt) == 1 and not isinstance(prompt[0], int):
        prompt = prompt[0]
    if isinstance(prompt, str):
        laid_out = whole_tokens(prompt.encode())
    elif isinstance(prompt, list) and all(
        type(token) is int and 0 <= token < 2**32 for token in prompt
    ):
        laid_out = np.array(prompt, dtype=np.uint32).tobytes()
    else:
        raise BadRequestError(wrong, param="prompt")
    if not laid_out:
        raise BadRequestError("prompt is empty", param="prompt")
    return laid_out
