"""A whole answer with `await`, for what is not in the hot path."""

from __future__ import annotations

import asyncio

from neocloud.wire.client import InPieces, Pool
from neocloud.wire.errors import UpstreamError, UpstreamFault
from neocloud.wire.heads import NO_LINES, Headers
from neocloud.wire.records import Response, ResponseHead


class _Collector(InPieces):
    def __init__(self, future: asyncio.Future[Response], max_bytes: int) -> None:
        self._future = future
        self._max_bytes = max_bytes
        self._pieces: list[bytes] = []
        self._size = 0
        self._head = ResponseHead(0, {})

    def on_head(self, head: ResponseHead) -> None:
        self._head = head

    def on_data(self, data: bytes) -> None:
        self._size += len(data)
        if self._size > self._max_bytes:
            self.on_error(
                UpstreamError(
                    UpstreamFault.PROTOCOL,
                    f"the answer exceeds {self._max_bytes} bytes",
                    answered=True,
                )
            )
        else:
            self._pieces.append(data)

    def on_end(self) -> None:
        if not self._future.done():
            self._future.set_result(
                Response(self._head.status, self._head.headers, b"".join(self._pieces))
            )

    def on_error(self, error: UpstreamError) -> None:
        if not self._future.done():
            self._future.set_exception(error)


async def fetch(
    pool: Pool,
    method: bytes,
    target: bytes,
    headers: Headers = NO_LINES,
    body: bytes = b"",
    *,
    timeout_s: float = 10.0,
    max_bytes: int = 16 * 1024 * 1024,
) -> Response:
    """Send a request and wait for the whole answer.

    Raises:
        UpstreamError: there was none within `timeout_s`, or it exceeds `max_bytes`.
    """
    future: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
    call = pool.request(method, target, _Collector(future, max_bytes), headers, body)
    try:
        async with asyncio.timeout(timeout_s):
            return await future
    except TimeoutError:
        raise UpstreamError(
            UpstreamFault.TIMEOUT, f"{pool.address}: no whole answer within {timeout_s} s"
        ) from None
    finally:
        call.abort()
