"""What the room hands out: limits, holds, refusals, and what is left."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from neocloud.quotas.account import Account, Month


class TenantLimit(msgspec.Struct, frozen=True, kw_only=True):
    """How much one tenant may use; None is no limit.

    Attributes:
        requests_per_minute: refilled evenly, at most a minute's worth at once.
        tokens_per_minute: prompt and answer together, likewise.
        concurrent_requests: requests in flight.
        budget: the most that may be spent in a calendar month (UTC), in 1e-12 of the currency.
    """

    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    concurrent_requests: int | None = None
    budget: int | None = None

    @property
    def limits_nothing(self) -> bool:
        """Whether there is no limit at all."""
        return self == _NO_LIMIT


_NO_LIMIT = TenantLimit()


class Limited(StrEnum):
    """What a refusal is about. `UNAVAILABLE`: the store is away and the slice is used up (503)."""

    REQUESTS = "requests"
    TOKENS = "tokens"
    CONCURRENCY = "concurrency"
    BUDGET = "budget"
    UNAVAILABLE = "unavailable"


class Refusal(msgspec.Struct, frozen=True):
    """A request that may not be served now.

    Attributes:
        kind: which limit.
        retry_after_s: when the same request may succeed, seconds from now; None if it never can,
            because it alone exceeds the limit.
        limit: the limit, in its own unit; 0 for `UNAVAILABLE`.
    """

    kind: Limited
    retry_after_s: float | None
    limit: int


class NeedsLease(msgspec.Struct, frozen=True):
    """This worker has too little of its own, and the store or another worker may have more.

    `await quotas.acquire(...)` asks, and ends with a hold or a refusal.
    """


class Hold(msgspec.Struct, gc=False):  # it points to its account, and nothing points back
    """What an admitted request has taken until it is settled. Fields belong to the room."""

    account: Account | None
    month: Month | None
    money: int
    tokens: int

    @property
    def settled(self) -> bool:
        """Whether nothing is held any more; so from the start for a tenant without limits."""
        return self.account is None


class RateLeft(msgspec.Struct, frozen=True):
    """One rate as the response headers tell it.

    Attributes:
        limit: per minute.
        remaining: what may be used now, whole.
        reset_s: seconds until all of the limit may be used again.
    """

    limit: int
    remaining: int
    reset_s: float


class Remaining(msgspec.Struct, frozen=True):
    """What a tenant may still use, as far as this worker knows; None where there is no limit.

    Attributes:
        requests: requests per minute.
        tokens: tokens per minute.
        concurrent: requests that may start beside those in flight.
        budget: what is left of the month, 1e-12 of the currency; holds count as spent.
    """

    requests: RateLeft | None = None
    tokens: RateLeft | None = None
    concurrent: int | None = None
    budget: int | None = None


class Patience(msgspec.Struct, frozen=True, kw_only=True):
    """Times of the exchange between workers and store, seconds. All are assumptions.

    Attributes:
        period_s: between two exchanges of a worker; what another needs comes back within one.
        wait_s: the longest that `acquire` waits for what other workers have to spare.
        idle_s: after so long without a request a worker keeps nothing of a tenant.
        lease_s: a worker that was not heard of for so long has lost its slots and rates.
        grace_s: while the store is away, rates and slots go on for so long.
        money_s: while the store is away, the slice of a budget may be used for so long.
        dead_s: a worker that was not heard of for so long is left out by `reconcile`.
    """

    period_s: float = 1.0
    wait_s: float = 2.0
    idle_s: float = 10.0
    lease_s: float = 10.0
    grace_s: float = 60.0
    money_s: float = 300.0
    dead_s: float = 600.0
