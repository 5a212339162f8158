"""What the tests of the quotas share: a clock by hand, a bank in memory, a short period."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress

from neocloud.quotas import (
    Bank,
    BankError,
    EmbeddedBank,
    Hold,
    NeedsLease,
    Patience,
    Quotas,
    Refusal,
    SharedBank,
    SupersededError,
    TenantLimit,
)
from neocloud.quotas.bank import Answer, Ask, Worker
from neocloud.quotas.decide import Books, Purses, Scene, decide, reconcile, reopen
from neocloud.units import parse_utc

TENANT = "acme"
MONTH = "2026-10"
HUGE = 10**24 - 7
"""A budget of a million million, less a little: 80 bits."""
START_NS = parse_utc("2026-10-05T12:00:00Z")
QUICK = Patience(period_s=0.04, wait_s=1.0, idle_s=0.4)


class Clock:
    """Both clocks, moved by hand; the monotonic one begins anywhere."""

    def __init__(self, start_ns: int = START_NS) -> None:
        self.passed_s = 0.0
        self._start_ns = start_ns

    def monotonic(self) -> float:
        return 5000.0 + self.passed_s

    def epoch_ns(self) -> int:
        return self._start_ns + round(self.passed_s * 1e9)

    @property
    def now_s(self) -> float:
        return self.monotonic()

    def sleep_until(self, time_ns: int) -> None:
        self.passed_s = (time_ns - self._start_ns) / 1e9


AnyBank = EmbeddedBank | SharedBank


class Time:
    """The time of day that a bank sees."""

    def __init__(self) -> None:
        self.passed_s = 0.0

    def now_ns(self) -> int:
        return START_NS + round(self.passed_s * 1e9)

    def tell(self, bank: AnyBank) -> None:
        if isinstance(bank, SharedBank):
            bank.now_s = repr(self.now_ns() / 1e9)


def worker(name: str, run: str = "1", expected: int = 1) -> Worker:
    return Worker(name, run, expected, 10.0, 2.0)


class MemoryBank:
    """The arithmetic of the banks with nothing beneath it.

    Attributes:
        lost_answers: so many of the next answers do not come back, though all was done.
        away: it does nothing and does not answer.
    """

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.books: dict[str, Books] = {}
        self.purses: dict[tuple[str, str], Purses] = {}
        self.workers: dict[str, tuple[str, int, float]] = {}
        self.lost_answers = 0
        self.away = False
        self.calls = 0

    async def open(
        self, worker: Worker, month: str, tenants: Sequence[str], spent: Mapping[str, int] | None
    ) -> None:
        self.workers[worker.name] = (worker.run, 0, self.clock.now_s)
        for tenant in tenants:
            told = None if spent is None else spent.get(tenant, 0)
            reopen(self.purses.setdefault((month, tenant), Purses()), worker.name, told)
            self.books.setdefault(tenant, Books()).shares.pop(worker.name, None)

    async def exchange(self, worker: Worker, sequence: int, asks: Sequence[Ask]) -> Answer:
        self.calls += 1
        if self.away:
            raise BankError("away")
        known = self.workers.get(worker.name)
        if known is not None and known[0] != worker.run:
            raise SupersededError("started again")
        now_s = self.clock.now_s
        self.workers[worker.name] = (worker.run, sequence, now_s)
        alive = {n for n, (_, _, seen_s) in self.workers.items() if now_s - seen_s < worker.lease_s}
        scene = Scene(worker.name, now_s, alive, max(worker.expected, len(alive)), worker.short_s)
        grants = tuple(
            decide(
                self.books.setdefault(ask.tenant, Books()),
                self.purses.setdefault((ask.month, ask.tenant), Purses()), ask, scene,
            )
            for ask in asks
        )  # fmt: skip
        if self.lost_answers:
            self.lost_answers -= 1
            raise BankError("the answer was lost")
        short = {
            tenant
            for tenant, books in self.books.items()
            if now_s - max(books.short_s) < worker.short_s
        }
        return Answer(grants, scene.workers, frozenset(short), known is None)

    async def reconcile(self, tenant: str, month: str, spent: int, dead_s: float) -> None:
        now_s = self.clock.now_s
        alive = {n for n, (_, _, seen_s) in self.workers.items() if now_s - seen_s < dead_s}
        reconcile(self.purses.setdefault((month, tenant), Purses()), spent, alive)

    async def leave(self, worker: Worker) -> None:
        self.workers.pop(worker.name, None)

    async def close(self) -> None:
        """Nothing to close."""

    def charged(self, month: str = "2026-10", tenant: str = TENANT) -> int:
        """What is gone from a budget: leased, used, or counted for the dead."""
        purses = self.purses[month, tenant]
        return purses.base + sum(purse.charged for purse in purses.by_worker.values())


def quotas(
    limit: TenantLimit, bank: Bank | None, clock: Clock, worker: str = "0", workers: int = 1
) -> Quotas:
    """One worker with one tenant, on a clock by hand."""
    return Quotas(
        {TENANT: limit}, bank, worker=worker, workers=workers, clock=clock.monotonic,
        epoch_ns=clock.epoch_ns,
    )  # fmt: skip


async def exchange(worker: Quotas) -> None:
    """One exchange, as `run` makes one each period."""
    assert worker._exchange is not None
    await worker._exchange.soon()


async def periods(clock: Clock, count: int, *workers: Quotas) -> None:
    """So many periods of the default patience, in which nobody asks for anything."""
    for _ in range(count):
        clock.passed_s += 1.0
        for worker in workers:
            await exchange(worker)


async def admit_once(
    worker: Quotas, clock: Clock, money: int, tokens: int
) -> Hold | Refusal | None:
    """Admit; after `NeedsLease` exchange and try once more. None if that does not help."""
    outcome = worker.admit(TENANT, money, tokens, clock.now_s)
    if isinstance(outcome, NeedsLease):
        asking = asyncio.ensure_future(worker.acquire(TENANT, money, tokens))
        await asyncio.sleep(0)
        for _ in range(10):  # the bank in memory needs no time: what comes, comes in a few turns
            if asking.done():
                return asking.result()
            await asyncio.sleep(0)
        asking.cancel()
        with suppress(asyncio.CancelledError):
            await asking
        return None
    return outcome
