"""The end: red for those who look, streams to their last byte, idle ones closed; or at once."""

from __future__ import annotations

import http.client
import signal
import subprocess
import sys
import threading
import time
from http.client import HTTPException
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from tests.fakes import upstream

from neocloud.ledger import Reader, Status

from .engines import fake_vllm, vllm_cloud
from .house import House, chat, until, up


class Streams:
    """Clients that each read one stream."""

    def __init__(self, house: House, count: int) -> None:
        self.house = house
        self.whole = 0
        self.cut = 0
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._read) for _ in range(count)]
        for thread in self._threads:
            thread.start()

    def _read(self) -> None:
        try:
            whole = self.house.post(chat(stream=True)).body.endswith(b"[DONE]\n\n")
        except (OSError, HTTPException):
            whole = False
        with self._lock:
            self.whole += whole
            self.cut += not whole

    def join(self) -> None:
        for thread in self._threads:
            thread.join(30)


def open_requests(folder: Path) -> int:
    return len(list(Reader(folder / "usage.db").open_requests()))


@pytest.mark.parametrize("workers", ["1", "2"])
def test_streams_end_whole_while_probes_are_told(tmp_path: Path, workers: str):
    with (
        upstream.process("CHUNKS=30 PACE_MS=50") as engine,
        up(tmp_path, "--upstream", engine, "--workers", workers) as house,
    ):
        parts = urlsplit(house.url)
        idle = http.client.HTTPConnection(parts.hostname, parts.port, timeout=10)
        idle.request("GET", "/readyz")
        assert idle.getresponse().read() == b"ready\n"
        streams = Streams(house, 4)
        until(lambda: open_requests(tmp_path) == 4)
        house.send(signal.SIGTERM)
        until(lambda: house.page("/readyz").status == 503)
        assert b"shutting down" in house.page("/readyz").body
        assert house.page("/healthz").status == 200
        refused = house.post(chat())
        assert (refused.status, "retry-after" in refused.headers) == (503, True)
        assert refused.headers["connection"] == "close"
        assert idle.sock.recv(1) == b""  # closed
        idle.close()
        assert open_requests(tmp_path) == 4
        streams.join()
        assert (streams.whole, streams.cut) == (4, 0)
        assert house.process.wait(30) == 0
    events = list(Reader(tmp_path / "usage.db").usage())
    assert [event.status for event in events] == [Status.COMPLETED] * 4


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_second_signal_ends_it_at_once_and_all_is_metered(tmp_path: Path, workers: str):
    with (
        upstream.process("CHUNKS=2000 PACE_MS=50") as engine,
        up(tmp_path, "--upstream", engine, "--workers", workers) as house,
    ):
        streams = Streams(house, 4)
        until(lambda: open_requests(tmp_path) == 4)
        house.send(signal.SIGTERM)
        until(lambda: house.page("/readyz").status == 503)
        house.send(signal.SIGTERM)
        assert house.process.wait(20) == 0
        streams.join()
        assert (streams.whole, streams.cut) == (0, 4)
    events = list(Reader(tmp_path / "usage.db").usage())
    assert [event.status for event in events] == [Status.ABORTED] * 4
    assert open_requests(tmp_path) == 0


def test_the_grace_is_kept(tmp_path: Path):
    with (
        upstream.process("CHUNKS=2000 PACE_MS=50") as engine,
        up(tmp_path, "--upstream", engine, "--grace", "0.5", "--workers", "2") as house,
    ):
        streams = Streams(house, 2)
        until(lambda: open_requests(tmp_path) == 2)
        assert house.stop(signal.SIGINT) == 0
        streams.join()
        assert (streams.whole, streams.cut) == (0, 2)
    events = list(Reader(tmp_path / "usage.db").usage())
    assert [event.status for event in events] == [Status.ABORTED] * 2


def test_a_signal_ends_it_while_it_still_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """An engine that takes long to come up is ended too."""
    fake_vllm(tmp_path, monkeypatch, FAKE_START_S="60", FAKE_WORKER=str(tmp_path / "worker"))
    vllm_cloud(tmp_path)
    process = subprocess.Popen(
        [sys.executable, "-m", "neocloud.cli.main", "up", "cloud.yaml", "--start-engines",
         "--listen", "127.0.0.1:0"],
        cwd=tmp_path,
    )  # fmt: skip
    try:
        until((tmp_path / "worker").exists)
        time.sleep(0.1)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait()
