"""Which site and replica takes a request: site and pool first, then the replica in it.

Replicas of one model in one pool are alike, so only the least occupied of each pool is scored.
"""

from __future__ import annotations

from collections.abc import Sequence

from neocloud.routing import kernels
from neocloud.routing.records import Candidate, Choice, NoReplica, ReplicaState, RouteRequest


def _occupancy(state: ReplicaState) -> float:
    return kernels.occupancy(
        state.in_flight,
        state.running,
        state.waiting,
        state.kv_usage,
        state.age_s,
        state.target_concurrency,
    )


def _best_by_pool(
    states: Sequence[ReplicaState], request: RouteRequest
) -> dict[tuple[str, str], tuple[float, int]]:
    """For each pool of a permitted site its least occupied replica, as (occupancy, index)."""
    best: dict[tuple[str, str], tuple[float, int]] = {}
    for index, state in enumerate(states):
        if state.model != request.model or not state.healthy:
            continue
        if request.allowed_sites is not None and state.site not in request.allowed_sites:
            continue
        if request.excluded and state.replica in request.excluded:
            continue
        occupied = _occupancy(state)
        place = (state.site, state.pool)
        known = best.get(place)
        if known is None or occupied < known[0]:
            best[place] = (occupied, index)
    return best


def candidates(states: Sequence[ReplicaState], request: RouteRequest) -> tuple[Candidate, ...]:
    """Each permitted pool's best replica with its score, cheapest score first."""
    best = _best_by_pool(states, request)
    if not best:
        return ()
    cheapest = min(states[index].cost for _, index in best.values())
    found = []
    for (site, _), (occupied, index) in best.items():
        state = states[index]
        rtt_s = request.rtt_s_by_site.get(site, request.unknown_rtt_s)
        queue_s = kernels.queue_seconds(occupied, state.service_s)
        found.append(
            Candidate(
                replica=state.replica,
                score=kernels.score(
                    state.cost,
                    cheapest,
                    rtt_s,
                    state.prefill_s,
                    queue_s,
                    request.ttft_budget_s,
                    occupied,
                ),
                rtt_s=rtt_s,
                queue_s=queue_s,
                occupancy=occupied,
                cost=state.cost,
            )
        )
    return tuple(sorted(found, key=lambda c: (c.score, c.replica)))


def choose(states: Sequence[ReplicaState], request: RouteRequest) -> Choice | NoReplica:
    """Pick the replica for `request`, or say why there is none.

    A tenant's `allowed_sites` is a hard limit: nothing outside it is ever chosen. Equal scores go
    to the lower index, so the same states give the same choice.
    """
    best = _best_by_pool(states, request)
    if not best:
        return NoReplica(reason=_why_none(states, request))
    if len(best) == 1:
        ((_, index),) = best.values()
        return Choice(index=index, replica=states[index].replica)
    cheapest = min(states[index].cost for _, index in best.values())
    chosen, lowest = -1, float("inf")
    for (site, _), (occupied, index) in best.items():
        state = states[index]
        value = kernels.score(
            state.cost,
            cheapest,
            request.rtt_s_by_site.get(site, request.unknown_rtt_s),
            state.prefill_s,
            kernels.queue_seconds(occupied, state.service_s),
            request.ttft_budget_s,
            occupied,
        )
        if value < lowest:
            chosen, lowest = index, value
    return Choice(index=chosen, replica=states[chosen].replica)


def _why_none(states: Sequence[ReplicaState], request: RouteRequest) -> str:
    serving = [s for s in states if s.model == request.model]
    if not serving:
        return f"no replica serves {request.model}"
    allowed = [
        s for s in serving if request.allowed_sites is None or s.site in request.allowed_sites
    ]
    if not allowed:
        return f"no replica of {request.model} stands at a site that this tenant may use"
    if not any(s.healthy for s in allowed):
        return f"no replica of {request.model} is healthy"
    return f"every replica of {request.model} was tried"
