"""The disk itself: full for real, and asked in the right order, as the kernel saw it."""

from __future__ import annotations

import ctypes
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from neocloud.ledger import Ledger, Reader, committer

from .events import START_NS, Desk, admission, request_id, usage

_DETACH = 2
"""MNT_DETACH: also with files open, as a test that failed leaves them."""
_FOLDER = str(Path(__file__).parent)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 32 megabytes; only root can mount one."""
    folder = tmp_path / "small"
    folder.mkdir()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"tmpfs", str(folder).encode(), b"tmpfs", 0, b"size=32m") != 0:
        pytest.skip(f"cannot mount: {os.strerror(ctypes.get_errno())}; see the next test")
    try:
        yield folder
    finally:
        assert libc.umount2(str(folder).encode(), _DETACH) == 0


def test_a_full_disk_stops_admissions_and_loses_nothing(small_disk, monkeypatch):
    monkeypatch.setattr(committer, "_RETRY_S", (0.01,))
    path = small_disk / "ledger.db"
    desk = Desk()
    ledger = Ledger(path, worker=0, now_ns=START_NS, deliver=desk.deliver)
    count = 20
    for number in range(count):
        ledger.admit(admission(number))
        ledger.settle(usage(number), desk.noted(str(number)))
    desk.run_until(count)
    ballast = small_disk / "ballast"
    for round_ in range(3):
        try:
            with ballast.open("wb", buffering=0) as out:
                while True:
                    out.write(bytes(64 * 1024))
        except OSError:
            pass
        # More than the room that was written ahead.
        while ledger.failure is None:
            for _ in range(200):
                ledger.admit(admission(count))
                ledger.settle(usage(count), desk.noted(str(count)))
                count += 1
        assert "No space left on device" in ledger.failure
        assert ledger.committed < 2 * count
        ballast.unlink()
        desk.run_until(count)
        assert ledger.failure is None, f"in round {round_}"
    ledger.close()
    assert desk.done == [str(number) for number in range(count)]
    found = [event.request_id for event in Reader(path).usage()]
    assert found == [request_id(number) for number in range(count)]


_LIMITED = """
import json, resource, sys, threading
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from events import START_NS, admission, usage
from neocloud.ledger import Ledger, committer

committer._RETRY_S = (0.01,)
done = []
ledger = Ledger(Path(sys.argv[1]), worker=0, now_ns=START_NS, deliver=lambda call: call())
_, most = resource.getrlimit(resource.RLIMIT_FSIZE)
count = 0
for limit in (200_000, 700_001, 1_000_003):
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, most))
    while ledger.failure is None:
        for _ in range(100):
            ledger.admit(admission(count))
            ledger.settle(usage(count), lambda number=count: done.append(number))
            count += 1
    reason = ledger.failure
    acknowledged = len(done)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    while len(done) < count:
        threading.Event().wait(0.01)
    assert ledger.failure is None
    assert acknowledged < count
ledger.close()
assert done == list(range(count))
print(json.dumps([count, reason]))
"""


def test_a_file_that_may_not_grow_is_tried_until_it_may(tmp_path):
    path = tmp_path / "ledger.db"
    process = subprocess.run(
        [sys.executable, "-c", _LIMITED, str(path), _FOLDER],
        stdout=subprocess.PIPE, text=True, timeout=120,
    )  # fmt: skip
    assert process.returncode == 0
    count, reason = json.loads(process.stdout)
    assert reason.endswith("File too large")
    found = [event.request_id for event in Reader(path).usage()]
    assert found == [request_id(number) for number in range(count)]


_ORDERED = """
import os, sys, threading
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from events import START_NS, admission, usage
from neocloud.ledger import Ledger

over = threading.Event()
ledger = Ledger(Path(sys.argv[1]), worker=0, now_ns=START_NS, deliver=lambda call: call())
for number in range(40):
    told = threading.Event()

    def durable(number=number, told=told):
        os.write(2, b"MARK %d\\n" % number)
        told.set()

    ledger.admit(admission(number, user_metro=f"metro-{number:04d}"))
    ledger.settle(usage(number, user_metro=f"ended-{number:04d}"), durable)
    told.wait()
ledger.close()
"""

_CALL = re.compile(r"^(\d+) +(\w+)\((.*)$")
_RESUMED = re.compile(r"^(\d+) +<\.\.\. (\w+) resumed>(.*)$")


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_the_kernel_sees_the_record_synced_before_anyone_is_told(tmp_path):
    trace = tmp_path / "trace"
    subprocess.run(
        ["strace", "-f", "-s", "2000", "-o", str(trace), "-e",
         "trace=fdatasync,write,pwrite64,writev", sys.executable, "-c", _ORDERED,
         str(tmp_path / "ledger.db"), _FOLDER],
        check=True, timeout=120, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    written: dict[str, int] = {}
    synced: list[tuple[int, int]] = []  # lines at which a sync began, and ended with 0
    begun: dict[str, int] = {}
    told: dict[str, int] = {}
    for number, line in enumerate(trace.read_text(errors="replace").splitlines()):
        call, resumed = _CALL.match(line), _RESUMED.match(line)
        if call and call[2] == "pwrite64":
            for record in re.findall(r"ended-(\d{4})", call[3]):
                written[str(int(record))] = number
        elif call and call[2] == "write" and (mark := re.search(r'"MARK (\d+)', call[3])):
            told[mark[1]] = number
        elif call and call[2] == "fdatasync":
            begun[call[1]] = number
            if call[3].rstrip().endswith("= 0"):
                synced.append((number, number))
        elif resumed and resumed[2] == "fdatasync" and resumed[3].rstrip().endswith("= 0"):
            synced.append((begun[resumed[1]], number))
    assert len(told) == len(written) == 40
    for record, marked in told.items():
        assert any(written[record] < start and end < marked for start, end in synced), record
