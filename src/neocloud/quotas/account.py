"""What one worker knows and holds of one tenant.

`requests`, `tokens`, `slots` and `month.free` are what the worker may give out by itself; the
request path touches nothing else. Without a bank they are the tenant's whole buckets. With one
they are leases, and what is given back of a hold's tokens waits in `tokens_back` for the bank,
because only the bank knows how full the bucket may be.
"""

from __future__ import annotations

import math
from typing import TypeVar

from msgspec.structs import replace

from neocloud.quotas.bank import (
    Ask,
    CountGrant,
    Grant,
    MoneyAsk,
    RateAsk,
    RateGrant,
    SlotAsk,
)
from neocloud.quotas.records import Patience, TenantLimit

NO_MONEY_LIMIT = 10**40
NO_SLOT_LIMIT = 1 << 60
"""Stand for no limit where the request path counts in whole numbers."""

NEVER_S = -math.inf
N = TypeVar("N", int, float)

_SOON = 0.25
"""Ask for more when less is left than this part of a period used."""
_AHEAD = 2
"""Lease so many periods' use ahead."""


class Want:
    """A request that waits for a lease."""

    __slots__ = ("money", "tokens")

    def __init__(self, money: int, tokens: int) -> None:
        self.money = money
        self.tokens = tokens


class Month:
    """One calendar month's money at this worker; leased are `free`, `used` and `held` together."""

    __slots__ = ("free", "held", "key", "used")

    def __init__(self, key: str, free: int) -> None:
        self.key = key
        self.free = free
        self.used = 0
        self.held = 0


