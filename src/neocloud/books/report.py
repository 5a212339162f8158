"""`make_report`: planned against metered, where they part, and why."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from neocloud.books.bridge import Bridge, make_bridge
from neocloud.books.comparison import CAUSES, BridgeStep, Comparison, Report, Side
from neocloud.books.gather import round_trip_of
from neocloud.books.metered import (
    Metered,
    MeteredModel,
    expected_side,
    metered_side,
    of_model,
)
from neocloud.books.step_factor import Replayed, replay_metered
from neocloud.catalog import Catalog
from neocloud.perf import predictor_of
from neocloud.planner import ModelSummary, Placement, Plan, placement_table
from neocloud.spec import Cloud

_WORTH_A_WORD = 0.02
"""Share of the planned cost, or of a step's time, below which a cause is not named."""


class NothingMeteredError(ValueError):
    """The ledger holds no usage in the period."""


def make_report(cloud: Cloud, catalog: Catalog, plan: Plan, metered: Metered) -> Report:
    """Compare a plan with what was metered while it ran.

    Raises:
        NothingMeteredError: no request of the plan's models ended in the period.
        UnknownPlaceError: something ran where the plan has nothing.
    """
    planned = {m.model for m in plan.models}
    events = [e for e in metered.events if e.model in planned]
    if not events:
        raise NothingMeteredError(f"the ledger holds no usage in {metered.period}")
    statuses: dict[str, int] = {}
    for event in events:
        statuses[event.status] = statuses.get(event.status, 0) + 1
    return Report(
        cloud=plan.cloud,
        currency=plan.currency,
        period=str(metered.period),
        seconds=metered.period.seconds,
        emulated=any(e.emulated for e in events),
        energy_modelled=metered.energy_modelled,
        requests=len(events),
        requests_by_status=dict(sorted(statuses.items())),
        percentile={m.model: m.percentile for m in plan.models},
        models=tuple(
            _compare(cloud, catalog, plan, summary, metered)
            for summary in plan.models
            if any(e.model == summary.model for e in events)
        ),
    )


def _compare(
    cloud: Cloud, catalog: Catalog, plan: Plan, summary: ModelSummary, metered: Metered
) -> Comparison:
    placements = [p for p in plan.placements if p.model == summary.model]
    predictor = predictor_of(plan.calibration)
    mine = of_model(metered, plan, summary.model)
    replays = [
        replay_metered(
            {r: [e for e in mine.events if e.replica == r] for r in p.replica_ids()},
            p,
            placement_table(cloud, catalog, p, predictor),
        )
        for p in placements
    ]
    factor = _pooled(replays)
    bridge = make_bridge(cloud, catalog, summary, placements, mine, factor, predictor)
    planned = planned_side(summary, placements)
    expected = expected_side(mine, replays, summary.percentile)
    now = metered_side(
        mine, metered.period, summary.percentile, bridge.utilisation if bridge else None
    )
    return Comparison(
        model=summary.model,
        planned=planned,
        expected=expected,
        metered=now,
        network_ms=_network_ms(cloud, catalog, mine),
        step_time_factor=factor,
        capacity_change=None if factor is None else 1.0 / factor - 1.0,
        cost_at_planned_load=bridge.at_planned_load if bridge else None,
        bridge=bridge.steps if bridge else (),
        findings=_findings(plan.currency, planned, expected, now, bridge, factor),
    )


def _pooled(replays: Sequence[Replayed]) -> float | None:
    """One factor for the model: the placements' factors, each by its requests."""
    known = [(r.factor, r.requests) for r in replays if r.factor is not None and r.requests]
    requests = sum(count for _, count in known)
    if not requests:
        return None
    return sum(factor * count for factor, count in known) / requests


