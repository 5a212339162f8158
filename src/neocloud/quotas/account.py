"""What one worker knows and holds of one tenant.

`requests`, `tokens`, `slots` and `month.free` are what the worker may give out by itself; the
request path touches nothing else. Without a bank they are the tenant's whole buckets. With one
they are leases, and what is given back of a hold's tokens waits in `tokens_back` for the bank,
because only the bank knows how full the bucket may be.
"""

from __future__ import annotations

import math

from msgspec.structs import replace

from neocloud.quotas.bank import Ask, Grant, MoneyAsk, RateAsk, SlotAsk
from neocloud.quotas.records import Patience, TenantLimit

NO_MONEY_LIMIT = 10**40
NO_SLOT_LIMIT = 1 << 60
"""Stand for no limit where the request path counts in whole numbers."""

NEVER_S = -math.inf
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
            target = 0.0 if leaving else self.use[0] * _AHEAD + len(wants)
            self.requests, requests = _rate_ask(
                self.requests, 0.0, limit.requests_per_minute, target, 1 if wants else 0,
                idle=idle or (known.requests.short and not alone), whole=whole,
            )  # fmt: skip
        if limit.tokens_per_minute is not None:
            target = 0.0 if leaving else self.use[1] * _AHEAD + sum(w.tokens for w in wants)
            self.tokens, tokens = _rate_ask(
                self.tokens, back, limit.tokens_per_minute, target,
                min((w.tokens for w in wants), default=0),
                idle=idle or (known.tokens.short and not alone), whole=whole,
            )  # fmt: skip
        if limit.concurrent_requests is not None:
            spare = 0 if leaving or idle else self.running // 2
            slots = self._slot_ask(
                limit.concurrent_requests, spare + len(wants), 1 if wants else 0,
                idle=idle or (known.slots.short and not alone), whole=whole,
            )  # fmt: skip
        if limit.budget is not None:
            ahead = 0 if leaving else self.use[2] * _AHEAD + sum(w.money for w in wants)
            most = limit.budget if whole else max(0, ahead - month.free)
            least = max(0, min((w.money for w in wants), default=0) - month.free)
            if idle or (known.money.short and not alone):
                month.free = min(month.free, ahead)
            spare = max(0, month.free)
            kept = month.used + month.held + spare
            money = MoneyAsk(kept, month.used, spare, least, max(most, least))
        return Ask(
            tenant=self.tenant, month=month.key, limit=limit, touched_s=touched_s,
            requests=requests, tokens=tokens, slots=slots, money=money,
        )  # fmt: skip

    def _slot_ask(self, limit: int, target: int, least: int, *, idle: bool, whole: bool) -> SlotAsk:
        keep = min(self.slots, target) if idle else self.slots
        keep = max(0, min(keep, limit - self.running))
        most = limit if whole else max(0, target - keep)
        self.leased_slots -= self.slots - keep
        self.slots = keep
        return SlotAsk(self.leased_slots, keep, max(0, least - keep), most)

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


def _rate_ask(
    free: float, back: float, limit: int, target: float, least: float, *, idle: bool, whole: bool
) -> tuple[float, RateAsk]:
    """What stays of a rate, and what to tell of it."""
    keep = min(free, target) if idle else free
    keep = min(max(0.0, keep), limit)  # a debt from while the bank was away goes back as one
    back += free - keep
    most = float(limit) if whole else max(0.0, target - keep)
    lack = max(0.0, least - keep)
    return keep, RateAsk(keep, back, lack, max(most, lack))
