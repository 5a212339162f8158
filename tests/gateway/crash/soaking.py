"""The long crash test: `make soak`. Kills, fresh requests in every API, counts, and memory.

It is the tests beside it without their bounds of time: what must hold is judged by the same rules.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import msgspec
from tests.fakes.upstream import process
from tests.gateway.crash.front import Front, resident_bytes
from tests.gateway.crash.load import PATHS, body_of
from tests.gateway.world import KEY, Taker

from neocloud.ledger import LedgerPlace, Reader, Status, UsageEvent, ledger_place
from neocloud.wire import Address, Client, Pool, fetch

CLIENTS = 48
KILL_EVERY_S = 10.0
LOOK_EVERY_S = 5.0
GROWTH_MB = 8.0
"""Most that memory may have grown between `WARM_S` after a start and the end of that life: caches
of what clients say are bounded, and full by then. Assumption."""
WARM_S = 30.0
_MOST_TOKENS = 9


class Soaked(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it.

    Attributes:
        requests: that the upstream was asked.
        whole: answers that clients saw to their end.
        events: in the ledger.
        statuses: how the requests ended.
        kills: of the gateway.
        in_flight: requests that the kills met, all together.
        wrong: what must not be; empty if all is well.
        memory: seconds since the beginning, requests so far and megabytes of the gateway.
    """

    requests: int
    whole: int
    events: int
    statuses: dict[str, int]
    kills: int
    in_flight: int
    wrong: tuple[str, ...]
    memory: tuple[tuple[float, int, float], ...]


class _Seen:
    """What clients saw: kept as sums, so that a million requests fit."""

    def __init__(self) -> None:
        self.whole: dict[bytes, int] = {}  # by request id: output tokens of the answer
        self.sent = 0
        self.answered = 0
        self.in_flight = 0
        self.statuses: Counter[int] = Counter()


