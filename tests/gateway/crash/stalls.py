"""The store goes away under load and comes back: what must hold then, whatever the store."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from tests.gateway.crash.front import Front
from tests.gateway.crash.judge import Verdict
from tests.gateway.crash.load import PACE_MS, PATHS, Asked, Load, body_of, given_by, page
from tests.gateway.world import KEY, Taker, authorization, until

from neocloud.ledger import LedgerPlace, Status
from neocloud.wire import Client, fetch

CLIENTS = 8
LONG_TOKENS = 320
"""Of streams that run from before the store goes until it is missed: at 25 ms a token, eight
seconds."""
_LONG = ("chat", "completions", "responses", "messages")


class Long:
    """Streams that must not be disturbed, and how long a client waited for a piece of them."""

    def __init__(self, front: Front, number: int) -> None:
        assert front.address is not None
        self._client = Client()
        self.asked: list[Asked] = []
        for place, api in enumerate(_LONG):
            words = f"TOKENS={LONG_TOKENS} PACE_MS={PACE_MS} CACHED=1"
            tag = f"long{number}-{place}"
            asked = Asked(
                api, tag, words, LONG_TOKENS, Taker(), stream=True, told=api != "responses"
            )
            self.asked.append(asked)
            pool = self._client.pool(front.address)
            pool.request(b"POST", PATHS[api], asked.taker, authorization(KEY), asked.body)

    async def begun(self) -> None:
        for asked in self.asked:
            await until(lambda asked=asked: asked.seen > 0)

    async def goes_on(self) -> None:
        """Each of them brings more, as far as there is more to bring."""
        goals = [min(asked.seen + 10, LONG_TOKENS) for asked in self.asked]
        for asked, goal in zip(self.asked, goals, strict=True):
            await until(lambda asked=asked, goal=goal: asked.seen >= goal)

    async def end(self) -> None:
        for asked in self.asked:
            await asked.taker.ended.wait()
        await self._client.close()


async def through_stalls(
    front: Front,
    upstream: str,
    place: LedgerPlace,
    stalls: list[Callable[[], AbstractContextManager[None]]],
    seed: int,
) -> Verdict:
    """Let the store go away and come back, each time in another way, with load and long streams.

    A refusal says when to come again; the page for load balancers is red; and both end by
    themselves.
    """
    load = Load(front, seed)
    await front.start()
    clients = load.clients(CLIENTS)
    longs: list[Long] = []
    try:
        for number, stall in enumerate(stalls):
            goal = load.answered + 4 * CLIENTS
            await until(lambda goal=goal: load.answered >= goal)
            assert await page(front, b"/readyz") == 200
            long = Long(front, number)
            longs.append(long)
            await long.begun()
            with stall():
                await _colour(front, 503)
                assert await page(front, b"/healthz") == 200
                await _nothing_is_admitted(front)
                await long.goes_on()
            await _colour(front, 200)
            await long.end()
        goal = load.answered + 4 * CLIENTS
        await until(lambda: load.answered >= goal)
        load.over = True
        await asyncio.gather(*clients)
        assert await front.stop() == 0
    finally:
        front.kill()
    asked = [*load.asked, *(each for long in longs for each in long.asked)]
    given = await given_by(upstream)
    verdict = Verdict(place, asked, given)
    assert set(verdict.statuses()) == {Status.COMPLETED}
    assert verdict.most_sent == 1
    assert len(verdict.whole) == len(verdict.events) == given.requests
    assert len(verdict.whole) + len(load.refused) == len(asked)
    assert all(each.whole and each.seen == LONG_TOKENS for long in longs for each in long.asked)
    return verdict


async def _colour(front: Front, status: int) -> None:
    """Until the page for load balancers says this."""
    while await page(front, b"/readyz") != status:
        await asyncio.sleep(0.05)


async def _nothing_is_admitted(front: Front) -> None:
    """New requests are refused in every API, and told when to come again."""
    assert front.address is not None
    client = Client()
    for api, path in PATHS.items():
        answer = await fetch(
            client.pool(front.address), b"POST", path, authorization(KEY), body_of(api, "x", 1)
        )
        assert answer.status == 503
        assert int(answer.headers[b"retry-after"]) >= 1
        assert b"usage cannot be recorded" in answer.body
    await client.close()


@contextmanager
def then(begin: Callable[[], object], end: Callable[[], object]) -> Iterator[None]:
    """A stall that is begun by one call and ended by another."""
    begin()
    try:
        yield
    finally:
        end()


__all__ = ["then", "through_stalls"]
