"""All accounts of one worker, the month that they are in, and what the clock does to them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from neocloud.quotas.account import Account
from neocloud.quotas.judge import Standing
from neocloud.quotas.months import month_of, span_of
from neocloud.quotas.records import Patience, TenantLimit
from neocloud.units import SECOND_NS

_TICK_S = 0.01
"""Between two looks at the clock's work for one tenant; buckets are exact to this."""


class Desk:
    """What the request path and the exchange with the bank have in common.

    Attributes:
        accounts: by tenant, those with a limit.
        leaving: of tenants that have none any more, until their last request has ended.
        active: accounts that have something to tell to the bank or to fetch from it.
        failure: why the bank is away, None while it is not.
        heard_s: when it last answered.
        superseded: whether another process holds this worker's leases now.
        workers: how many share the limits.
        month: the month that requests are admitted in.
        wake: called when an account is low.
    """

    def __init__(
        self,
        patience: Patience,
        workers: int,
        clock: Callable[[], float],
        epoch_ns: Callable[[], int],
        *,
        banked: bool,
    ) -> None:
        self.banked = banked
        self.patience = patience
        self.clock = clock
        self._epoch_ns = epoch_ns
        self.accounts: dict[str, Account] = {}
        self.leaving: list[Account] = []
        self.active: set[Account] = set()
        self.failure: str | None = None
        self.heard_s = clock()
        self.superseded = False
        self.workers = workers
        self.wake: Callable[[], None] = _nobody
        self.month, self._month_end_ns, self._month_end_s = "", 0, 0.0
        self.anchor()

    def standing(self, now_s: float) -> Standing:
        """What a judge needs to know beside the account."""
        return Standing(
            self.banked, self.failure is not None, now_s,
            max(0.0, self._month_end_s - now_s), self.patience.period_s,
        )  # fmt: skip

    def anchor(self) -> None:
        """Find the month, and when it ends on the monotonic clock."""
        now_ns, now_s = self._epoch_ns(), self.clock()
        month = month_of(now_ns)
        if month > self.month:  # a clock that was set back does not bring the old month back
            self.month = month
            self._month_end_ns = span_of(month).end_ns
        self._month_end_s = now_s + (self._month_end_ns - now_ns) / SECOND_NS
        for account in self.accounts.values():
            account.due_s = min(account.due_s, self._month_end_s)
            account.roll(self.month, banked=self.banked)

    def tick(self, account: Account, now_s: float) -> None:
        """What the clock brings for a tenant: refill, a new month, a bank that is away."""
        while now_s >= self._month_end_s:
            self._next_month()
        account.roll(self.month, banked=self.banked)
        account.due_s = min(now_s + _TICK_S, self._month_end_s)
        account.last_touch_s = now_s
        if account.part:
            account.refill(now_s)
        if not self.banked:
            return
        if account.first_touch_s is None:
            account.first_touch_s = now_s
        self.active.add(account)
        if self.failure is not None:
            self._without_bank(account, now_s)
        elif account.is_low():
            self.wake()

    def change(self, limits: Mapping[str, TenantLimit]) -> None:
        """Let other limits hold."""
        wanted = {name: limit for name, limit in limits.items() if not limit.limits_nothing}
        for name in [name for name in self.accounts if name not in wanted]:
            account = self.accounts.pop(name)
            if self.banked:
                self.leaving.append(account)
                self.active.add(account)
        come_back = {
            account.tenant: account for account in self.leaving if account.tenant in wanted
        }
        self.leaving = [account for account in self.leaving if account.tenant not in wanted]
        now_s = self.clock()
        for name, limit in wanted.items():
            known = self.accounts.get(name) or come_back.get(name)
            if known is None:
                known = Account(name, self.month, now_s)
            known.change(limit, banked=self.banked)
            known.part = 0.0 if self.banked else 1.0
            known.due_s = now_s
            self.accounts[name] = known
            if self.banked:
                self.active.add(known)

    def lose(self, reason: str) -> None:
        """The bank is away: each account finds out with its next request."""
        self.failure = reason
        now_s = self.clock()
        for account in self.accounts.values():
            account.due_s = min(account.due_s, now_s)

    def find(self) -> None:
        """The bank has answered."""
        self.heard_s = self.clock()
        if self.failure is None:
            return
        self.failure = None
        for account in self.accounts.values():
            account.part = 0.0
            self.active.add(account)

    def _without_bank(self, account: Account, now_s: float) -> None:
        """Let rates and slots go on for the grace at this worker's part; then give them up."""
        away_s = now_s - self.heard_s
        if away_s > self.patience.grace_s or self.superseded:
            account.part = 0.0
            account.surrender_rates()
        elif not account.part:
            account.part = 1.0 / self.workers
            account.filled_s = now_s
            limit = account.limit.concurrent_requests
            if limit is not None:
                more = max(0, -(-limit // self.workers) - account.leased_slots)
                account.slots += more
                account.leased_slots += more
        if away_s > self.patience.money_s or self.superseded:
            account.surrender_money()

    def _next_month(self) -> None:
        """The monotonic clock has reached the month's end."""
        self.month = month_of(self._month_end_ns)
        end_ns = span_of(self.month).end_ns
        self._month_end_s += (end_ns - self._month_end_ns) / SECOND_NS
        self._month_end_ns = end_ns


def _nobody() -> None:
    """Without an exchange there is nobody to wake."""
