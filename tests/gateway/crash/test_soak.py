"""The long test of `make soak`, for some seconds: so that it runs when it is wanted."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.gateway.crash.soaking import Soak


@pytest.mark.slow
def test_the_soak_finds_nothing_wrong(tmp_path: Path) -> None:
    told: list[str] = []
    soak = Soak(tmp_path, minutes=0.1, requests=1000, tell=told.append, kill_every_s=1.0)
    came = soak.run()
    assert not came.wrong
    assert came.kills >= 1
    assert came.whole >= 500
    assert came.memory
    assert "now one life" in told[0]
