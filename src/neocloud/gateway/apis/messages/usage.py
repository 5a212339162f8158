"""Usage and errors as Anthropic's API tells them, and how they map to what the gateway counts.

Anthropic's `input_tokens` leave out what a prompt cache gave or took; ours hold all of the prompt.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import msgspec

from neocloud.gateway.apis.api import Usage
from neocloud.gateway.apis.refusals import anthropic_error


class _OutputDetails(msgspec.Struct, gc=False):
    thinking_tokens: int | None = 0


class Told(msgspec.Struct):
    """Usage of a message, or of the events that tell it bit by bit; each count is cumulative."""

    input_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    output_tokens: int | None = None
    output_tokens_details: _OutputDetails | None = None


class _Whole(msgspec.Struct):
    usage: Told | None = None


_wholes = msgspec.json.Decoder(_Whole)


def usage_of_told(told: Told) -> Usage:
    """The gateway's count of the same."""
    cached = max(0, told.cache_read_input_tokens or 0)
    fresh = max(0, told.input_tokens or 0) + max(0, told.cache_creation_input_tokens or 0)
    output = max(0, told.output_tokens or 0)
    details = told.output_tokens_details
    thinking = (details.thinking_tokens or 0) if details is not None else 0
    return Usage(fresh + cached, cached, output, max(0, min(thinking, output)))


def usage_of_message(body: bytes) -> Usage | None:
    """Usage of an unstreamed message; None if it tells none."""
    try:
        told = _wholes.decode(body).usage
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    return None if told is None else usage_of_told(told)


def told_usage(usage: Usage | None) -> dict[str, object]:
    """Usage as Anthropic's clients read it.

    Where the engine told none there are no tokens to speak of; `output_tokens` must stand there all
    the same, and is 0.
    """
    if usage is None:
        return {"input_tokens": 0, "output_tokens": 0}
    told: dict[str, object] = {
        "input_tokens": usage.input_tokens - usage.cached_tokens,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": usage.cached_tokens,
        "output_tokens": usage.output_tokens,
    }
    if usage.reasoning_tokens:
        told["output_tokens_details"] = {"thinking_tokens": usage.reasoning_tokens}
    return told


def message_start(name: str, model: str, usage: Usage | None) -> bytes:
    """The event with which a stream begins."""
    message: dict[str, object] = {
        "id": name,
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": told_usage(usage),
    }
    told = msgspec.json.encode({"type": "message_start", "message": message})
    return b"event: message_start\ndata: %b\n\n" % told


class _Error(msgspec.Struct):
    message: str = ""
    type: str | None = None
    code: int | str | None = None


class _ErrorBody(msgspec.Struct):
    type: str | None = None
    error: _Error | str | None = None
    message: str | None = None
    detail: Any = None


_errors = msgspec.json.Decoder(_Error | str)
_bodies = msgspec.json.Decoder(_ErrorBody)

_STATUSES = {
    "invalid_request_error": 400,
    "BadRequestError": 400,
    "authentication_error": 401,
    "permission_error": 403,
    "not_found_error": 404,
    "NotFoundError": 404,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "overloaded_error": 503,
    "ServiceUnavailableError": 503,
    "timeout_error": 504,
}
"""Kinds of errors as engines name them in a stream, where no HTTP status says it."""


_KINDS = frozenset({
    "api_error", "authentication_error", "billing_error", "invalid_request_error",
    "not_found_error", "overloaded_error", "permission_error", "rate_limit_error",
    "request_too_large", "timeout_error",
})  # fmt: skip
"""Anthropic's kinds of errors, as its clients know them."""


def error_event(raw: bytes) -> bytes:
    """An engine's error in the midst of a stream, as an event of Anthropic's.

    Args:
        raw: JSON of the error: an object of OpenAI's shape, or a string.
    """
    try:
        error = _errors.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        error = ""
    if isinstance(error, str):
        return broken_event(error)
    code = error.code
    if isinstance(code, str) and code.isdecimal():
        code = int(code)
    if not isinstance(code, int) or not 400 <= code <= 599:
        code = _STATUSES.get(error.type or "", 500)
    return broken_event(error.message, code)


def broken_event(message: str, status: int = 500) -> bytes:
    """The event after which an answer does not go on."""
    told = anthropic_error(status, message or "the engine failed", "")
    return b"event: error\ndata: %b\n\n" % told


def error_of_engine(status: int, body: bytes) -> bytes:
    """An engine's refusal in Anthropic's shape, whatever shape it had.

    What has it already passes. Else the kind follows from the HTTP status, by which clients choose
    their exception: words of an engine's own, such as vLLM's `BadRequestError`, do not get through.
    """
    message = ""
    try:
        read = _bodies.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        pass
    else:
        if isinstance(read.error, _Error):
            if read.type == "error" and read.error.type in _KINDS:
                return body
            message = read.error.message
        elif isinstance(read.error, str):
            message = read.error
        elif read.message:
            message = read.message
        elif read.detail is not None:  # FastAPI's own
            detail = read.detail
            message = detail if isinstance(detail, str) else msgspec.json.encode(detail).decode()
    if not message:
        try:
            message = f"the engine answered {status} {HTTPStatus(status).phrase}"
        except ValueError:
            message = f"the engine answered {status}"
    return anthropic_error(status, message, "")
