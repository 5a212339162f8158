"""Bytes of a segment: a head that names its stream, then frames, each one commit.

A frame is `[u32 length][u32 CRC-32][payload]`, little-endian; the payload is a MessagePack array of
two arrays, admissions and events. An event's admission stands in the same frame or before it. The
file is longer than its frames while it is written: zeros, into which the next frames go, so that a
commit need not change the file's length, which costs a journal's write beside the data's.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator, Sequence

import msgspec

from neocloud.ledger.errors import LedgerError
from neocloud.ledger.fitting import writable
from neocloud.ledger.records import (
    Admission,
    AllocationEvent,
    AttemptEvent,
    CorrectionEvent,
    EnergyEvent,
    UsageEvent,
)

Event = UsageEvent | AttemptEvent | AllocationEvent | EnergyEvent | CorrectionEvent

_MAGIC = b"NCLEDGR2"
_HEAD = struct.Struct("<8s16sQ")
HEAD_BYTES = _HEAD.size
_FRAME = struct.Struct("<II")
FRAME_BYTES = _FRAME.size
MAX_PAYLOAD = 16 * 1024 * 1024
"""Longer than any commit: what says more is no frame."""

_CHUNK = 1024 * 1024
_CRC_PIECE = 4096
"""zlib lets go of the interpreter for more than 5 KiB; taking it back costs more than it gives."""

_encoder = msgspec.msgpack.Encoder()
_whole = msgspec.msgpack.Decoder(tuple[list[Admission], list[Event]])
_events = msgspec.msgpack.Decoder(tuple[msgspec.Raw, list[Event]])


def segment_head(stream: str, sequence: int) -> bytes:
    """The first bytes of a file: which run of a worker wrote it, and which of its files it is."""
    return _HEAD.pack(_MAGIC, bytes.fromhex(stream), sequence)


def read_head(descriptor: int, name: object) -> tuple[str, int]:
    """Stream and sequence of a file.

    Raises:
        LedgerError: it is no segment of this version.
    """
    data = os.pread(descriptor, HEAD_BYTES, 0)
    if len(data) == HEAD_BYTES:
        magic, stream, sequence = _HEAD.unpack(data)
        if magic == _MAGIC:
            return stream.hex(), sequence
    raise LedgerError(f"{name} is no segment of a ledger of this version; move it elsewhere")


def write_frame(
    buffer: bytearray, admissions: Sequence[Admission], events: Sequence[Event]
) -> None:
    """Fill a buffer with one frame; what was in it is lost."""
    try:
        _encoder.encode_into((admissions, events), buffer, FRAME_BYTES)
    except (UnicodeError, OverflowError):
        fit = ([writable(a) for a in admissions], [writable(e) for e in events])
        _encoder.encode_into(fit, buffer, FRAME_BYTES)
    checksum = 0
    with memoryview(buffer) as view:
        for start in range(FRAME_BYTES, len(buffer), _CRC_PIECE):
            checksum = zlib.crc32(view[start : start + _CRC_PIECE], checksum)
    _FRAME.pack_into(buffer, 0, len(buffer) - FRAME_BYTES, checksum)


def read_frames(descriptor: int, offset: int) -> Iterator[tuple[int, bytes]]:
    """Whole frames from `offset` on, until there is none: where each ends, and its payload."""
    want = _CHUNK
    while True:
        asked, want = want, _CHUNK
        chunk = os.pread(descriptor, asked, offset)
        at = 0
        while len(chunk) - at >= FRAME_BYTES:
            length, checksum = _FRAME.unpack_from(chunk, at)
            if not 0 < length <= MAX_PAYLOAD:
                return
            end = at + FRAME_BYTES + length
            if end > len(chunk):
                want = max(_CHUNK, end - at)
                break
            payload = chunk[at + FRAME_BYTES : end]
            if zlib.crc32(payload) != checksum:
                return
            at = end
            yield offset + at, payload
        if at == 0 and len(chunk) < asked:
            return  # the file ends here, or within a frame
        offset += at


def frame_at(descriptor: int, offset: int) -> int:
    """Where the frame that should be here says that it ends; 0 if it says nothing sensible."""
    data = os.pread(descriptor, FRAME_BYTES, offset)
    if len(data) < FRAME_BYTES:
        return 0
    length, _ = _FRAME.unpack(data)
    return offset + FRAME_BYTES + length if 0 < length <= MAX_PAYLOAD else 0


def data_end(descriptor: int, offset: int) -> int:
    """Behind the last byte from `offset` on that is not zero; `offset` if there is none."""
    end = offset
    while True:
        chunk = os.pread(descriptor, _CHUNK, offset)
        if not chunk:
            return end
        kept = chunk.rstrip(b"\0")
        if kept:
            end = offset + len(kept)
        offset += len(chunk)


def admissions_and_events(payload: bytes) -> tuple[list[Admission], list[Event]]:
    """All that a frame holds."""
    return _whole.decode(payload)


def events_of(payload: bytes) -> list[Event]:
    """What a frame holds for the store; admissions are passed over unread."""
    return _events.decode(payload)[1]
