"""Each store that workers can share, for real."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from neocloud.quotas import Bank, EmbeddedBank, SharedBank
from neocloud.quotas.shared import PASSWORD

from ..servers.redis import RedisServer, redis_server  # noqa: TID252  (a real server)

MakeBank = Callable[[], Bank]


@pytest.fixture(scope="session")
def server() -> Iterator[RedisServer]:
    folder = Path(tempfile.mkdtemp(prefix="redis-"))
    try:
        with redis_server(folder) as running:
            yield running
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def redis(server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> RedisServer:
    """The server, empty, with its password where the bank looks for it."""
    monkeypatch.setenv(PASSWORD, server.password)
    with server.client() as client:
        client.flushall()
    return server


@pytest.fixture(params=["embedded", "redis"])
def make_bank(request: pytest.FixtureRequest, tmp_path: Path) -> MakeBank:
    """Makes one connection more to the same store."""
    if request.param == "embedded":
        return lambda: EmbeddedBank(tmp_path / "usage.db.quotas")
    running: RedisServer = request.getfixturevalue("redis")
    return lambda: SharedBank(running.url)
