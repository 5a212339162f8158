"""What runs: engines probed each second, accelerators and energy written span by span.

Spans of one holder join without gap or overlap while the gateway runs, so that their sum is the
time that it ran. A crash loses the span under way, at most `SPAN_S` seconds. What replicas do not
hold is written beside them, so that all accelerators of the cloud file are accounted for.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from neocloud.activity import Purpose
from neocloud.engines import EngineMetrics, MetricsReader, is_healthy
from neocloud.gateway.fleet.replicas import Backend, Fleet, Holding
from neocloud.gateway.metering.holdings import Ground, Held, held_at
from neocloud.ledger import AllocationEvent, EnergyEvent, Ledger

log = logging.getLogger(__name__)

PROBE_S = 1.0
SPAN_S = 10.0
PROBE_TIMEOUT_S = 2.0
DOWN_AFTER = 2
"""Probes in a row without an answer until a replica counts as gone, and what it has not begun to
answer is asked of another."""
_JOULES_PER_KWH = 3.6e6


@dataclass(slots=True)
class _Reading:
    """State of a replica's counters at the start of its span."""

    time_ns: int
    busy_s: float | None
    joules: float | None


class Meter:
    """Watches the fleet. One task for all replicas.

    Args:
        fleet: the replicas.
        ledger: where spans go; None where another worker of this gateway writes them.
        ground: all accelerators there are; none are known without a cloud file.
    """

    def __init__(self, fleet: Fleet, ledger: Ledger | None, ground: Ground | None = None) -> None:
        self._fleet = fleet
        self._ledger = ledger
        self._ground = ground or Ground()
        self._held_since_ns = time.time_ns()
        self._last: dict[str, _Reading] = {}
        self._readers = {b.state.replica: MetricsReader(b.endpoint) for b in fleet.backends}
        self._missed: Counter[str] = Counter()

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
            if write:
                self._write_held()

    async def look(self, backends: Iterable[Backend]) -> None:
        """Read replicas that are about to be served from: where their first spans begin."""
        found = tuple(backends)
        for backend in found:
            self._readers[backend.state.replica] = MetricsReader(backend.endpoint)
        await asyncio.gather(*(self._probe(b, write=False) for b in found))

    async def part(self, backends: Iterable[Backend]) -> None:
        """Write the last spans of replicas that go."""
        found = tuple(backends)
        await asyncio.gather(*(self._probe(b, write=True) for b in found))
        for backend in found:
            self._last.pop(backend.state.replica, None)
            self._missed.pop(backend.state.replica, None)

    def change(self, fleet: Fleet, ground: Ground | None = None) -> None:
        """Watch another fleet, whose new replicas were looked at, on other ground."""
        self._write_held()
        self._ground = ground or Ground()
        self._fleet = fleet
        kept = {backend.state.replica for backend in fleet.backends}
        for replica in self._readers.keys() - kept:
            del self._readers[replica]

    async def finish(self) -> None:
        """Write the last spans, and no more from then on."""
        await asyncio.gather(*(self._probe(b, write=True) for b in self._fleet.backends))
        self._write_held()
        self._ledger = None

    async def _probe(self, backend: Backend, *, write: bool) -> None:
        state = backend.state
        reader = self._readers.get(state.replica) or MetricsReader(backend.endpoint)
        # An engine that drains may go on telling its metrics: only its health page says it.
        metrics, healthy = await asyncio.gather(
            reader.read(backend.pool, timeout_s=PROBE_TIMEOUT_S),
            is_healthy(backend.pool, backend.endpoint, timeout_s=PROBE_TIMEOUT_S),
        )
        now_ns = time.time_ns()
        if metrics is not None:
            state.told(metrics.running, metrics.waiting, metrics.kv_usage or 0.0, time.monotonic())
        self._note(backend, healthy=healthy and not backend.drained)
        last = self._last.get(state.replica)
        if last is None:
            self._last[state.replica] = _reading(now_ns, metrics)
        elif write:
            self._last[state.replica] = _reading(now_ns, metrics)
            if self._ledger is not None and backend.holding is not None and now_ns > last.time_ns:
                self._write(self._ledger, backend, backend.holding, last, self._last[state.replica])

    def _note(self, backend: Backend, *, healthy: bool) -> None:
        """Take down whether a replica takes requests."""
        state = backend.state
        if healthy != state.healthy:
            state.healthy = healthy
            self._fleet.changed()
            if healthy:
                log.warning("%s takes requests again", state.replica)
            elif not backend.drained:
                log.warning(
                    "%s at %s takes none: its probe fails", state.replica, backend.endpoint.address
                )
        if healthy:
            self._missed.pop(state.replica, None)
            return
        self._missed[state.replica] += 1
        if self._missed[state.replica] >= DOWN_AFTER and not backend.drained:
            for flight in tuple(backend.unanswered):
                flight.give_up()

    def _write_held(self) -> None:
        """Write what others than the fleet held since the last time."""
        start_ns, end_ns = self._held_since_ns, time.time_ns()
        if self._ledger is None or end_ns <= start_ns:
            return
        self._held_since_ns = end_ns
        served = {b.state.replica for b in self._fleet.backends if b.holding is not None}
        for held in held_at(self._ground, start_ns, served):
            _write_span(self._ledger, held, start_ns, end_ns)

    @staticmethod
    def _write(
        ledger: Ledger, backend: Backend, holding: Holding, last: _Reading, now: _Reading
    ) -> None:
        state = backend.state
        seconds = (now.time_ns - last.time_ns) / 1e9
        busy_s = _rise(last.busy_s, now.busy_s)
        joules = _rise(last.joules, now.joules)
        purpose = Purpose.INFERENCE if state.healthy else Purpose.DOWN
        answered, backend.answered = backend.answered, 0
        if joules is None:
            from neocloud.planner import point_at  # only where there is a plan: it loads numpy

            joules = point_at(holding.placement.curve, answered / seconds).watts * seconds
        event_id = f"{state.replica}@{last.time_ns}"
        ledger.record_allocation(
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
                purpose=purpose,
                busy_s=None if busy_s is None else busy_s * holding.accelerators,
                emulated=backend.endpoint.emulated,
            )
        )
        ledger.record_energy(
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
                purpose=purpose,
            )
        )
        prefill = holding.placement.prefill
        if prefill is not None and prefill.pool != state.pool:
            elsewhere = Held(
                holder=state.replica,
                site=state.site,
                pool=prefill.pool,
                model=state.model,
                tenant="",
                purpose=purpose,
                accelerator=prefill.accelerator,
                accelerators=prefill.accelerators,
                watts=0.0,  # the curve's power is of the whole replica
                emulated=backend.endpoint.emulated,
            )
            _write_span(ledger, elsewhere, last.time_ns, now.time_ns)


def _write_span(ledger: Ledger, held: Held, start_ns: int, end_ns: int) -> None:
    """Write accelerators and modelled energy of a holder that no engine tells of."""
    event_id = f"{held.holder}@{start_ns}"
    if not held.holder.startswith(f"{held.site}/{held.pool}/"):
        event_id += f"/{held.pool}"
    ledger.record_allocation(
        AllocationEvent(
            event_id=event_id,
            start_ns=start_ns,
            end_ns=end_ns,
            site=held.site,
            pool=held.pool,
            model=held.model,
            tenant=held.tenant,
            holder=held.holder,
            accelerator=held.accelerator,
            accelerators=held.accelerators,
            purpose=held.purpose,
            busy_s=None,
            emulated=held.emulated,
        )
    )
    ledger.record_energy(
        EnergyEvent(
            event_id=event_id,
            start_ns=start_ns,
            end_ns=end_ns,
            site=held.site,
            pool=held.pool,
            model=held.model,
            holder=held.holder,
            kwh=held.watts * (end_ns - start_ns) / 1e9 / _JOULES_PER_KWH,
            modelled=True,
            emulated=held.emulated,
            purpose=held.purpose,
            tenant=held.tenant,
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
