"""A reload: the files are read again, and what they say holds, without an end to any request."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import msgspec

from neocloud.engines import Endpoint, EngineStartError
from neocloud.gateway.observability.logs import reloads
from neocloud.gateway.operation.engine_room import EngineRoom
from neocloud.gateway.operation.operations import Reloaded
from neocloud.gateway.operation.tls import tls_context
from neocloud.gateway.settings import Management, Settings, SettingsError
from neocloud.ledger import LedgerError

log = reloads

Apply = Callable[[Settings, tuple[Endpoint, ...]], Awaitable[None]]

_FIXED = {
    "listen": "the address (listen)",
    "ledger": "the ledger",
    "workers": "the number of processes (workers)",
    "quotas": "the store of the limits (quotas)",
    "admin": "the admin API's address (admin_listen)",
    "grace_s": "the grace",
}
"""What holds until a restart."""


def held_back(now: Settings, wanted: Settings) -> tuple[Settings, tuple[str, ...]]:
    """What may hold at once of `wanted`, and what of it needs a restart, in words."""
    changed = [name for name in _FIXED if getattr(now, name) != getattr(wanted, name)]
    told = [_FIXED[name] for name in changed]
    kept = {name: getattr(now, name) for name in changed}
    if _traces(now) != _traces(wanted):
        traces, share = _traces(now)
        kept["observing"] = msgspec.structs.replace(
            wanted.observing, traces=traces, trace_share=share
        )
        told.append("where traces go (traces, trace_share)")
    if (now.tls is None) != (wanted.tls is None):
        kept["tls"] = now.tls
        told.append("TLS where there was none, or none where there was")
    return msgspec.structs.replace(wanted, **kept), tuple(told)


def _traces(settings: Settings) -> tuple[str | None, float]:
    return settings.observing.traces, settings.observing.trace_share


class Reloading:
    """Reloads, one at a time.

    Args:
        settings: that hold at the start.
        management: reads the files.
        room: the engines that the gateway has started.
        apply: lets settings and engines hold in all workers.

    Attributes:
        settings: that hold now.
    """

    def __init__(
        self, settings: Settings, management: Management, room: EngineRoom, apply: Apply
    ) -> None:
        self.settings = settings
        self._management = management
        self._room = room
        self._apply = apply
        self._busy = asyncio.Lock()

    async def reload(self) -> Reloaded:
        """Let hold what the files say now.

        Raises:
            SettingsError: they cannot hold; nothing has changed.
        """
        async with self._busy:
            before = self.settings
            try:
                read, notes = await asyncio.to_thread(self._management.reread)
                wanted, needs_restart = held_back(before, read)
                if wanted.tls is not None:
                    tls_context(wanted.tls)
                old = await self._room.prepare(before, wanted)
            except (LedgerError, EngineStartError) as error:
                raise SettingsError(str(error)) from None
            served = _replicas(before, self._room.endpoints(before))
            endpoints = self._room.endpoints(wanted)
            try:
                await self._apply(wanted, endpoints)
            except BaseException:
                await self._room.undo(before, wanted, old)
                raise
            self.settings = wanted
            starting = self._room.settle(wanted, old, self.engine_came)
        serving = _replicas(wanted, endpoints)
        return Reloaded(
            added=tuple(sorted(serving - served)),
            removed=tuple(sorted(served - serving)),
            starting=starting,
            needs_restart=needs_restart,
            notes=notes,
        )

    async def engine_came(self) -> None:
        """An engine that a reload brought serves now."""
        async with self._busy:
            try:
                await self._apply(self.settings, self._room.endpoints(self.settings))
            except (SettingsError, LedgerError) as error:
                log.error("a new engine cannot be taken in: %s", error)  # noqa: TRY400


async def reload_and_tell(reload: Callable[[], Awaitable[Reloaded]]) -> None:
    """Reload because of SIGHUP; the log says what came of it."""
    try:
        came = await reload()
    except SettingsError as error:
        log.error("not reloaded, all stays as it was:\n%s", error)  # noqa: TRY400
        return
    log.info("reloaded")
    for word, names in (("new", came.added), ("gone", came.removed), ("starting", came.starting)):
        if names:
            log.info("%s: %s", word, ", ".join(names))
    for need in came.needs_restart:
        log.warning("this needs a restart: %s", need)
    for note in came.notes:
        log.warning("%s", note)


def _replicas(settings: Settings, endpoints: tuple[Endpoint, ...]) -> set[str]:
    """Replicas that these endpoints stand for."""
    found = {endpoint.replica for endpoint in endpoints}
    if settings.plan is not None:
        found &= {r for placement in settings.plan.placements for r in placement.replica_ids()}
    return found | {remote.endpoint.replica for remote in settings.remotes}
