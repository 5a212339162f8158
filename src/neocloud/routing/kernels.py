"""The routing policy on plain numbers: run as Python by the gateway, compiled by a twin.

Terms of a pool's score (lower is better), each without unit:

- price: its price of a request over the cheapest candidate's, so 1 is the cheapest;
- away: `PLAN` if the plan sends this request elsewhere, `HOME` if only its prefix lives elsewhere;
- lateness: `LATE` times the share by which the expected time to first token exceeds its budget;
- overload: `FULL` times what its occupancy exceeds 1;
- spread: a small part of the occupancy itself, so that equals share the load.

A late answer costs more than any saving: ten per cent late weighs as much as double the price, and
as much as leaving the plan. The weights are assumptions, chosen for that order and not fitted.
"""

from __future__ import annotations

PLAN = 1.0
HOME = 0.1
LATE = 10.0
FULL = 4.0
SPREAD = 0.05
MAX_USEFUL_AGE_S = 5.0
"""At this age what an engine said of itself says nothing about now; up to it, linearly less."""
SLOW_START_S = 30.0
"""A replica that came back takes all of its load after this time. Assumption."""
FIRST_SHARE = 0.1
"""And this share of it at once."""
AFFINITY_SLACK = 0.25
"""What the home of a prefix may be more occupied than the least occupied replica. Assumption."""
BUCKETS = 2048
"""Prefixes are dealt to replicas in this many parts: a power of two."""
MASK = 0xFFFFFFFF


def freshness(age_s: float) -> float:
    """What an engine's word of this age is still worth, 1 for now and 0 from the bound on."""
    return min(1.0, max(0.0, 1.0 - age_s / MAX_USEFUL_AGE_S))


def ramp(since_s: float) -> float:
    """Share of its planned load that a replica takes this long after it came back."""
    return min(1.0, max(0.0, FIRST_SHARE + (1.0 - FIRST_SHARE) * since_s / SLOW_START_S))


def unseen(in_flight: int, others: int, kv_usage: float, fresh: float, target: float) -> float:
    """Requests that weigh on a replica beside those in flight from this router.

    Either `others` that the engine counted, or what its KV cache holds beyond our own requests at
    the planned use; the larger, as far as the word is fresh.
    """
    return max(0.0, fresh * others, fresh * kv_usage * target - in_flight)


def occupancy(in_flight: int, besides: float, places: float) -> float:
    """Requests inside over those planned for, `places` = target concurrency times ramp."""
    return (in_flight + besides) / places


def queue_seconds(occupied: float, backlog: float, service_s: float) -> float:
    """Expected wait: what is beyond the planned concurrency drains at the rate of one service.

    With c planned requests inside, one leaves every service_s / c; x requests too many wait
    x service_s / c, that is (occupancy - 1) service_s. `backlog` is what the engine itself says
    that waits, over c: it may queue sooner than planned.
    """
    beyond = occupied - 1.0
    beyond = max(beyond, backlog)
    return beyond * service_s if beyond > 0.0 else 0.0


def prefill_seconds(
    prefill_s: float, waiting_tokens: int, more_tokens: float, tokens_per_s: float
) -> float:
    """Time to first token without queue and network.

    `prefill_s` is that of a mean prompt on an idle replica; where the speed is known (above 0) the
    tokens of prompts that wait before this one count, and by how much this one is longer.
    """
    if tokens_per_s <= 0.0:
        return prefill_s
    return max(0.0, prefill_s + (waiting_tokens + more_tokens) / tokens_per_s)


def price_of(
    cost: float, kwh: float, surcharge_per_kwh: float, grams_per_kwh: float, per_gram: float
) -> float:
    """Price of a request now: its cost as planned, what its energy costs more now, its carbon."""
    return max(0.0, cost + kwh * (surcharge_per_kwh + grams_per_kwh * per_gram))


def relative_price(price: float, cheapest: float) -> float:
    """Price over the cheapest; 1 where the cheapest costs nothing."""
    return price / cheapest if cheapest > 0.0 else 1.0


def terms(
    rtt_s: float, prefill_s: float, queue_s: float, budget_s: float, occupied: float
) -> tuple[float, float, float]:
    """Lateness, overload and spread of one pool's best replica."""
    late = max(0.0, (rtt_s + prefill_s + queue_s) / budget_s - 1.0)
    return LATE * late, FULL * max(0.0, occupied - 1.0), SPREAD * occupied


def score(
    relative: float,
    away: float,
    rtt_s: float,
    prefill_s: float,
    queue_s: float,
    budget_s: float,
    occupied: float,
) -> float:
    """Score of one pool's best replica: relative + away + all `terms`, and so at least the first.

    Written out, since a call for each candidate is a third of a choice's time.
    """
    more = SPREAD * occupied
    if occupied > 1.0:
        more += FULL * (occupied - 1.0)
    late = (rtt_s + prefill_s + queue_s) / budget_s - 1.0
    if late > 0.0:
        more += LATE * late
    return relative + away + more


def affinity_bound(least: float) -> float:
    """Occupancy up to which the home of a prefix is kept to, where the least occupied has `least`.

    Never beyond the planned load while another replica is within it.
    """
    return min(least + AFFINITY_SLACK, max(least, 1.0))


def mix(value: int) -> int:
    """Spread the bits of a number of 32 bits: the finaliser of MurmurHash3 (public domain).

    Products stay within 64 bits and are cut to 32, so plain and compiled arithmetic agree.
    """
    value &= MASK
    value ^= value >> 16
    value = (value * 0x85EBCA6B) & MASK
    value ^= value >> 13
    value = (value * 0xC2B2AE35) & MASK
    return value ^ (value >> 16)


def rank(bucket: int, replica: int) -> int:
    """Weight of a replica for a bucket; the highest is its home (rendezvous hashing).

    Args:
        bucket: from 0 to `BUCKETS` - 1.
        replica: 32-bit hash of its id.
    """
    return mix(mix(bucket + 1) ^ replica)
