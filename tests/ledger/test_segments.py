"""Segments: frames, torn tails, rotation, and what a killed process had told of its requests."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neocloud.ledger import LedgerError, Reader, Status, writer
from neocloud.ledger.frames import (
    HEAD_BYTES,
    admissions_and_events,
    events_of,
    read_frames,
    read_head,
    segment_head,
    write_frame,
)
from neocloud.ledger.progress import ProgressTable, told_progress
from neocloud.ledger.segments import offset_within, position_of

from .events import (
    START_NS,
    Desk,
    admission,
    allocation,
    attempt,
    energy,
    opened,
    request_id,
    usage,
)
from .folders import folder_of, ids, segments

STREAM = "00112233445566778899aabbccddeeff"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


@contextmanager
def reading(file: Path) -> Iterator[int]:
    descriptor = os.open(file, os.O_RDONLY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def framed(*batches: tuple[list[object], list[object]]) -> bytes:
    data = segment_head(STREAM, 7)
    for admissions, events in batches:
        frame = bytearray()
        write_frame(frame, admissions, events)  # type: ignore[arg-type]
        data += frame
    return data


def test_a_frame_holds_records_of_every_kind(tmp_path):
    events = [
        usage(1), attempt(1), allocation(START_NS, START_NS + 1),
        energy(START_NS, START_NS + 1), usage(2, status=Status.ABORTED),
    ]  # fmt: skip
    file = tmp_path / "file"
    file.write_bytes(framed(([admission(1), admission(2)], events), ([], [])))
    with reading(file) as descriptor:
        assert read_head(descriptor, file) == (STREAM, 7)
        (_, first), (end, second) = read_frames(descriptor, HEAD_BYTES)
    assert admissions_and_events(first) == ([admission(1), admission(2)], events)
    assert events_of(first) == events
    assert admissions_and_events(second) == ([], [])
    assert end == file.stat().st_size


@given(cut=st.integers(0, 4000), zeros=st.integers(0, 20), flipped=st.integers(0, 4000))
def test_of_a_torn_or_flipped_file_the_frames_before_it_are_read(
    tmp_path_factory, cut, zeros, flipped
):
    batches = [([admission(n)], [usage(n)] * (n % 3)) for n in range(8)]
    whole = framed(*batches)
    ends = [len(framed(*batches[: n + 1])) for n in range(8)]
    cut, flipped = min(cut, len(whole)), min(flipped, len(whole) - 1)
    file = tmp_path_factory.mktemp("torn") / "file"
    for data, sound in (
        (whole[:cut] + bytes(zeros), cut),
        (whole[:flipped] + bytes([whole[flipped] ^ 0x40]) + whole[flipped + 1 :], flipped),
    ):
        file.write_bytes(data)
        with reading(file) as descriptor:
            found = [end for end, _ in read_frames(descriptor, HEAD_BYTES)]
        if sound >= HEAD_BYTES:
            assert found == [end for end in ends if data[:end] == whole[:end]]


def test_a_frame_longer_than_what_is_read_at_a_time_is_read(tmp_path):
    many = [usage(n) for n in range(20_000)]
    file = tmp_path / "file"
    file.write_bytes(framed(([], [usage(1)]), ([], many), ([], [usage(2)])))
    assert file.stat().st_size > 2 * 1024 * 1024
    with reading(file) as descriptor:
        found = [events_of(payload) for _, payload in read_frames(descriptor, HEAD_BYTES)]
    assert found == [[usage(1)], many, [usage(2)]]


def test_a_position_rises_with_the_segment_and_with_the_place_in_it():
    position = position_of(3, 500)
    assert [offset_within(position, n) for n in (2, 3, 4)] == [None, 500, HEAD_BYTES]
    assert offset_within(0, 1) == HEAD_BYTES
    assert position_of(3, 2**32 - 1) < position_of(4, HEAD_BYTES)


def test_what_was_not_written_whole_is_cut_off_and_kept_beside(path):
    with opened(path) as ledger:
        ledger.admit(admission(1))
        ledger.settle(usage(1), None)
        ledger.admit(admission(2))
    (file,) = segments(path)
    torn = framed(([admission(3)], [usage(3)]))[HEAD_BYTES:][:-7]
    with file.open("ab") as out:
        out.write(torn + bytes(5000))
    with opened(path) as ledger:
        assert ledger.recovered == 1
    assert file.with_suffix(".torn").read_bytes() == torn
    assert ids(Reader(path).usage()) == [request_id(1), request_id(2)]


def test_damage_in_the_midst_is_told_and_nothing_is_cut(path):
    desk = Desk()
    with opened(path, desk) as ledger:
        for number in range(3):
            ledger.admit(admission(number))
            ledger.settle(usage(number), desk.noted("x"))
            desk.run_until(number + 1)
    (file,) = segments(path)
    data = bytearray(file.read_bytes())
    data[HEAD_BYTES + 30] ^= 1
    file.write_bytes(data)
    said = r"0000000001\.log is damaged from byte 32 on; move it"
    with pytest.raises(LedgerError, match=said), opened(path):
        pass
    assert file.read_bytes() == data
    file.unlink()
    with opened(path) as ledger:
        assert ledger.recovered == 0


def test_a_file_that_is_no_segment_is_told(path):
    with opened(path):
        pass
    (file,) = segments(path)
    file.write_bytes(b"something else entirely, and long enough for a head")
    with pytest.raises(LedgerError, match="is no segment of a ledger"), opened(path):
        pass
    with pytest.raises(LedgerError, match="is no segment of a ledger"):
        list(Reader(path).usage())


def test_a_full_segment_is_followed_by_one_that_begins_with_what_is_open(path, monkeypatch):
    monkeypatch.setattr(writer, "SEGMENT_BYTES", 4000)
    monkeypatch.setattr(writer, "_PIECE", 2)
    desk = Desk()
    with opened(path, desk) as ledger:
        for number in range(5):
            ledger.admit(admission(number, replica="r"), desk.noted("open"))
        desk.run_until(5)
        for number in range(5, 105):
            ledger.admit(admission(number))
            ledger.settle(usage(number), desk.noted("x"))
            desk.run_until(number + 1)
        files = segments(path)
        assert len(files) > 5
        for old in files[:-1]:
            shutil.move(old, path.parent)  # the newest alone says what is open
        assert list(Reader(path).open_requests()) == [admission(n, replica="r") for n in range(5)]
        for old in files[:-1]:
            shutil.move(path.parent / old.name, old)
            assert not old.read_bytes().endswith(bytes(100)), "no room is left in a full one"
        ledger.settle(usage(0), desk.noted("x"))
        desk.run_until(106)
    assert ids(Reader(path).usage()) == [request_id(n) for n in (0, *range(5, 105))]
    for old in files[:-1]:
        old.unlink()  # as if all had been shipped
    with opened(path) as ledger:
        assert ledger.recovered == 4


def test_a_segment_that_cannot_be_begun_is_begun_later(path, monkeypatch):
    monkeypatch.setattr(writer, "SEGMENT_BYTES", 3000)
    monkeypatch.setattr("neocloud.ledger.committer._RETRY_S", (0.001,))
    real = writer.sync_folder
    left = [3]

    def sync(folder: Path) -> None:
        if left[0]:
            left[0] -= 1
            raise OSError(errno.ENOSPC, "No space left on device")
        real(folder)

    desk = Desk()
    with opened(path, desk) as ledger:
        monkeypatch.setattr(writer, "sync_folder", sync)
        for number in range(100):
            ledger.admit(admission(number))
            ledger.settle(usage(number), desk.noted("x"))
            desk.run_until(number + 1)
        assert ledger.failure is None
    assert left == [0]
    assert ids(Reader(path).usage()) == [request_id(n) for n in range(100)]
    assert not list((folder_of(path) / "worker-0").glob("*.new"))


# What had been told of requests when their process was killed.


def test_a_crash_leaves_what_was_told_exactly_or_bounded_and_marked(path):
    with opened(path) as ledger:
        table = ledger.progress
        for number in range(6):
            ledger.admit(admission(number, replica="a/b/c/0", emulated=True, streamed=True))
        told = [table.take(request_id(number)) for number in range(5)]
        table.tell(told[0], 700, 600, 20, True)
        table.tell(told[0], 700, 600, 33, True)
        table.tell(told[1], 0, 0, 44, False)
        table.tell(told[2], 0, 0, 1_000, False)
        table.tell(told[3], 700, 0, 1_000, True)
        ledger.progress.free(told[3])  # given back, but its event was not written any more
    with opened(path, now_ns=START_NS + 9) as ledger:
        assert ledger.recovered == 6
    found = list(Reader(path).usage())
    counts = [(e.input_tokens, e.cached_tokens, e.output_tokens, e.estimated) for e in found]
    assert counts == [
        (700, 600, 33, False),
        (1001, 0, 44, True),
        (1001, 0, 100, True),  # more than the request was allowed: bounded, for it is our count
        (700, 0, 1_000, False),  # the engine's count stands, whatever was allowed
        (1001, 0, 0, True),
        (1001, 0, 0, True),
    ]
    assert all(
        (e.status, e.replica, e.emulated, e.streamed, e.attempts)
        == (Status.INTERRUPTED, "a/b/c/0", True, True, 1)
        for e in found
    )


def test_a_full_table_knows_no_more_and_says_so(tmp_path):
    table = ProgressTable(tmp_path / "progress", slots=2)
    first, second = table.take(request_id(1)), table.take(request_id(2))
    assert table.take(request_id(3)) == -1
    table.tell(-1, 1, 1, 1, True)
    table.free(-1)
    table.tell(first, 1, 2, 3, True)
    table.tell(second, 2**40, 0, 0, True)
    table.tell(second, -1, 0, 0, True)
    table.free(first)
    third = table.take(request_id(3))
    assert third == first
    wanted = frozenset(map(request_id, (1, 2, 3)))
    assert told_progress(tmp_path / "progress", wanted) == {}
    table.tell(third, 4, 5, 6, False)
    table.close()
    (found,) = told_progress(tmp_path / "progress", wanted).items()
    assert found[0] == request_id(3)
    assert (found[1].output_tokens, found[1].counted) == (6, False)
    assert told_progress(tmp_path / "none", wanted) == {}


@given(
    steps=st.lists(
        st.tuples(st.integers(0, 7), st.sampled_from(["take", "tell", "free"]), st.integers(0, 99)),
        max_size=60,
    )
)
def test_the_table_holds_what_was_told_last_of_each(tmp_path_factory, steps):
    file = tmp_path_factory.mktemp("table") / "progress"
    table = ProgressTable(file, slots=4)
    slots: dict[int, int] = {}
    model: dict[int, int] = {}
    for number, what, tokens in steps:
        if what == "take" and number not in slots:
            slot = table.take(request_id(number))
            assert (slot == -1) == (len(slots) == 4)
            if slot >= 0:
                assert slot not in slots.values()
                slots[number] = slot
                model.pop(number, None)
        elif what == "tell" and number in slots:
            table.tell(slots[number], 1, 0, tokens, True)
            model[number] = tokens
        elif what == "free" and number in slots:
            table.free(slots.pop(number))
            model.pop(number, None)  # may be known still, or not
    table.close()
    told = told_progress(file, frozenset(map(request_id, slots)))
    assert {key: found.output_tokens for key, found in told.items()} == {
        request_id(number): tokens for number, tokens in model.items()
    }
