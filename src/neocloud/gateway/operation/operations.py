"""What an operator can see and do while the gateway runs, whatever it runs as."""

from __future__ import annotations

from typing import Protocol

import msgspec

from neocloud.gateway.fleet.replicas import Backend
from neocloud.quotas import Remaining, TenantLimit


class ReplicaNow(msgspec.Struct, frozen=True, kw_only=True):
    """A replica as the gateway sees it now.

    Attributes:
        replica: its id.
        site: where it stands.
        pool: likewise.
        model: that it serves.
        engine: kind of its engine.
        address: where it answers.
        state: `ready`, `draining`, `drained`, `unhealthy`, `ejected` after failures, or `trying`
            whether it is well again.
        in_flight: requests of this gateway that it has.
        engine_running: requests in it that are others', as it told last.
        engine_waiting: requests that wait in it, as it told last.
        kv_usage: share of its KV cache in use, as it told last.
        failures: failures in a row.
        overflow: somebody else's, for what would be late.
        emulated: no accelerator stands behind it.
    """

    replica: str
    site: str
    pool: str
    model: str
    engine: str
    address: str
    state: str
    in_flight: int
    engine_running: int
    engine_waiting: int
    kv_usage: float
    failures: int
    overflow: bool
    emulated: bool


_WORST = ("drained", "draining", "unhealthy", "ejected", "trying", "ready")


def replica_now(backend: Backend, now_s: float) -> ReplicaNow:
    """How a replica stands at a worker."""
    state, breaker = backend.state, backend.state.breaker
    if backend.drained:
        word = "draining" if state.in_flight else "drained"
    elif not state.healthy:
        word = "unhealthy"
    elif breaker.opened:
        word = "ejected" if now_s < breaker.until_s else "trying"
    else:
        word = "ready"
    return ReplicaNow(
        replica=state.replica,
        site=state.site,
        pool=state.pool,
        model=state.model,
        engine=backend.endpoint.kind,
        address=str(backend.endpoint.address),
        state=word,
        in_flight=state.in_flight,
        engine_running=state.others,
        engine_waiting=state.waiting,
        kv_usage=state.kv_usage,
        failures=breaker.failures,
        overflow=state.overflow,
        emulated=backend.endpoint.emulated,
    )


def together(views: list[tuple[ReplicaNow, ...]]) -> tuple[ReplicaNow, ...]:
    """What several workers see, as one: requests in flight summed, of states the worst."""
    found: dict[str, ReplicaNow] = {}
    for view in views:
        for seen in view:
            known = found.get(seen.replica)
            found[seen.replica] = seen if known is None else _both(known, seen)
    return tuple(
        msgspec.structs.replace(each, state="draining")
        if each.state == "drained" and each.in_flight
        else each
        for each in found.values()
    )


def _both(one: ReplicaNow, other: ReplicaNow) -> ReplicaNow:
    return msgspec.structs.replace(
        one,
        state=min(one.state, other.state, key=_WORST.index),
        in_flight=one.in_flight + other.in_flight,
        # What one worker counts as others' holds what the other has in flight.
        engine_running=max(0, min(one.engine_running, other.engine_running)),
        failures=max(one.failures, other.failures),
    )


class TenantNow(msgspec.Struct, frozen=True, kw_only=True):
    """A tenant's limits and what remains of them; money in 1e-12 of the currency."""

    tenant: str
    limit: TenantLimit
    remaining: Remaining


class Reloaded(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a reload.

    Attributes:
        added: replicas that take requests from now on.
        removed: replicas that take none any more.
        starting: engines that are started; they follow by themselves.
        needs_restart: settings that changed in the file and hold only after a restart.
        notes: what else is to be known.
    """

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    starting: tuple[str, ...] = ()
    needs_restart: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


class Operations(Protocol):
    """Implemented by a gateway of one process, and by the supervisor of several."""

    async def replicas(self) -> tuple[ReplicaNow, ...]:
        """All replicas."""
        ...

    async def drain(self, replica: str, *, drained: bool) -> bool:
        """Keep requests off a replica, or let them come again; False if there is no such one."""
        ...

    async def tenants(self) -> tuple[TenantNow, ...]:
        """Tenants with limits, and what remains."""
        ...

    async def metrics(self) -> dict[str, bytes]:
        """The metrics' page of each worker, by its number."""
        ...

    async def reload(self) -> Reloaded:
        """Let hold what the files say now.

        Raises:
            SettingsError: they cannot hold; nothing has changed.
        """
        ...
