"""The gateway is killed under load, again and again: each answer is metered once, none twice."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from neocloud.ledger import Reader, Status
from neocloud.wire import Address, Client, Pool, fetch

from .scripted import DONE, PROMPT_TOKENS
from .world import CHAT, KEY, Taker, ask, authorization, run, until

CLIENTS = 12
KILLS = 5
SEED = 20261125


class Asked:
    """One request of a client, and what came of it."""

    def __init__(self, text: str, tokens: int, taker: Taker, *, stream: bool) -> None:
        self.text = text
        self.tokens = tokens
        self.stream = stream
        self.taker = taker

    @property
    def body(self) -> bytes:
        return json.dumps(ask(self.text, stream=self.stream, max_tokens=self.tokens)).encode()


class Front:
    """The gateway's process, started anew after each kill, and those who call it."""

    def __init__(self, upstream: str, ledger: Path) -> None:
        self._upstream = upstream
        self._ledger = ledger
        self.address: Address | None = None
        self.process: subprocess.Popen[str] | None = None
        self.asked: list[Asked] = []
        self.in_flight = 0
        self.killed_with: list[int] = []
        self.answers_left: int | None = None
        self.over = False

    async def start(self) -> None:
        command = (
            "up", "--upstream", self._upstream, "--listen", "127.0.0.1:0",
            "--ledger", f"sqlite:///{self._ledger}",
        )  # fmt: skip
        self.process = subprocess.Popen(
            [sys.executable, "-m", "neocloud.cli.main", *command],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "NEOCLOUD_KEY": KEY},
        )
        assert self.process.stdout is not None
        line = await asyncio.to_thread(self.process.stdout.readline)
        self.address = Address.of_url(line.removeprefix("listening on ").strip())

    def kill(self) -> None:
        """Kill it and see it dead before any client does anything more."""
        assert self.process is not None
        self.killed_with.append(self.in_flight)
        self.address = None
        self.process.kill()
        self._reap()

    def answered(self, _: Taker) -> None:
        """The last byte of an answer has come: the moment at which its event must be durable."""
        if self.answers_left is not None:
            self.answers_left -= 1
            if self.answers_left <= 0 and self.process is not None:
                self.answers_left = None
                self.kill()

    async def stop(self) -> int:
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        await asyncio.to_thread(self.process.wait, 30)
        return self._reap()

    def _reap(self) -> int:
        process, self.process = self.process, None
        assert process is not None
        status = process.wait(30)
        assert process.stdout is not None
        process.stdout.close()
        return status

    async def client(self, number: int, chance: random.Random) -> None:
        """Ask one thing after the other."""
        client = Client()
        while not self.over:
            if self.address is None:
                await asyncio.sleep(0.005)
                continue
            text = f"{number}/{len(self.asked)}"
            taker = Taker(self.answered)
            asked = Asked(text, chance.randint(1, 12), taker, stream=chance.random() < 0.5)
            self.asked.append(asked)
            self.in_flight += 1
            pool = client.pool(self.address)
            pool.request(b"POST", CHAT, asked.taker, authorization(), asked.body)
            await asked.taker.ended.wait()
            self.in_flight -= 1
        await client.close()


@contextmanager
def engine() -> Iterator[str]:
    """The engine's process; gives its URL."""
    program = Path(__file__).with_name("engine.py")
    with subprocess.Popen(
        [sys.executable, str(program)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(30) == 0


async def counts(pool: Pool) -> dict[str, int]:
    """How often the engine was asked, by text."""
    return json.loads((await fetch(pool, b"GET", b"/counts")).body)


async def under_load(front: Front, upstream: str) -> dict[str, int]:
    """Kill it `KILLS` times, then let it end well; how often the engine was asked what.

    Every other kill comes with the last byte of an answer, the others at any moment.
    """
    chance = random.Random(SEED)
    await front.start()
    clients = [
        asyncio.create_task(front.client(number, random.Random(SEED + number)))
        for number in range(CLIENTS)
    ]
    try:
        for number in range(KILLS):
            count = chance.randint(3 * CLIENTS, 10 * CLIENTS)
            if number % 2 == 0:
                front.answers_left = count
                await until(lambda: front.process is None)
            else:
                goal = len(front.asked) + count
                await until(lambda goal=goal: len(front.asked) >= goal)
                await asyncio.sleep(chance.random() * 0.05)  # any moment will do
                front.kill()
            await front.start()
        goal = len(front.asked) + 3 * CLIENTS
        await until(lambda: len(front.asked) >= goal)
        front.over = True
        await asyncio.gather(*clients)
        assert await front.stop() == 0
    finally:
        for task in clients:
            task.cancel()
        if front.process is not None:
            front.kill()
    client = Client()
    try:
        return await counts(client.pool(Address.of_url(upstream)))
    finally:
        await client.close()


@pytest.mark.slow
def test_what_a_client_saw_whole_is_metered_once_whatever_is_killed(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger.db"
    by_engine: dict[str, int] = {}
    with engine() as upstream:
        front = Front(upstream, ledger)

        async def test() -> None:
            by_engine.update(await under_load(front, upstream))

        run(test, within_s=120)
    reader = Reader(ledger)
    events = {event.request_id: event for event in reader.usage()}
    assert len(events) == len(list(reader.usage()))
    assert not list(reader.open_requests())

    whole = {asked.taker.request_id: asked for asked in front.asked if asked.taker.whole}
    assert len(whole) == sum(asked.taker.whole for asked in front.asked)
    assert len(whole) >= 3 * CLIENTS * (KILLS + 1) - CLIENTS * KILLS
    for request_id, asked in whole.items():
        assert asked.taker.status == 200
        assert asked.taker.body.endswith(DONE) or not asked.stream
        assert by_engine[asked.text] == 1
        event = events[request_id]
        assert event.status is Status.COMPLETED
        assert (event.input_tokens, event.output_tokens) == (PROMPT_TOKENS, asked.tokens)
        assert (event.streamed, event.estimated) == (asked.stream, False)

    surplus = [event for request_id, event in events.items() if request_id not in whole]
    assert len(surplus) <= sum(front.killed_with) <= CLIENTS * KILLS
    assert {event.status for event in surplus} <= {Status.COMPLETED, Status.INTERRUPTED}
    interrupted = [event for event in surplus if event.status is Status.INTERRUPTED]
    assert interrupted, "a kill found no request open: the load is too light"
    limits = {asked.taker.request_id: asked.tokens for asked in front.asked}
    for e in interrupted:  # this engine tells no count before the end
        assert e.estimated
        assert e.output_tokens <= limits.get(e.request_id, 12)
    for asked in front.asked:  # begun answers were admitted, durably, before their first byte
        assert asked.taker.whole or not asked.taker.status or asked.taker.request_id in events
