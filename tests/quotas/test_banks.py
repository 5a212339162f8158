"""What each store keeps of leases, runs and months."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from neocloud.quotas import BankError, EmbeddedBank, SharedBank, SupersededError, TenantLimit
from neocloud.quotas.bank import Ask, Grant, MoneyAsk, RateAsk, SlotAsk, Worker

from ..servers.redis import RedisServer  # noqa: TID252  (a real server)
from .world import HUGE, MONTH, TENANT, AnyBank, Time, worker


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture(params=["embedded", "redis"])
def bank(request: pytest.FixtureRequest, tmp_path: Path, time: Time) -> Callable[[], AnyBank]:
    def embedded() -> AnyBank:
        return EmbeddedBank(tmp_path / "quotas", time.now_ns)

    if request.param == "embedded":
        return embedded
    running: RedisServer = request.getfixturevalue("redis")

    def shared() -> AnyBank:
        made = SharedBank(running.url)
        time.tell(made)
        return made

    return shared


def money(limit: int, month: str = MONTH, **numbers: int) -> Ask:
    return Ask(
        tenant=TENANT, month=month, limit=TenantLimit(budget=limit), money=MoneyAsk(**numbers)
    )


async def one(bank: AnyBank, who: Worker, sequence: int, ask: Ask) -> Grant:
    answer = await bank.exchange(who, sequence, [ask])
    assert len(answer.grants) == 1
    return answer.grants[0]


def test_large_amounts_are_exact(bank):
    async def main() -> None:
        first, second = bank(), bank()
        await first.open(worker("a"), MONTH, [TENANT], None)
        grant = await one(first, worker("a"), 1, money(HUGE, most=HUGE))
        assert (grant.money.granted, grant.money.pool) == (HUGE, 0)
        grant = await one(first, worker("a"), 2, money(HUGE, kept=10**18 + 1, used=10**12 - 1))
        assert (grant.money.pool, grant.spent) == (HUGE - 10**18 - 1, 10**12 - 1)
        await second.open(worker("b"), MONTH, [TENANT], None)
        grant = await one(second, worker("b"), 1, money(HUGE, least=5, most=HUGE))
        left = HUGE - 10**18 - 1
        assert grant.money.granted == left // 4  # half of what is left over two workers
        assert grant.money.pool == left - left // 4
        # Two amounts that carry to a whole unit of the currency.
        await one(first, worker("a"), 3, money(HUGE, kept=10**12 - 1))
        grant = await one(second, worker("b"), 2, money(HUGE, kept=1, used=1))
        assert (grant.money.pool, grant.spent) == (HUGE - 10**12, 1)
        await first.close()
        await second.close()

    asyncio.run(main())


def test_a_slice_is_never_smaller_than_what_a_request_waits_for_and_never_more_than_is_left(bank):
    async def main() -> None:
        store = bank()
        who = worker("a", expected=4)
        await store.open(who, MONTH, [TENANT], None)
        grant = await one(store, who, 1, money(100, least=90, most=95))
        assert (grant.money.granted, grant.money.short) == (90, False)
        grant = await one(store, who, 2, money(100, kept=90, least=11, most=50))
        assert (grant.money.granted, grant.money.pool, grant.money.short) == (0, 10, True)
        answer = await store.exchange(who, 3, [])
        assert answer.short == {TENANT}
        assert answer.workers == 4
        await store.close()

    asyncio.run(main())


def test_the_lease_of_an_earlier_run_is_spent_until_the_ledger_says_what_was(bank):
    async def main() -> None:
        store = bank()
        await store.open(worker("a", "1"), MONTH, [TENANT], None)
        await one(store, worker("a", "1"), 1, money(1000, most=1000))
        await one(store, worker("a", "1"), 2, money(1000, kept=600, used=50, spare=500))
        await store.open(worker("a", "2"), MONTH, [TENANT], None)
        grant = await one(store, worker("a", "2"), 1, money(1000))
        assert (grant.money.pool, grant.spent) == (400, 600)
        await store.open(worker("a", "3"), MONTH, [TENANT], {TENANT: 70})
        grant = await one(store, worker("a", "3"), 1, money(1000))
        assert (grant.money.pool, grant.spent) == (930, 70)
        await store.open(worker("a", "4"), MONTH, [TENANT], {})  # its ledger has nothing
        grant = await one(store, worker("a", "4"), 1, money(1000))
        assert (grant.money.pool, grant.spent) == (1000, 0)
        await store.close()

    asyncio.run(main())


def test_reconciling_ends_the_leases_of_the_dead_and_leaves_those_of_the_living(bank, time):
    async def main() -> None:
        store = bank()
        dead, living = worker("dead"), worker("living")
        for who in (dead, living):
            await store.open(who, MONTH, [TENANT], None)
        await one(store, dead, 1, money(1000, kept=0, least=300, most=300))
        time.passed_s = 100.0
        time.tell(store)
        await one(store, living, 1, money(1000, kept=0, least=200, most=200))
        await store.reconcile(TENANT, MONTH, 90, 600.0)  # not yet long enough silent to be dead
        grant = await one(store, living, 2, money(1000, kept=200, used=40, spare=160))
        assert grant.money.pool == 1000 - 300 - 90 - 200
        await store.reconcile(TENANT, MONTH, 90, 50.0)
        grant = await one(store, living, 3, money(1000, kept=200, used=40, spare=160))
        assert grant.money.pool == 1000 - (90 - 40) - 200
        assert grant.spent == 90
        await store.close()

    asyncio.run(main())


def test_months_are_apart(bank):
    async def main() -> None:
        store = bank()
        await store.open(worker("a"), MONTH, [TENANT], None)
        await one(store, worker("a"), 1, money(100, most=100))
        grant = await one(store, worker("a"), 2, money(100, "2026-11", most=100))
        assert grant.money.granted == 100
        grant = await one(store, worker("a"), 3, money(100, kept=30, used=30))
        assert (grant.money.pool, grant.spent) == (70, 30)
        await store.close()

    asyncio.run(main())


def test_a_second_process_under_the_same_name_ends_the_first(bank):
    async def main() -> None:
        store = bank()
        await store.open(worker("a", "1"), MONTH, [TENANT], None)
        await store.open(worker("a", "2"), MONTH, [TENANT], None)
        with pytest.raises(SupersededError, match="worker a was started again"):
            await one(store, worker("a", "1"), 1, money(100, most=100))
        await store.leave(worker("a", "1"))  # has no say any more
        grant = await one(store, worker("a", "2"), 1, money(100, most=100))
        assert grant.money.granted == 100
        await store.close()

    asyncio.run(main())


def test_a_message_that_comes_late_changes_nothing(bank):
    async def main() -> None:
        store = bank()
        await store.open(worker("a"), MONTH, [TENANT], None)
        await one(store, worker("a"), 2, money(100, least=60, most=60))
        for late in (1, 2):
            with pytest.raises(BankError, match="came"):
                await one(store, worker("a"), late, money(100))
        grant = await one(store, worker("a"), 3, money(100, kept=60))
        assert grant.money.pool == 40
        await store.close()

    asyncio.run(main())


def test_slots_and_rates_of_the_dead_are_free_again(bank, time):
    limit = TenantLimit(concurrent_requests=10, requests_per_minute=60, tokens_per_minute=600)

    def ask(**parts: RateAsk | SlotAsk) -> Ask:
        return Ask(tenant=TENANT, month=MONTH, limit=limit, **parts)

    async def main() -> None:
        store = bank()
        dead, living = worker("dead"), worker("living")
        for who in (dead, living):
            await store.open(who, MONTH, [TENANT], None)
        first = ask(
            requests=RateAsk(least=40, most=40), tokens=RateAsk(least=400, most=400),
            slots=SlotAsk(least=7, most=7),
        )  # fmt: skip
        grant = await one(store, dead, 1, first)
        assert (grant.requests.granted, grant.tokens.granted, grant.slots.granted) == (40, 400, 7)
        whole = ask(
            requests=RateAsk(least=60, most=60), tokens=RateAsk(least=600, most=600),
            slots=SlotAsk(least=10, most=10),
        )  # fmt: skip
        time.passed_s = 9.0  # the buckets would be full but for what is leased
        time.tell(store)
        grant = await one(store, living, 1, whole)
        assert (grant.requests.pool, grant.tokens.pool, grant.slots.pool) == (20, 200, 3)
        assert (grant.requests.elsewhere, grant.tokens.elsewhere) == (40, 400)
        assert grant.requests.short and grant.tokens.short and grant.slots.short
        time.passed_s = 11.0  # silent for too long: the slots are back, the buckets fill on
        time.tell(store)
        grant = await one(store, living, 2, whole)
        assert (grant.requests.pool, grant.tokens.pool) == (pytest.approx(22), pytest.approx(220))
        assert grant.slots.granted == 10
        await store.close()

    asyncio.run(main())


def test_a_lease_that_lay_untouched_was_a_full_bucket(bank, time):
    limit = TenantLimit(requests_per_minute=60)

    async def main() -> None:
        store = bank()
        who = worker("a")
        await store.open(who, MONTH, [TENANT], None)

        def ask(**rate: float) -> Ask:
            return Ask(
                tenant=TENANT, month=MONTH, limit=limit, touched_s=2.0, requests=RateAsk(**rate)
            )

        grant = await one(store, who, 1, ask(most=60))
        assert grant.requests.granted == 60
        time.passed_s = 50.0  # for 48 seconds nothing was taken, then all
        time.tell(store)
        grant = await one(store, who, 2, ask(kept=0, most=60))
        assert grant.requests.granted == pytest.approx(2.0)
        await store.close()

    asyncio.run(main())


def test_a_store_that_has_forgotten_takes_the_workers_word(bank, time, tmp_path, request):
    async def main() -> None:
        store = bank()
        await store.open(worker("a"), MONTH, [TENANT], None)
        await one(store, worker("a"), 1, money(100, most=100))
        await store.close()
        if isinstance(store, SharedBank):
            with request.getfixturevalue("redis").client() as client:
                client.flushall()
        else:
            for path in tmp_path.glob("quotas*"):
                path.unlink()
        store = bank()
        answer = await store.exchange(worker("a"), 2, [money(100, kept=80, used=30, spare=50)])
        assert answer.forgotten
        assert answer.grants[0].money.pool == 20
        answer = await store.exchange(worker("a"), 3, [])
        assert not answer.forgotten
        await store.close()

    asyncio.run(main())


def test_the_embedded_file_is_its_owners_and_tells_its_version(tmp_path):
    path = tmp_path / "usage.db.quotas"

    async def opened() -> None:
        store = EmbeddedBank(path)
        try:
            await store.open(worker("a"), MONTH, [TENANT], None)
        finally:
            await store.close()

    asyncio.run(opened())
    assert path.stat().st_mode & 0o777 == 0o600
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE meta SET schema = 'neocloud.quotas/9'")
    connection.close()
    with pytest.raises(BankError, match=r"neocloud\.quotas/9.*move it away"):
        asyncio.run(opened())
    path.write_bytes(b"no database " * 1000)
    with pytest.raises(BankError, match="not a database"):
        asyncio.run(opened())


def test_a_wrong_password_is_told(redis: RedisServer, monkeypatch):
    monkeypatch.setenv("NEOCLOUD_QUOTAS_PASSWORD", "wrong")

    async def main() -> None:
        store = SharedBank(redis.url)
        try:
            with pytest.raises(BankError, match=f"127.0.0.1:{redis.port}: invalid username"):
                await store.open(worker("a"), MONTH, [TENANT], None)
        finally:
            await store.close()

    asyncio.run(main())


def test_without_the_package_the_extra_is_named(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "redis.asyncio", None)
    with pytest.raises(BankError, match=r"neocloud\[redis\]"):
        SharedBank("redis://127.0.0.1:6379/0")
