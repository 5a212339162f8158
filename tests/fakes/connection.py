"""One client's connection to a fake upstream: requests in, scripts out, faithfully or not."""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from collections import deque
from typing import TYPE_CHECKING, cast

import httptools

from .behaviour import PLAIN, Behaviour

if TYPE_CHECKING:
    from .counting import Row
    from .script import Script
    from .upstream import Upstream

Request = tuple[str, str, dict[bytes, bytes], bytes, bool]


class Connection(asyncio.Protocol):
    """Reads requests one by one and plays the script that the upstream gives for each.

    Attributes:
        method: of the request at hand; so `target`, `headers` and `body`.
    """

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream
        self._parser = httptools.HttpRequestParser(self)
        self._ready: deque[Request] = deque()
        self._row: Row | None = None
        self._task: asyncio.Task[None] | None = None
        self._busy = False
        self._close_on_next = False
        self._kept = True
        self._room = asyncio.Event()
        self._room.set()
        self._url, self._headers, self._body = b"", {}, []
        self.method, self.target, self.headers, self.body = "", "", {}, b""

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._upstream.connections.add(self)

    def data_received(self, data: bytes) -> None:
        if self._close_on_next:
            self.cut()
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self.cut()
            return
        self._next()

    def eof_received(self) -> bool:
        return False

    def pause_writing(self) -> None:
        self._room.clear()

    def resume_writing(self) -> None:
        self._room.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self._upstream.connections.discard(self)
        self._ready.clear()
        if self._task is not None:
            self._task.cancel()
            self._task = None
        self._over("aborted")

    # httptools

    def on_message_begin(self) -> None:
        self._url, self._headers, self._body = b"", {}, []

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.lower()] = value

    def on_body(self, data: bytes) -> None:
        self._body.append(data)

    def on_message_complete(self) -> None:
        method = self._parser.get_method().decode()
        kept = self._parser.should_keep_alive()
        body = b"".join(self._body)
        self._ready.append((method, self._url.decode(), self._headers, body, kept))

    # own

    def cut(self) -> None:
        """Close at once."""
        self._transport.abort()

    def _next(self) -> None:
        while self._ready and not self._busy and not self._transport.is_closing():
            request = self._ready.popleft()
            self.method, self.target, self.headers, self.body, self._kept = request
            self._busy = True
            self._upstream.answer(self)

    def play(self, script: Script, row: Row | None = None, behaviour: Behaviour = PLAIN) -> None:
        """Send what the script says; at once where nothing in it takes time."""
        self._row = row
        waits = any(step.wait_s for step in script.steps)
        if behaviour.split or waits:
            self._task = asyncio.get_running_loop().create_task(self._slowly(script, behaviour))
            return
        data = b"".join([step.data for step in script.steps])
        if data:
            self._transport.write(data)
        self._gave(sum([step.tokens for step in script.steps]))
        self._finish(script, behaviour)

    async def _slowly(self, script: Script, behaviour: Behaviour) -> None:
        for step in script.steps:
            if step.wait_s:
                await asyncio.sleep(step.wait_s)
            size = behaviour.split or len(step.data) or 1
            for at in range(0, len(step.data), size):
                if behaviour.split:
                    await asyncio.sleep(behaviour.split_ms / 1000)
                await self._room.wait()
                self._transport.write(step.data[at : at + size])
            self._gave(step.tokens)
        self._task = None
        self._finish(script, behaviour)
        self._next()

    def _gave(self, tokens: int) -> None:
        if self._row is not None and tokens:
            self._upstream.count.gave(self._row, tokens)

    def _over(self, outcome: str) -> None:
        if self._row is not None:
            self._upstream.count.end(self._row, outcome)
            self._row = None

    def _finish(self, script: Script, behaviour: Behaviour) -> None:
        if script.end == "hang":
            return  # until the client leaves, which counts as an abort
        self._over(script.outcome)
        if script.end == "keep":
            self._busy = False
            self._close_on_next = behaviour.fault == "closes-on-reuse"
            if not self._kept:
                self._transport.close()
        elif script.end == "close":
            self._transport.close()
        elif script.end == "half":
            self._transport.write_eof()
        elif script.end == "reset":
            linger = struct.pack("ii", 1, 0)  # close sends a reset
            found = self._transport.get_extra_info("socket")
            found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self._transport.abort()
        elif script.end == "exit":
            os._exit(1)
