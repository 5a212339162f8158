"""Report 13: budgets checked and then spent let requests at once run past them. Ours hold first."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from neocloud.quotas import Hold, Limited, Quotas, Refusal, TenantLimit

from .conftest import MakeBank
from .world import QUICK, TENANT, Clock, MemoryBank, admit_once, exchange, quotas

COST = 7_000_000_000


def test_report_13_200_at_once_on_a_budget_for_3_without_a_bank():
    clock = Clock()
    worker = quotas(TenantLimit(budget=3 * COST + COST // 2), None, clock)
    outcomes = [worker.admit(TENANT, COST, 100, clock.now_s) for _ in range(200)]
    assert [isinstance(outcome, Hold) for outcome in outcomes] == [True] * 3 + [False] * 197
    assert {outcome.kind for outcome in outcomes[3:]} == {Limited.BUDGET}


def test_report_13_one_process_has_all_of_its_budget_at_once(make_bank: MakeBank):
    """The whole of each limit, to the last unit, without a lease between."""

    async def main() -> None:
        limit = TenantLimit(
            requests_per_minute=200, tokens_per_minute=20_000, concurrent_requests=200,
            budget=3 * COST,
        )  # fmt: skip
        worker = Quotas({TENANT: limit, "other": limit}, make_bank())
        await worker.start()
        now_s = worker._desk.clock()
        outcomes = [worker.admit(TENANT, COST, 100, now_s) for _ in range(200)]
        assert [isinstance(outcome, Hold) for outcome in outcomes] == [True] * 3 + [False] * 197
        free = [worker.admit("other", 0, 100, now_s) for _ in range(201)]
        assert [isinstance(outcome, Hold) for outcome in free[:200]] == [True] * 200
        await worker.close()

    asyncio.run(main())


def test_report_13_200_at_once_over_three_workers(make_bank: MakeBank):
    """Whatever slices there are: exactly three are admitted, and all others refused."""

    async def main() -> None:
        limit = {TENANT: TenantLimit(budget=3 * COST)}
        workers = [Quotas(limit, make_bank(), worker=str(n), patience=QUICK) for n in range(3)]
        for worker in workers:
            await worker.start()
        tending = [asyncio.ensure_future(worker.run()) for worker in workers]
        outcomes = await asyncio.gather(
            *(workers[n % 3].acquire(TENANT, COST, 100) for n in range(200))
        )
        holds = [outcome for outcome in outcomes if isinstance(outcome, Hold)]
        assert len(holds) == 3
        kinds = {outcome.kind for outcome in outcomes if isinstance(outcome, Refusal)}
        assert kinds == {Limited.BUDGET}
        # What they did not use serves as many more, wherever they come and wherever it lies.
        for hold in holds:
            workers[0].settle(hold, COST // 3, 10)
        more: list[Hold] = []
        async with asyncio.timeout(20):
            while len(more) < 2:
                outcome = await workers[len(more)].acquire(TENANT, COST, 100)
                if isinstance(outcome, Hold):
                    more.append(outcome)
                else:
                    await asyncio.sleep(outcome.retry_after_s / 50)
        last = await asyncio.gather(*(worker.acquire(TENANT, COST, 100) for worker in workers))
        assert {outcome.kind for outcome in last} == {Limited.BUDGET}
        for task in tending:
            task.cancel()
        for worker in workers:
            await worker.close()

    asyncio.run(main())


@dataclass
class Play:
    """Several workers on one bank, and what their ledgers say was spent."""

    budget: int
    count: int
    clock: Clock = field(default_factory=Clock)
    open: list[tuple[int, Hold, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.bank = MemoryBank(self.clock)
        self.spent = [0] * self.count
        self.limit = TenantLimit(budget=self.budget)
        self.workers = [self.made(n) for n in range(self.count)]

    def made(self, number: int) -> Quotas:
        return quotas(self.limit, self.bank, self.clock, str(number))

    async def admit(self, number: int, money: int) -> None:
        outcome = await admit_once(self.workers[number], self.clock, money, 1)
        if isinstance(outcome, Hold):
            self.open.append((number, outcome, money))

    def settle(self, which: int, part: float) -> None:
        if self.open:
            number, hold, money = self.open.pop(which % len(self.open))
            cost = int(money * part)
            self.workers[number].settle(hold, cost, 1)
            self.spent[number] += cost

    async def crash(self, number: int, *, knows: bool) -> None:
        """A worker dies with all it held, and starts again with or without its ledger's sum."""
        self.open = [entry for entry in self.open if entry[0] != number]
        self.workers[number] = self.made(number)
        await self.workers[number].start({TENANT: self.spent[number]} if knows else None)

    @property
    def in_flight(self) -> int:
        return sum(money for _, _, money in self.open)


Moves = st.lists(
    st.one_of(
        st.tuples(st.just("admit"), st.integers(0, 3), st.integers(1, 60)),
        st.tuples(st.just("settle"), st.integers(0, 50), st.floats(0, 1)),
        st.tuples(st.just("exchange"), st.integers(0, 3), st.floats(0, 3)),
        st.tuples(st.just("lose"), st.integers(0, 3), st.just(0)),
        st.tuples(st.just("crash"), st.integers(0, 3), st.booleans()),
        st.tuples(st.just("reconcile"), st.integers(0, 3), st.just(0)),
    ),
    max_size=50,
)


@settings(max_examples=150)
@given(budget=st.integers(0, 200), count=st.integers(1, 4), moves=Moves)
def test_report_13_no_interleaving_over_the_slices_of_workers_overruns(budget, count, moves):
    """What is spent and in flight never exceeds the budget; what is not spent comes back."""

    async def main() -> None:
        play = Play(budget, count)
        for worker in play.workers:
            await worker.start()
        for move, number, value in moves:
            who = number % count
            if move == "admit":
                await play.admit(who, value)
            elif move == "settle":
                play.settle(number, value)
            elif move == "crash":
                await play.crash(who, knows=value)
            elif move == "reconcile":
                await reconciled(play, who)
            elif move == "lose":
                play.bank.lost_answers = 1
                await exchange(play.workers[who])
                play.bank.lost_answers = 0
                await exchange(play.workers[who])
            else:
                play.clock.passed_s += value
                await exchange(play.workers[who])
            assert sum(play.spent) + play.in_flight <= budget
        while play.open:
            play.settle(0, 0.5)
        for number in range(count):  # the books are right again once each knows its own sum
            await play.crash(number, knows=True)
        await reconciled(play, 0)
        for worker in play.workers:
            await worker.close()
        assert play.bank.charged() == sum(play.spent) <= budget

    asyncio.run(main())


async def reconciled(play: Play, who: int) -> None:
    """All have told what they used, so the ledger has nothing that they have not."""
    for worker in play.workers:
        await exchange(worker)
    await play.workers[who].reconcile(TENANT, sum(play.spent))


def test_report_13_tokens_a_minute_are_held_too():
    """663 tokens on a limit of 100 were let through elsewhere."""
    clock = Clock()
    worker = quotas(TenantLimit(tokens_per_minute=100), None, clock)
    outcomes = [worker.admit(TENANT, 0, 51, clock.now_s) for _ in range(13)]
    assert sum(isinstance(outcome, Hold) for outcome in outcomes) == 1
