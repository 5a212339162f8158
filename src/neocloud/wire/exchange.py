"""One request and the answer to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from neocloud.wire.heads import Headers, header_lines, status_line

if TYPE_CHECKING:
    from neocloud.wire.connection import ServerConnection


_OK = status_line(200)

# States of an exchange. Plain numbers: members of an enumeration cost more than the comparisons
# that they stand in.
_NEW = 0
_STARTED = 1
_FINISHED = 2
_CLOSED = 3
"""The client went away, or we broke off, before the answer was whole."""

# How the end of a body shows.
_LENGTH = 0
_CHUNKED = 1
_UNTIL_CLOSE = 2
"""For clients of HTTP/1.0."""
_NOTHING = 3
"""The answer to HEAD has no body."""


class Exchange:
    """One request, complete, and the way to answer it.

    Use `respond`, or `start`, any number of `write`, `finish`. What is written after the client
    went away is dropped without error; `closed` and `on_disconnect` tell. All calls belong to the
    event loop's thread.

    Attributes:
        method: as sent, upper case.
        path: target without query, as sent (not decoded).
        query: what follows the `?`, as sent; empty without.
        headers: names in lower case, values as sent; repeated fields joined by `, `. Not to be
            changed: requests of a connection with the same fields share them. The body's length is
            not among them.
        body: the whole body.
        notes: a place for what follows from target and header fields alone; shared like these.
    """

    __slots__ = (
        "_connection",
        "_framing",
        "_gone",
        "_left",
        "_pause",
        "_resume",
        "_state",
        "body",
        "headers",
        "keep_alive",
        "method",
        "notes",
        "path",
        "query",
        "target",
        "version",
    )

    def __init__(
        self,
        connection: ServerConnection,
        method: str,
        target: str,
        headers: dict[bytes, bytes],
        body: bytes,
        version: str,
        keep_alive: bool,
        notes: dict[str, object],
    ) -> None:
        self._connection = connection
        self.method = method
        self.target = target
        if "?" in target:
            self.path, _, self.query = target.partition("?")
        else:
            self.path, self.query = target, ""
        self.notes = notes
        self.headers = headers
        self.body = body
        self.version = version
        self.keep_alive = keep_alive
        self._state = _NEW
        self._framing = _LENGTH
        self._left = 0
        self._gone: Callable[[], None] | None = None
        self._pause: Callable[[], None] | None = None
        self._resume: Callable[[], None] | None = None

    @property
    def closed(self) -> bool:
        """True once the client is gone, or the answer was broken off."""
        return self._state == _CLOSED

    @property
    def peer(self) -> str:
        """The client's address; empty where there is none."""
        return self._connection.peer

    @property
    def started(self) -> bool:
        """True once the head of the answer was written."""
        return self._state != _NEW

    @property
    def finished(self) -> bool:
        """True once the answer was written whole."""
        return self._state == _FINISHED

    def on_disconnect(self, callback: Callable[[], None]) -> None:
        """Call `callback` once if the client goes away before the answer was written whole."""
        self._gone = callback

    def on_back_pressure(self, pause: Callable[[], None], resume: Callable[[], None]) -> None:
        """Call `pause` when too much waits to be taken by the client, `resume` when it was."""
        self._pause, self._resume = pause, resume
        if self._state < _FINISHED and self._connection.writing_paused:
            pause()

    def respond(self, status: int, headers: Headers = (), body: bytes = b"") -> None:
        """Answer at once with a whole body.

        Raises:
            ValueError: a header holds a line break (see `header_lines`); nothing was written.
        """
        assert self._state in (_NEW, _CLOSED), "an exchange is answered once"
        if self._state == _CLOSED:
            return
        connection = self._connection
        head = b"%b%b%b%bcontent-length: %d\r\n\r\n" % (
            _OK if status == 200 else status_line(status),
            connection.server.date_line,
            headers if isinstance(headers, bytes) else header_lines(headers),
            self._connection_line(),
            len(body),
        )
        if self.method == "HEAD":
            connection.send(head)
        elif len(body) < 65_536:
            connection.send(head + body)
        else:
            connection.send(head)
            connection.send(body)
        self._state = _FINISHED
        connection.answered(self)

    def start(self, status: int, headers: Headers = (), length: int | None = None) -> None:
        """Write the head of an answer whose body follows in pieces.

        Args:
            status: of the answer.
            headers: its fields, framing excluded.
            length: bytes that will follow, if known; the answer is chunked otherwise.

        Raises:
            ValueError: a header holds a line break (see `header_lines`); nothing was written.
        """
        assert self._state in (_NEW, _CLOSED), "an exchange is answered once"
        if self._state == _CLOSED:
            return
        lines = header_lines(headers)
        if length is not None:
            self._framing, self._left = _LENGTH, length
            framing = b"content-length: %d\r\n" % length
        elif self.version == "1.0":
            self._framing, self.keep_alive, framing = _UNTIL_CLOSE, False, b""
        else:
            self._framing, framing = _CHUNKED, b"transfer-encoding: chunked\r\n"
        if self.method == "HEAD":
            self._framing = _NOTHING
        self._state = _STARTED
        self._connection.send(
            b"%b%b%b%b%b\r\n"
            % (
                status_line(status),
                self._connection.server.date_line,
                lines,
                self._connection_line(),
                framing,
            )
        )

    def write(self, data: bytes) -> None:
        """Write a piece of the body; an empty one is nothing."""
        if self._state == _CLOSED or not data:
            return
        assert self._state == _STARTED, "start before write, nothing after finish"
        if self._framing == _CHUNKED:
            self._connection.send(b"%x\r\n%b\r\n" % (len(data), data))
        elif self._framing == _LENGTH:
            self._left -= len(data)
            assert self._left >= 0, "more was written than the length that was announced"
            self._connection.send(data)
        elif self._framing == _UNTIL_CLOSE:
            self._connection.send(data)

    def finish(self, data: bytes = b"") -> None:
        """Write the last piece and end the answer, both in one packet where they fit."""
        if self._state == _CLOSED:
            return
        assert self._state == _STARTED, "start before finish, and finish once"
        if self._framing == _CHUNKED:
            if data:
                self._connection.send(b"%x\r\n%b\r\n0\r\n\r\n" % (len(data), data))
            else:
                self._connection.send(b"0\r\n\r\n")
        else:
            self.write(data)
            assert self._framing != _LENGTH or self._left == 0, "the body is incomplete"
        self._state = _FINISHED
        self._connection.answered(self)

    def abort(self) -> None:
        """Break off: send what was written, then close, so that the client sees no clean end."""
        if self._state < _FINISHED:
            self._state = _CLOSED
            self._connection.break_off()

    # What the connection tells.

    def lost(self) -> None:
        """The client is gone."""
        if self._state < _FINISHED:
            self._state = _CLOSED
            if self._gone is not None:
                self._gone()

    def pressure(self) -> None:
        """The client takes less than is written."""
        if self._pause is not None and self._state < _FINISHED:
            self._pause()

    def relieved(self) -> None:
        """The client has caught up."""
        if self._resume is not None and self._state < _FINISHED:
            self._resume()

    def _connection_line(self) -> bytes:
        connection = self._connection
        if not self.keep_alive or connection.ending:
            self.keep_alive = False
            return b"connection: close\r\n"
        return b"connection: keep-alive\r\n" if self.version == "1.0" else b""
