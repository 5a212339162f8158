"""Whether a tenant may still use what it asks for: hold before dispatch, settle after.

`admit`, `settle` and `remaining` are synchronous and touch only what this worker holds. What it
holds comes from the bank, by `run` each period and by `acquire` when a request cannot wait for it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from secrets import token_hex

from neocloud.quotas.account import Account, Want
from neocloud.quotas.bank import Bank, Worker
from neocloud.quotas.desk import Desk
from neocloud.quotas.errors import BankError
from neocloud.quotas.exchange import Exchange
from neocloud.quotas.judge import impossible, judge, rate_left, remaining, unavailable
from neocloud.quotas.records import (
    Hold,
    NeedsLease,
    Patience,
    RateLeft,
    Refusal,
    Remaining,
    TenantLimit,
)

_MOST_WAITING = 64
"""Requests of one tenant that wait for a lease at once; more are refused."""
_FREE = Hold(None, None, 0, 0)


class Quotas:
    """The limits of all tenants in one worker process.

    Args:
        limits: by tenant. One that is not named has no limit.
        bank: what workers share; None where this process is the only one, and budgets begin anew
            with it (`start` can be told what was spent).
        worker: this process's id; the same after a restart, and of no other process.
        workers: how many processes there are to be.
        patience: times of the exchange.
        clock: monotonic seconds, the `now_s` of all calls.
        epoch_ns: the time of day.
    """

    def __init__(
        self,
        limits: Mapping[str, TenantLimit],
        bank: Bank | None = None,
        *,
        worker: str = "0",
        workers: int = 1,
        patience: Patience | None = None,
        clock: Callable[[], float] = time.monotonic,
        epoch_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        patience = patience or Patience()
        self._desk = Desk(patience, workers, clock, epoch_ns, banked=bank is not None)
        self._accounts = self._desk.accounts
        self._tick = self._desk.tick
        self._wake = asyncio.Event()
        self._desk.wake = self._wake.set
        self._bank = bank
        self._worker = Worker(
            worker, token_hex(8), workers, patience.lease_s, 2 * patience.period_s
        )
        self._exchange = None if bank is None else Exchange(self._desk, bank, self._worker)
        self.change(limits)

    @property
    def workers(self) -> int:
        """How many workers share the limits, as far as the bank has said."""
        return self._desk.workers

    @property
    def failure(self) -> str | None:
        """Why the bank is away; None while it answers."""
        return self._desk.failure

    @property
    def forgotten(self) -> int:
        """How often the bank had lost what it held; budgets should then be reconciled."""
        return 0 if self._exchange is None else self._exchange.forgotten

    def admit(
        self, tenant: str, money: int, tokens: int, now_s: float
    ) -> Hold | Refusal | NeedsLease:
        """Take what a request may cost at most.

        Args:
            tenant: whose request.
            money: the most that it may cost, 1e-12 of the currency.
            tokens: the most that it may use, prompt and answer.
            now_s: monotonic time.
        """
        account = self._accounts.get(tenant)
        if account is None:
            return _FREE
        if now_s >= account.due_s:
            self._tick(account, now_s)
        month = account.month
        if (
            account.requests >= 1
            and account.tokens >= tokens
            and account.slots > 0
            and month.free >= money
        ):
            account.requests -= 1
            account.tokens -= tokens
            account.slots -= 1
            month.free -= money
            month.held += money
            return Hold(account, month, money, tokens)
        return self._short(account, money, tokens, now_s)

    @staticmethod
    def settle(hold: Hold, money: int, tokens: int) -> None:
        """Say what a request has really used; the rest is given back. The second time is nothing.

        Args:
            hold: of its admission.
            money: what it cost, 1e-12 of the currency, in the month of its admission. More than
                was held is counted too: the budget may so end below zero.
            tokens: what it used.
        """
        account, month = hold.account, hold.month
        if account is None or month is None:
            return
        hold.account = None
        held = hold.money
        account.slots += 1
        account.tokens_back += hold.tokens - tokens
        month.held -= held
        month.used += money
        month.free += held - money

    def remaining(self, tenant: str, now_s: float) -> Remaining:
        """What a tenant may still use, for headers."""
        account = self._accounts.get(tenant)
        if account is None:
            return Remaining()
        if account.part:
            account.refill(now_s)
        return remaining(account, self._desk.standing(now_s))

    def rates(self, tenant: str, now_s: float) -> tuple[RateLeft | None, RateLeft | None]:
        """What is left of a tenant's requests and tokens a minute: quicker than `remaining`."""
        account = self._accounts.get(tenant)
        if account is None:
            return None, None
        if account.part:
            account.refill(now_s)
        if self._desk.banked:
            left = remaining(account, self._desk.standing(now_s))
            return left.requests, left.tokens
        limit = account.limit
        most, more = limit.requests_per_minute, limit.tokens_per_minute
        return (
            None if most is None else rate_left(most, account.requests),
            None if more is None else rate_left(more, account.tokens),
        )

    async def acquire(self, tenant: str, money: int, tokens: int) -> Hold | Refusal:
        """Admit after `NeedsLease`: ask the bank, and wait a little for what others can spare."""
        desk, exchange = self._desk, self._exchange
        begin_s = desk.clock()
        asked = False
        want = Want(money, tokens)
        while True:
            now_s = desk.clock()
            outcome = self.admit(tenant, money, tokens, now_s)
            if not isinstance(outcome, NeedsLease):
                return outcome
            assert exchange is not None, "only a bank gives leases"
            account = self._accounts[tenant]
            late = now_s - begin_s > desk.patience.wait_s
            if late or len(account.waiting) >= _MOST_WAITING:
                return _final(judge(account, money, tokens, desk.standing(now_s), patient=False))
            account.waiting[id(want)] = want
            desk.active.add(account)
            try:
                if asked:  # the bank had too little; others give back within a period
                    await asyncio.sleep(desk.patience.period_s / 8)
                await exchange.soon()
            finally:
                del account.waiting[id(want)]
            asked = True

    async def start(self, spent: Mapping[str, int] | None = None) -> None:
        """Begin: with a bank, take over from this worker's earlier run and lease a first slice.

        Args:
            spent: what this worker's ledger shows for the current month by tenant, 1e-12 of the
                currency; a tenant that is missing spent nothing. Without it, all that an earlier
                run had leased counts as spent until `reconcile`.

        Raises:
            BankError: the bank cannot be used.
        """
        self._desk.anchor()
        if self._bank is None or self._exchange is None:
            for tenant, account in self._accounts.items():
                _set_spent(account, account.month.used + (spent or {}).get(tenant, 0))
            return
        await self._bank.open(self._worker, self._desk.month, tuple(self._accounts), spent)
        await self._exchange.soon()
        if self._desk.failure is not None:
            raise BankError(self._desk.failure)

    async def run(self) -> None:
        """Keep leases at what is needed, until cancelled."""
        period_s = self._desk.patience.period_s
        while True:
            try:
                async with asyncio.timeout(period_s):
                    await self._wake.wait()
            except TimeoutError:
                pass
            self._wake.clear()
            if self._exchange is None:
                self._desk.anchor()
            else:
                await self._exchange.soon()
            await asyncio.sleep(period_s / 50)

    async def reconcile(self, tenant: str, spent: int, month: str | None = None) -> None:
        """Set what a tenant has spent in a month by a ledger that holds all that was settled.

        Leases of dead workers end with it. What the ledger has and a living worker has not yet
        told counts twice, on the safe side, until the next call.

        Args:
            tenant: whose budget.
            spent: the sum over all workers, 1e-12 of the currency.
            month: as `2026-10`; the current one if None.

        Raises:
            BankError: the bank cannot be used.
        """
        self._desk.anchor()
        month = month or self._desk.month
        account = self._accounts.get(tenant)
        if self._bank is not None and self._exchange is not None:
            await self._exchange.soon()
            await self._bank.reconcile(tenant, month, spent, self._desk.patience.dead_s)
            if account is not None:
                self._desk.active.add(account)
            await self._exchange.soon()
        elif account is not None and month == account.month.key:
            _set_spent(account, spent)

    def charge(self, tenant: str, money: int) -> None:
        """Count what this worker's requests cost before their tenant had a budget.

        Args:
            tenant: that has a budget since `change`.
            money: 1e-12 of the currency, in the current month; the budget may so end below zero.
        """
        account = self._accounts.get(tenant)
        if account is not None:
            account.month.used += money
            if self._bank is None:  # else it learns of it, and leases so much less
                account.month.free -= money
            self._desk.active.add(account)

    def change(self, limits: Mapping[str, TenantLimit]) -> None:
        """Let other limits hold from now on. What is in flight is settled where it was held."""
        self._desk.change(limits)
        if self._exchange is not None:
            self._exchange.first = True

    async def close(self) -> None:
        """Give back what is leased. What is still held stays charged, as if it were spent."""
        if self._exchange is not None:
            await self._exchange.close()

    def _short(
        self, account: Account, money: int, tokens: int, now_s: float
    ) -> Hold | Refusal | NeedsLease:
        never = impossible(account, money, tokens)
        if never is not None:
            return never
        month = account.month
        if account.part:
            account.refill(now_s)
            if (
                account.requests >= 1
                and account.tokens >= tokens
                and account.slots > 0
                and month.free >= money
            ):
                account.requests -= 1
                account.tokens -= tokens
                account.slots -= 1
                month.free -= money
                month.held += money
                return Hold(account, month, money, tokens)
        at = self._desk.standing(now_s)
        if self._desk.superseded:
            return unavailable(at)
        return judge(account, money, tokens, at)


def _set_spent(account: Account, spent: int) -> None:
    account.month.free += account.month.used - spent
    account.month.used = spent


def _final(verdict: Refusal | NeedsLease) -> Refusal:
    assert isinstance(verdict, Refusal), "an impatient judge refuses"
    return verdict
