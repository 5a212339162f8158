"""Report 4 (litellm 35531, 33872): rows leave memory before the commit; it fails, they are gone.

Ours: the store is locked, and the process that writes to it is killed, under load. Answers go on as
long as the segments have room, then nothing more is admitted and `/readyz` says why; once the store
is back all of it is there, once.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
from pathlib import Path

import pytest
from tests.fakes.upstream import process
from tests.gateway.world import CHAT, authorization, run

from neocloud.ledger import Status
from neocloud.wire import Address, Client, Response, fetch

from .process import Front, up
from .stage import body_of

WORKERS = 8


def shipper_of(front: Front) -> int | None:
    """The process that ships what this gateway wrote; None while there is none."""
    found = subprocess.run(
        ["ps", "-A", "-o", "pid=,ppid=,args="], capture_output=True, text=True, check=True
    )
    rows = [line.split(None, 2) for line in found.stdout.splitlines()]
    parents = {int(pid): int(parent) for pid, parent, *_ in rows}
    for pid, _, *arguments in rows:
        if "neocloud.ledger.shipping" in "".join(arguments):
            above = int(pid)
            while above in parents and above != front.process.pid:
                above = parents[above]
            if above == front.process.pid:
                return int(pid)
    return None


class Load:
    """Asks one after the other until it is told to end; keeps all answers' statuses and ids."""

    def __init__(self, front: Front) -> None:
        self.address = Address.of_url(front.url)
        self.answers: list[Response] = []
        self.over = False

    @property
    def whole(self) -> set[str]:
        return {a.headers[b"x-request-id"].decode() for a in self.answers if a.status == 200}

    @property
    def refused(self) -> list[Response]:
        return [answer for answer in self.answers if answer.status != 200]

    async def worker(self) -> None:
        client = Client()
        pool = client.pool(self.address)
        while not self.over:
            body = body_of("chat", "CHUNKS=4 TOKENS=9", stream=len(self.answers) % 2 == 0)
            answer = await fetch(pool, b"POST", CHAT, authorization(), body)
            self.answers.append(answer)
            if answer.status != 200:
                await asyncio.sleep(0.05)
        await client.close()

    async def more(self, count: int) -> None:
        """Wait until so many more were answered well."""
        goal = len(self.whole) + count
        while len(self.whole) < goal:
            await asyncio.sleep(0.02)


async def stalled(front: Front, load: Load) -> None:
    """The store is locked under load until nothing is admitted any more, then it is free again."""
    blocking = sqlite3.connect(front.ledger, isolation_level=None)
    try:
        blocking.execute("begin exclusive")
        await load.more(20)  # what is durable is answered, store or no store
        while not load.refused:
            await asyncio.sleep(0.05)
        assert {answer.status for answer in load.refused} == {503}
        assert all(b"retry-after" in answer.headers for answer in load.refused)
        status, text = await asyncio.to_thread(front.page, "/readyz")
        assert (status, "usage cannot be recorded" in text) == (503, True)
        blocking.execute("rollback")
    finally:
        blocking.close()
    await load.more(20)  # it resumes by itself
    assert (await asyncio.to_thread(front.page, "/readyz"))[0] == 200


async def killed(front: Front, load: Load) -> None:
    """What ships is killed in the middle of it, twice."""
    shipper = await another(front, None)
    for _ in range(2):
        await load.more(20)
        os.kill(shipper, signal.SIGKILL)
        await load.more(20)
        shipper = await another(front, shipper)


async def another(front: Front, last: int | None) -> int:
    """What ships now, once it is not the last any more."""
    while (found := await asyncio.to_thread(shipper_of, front)) in (None, last):
        await asyncio.sleep(0.05)
    assert found is not None
    return found


@pytest.mark.slow
@pytest.mark.parametrize("fault", [stalled, killed])
def test_report_04_a_store_that_fails_at_commit_loses_nothing(tmp_path: Path, fault):
    # Fails if rows are dropped at a failed commit, or written again under another key.
    async def test(front: Front) -> None:
        load = Load(front)
        workers = [asyncio.create_task(load.worker()) for _ in range(WORKERS)]
        await load.more(20)
        await fault(front, load)
        load.over = True
        await asyncio.gather(*workers)
        assert await asyncio.to_thread(front.stop) == 0
        with sqlite3.connect(f"file:{front.ledger}?mode=ro", uri=True) as store:
            rows = store.execute("select request_id, status, output_tokens from usage").fetchall()
        store.close()
        ids = {row[0] for row in rows}
        assert (ids - load.whole, load.whole - ids) == (set(), set())
        assert len(rows) == len(load.whole) == len(front.usage())
        assert {(status, tokens) for _, status, tokens in rows} == {(Status.COMPLETED.value, 9)}

    with process() as upstream, up(tmp_path, upstream) as front:
        run(lambda: test(front))
