"""The routing policy on plain numbers: run as Python by the gateway, compiled by a twin.

Terms of a replica's score (lower is better), each without unit:

- cost: its cost of a request over the cheapest candidate's, so 1 is the cheapest;
- lateness: `LATE` times the share by which the expected time to first token exceeds its budget;
- overload: `FULL` times what its occupancy exceeds 1, and a small part of the occupancy itself,
  so that equals share the load.

A late answer costs more than any saving: ten per cent late weighs as much as double the cost.
"""

from __future__ import annotations

LATE = 10.0
FULL = 4.0
SPREAD = 0.05
MAX_USEFUL_AGE_S = 5.0
"""Beyond this age what an engine said of itself says nothing about now."""


def occupancy(
    in_flight: int,
    running: int,
    waiting: int,
    kv_usage: float,
    age_s: float,
    target_concurrency: float,
) -> float:
    """Requests inside over those planned for, or the KV cache's use if that is nearer its end.

    The router knows its own requests now, the engine knew everyone's `age_s` ago: the larger
    counts, as long as the engine's word is fresh.
    """
    inside = float(in_flight)
    pressure = 0.0
    if age_s <= MAX_USEFUL_AGE_S:
        told = float(running + waiting)
        inside = max(inside, told)
        pressure = kv_usage
    return max(inside / target_concurrency, pressure)


def queue_seconds(occupied: float, service_s: float) -> float:
    """Expected wait: what is beyond the planned concurrency drains at the rate of one service.

    With c planned requests inside, one leaves every service_s / c; x requests too many wait
    x service_s / c, that is (occupancy - 1) service_s.
    """
    return max(0.0, occupied - 1.0) * service_s


def score(
    cost: float,
    cheapest: float,
    rtt_s: float,
    prefill_s: float,
    queue_s: float,
    budget_s: float,
    occupied: float,
) -> float:
    """Score of one replica, the sum of the terms above."""
    relative = cost / cheapest if cheapest > 0.0 else 1.0
    late = max(0.0, (rtt_s + prefill_s + queue_s) / budget_s - 1.0)
    return relative + LATE * late + FULL * max(0.0, occupied - 1.0) + SPREAD * occupied
