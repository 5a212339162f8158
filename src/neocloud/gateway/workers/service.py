"""The gateway within one process: everything between the listening socket and the engines."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import socket
import sqlite3
import ssl
import time
from collections.abc import Iterable, Mapping
from typing import Self

from neocloud.engines import Endpoint
from neocloud.gateway.apis.refusals import refusal
from neocloud.gateway.fleet.replicas import Backend
from neocloud.gateway.fleet.shares import HourShares, shares_at
from neocloud.gateway.metering.energy import EnergyMeters
from neocloud.gateway.metering.meter import Meter
from neocloud.gateway.observability.metrics import metrics_page
from neocloud.gateway.observability.tracing import Tracing
from neocloud.gateway.operation.operations import ReplicaNow, TenantNow, replica_now
from neocloud.gateway.operation.tls import renew, tls_context
from neocloud.gateway.requests.gateway import Gateway
from neocloud.gateway.requests.ids import RequestIds
from neocloud.gateway.requests.repeats import MarkFile, Repeats
from neocloud.gateway.settings import Settings
from neocloud.gateway.tenants.callers import Callers
from neocloud.gateway.workers.allowances import allowances, spent_by
from neocloud.gateway.workers.post import Post
from neocloud.gateway.workers.refit import besides, fleet_of
from neocloud.gateway.workers.watching import energy_meters, start_observing, warn_of_undelivered
from neocloud.ledger import KeyWatch, Ledger, LedgerError, keys_of
from neocloud.wire import Client, Limits, Server, serve_on

log = logging.getLogger(__name__)

_KEYS_S = 1.0
_HOUR_S = 3600
_LOOK_S = 0.02
"""How often it is looked whether all answers have ended."""


class Service:
    """One worker. Made by `start`; ended by `close`.

    Attributes:
        settings: that hold now.
        gateway: answers the requests.
        ledger: where usage goes.
    """

    def __init__(
        self,
        settings: Settings,
        gateway: Gateway,
        meter: Meter,
        client: Client,
        watch: KeyWatch,
        post: Post,
    ) -> None:
        self.settings = settings
        self._post = post
        self.gateway = gateway
        self.ledger = gateway.ledger
        self._meter = meter
        self._client = client
        self._watch = watch
        self._server: Server | None = None
        self._context: ssl.SSLContext | None = None
        self._tasks: tuple[asyncio.Task[None], ...] = ()
        self._tracing: Tracing | None = None
        self._energy: EnergyMeters | None = None
        self._changing = asyncio.Lock()
        self._until_s = math.inf  # the end of the grace, once it runs

    @classmethod
    async def start(
        cls,
        settings: Settings,
        endpoints: Iterable[Endpoint],
        post: Post,
        ledger: Ledger,
        *,
        holdings: bool,
    ) -> Self:
        """Begin everything but listening.

        Args:
            settings: what holds.
            endpoints: engines of the cloud's own.
            post: which worker this is.
            ledger: its part of the ledger, open.
            holdings: True for the one worker of a gateway that writes what the replicas hold.

        Raises:
            BankError: the store of the quotas cannot be used.
            LedgerError: the ledger cannot be read.
            SettingsError: traces are asked for and cannot be made.
        """
        quotas = await allowances(settings, post)
        client = Client()
        fleet = fleet_of(settings, endpoints, client)
        watch = KeyWatch(keys_of(settings.ledger), tuple(settings.given_keys))
        ring = await asyncio.to_thread(watch.look, time.time_ns())
        assert ring is not None, "the first look finds what there is"
        ids = RequestIds(post.gateway_number, post.number)
        callers = Callers(settings.rules, ring)
        gateway = Gateway(settings.rules, fleet, ledger, quotas, callers, ids)
        gateway.shares = _shares(settings)
        gateway.repeats = await asyncio.to_thread(_repeats, settings, post)
        meter = Meter(fleet, ledger if holdings else None, settings.observing.ground)
        await meter.look(fleet.backends)
        service = cls(settings, gateway, meter, client, watch, post)
        service._tracing = start_observing(
            gateway, settings.observing, post.number, lambda: service.connections
        )
        service._tasks = (
            asyncio.create_task(meter.run()),
            asyncio.create_task(quotas.run()),
            asyncio.create_task(service._watch_keys()),
            asyncio.create_task(service._follow_plan()),
        )
        if holdings:
            warn_of_undelivered(settings.observing.ground)
            service._energy = energy_meters(settings.observing, ledger)
            service._tasks += (asyncio.create_task(service._energy.run()),)
        return service

    @property
    def connections(self) -> int:
        """Clients' open connections."""
        return 0 if self._server is None else self._server.connections

    async def listen(self, bound: socket.socket) -> None:
        """Take requests.

        Raises:
            SettingsError: the certificate cannot be used.
        """
        if self.settings.tls is not None:
            self._context = tls_context(self.settings.tls)
        self._server = await serve_on(
            self.gateway.handle, bound, _limits(self.settings), refusal, tls=self._context
        )

    async def change(self, settings: Settings, endpoints: Iterable[Endpoint]) -> None:
        """Let other settings and engines hold, without an end to anything under way.

        Raises:
            SettingsError: the certificate cannot be used; nothing has changed.
            LedgerError: the ledger cannot be read; likewise.
        """
        async with self._changing:
            gateway, meter = self.gateway, self._meter
            spent = await self._spent_of_new_budgets(settings)
            if self._context is not None and settings.tls is not None:
                renew(self._context, settings.tls)
            before = gateway.fleet
            fleet = fleet_of(settings, endpoints, self._client, before)
            await meter.part(besides(before, fleet))
            await meter.look(besides(fleet, before))
            self.settings = settings
            meter.change(fleet, settings.observing.ground)
            if self._energy is not None:
                self._energy.change(settings.observing.meters)
            gateway.shares = _shares(settings)
            gateway.change(settings.rules, fleet)
            if self._server is not None:
                self._server.limits = _limits(settings)
            for tenant, money in spent.items():
                gateway.quotas.charge(tenant, money)
            await self._look_for_keys()

    def drain_replica(self, replica: str, *, drained: bool) -> bool:
        """Keep requests off a replica, or let them come again; False if there is no such one."""
        backend = self._backend(replica)
        if backend is None:
            return False
        backend.drained = drained
        if drained:
            backend.state.healthy = False
            self.gateway.fleet.changed()
        return True  # its next probe lets it back in

    @property
    def drained(self) -> frozenset[str]:
        """Replicas that the operator keeps requests off."""
        return frozenset(b.state.replica for b in self.gateway.fleet.backends if b.drained)

    def replicas(self) -> tuple[ReplicaNow, ...]:
        """How all replicas stand."""
        now_s = time.monotonic()
        return tuple(replica_now(backend, now_s) for backend in self.gateway.fleet.backends)

    def tenants(self) -> tuple[TenantNow, ...]:
        """Tenants with limits, and what remains as far as this worker knows."""
        now_s = time.monotonic()
        quotas = self.gateway.quotas
        return tuple(
            TenantNow(tenant=name, limit=limit, remaining=quotas.remaining(name, now_s))
            for name, limit in self.gateway.rules.limits.items()
        )

    def metrics(self) -> bytes:
        """The page of metrics."""
        return metrics_page(self.gateway)

    def take_answered(self) -> dict[str, int]:
        """Requests that replicas took, for the worker that writes what they hold."""
        found = {}
        for backend in self.gateway.fleet.backends:
            if backend.answered:
                found[backend.state.replica] = backend.answered
                backend.answered = 0
        return found

    def add_answered(self, counts: Mapping[str, int]) -> None:
        """Count what other workers sent."""
        for backend in self.gateway.fleet.backends:
            backend.answered += counts.get(backend.state.replica, 0)

    def shut(self) -> None:
        """Refuse new requests and end idle connections; probes go on being answered.

        The grace runs from the first call on.
        """
        self._until_s = min(self._until_s, time.monotonic() + self.settings.grace_s)
        self.gateway.draining = True
        self.gateway.waiting.close()
        if self._server is not None:
            self._server.drain()

    async def leave(self) -> None:
        """Stop listening, for a successor on the same socket, and write no more of holdings."""
        if self._server is not None:
            self._server.stop_listening()
        if self._energy is not None:
            self._energy.change(())
        await self._meter.finish()

    async def finish(self, at_once: asyncio.Event) -> float:
        """Let what is under way end within the grace, or until `at_once`; what is left of it, s."""
        self.shut()
        while self.ledger.open_requests and time.monotonic() < self._until_s:
            if await _within(at_once, _LOOK_S):
                break
        return 0.0 if at_once.is_set() else max(0.0, self._until_s - time.monotonic())

    async def close(self, at_once: asyncio.Event) -> None:
        """Let what is under way end within the grace, or until `at_once`, then end everything."""
        left_s = await self.finish(at_once)
        if self._server is not None:
            cut = await self._server.close_gracefully(left_s)
            if cut:
                log.warning("connections cut off at the end: %d", cut)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        with contextlib.suppress(LedgerError):
            await self._meter.finish()
        await self.gateway.quotas.close()
        if self.gateway.repeats is not None:
            await self.gateway.repeats.close()
        await self._client.close()
        if self._tracing is not None:
            await asyncio.to_thread(self._tracing.close)

    def _backend(self, replica: str) -> Backend | None:
        found = self.gateway.fleet.backends
        return next((backend for backend in found if backend.state.replica == replica), None)

    async def _spent_of_new_budgets(self, settings: Settings) -> dict[str, int]:
        new = settings.rules.budgets - self.gateway.rules.budgets
        return await spent_by(settings, self._post, new)

    async def _watch_keys(self) -> None:
        """Take up keys that are made, rotated or revoked."""
        while True:
            await asyncio.sleep(_KEYS_S)
            await self._look_for_keys()

    async def _look_for_keys(self) -> None:
        try:
            ring = await asyncio.to_thread(self._watch.look, time.time_ns())
        except LedgerError as error:
            log.warning("keys cannot be read, those known go on: %s", error)
            return
        if ring is not None:
            self.gateway.callers.keys = ring

    async def _follow_plan(self) -> None:
        """Route by the plan of the hour."""
        while True:
            now_s = time.time()
            await asyncio.sleep(_HOUR_S - now_s % _HOUR_S)
            self.gateway.shares = _shares(self.settings)


async def _within(event: asyncio.Event, seconds: float) -> bool:
    """Whether an event comes within a time."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
    return event.is_set()


def _limits(settings: Settings) -> Limits:
    return Limits(max_body_bytes=settings.max_body_bytes)


def _repeats(settings: Settings, post: Post) -> Repeats:
    path = settings.ledger.segments / "repeats.db"
    try:
        return Repeats(MarkFile(path, post.number, post.started_ns))
    except sqlite3.Error as error:
        raise LedgerError(f"{path}: {error}") from None


def _shares(settings: Settings) -> HourShares:
    return shares_at(settings.plan, int(time.time() // _HOUR_S))
