"""`neocloud up` as a process of its own, before servers that run already."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.gateway.world import KEY

from neocloud.ledger import Reader, UsageEvent


class Front:
    """A gateway's process.

    Attributes:
        url: where it listens.
        ledger: its file.
    """

    def __init__(self, process: subprocess.Popen[str], url: str, ledger: Path) -> None:
        self.process = process
        self.url = url
        self.ledger = ledger

    @property
    def base(self) -> str:
        """What OpenAI's clients are given."""
        return self.url + "/v1"

    def page(self, path: str) -> tuple[int, str]:
        """Status and text of one of its pages."""
        try:
            with urllib.request.urlopen(self.url + path, timeout=30) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def usage(self) -> list[UsageEvent]:
        return list(Reader(self.ledger).usage())

    def settled(self, count: int) -> list[UsageEvent]:
        """Events, once there are so many; the caller's own time limit ends it."""
        while len(found := self.usage()) < count:
            time.sleep(0.01)
        return found

    def stop(self, name: signal.Signals = signal.SIGTERM) -> int:
        """End it well; its status."""
        self.process.send_signal(name)
        return self.process.wait(60)


@contextmanager
def up(folder: Path, *upstreams: str, options: tuple[str, ...] = ()) -> Iterator[Front]:
    """A gateway before these URLs; killed at the end if it still runs then."""
    ledger = folder / "usage.db"
    named = [part for url in upstreams for part in ("--upstream", url)]
    process = subprocess.Popen(
        [
            sys.executable, "-m", "neocloud.cli.main", "up", *named,
            "--listen", "127.0.0.1:0", "--ledger", f"sqlite:///{ledger}", *options,
        ],
        stdout=subprocess.PIPE,
        cwd=folder,
        text=True,
        env={**os.environ, "NEOCLOUD_KEY": KEY},
    )  # fmt: skip
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        assert line.startswith("listening on "), f"it did not start: {line!r}"
        yield Front(process, line.removeprefix("listening on ").strip(), ledger)
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            process.wait(60)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        process.stdout.close()
