"""Bringing a cloud up and down: ledger, engines, gateway; and down in the opposite order."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from neocloud.engines import EmulatedEngines, Endpoint
from neocloud.gateway.answers import refusal
from neocloud.gateway.callers import Callers
from neocloud.gateway.fleet import Fleet, fleet_of_endpoints, fleet_of_plan
from neocloud.gateway.gateway import Gateway
from neocloud.gateway.meter import Meter
from neocloud.gateway.rules import Rules
from neocloud.gateway.shares import shares_at
from neocloud.gateway.spent import spent_this_month
from neocloud.ledger import ApiKey, KeyWatch, Ledger, LedgerPlace, Shipper, keys_of
from neocloud.planner import Plan
from neocloud.quotas import Quotas
from neocloud.wire import Client, Limits, Server, serve

log = logging.getLogger(__name__)

_KEYS_S = 1.0
_HOUR_S = 3600


class Emulation(msgspec.Struct, frozen=True, kw_only=True):
    """Files from which the emulated engines take what they emulate."""

    cloud_path: Path
    plan_path: Path


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What `run` needs.

    Attributes:
        rules: what may be used by whom.
        plan: what stands where; None before any server without a cloud file.
        emulation: the emulated engines to start; None starts none.
        endpoints: engines that run already.
        ledger: where usage goes.
        given_keys: keys beside those of the ledger.
        host: to listen on.
        port: to listen on; 0 takes a free one.
        max_body_bytes: largest request body.
        grace_s: how long running answers may take once it is told to stop.
    """

    rules: Rules
    plan: Plan | None
    emulation: Emulation | None
    endpoints: Sequence[Endpoint]
    ledger: LedgerPlace
    given_keys: Sequence[ApiKey]
    host: str
    port: int
    max_body_bytes: int
    grace_s: float = 30.0


class Up(msgspec.Struct, frozen=True, kw_only=True):
    """What is told once the gateway listens."""

    host: str
    port: int
    replicas: int
    emulated: int
    recovered: int
    keys: int


async def run(settings: Settings, on_up: Callable[[Up], None]) -> None:
    """Serve until SIGTERM or SIGINT, then end what runs, in order.

    Raises:
        LedgerError: the ledger cannot be used, or not all could be written.
        EngineStartError: the emulated engines did not come up.
        OSError: the address cannot be listened on.
    """
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    ledger = Ledger(
        settings.ledger,
        worker=0,
        now_ns=time.time_ns(),
        deliver=loop.call_soon_threadsafe,
    )
    async with contextlib.AsyncExitStack() as stack:
        shipper = await Shipper.start(settings.ledger, ledger.note_shipping)
        stack.push_async_callback(shipper.stop)
        # The thread of the ledger delivers to this loop, so it is closed beside it, not in it.
        stack.push_async_callback(asyncio.to_thread, ledger.close)
        endpoints = {endpoint.replica: endpoint for endpoint in settings.endpoints}
        if settings.emulation is not None:
            engines = await EmulatedEngines.start(
                settings.emulation.cloud_path,
                settings.emulation.plan_path,
                grace_s=settings.grace_s,
            )
            stack.push_async_callback(engines.stop)
            endpoints = {e.replica: e for e in engines.endpoints} | endpoints
        client = Client()
        stack.push_async_callback(client.close)
        fleet = (
            fleet_of_plan(settings.plan, endpoints, client)
            if settings.plan is not None
            else fleet_of_endpoints(endpoints.values(), client)
        )
        await _serve(settings, ledger, fleet, stop, on_up)


async def _serve(
    settings: Settings,
    ledger: Ledger,
    fleet: Fleet,
    stop: asyncio.Event,
    on_up: Callable[[Up], None],
) -> None:
    rules = settings.rules
    limits = {name: rule.limit for name, rule in rules.tenants.items() if rule.limit is not None}
    quotas = Quotas(limits)
    await quotas.start(spent_this_month(settings.ledger, rules, time.time_ns()))
    watch = KeyWatch(keys_of(settings.ledger), tuple(settings.given_keys))
    ring = watch.look(time.time_ns())
    assert ring is not None, "the first look finds what there is"
    gateway = Gateway(rules, fleet, ledger, quotas, Callers(rules, ring))
    meter = Meter(fleet, ledger)
    await meter.start()
    server: Server = await serve(
        gateway.handle,
        settings.host,
        settings.port,
        Limits(max_body_bytes=settings.max_body_bytes),
        refusal,
    )
    tasks = [
        asyncio.create_task(meter.run()),
        asyncio.create_task(_watch_keys(watch, gateway)),
        asyncio.create_task(_follow_plan(settings.plan, gateway)),
    ]
    try:
        host, port = server.address
        on_up(
            Up(
                host=host,
                port=port,
                replicas=len(fleet.backends),
                emulated=sum(b.endpoint.emulated for b in fleet.backends),
                recovered=ledger.recovered,
                keys=len(ring),
            )
        )
        await stop.wait()
    finally:
        gateway.draining = True
        gateway.waiting.close()
        cut = await server.close_gracefully(settings.grace_s)
        if cut:
            log.warning("%d answers were cut off after %.0f s", cut, settings.grace_s)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await meter.finish()
        await quotas.close()


async def _watch_keys(watch: KeyWatch, gateway: Gateway) -> None:
    """Take up keys that are made, rotated or revoked while the gateway runs."""
    while True:
        await asyncio.sleep(_KEYS_S)
        ring = await asyncio.to_thread(watch.look, time.time_ns())
        if ring is not None:
            gateway.callers.keys = ring


async def _follow_plan(plan: Plan | None, gateway: Gateway) -> None:
    """Route by the plan of the hour."""
    while True:
        now_s = time.time()
        gateway.shares = shares_at(plan, int(now_s // _HOUR_S))
        await asyncio.sleep(_HOUR_S - now_s % _HOUR_S)
