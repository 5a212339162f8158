"""What runs: engines probed each second, accelerators and energy written span by span.

Spans of one replica join without gap or overlap while the gateway runs, so that their sum is the
time that it ran. A crash loses the span under way, at most `SPAN_S` seconds.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from neocloud.activity import Purpose
from neocloud.engines import EngineMetrics, is_healthy, scrape
from neocloud.gateway.fleet import Backend, Fleet, Holding
from neocloud.ledger import AllocationEvent, EnergyEvent, Ledger
from neocloud.planner import point_at

PROBE_S = 1.0
SPAN_S = 10.0
_JOULES_PER_KWH = 3.6e6


@dataclass(slots=True)
class _Reading:
    """State of a replica's counters at the start of its span."""

    time_ns: int
    busy_s: float | None
    joules: float | None


class Meter:
    """Watches the fleet. One task for all replicas."""

    def __init__(self, fleet: Fleet, ledger: Ledger) -> None:
        self._fleet = fleet
        self._ledger = ledger
        self._last: dict[str, _Reading] = {}

    async def start(self) -> None:
        """Read every replica once: where the first spans begin."""
        await asyncio.gather(*(self._probe(b, write=False) for b in self._fleet.backends))

    async def run(self) -> None:
        """Probe and write until cancelled."""
        due = time.monotonic() + SPAN_S
        while True:
            await asyncio.sleep(PROBE_S)
            write = time.monotonic() >= due
            if write:
                due += SPAN_S
            await asyncio.gather(*(self._probe(b, write=write) for b in self._fleet.backends))

    async def finish(self) -> None:
        """Write the last spans."""
        await asyncio.gather(*(self._probe(b, write=True) for b in self._fleet.backends))

    async def _probe(self, backend: Backend, *, write: bool) -> None:
        state, endpoint = backend.state, backend.endpoint
        metrics = await scrape(backend.pool, endpoint, timeout_s=2.0)
        now_ns, now_s = time.time_ns(), time.monotonic()
        if metrics is not None:
            state.healthy = True
            state.told(metrics.running, metrics.waiting, metrics.kv_usage or 0.0, now_s)
        else:
            state.healthy = await is_healthy(backend.pool, endpoint, timeout_s=2.0)
        last = self._last.get(state.replica)
        if last is None:
            self._last[state.replica] = _reading(now_ns, metrics)
        elif write:
            self._last[state.replica] = _reading(now_ns, metrics)
            if backend.holding is not None and now_ns > last.time_ns:
                self._write(backend, backend.holding, last, self._last[state.replica])

    def _write(self, backend: Backend, holding: Holding, last: _Reading, now: _Reading) -> None:
        state = backend.state
        seconds = (now.time_ns - last.time_ns) / 1e9
        busy_s = _rise(last.busy_s, now.busy_s)
        joules = _rise(last.joules, now.joules)
        answered, backend.answered = backend.answered, 0
        if joules is None:
            joules = point_at(holding.placement.curve, answered / seconds).watts * seconds
        event_id = f"{state.replica}@{last.time_ns}"
        self._ledger.record_allocation(
            AllocationEvent(
                event_id=event_id,
                start_ns=last.time_ns,
                end_ns=now.time_ns,
                site=state.site,
                pool=state.pool,
                model=state.model,
                tenant="",
                holder=state.replica,
                accelerator=holding.accelerator,
                accelerators=holding.accelerators,
                purpose=Purpose.INFERENCE if state.healthy else Purpose.DOWN,
                busy_s=None if busy_s is None else busy_s * holding.accelerators,
                emulated=backend.endpoint.emulated,
            )
        )
        self._ledger.record_energy(
            EnergyEvent(
                event_id=event_id,
                start_ns=last.time_ns,
                end_ns=now.time_ns,
                site=state.site,
                pool=state.pool,
                model=state.model,
                holder=state.replica,
                kwh=joules * holding.pue / _JOULES_PER_KWH,
                modelled=True,
                emulated=backend.endpoint.emulated,
            )
        )


def _reading(now_ns: int, metrics: EngineMetrics | None) -> _Reading:
    if metrics is None:
        return _Reading(now_ns, None, None)
    return _Reading(now_ns, metrics.busy_s, metrics.joules)


def _rise(before: float | None, after: float | None) -> float | None:
    """By how much a counter rose; None if it is not told, or began anew."""
    if before is None or after is None or after < before:
        return None
    return after - before
