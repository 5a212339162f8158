"""The request body: what of it the gateway reads, and the little that it changes."""

from __future__ import annotations

import msgspec

from neocloud.gateway.answers import ApiError

_USAGE = b'"stream_options":{"include_usage":true},'
_REPEATED = (b'"stream_options"', b'"max_', b"\\u00")
"""Where one of these occurs, a field added at the front may stand in the body again, as null or
under an escaped name, and the last of two would win."""


class _StreamOptions(msgspec.Struct):
    include_usage: bool | None = False


class ChatRequest(msgspec.Struct):
    """Fields of a chat completion request that the gateway acts upon; the rest passes through."""

    model: str
    messages: msgspec.Raw
    stream: bool | None = False
    stream_options: _StreamOptions | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None

    @property
    def limit(self) -> int | None:
        """The most tokens that the client lets it generate."""
        if self.max_completion_tokens is not None:
            return self.max_completion_tokens
        return self.max_tokens

    @property
    def wants_usage(self) -> bool:
        """True if the client asked for the usage event of a stream."""
        return self.stream_options is not None and bool(self.stream_options.include_usage)


_decoder = msgspec.json.Decoder(ChatRequest)
_raw_decoder = msgspec.json.Decoder(dict[str, msgspec.Raw])


def parse_chat(body: bytes) -> ChatRequest:
    """Read a request.

    Raises:
        ApiError: 400, the body is no chat completion request.
    """
    try:
        request = _decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ApiError(
            400, f"the body is no chat completion request: {error}", "bad_body"
        ) from None
    if request.limit is not None and request.limit < 1:
        raise ApiError(400, "max_tokens must be at least 1", "bad_max_tokens")
    return request


def upstream_body(body: bytes, request: ChatRequest, model: str, limit: int | None) -> bytes:
    """The body that the engine gets: usage asked for, output limited, the engine's model name.

    The client's bytes are kept as they are wherever adding fields at the front is enough.

    Args:
        body: as the client sent it.
        request: the same, read.
        model: name that the engine knows the model by.
        limit: output tokens to allow where the client sets no limit; None adds none.
    """
    front = b""
    if request.limit is None and limit is not None:
        front += b'"max_tokens":%d,' % limit
    rewrite = request.stream and request.stream_options is not None and not request.wants_usage
    if request.stream and request.stream_options is None:
        front += _USAGE
    if model != request.model or rewrite or (front and any(word in body for word in _REPEATED)):
        return _rewritten(body, request, model, limit)
    if not front:
        return body
    start = body.index(b"{") + 1
    return body[:start] + front + body[start:]


def _rewritten(body: bytes, request: ChatRequest, model: str, limit: int | None) -> bytes:
    fields = _raw_decoder.decode(body)
    fields["model"] = msgspec.Raw(msgspec.json.encode(model))
    if request.stream:
        options = fields.get("stream_options")
        given = {} if options is None else msgspec.json.decode(options) or {}
        fields["stream_options"] = msgspec.Raw(
            msgspec.json.encode({**given, "include_usage": True})
        )
    if request.limit is None and limit is not None:
        fields.pop("max_completion_tokens", None)
        fields["max_tokens"] = msgspec.Raw(b"%d" % limit)
    return msgspec.json.encode(fields)
