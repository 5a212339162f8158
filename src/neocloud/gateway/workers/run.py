"""Bringing a gateway up and down: ledger, engines, door; and down in the opposite order."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import Callable

from neocloud.gateway.operation.door import address_of, bound, operated
from neocloud.gateway.operation.engine_room import EngineRoom
from neocloud.gateway.operation.operations import Reloaded, ReplicaNow, TenantNow
from neocloud.gateway.operation.reload import Reloading
from neocloud.gateway.operation.signals import Signals
from neocloud.gateway.operation.tls import tls_context
from neocloud.gateway.settings import Management, Settings, Up
from neocloud.gateway.workers.allowances import retire
from neocloud.gateway.workers.post import Post, earlier_workers, gateway_id
from neocloud.gateway.workers.service import Service
from neocloud.gateway.workers.supervise import supervise
from neocloud.ledger import Ledger, Shipper, close_abandoned


async def run(settings: Settings, management: Management, on_up: Callable[[Up], None]) -> None:
    """Serve until SIGTERM or SIGINT, then end what runs, in order; a second one ends it at once.

    SIGHUP reloads.

    Raises:
        LedgerError: the ledger cannot be used, or not all could be written.
        BankError: the store of the quotas cannot be used.
        EngineStartError: an engine did not come up.
        WorkerError: a worker did not come up.
        SettingsError: an address cannot be listened on, a certificate cannot be used, or the admin
            API has no token.
    """
    signals = Signals()
    serve = _alone if settings.workers == 1 else supervise
    try:
        async with contextlib.AsyncExitStack() as stack:
            if settings.tls is not None:
                tls_context(settings.tls)
            admin_socket = None
            if settings.admin is not None:
                admin_socket = stack.enter_context(bound(settings.admin))
            await serve(settings, management, signals, admin_socket, on_up)
    except asyncio.CancelledError:
        if not signals.stop.is_set():
            raise  # else it was told to end while it started


class _Alone:
    """Implements `Operations` for the one process that a gateway is."""

    def __init__(self, service: Service, reloading: Reloading) -> None:
        self._service = service
        self._reloading = reloading

    async def replicas(self) -> tuple[ReplicaNow, ...]:
        return self._service.replicas()

    async def drain(self, replica: str, *, drained: bool) -> bool:
        return self._service.drain_replica(replica, drained=drained)

    async def tenants(self) -> tuple[TenantNow, ...]:
        return self._service.tenants()

    async def metrics(self) -> dict[str, bytes]:
        return {"0": self._service.metrics()}

    async def reload(self) -> Reloaded:
        return await self._reloading.reload()


async def _alone(
    settings: Settings,
    management: Management,
    signals: Signals,
    admin_socket: socket.socket | None,
    on_up: Callable[[Up], None],
) -> None:
    """Serve in this process."""
    loop = asyncio.get_running_loop()
    now_ns = time.time_ns()
    ledger = Ledger(settings.ledger, worker=0, now_ns=now_ns, deliver=loop.call_soon_threadsafe)
    async with contextlib.AsyncExitStack() as stack:
        shipper = await Shipper.start(settings.ledger, ledger.note_shipping)
        stack.push_async_callback(shipper.stop)
        # The thread of the ledger delivers to this loop, so it is closed beside it, not in it.
        stack.push_async_callback(asyncio.to_thread, ledger.close)
        others = [number for number in earlier_workers(settings.ledger) if number]
        closed = _close(settings, others, now_ns)
        door = stack.enter_context(bound(settings.listen))
        room = EngineRoom()
        await room.start(settings)
        stack.push_async_callback(room.stop)
        post = Post(number=0, gateway=gateway_id(settings.ledger), started_ns=now_ns)
        service = await Service.start(
            settings, room.endpoints(settings), post, ledger, holdings=True
        )
        stack.push_async_callback(service.close, signals.at_once)
        await retire(settings, post, others)
        reloading = Reloading(settings, management, room, service.change)
        await service.listen(door)
        admin = await operated(
            _Alone(service, reloading), management, lambda: service.settings, signals, admin_socket
        )
        if admin is not None:
            stack.push_async_callback(admin.close)
        backends = service.gateway.fleet.backends
        on_up(
            Up(
                listen=address_of(door),
                admin=None if admin_socket is None else address_of(admin_socket),
                tls=settings.tls is not None,
                workers=1,
                replicas=len(backends),
                emulated=sum(backend.endpoint.emulated for backend in backends),
                recovered=ledger.recovered + closed,
                keys=len(service.gateway.callers.keys),
            )
        )
        await signals.stop.wait()


def _close(settings: Settings, numbers: list[int], now_ns: int) -> int:
    """Close what workers left open that will not start again."""
    return sum(
        close_abandoned(settings.ledger, workers=range(n, n + 1), now_ns=now_ns) for n in numbers
    )
