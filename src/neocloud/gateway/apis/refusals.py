"""Answers that are the gateway's own: refusals, in the shape of the API that was called."""

from __future__ import annotations

import math
from http import HTTPStatus

import msgspec

from neocloud.wire import NO_LINES, Headers, Lines, header_lines

JSON = header_lines(((b"content-type", b"application/json"),))
TEXT = header_lines(((b"content-type", b"text/plain; charset=utf-8"),))
METRICS = header_lines(((b"content-type", b"text/plain; version=0.0.4; charset=utf-8"),))
"""Of Prometheus' text format."""

_OPENAI_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "invalid_request_error",
    422: "invalid_request_error",
    429: "rate_limit_error",
}
_ANTHROPIC_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    422: "invalid_request_error",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
}


class ApiError(Exception):
    """A request that is refused before it is admitted: it leaves no usage event.

    Attributes:
        status: HTTP status.
        code: short word for programs.
        lines: header fields beside those that every refusal has.
        retry_after_s: when it makes sense to come again; None if unknown.
    """

    def __init__(
        self,
        status: int,
        message: str,
        code: str,
        *,
        lines: Lines = NO_LINES,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.lines = lines
        self.retry_after_s = retry_after_s


def whole_seconds(wait_s: float) -> int:
    """A wait as clients are told it: in whole seconds, rounded up, at least one."""
    return max(1, math.ceil(wait_s))


def error_type(status: int, *, anthropic: bool) -> str:
    """Word for the kind of error, as the API's own clients map it to exceptions."""
    if anthropic:
        return _ANTHROPIC_TYPES.get(
            status, "api_error" if status >= 500 else "invalid_request_error"
        )
    return _OPENAI_TYPES.get(status, "server_error" if status >= 500 else "invalid_request_error")


def openai_error(status: int, message: str, code: str) -> bytes:
    """OpenAI's error object."""
    kind = error_type(status, anthropic=False)
    return msgspec.json.encode(
        {"error": {"message": message, "type": kind, "param": None, "code": code}}
    )


def anthropic_error(status: int, message: str, request_id: str) -> bytes:
    """Anthropic's error object."""
    kind = error_type(status, anthropic=True)
    told: dict[str, object] = {"type": "error", "error": {"type": kind, "message": message}}
    if request_id:
        told["request_id"] = request_id
    return msgspec.json.encode(told)


def error_body(
    status: int, message: str, code: str, *, anthropic: bool = False, request_id: str = ""
) -> bytes:
    """The error object of the API that was called."""
    if anthropic:
        return anthropic_error(status, message, request_id)
    return openai_error(status, message, code)


def is_anthropic(path: str) -> bool:
    """True if whoever asks there expects errors of Anthropic's shape."""
    return path == "/v1/messages" or path.startswith("/v1/messages/")


def refusal(status: int, reason: str, path: str) -> tuple[Headers, bytes]:
    """What the server says of a request that it could not even read."""
    code = HTTPStatus(status).phrase.lower().replace(" ", "_")
    return JSON, error_body(status, reason, code, anthropic=is_anthropic(path))


def wrong_method(allowed: bytes) -> ApiError:
    """405, with the methods that there are, as `GET, HEAD`."""
    use = allowed.decode().replace(", ", " or ")
    lines = header_lines(((b"allow", allowed),))
    return ApiError(405, f"use {use} here", "method_not_allowed", lines=lines)


def with_request_id(lines: Lines, request_id: bytes, *, anthropic: bool = False) -> Lines:
    """Header fields and the request's id, by which its usage event is found.

    Anthropic's clients look for it in a field of another name.
    """
    if anthropic:
        lines = Lines(b"%brequest-id: %b\r\n" % (lines, request_id))
    return Lines(b"%bx-request-id: %b\r\n" % (lines, request_id))
