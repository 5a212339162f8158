"""The fleet as the settings have it, and what of the fleet before it goes on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from neocloud.engines import Endpoint
from neocloud.gateway.fleet.remotes import Remote, cost_of
from neocloud.gateway.fleet.replicas import Backend, Fleet, backends_of_endpoints, backends_of_plan
from neocloud.gateway.settings import Settings
from neocloud.gateway.tenants.distances import REMOTE_SITE
from neocloud.routing import ReplicaState
from neocloud.wire import Client

if TYPE_CHECKING:  # the planner loads numpy, and nothing of it is called here
    from neocloud.planner import Plan

_PLANNED = (
    "target_concurrency", "max_occupancy", "prefill_s", "prefill_tokens_per_s",
    "mean_prompt_tokens", "service_s", "cost", "kwh", "overflow",
)  # fmt: skip
"""What a plan says of a replica; the rest of its state is what happened to it."""


def fleet_of(
    settings: Settings, endpoints: Iterable[Endpoint], client: Client, before: Fleet | None = None
) -> Fleet:
    """The replicas that the settings have and that `endpoints` answer for.

    One that was there before at the same address stays: its connections, what is in flight there,
    what its answers told, and that the operator has drained it. Of those that go, no state says any
    more that they take requests.
    """
    if settings.plan is not None:
        by_replica = {endpoint.replica: endpoint for endpoint in endpoints}
        own = backends_of_plan(settings.plan, by_replica, client)
    else:
        own = backends_of_endpoints(endpoints, client)
    backends = [*own, *_remotes(settings.remotes, settings.plan, own, client)]
    if before is None:
        return Fleet(backends)
    known = {backend.state.replica: backend for backend in before.backends}
    for backend in backends:
        _go_on(backend, known.pop(backend.state.replica, None))
    for gone in known.values():
        gone.state.healthy = False
    before.changed()
    return Fleet(backends, before.sites)


def besides(fleet: Fleet, other: Fleet) -> tuple[Backend, ...]:
    """Replicas of a fleet that the other has not, or has elsewhere."""
    states = {id(state) for state in other.states}
    return tuple(backend for backend in fleet.backends if id(backend.state) not in states)


def _go_on(backend: Backend, before: Backend | None) -> None:
    if before is None:
        return
    backend.drained = before.drained
    if before.endpoint != backend.endpoint:
        before.state.healthy = False
        return
    for name in _PLANNED:
        setattr(before.state, name, getattr(backend.state, name))
    backend.state = before.state
    backend.answered = before.answered
    backend.unanswered = before.unanswered


def _remotes(
    remotes: Sequence[Remote], plan: Plan | None, own: Sequence[Backend], client: Client
) -> list[Backend]:
    found = []
    for remote in remotes:
        endpoint = remote.endpoint
        _, pool, _ = endpoint.replica.split("/", 2)
        costs = [backend.state.cost for backend in own if backend.state.model == remote.model]
        state = ReplicaState(
            replica=endpoint.replica,
            site=REMOTE_SITE,
            pool=pool,
            model=remote.model,
            cost=cost_of(remote, plan, costs),
            overflow=True,
        )
        found.append(Backend(endpoint, client.pool(endpoint.address), state, None))
    return found
