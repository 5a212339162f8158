"""An unstreamed answer as the client gets it, if it is one at all."""

from __future__ import annotations

import msgspec

from neocloud.gateway.apis.api import Asked, Dialect, Usage
from neocloud.gateway.apis.refusals import ApiError


class _Answer(msgspec.Struct):
    error: msgspec.Raw = msgspec.Raw()


_answers = msgspec.json.Decoder(_Answer)


def whole_answer(dialect: Dialect, body: bytes, asked: Asked) -> tuple[bytes, Usage | None]:
    """The engine's answer, of status 200, and the usage that it tells.

    Status 200 does not say that it is an answer: an engine that shuts down may say so with it, and
    a proxy before it may send a page of its own. What tells its usage is taken at its word.

    Raises:
        ApiError: 502, it is none.
    """
    answer, usage = dialect.whole(body, asked)
    if usage is None and not _is_answer(body):
        raise ApiError(502, "what the engine sent is no answer", "engine_failed")
    return answer, usage


def _is_answer(body: bytes) -> bool:
    """True of a JSON object without an error in it."""
    try:
        error = _answers.decode(body).error
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False
    return bytes(error) in {b"", b"null"}
