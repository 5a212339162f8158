"""What the routing policy sees and says."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from enum import IntEnum
from itertools import accumulate

import msgspec

NEVER_S = float("-inf")


class Priority(IntEnum):
    """Who is served first when not all can be."""

    HIGH = 0
    NORMAL = 1
    LOW = 2


class Breaker(msgspec.Struct, kw_only=True):
    """What its own answers say of a replica, see `breaker`. Times are the owner's seconds.

    Attributes:
        failures: failures in a row while it was closed.
        opened: times in a row that it opened; 0 while closed.
        changed_s: when it opened or closed last; older requests' fates say nothing any more.
        until_s: open until then, then half-open.
        probe_s: when the one request that tries it was sent; None while there is none.
        recovered_s: when it closed last after having been open.
    """

    failures: int = 0
    opened: int = 0
    changed_s: float = NEVER_S
    until_s: float = NEVER_S
    probe_s: float | None = None
    recovered_s: float = NEVER_S


class ReplicaState(msgspec.Struct, kw_only=True):
    """One replica as its router knows it. Mutable: the owner updates it in place.

    `in_flight` and `waiting_tokens` are looked at for each choice, the rest every `REFRESH_S`;
    `Group.changed()` has it looked at with the next choice.

    Attributes:
        replica: id `site/pool/model/ordinal`.
        site: site key.
        pool: pool key; replicas of one model in one pool at one cost are alike.
        model: model key.
        healthy: False while it takes no new requests, as its probes say.
        in_flight: requests that this router has sent and that have not ended.
        waiting_tokens: prompt tokens of those that have no first token yet, as far as known.
        others: requests inside that are not this router's, as the engine said; see `told`.
        waiting: requests that wait in the engine, as it said.
        kv_usage: share of its KV cache in use, as it said, 0 to 1.
        told_s: when it said so; minus infinity if it never did.
        full_until_s: it refused a request for being full, and is let alone until then.
        target_concurrency: requests inside it at the most that its plan gives it.
        max_occupancy: occupancy at which it takes no more requests of normal priority; infinite
            where nobody knows what it can take.
        prefill_s: time to first token of an idle replica for a mean prompt.
        prefill_tokens_per_s: speed of prefill; 0 where unknown.
        mean_prompt_tokens: length of the mean prompt.
        service_s: time a request of mean length stays at the planned load.
        cost: what one request of mean length costs there, in the cloud's currency, as planned.
        kwh: energy of such a request, facility included.
        overflow: True for somebody else's, used only where one's own would be late.
        breaker: what its own answers say of it.
    """

    replica: str
    site: str
    pool: str
    model: str
    healthy: bool = True
    in_flight: int = 0
    waiting_tokens: int = 0
    others: int = 0
    waiting: int = 0
    kv_usage: float = 0.0
    told_s: float = NEVER_S
    full_until_s: float = NEVER_S
    target_concurrency: float = 64.0
    max_occupancy: float = float("inf")
    prefill_s: float = 0.05
    prefill_tokens_per_s: float = 0.0
    mean_prompt_tokens: float = 0.0
    service_s: float = 2.0
    cost: float = 0.0
    kwh: float = 0.0
    overflow: bool = False
    breaker: Breaker = msgspec.field(default_factory=Breaker)

    def told(self, running: int, waiting: int, kv_usage: float, told_s: float) -> None:
        """Take down what the engine said of itself at `told_s`.

        What it counts beyond our own requests of this moment are others'. A request of ours that
        was on its way while the engine counted is taken for one that it counted.
        """
        self.others = max(0, running + waiting - self.in_flight)
        self.waiting = waiting
        self.kv_usage = kv_usage
        self.told_s = told_s


class SiteNow(msgspec.Struct, frozen=True, kw_only=True):
    """What power is like at a site now.

    Attributes:
        surcharge_per_kwh: what a kWh costs now beyond what `ReplicaState.cost` reckons with;
            below 0 where it is cheaper.
        grams_per_kwh: CO2 of a kWh now; None where unknown, which no tenant's limit permits.
    """

    surcharge_per_kwh: float = 0.0
    grams_per_kwh: float | None = None


class Shares(msgspec.Struct, frozen=True):
    """How a plan divides a metro's requests for a model: places `site/pool`, and shares summed."""

    places: tuple[str, ...]
    upto: tuple[float, ...]

    @classmethod
    def of(cls, weights: Mapping[str, float]) -> Shares | None:
        """From weights above 0 by place `site/pool`, of any sum; None if there are none."""
        places = tuple(sorted(place for place, weight in weights.items() if weight > 0.0))
        if not places:
            return None
        total = sum(weights[place] for place in places)
        upto = tuple(accumulate(weights[place] / total for place in places))
        return cls(places, (*upto[:-1], 1.0))

    def drawn(self, number: float) -> int:
        """Index of the place for a number from [0, 1)."""
        return bisect_right(self.upto, number)


class RouteRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be routed.

    Attributes:
        rtt_s_by_site: round trip of the caller to each site, seconds; a site that is missing
            counts as `unknown_rtt_s` away.
        allowed_sites: the tenant's hard limit; None allows all.
        carbon_limit_g_per_kwh: the tenant's hard limit on the site's power now; None allows all.
        may_overflow: False keeps it off somebody else's replicas.
        excluded: replicas that were tried and failed.
        ttft_budget_s: time to first token that the model's objective allows, network included.
        unknown_rtt_s: round trip assumed where none is known.
        plan: where the plan sends such requests; None without a plan.
        priority: decides up to which occupancy a replica takes it.
        prefix: chained hashes of its prompt's leading blocks, see `prefix_hashes`.
        draw: a number below 2**32, evenly spread over requests: stands for the prefix where there
            is none.
        prompt_tokens: its prompt's length as far as known, else 0.
    """

    rtt_s_by_site: dict[str, float]
    allowed_sites: frozenset[str] | None = None
    carbon_limit_g_per_kwh: float | None = None
    may_overflow: bool = True
    excluded: frozenset[str] = frozenset()
    ttft_budget_s: float = 1.0
    unknown_rtt_s: float = 0.0
    plan: Shares | None = None
    priority: Priority = Priority.NORMAL
    prefix: tuple[int, ...] = ()
    draw: int = 0
    prompt_tokens: int = 0


class Choice(msgspec.Struct, frozen=True, gc=False):
    """Where the request goes: `index` into the group's states."""

    index: int
    replica: str


class NoReplica(msgspec.Struct, frozen=True, kw_only=True):
    """Nothing may take the request now.

    Attributes:
        reason: which rule left nothing.
        full: True if there are replicas that would take it once they have a place: wait, or
            tell the client to come again.
    """

    reason: str
    full: bool = False
