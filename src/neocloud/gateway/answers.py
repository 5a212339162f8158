"""Answers that are the gateway's own, in the shape of OpenAI's API."""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus

import msgspec

from neocloud.wire import Headers, Lines, header_lines

JSON = header_lines(((b"content-type", b"application/json"),))
TEXT = header_lines(((b"content-type", b"text/plain; version=0.0.4; charset=utf-8"),))

_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "invalid_request_error",
}


class ApiError(Exception):
    """A request that is refused before it is admitted: it leaves no usage event."""

    def __init__(self, status: int, message: str, code: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code

    def body(self) -> bytes:
        """OpenAI's error object."""
        return error_body(self.status, str(self), self.code)


def error_body(status: int, message: str, code: str) -> bytes:
    """OpenAI's error object."""
    kind = _TYPES.get(status, "server_error" if status >= 500 else "invalid_request_error")
    return msgspec.json.encode(
        {"error": {"message": message, "type": kind, "param": None, "code": code}}
    )


def refusal(status: int, reason: str) -> tuple[Headers, bytes]:
    """What the server says of a request that it could not even read."""
    code = HTTPStatus(status).phrase.lower().replace(" ", "_")
    return JSON, error_body(status, reason, code)


def model_list(names: Iterable[str]) -> bytes:
    """The answer to GET /v1/models."""
    data = [{"id": n, "object": "model", "created": 0, "owned_by": "neocloud"} for n in names]
    return msgspec.json.encode({"object": "list", "data": data})


def with_request_id(lines: Lines, request_id: bytes) -> Lines:
    """Header fields and the request's id, by which its usage event is found."""
    return Lines(lines + b"x-request-id: " + request_id + b"\r\n")
