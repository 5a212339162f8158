"""Report 5 (litellm 34805, 38157): graceful shutdown or a worker's recycling drops buffered rows.

Ours: the real process gets SIGHUP again and again under load, then SIGTERM or SIGINT. Every answer
under way ends, and the difference between the count of the engine and that of the ledger is zero.
With files that changed, and workers that are recycled: tests/gateway/operation.
"""

from __future__ import annotations

import asyncio
import json
import random
import signal
import sqlite3
import urllib.request

import pytest
from tests.fakes.upstream import process
from tests.gateway.world import Taker, authorization, run

from neocloud.ledger import Reader, Status
from neocloud.wire import Address, Client

from .process import Front, up
from .stage import PATHS, STREAMING, body_of

CLIENTS = 16
SEED = 34805


class Load:
    """Clients that ask until the gateway takes nothing more."""

    def __init__(self, front: Front) -> None:
        self.address = Address.of_url(front.url)
        self.takers: list[Taker] = []
        self.whole = 0

    async def client(self, chance: random.Random) -> None:
        client = Client()
        pool = client.pool(self.address)
        while True:
            taker = Taker()
            self.takers.append(taker)
            api = chance.choice(STREAMING)
            text = f"PACE_MS={chance.randint(0, 30)} CHUNKS={chance.randint(1, 12)} TOKENS=20"
            body = body_of(api, text, stream=chance.random() < 0.6)
            pool.request(b"POST", PATHS[api].encode(), taker, authorization(), body)
            await taker.ended.wait()
            if not taker.whole or taker.status != 200:
                break
            self.whole += 1
        await client.close()


def counted(url: str) -> dict[str, int]:
    with urllib.request.urlopen(url + "/count") as answer:
        return json.load(answer)


@pytest.mark.parametrize(
    ("name", "workers", "reloads"),
    [(signal.SIGTERM, 1, 0), (signal.SIGINT, 1, 3), (signal.SIGTERM, 2, 3)],
)
def test_report_05_stopping_under_load_loses_nothing(tmp_path, name, workers, reloads):
    # Fails if what is queued at the end is not written, or running answers are cut. Seen to fail
    # with a stop that exits once nothing new is taken.
    async def test(front: Front, upstream: str) -> None:
        load = Load(front)
        clients = [
            asyncio.create_task(load.client(random.Random(SEED + n))) for n in range(CLIENTS)
        ]
        while load.whole < 5 * CLIENTS:
            await asyncio.sleep(0.01)
        for number in range(reloads):
            front.process.send_signal(signal.SIGHUP)
            while load.whole < (6 + number) * CLIENTS:
                await asyncio.sleep(0.01)
        assert await asyncio.to_thread(front.stop, name) == 0
        await asyncio.gather(*clients)
        begun = [taker for taker in load.takers if taker.status == 200]
        assert all(taker.whole for taker in begun), "an answer was cut off"
        theirs = await asyncio.to_thread(counted, upstream)
        events = front.usage()
        assert {event.status for event in events} == {Status.COMPLETED}
        assert not any(event.estimated for event in events)
        assert {event.request_id for event in events} == {taker.request_id for taker in begun}
        assert len(events) == len(begun) == theirs["requests"] == theirs["whole"]
        assert sum(event.input_tokens for event in events) == theirs["prompt_tokens"]
        assert sum(event.output_tokens for event in events) == theirs["completion_tokens"]
        assert not list(Reader(front.ledger).open_requests())
        with sqlite3.connect(f"file:{front.ledger}?mode=ro", uri=True) as store:
            assert store.execute("select count(*) from usage").fetchone() == (len(events),)
        store.close()

    options = ("--workers", str(workers))
    with process() as upstream, up(tmp_path, upstream, options=options) as front:
        run(lambda: test(front, upstream))
