"""A client that sees each byte: what came, and how the connection ended."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import uvloop

from .upstream import Upstream

CHAT = "/v1/chat/completions"

_OPENED: list[asyncio.StreamWriter] = []


def run(test: Callable[[], Awaitable[None]]) -> None:
    """Run a test in an event loop; it fails if it hangs."""

    async def main() -> None:
        async with asyncio.timeout(30):
            try:
                await test()
            finally:
                for writer in _OPENED:
                    writer.close()
                while _OPENED:
                    with contextlib.suppress(ConnectionError):
                        await _OPENED.pop().wait_closed()

    uvloop.run(main())


async def opened(upstream: Upstream) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection, closed with the test at the latest."""
    reader, writer = await asyncio.open_connection(*upstream.address)
    _OPENED.append(writer)
    return reader, writer


@dataclass
class Raw:
    """What came back.

    Attributes:
        head: up to and with the empty line.
        rest: all bytes behind it.
        pieces: sizes of the reads.
        ended: `eof`, `reset`, or `` while the connection is open.
    """

    head: bytes
    rest: bytes
    pieces: list[int]
    ended: str
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    @property
    def status(self) -> int:
        return int(self.head.split(b" ", 2)[1])

    @property
    def body(self) -> bytes:
        """The body, its chunks joined; it must be whole."""
        if b"transfer-encoding: chunked" not in self.head:
            return self.rest
        body, rest = b"", self.rest
        while True:
            size, _, rest = rest.partition(b"\r\n")
            count = int(size, 16)
            if not count:
                assert rest == b"\r\n"
                return body
            body += rest[:count]
            assert rest[count : count + 2] == b"\r\n"
            rest = rest[count + 2 :]

    def data(self) -> list[str]:
        """Data of each event, in order; several lines joined."""
        text = self.body.decode().replace("\r\n", "\n")
        return [
            "\n".join(
                line.removeprefix("data: ")
                for line in event.split("\n")
                if line.startswith("data: ")
            )
            for event in text.split("\n\n")
            if "data: " in event
        ]

    def events(self) -> list[dict]:
        return [json.loads(data) for data in self.data() if data != "[DONE]"]

    async def close(self) -> None:
        self.writer.close()


def message(text: str, **fields: object) -> dict[str, object]:
    return {"model": "m", "messages": [{"role": "user", "content": text}], **fields}


def request(path: str, body: dict[str, object]) -> bytes:
    data = json.dumps(body).encode()
    head = f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {len(data)}\r\n\r\n"
    return head.encode() + data


async def ask(
    upstream: Upstream, body: dict[str, object], path: str = CHAT, until: bytes = b""
) -> Raw:
    """Send a request and read until `until` has come, or the answer is whole, or it ended."""
    reader, writer = await opened(upstream)
    writer.write(request(path, body))
    return await take(reader, writer, until)


async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, until: bytes) -> Raw:
    taken, pieces, ended = b"", [], ""
    while not ended and not _whole(taken, until):
        try:
            piece = await reader.read(65536)
        except ConnectionResetError:
            ended = "reset"
            break
        if not piece:
            ended = "eof"
        pieces.append(len(piece))
        taken += piece
    head, gap, rest = taken.partition(b"\r\n\r\n")
    return Raw(head + gap, rest, pieces, ended, reader, writer)


def _whole(taken: bytes, until: bytes) -> bool:
    if until:
        return until in taken
    head, gap, rest = taken.partition(b"\r\n\r\n")
    if not gap:
        return False
    for line in head.split(b"\r\n"):
        if line.startswith(b"content-length: "):
            return len(rest) >= int(line[16:])
    return b"transfer-encoding: chunked" in head and rest.endswith(b"0\r\n\r\n")
