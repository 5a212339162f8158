"""What a request that found too little is told: wait for a lease, or which limit and how long."""

from __future__ import annotations

from typing import NamedTuple

from neocloud.quotas.account import Account
from neocloud.quotas.records import Limited, NeedsLease, RateLeft, Refusal, Remaining

NEEDS_LEASE = NeedsLease()
_SLOT_S = 1.0
"""When to try again for a slot or for money that is held: nobody knows when a request ends."""


class Standing(NamedTuple):
    """How the worker stands: with the store, and in the month.

    Attributes:
        banked: there is a store.
        away: it does not answer.
        now_s: monotonic time.
        month_left_s: until the budget is whole again.
        period_s: until it is known what others can spare.
    """

    banked: bool
    away: bool
    now_s: float
    month_left_s: float
    period_s: float


def impossible(account: Account, money: int, tokens: int) -> Refusal | None:
    """The refusal of a request that alone exceeds a limit."""
    limit = account.limit
    if limit.tokens_per_minute is not None and tokens > limit.tokens_per_minute:
        return Refusal(Limited.TOKENS, None, limit.tokens_per_minute)
    if limit.budget is not None and money > limit.budget:
        return Refusal(Limited.BUDGET, None, limit.budget)
    return None


def judge(
    account: Account, money: int, tokens: int, at: Standing, *, patient: bool = True
) -> Refusal | NeedsLease:
    """Why the request cannot be admitted here and now.

    Args:
        account: which has too little of at least one kind.
        money: what the request needs, 1e-12 of the currency.
        tokens: what the request needs.
        at: store, time and month.
        patient: whether asking the bank is still worth while.
    """
    limit, known = account.limit, account.known
    refusals: list[Refusal] = []
    if limit.requests_per_minute is not None and account.requests < 1:
        pool = pool_of_requests(account, at) + known.requests.elsewhere
        refusals += _rate(
            Limited.REQUESTS, 1 - account.requests, limit.requests_per_minute, pool, account, at
        )
    if limit.tokens_per_minute is not None and account.tokens < tokens:
        pool = pool_of_tokens(account, at) + known.tokens.elsewhere
        refusals += _rate(
            Limited.TOKENS, tokens - account.tokens, limit.tokens_per_minute, pool, account, at
        )
    if limit.concurrent_requests is not None and account.slots < 1:
        asking = at.banked and not at.away and known.slots.pool + known.slots.elsewhere >= 1
        if not asking:
            refusals.append(Refusal(Limited.CONCURRENCY, _SLOT_S, limit.concurrent_requests))
    if limit.budget is not None and account.month.free < money:
        refusals += _money(account, money, limit.budget, at)
    if refusals:
        return max(refusals, key=_weight)
    if patient:
        return NEEDS_LEASE
    return _others_hold(account, money, tokens, at)


def _weight(refusal: Refusal) -> tuple[bool, float]:
    """The longest wait is told, but first that the store is away."""
    return refusal.kind is Limited.UNAVAILABLE, refusal.retry_after_s or 0.0


def unavailable(at: Standing) -> Refusal:
    """The store is away, and what was leased is used up."""
    return Refusal(Limited.UNAVAILABLE, at.period_s, 0)


def pool_of_requests(account: Account, at: Standing) -> float:
    """What the store has left of the requests, by what it said last and the time since."""
    limit = account.limit.requests_per_minute
    if limit is None or not at.banked or at.away:
        return 0.0
    filled = account.known.requests.pool + limit * (at.now_s - account.known_s) / 60
    return min(filled, limit - account.requests)


def pool_of_tokens(account: Account, at: Standing) -> float:
    """What the store has left of the tokens, with what is on its way back to it."""
    limit = account.limit.tokens_per_minute
    if limit is None or not at.banked or at.away:
        return 0.0
    filled = account.known.tokens.pool + limit * (at.now_s - account.known_s) / 60
    return min(filled + account.tokens_back, limit - account.tokens)


def remaining(account: Account, at: Standing) -> Remaining:
    """What the tenant may still use, as far as is known here."""
    limit, known, month = account.limit, account.known, account.month
    requests = tokens = None
    if limit.requests_per_minute is not None:
        left = account.requests + pool_of_requests(account, at) + known.requests.elsewhere
        requests = rate_left(limit.requests_per_minute, left)
    if limit.tokens_per_minute is not None:
        left = account.tokens + pool_of_tokens(account, at) + known.tokens.elsewhere
        tokens = rate_left(limit.tokens_per_minute, left)
    concurrent = budget = None
    if limit.concurrent_requests is not None:
        pool = known.slots.pool + known.slots.elsewhere
        concurrent = max(0, min(limit.concurrent_requests, account.slots + pool))
    if limit.budget is not None:
        budget = max(0, month.free + known.money.pool + known.money.elsewhere)
    return Remaining(requests, tokens, concurrent, budget)


def rate_left(limit: int, left: float) -> RateLeft:
    """One rate as the headers tell it."""
    if left < 0.0:
        left = 0.0
    elif left > limit:
        left = float(limit)
    return RateLeft(limit, int(left), (limit - left) * 60 / limit)


def _rate(
    kind: Limited, lack: float, limit: int, pool: float, account: Account, at: Standing
) -> list[Refusal]:
    """Nothing if the bank may have what lacks, else when it is refilled."""
    if not at.banked or at.away:
        if account.part <= 0:
            return [unavailable(at)]
        return [Refusal(kind, lack * 60 / max(limit * account.part, 1e-9), limit)]
    if lack <= pool:
        return []
    return [Refusal(kind, (lack - pool) * 60 / limit, limit)]


def _money(account: Account, money: int, budget: int, at: Standing) -> list[Refusal]:
    month, known = account.month, account.known
    if at.banked and at.away:
        return [unavailable(at)]
    if at.banked and money - month.free <= known.money.pool + known.money.elsewhere:
        return []
    spent = max(month.used, known.spent)
    # What others hold may come back, as may what is in flight here; what is spent may not.
    wait_s = _SLOT_S if budget - spent >= money else at.month_left_s
    return [Refusal(Limited.BUDGET, wait_s, budget)]


def _others_hold(account: Account, money: int, tokens: int, at: Standing) -> Refusal:
    """The refusal of a request that waited in vain for what other workers have leased."""
    limit = account.limit
    if limit.budget is not None and account.month.free < money:
        return Refusal(Limited.BUDGET, at.period_s, limit.budget)
    if limit.tokens_per_minute is not None and account.tokens < tokens:
        return Refusal(Limited.TOKENS, at.period_s, limit.tokens_per_minute)
    if limit.requests_per_minute is not None and account.requests < 1:
        return Refusal(Limited.REQUESTS, at.period_s, limit.requests_per_minute)
    return Refusal(Limited.CONCURRENCY, at.period_s, limit.concurrent_requests or 0)
