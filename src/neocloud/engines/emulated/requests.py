"""Bodies of requests: read, checked, laid out as tokens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np

from neocloud.engines.emulated.tokens import header, whole_tokens

MOST_CHOICES = 128
MOST_LOGPROBS = 20
"""vLLM's default for `--max-logprobs`."""


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


class Tool(msgspec.Struct, frozen=True, kw_only=True):
    """A tool that must be called.

    Attributes:
        name: of the function.
        parameters: JSON schema of its arguments.
        named: the request names it; else it only asks for some tool.
    """

    name: str
    parameters: Any
    named: bool


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What a request asks of an engine, whichever of the two interfaces it came by.

    Attributes:
        model: name of the model.
        prompt: laid out in whole tokens.
        max_tokens: the most that it may generate; None for no limit of its own.
        min_tokens: the least.
        ignore_eos: generate exactly `max_tokens`.
        seed: of the drawn length.
        n: answers at once.
        stream: send each token as it comes.
        include_usage: a streamed answer ends with its usage.
        continuous_usage: each event of a stream carries the usage so far; only with the former.
        stop: words that end the answer.
        tell_stop: the stop word is part of the answer.
        logprobs: candidates told for each token beside it; None for no log-probabilities.
        tool: that must be called; None where the answer is text.
        schema: of the answer, which is JSON then; None for plain text.
        cache_salt: only requests of the same salt share cached blocks; empty for none.
        foreign: the prompt has letters beyond ASCII, and so has the answer.
    """

    model: str
    prompt: bytes
    max_tokens: int | None
    min_tokens: int
    ignore_eos: bool
    seed: int
    n: int
    stream: bool
    include_usage: bool
    continuous_usage: bool
    stop: tuple[str, ...]
    tell_stop: bool
    logprobs: int | None
    tool: Tool | None
    schema: Any
    cache_salt: str
    foreign: bool


class _StreamOptions(msgspec.Struct):
    include_usage: bool | None = None
    continuous_usage_stats: bool | None = None


class _Schema(msgspec.Struct):
    schema: Any = True


class _Format(msgspec.Struct):
    type: str
    json_schema: _Schema | None = None


class _Body(msgspec.Struct, kw_only=True):
    model: str
    max_tokens: int | None = None
    min_tokens: int | None = None
    n: int | None = None
    ignore_eos: bool | None = None
    seed: int | None = None
    stop: str | list[str] | None = None
    include_stop_str_in_output: bool | None = None
    stream: bool | None = None
    stream_options: _StreamOptions | None = None
    response_format: _Format | None = None
    cache_salt: str | None = None


class _Part(msgspec.Struct):
    type: str
    text: str = ""


class _Message(msgspec.Struct):
    role: str
    content: str | list[_Part] | None = None
    tool_calls: msgspec.Raw = msgspec.Raw()


class _Function(msgspec.Struct):
    name: str
    parameters: Any = None


class _Tool(msgspec.Struct):
    function: _Function


class _ChatBody(_Body, kw_only=True):
    messages: list[_Message]
    max_completion_tokens: int | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
    tools: msgspec.Raw = msgspec.Raw()
    tool_choice: str | _Tool | None = None


class _CompletionBody(_Body, kw_only=True):
    prompt: str | list[Any]
    echo: bool | None = None
    best_of: int | None = None
    logprobs: int | None = None


_chat = msgspec.json.Decoder(_ChatBody)
_completion = msgspec.json.Decoder(_CompletionBody)
_tools = msgspec.json.Decoder(list[_Tool])


def read_chat(body: bytes) -> Asked:
    """Read a body of `/v1/chat/completions`.

    Raises:
        BadRequestError: it cannot be served.
    """
    asked = decoded(_chat, body)
    if not asked.messages:
        raise BadRequestError("messages is empty", param="messages")
    if asked.top_logprobs and not asked.logprobs:
        raise BadRequestError("top_logprobs needs logprobs", param="top_logprobs")
    most = asked.max_completion_tokens
    prompt, last = _laid_out(asked)
    return _asked(
        asked,
        prompt,
        most if most is not None else asked.max_tokens,
        "max_tokens" if most is None else "max_completion_tokens",
        logprobs=_candidates(asked.top_logprobs or 0, "top_logprobs") if asked.logprobs else None,
        tool=_tool(asked),
        foreign=not last.isascii(),
    )


def read_completion(body: bytes) -> Asked:
    """Read a body of `/v1/completions`.

    Raises:
        BadRequestError: it cannot be served.
    """
    asked = decoded(_completion, body)
    if asked.echo:
        raise BadRequestError("echo is not supported", param="echo")
    if asked.best_of not in (None, asked.n or 1):
        raise BadRequestError("best_of other than n is not supported", param="best_of")
    prompt = _prompt(asked.prompt)
    return _asked(
        asked,
        prompt.laid_out,
        asked.max_tokens,
        "max_tokens",
        logprobs=None if asked.logprobs is None else _candidates(asked.logprobs, "logprobs"),
        tool=None,
        foreign=prompt.text and not prompt.laid_out.isascii(),
    )


def decoded(decoder: msgspec.json.Decoder[Any], body: bytes) -> Any:
    """A body as its decoder reads it.

    Raises:
        BadRequestError: it cannot.
    """
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        text = str(error)
        param = text.rsplit("`$.", 1)[1].rstrip("`") if "`$." in text else None
        raise BadRequestError(f"the body is not as it should be: {text}", param=param) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadRequestError(f"the body is not JSON: {error}") from None
    except RecursionError:
        raise BadRequestError("the body is nested too deeply") from None


def _asked(
    body: _Body,
    prompt: bytes,
    most: int | None,
    param: str,
    *,
    logprobs: int | None,
    tool: Tool | None,
    foreign: bool,
) -> Asked:
    if body.n is not None and not 1 <= body.n <= MOST_CHOICES:
        raise BadRequestError(f"n must be from 1 to {MOST_CHOICES}, got {body.n}", param="n")
    if most is not None and most < 1:
        raise BadRequestError(f"{param} must be at least 1, got {most}", param=param)
    least = body.min_tokens or 0
    if not 0 <= least <= (least if most is None else most):
        raise BadRequestError(f"min_tokens {least} is not from 0 to {param}", param="min_tokens")
    options = body.stream_options
    if options is not None and not body.stream:
        raise BadRequestError("stream_options needs stream", param="stream_options")
    include_usage = options is not None and bool(options.include_usage)
    stop = [body.stop] if isinstance(body.stop, str) else body.stop or []
    if body.stop is not None and not all(stop):
        raise BadRequestError("a stop word is empty", param="stop")
    if body.cache_salt == "":
        raise BadRequestError("cache_salt is empty: leave it out", param="cache_salt")
    return Asked(
        model=body.model,
        prompt=prompt,
        max_tokens=most,
        min_tokens=least,
        ignore_eos=bool(body.ignore_eos),
        seed=body.seed or 0,
        n=body.n or 1,
        stream=bool(body.stream),
        include_usage=include_usage,
        # As in vLLM, which reads this option only beside the other.
        continuous_usage=include_usage
        and options is not None
        and bool(options.continuous_usage_stats),
        stop=tuple(stop),
        tell_stop=bool(body.include_stop_str_in_output),
        logprobs=logprobs,
        tool=tool,
        schema=_format(body.response_format),
        cache_salt=body.cache_salt or "",
        foreign=foreign,
    )


def _candidates(count: int, param: str) -> int:
    if not 0 <= count <= MOST_LOGPROBS:
        raise BadRequestError(
            f"{param} must be from 0 to {MOST_LOGPROBS}, got {count}", param=param
        )
    return count


def _format(asked: _Format | None) -> Any:
    if asked is None or asked.type == "text":
        return None
    if asked.type == "json_object":
        return {
            "type": "object",
            "required": ["emulated"],
            "properties": {"emulated": {"const": True}},
        }
    if asked.type == "json_schema":
        if asked.json_schema is None:
            raise BadRequestError("json_schema is missing", param="response_format")
        return asked.json_schema.schema
    raise BadRequestError(
        f"response_format of type {asked.type!r} is not supported", param="response_format"
    )


def _tool(body: _ChatBody) -> Tool | None:
    choice = body.tool_choice
    if choice in (None, "none", "auto"):
        return None
    tools = decoded(_tools, bytes(body.tools)) if _given(body.tools) else []
    if not tools:
        raise BadRequestError("tool_choice needs tools", param="tool_choice")
    if isinstance(choice, str):
        if choice != "required":
            raise BadRequestError(f"tool_choice {choice!r} is none", param="tool_choice")
        found = tools[0].function
    else:
        names = {tool.function.name: tool.function for tool in tools}
        name = choice.function.name
        if name not in names:
            raise BadRequestError(f"tool_choice names {name!r}, no tool", param="tool_choice")
        found = names[name]
    schema = {"type": "object"} if found.parameters is None else found.parameters
    return Tool(name=found.name, parameters=schema, named=not isinstance(choice, str))


def _given(raw: msgspec.Raw) -> bytes:
    text = bytes(raw)
    return b"" if text == b"null" else text


def _laid_out(body: _ChatBody) -> tuple[bytes, str]:
    """A prompt as tokens, and the text of its last message."""
    pieces: list[bytes] = []
    tools = _given(body.tools)
    if tools:
        pieces += (header("tools"), whole_tokens(tools))
    content: str | list[_Part] | None = None
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
    return b"".join(pieces), content if isinstance(content, str) else ""


class Prompt(msgspec.Struct, frozen=True):
    """A prompt in whole tokens, and whether it came as text."""

    laid_out: bytes
    text: bool


def prompt_of(given: Any) -> Prompt | None:
    """A text or a list of token ids, one token each; None for anything else."""
    if isinstance(given, str):
        return Prompt(whole_tokens(given.encode()), True)
    if isinstance(given, list) and all(
        type(token) is int and 0 <= token < 2**32 for token in given
    ):
        return Prompt(np.array(given, dtype=np.uint32).tobytes(), False)
    return None


def _prompt(prompt: str | Sequence[Any]) -> Prompt:
    """A prompt as text, as token ids, or as a list of one of them."""
    if not isinstance(prompt, str) and len(prompt) == 1 and not isinstance(prompt[0], int):
        prompt = prompt[0]
    found = prompt_of(prompt)
    if found is None:
        raise BadRequestError("prompt must be one text, or one list of token ids", param="prompt")
    if not found.laid_out:
        raise BadRequestError("prompt is empty", param="prompt")
    return found
