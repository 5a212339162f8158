"""One worker's segments, for writing."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from neocloud.ledger.frames import Event, segment_head, write_frame
from neocloud.ledger.records import Admission
from neocloud.ledger.segments import segment_file, segment_files, sequence_of, sync_folder

SEGMENT_BYTES = 64 * 1024 * 1024
"""A full segment. Smaller ones are deleted sooner, and carry what is open more often."""
_ROOM = 256 * 1024
"""Zeros written ahead: one commit in some twenty pays for the file's new length, not each."""
_PIECE = 1000
"""Records a frame where many are written at once."""


class SegmentWriter:
    """Writes frames behind each other, each durable before `append` returns.

    Every method raises OSError; what it was to write is then not there, and it may be called again
    with the same.

    Args:
        folder: of the worker.
        stream: name of this run of the worker, 32 hexadecimal digits that no other run has.
        still_open, events: what the first segment begins with.
    """

    def __init__(
        self,
        folder: Path,
        stream: str,
        still_open: Sequence[Admission] = (),
        events: Sequence[Event] = (),
    ) -> None:
        self._folder = folder
        self._stream = stream
        files = segment_files(folder)
        self._sequence = sequence_of(files[-1]) if files else 0
        self._descriptor = -1
        self._end = 0
        self._room = 0
        self._zeros = bytes(_ROOM)
        self.begin(still_open, events)

    @property
    def full(self) -> bool:
        """True if it is time to `begin` another."""
        return self._end >= SEGMENT_BYTES

    @property
    def path(self) -> Path:
        """The segment that is written."""
        return segment_file(self._folder, self._sequence)

    def append(self, frame: bytes | bytearray) -> None:
        """Write a frame and see it durable."""
        end = self._end + len(frame)
        try:
            if end > self._room:
                self._make_room(end)
            _write_all(self._descriptor, frame, self._end)
            os.fdatasync(self._descriptor)
        except OSError:
            # Cut off, so that no half of it stands there. After a failed sync the pages count as
            # clean although they are not: they must be written again before the next sync.
            os.ftruncate(self._descriptor, self._end)
            self._room = self._end
            raise
        self._end = end

    def begin(self, still_open: Sequence[Admission] = (), events: Sequence[Event] = ()) -> None:
        """Go on in a new segment that begins with what is open; there is no moment without one.

        Under its name it is whole at once: it is written under another before.
        """
        self._sequence += 1  # another name at each try: no two files ever share one
        fresh = self.path.with_suffix(".new")
        descriptor = os.open(fresh, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            end = self._write_head(descriptor, still_open, events)
            os.fdatasync(descriptor)
            if self._descriptor >= 0:
                os.ftruncate(self._descriptor, self._end)
            fresh.rename(self.path)
            sync_folder(self._folder)
        except BaseException:
            os.close(descriptor)
            fresh.unlink(missing_ok=True)
            raise
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor, self._end, self._room = descriptor, end, end

    def close(self) -> None:
        """Cut off the room and let go of the file. Idempotent."""
        if self._descriptor >= 0:
            try:
                os.ftruncate(self._descriptor, self._end)
            finally:
                os.close(self._descriptor)
                self._descriptor = -1

    def _write_head(
        self, descriptor: int, still_open: Sequence[Admission], events: Sequence[Event]
    ) -> int:
        end = _write_all(descriptor, segment_head(self._stream, self._sequence), 0)
        frame = bytearray()
        for start in range(0, len(still_open), _PIECE):
            write_frame(frame, still_open[start : start + _PIECE], ())
            end = _write_all(descriptor, frame, end)
        for start in range(0, len(events), _PIECE):
            write_frame(frame, (), events[start : start + _PIECE])
            end = _write_all(descriptor, frame, end)
        return end

    def _make_room(self, end: int) -> None:
        try:
            room = end + os.pwrite(self._descriptor, self._zeros, end)
        except OSError:
            room = end  # too full for room to spare; the frame itself may still find its place
        self._room = room


def _write_all(descriptor: int, data: bytes | bytearray, offset: int) -> int:
    """Write at an offset; where it ends."""
    written = os.pwrite(descriptor, data, offset)
    if written < len(data):
        with memoryview(data) as view:
            while written < len(data):  # the next try says what is wrong
                written += os.pwrite(descriptor, view[written:], offset + written)
    return offset + written