class Account:
    """See the module. `part` is the part of the rates that refills here: 0 while the bank does."""

    __slots__ = (
        "due_s", "filled_s", "first_touch_s", "known", "known_s", "last_touch_s", "leased_slots",
        "limit", "low_money", "low_requests", "low_tokens", "mark", "marked_s", "month", "old",
        "part", "requests", "slots", "tenant", "tokens", "tokens_back", "use", "waiting",
    )  # fmt: skip

    def __init__(self, tenant: str, month: str, now_s: float) -> None:
        self.tenant = tenant
        self.limit = TenantLimit()
        self.requests = self.tokens = math.inf
        self.tokens_back = 0.0
        self.slots = self.leased_slots = NO_SLOT_LIMIT
        self.month = Month(month, NO_MONEY_LIMIT)
        self.old: list[Month] = []
        self.part = 0.0
        self.filled_s = self.known_s = self.marked_s = now_s
        self.due_s = NEVER_S
        self.first_touch_s: float | None = None
        self.last_touch_s = now_s
        self.waiting: dict[int, Want] = {}
        self.known = Grant()
        self.use = (0.0, 0.0, 0)
        self.mark = (0.0, 0.0, 0)
        self.low_requests = self.low_tokens = 0.0
        self.low_money = 0

    @property
    def running(self) -> int:
        """Requests in flight."""
        return self.leased_slots - self.slots

    def change(self, limit: TenantLimit, *, banked: bool) -> None:
        """Let other limits hold; what is in flight or spent stays so."""
        old, self.limit = self.limit, limit
        self.requests = _changed(
            self.requests, old.requests_per_minute, limit.requests_per_minute, banked
        )
        self.tokens = _changed(self.tokens, old.tokens_per_minute, limit.tokens_per_minute, banked)
        running, month = self.running, self.month
        if limit.concurrent_requests is None:
            self.leased_slots = NO_SLOT_LIMIT
        elif banked and old.concurrent_requests is None:
            self.leased_slots = running
        elif not banked or self.leased_slots > limit.concurrent_requests:
            self.leased_slots = limit.concurrent_requests
        self.slots = self.leased_slots - running
        whole = (NO_MONEY_LIMIT if limit.budget is None else limit.budget) - month.used - month.held
        if limit.budget is None or not banked:
            month.free = whole
        elif old.budget is None:
            month.free = 0
        else:
            month.free = min(month.free, whole)
        if banked:
            self.known = _with_new_pools(self.known, old, limit)

    def roll(self, month: str, *, banked: bool) -> None:
        """Begin a month with its whole budget; holds of the old one are settled in the old one."""
        if month == self.month.key:
            return
        budget = self.limit.budget
        if banked and budget is not None:
            self.month.free = 0
            self.old.append(self.month)
            self.month = Month(month, 0)
            self.known = _with_pool(self.known, budget)
            self.mark = (self.mark[0], self.mark[1], 0)
        else:
            self.month = Month(month, NO_MONEY_LIMIT if budget is None else budget)

    def refill(self, now_s: float) -> None:
        """Fill this worker's part of the buckets by the time that went by."""
        elapsed = max(0.0, now_s - self.filled_s)
        self.filled_s = now_s
        if (limit := self.limit.requests_per_minute) is not None:
            cap = max(1.0, limit * self.part)
            if self.requests < cap:
                self.requests = min(cap, self.requests + cap * elapsed / 60)
        if (limit := self.limit.tokens_per_minute) is not None:
            cap = limit * self.part
            self.tokens += self.tokens_back
            if self.tokens < cap or self.tokens_back > 0:
                self.tokens = min(cap, self.tokens + cap * elapsed / 60)
        self.tokens_back = 0.0

    def surrender_rates(self) -> None:
        """Give up what is leased and free of rates and slots."""
        if self.limit.requests_per_minute is not None:
            self.requests = min(0.0, self.requests)
        if self.limit.tokens_per_minute is not None:
            self.tokens = min(0.0, self.tokens)
        if self.limit.concurrent_requests is not None and self.slots > 0:
            self.leased_slots -= self.slots
            self.slots = 0

    def surrender_money(self) -> None:
        """Give up what is left of the slice."""
        if self.limit.budget is not None:
            self.month.free = min(0, self.month.free)

    def is_low(self) -> bool:
        """Whether more should be leased before a request has to wait for it."""
        return (
            self.requests < self.low_requests
            or self.tokens < self.low_tokens
            or self.month.free < self.low_money
        )

    def is_quiet(self, *, alone: bool) -> bool:
        """Whether nothing has to be told to the bank or fetched from it until the next request."""
        limit, month = self.limit, self.month
        if self.running or self.waiting or self.old or month.held:
            return False
        if self.tokens_back and limit.tokens_per_minute is not None:
            return False
        if alone:
            return (
                self.requests >= (limit.requests_per_minute or 0)
                and self.tokens >= (limit.tokens_per_minute or 0)
            )  # fmt: skip
        return (
            (limit.requests_per_minute is None or self.requests <= 0)
            and (limit.tokens_per_minute is None or self.tokens <= 0)
            and (limit.concurrent_requests is None or self.slots <= 0)
            and (limit.budget is None or month.free <= 0)
        )

    def observe(self, now_s: float, period_s: float) -> None:
        """Learn how much a period uses, from what is gone since the last exchange."""
        spent_s = max(now_s - self.marked_s, period_s / 4)
        scale, fade = period_s / spent_s, 0.5 ** (spent_s / period_s)
        requests, tokens, money = self.mark
        self.use = (
            max(_gone(requests, self.requests) * scale, self.use[0] * fade),
            max(_gone(tokens, self.tokens) * scale, self.use[1] * fade),
            max(int(_gone(money, self.month.free) * scale), int(self.use[2] * fade)),
        )
        self.low_requests, self.low_tokens = self.use[0] * _SOON, self.use[1] * _SOON
        self.low_money = int(self.use[2] * _SOON)

    def ask(
        self, now_s: float, patience: Patience, *, alone: bool, first: bool, leaving: bool
    ) -> Ask:
        """What to tell the bank; what goes back with it is given up here and now."""
        limit, month, known = self.limit, self.month, self.known
        idle = leaving or (not alone and now_s - self.last_touch_s > patience.idle_s)
        whole = (alone or first) and not leaving
        wants = list(self.waiting.values())
        touched_s = 0.0 if self.first_touch_s is None else now_s - self.first_touch_s
        self.first_touch_s = None
        self.due_s = NEVER_S  # so that the next request is seen as the first touch
        back, self.tokens_back = self.tokens_back, 0.0
        requests = tokens = RateAsk()
        slots, money = SlotAsk(), MoneyAsk()
        if limit.requests_per_minute is not None:
            ahead = 0.0 if idle else self.use[0] * _AHEAD + len(wants)
            most = limit.requests_per_minute if whole else ahead
            need = 1.0 if wants else 0.0
            idle_kind = idle or known.requests.short
            keep = _kept(self.requests, ahead, need, idle=idle_kind, alone=alone and not leaving)
            keep = max(0.0, min(keep, limit.requests_per_minute))
            requests = _rate_ask(keep, self.requests - keep, need, most)
            self.requests = keep
        if limit.tokens_per_minute is not None:
            ahead = 0.0 if idle else self.use[1] * _AHEAD + sum(w.tokens for w in wants)
            most = limit.tokens_per_minute if whole else ahead
            need = min((float(w.tokens) for w in wants), default=0.0)
            idle_kind = idle or known.tokens.short
            keep = _kept(self.tokens, ahead, need, idle=idle_kind, alone=alone and not leaving)
            keep = max(0.0, min(keep, limit.tokens_per_minute))  # a debt goes back as one
            tokens = _rate_ask(keep, back + self.tokens - keep, need, most)
            self.tokens = keep
        if limit.concurrent_requests is not None:
            most_slots = limit.concurrent_requests
            spare = 0 if idle else self.running // 2 + len(wants)
            idle_kind = idle or known.slots.short
            kept = _kept(self.slots, spare, 0, idle=idle_kind, alone=alone and not leaving)
            kept = max(0, min(kept, most_slots - self.running))
            self.leased_slots -= self.slots - kept
            self.slots = kept
            lack = 1 if wants and not kept else 0
            more = most_slots if whole else max(lack, spare - kept)
            slots = SlotAsk(self.leased_slots, kept, lack, more)
        if limit.budget is not None:
            money = self._money_ask(
                limit.budget, wants, idle=idle, whole=whole, alone=alone and not leaving,
            )  # fmt: skip
        return Ask(
            tenant=self.tenant, month=month.key, limit=limit, touched_s=touched_s,
            requests=requests, tokens=tokens, slots=slots, money=money,
        )  # fmt: skip

    def _money_ask(
        self, budget: int, wants: list[Want], *, idle: bool, whole: bool, alone: bool
    ) -> MoneyAsk:
        month, short = self.month, self.known.money.short
        ahead = 0 if idle else self.use[2] * _AHEAD + sum(want.money for want in wants)
        need = min((want.money for want in wants), default=0)
        # What was spent beyond the slice is told as used: the bank bears it from now on.
        free = max(0, month.free)
        month.free = free = _kept(free, ahead, need, idle=idle or short, alone=alone)
        least = max(0, need - free)
        most = budget if whole else max(0, ahead - free)
        kept = month.used + month.held + free
        return MoneyAsk(kept, month.used, free, least, max(most, least))

    def take(self, grant: Grant, asked: Ask, now_s: float) -> None:
        """Add what was granted."""
        self.known, self.known_s = grant, now_s
        self.requests += grant.requests.granted
        self.tokens += grant.tokens.granted
        self.slots += grant.slots.granted
        self.leased_slots += grant.slots.granted
        if asked.month == self.month.key:
            self.month.free += grant.money.granted
        self.mark = (self.requests, self.tokens, self.month.free)
        self.marked_s = now_s


