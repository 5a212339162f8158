"""Usage as OpenAI's chat, completion and embedding answers tell it."""

from __future__ import annotations

import msgspec

from neocloud.gateway.apis.api import Usage


class _PromptDetails(msgspec.Struct):
    cached_tokens: int | None = 0


class _OutputDetails(msgspec.Struct):
    reasoning_tokens: int | None = 0


class _Told(msgspec.Struct):
    prompt_tokens: int
    completion_tokens: int | None = 0
    prompt_tokens_details: _PromptDetails | None = None
    completion_tokens_details: _OutputDetails | None = None


class _Whole(msgspec.Struct):
    usage: _Told | None = None


_told = msgspec.json.Decoder(_Told)
_wholes = msgspec.json.Decoder(_Whole)


def _usage(told: _Told) -> Usage:
    details, output = told.prompt_tokens_details, told.completion_tokens or 0
    cached = (details.cached_tokens or 0) if details is not None else 0
    reasoning = told.completion_tokens_details
    return Usage(
        max(0, told.prompt_tokens),
        max(0, min(cached, told.prompt_tokens)),
        max(0, output),
        max(0, min((reasoning.reasoning_tokens or 0), output)) if reasoning is not None else 0,
    )


def read_usage(text: bytes) -> Usage | None:
    """Usage from its JSON object; None if it is none."""
    try:
        return _usage(_told.decode(text))
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


def usage_of_body(body: bytes) -> Usage | None:
    """Usage of an unstreamed answer; None if it tells none."""
    try:
        told = _wholes.decode(body).usage
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    return None if told is None else _usage(told)
