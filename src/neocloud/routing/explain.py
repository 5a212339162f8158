"""Why a request goes where it goes: every candidate with its terms, and who is left out."""

from __future__ import annotations

from math import isinf

import msgspec

from neocloud.routing import kernels
from neocloud.routing.group import Group, Member, PoolOfModel
from neocloud.routing.policy import (
    FILL,
    at_home,
    choose,
    earliest,
    home_of,
    in_order,
    least_of,
    occupancy_of,
    permitted,
    untried,
    waits,
    with_overflow,
)
from neocloud.routing.prefix import home_hash
from neocloud.routing.reasons import OVERFLOW, rule_against
from neocloud.routing.records import Choice, RouteRequest

AT_CAPACITY = "at capacity for this priority"
NOT_LOOKED_AT = "too many candidates"


class Candidate(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A pool by its least occupied replica, and the terms of its score; lower is better.

    Attributes:
        replica: the replica; the one that gets the request if the pool is chosen, which the
            prefix may decide.
        score: sum of relative, away, late, overload and spread.
        relative: its price over the cheapest.
        away: what it costs that the plan, or the prefix, is at home elsewhere.
        late: what it costs that the first token would be late.
        overload: what it costs that more is inside than planned.
        spread: the small part of the occupancy.
        rtt_s: round trip.
        prefill_s: expected time for the prompt, and those before it.
        queue_s: expected wait.
        occupancy: of the least occupied replica.
        price: of a request now, energy and carbon in it.
        grams_per_kwh: CO2 of a kWh at the site now; None where unknown.
        by_prefix: True if the prefix, and not the least occupancy, picked the replica.
        overflow: True for somebody else's.
    """

    replica: str
    score: float
    relative: float
    away: float = 0.0
    late: float = 0.0
    overload: float = 0.0
    spread: float = 0.0
    rtt_s: float = 0.0
    prefill_s: float = 0.0
    queue_s: float = 0.0
    occupancy: float = 0.0
    price: float = 0.0
    grams_per_kwh: float | None = None
    by_prefix: bool = False
    overflow: bool = False


class LeftOut(msgspec.Struct, frozen=True, kw_only=True):
    """Replicas that a rule keeps from the request."""

    rule: str
    replicas: tuple[str, ...]


class Explanation(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One choice, explained.

    Attributes:
        chosen: replica id; empty if there is none.
        reason: why there is none.
        home: place `site/pool` of the plan or the prefix; empty without either.
        candidates: all that were compared, the lowest score first.
        left_out: the rest, by rule.
    """

    chosen: str = ""
    reason: str = ""
    home: str = ""
    candidates: tuple[Candidate, ...] = ()
    left_out: tuple[LeftOut, ...] = ()


def explain(group: Group, request: RouteRequest, now_s: float) -> Explanation:
    """What `choose` says of the same arguments, with its reasons. Many times as slow."""
    group.refresh(now_s)
    choice = choose(group, request, now_s)
    drawn = home_hash(request.prefix) if request.prefix else request.draw
    left: dict[str, list[str]] = {}
    for pool in group.pools:
        for state in pool.states:
            rule = rule_against(group, pool, state, request, now_s)
            if rule is not None:
                left.setdefault(rule, []).append(state.replica)
    pools = permitted(group.own, request)
    more = permitted(group.overflow, request) if request.may_overflow else []
    if more and earliest(pools, request, drawn) > request.ttft_budget_s:
        pools = with_overflow(pools, more)
    elif more:
        left[OVERFLOW] = [r for pool in more for r in _replicas(pool, request)]
    home, away = home_of(group, pools, request, drawn) if len(pools) > 1 else (None, 0.0)
    place = home.place if home is not None else ""
    candidates = []
    for pool in in_order(pools, home):
        least, occupied = least_of(pool, request.excluded, drawn)
        if occupied >= pool.max_occupancy * FILL[request.priority]:
            left.setdefault(AT_CAPACITY, []).extend(_replicas(pool, request))
        else:
            outside = 0.0 if pool.place == place else away
            candidates.append(_candidate(pool, least, pools[0].price, outside, request))
    looked_at = {r for pool in pools for r in _replicas(pool, request)}
    looked_at.update(replica for replicas in left.values() for replica in replicas)
    rest = [state.replica for state in group.states if state.replica not in looked_at]
    if rest:
        left[NOT_LOOKED_AT] = rest
    return Explanation(
        chosen=choice.replica if isinstance(choice, Choice) else "",
        reason="" if isinstance(choice, Choice) else choice.reason,
        home=place,
        candidates=tuple(sorted(candidates, key=lambda c: c.score)),
        left_out=tuple(LeftOut(rule=r, replicas=tuple(ids)) for r, ids in left.items()),
    )


def _replicas(pool: PoolOfModel, request: RouteRequest) -> list[str]:
    return [member[0].replica for member in untried(pool.members, request.excluded)]


def _candidate(
    pool: PoolOfModel, least: Member, cheapest: float, away: float, request: RouteRequest
) -> Candidate:
    drawn = home_hash(request.prefix) if request.prefix else request.draw
    member = least
    occupied = occupancy_of(least)
    if request.prefix and len(pool.members) > 1:
        member = at_home(pool, request, drawn, least, occupied)
    rtt_s = request.rtt_s_by_site.get(pool.site, request.unknown_rtt_s)
    prefill_s, queue_s = waits(least, occupied, request)
    relative = kernels.relative_price(pool.price, cheapest)
    late, overload, spread = kernels.terms(
        rtt_s, prefill_s, queue_s, request.ttft_budget_s, occupied
    )
    return Candidate(
        replica=member[0].replica,
        score=relative + away + (spread + overload + late),
        relative=relative,
        away=away,
        late=late,
        overload=overload,
        spread=spread,
        rtt_s=rtt_s,
        prefill_s=prefill_s,
        queue_s=queue_s,
        occupancy=occupied,
        price=pool.price,
        grams_per_kwh=None if isinf(pool.grams_per_kwh) else pool.grams_per_kwh,
        by_prefix=member is not least,
        overflow=pool.overflow,
    )
