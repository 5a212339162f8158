"""`neocloud up` with a ledger as a process that is killed and started again."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from tests.gateway.world import KEY

from neocloud.wire import Address

_RECOVERED = re.compile(r"^(\d+) requests? that a crash left open", re.MULTILINE)


class Front:
    """A gateway before one upstream; the next start goes on with the same ledger.

    Args:
        folder: where it runs; what it says on standard error is kept there, in `stderr`.
        upstream: URL of the engine.
        ledger: URL of the ledger.
        options: further words for the command line.
        environment: beside that of the tests.

    Attributes:
        address: where it listens; None while it does not.
        process: None while there is none.
    """

    def __init__(
        self,
        folder: Path,
        upstream: str,
        ledger: str,
        *,
        options: tuple[str, ...] = (),
        environment: dict[str, str] | None = None,
    ) -> None:
        self._folder = folder
        self._command = (
            sys.executable, "-m", "neocloud.cli.main", "up", "--upstream", upstream,
            "--listen", "127.0.0.1:0", "--ledger", ledger, *options,
        )  # fmt: skip
        self._environment = {**os.environ, "NEOCLOUD_KEY": KEY, **(environment or {})}
        self.stderr = folder / "stderr"
        self.address: Address | None = None
        self.process: subprocess.Popen[str] | None = None

    async def start(self) -> Address:
        """Start it; where it listens, once it does."""
        with self.stderr.open("ab") as log:
            self.process = subprocess.Popen(
                self._command, cwd=self._folder, env=self._environment, stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE, stderr=log, text=True,
            )  # fmt: skip
        assert self.process.stdout is not None
        line = await asyncio.to_thread(self.process.stdout.readline)
        assert line.startswith("listening on "), f"{line!r}, {self.stderr.read_text()[-2000:]}"
        self.address = Address.of_url(line.removeprefix("listening on ").strip())
        return self.address

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    @property
    def recovered(self) -> int:
        """Requests that all starts together found open and closed as interrupted."""
        return sum(int(count) for count in _RECOVERED.findall(self.stderr.read_text()))

    def kill(self) -> None:
        """SIGKILL, and see it dead before any client does anything more. Idempotent."""
        if self.process is not None:
            self.address = None
            self.process.kill()
            self._reap()

    async def stop(self) -> int:
        """End it well; its status."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        await asyncio.to_thread(self.process.wait, 60)
        self.address = None
        return self._reap()

    def kill_shipper(self) -> bool:
        """SIGKILL to the process that ships; False if there is none at this moment."""
        killed = False
        for child in children_of(self.pid):
            if b"neocloud.ledger.shipping" in command_of(child):
                with suppress(ProcessLookupError):
                    os.kill(child, signal.SIGKILL)
                    killed = True
        return killed

    def _reap(self) -> int:
        process, self.process = self.process, None
        assert process is not None
        status = process.wait(60)
        assert process.stdout is not None
        process.stdout.close()
        return status


def children_of(pid: int) -> list[int]:
    """Process ids of a process's children."""
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(child) for child in found.split()]


def command_of(pid: int) -> bytes:
    """A process's command line; empty once it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def resident_bytes(pid: int) -> int:
    """Memory of a process that is its own and in RAM."""
    pages = Path(f"/proc/{pid}/statm").read_text().split()
    return (int(pages[1]) - int(pages[2])) * os.sysconf("SC_PAGE_SIZE")


def wait_until_gone(pids: list[int], within_s: float = 30) -> None:
    """Until none of these processes runs: what they ship is in the store then."""
    end = time.monotonic() + within_s
    while any(command_of(pid) for pid in pids):
        assert time.monotonic() < end, "a process does not end"
        time.sleep(0.01)
