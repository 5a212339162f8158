"""Which replica takes a request: site and pool first, then the replica in it.

Replicas of one model in one pool are alike, so a pool is scored by its least occupied replica.
Within the chosen pool the prompt's prefix decides, as long as its home is not overloaded.
"""

from __future__ import annotations

from math import ceil, isinf

from neocloud.routing import kernels
from neocloud.routing.group import Group, Member, PoolOfModel
from neocloud.routing.prefix import home_hash
from neocloud.routing.reasons import why_none
from neocloud.routing.records import Choice, NoReplica, Priority, ReplicaState, RouteRequest

MAX_CANDIDATES = 32
"""Pools that are scored, and replicas that are looked at in each."""

FILL = (1.2, 1.0, 0.8)
"""Share of `max_occupancy` up to which a replica takes requests, by priority. Low ones wait while
it still has places for others, high ones squeeze in. Assumption."""

Scored = tuple[float, PoolOfModel, Member, float, float]
"""Score, pool, its least occupied replica with its occupancy, expected time to first token."""

_NONE_YET = float("inf")


def choose(group: Group, request: RouteRequest, now_s: float) -> Choice | NoReplica:
    """Pick the replica for `request`, or say why there is none.

    What a tenant's `allowed_sites` and `carbon_limit_g_per_kwh` forbid is never chosen. The same
    states give the same choice: nothing is left to chance.

    Args:
        group: the model's replicas.
        request: what is to be routed.
        now_s: the owner's monotonic clock, or virtual time.
    """
    if now_s >= group.due_s:
        group.refresh(now_s)
    drawn = home_hash(request.prefix) if request.prefix else request.draw
    pools = group.own
    if (
        request.allowed_sites is not None
        or request.carbon_limit_g_per_kwh is not None
        or request.excluded
        or len(pools) > MAX_CANDIDATES
    ):
        pools = permitted(pools, request)
    best = _best(group, pools, request, drawn) if pools else None
    if group.overflow and request.may_overflow and _is_late(best, pools, request, drawn):
        more = permitted(group.overflow, request)
        if more:
            best = _best(group, with_overflow(pools, more), request, drawn)
    if best is None:
        return why_none(group, request, now_s)
    _, pool, least, occupied, _ = best
    state, _, _, _, index = least
    if request.prefix and len(pool.members) > 1:
        state, _, _, _, index = at_home(pool, request, drawn, least, occupied)
    return Choice(index, state.replica)


def capacity(state: ReplicaState, priority: Priority = Priority.NORMAL) -> float:
    """Requests that a replica takes at once: infinite, or a whole number of at least 1.

    `choose` passes a replica over while it has as many inside.
    """
    full = state.max_occupancy * FILL[priority]
    if isinf(full):
        return full
    target = state.target_concurrency
    most = ceil(full * target)
    if (most - 1) / target >= full:  # as `choose` compares: the product may be rounded
        most -= 1
    elif most / target < full:
        most += 1
    return max(1.0, float(most))


def permitted(pools: list[PoolOfModel], request: RouteRequest) -> list[PoolOfModel]:
    """Pools that the tenant's hard limits leave, and that have a replica that was not tried.

    At most `MAX_CANDIDATES`, the cheapest.
    """
    sites, grams = request.allowed_sites, request.carbon_limit_g_per_kwh
    if sites is not None:
        pools = [pool for pool in pools if pool.site in sites]
    if grams is not None:
        pools = [pool for pool in pools if pool.grams_per_kwh <= grams]
    if request.excluded:
        pools = [pool for pool in pools if untried(pool.members, request.excluded)]
    return pools if len(pools) <= MAX_CANDIDATES else pools[:MAX_CANDIDATES]


def untried(members: list[Member], excluded: frozenset[str]) -> list[Member]:
    """Those that were not tried before."""
    return [m for m in members if m[0].replica not in excluded] if excluded else members


def home_of(
    group: Group, pools: list[PoolOfModel], request: RouteRequest, drawn: int
) -> tuple[PoolOfModel | None, float]:
    """The pool where the request is at home, and the weight of not going there.

    As the plan draws it, or without a plan where its prefix lives. A place that may not take it is
    passed over for the next of the plan. None where it is at home nowhere.
    """
    shares, away = request.plan, kernels.PLAN
    if shares is None:
        if not request.prefix or group.even is None:
            return None, 0.0
        shares, away = group.even, kernels.HOME
    places = shares.places
    start = shares.drawn(drawn / 2**32)
    for step in range(len(places)):
        place = places[start + step - len(places)]
        for pool in pools:
            if pool.place == place:
                return pool, away
    return None, 0.0


def in_order(pools: list[PoolOfModel], home: PoolOfModel | None) -> list[PoolOfModel]:
    """The order in which equals win: home before the cheaper."""
    return pools if home is None else [home, *(pool for pool in pools if pool is not home)]