def old_ask(tenant: str, month: Month, limit: TenantLimit) -> Ask:
    """What to tell of a month that is over: what it used, and what is still in flight."""
    kept = month.used + month.held
    return Ask(
        tenant=tenant, month=month.key, limit=TenantLimit(budget=limit.budget or 0),
        money=MoneyAsk(kept=kept, used=month.used),
    )  # fmt: skip


def _changed(free: float, old: int | None, new: int | None, banked: bool) -> float:
    if new is None:
        return math.inf
    if old is None:
        return 0.0 if banked else float(new)
    return min(free, float(new))


def _gone(before: float, after: float) -> float:
    return max(0.0, before - after) if before != math.inf else 0.0


def _with_pool(known: Grant, budget: int) -> Grant:
    """Nothing is known yet of a month that has just begun, so all of it may be there."""
    return replace(known, money=replace(known.money, pool=budget, elsewhere=0), spent=0)


def _kept(free: N, ahead: N, need: N, *, idle: bool, alone: bool) -> N:
    """What a worker keeps of what it has free.

    All while it is alone. Nothing where it is too little for the request that waits for it: two
    workers that each kept a part of what is left would both wait for the other's. Else what is
    needed ahead if it has lain idle or another is short, and all if not.
    """
    if alone:
        return free
    if free < need:
        return free * 0
    return min(free, ahead) if idle else free


def _with_new_pools(known: Grant, old: TenantLimit, limit: TenantLimit) -> Grant:
    """Nothing is known yet of a limit that has just come, so all of it may be there."""
    if old.requests_per_minute is None and limit.requests_per_minute is not None:
        known = replace(known, requests=RateGrant(pool=limit.requests_per_minute))
    if old.tokens_per_minute is None and limit.tokens_per_minute is not None:
        known = replace(known, tokens=RateGrant(pool=limit.tokens_per_minute))
    if old.concurrent_requests is None and limit.concurrent_requests is not None:
        known = replace(known, slots=CountGrant(pool=limit.concurrent_requests))
    if old.budget is None and limit.budget is not None:
        known = replace(known, money=CountGrant(pool=limit.budget))
    return known


def _rate_ask(kept: float, back: float, need: float, most: float) -> RateAsk:
    lack = max(0.0, need - kept)
    return RateAsk(kept, back, lack, max(0.0, lack, most - kept))
