"""Which rule keeps a replica from a request."""

from __future__ import annotations

from neocloud.routing.group import Group, PoolOfModel, takes
from neocloud.routing.records import NoReplica, ReplicaState, RouteRequest

FORBIDDEN_SITE = "site not allowed to the tenant"
FORBIDDEN_CARBON = "carbon above the tenant's limit"
TRIED = "tried"
OVERFLOW = "somebody else's, not needed"
KEPT_IN = "somebody else's, not allowed"


def rule_against(
    group: Group, pool: PoolOfModel, state: ReplicaState, request: RouteRequest, now_s: float
) -> str | None:
    """The first rule, load apart, that keeps `state` from `request`; None if none does.

    `group` has been refreshed.
    """
    if request.allowed_sites is not None and state.site not in request.allowed_sites:
        return FORBIDDEN_SITE
    grams = request.carbon_limit_g_per_kwh
    if grams is not None and pool.grams_per_kwh > grams:
        return FORBIDDEN_CARBON
    if state.overflow and not request.may_overflow:
        return KEPT_IN
    if state.replica in request.excluded:
        return TRIED
    return takes(state, now_s, panic=group.panic)


def why_none(group: Group, request: RouteRequest, now_s: float) -> NoReplica:
    """Why no replica takes `request`, where none does."""
    model = group.model
    rules = [
        rule_against(group, pool, state, request, now_s)
        for pool in group.pools
        for state in pool.states
    ]
    if not rules:
        return NoReplica(reason=f"no replica serves {model}")
    if None in rules or "said that it is full" in rules:
        return NoReplica(reason=f"every replica of {model} is full", full=True)
    if set(rules) <= {FORBIDDEN_SITE, KEPT_IN}:
        return NoReplica(reason=f"no replica of {model} stands at a site that this tenant may use")
    if set(rules) <= {FORBIDDEN_SITE, KEPT_IN, FORBIDDEN_CARBON}:
        return NoReplica(
            reason=f"no site with {model} that this tenant may use is within its carbon limit"
        )
    if TRIED in rules:
        return NoReplica(reason=f"every replica of {model} was tried")
    return NoReplica(reason=f"no replica of {model} is healthy")
