"""How far open requests have come, in memory that outlives the process.

A file of fixed slots beside the segments, mapped into memory: what is told here costs no system
call, is there after the process was killed, and may be missing after a loss of power. A slot is
`[16 bytes request id][u32 input][u32 cached][u32 output][u32 flags]`, little-endian.
"""

from __future__ import annotations

import mmap
import os
import struct
from collections import deque
from pathlib import Path

import msgspec

from neocloud.ledger.errors import LedgerError

SLOTS = 65_536
"""More than the requests that one process serves at once; 2 MiB."""

_SLOT = struct.Struct("<16sIIII")
_COUNTS = struct.Struct("<IIII")
_SLOT_BYTES = 32
_ID_BYTES = 16
_TOLD = 1
_COUNTED = 2


class Progress(msgspec.Struct, frozen=True):
    """Tokens of one request so far.

    Attributes:
        input_tokens: of the prompt; 0 if not told.
        cached_tokens: of them, from the prefix cache.
        output_tokens: generated.
        counted: True if the engine counted them, else they are our estimate.
    """

    input_tokens: int
    cached_tokens: int
    output_tokens: int
    counted: bool


class ProgressTable:
    """Slots of one worker. A slot is taken, told to while the request runs, and freed.

    A freed slot keeps what it holds until all others have been used, so that a request whose event
    was not written any more is known all the same.

    Raises:
        LedgerError: the file cannot be made.
    """

    def __init__(self, path: Path, slots: int = SLOTS) -> None:
        size = slots * _SLOT_BYTES
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                # Its blocks are taken now: on a full disk a write to a mapped hole would kill us.
                os.posix_fallocate(descriptor, 0, size)
                os.ftruncate(descriptor, size)
                self._map = mmap.mmap(descriptor, size)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise LedgerError(f"{path}: {error.strerror}") from None
        self._free = deque(range(slots))
        self._write = _COUNTS.pack_into

    def take(self, request_id: str) -> int:
        """A slot for a request; -1 if there is none: then nothing is known of it after a crash."""
        try:
            slot = self._free.popleft()
        except IndexError:
            return -1
        name = bytes.fromhex(request_id.replace("-", ""))
        _SLOT.pack_into(self._map, slot * _SLOT_BYTES, name, 0, 0, 0, 0)
        return slot

    def tell(
        self,
        slot: int,
        input_tokens: int,
        cached_tokens: int,
        output_tokens: int,
        counted: bool,
    ) -> None:
        """Note how far it has come; the sums so far, not what was added.

        Args:
            slot: from `take`; -1 does nothing.
            input_tokens: of the prompt. A number that cannot be, below 0 or above 4 billion, is
                not noted; that holds for all three.
            cached_tokens: of them, from the prefix cache.
            output_tokens: generated.
            counted: True if the engine counted them.
        """
        if slot >= 0:
            try:
                self._write(
                    self._map,
                    slot * _SLOT_BYTES + _ID_BYTES,
                    input_tokens,
                    cached_tokens,
                    output_tokens,
                    _TOLD | _COUNTED if counted else _TOLD,
                )
            except struct.error:
                return

    def free(self, slot: int) -> None:
        """Give a slot back; -1 does nothing."""
        if slot >= 0:
            self._free.append(slot)

    def close(self) -> None:
        """Let go of the file. Idempotent; nothing may be told after it."""
        self._map.close()


def told_progress(path: Path, request_ids: frozenset[str]) -> dict[str, Progress]:
    """What an earlier process told of these requests; nothing if there is no file."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise LedgerError(f"{path}: {error.strerror}") from None
    names = {bytes.fromhex(each.replace("-", "")): each for each in request_ids}
    whole = len(data) - len(data) % _SLOT_BYTES
    return {
        names[name]: Progress(told, cached, output, bool(flags & _COUNTED))
        for name, told, cached, output, flags in _SLOT.iter_unpack(memoryview(data)[:whole])
        if flags & _TOLD and name in names
    }