class Soak:
    """Clients, kills and looks at memory, side by side.

    Args:
        folder: where gateway and ledger lie.
        minutes: how long the kills go on.
        requests: how many are asked at least.
        kill_every_s: mean time between two kills.
        tell: says how it goes, a line at a time.
    """

    def __init__(
        self,
        folder: Path,
        minutes: float,
        requests: int,
        tell: Callable[[str], None],
        kill_every_s: float = KILL_EVERY_S,
    ) -> None:
        self._folder = folder
        self._minutes = minutes
        self._requests = requests
        self._tell = tell
        self._kill_every_s = kill_every_s
        self._seen = _Seen()
        self._killed: list[int] = []
        self._memory: list[tuple[float, int, float]] = []
        self._over = False
        self._start_s = 0.0
        self._front: Front

    def run(self) -> Soaked:
        """All of it. Half of the time with kills, half of it in one life, for the memory."""
        import uvloop

        with process() as upstream:
            self._front = Front(self._folder, upstream, "sqlite:///usage.db")
            try:
                uvloop.run(self._all())
                given = uvloop.run(_count(upstream))
            finally:
                self._front.kill()
        return self._judged(ledger_place("sqlite:///usage.db", self._folder), given)

    async def _all(self) -> None:
        await self._front.start()
        clients = [asyncio.create_task(self._client(number)) for number in range(CLIENTS)]
        chance = random.Random(len(clients))
        self._start_s = time.monotonic()
        half_s = self._start_s + self._minutes * 30.0
        while not self._killed or time.monotonic() < half_s:
            await asyncio.sleep(self._kill_every_s * (0.2 + 1.6 * chance.random()))
            self._killed.append(self._seen.in_flight)
            self._front.kill()
            await self._front.start()
        self._tell(f"{len(self._killed)} kills, {self._seen.answered:,} answers; now one life")
        end_s = self._start_s + self._minutes * 60.0
        while time.monotonic() < end_s or self._seen.sent < self._requests:
            await asyncio.sleep(LOOK_EVERY_S)
            self._look()
        self._over = True
        await asyncio.gather(*clients)
        if await self._front.stop():
            raise RuntimeError("the gateway did not end well")

    def _look(self) -> None:
        megabytes = resident_bytes(self._front.pid) / 1e6
        at_s = time.monotonic() - self._start_s
        self._memory.append((round(at_s, 1), self._seen.answered, round(megabytes, 2)))
        self._tell(f"{at_s:8.0f} s {self._seen.answered:10,} answers {megabytes:8.2f} MB")

    async def _client(self, number: int) -> None:
        chance = random.Random(f"soak/{number}")
        client = Client()
        pools: dict[Address, Pool] = {}
        while not self._over:
            address = self._front.address
            if address is None:
                await asyncio.sleep(0.01)
                continue
            if address not in pools:
                pools = {address: client.pool(address)}
            await self._ask(pools[address], chance)
        await client.close()

    async def _ask(self, pool: Pool, chance: random.Random) -> None:
        seen = self._seen
        api = chance.choice(tuple(PATHS))
        tokens = chance.randint(1, _MOST_TOKENS)
        stream = api != "embeddings" and chance.random() < 0.4
        fields = {"stream": True} if stream else {}
        text = f"{chance.getrandbits(160):x} {chance.getrandbits(64)} TOKENS={tokens}"
        seen.sent += 1
        headers = (
            (b"authorization", b"Bearer " + KEY.encode()),
            (b"x-neocloud-metro", b"m%d" % chance.getrandbits(40)),
            (b"user-agent", b"a%d" % chance.getrandbits(40)),
        )
        taker = Taker()
        seen.in_flight += 1
        pool.request(
            b"POST", PATHS[api], taker, headers, body_of(api, text, _MOST_TOKENS, **fields)
        )
        await taker.ended.wait()
        seen.in_flight -= 1
        seen.statuses[taker.status] += 1
        if taker.whole and taker.status == 200:
            seen.answered += 1
            seen.whole[taker.headers[b"x-request-id"]] = 0 if api == "embeddings" else tokens

    def _judged(self, place: LedgerPlace, given: dict[str, int]) -> Soaked:
        reader = Reader(place)
        wrong: list[str] = []
        left = dict(self._seen.whole)
        statuses: Counter[Status] = Counter()
        events, output, last = 0, 0, ""
        for event in reader.usage():
            events += 1
            statuses[event.status] += 1
            if event.request_id == last:
                wrong.append(f"{last} is there twice")
            last = event.request_id
            tokens = left.pop(event.request_id.encode(), None)
            if event.status is Status.COMPLETED:
                output += event.output_tokens
            if tokens is not None and not _right(event, tokens):
                wrong.append(f"{last} does not say what its client saw")
        surplus = events - len(self._seen.whole)
        in_flight = sum(self._killed)
        if left:
            wrong.append(f"{len(left)} answers are not in the ledger")
        if list(reader.open_requests()):
            wrong.append("requests stay open")
        if surplus > in_flight:
            wrong.append(f"{surplus} events of which nobody saw the end, {in_flight} in flight")
        if not 0 <= given["requests"] - events <= in_flight:
            wrong.append(f"{given['requests']} requests at the upstream, {events} events")
        if not 0 <= given["whole_completion_tokens"] - output <= in_flight * _MOST_TOKENS:
            wrong.append(f"{given['whole_completion_tokens']} tokens given whole, {output} billed")
        if self._front.recovered != statuses[Status.INTERRUPTED]:
            wrong.append("a request was closed twice")
        wrong += self._memory_wrong()
        return Soaked(
            requests=given["requests"], whole=len(self._seen.whole), events=events,
            statuses={str(status): count for status, count in statuses.items()},
            kills=len(self._killed), in_flight=in_flight, wrong=tuple(wrong),
            memory=tuple(self._memory),
        )  # fmt: skip

    def _memory_wrong(self) -> list[str]:
        warm = [each for each in self._memory if each[0] >= self._memory[0][0] + WARM_S]
        if len(warm) < 2:
            return []
        grew = warm[-1][2] - warm[0][2]
        return [f"memory grew by {grew:.1f} MB"] if grew > GROWTH_MB else []


def _right(event: UsageEvent, tokens: int) -> bool:
    return (
        event.status is Status.COMPLETED and event.output_tokens == tokens and not event.estimated
    )


async def _count(url: str) -> dict[str, int]:
    client = Client()
    try:
        found = json.loads((await fetch(client.pool(Address.of_url(url)), b"GET", b"/count")).body)
    finally:
        await client.close()
    return {name: value for name, value in found.items() if isinstance(value, int)}
