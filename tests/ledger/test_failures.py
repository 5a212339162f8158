"""Writing while it fails: told, tried again, nothing lost and nothing twice."""

from __future__ import annotations

import errno
import os
import threading
from functools import partialmethod
from pathlib import Path

import pytest

from neocloud.ledger import (
    Ledger,
    LedgerError,
    Reader,
    ShippingReport,
    committer,
)
from neocloud.ledger.writer import SegmentWriter

from .events import (
    START_NS,
    WAIT_S,
    Desk,
    admission,
    opened,
    request_id,
    usage,
)
from .folders import ids


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


class Failing:
    """Commits fail some times before they succeed."""

    def __init__(self, error: OSError, times: int, monkeypatch: pytest.MonkeyPatch) -> None:
        self.error = error
        self.left = times
        self.failed = threading.Event()
        self.heal = threading.Event()
        self.real = SegmentWriter.append
        monkeypatch.setattr(committer, "_RETRY_S", (0.001,))
        monkeypatch.setattr(SegmentWriter, "append", partialmethod(self))

    def __call__(self, writer: SegmentWriter, frame: bytearray) -> None:
        if self.left:
            self.left -= 1
            raise self.error
        self.failed.set()
        assert self.heal.wait(WAIT_S)
        self.real(writer, frame)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EROFS], ids=errno.errorcode.get)
def test_a_commit_that_fails_is_told_and_tried_until_it_succeeds(path, monkeypatch, number):
    failing = Failing(OSError(number, os.strerror(number)), 3, monkeypatch)
    desk = Desk()
    with opened(path, desk) as ledger:
        ledger.admit(admission(1), desk.noted("in"))
        assert failing.failed.wait(WAIT_S)
        assert ledger.failure is not None
        assert ledger.failure.endswith(f"0000000001.log: {os.strerror(number)}")
        ledger.settle(usage(1), desk.noted("out"))
        ledger.admit(admission(2), desk.noted("next"))
        assert desk.idle, "nothing is called before it is durable"
        failing.heal.set()
        desk.run_until(3)
        assert ledger.failure is None
    assert desk.done == ["in", "out", "next"]
    assert ids(Reader(path).usage()) == [request_id(1)]
    assert ids(Reader(path).open_requests()) == [request_id(2)]


@pytest.mark.parametrize("broken", ["fdatasync", "half"])
def test_report_04_a_commit_that_fails_half_way_is_neither_lost_nor_doubled(
    path, monkeypatch, broken
):
    """A batch that was taken and whose write failed was dropped, its spend with it."""
    monkeypatch.setattr(committer, "_RETRY_S", (0.001,))
    real_sync, real_write = os.fdatasync, os.pwrite
    bad = {"left": 0}

    def sync(descriptor: int) -> None:
        if broken == "fdatasync" and bad["left"]:
            bad["left"] -= 1
            raise OSError(errno.EIO, "Input/output error")
        real_sync(descriptor)

    def write(descriptor: int, data: bytes, offset: int) -> int:
        if broken == "half" and bad["left"]:
            bad["left"] -= 1
            return real_write(descriptor, bytes(data)[: len(data) // 2], offset)
        return real_write(descriptor, data, offset)

    desk = Desk()
    with opened(path, desk) as ledger:
        monkeypatch.setattr(os, "fdatasync", sync)
        monkeypatch.setattr(os, "pwrite", write)
        for number in range(60):
            bad["left"] = number % 4
            ledger.admit(admission(number))
            ledger.settle(usage(number), desk.noted(str(number)))
            desk.run_until(number + 1)
            assert len(list(Reader(path).usage())) == number + 1
        assert ledger.failure is None
    assert desk.done == [str(number) for number in range(60)]
    assert ids(Reader(path).usage()) == [request_id(number) for number in range(60)]
    assert list(Reader(path).open_requests()) == []


def test_what_the_shipper_says_is_a_failure_too_and_neither_hides_the_other(path, monkeypatch):
    report = ShippingReport(shipped=0, backlog_bytes=0, lag_s=0.0, failure=None)
    away = ShippingReport(shipped=0, backlog_bytes=9, lag_s=6.0, failure="the store is away")
    failing = Failing(OSError(errno.ENOSPC, "No space left on device"), 1, monkeypatch)
    desk = Desk()
    with opened(path, desk) as ledger:
        ledger.note_shipping(away)
        assert ledger.failure == "the store is away"
        ledger.admit(admission(1), desk.noted("in"))
        assert failing.failed.wait(WAIT_S)
        ledger.note_shipping(report)
        assert "No space left" in str(ledger.failure)
        ledger.note_shipping(away)
        failing.heal.set()
        desk.run_until(1)
        assert ledger.failure == "the store is away"
        ledger.note_shipping(report)
        assert ledger.failure is None


def test_a_ledger_that_cannot_be_written_says_at_its_end_what_is_lost(path, monkeypatch):
    monkeypatch.setattr("neocloud.ledger.ledger._CLOSE_S", 0.05)
    full = OSError(errno.ENOSPC, "No space left on device")
    with monkeypatch.context() as patch:
        failing = Failing(full, 10**9, patch)
        desk = Desk()
        ledger = Ledger(path, worker=0, now_ns=START_NS, deliver=desk.deliver)
        for number in range(3):
            ledger.admit(admission(number), desk.noted("in"))
        with pytest.raises(LedgerError, match=r"3 records could not be written: .*No space left"):
            ledger.close()
        assert failing.left < 10**9
    assert desk.idle
    with opened(path) as again:
        assert again.recovered == 0, "and the segment is free for the next"


def test_values_that_no_ledger_holds_are_made_such_that_it_can(path):
    desk = Desk()
    with opened(path, desk) as ledger:
        ledger.admit(admission(1, user_metro="\ud800", prompt_bytes=2**70))
        ledger.settle(
            usage(1, user_metro="a\ud800b", input_tokens=2**63, output_tokens=-5), desk.noted("x")
        )
        ledger.admit(admission(2))
        ledger.settle(usage(2), desk.noted("y"))
        desk.run_until(2)
        assert ledger.failure is None
    first, second = Reader(path).usage()
    assert (first.user_metro, first.input_tokens, first.output_tokens, first.estimated) == (
        "a?b", 2**53 - 1, 0, True,
    )  # fmt: skip
    assert second == usage(2)


def test_closing_writes_what_is_queued_even_where_nobody_takes_callbacks(path):
    def ended(callback: object) -> None:
        raise RuntimeError("Event loop is closed")

    ledger = Ledger(path, worker=0, now_ns=START_NS, deliver=ended)
    for number in range(200):
        ledger.admit(admission(number))
        ledger.settle(usage(number), lambda: None)
    ledger.close()
    assert len(list(Reader(path).usage())) == 200
