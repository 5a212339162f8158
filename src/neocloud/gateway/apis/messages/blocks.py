"""Content blocks of a streamed message, one after the other, from pieces that may interleave.

Of Anthropic's blocks one must be closed before the next begins. Engines send tool calls by index,
usually one after the other, but they may interleave them. So a piece goes out at once, unless it
belongs to a later block while the open one is a tool call whose arguments are not whole yet: then
it waits until they are. Whether they are whole is told by their braces.
"""

from __future__ import annotations

import re
from collections import deque

import msgspec

_MARKS = re.compile(r'\\[\s\S]?|["{}]')
_encode = msgspec.json.Encoder().encode

TEXT = "text"
THINKING = "thinking"
_TOOL = "tool_use"
_STARTS = {
    TEXT: b'{"type":"text","text":""}',
    THINKING: b'{"type":"thinking","thinking":"","signature":""}',
}
_DELTAS = {
    TEXT: b'{"type":"text_delta","text":',
    THINKING: b'{"type":"thinking_delta","thinking":',
    _TOOL: b'{"type":"input_json_delta","partial_json":',
}


class _Braces:
    """Follows a JSON object piece by piece until its last brace."""

    __slots__ = ("_depth", "_escaped", "_quoted", "whole")

    def __init__(self) -> None:
        self._depth = 0
        self._quoted = False
        self._escaped = False
        self.whole = False

    def feed(self, piece: str) -> None:
        """Take a piece."""
        if self._escaped and piece:
            piece = piece[1:]
            self._escaped = False
        for mark in _MARKS.findall(piece):
            if mark == '"':
                self._quoted = not self._quoted
            elif mark[0] == "\\":
                self._escaped = len(mark) == 1
            elif self._quoted:
                pass
            elif mark == "{":
                self._depth += 1
            else:
                self._depth -= 1
                self.whole = self.whole or self._depth == 0


class _Block:
    __slots__ = ("braces", "closed", "id", "kind", "name", "pieces")

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.id = ""
        self.name = ""
        self.pieces: list[str] = []  # of a block that waits
        self.braces = _Braces()
        self.closed = False

    @property
    def ready(self) -> bool:
        """A tool call cannot begin before its name is known."""
        return self.kind != _TOOL or bool(self.name)


class Blocks:
    """Writes the events of content blocks.

    Args:
        base: what ids of tool calls are made of where the engine gives none.

    Attributes:
        called: a tool call has begun.
        lost: a tool call went on after its arguments were whole; they cannot be sent any more.
    """

    __slots__ = (
        "_base", "_head", "_last", "_number", "_open", "_tools", "_waiting", "called", "lost",
    )  # fmt: skip

    def __init__(self, base: str) -> None:
        self._base = base
        self._number = -1
        self._head = b""
        self._open: _Block | None = None
        self._waiting: deque[_Block] = deque()
        self._tools: dict[int, _Block] = {}
        self._last: _Block | None = None
        self.called = False
        self.lost = False

    def text(self, kind: str, piece: str) -> bytes:
        """Text or thinking."""
        block = self._open
        if self._waiting:
            block = self._waiting[-1]
            if block.kind != kind:
                block = _Block(kind)
                self._waiting.append(block)
            block.pieces.append(piece)
            return self._drain()
        if block is None or block.kind != kind:
            block = _Block(kind)
            block.pieces.append(piece)
            self._waiting.append(block)
            return self._drain()
        return b"%b%b}}\n\n" % (self._head, _encode(piece))

    def tool(self, index: int | None, id_: str, name: str, piece: str) -> bytes:
        """Some of a tool call: whichever of these have come."""
        block = self._tool(index, id_, name)
        if not piece:
            return self._drain() if self._waiting else b""
        if block.closed:
            self.lost = self.lost or bool(piece.strip())
            return b""
        block.braces.feed(piece)
        if block is not self._open:
            block.pieces.append(piece)
            return self._drain()
        out = b"%b%b}}\n\n" % (self._head, _encode(piece))
        return out + self._drain() if self._waiting else out

    def finish(self) -> bytes:
        """No more will come, as far as one knows: write what waits, and close."""
        return self._drain(every=True) + self._close()

    def _tool(self, index: int | None, id_: str, name: str) -> _Block:
        """The call that a piece belongs to. Some engines give no index, or each call index 0."""
        last = self._last
        if index is None:
            known = None if last is None or (id_ and last.id != id_) else last
            index = -1 - len(self._tools)
        else:
            known = self._tools.get(index)
        if known is None or (id_ and name and known.id and known.id != id_):
            known = _Block(_TOOL)
            self._waiting.append(known)
            self._tools[index] = known
        known.id = known.id or id_
        known.name = known.name or name
        self._last = known
        return known

    def _drain(self, *, every: bool = False) -> bytes:
        """Write what may go out by now."""
        out = b""
        waiting = self._waiting
        while waiting:
            block = self._open
            busy = block is not None and block.kind == _TOOL and not block.braces.whole
            if not every and (busy or not waiting[0].ready):
                break
            out += self._close() + self._start(waiting.popleft())
        return out

    def _start(self, block: _Block) -> bytes:
        self._number += 1
        number = self._number
        self._open = block
        if block.kind == _TOOL:
            self.called = True
            name = block.id or f"toolu_{self._base}_{number}"
            told = {"type": _TOOL, "id": name, "name": block.name, "input": {}}
            content = _encode(told)
        else:
            content = _STARTS[block.kind]
        self._head = (
            b"event: content_block_delta\n"
            b'data: {"type":"content_block_delta","index":%d,"delta":%b'
            % (number, _DELTAS[block.kind])
        )
        out = (
            b"event: content_block_start\n"
            b'data: {"type":"content_block_start","index":%d,"content_block":%b}\n\n'
            % (number, content)
        )
        if block.pieces:
            out += b"%b%b}}\n\n" % (self._head, _encode("".join(block.pieces)))
            block.pieces = []
        return out

    def _close(self) -> bytes:
        block, self._open = self._open, None
        if block is None:
            return b""
        block.closed = True
        return (
            b"event: content_block_stop\n"
            b'data: {"type":"content_block_stop","index":%d}\n\n' % self._number
        )
