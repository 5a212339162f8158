"""The figures of one plan that a comparison sets beside another's."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from neocloud.planner.comparison import Faster, Figures, MetroFigures, ModelFigures, Pair
from neocloud.planner.demand import HOURS
from neocloud.planner.latency import Latency, Stream, latency, streams
from neocloud.planner.records import Plan
from neocloud.planner.summary import watts_by_hour

ALIKE = 0.01
"""Latencies that differ by less than this share count as alike."""


def less(one: float, other: float, near: float) -> int:
    """1 where the first is less, -1 where it is more, 0 where they differ by a share within `near`.

    The share is of the smaller one.
    """
    if abs(one - other) <= near * min(one, other):
        return 0
    return 1 if one < other else -1


def total_per_hour(plan: Plan) -> float:
    """What the plan uses and what is paid for power not drawn, an hour."""
    return plan.cost_per_hour.total + _obligations(plan)


def pair_of(first: Plan, second: Plan) -> Pair:
    """Two plans side by side."""
    both = _by_group(first), _by_group(second)
    return Pair(
        first=figures_of(first),
        second=figures_of(second),
        sooner_first_token=_faster(*both, lambda found: found.ttft_ms),
        sooner_answer=_faster(*both, lambda found: found.answer_ms),
    )


def figures_of(plan: Plan) -> Figures:
    """What a plan costs, holds, draws and gives."""
    kw = sum(
        (
            watts_by_hour(p.curve, np.array(p.replicas_by_hour), np.array(p.requests_per_s_by_hour))
            * (p.pue / 1e3)
            for p in plan.placements
            if not p.provider
        ),
        np.zeros(HOURS),
    )
    tokens = sum(m.tokens_per_day for m in plan.models)
    total = total_per_hour(plan)
    all_streams = streams(plan)
    return Figures(
        total_per_hour=total,
        cost_per_hour=plan.cost_per_hour,
        obligations_per_hour=_obligations(plan),
        idle_per_hour=sum(u.cost_per_hour for u in plan.unallocated),
        cost_per_mtok=total * HOURS / tokens * 1e6,
        accelerators=sum(p.accelerators for p in plan.placements),
        rented_accelerators=sum(p.accelerators for p in plan.placements if p.provider),
        utilisation=_utilisation(plan),
        mean_kw=float(kw.mean()),
        peak_kw=float(kw.max()),
        carbon_t_per_year=plan.carbon_t_per_year,
        gap=plan.search.gap,
        latency=latency(all_streams),
        models=tuple(
            ModelFigures(
                model=m.model,
                cost_per_mtok=m.cost_per_mtok,
                latency=latency([s for s in all_streams if s.model == m.model]),
            )
            for m in plan.models
        ),
        metros=_metros(all_streams),
    )


def _obligations(plan: Plan) -> float:
    return sum(o.cost_per_hour for o in plan.obligations)


def _utilisation(plan: Plan) -> float:
    """Load of the replicas, each weighted by the accelerators that it holds."""
    used = held = 0.0
    for p in plan.placements:
        used += sum(p.requests_per_s_by_hour) / p.max_requests_per_s * p.accelerators_per_replica
        held += sum(p.replicas_by_hour) * p.accelerators_per_replica
    return used / held if held else 0.0


def _metros(some: Sequence[Stream]) -> tuple[MetroFigures, ...]:
    """By metro, the one with most requests first."""
    found = [
        MetroFigures(metro=metro, latency=latency([s for s in some if s.metro == metro]))
        for metro in sorted({s.metro for s in some})
    ]
    return tuple(sorted(found, key=lambda m: -m.latency.requests_per_s))


def _by_group(plan: Plan) -> dict[tuple[str, str], Latency]:
    groups: dict[tuple[str, str], list[Stream]] = {}
    for s in streams(plan):
        groups.setdefault((s.metro, s.model), []).append(s)
    return {key: latency(some) for key, some in groups.items()}


def _faster(
    first: dict[tuple[str, str], Latency],
    second: dict[tuple[str, str], Latency],
    of: Callable[[Latency], float],
) -> Faster:
    """Shares of the requests that both serve, at the first one's rates."""
    sooner = {1: 0.0, -1: 0.0, 0: 0.0}
    for key, one in first.items():
        if key in second:
            sooner[less(of(one), of(second[key]), ALIKE)] += one.requests_per_s
    total = sum(sooner.values())
    if total <= 0.0:
        return Faster(first=0.0, second=0.0, alike=0.0)
    return Faster(first=sooner[1] / total, second=sooner[-1] / total, alike=sooner[0] / total)
