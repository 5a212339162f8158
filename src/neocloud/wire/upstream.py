"""The client's side of one connection: one request at a time, its answer handed on as it comes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

import httptools

from neocloud.wire.errors import UpstreamError, UpstreamFault
from neocloud.wire.records import ResponseHead
from neocloud.wire.repeated import Repeated

if TYPE_CHECKING:
    from neocloud.wire.client import Call, Pool

_SWITCHING = 101
_NO_BODY = (204, 304)


class ClientConnection(asyncio.Protocol):
    """One connection to an upstream. Made by `Pool`."""

    __slots__ = (
        "_answered",
        "_call",
        "_complete",
        "_delimited",
        "_head",
        "_head_bytes",
        "_head_told",
        "_headers",
        "_kept",
        "_lost",
        "_model",
        "_parser",
        "_paused",
        "_pieces",
        "_pool",
        "_repeated",
        "_reused",
        "_since",
        "_transport",
    )

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._parser: httptools.HttpResponseParser | None = httptools.HttpResponseParser(self)
        self._call: Call | None = None
        self._headers: dict[bytes, bytes] = {}
        self._head: ResponseHead | None = None
        self._head_bytes = 0
        self._head_told = False
        self._pieces: list[bytes] = []
        self._answered = False  # a byte of the answer has come
        self._complete = False
        self._delimited = False  # the body's end shows in its framing, not by the closing
        self._kept = False
        self._reused = False
        self._paused = False
        self._lost = False
        self._repeated: Repeated | None = None
        self._model: ResponseHead | None = None
        self._since = pool.clock

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Note the transport."""
        self._transport = cast("asyncio.Transport", transport)
        self._pool.opened(self)

    def data_received(self, data: bytes) -> None:
        """Parse what came, then hand it on: the parser is never left from inside a callback."""
        call = self._call
        if call is None or call.done:
            self.drop()  # nobody asked
            return
        whole = not self._answered
        if whole:
            self._answered = True
            call.head = call.body = b""  # it is not sent again: an answer may take minutes
        self._since = self._pool.clock
        if whole:
            repeated = self._repeated
            if repeated is not None:
                body = repeated.body_of(data)
                if body is not None:
                    self._again(call, body)
                    return
        parser = self._parser
        assert parser is not None
        fault: str | None = None
        try:
            parser.feed_data(data)
            if whole and self._complete:
                self._repeated = Repeated.of(data) if self._kept else None
                self._model = self._head
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            fault = str(error)
        if self._head is not None:
            if not self._head_told:
                self._head_told = True
                call.receiver.on_head(self._head)
        else:
            self._head_bytes += len(data)
            if self._head_bytes > self._pool.limits.max_head_bytes:
                fault = "the head of the answer is too large"
        pieces = self._pieces
        if pieces:
            self._pieces = []
            if self._wanted(call):
                call.receiver.on_data(pieces[0] if len(pieces) == 1 else b"".join(pieces))
        if not self._wanted(call):
            return
        if self._complete:
            self._end(call, reusable=fault is None)
        elif fault is not None:
            self._break(call, UpstreamFault.PROTOCOL, f"not an HTTP/1.1 answer: {fault}")

    def eof_received(self) -> bool | None:
        """Nothing more will come."""
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """End the call under way: well, if the closing is what ends its body."""
        self._lost = True
        self._parser = None
        self._pool.forget(self)
        call, self._call = self._call, None
        if call is None or call.done:
            return
        if self._head is not None and not self._delimited and exc is None:
            call.done = True
            call.receiver.on_end()
        elif self._reused and not self._answered and not call.retried:
            call.retry()
        else:
            call.fail(
                UpstreamError(
                    UpstreamFault.LOST,
                    f"{self._pool.address} closed the connection before the answer was whole",
                    answered=self._head is not None,
                )
            )

    # httptools

    def on_message_begin(self) -> None:
        """First byte of an answer; a second one in a row was not asked for."""
        if self._complete:
            raise _UnaskedError("two answers to one request")
        self._headers = {}
        self._delimited = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """One field, or a trailer, which nobody here reads."""
        if self._head is not None:
            return
        name = name.lower()
        if name in self._headers:
            value = self._headers[name] + b", " + value
        self._headers[name] = value
        if name in (b"content-length", b"transfer-encoding"):
            self._delimited = True

    def on_headers_complete(self) -> None:
        """The head is whole; an interim one (1xx) is not the answer."""
        parser = self._parser
        assert parser is not None
        status = parser.get_status_code()
        if status < 200 and status != _SWITCHING:
            return
        if status in _NO_BODY:
            self._delimited = True
        self._head = ResponseHead(status, self._headers)

    def on_body(self, data: bytes) -> None:
        """Some of the body."""
        self._pieces.append(data)

    def on_message_complete(self) -> None:
        """The answer is whole, unless it was an interim one."""
        if self._head is not None:
            self._complete = True
            parser = self._parser
            assert parser is not None
            self._kept = parser.should_keep_alive()  # forgotten by the parser after this callback

    # for calls and the pool

    @property
    def usable(self) -> bool:
        """True if a request may be sent on it."""
        return not self._lost and not self._transport.is_closing()

    def send(self, call: Call) -> None:
        """Send a request; the connection is its own until the answer is whole."""
        assert self._call is None, "one request at a time"
        self._call = call
        call.connection = self
        self._head = None
        self._head_bytes = 0
        self._answered = self._complete = self._head_told = False
        self._since = self._pool.clock
        if len(call.body) < 65_536:
            self._transport.write(call.head + call.body)
        else:
            self._transport.write(call.head)
            self._transport.write(call.body)

    def pause(self) -> None:
        """Stop reading."""
        if not self._paused and not self._lost:
            self._paused = True
            self._transport.pause_reading()

    def resume(self) -> None:
        """Read on."""
        if self._paused and not self._lost:
            self._paused = False
            self._since = self._pool.clock
            self._transport.resume_reading()

    def release(self) -> None:
        """Keep for a next request, if it is still good."""
        self._call = None
        if not self.usable:
            return
        self._reused = True
        self._since = self._pool.clock
        self._pool.free(self)

    def drop(self) -> None:
        """Close at once. A call that is not done is told that the connection was lost."""
        if not self._lost:
            self._transport.abort()

    def check(self, now: float) -> None:
        """Enforce the time limits."""
        limits, waited = self._pool.limits, now - self._since
        call = self._call
        if call is None:
            if waited > limits.idle_s:
                self.drop()
            return
        if call.done or self._paused:
            return
        limit = limits.read_timeout_s if self._answered else limits.head_timeout_s
        if waited > limit:
            self._break(call, UpstreamFault.TIMEOUT, f"nothing came for {limit} s")

    # own

    def _again(self, call: Call, body: bytes) -> None:
        """An answer like the one before, with another body."""
        head = self._model
        assert head is not None, "a head is kept with its answer"
        self._delimited = self._complete = self._head_told = self._kept = True
        call.done = True
        self._call = None
        if self._paused:
            self.resume()
        if self._transport.get_write_buffer_size() == 0:
            self.release()
        else:
            self.drop()
        call.receiver.on_whole(head, body)

    def _wanted(self, call: Call) -> bool:
        return self._call is call and not call.done

    def _end(self, call: Call, *, reusable: bool) -> None:
        call.done = True
        self._call = None
        self.resume()
        if reusable and self._kept and self._transport.get_write_buffer_size() == 0:
            self.release()
        else:
            self.drop()
        call.receiver.on_end()

    def _break(self, call: Call, fault: UpstreamFault, message: str) -> None:
        self._call = None
        self.drop()
        call.fail(
            UpstreamError(
                fault, f"{self._pool.address}: {message}", answered=self._head is not None
            )
        )


class _UnaskedError(Exception):
    """Stops the parser from inside a callback."""
