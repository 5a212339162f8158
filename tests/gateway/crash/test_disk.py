"""The disk is full for real, or a file may not grow: nothing is admitted, nothing is lost."""

from __future__ import annotations

import ctypes
import os
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.fakes.upstream import process
from tests.gateway.crash.front import Front
from tests.gateway.crash.stalls import through_stalls
from tests.gateway.world import run

from neocloud.ledger import ledger_place

_DETACH = 2
"""MNT_DETACH: also with files open, as a test that failed leaves them."""
_MEGABYTE = 2**20


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 24 megabytes; only root can mount one."""
    folder = tmp_path / "small"
    folder.mkdir()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"tmpfs", str(folder).encode(), b"tmpfs", 0, b"size=24m") != 0:
        pytest.skip(f"cannot mount: {os.strerror(ctypes.get_errno())}; see the other test")
    try:
        yield folder
    finally:
        assert libc.umount2(str(folder).encode(), _DETACH) == 0


@contextmanager
def full(folder: Path) -> Iterator[None]:
    """Not a byte is left on the disk of a folder."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as out:
        for size in (_MEGABYTE, 4096, 1):
            try:
                while True:
                    out.write(bytes(size))
            except OSError:
                continue
        try:
            yield
        finally:
            ballast.unlink()


@contextmanager
def stunted(pid: int) -> Iterator[None]:
    """A process may write no file beyond its first kilobyte."""
    limits = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (1024, limits[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, limits)


def _through(folder: Path, log: Path, stall: Callable[[Front], object], seed: int) -> None:
    with process() as upstream:
        front = Front(log, upstream, f"sqlite:///{folder}/usage.db")
        place = ledger_place("sqlite:///usage.db", folder)

        async def test() -> None:
            await through_stalls(front, upstream, place, [lambda: stall(front)], seed)

        run(test, within_s=90)


@pytest.mark.slow
def test_a_full_disk_stops_admissions_and_nothing_else(small_disk: Path, tmp_path: Path) -> None:
    _through(small_disk, tmp_path, lambda _: full(small_disk), seed=3)


@pytest.mark.slow
def test_a_file_that_may_not_grow_stops_admissions_and_nothing_else(tmp_path: Path) -> None:
    _through(tmp_path, tmp_path, lambda front: stunted(front.pid), seed=4)
