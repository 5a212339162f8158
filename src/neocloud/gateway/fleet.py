"""The replicas behind the gateway: where they answer and how the router sees them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from neocloud.engines import Endpoint
from neocloud.planner import Placement, Plan
from neocloud.routing import Group, ReplicaState
from neocloud.wire import Client, Pool


class Holding(msgspec.Struct, frozen=True, kw_only=True):
    """Accelerators that a replica holds, and where they stand."""

    accelerator: str
    accelerators: int
    pue: float
    placement: Placement


class Backend:
    """One replica: its engine's address, its connections, its state for the router.

    Attributes:
        endpoint: where it answers.
        pool: connections to it.
        state: what the router knows of it; the same object stands in `Fleet.states`.
        holding: what it holds; None where nothing is known of the machine.
        answered: requests that it took since the last metering.
    """

    __slots__ = ("answered", "endpoint", "holding", "path", "pool", "state")

    def __init__(
        self, endpoint: Endpoint, pool: Pool, state: ReplicaState, holding: Holding | None
    ) -> None:
        self.endpoint = endpoint
        self.pool = pool
        self.state = state
        self.holding = holding
        self.path = endpoint.prefix + b"/v1/chat/completions"
        self.answered = 0

    @property
    def accelerator(self) -> str:
        """Accelerator key; empty where unknown."""
        return self.holding.accelerator if self.holding is not None else ""


class Fleet:
    """All replicas. `states[i]` belongs to `backends[i]`."""

    def __init__(self, backends: Iterable[Backend]) -> None:
        self.backends = tuple(backends)
        self.states = [backend.state for backend in self.backends]
        by_model: dict[str, list[Backend]] = {}
        for backend in self.backends:
            by_model.setdefault(backend.state.model, []).append(backend)
        self._of_model = {
            model: (tuple(group), Group(model, [backend.state for backend in group]))
            for model, group in by_model.items()
        }

    def of_model(self, model: str) -> tuple[tuple[Backend, ...], Group]:
        """Replicas of a model, and their states in the same order."""
        found = self._of_model.get(model)
        return found if found is not None else ((), Group(model, ()))


def fleet_of_plan(plan: Plan, endpoints: Mapping[str, Endpoint], client: Client) -> Fleet:
    """The plan's replicas as far as there are endpoints for them.

    Args:
        plan: what stands where.
        endpoints: by replica id.
        client: makes the connections.
    """
    lengths = {m.model: m.output_tokens_per_request for m in plan.models}
    backends = []
    for placement in plan.placements:
        full, idle = placement.curve[-1], placement.curve[0]
        service_s = (full.ttft_ms + full.tpot_ms * (lengths[placement.model] - 1.0)) / 1e3
        requests_per_s = sum(placement.requests_per_s_by_hour) / plan.hours
        for replica in placement.replica_ids():
            endpoint = endpoints.get(replica)
            if endpoint is None:
                continue
            state = ReplicaState(
                replica=replica,
                site=placement.site,
                pool=placement.pool,
                model=placement.model,
                target_concurrency=max(1.0, full.requests_per_s * service_s),
                prefill_s=idle.ttft_ms / 1e3,
                service_s=service_s,
                cost=placement.cost_per_hour.total / max(requests_per_s * 3600.0, 1e-9),
            )
            holding = Holding(
                accelerator=placement.accelerator,
                accelerators=placement.configuration.accelerators,
                pue=placement.pue,
                placement=placement,
            )
            backends.append(Backend(endpoint, client.pool(endpoint.address), state, holding))
    return Fleet(backends)


def fleet_of_endpoints(endpoints: Iterable[Endpoint], client: Client) -> Fleet:
    """Replicas of which nothing is known but where they answer."""
    backends = []
    for endpoint in endpoints:
        site, pool, _ = endpoint.replica.split("/", 2)
        state = ReplicaState(replica=endpoint.replica, site=site, pool=pool, model=endpoint.model)
        backends.append(Backend(endpoint, client.pool(endpoint.address), state, None))
    return Fleet(backends)