def _best(
    group: Group, pools: list[PoolOfModel], request: RouteRequest, drawn: int
) -> Scored | None:
    """The pool with the lowest score, see `in_order` for equals; None if all are full.

    What cannot be lower than the lowest so far is not looked at.
    """
    away, place = 0.0, ""
    cheapest = pools[0].price
    if len(pools) > 1:
        home, away = home_of(group, pools, request, drawn)
        if home is not None:
            place = home.place
            if home is not pools[0]:
                pools = in_order(pools, home)
    fill = FILL[request.priority]
    budget_s = request.ttft_budget_s
    lowest, best = _NONE_YET, None
    for pool in pools:
        relative = pool.price / cheapest if cheapest > 0.0 else 1.0
        outside = away if pool.place != place else 0.0
        if relative + outside >= lowest:
            continue
        least, occupied = least_of(pool, request.excluded, drawn)
        if occupied >= pool.max_occupancy * fill:
            continue
        state = least[0]
        rtt_s = request.rtt_s_by_site.get(pool.site, request.unknown_rtt_s)
        prefill_s, queue_s = state.prefill_s, 0.0
        if state.prefill_tokens_per_s:
            prefill_s, queue_s = waits(least, occupied, request)
        elif occupied > 1.0 or least[3]:
            queue_s = kernels.queue_seconds(occupied, least[3], state.service_s)
        value = kernels.score(relative, outside, rtt_s, prefill_s, queue_s, budget_s, occupied)
        if value < lowest:
            lowest, best = value, (value, pool, least, occupied, rtt_s + prefill_s + queue_s)
    return best


def least_of(pool: PoolOfModel, excluded: frozenset[str], drawn: int) -> tuple[Member, float]:
    """The least occupied replica of a pool that has one, the first among equals, and how occupied.

    Of more than `MAX_CANDIDATES`, as many are looked at, from one on that differs by request.
    """
    members = pool.members
    if excluded:
        members = untried(members, excluded)
    if len(members) > MAX_CANDIDATES:
        start = drawn % len(members)
        window = members[start : start + MAX_CANDIDATES]
        members = window + members[: MAX_CANDIDATES - len(window)]
    least, lowest = members[0], _NONE_YET
    for member in members:
        state, besides, places, _, _ = member
        occupied = (state.in_flight + besides) / places  # kernels.occupancy, without the call
        if occupied < lowest:
            least, lowest = member, occupied
    return least, lowest


def occupancy_of(member: Member) -> float:
    """Requests inside a replica over those planned for."""
    state, besides, places, _, _ = member
    return kernels.occupancy(state.in_flight, besides, places)


def waits(member: Member, occupied: float, request: RouteRequest) -> tuple[float, float]:
    """Expected prefill and queue of a replica, seconds."""
    state = member[0]
    more = request.prompt_tokens - state.mean_prompt_tokens if request.prompt_tokens else 0.0
    return (
        kernels.prefill_seconds(
            state.prefill_s, state.waiting_tokens, more, state.prefill_tokens_per_s
        ),
        kernels.queue_seconds(occupied, member[3], state.service_s),
    )


def at_home(
    pool: PoolOfModel, request: RouteRequest, drawn: int, least: Member, occupied: float
) -> Member:
    """The first of the prefix's homes that is not overloaded, else the least occupied replica."""
    bound = kernels.affinity_bound(occupied)
    full = pool.max_occupancy * FILL[request.priority]
    by_slot = pool.by_slot
    for slot in pool.homes(drawn):
        member = by_slot[slot]
        if member is None:
            continue
        state, besides, places, _, _ = member
        inside = (state.in_flight + besides) / places
        if inside <= bound and inside < full and state.replica not in request.excluded:
            return member
    return least


def _is_late(
    best: Scored | None, pools: list[PoolOfModel], request: RouteRequest, drawn: int
) -> bool:
    """True if the first token would be late from each of one's own replicas."""
    if best is not None and best[4] <= request.ttft_budget_s:
        return False
    return earliest(pools, request, drawn) > request.ttft_budget_s


def with_overflow(pools: list[PoolOfModel], more: list[PoolOfModel]) -> list[PoolOfModel]:
    """One's own pools and somebody else's, the cheapest first."""
    return sorted(pools + more, key=lambda pool: pool.price)[:MAX_CANDIDATES]


def earliest(pools: list[PoolOfModel], request: RouteRequest, drawn: int) -> float:
    """The shortest expected time to first token, places or not; infinite without a pool."""
    shortest = _NONE_YET
    for pool in pools:
        least, occupied = least_of(pool, request.excluded, drawn)
        rtt_s = request.rtt_s_by_site.get(pool.site, request.unknown_rtt_s)
        shortest = min(shortest, rtt_s + sum(waits(least, occupied, request)))
    return shortest
