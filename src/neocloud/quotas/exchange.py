"""The exchange with the bank: one at a time, for all accounts that have something to tell."""

from __future__ import annotations

import asyncio
import logging

from neocloud.quotas.account import Account, old_ask
from neocloud.quotas.bank import Answer, Ask, Bank, Worker
from neocloud.quotas.desk import Desk
from neocloud.quotas.errors import BankError, SupersededError

log = logging.getLogger(__name__)

_MOST_ASKS = 256
"""Tenants in one message, so that none blocks the bank for long."""
_CALL_S = 5.0
"""A bank that has not answered by then is away."""


class Exchange:
    """Tells the bank what this worker keeps, and shares out what it grants.

    Attributes:
        forgotten: how often the bank had lost what it held.
    """

    def __init__(self, desk: Desk, bank: Bank, worker: Worker) -> None:
        self._desk = desk
        self._bank = bank
        self._worker = worker
        self._sequence = 0
        self._short: frozenset[str] = frozenset()
        self._busy = asyncio.Lock()
        self._coming: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False
        self.first = True
        self.forgotten = 0

    async def soon(self) -> None:
        """Wait for an exchange that begins after this call; all who wait share it."""
        if self._coming is None:
            self._coming = asyncio.ensure_future(self._drive())
            self._tasks.add(self._coming)
            self._coming.add_done_callback(self._tasks.discard)
        await asyncio.shield(self._coming)

    async def close(self) -> None:
        """Give everything back."""
        self._closed = True
        async with self._busy:
            try:
                if not self._desk.superseded:
                    self._desk.anchor()
                    await self._tell(
                        [*self._desk.accounts.values(), *self._desk.leaving], last=True
                    )
                    await self._bank.leave(self._worker)
            except BankError as error:
                log.warning("leases could not be given back and stay charged: %s", error)
        await self._bank.close()

    async def _drive(self) -> None:
        async with self._busy:
            self._coming = None  # who comes from now on waits for the next
            desk = self._desk
            desk.anchor()
            if self._closed or desk.superseded:
                return
            before = self._short
            try:
                told = desk.active | self._of(before)
                await self._tell(list(told))
                # What others have just begun to lack is given back at once, not a period later.
                if news := self._of(self._short - before):
                    if unknown := news - told:
                        await self._tell(list(unknown))  # to learn which kind is lacking
                    await self._tell(list(news))
            except SupersededError as error:
                desk.superseded = True
                self._lost(error)
            except BankError as error:
                self._lost(error)
            else:
                if desk.failure is not None:
                    log.warning("the store of the quotas answers again")
                desk.find()

    def _of(self, tenants: frozenset[str]) -> set[Account]:
        accounts = self._desk.accounts
        return {accounts[tenant] for tenant in tenants if tenant in accounts}

    def _lost(self, error: BankError) -> None:
        if self._desk.failure is None:
            log.error("the store of the quotas is away: %s", error)
        self._desk.lose(str(error))

    async def _tell(self, accounts: list[Account], *, last: bool = False) -> None:
        """Exchange for these accounts, and for what is open of their earlier months."""
        first, self.first = self.first, False
        for start in range(0, max(1, len(accounts)), _MOST_ASKS):
            await self._tell_some(accounts[start : start + _MOST_ASKS], first=first, last=last)
        desk = self._desk
        desk.leaving = [a for a in desk.leaving if a.running or a.old or a in desk.active]

    async def _tell_some(self, accounts: list[Account], *, first: bool, last: bool) -> None:
        desk = self._desk
        now_s, alone = desk.clock(), desk.workers == 1
        gone = {account for account in accounts if last or account in desk.leaving}
        asks: list[Ask] = []
        for account in accounts:
            account.observe(now_s, desk.patience.period_s)
            asks.append(
                account.ask(now_s, desk.patience, alone=alone, first=first, leaving=account in gone)
            )
        olds = [(account, month, month.used) for account in accounts for month in account.old]
        asks += [old_ask(account.tenant, month, account.limit) for account, month, _ in olds]
        try:
            answer = await self._call(asks)
        except BaseException:
            for account, ask in zip(accounts, asks, strict=False):
                # Whether it was counted is not known: a debt is rather counted twice.
                account.tokens_back += min(0.0, ask.tokens.back)
            raise
        now_s = desk.clock()
        for account, ask, grant in zip(accounts, asks, answer.grants, strict=False):
            account.take(grant, ask, now_s)
            if account.is_quiet(alone=answer.workers == 1 and account not in gone):
                desk.active.discard(account)
        for account, month, used in olds:
            if not month.held and month.used == used:
                account.old.remove(month)

    async def _call(self, asks: list[Ask]) -> Answer:
        self._sequence += 1
        try:
            async with asyncio.timeout(_CALL_S):
                answer = await self._bank.exchange(self._worker, self._sequence, asks)
        except TimeoutError:
            raise BankError(f"the store did not answer within {_CALL_S:g} s") from None
        if answer.forgotten:
            self.forgotten += 1
            log.error(
                "the store of the quotas has lost what it held; budgets count what living "
                "workers used, until they are reconciled with the ledger"
            )
        desk = self._desk
        if answer.workers != desk.workers:  # who was alone has leased all, and is to let go of it
            desk.active.update(desk.accounts.values())
        desk.workers, self._short = answer.workers, answer.short
        return answer
