"""`neocloud up` as processes: its address, its admin API, its children, its signals."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

KEY = "a-key-of-the-tests"
TOKEN = "a-token-of-the-tests"
CHAT = "/v1/chat/completions"
WAIT_S = 30.0


class Answer:
    """Status, header fields and body."""

    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.status, self.headers, self.body = status, headers, body

    def json(self) -> Any:
        return json.loads(self.body)


def ask(
    url: str, path: str, body: object = None, *, method: str = "", token: str = KEY,
    context: ssl.SSLContext | None = None, headers: dict[str, str] | None = None,
) -> Answer:  # fmt: skip
    """One request on a connection of its own."""
    parts = urlsplit(url)
    assert parts.hostname is not None
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    extra = {"context": context} if parts.scheme == "https" else {}
    connection = kind(parts.hostname, parts.port, timeout=WAIT_S, **extra)
    data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
    fields = {"authorization": f"Bearer {token}"} if token else {}
    try:
        connection.request(
            method or ("GET" if data is None else "POST"), path, data, {**fields, **(headers or {})}
        )
        answer = connection.getresponse()
        return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
    finally:
        connection.close()


def chat(text: str = "one two", model: str = "m", **fields: object) -> dict[str, object]:
    return {"model": model, "messages": [{"role": "user", "content": text}], **fields}


def until(condition: Callable[[], object], what: Callable[[], str] | str = "") -> None:
    end = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < end, what() if callable(what) else what
        time.sleep(0.02)


class House:
    """A gateway's processes.

    Attributes:
        url: where clients come.
        admin: where the operator comes; empty if nowhere.
        folder: where it runs.
    """

    def __init__(self, process: subprocess.Popen[str], folder: Path) -> None:
        self.process = process
        self.folder = folder
        self.url = ""
        self.admin = ""

    @property
    def said(self) -> str:
        """What it has written to standard error."""
        return (self.folder / "stderr").read_text()

    def page(self, path: str) -> Answer:
        return ask(self.url, path, token="")

    def post(self, body: object, key: str = KEY, path: str = CHAT) -> Answer:
        return ask(self.url, path, body, token=key)

    def order(
        self, page: str, body: object = None, *, method: str = "", token: str = TOKEN
    ) -> Answer:
        return ask(self.admin, f"/admin/{page}", body, method=method, token=token)

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def reload(self, word: str = "reloaded") -> str:
        """SIGHUP, and what was said then."""
        before = len(self.said)
        self.send(signal.SIGHUP)
        until(lambda: word in self.said[before:], lambda: f"{word!r} not in {self.said[before:]!r}")
        return self.said[before:]

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.send(number)
        return self.process.wait(WAIT_S)

    def children(self, what: str) -> list[int]:
        """Its processes whose command line holds this."""
        return [pid for pid in children_of(self.process.pid) if what in command_of(pid)]

    @property
    def workers(self) -> list[int]:
        return self.children("neocloud.gateway.workers.worker")


def children_of(pid: int) -> list[int]:
    with contextlib.suppress(OSError):
        return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def command_of(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    return ""


@contextmanager
def up(
    folder: Path, *words: str, admin: bool = False, environment: dict[str, str] | None = None
) -> Iterator[House]:
    """A gateway that listens; killed at the end if it still runs then."""
    command = [sys.executable, "-m", "neocloud.cli.main", "up", *words]
    if "--listen" not in words:
        command += ["--listen", "127.0.0.1:0"]
    if admin:
        command += ["--admin-listen", "127.0.0.1:0"]
    known = {"NEOCLOUD_KEY": KEY, "NEOCLOUD_ADMIN_TOKEN": TOKEN}
    with (folder / "stderr").open("w") as stderr:
        process = subprocess.Popen(
            command, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=stderr,
            text=True, env={**os.environ, **known, **(environment or {})},
        )  # fmt: skip
    house = House(process, folder)
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        assert line.startswith("listening on "), f"it did not start: {line!r} {house.said}"
        house.url = line.removeprefix("listening on ").strip()
        if admin:
            until(lambda: "admin API on" in house.said)
            said = house.said.partition("admin API on ")[2].split()[0]
            house.admin = said.removesuffix("/admin/")
        yield house
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        process.stdout.close()


def named(replica: str) -> str:
    """A replica as a part of a path."""
    return quote(replica, safe="")