def planned_side(summary: ModelSummary, placements: Sequence[Placement]) -> Side:
    """The planned column, the mean of the representative day."""
    accelerators = sum(p.accelerators for p in placements)
    kw = sum(p.cost_per_hour.power / p.rates.power_per_kwh for p in placements)
    held = busy = 0.0
    for p in placements:
        loads = [point.requests_per_s for point in p.curve]
        shares = [point.busy for point in p.curve]
        for hour, rate in enumerate(p.requests_per_s_by_hour):
            replicas = p.replicas_by_hour[hour]
            held += replicas * p.configuration.accelerators
            share = float(np.interp(rate / max(replicas, 1), loads, shares))
            busy += replicas * p.configuration.accelerators * share
    return Side(
        requests_per_s=summary.requests_per_day / 86_400.0,
        input_tokens_per_request=summary.input_tokens_per_request,
        output_tokens_per_request=summary.output_tokens_per_request,
        cost_per_mtok=summary.cost_per_mtok,
        utilisation=summary.utilisation,
        busy=busy / held,
        watts_per_accelerator=kw * 1e3 / accelerators,
        ttft_ms=summary.ttft_ms - summary.network_ms,
        ttft_ms_at_percentile=max(p.curve[-1].ttft_ms_at_percentile for p in placements),
        tpot_ms=summary.tpot_ms,
        tpot_ms_at_percentile=summary.tpot_ms_at_percentile,
    )


def _network_ms(cloud: Cloud, catalog: Catalog, mine: MeteredModel) -> float:
    round_trip_ms = round_trip_of(cloud, catalog)
    known = [ms for e in mine.events if (ms := round_trip_ms(e)) is not None]
    return float(np.mean(known)) if known else 0.0


def _findings(
    currency: str,
    planned: Side,
    expected: Side,
    now: Side,
    bridge: Bridge | None,
    factor: float | None,
) -> tuple[str, ...]:
    """In words: the engine's speed first, then the causes by weight, then latency."""
    words = [_say_efficiency(factor, bridge, currency)]
    if bridge is not None and planned.cost_per_mtok is not None:
        least = _WORTH_A_WORD * planned.cost_per_mtok.total
        named = [s for s in bridge.steps if s.cause != "efficiency" and abs(s.adds) >= least]
        named.sort(key=lambda s: -abs(s.adds))
        words += [_say_step(s, planned, now, currency) for s in named]
    return (*words, *_say_latency(planned, expected, now))


def _say_step(step: BridgeStep, planned: Side, now: Side, currency: str) -> str:
    text = f"{step.cause}: {CAUSES[step.cause]}: {step.adds:+.4f} {currency} a million tokens"
    if step.cause == "load" and planned.requests_per_s and now.requests_per_s is not None:
        share = now.requests_per_s / planned.requests_per_s
        text += f" ({share:.1%} of the planned requests came)"
    return text


def _say_efficiency(factor: float | None, bridge: Bridge | None, currency: str) -> str:
    if factor is None:
        return "efficiency: not known, no answer was long enough to time steps by"
    change = 1.0 / factor - 1.0
    if abs(factor - 1.0) < _WORTH_A_WORD:
        return (
            f"efficiency: as planned; steps took {factor:.3f} times as long as modelled "
            f"({change:+.1%} tokens per accelerator)"
        )
    adds = sum(s.adds for s in bridge.steps if s.cause == "efficiency") if bridge else 0.0
    return (
        f"efficiency: steps took {factor:.3f} times as long as modelled, {change:+.1%} tokens per "
        f"accelerator: {adds:+.4f} {currency} a million tokens at the planned load"
    )


def _say_latency(planned: Side, expected: Side, now: Side) -> tuple[str, ...]:
    if planned.tpot_ms is None or expected.tpot_ms is None or now.tpot_ms is None:
        return ()
    said = (
        f"latency: {planned.tpot_ms:.1f} ms per token planned, {expected.tpot_ms:.1f} ms expected "
        f"at the metered load, {now.tpot_ms:.1f} ms metered"
    )
    return (said,)
