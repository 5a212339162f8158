"""A plan, and a ledger as its engines would have filled it: replicas replayed in virtual time."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np

from neocloud.books import Metered, objective_rule
from neocloud.catalog import load_catalog
from neocloud.ledger import (
    Admission,
    AllocationEvent,
    EnergyEvent,
    Ledger,
    Status,
    UsageEvent,
    metered_activity,
)
from neocloud.planner import Placement, Plan, make_plan, placement_table
from neocloud.replica import Request, limits_of, replay
from neocloud.spec import Cloud
from neocloud.spec.load import parse_cloud
from neocloud.units import Period, new_request_id, parse_utc

CATALOG = load_catalog()
START_NS = parse_utc("2026-10-05T13:00:00Z")
TEXT = """\
name: small
exchange_rates: {EUR: 1.25}
sites:
  ashburn:
    metro: washington
    power: [{usd_per_mwh: 80, capacity_mw: 0.1}]
    pools: [{accelerator: h100-sxm, nodes: 1}]
models:
  llama:
    config: meta-llama/Meta-Llama-3.1-8B
    objective: {ttft_ms: 1000, tpot_ms: 40}
    price_per_mtok: {input: 0.26, cached_input: 0.05, output: 0.55}
tenants:
  acme: {name: Acme Corporation, address: "1 Main Street\\nSpringfield"}
  rhein: {currency: EUR, tax_rate: 0.19}
demand:
  - {model: llama, tenant: acme, metros: [new-york], requests_per_s: 6, lengths: azure-conv}
planning: {tp: [1], batch: [64]}
"""


@cache
def small_cloud() -> Cloud:
    return parse_cloud(TEXT, "cloud.yaml", CATALOG)


@cache
def small_plan() -> Plan:
    return make_plan(small_cloud(), CATALOG)


def event(number: int = 0, **changes: object) -> UsageEvent:
    """A completed request of acme, admitted `number` milliseconds after the start."""
    admitted_ns = START_NS + number * 1_000_000
    values: dict[str, object] = {
        "request_id": new_request_id(admitted_ns, number), "tenant": "acme", "key_id": "k",
        "model": "llama", "site": "ashburn", "pool": "h100-sxm",
        "replica": "ashburn/h100-sxm/llama/0", "accelerator": "h100-sxm", "engine": "emulated",
        "user_metro": "new-york", "input_tokens": 1000, "cached_tokens": 0, "output_tokens": 200,
        "admitted_ns": admitted_ns, "first_token_ns": admitted_ns + 100_000_000,
        "finished_ns": admitted_ns + 2_000_000_000, "status": Status.COMPLETED, "attempts": 1,
        "streamed": True, "estimated": False, "emulated": True,
    }  # fmt: skip
    return UsageEvent(**{**values, **changes})  # type: ignore[arg-type]


class Metering:
    """What the replicas of a placement leave in a ledger when each step takes `factor` as long.

    Args:
        factor: step time over modelled.
        share: of the planned requests, how many come.
        seconds: how long they come.
        streamed: whether answers are streamed.
    """

    def __init__(
        self, factor: float, *, share: float = 1.0, seconds: float = 120.0, streamed: bool = True
    ) -> None:
        self.plan = small_plan()
        (self.placement,) = self.plan.placements
        self.period = Period(START_NS, START_NS + int(seconds * 1e9))
        self.events: list[UsageEvent] = []
        self.allocation: list[AllocationEvent] = []
        self.energy: list[EnergyEvent] = []
        rng = np.random.default_rng(7)
        rate = share * self.placement.requests_per_s_by_hour[0] / self.placement.replicas
        for replica in self.placement.replica_ids():
            self._run(replica, factor, rate, seconds, streamed, rng)

    def _run(
        self, replica: str, factor: float, rate: float, seconds: float, streamed: bool,
        rng: np.random.Generator,
    ) -> None:  # fmt: skip
        p = self.placement
        table = placement_table(small_cloud(), CATALOG, p).slowed(factor)
        arrivals = np.sort(rng.uniform(0.0, seconds, rng.poisson(rate * seconds)))
        trace = CATALOG.trace("azure-conv")
        picks = rng.integers(0, len(trace.input_tokens), len(arrivals))
        requests = [
            Request(
                input_tokens=int(trace.input_tokens[i]),
                output_tokens=int(trace.output_tokens[i]),
                prefix_ids=np.zeros(0, dtype=np.uint64),
            )
            for i in picks
        ]
        done = replay(requests, arrivals.tolist(), limits_of(p), table)
        assert not done.refused
        self.events += [
            event(
                request_id=new_request_id(_ns(s.arrival_s), len(self.events) + s.index),
                replica=replica, input_tokens=s.input_tokens, output_tokens=s.output_tokens,
                admitted_ns=_ns(s.arrival_s), first_token_ns=_ns(s.first_token_s),
                finished_ns=_ns(s.finish_s), streamed=streamed,
            )
            for s in done.served
        ]  # fmt: skip
        # The last answers end after the period; their steps are left to it.
        idle_s = max(0.0, self.period.seconds - done.busy_s)
        busy_s = min(done.busy_s, self.period.seconds) * p.configuration.tp
        joules = done.joules + idle_s * table.idle_watts
        self._hold(replica, p, busy_s, joules * p.pue / 3.6e6)

    def _hold(self, replica: str, p: Placement, busy_s: float, kwh: float) -> None:
        common = {
            "event_id": f"{replica}@{START_NS}", "start_ns": START_NS,
            "end_ns": self.period.end_ns, "site": p.site, "pool": p.pool, "model": p.model,
            "holder": replica, "emulated": True,
        }  # fmt: skip
        self.allocation.append(
            AllocationEvent(
                **common, tenant="", accelerator=p.accelerator, accelerators=p.configuration.tp,
                purpose="inference", busy_s=busy_s,
            )  # type: ignore[arg-type]
        )  # fmt: skip
        self.energy.append(EnergyEvent(**common, kwh=kwh, modelled=True))  # type: ignore[arg-type]

    def metered(self) -> Metered:
        """As the report takes it."""
        rows = metered_activity(
            self.events, self.allocation, self.energy, self.period,
            objective_rule(small_cloud(), CATALOG),
        )  # fmt: skip
        return Metered(
            period=self.period, rows=rows, events=tuple(self.events), energy_modelled=True
        )

    def write(self, path: Path) -> None:
        """As a gateway writes it."""
        write_ledger(path, self.events, self.allocation, self.energy)


def write_ledger(
    path: Path,
    events: Sequence[UsageEvent],
    allocation: Sequence[AllocationEvent] = (),
    energy: Sequence[EnergyEvent] = (),
    still_open: Sequence[UsageEvent] = (),
) -> None:
    """Write a ledger; of `still_open` only the admissions."""
    ledger = Ledger(path, worker=0, now_ns=START_NS, deliver=lambda call: call())
    for e in (*events, *still_open):
        ledger.admit(_admission(e))
    for e in events:
        ledger.settle(e, lambda: None)
    for a in allocation:
        ledger.record_allocation(a)
    for j in energy:
        ledger.record_energy(j)
    ledger.close()


def _ns(seconds: float) -> int:
    return START_NS + round(seconds * 1e9)


def _admission(e: UsageEvent) -> Admission:
    return Admission(
        request_id=e.request_id, admitted_ns=e.admitted_ns, tenant=e.tenant, key_id=e.key_id,
        model=e.model, user_metro=e.user_metro, prompt_bytes=4 * e.input_tokens,
        max_output_tokens=e.output_tokens,
    )  # fmt: skip
