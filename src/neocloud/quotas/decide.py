"""How a store shares a tenant's limits among workers: plain arithmetic on one tenant's books.

The embedded bank runs it between reading and writing a row; `shared.lua` says the same for
Redis, and the tests hold the two to each other.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import TypeVar

import msgspec

from neocloud.quotas.bank import Ask, CountGrant, Grant, MoneyAsk, RateAsk, RateGrant, SlotAsk

N = TypeVar("N", int, float)

SECONDS_A_MINUTE = 60.0


class Share(msgspec.Struct):
    """What one worker has leased of the rates and slots."""

    requests: float = 0.0
    tokens: float = 0.0
    slots: int = 0
    spare: int = 0


class Books(msgspec.Struct):
    """A tenant's rates and slots: levels of the store's buckets, when they were filled, shares.

    `filled_s` is below zero until the first exchange, which finds full buckets. `short_s` says for
    requests, tokens, slots and money when some worker last got too little.
    """

    requests: float = 0.0
    tokens: float = 0.0
    filled_s: float = -1.0
    short_s: list[float] = msgspec.field(default_factory=lambda: [-1e9] * 4)
    shares: dict[str, Share] = {}


class Purse(msgspec.Struct):
    """One worker's part of a budget: `prior` counts for its earlier runs."""

    prior: int = 0
    leased: int = 0
    used: int = 0
    spare: int = 0

    @property
    def charged(self) -> int:
        """What is gone from the budget on its behalf."""
        return self.prior + max(self.leased, self.used)


class Purses(msgspec.Struct):
    """A tenant's month: what `reconcile` found beyond what living workers told, and theirs."""

    base: int = 0
    by_worker: dict[str, Purse] = {}


class Scene(msgspec.Struct, frozen=True):
    """Who asks when: the store's time in seconds, names of the living, how many count."""

    me: str
    now_s: float
    alive: Set[str]
    workers: int
    short_s: float


def decide(books: Books, purses: Purses, ask: Ask, scene: Scene) -> Grant:
    """Take in what a worker tells, and grant; `books` and `purses` are changed."""
    limit = ask.limit
    for name in [name for name in books.shares if name not in scene.alive]:
        del books.shares[name]  # slots and rates of the dead are free again
    mine = books.shares.setdefault(scene.me, Share())
    others = [share for name, share in books.shares.items() if name != scene.me]
    now_s = scene.now_s
    spans = _spans(books.filled_s, now_s, ask.touched_s)
    books.filled_s = now_s
    requests = tokens = RateGrant()
    slots = money = CountGrant()
    if limit.requests_per_minute is not None:
        held = sum(share.requests for share in others)
        books.requests, requests = _rate(
            books.requests, limit.requests_per_minute, spans, (mine.requests, held),
            ask.requests, scene.workers,
        )  # fmt: skip
        mine.requests = ask.requests.kept + requests.granted
    if limit.tokens_per_minute is not None:
        held = sum(share.tokens for share in others)
        books.tokens, tokens = _rate(
            books.tokens, limit.tokens_per_minute, spans, (mine.tokens, held),
            ask.tokens, scene.workers,
        )  # fmt: skip
        mine.tokens = ask.tokens.kept + tokens.granted
    if limit.concurrent_requests is not None:
        slots = _slots(limit.concurrent_requests, mine, others, ask.slots, scene.workers)
    if limit.budget is not None:
        money = _money(limit.budget, purses, ask.money, scene)
    least = (ask.requests.least, ask.tokens.least, ask.slots.least, ask.money.least)
    granted = (requests.granted, tokens.granted, slots.granted, money.granted)
    for kind in range(4):
        if granted[kind] < least[kind]:
            books.short_s[kind] = now_s
    short = [0 <= now_s - then_s < scene.short_s for then_s in books.short_s]
    return Grant(
        msgspec.structs.replace(requests, short=short[0]),
        msgspec.structs.replace(tokens, short=short[1]),
        msgspec.structs.replace(slots, short=short[2]),
        msgspec.structs.replace(money, short=short[3]),
        purses.base + sum(p.prior + p.used for p in purses.by_worker.values()),
    )


