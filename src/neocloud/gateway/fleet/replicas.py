"""The replicas behind the gateway: where they answer and how the router sees them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Protocol

import msgspec

from neocloud.engines import Endpoint
from neocloud.gateway.apis import APIS
from neocloud.gateway.apis.api import Dialect, Wanted
from neocloud.gateway.tenants.rules import ModelRule
from neocloud.routing import Group, ReplicaState, SiteNow
from neocloud.wire import Client, Header, Lines, Pool, header_lines

if TYPE_CHECKING:  # the planner loads numpy, and nothing of it is called here
    from neocloud.planner import Placement, Plan

MAX_OVERLOAD = 1.5
"""Requests inside a replica over those planned at the most, for normal priority: beyond it tokens
come too slowly, and waiting before it is fairer than inside. Assumption."""


class Holding(msgspec.Struct, frozen=True, kw_only=True):
    """Accelerators that a replica holds, and where they stand."""

    accelerator: str
    accelerators: int
    pue: float
    placement: Placement


class Unanswered(Protocol):
    """A request that a replica has and has not begun to answer."""

    def give_up(self) -> None:
        """The replica is gone: ask another."""
        ...


class Way(msgspec.Struct, frozen=True):
    """How a replica is asked in one API: the dialect, and the request's head but for its length."""

    dialect: Dialect
    head: Lines


class Backend:
    """One replica: its engine's address, its connections, its state for the router.

    Attributes:
        endpoint: where it answers.
        pool: connections to it.
        state: what the router knows of it.
        holding: what it holds; None where nothing is known of the machine.
        ways: how it is asked, by the client's API; an API that it cannot serve is missing.
        answered: requests that it took since the last metering.
        unanswered: requests that it has and has not begun to answer.
        drained: True while the operator keeps requests off it.
        token_s: seconds an output token takes at the planned load; 0 where unknown.
        wanted: what it is asked for beside what clients want, by the tenant's salt, and the rule
            that this follows from. Bounded: as many as there are tenants.
    """

    __slots__ = (
        "answered", "drained", "endpoint", "holding", "pool", "state", "token_s",
        "unanswered", "wanted", "ways",
    )  # fmt: skip

    def __init__(
        self, endpoint: Endpoint, pool: Pool, state: ReplicaState, holding: Holding | None
    ) -> None:
        self.endpoint = endpoint
        self.pool = pool
        self.state = state
        self.holding = holding
        self.answered = 0
        self.drained = False
        self.wanted: dict[str, tuple[ModelRule, Wanted]] = {}
        self.unanswered: set[Unanswered] = set()
        self.token_s = 0.0 if holding is None else holding.placement.curve[-1].tpot_ms / 1e3
        fields: tuple[Header, ...] = ((b"content-type", b"application/json"),)
        if endpoint.authorization:
            fields = (*fields, (b"authorization", endpoint.authorization))
        lines = header_lines(fields)
        self.ways = {
            api.name: Way(dialect, pool.prepared(b"POST", endpoint.prefix + dialect.path, lines))
            for api in APIS
            if (dialect := api.toward(endpoint.speaks)) is not None
        }

    @property
    def accelerator(self) -> str:
        """Accelerator key; empty where unknown."""
        return self.holding.accelerator if self.holding is not None else ""


class Serving:
    """The replicas that serve one model in one API. `backends[i]` belongs to `group.states[i]`."""

    __slots__ = ("backends", "group", "several")

    def __init__(self, backends: tuple[Backend, ...], group: Group) -> None:
        self.backends = backends
        self.group = group
        self.several = len(backends) > 1


class Fleet:
    """All replicas. `states[i]` belongs to `backends[i]`.

    Args:
        backends: the replicas.
        sites: what power is like now, by site; whoever knows updates it in place.
        carbon_price_per_tonne: what a tonne of CO2 counts, in the currency of costs.
    """

    def __init__(
        self,
        backends: Iterable[Backend],
        sites: dict[str, SiteNow] | None = None,
        carbon_price_per_tonne: float = 0.0,
    ) -> None:
        self.backends = tuple(backends)
        self.states = [backend.state for backend in self.backends]
        self.sites: dict[str, SiteNow] = {} if sites is None else sites
        found: dict[tuple[str, str], list[Backend]] = {}
        for backend in self.backends:
            for api in backend.ways:
                found.setdefault((backend.state.model, api), []).append(backend)
        made: dict[tuple[str, ...], Serving] = {}
        self._serving: dict[tuple[str, str], Serving] = {}
        for (model, api), backends_of in found.items():
            key = (model, *(backend.state.replica for backend in backends_of))
            if key not in made:
                states = [backend.state for backend in backends_of]
                group = Group(model, states, self.sites, carbon_price_per_tonne)
                made[key] = Serving(tuple(backends_of), group)
            self._serving[model, api] = made[key]
        self._groups = tuple(serving.group for serving in made.values())

    def serving(self, model: str, api: str) -> Serving | None:
        """Replicas of a model that can be asked in an API; None if there are none."""
        return self._serving.get((model, api))

    def changed(self) -> None:
        """The health of a replica changed: the next choice must heed it."""
        for group in self._groups:
            group.changed()


def fleet_of_plan(plan: Plan, endpoints: Mapping[str, Endpoint], client: Client) -> Fleet:
    """A fleet of `backends_of_plan`."""
    return Fleet(backends_of_plan(plan, endpoints, client))


def backends_of_plan(
    plan: Plan, endpoints: Mapping[str, Endpoint], client: Client
) -> list[Backend]:
    """The plan's replicas as far as there are endpoints for them.

    Args:
        plan: what stands where.
        endpoints: by replica id.
        client: makes the connections.
    """
    lengths = {m.model: m.output_tokens_per_request for m in plan.models}
    inputs = {m.model: m.input_tokens_per_request for m in plan.models}
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
                max_occupancy=_room(placement, full.requests_per_s * service_s),
                prefill_s=idle.ttft_ms / 1e3,
                mean_prompt_tokens=inputs[placement.model],
                prefill_tokens_per_s=inputs[placement.model] / max(idle.ttft_ms / 1e3, 1e-9),
                kwh=full.watts * placement.pue / max(full.requests_per_s, 1e-9) / 3.6e6,
                service_s=service_s,
                cost=placement.cost_per_hour.total / max(requests_per_s * 3600.0, 1e-9),
            )
            holding = Holding(
                accelerator=placement.accelerator,
                accelerators=placement.held()[placement.pool],
                pue=placement.pue,
                placement=placement,
            )
            backends.append(Backend(endpoint, client.pool(endpoint.address), state, holding))
    return backends


def _room(placement: Placement, planned: float) -> float:
    """Requests that a replica may have inside, over those planned: the rest waits before it."""
    most = placement.configuration.max_batch * placement.workers
    return max(1.0, min(MAX_OVERLOAD, most / max(1.0, planned)))


def fleet_of_endpoints(endpoints: Iterable[Endpoint], client: Client) -> Fleet:
    """A fleet of `backends_of_endpoints`."""
    return Fleet(backends_of_endpoints(endpoints, client))


def backends_of_endpoints(endpoints: Iterable[Endpoint], client: Client) -> list[Backend]:
    """Replicas of which nothing is known but where they answer."""
    backends = []
    for endpoint in endpoints:
        site, pool, _ = endpoint.replica.split("/", 2)
        state = ReplicaState(replica=endpoint.replica, site=site, pool=pool, model=endpoint.model)
        backends.append(Backend(endpoint, client.pool(endpoint.address), state, None))
    return backends
