"""The gateway as a process, before the fake upstream and before the real llama.cpp."""

from __future__ import annotations

import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest
from tests.engines.gguf_model import write_model
from tests.fakes.upstream import process
from tests.gateway.reports.process import Front, up

from neocloud.engines import free_port
from neocloud.ledger import UsageEvent


class Room:
    """A gateway, and its events since the test began.

    Attributes:
        front: the gateway.
        model: name of the one that is served.
        upstream: URL of the engine.
    """

    def __init__(self, front: Front, model: str, upstream: str = "") -> None:
        self.front = front
        self.model = model
        self.upstream = upstream
        self._before = len(front.usage())

    def events(self, count: int) -> list[UsageEvent]:
        """Exactly so many events, in order of admission."""
        found = self.front.settled(self._before + count)[self._before :]
        assert len(found) == count
        return found


@pytest.fixture(scope="module")
def fake_front(tmp_path_factory) -> Iterator[tuple[Front, str]]:
    with (
        process("CHUNKS=3 TOKENS=7 CACHED=1", "--context", "100000") as url,
        up(tmp_path_factory.mktemp("fake"), url) as front,
    ):
        yield front, url


@pytest.fixture
def fake(fake_front: tuple[Front, str]) -> Room:
    """Before the fake upstream."""
    front, url = fake_front
    return Room(front, "m", url)


@pytest.fixture(scope="module")
def llama_front(tmp_path_factory) -> Iterator[Front]:
    folder = tmp_path_factory.mktemp("llama")
    model = write_model(folder / "micro.gguf")
    port = free_port()
    engine = subprocess.Popen(
        [
            sys.executable, "-m", "neocloud.engines.llamacpp", "--model", str(model),
            "--name", "micro", "--port", str(port), "--threads", "1", "--context", "2048",
            "--parallel", "2", "--grace", "1",
        ],
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        url = f"http://127.0.0.1:{port}"
        _ready(url, engine)
        with up(folder, url) as front:
            yield front
    finally:
        engine.kill()
        engine.wait()


@pytest.fixture
def llama(llama_front: Front) -> Room:
    """Before llama.cpp with a model of 6.6 MB that says noise."""
    return Room(llama_front, "micro")


def _ready(url: str, engine: subprocess.Popen) -> None:
    give_up_s = time.monotonic() + 60
    while True:
        assert engine.poll() is None, "llama.cpp did not start"
        assert time.monotonic() < give_up_s, "llama.cpp does not serve"
        try:
            with urllib.request.urlopen(url + "/health", timeout=2):
                return
        except (OSError, urllib.error.URLError):
            time.sleep(0.05)
