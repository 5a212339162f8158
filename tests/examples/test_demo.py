"""The demo as `make demo` runs it: what it leaves, and that it leaves nothing running."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

DEMO = Path(__file__).parents[2] / "examples" / "two-sites" / "demo.py"
TIMEOUT_S = 120.0
_LISTENING = re.compile(r"^listening on http://", re.MULTILINE)

needs_proc = pytest.mark.skipif(
    not Path("/proc/self/cwd").exists(), reason="processes are looked for in /proc"
)


@contextmanager
def running(out: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, str(DEMO), "--out", str(out), *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8",
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def processes_in(folder: Path) -> list[int]:
    """Processes that work in a folder: the verbs, the gateway and its engines all do."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if Path(os.readlink(entry / "cwd")) == folder.resolve():
                    found.append(int(entry.name))
            except OSError:
                continue  # ended meanwhile, or not ours
    return found


def read_until(process: subprocess.Popen[str], pattern: re.Pattern[str]) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if pattern.search(line):
            return
    pytest.fail("the demo ended too early")


@needs_proc
@pytest.mark.slow
def test_it_goes_the_whole_way_and_leaves_its_results_and_no_process(tmp_path):
    out = tmp_path / "demo"
    out.mkdir()
    (out / "mine.txt").write_text("keep me")
    (out / "ledger.db").write_text("of an earlier run")
    with running(out, "--seconds", "5") as process:
        said, told = process.communicate(timeout=TIMEOUT_S)
        assert process.returncode == 0, told
    assert processes_in(out) == []
    sent = re.search(r"^Sent (\d+), answered (\d+), failed 0;", said, re.MULTILINE)
    assert sent is not None
    assert sent[1] == sent[2] != "0"
    assert "the ledger holds the same, tenant by model." in said
    assert re.search(
        r"^ *\d+ s: sent \d+, answered \d+, failed 0, [\d,]+ tokens/s$", told, re.MULTILINE
    )
    for verb in ("plan", "key create", "up", "usage", "invoice", "report"):
        assert f"$ neocloud {verb} cloud.yaml" in said
    for name in ("usage.txt", "invoice.txt", "report.txt"):
        assert (out / name).read_text().strip() in said
    assert "SPECIMEN" in (out / "invoice.txt").read_text()
    assert (out / "report.png").read_bytes().startswith(b"\x89PNG")
    for path in out.iterdir():
        assert str(path) in said
    assert (out / "mine.txt").read_text() == "keep me"


@needs_proc
@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_stopped_in_its_midst_it_takes_all_it_started_with_it(tmp_path, number):
    out = tmp_path / "demo"
    with running(out) as process:
        read_until(process, _LISTENING)
        assert len(processes_in(out)) >= 2, "the gateway and its engines"
        process.send_signal(number)
        _, told = process.communicate(timeout=TIMEOUT_S)
        assert process.returncode == (-number if number == signal.SIGKILL else 128 + number)
    assert "Traceback" not in told
    # A killed demo cannot wait for what it started, so this waits in its place.
    ended = subprocess.run(
        [sys.executable, "-c", _AWAIT_END, *map(str, processes_in(out))], timeout=TIMEOUT_S
    )
    assert ended.returncode == 0
    assert processes_in(out) == []


_AWAIT_END = """
import select, sys, os
for number in map(int, sys.argv[1:]):
    try:
        select.select([os.pidfd_open(number)], [], [])
    except ProcessLookupError:
        pass
"""


def test_a_failed_step_is_named_with_what_it_said(tmp_path):
    (tmp_path / "demo").write_text("a file where the folder should be")
    with running(tmp_path / "demo") as process:
        _, told = process.communicate(timeout=TIMEOUT_S)
        assert process.returncode == 1
    assert told.startswith("\ndemo: step 'folder' failed: [Errno 17] File exists:")
    assert "Traceback" not in told
