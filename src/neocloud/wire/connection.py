"""The server's side of one connection: bytes to exchanges, one after the other.

A request becomes an `Exchange` when it is complete; the next one waits until that is answered, so
pipelined requests are answered in order. Framing is parsed by llhttp in its strict mode; what it
lets pass and we do not (`gzip, chunked`, several hosts) is refused in `on_headers_complete`. After
a refusal nothing more of the connection is believed.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, cast

import httptools

from neocloud.wire.exchange import Exchange
from neocloud.wire.heads import header_lines, status_line
from neocloud.wire.repeated import Repeated
from neocloud.wire.strictness import target_of, wrong_head

if TYPE_CHECKING:
    from neocloud.wire.server import Server

log = logging.getLogger(__name__)

_NO_CONTENT: list[bytes] = []


_Like = tuple[str, str, dict[bytes, bytes], str, dict[str, object]]
"""What follows from a head: method, target, header fields, version, notes."""


# Plain numbers: members of an enumeration cost more than the comparisons that they stand in.
_IDLE = 0
"""No byte of a next request."""
_HEAD = 1
_BODY = 2


class _RefusedError(Exception):
    """Stops the parser from inside a callback; the refusal is noted in the connection."""


class ServerConnection(asyncio.Protocol):
    """One client's connection. Made by `Server`; exchanges speak to it."""

    __slots__ = (
        "_body",
        "_body_bytes",
        "_count",
        "_current",
        "_head_bytes",
        "_headers",
        "_like",
        "_messages",
        "_parser",
        "_reading_paused",
        "_ready",
        "_refusal",
        "_repeated",
        "_since",
        "_stage",
        "_transport",
        "_url",
        "_waiting_bytes",
        "begun",
        "closing",
        "lingering",
        "send",
        "server",
        "writing_paused",
    )

    send: Callable[[bytes], None]
    """Write to the client."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self._parser: httptools.HttpRequestParser | None = httptools.HttpRequestParser(self)
        self._stage = _IDLE
        self._url = b""
        self._headers: dict[bytes, bytes] = {}
        self._count = 0
        self._head_bytes = 0
        self._body = _NO_CONTENT
        self._body_bytes = 0
        self._ready: deque[Exchange] = deque()
        self._waiting_bytes = 0
        self._current: Exchange | None = None
        self._refusal: tuple[int, str] | None = None
        self._reading_paused = False
        self._messages = 0  # that one piece of data completed
        self._repeated: Repeated | None = None
        self._like: _Like = ("", "", {}, "", {})
        self._since = server.clock
        self.begun = False  # a first request has come
        self.closing = False
        self.lingering = False
        self.writing_paused = False

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Note the transport; refuse what is one too many."""
        self._transport = cast("asyncio.Transport", transport)
        self.send = self._transport.write
        if not self.server.admit(self):
            self.closing = True
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """Parse what came; begin with the next exchange if none is being answered."""
        if self._refusal is not None or self.closing:
            return
        whole = self._stage == _IDLE
        if whole:
            repeated = self._repeated
            if repeated is not None and self._current is None and not self._ready:
                body = repeated.body_of(data)
                if body is not None and len(body) <= self.server.limits.max_body_bytes:
                    self._again(body)
                    return
        parser = self._parser
        assert parser is not None
        self._messages = 0
        try:
            parser.feed_data(data)
            if whole and self._messages == 1 and self._stage == _IDLE:
                self._remember(data)
        except httptools.HttpParserUpgrade:
            # Another protocol is never spoken. The request that proposed it is served as it is;
            # what follows it could be anything, so the connection ends with the answer.
            self._last_request()
        except (httptools.HttpParserError, _RefusedError) as error:
            if self._refusal is None:
                self._refusal = (400, f"malformed request: {error}")
        if self._refusal is None and self._stage == _HEAD:
            self._head_bytes += len(data)
            if self._head_bytes > self.server.limits.max_header_bytes:
                self._refusal = (431, "request header fields too large")
        if self._current is None:
            if self._ready or self._refusal is not None:
                self._dispatch()
        elif not self._reading_paused and self._crowded():
            self._reading_paused = True
            self._transport.pause_reading()

    def eof_received(self) -> bool | None:
        """The client has closed its side: it is taken as gone, whatever it still might read."""
        self._forget()
        return False

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """End what was under way."""
        self.closing = True
        self._parser = None
        self.server.forget(self)
        self._forget()

    def pause_writing(self) -> None:
        """More waits to be sent than should."""
        self.writing_paused = True
        self._since = self.server.clock
        if self._current is not None:
            self._current.pressure()

    def resume_writing(self) -> None:
        """The client has caught up."""
        self.writing_paused = False
        self._since = self.server.clock
        if self._current is not None:
            self._current.relieved()

    # httptools

    def on_message_begin(self) -> None:
        """First byte of a request."""
        self._stage = _HEAD
        self._since = self.server.clock
        self._url = b""
        self._headers = {}
        self._count = self._head_bytes = self._body_bytes = 0
        self._body = _NO_CONTENT

    def on_url(self, url: bytes) -> None:
        """Part of the target."""
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header field, or a trailer, which is ignored: it must not alter what was decided."""
        if self._stage != _HEAD:
            return
        name = name.lower()
        self._count += 1
        if name in self._headers:
            if name == b"host":
                self._refuse(400, "more than one host")
            value = self._headers[name] + b", " + value
        self._headers[name] = value

    def on_headers_complete(self) -> None:
        """Check what the parser does not; ask for the body if the client waits to be asked."""
        parser, headers = self._parser, self._headers
        assert parser is not None
        wrong = wrong_head(
            self._url, headers, self._count, parser.get_http_version(), self._waiting_bytes,
            self.server.limits,
        )  # fmt: skip
        if wrong is not None:
            self._refuse(*wrong)
        self._stage = _BODY
        if b"expect" in headers and self._current is None and not self._ready:
            self.send(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, data: bytes) -> None:
        """Part of the body."""
        self._body_bytes += len(data)
        if self._body_bytes + self._waiting_bytes > self.server.limits.max_body_bytes:
            self._refuse(413, f"the body exceeds {self.server.limits.max_body_bytes} bytes")
        if self._body:
            self._body.append(data)
        else:
            self._body = [data]

    def on_message_complete(self) -> None:
        """The request is whole: queue it."""
        parser = self._parser
        assert parser is not None
        body = self._body
        self._messages += 1
        self._headers.pop(b"content-length", None)
        target = target_of(self._url)
        if target is None:
            self._refuse(400, "not a request target")
            return  # never reached: _refuse raises
        exchange = Exchange(
            self,
            parser.get_method().decode(),
            target,
            self._headers,
            body[0] if len(body) == 1 else b"".join(body),
            parser.get_http_version(),
            parser.should_keep_alive(),
            {},
        )
        self._stage = _IDLE
        self._body = _NO_CONTENT
        self._waiting_bytes += self._body_bytes
        self.begun = True
        self._ready.append(exchange)

    # for exchanges

    @property
    def ending(self) -> bool:
        """True if the connection ends with the answer at hand."""
        return self.closing or self.server.draining

    @property
    def peer(self) -> str:
        """The client's address; empty where there is none."""
        name = self._transport.get_extra_info("peername")
        return str(name[0]) if isinstance(name, tuple) and name else ""

    def answered(self, exchange: Exchange) -> None:
        """The answer was written whole: close, or go on with the next request."""
        assert exchange is self._current, "only the exchange at hand can be answered"
        self._current = None
        self._since = self.server.clock
        if not exchange.keep_alive or self.ending:
            self.close()
            return
        if self._reading_paused and not self._crowded():
            self._reading_paused = False
            self._transport.resume_reading()
        if self._ready or self._refusal is not None:
            self.server.loop.call_soon(self._dispatch)

    def break_off(self) -> None:
        """Close without ending the answer."""
        self._current = None
        self.close()

    # for the server

    @property
    def idle(self) -> bool:
        """True if no request is being read, waits or is being answered."""
        return self._current is None and not self._ready and self._stage == _IDLE

    def close(self) -> None:
        """Send what was written, then close."""
        self.closing = True
        self._since = self.server.clock
        self._transport.close()

    def kill(self) -> None:
        """Close at once."""
        self.closing = True
        self._transport.abort()

    def check(self, now: float) -> None:
        """Enforce the time limits."""
        limits, waited = self.server.limits, now - self._since
        if self.lingering:
            if waited > limits.linger_s:
                self._transport.abort()
        elif self.writing_paused or self.closing:
            if waited > limits.write_timeout_s:
                self._transport.abort()
        elif self.idle:
            if waited > limits.idle_timeout_s:
                self.close()
        elif self._current is None and not self._ready and waited > limits.request_timeout_s:
            self._refusal = (408, "the request took too long to arrive")
            self._dispatch()

    # own

    def _remember(self, data: bytes) -> None:
        """Keep the head of a request that was parsed, in case the next one has the same."""
        exchange = self._ready[-1] if self._ready else self._current
        self._repeated = None
        if exchange is None or not exchange.keep_alive or b"expect" in exchange.headers:
            return
        self._repeated = Repeated.of(data)
        self._like = (
            exchange.method, exchange.target, exchange.headers, exchange.version, exchange.notes,
        )  # fmt: skip

    def _again(self, body: bytes) -> None:
        """A request like the one before, with another body."""
        method, target, headers, version, notes = self._like
        self._since = self.server.clock
        self._hand_over(Exchange(self, method, target, headers, body, version, True, notes))

    def _crowded(self) -> bool:
        return len(self._ready) > self.server.limits.max_pipelined

    def _last_request(self) -> None:
        if self._ready:
            self._ready[-1].keep_alive = False
        elif self._current is not None:
            self._current.keep_alive = False
        else:
            self._refusal = (400, "no other protocol is spoken here")

    def _refuse(self, status: int, reason: str) -> None:
        """Note the refusal and leave the parser."""
        self._refusal = (status, reason)
        raise _RefusedError(reason)

    def _dispatch(self) -> None:
        """Hand the next request over, or answer the refusal that comes after the last good one."""
        if self._current is not None or self.closing:
            return
        if self._ready:
            exchange = self._ready.popleft()
            self._waiting_bytes -= len(exchange.body)
            self._hand_over(exchange)
        elif self._refusal is not None:
            self._answer_refusal(*self._refusal)

    def _hand_over(self, exchange: Exchange) -> None:
        self._current = exchange
        try:
            self.server.handler(exchange)
        except Exception:  # a handler's mistake must not take the server down
            log.exception("a request handler failed")
            if exchange.started:
                exchange.abort()
            else:
                exchange.respond(500, *self.server.refusal(500, "internal error", exchange.path))

    def _answer_refusal(self, status: int, reason: str) -> None:
        # Within a message the target is its own; between two it would be the one before.
        target = target_of(self._url) if self._stage != _IDLE else None
        path = (target or "").partition("?")[0]
        headers, body = self.server.refusal(status, reason, path)
        self.send(
            b"%b%b%bconnection: close\r\ncontent-length: %d\r\n\r\n%b"
            % (status_line(status), self.server.date_line, header_lines(headers), len(body), body)
        )
        # Closing now would reset the connection while the client still sends, and the reset can
        # overtake the answer. So only our side ends; the rest of theirs is read and dropped.
        self.closing = self.lingering = True
        self._since = self.server.clock
        if self._transport.can_write_eof():
            self._transport.write_eof()
        else:
            self._transport.close()

    def _forget(self) -> None:
        current, self._current = self._current, None
        self._ready.clear()
        if current is not None:
            current.lost()