def reopen(purses: Purses, worker: str, spent: int | None) -> bool:
    """Close the books of a worker's earlier run: by what it spent, or by what it had leased.

    Returns whether there was anything to close.
    """
    purse = purses.by_worker.get(worker)
    if purse is None and not spent:
        return False
    prior = spent if spent is not None else (purse.charged if purse is not None else 0)
    purses.by_worker[worker] = Purse(prior=prior)
    return True


def reconcile(purses: Purses, spent: int, alive: Set[str]) -> None:
    """Let a month's sum be `spent`; the dead and earlier runs are in it, the living keep theirs."""
    purses.by_worker = {n: p for n, p in purses.by_worker.items() if n in alive}
    for purse in purses.by_worker.values():
        purse.prior = 0
    purses.base = max(0, spent - sum(purse.used for purse in purses.by_worker.values()))


def _spans(before_s: float, now_s: float, touched_s: float) -> tuple[float, float]:
    """Seconds to fill before the worker touched its lease, and since; a minute fills a bucket."""
    if before_s < 0:
        return SECONDS_A_MINUTE, 0.0
    whole = max(0.0, now_s - before_s)  # a clock that was set back fills nothing
    since = min(whole, max(0.0, touched_s))
    return min(whole - since, SECONDS_A_MINUTE), min(since, SECONDS_A_MINUTE)


def _rate(
    level: float,
    limit: int,
    spans: tuple[float, float],
    leased: tuple[float, float],
    ask: RateAsk,
    workers: int,
) -> tuple[float, RateGrant]:
    """Fill a bucket and lease from it. Level and leases together never exceed the limit."""
    mine, others = leased
    level = min(limit - others - mine, level + limit * spans[0] / SECONDS_A_MINUTE)
    level += ask.back + limit * spans[1] / SECONDS_A_MINUTE
    level = min(limit - others - ask.kept, level)
    granted = _granted(level, ask.least, ask.most, workers)
    return level - granted, RateGrant(granted, level - granted, others)


def _slots(limit: int, mine: Share, others: list[Share], ask: SlotAsk, workers: int) -> CountGrant:
    pool = max(0, limit - ask.kept - sum(share.slots for share in others))
    granted = _granted(pool, ask.least, ask.most, workers)
    mine.slots = ask.kept + granted
    mine.spare = ask.spare + granted
    return CountGrant(granted, pool - granted, sum(share.spare for share in others))


def _money(budget: int, purses: Purses, ask: MoneyAsk, scene: Scene) -> CountGrant:
    mine = purses.by_worker.setdefault(scene.me, Purse())
    mine.leased, mine.used, mine.spare = ask.kept, ask.used, ask.spare
    charged = purses.base + sum(purse.charged for purse in purses.by_worker.values())
    pool = max(0, budget - charged)
    granted = _granted(pool, ask.least, ask.most, scene.workers)
    mine.leased += granted
    mine.spare += granted
    elsewhere = _living_spare(purses.by_worker, scene)
    return CountGrant(granted, pool - granted, elsewhere)


def _living_spare(by_worker: Mapping[str, Purse], scene: Scene) -> int:
    """What other living workers have leased and neither used nor hold."""
    return sum(
        purse.spare for name, purse in by_worker.items() if name != scene.me and name in scene.alive
    )


def _granted(pool: N, least: N, most: N, workers: int) -> N:
    """All to one alone; of several each gets at most its part of half of what is left.

    Slices so shrink with the remainder, but are never smaller than what a request waits for.
    """
    if most <= 0 or pool <= 0 or pool < least:
        return pool * 0
    if workers == 1:
        return min(pool, most)
    return min(pool, most, max(least, pool // (2 * workers)))
