"""The plan that runs, held against the file as it stands now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from neocloud.planner.answers import Today, TodayChange
from neocloud.planner.assemble import Ground
from neocloud.planner.demand import HOURS
from neocloud.planner.hosts import host_at
from neocloud.planner.placing import evaluate
from neocloud.planner.records import Placement, Plan
from neocloud.planner.setting import Option


def compare_today(ground: Ground, today: Plan, file: str, plan: Plan) -> Today:
    """What the replicas of `today` cost under the file's demand and prices, and what changes.

    Its configurations are taken at the rates that they were planned for.
    """
    known = {(h.site, h.pool) for h in ground.hosts}
    standing = [
        p
        for p in today.placements
        if p.model in ground.lengths and all((p.site, pool) in known for pool in p.held())
    ]
    setting = replace(ground.setting, options=tuple(_option(ground, p) for p in standing))
    replicas = np.array([p.replicas_by_hour for p in standing], dtype=np.int64)
    placed = evaluate(setting, replicas.reshape(len(standing), HOURS))
    return Today(
        file=file,
        cost_per_hour=None if placed is None else placed.cost / HOURS,
        changes=_changes(today.placements, plan.placements),
    )


def _option(ground: Ground, p: Placement) -> Option:
    host = host_at(ground.hosts, p.site, p.pool)
    to_kw = 0.0 if host.provider else host.pue / 1e3
    return Option(
        model=p.model,
        site=p.site,
        holds=p.held(),
        requests_per_s=p.max_requests_per_s,
        max_rtt_ms=p.max_rtt_ms,
        idle_kw=p.curve[0].watts * to_kw,
        full_kw=p.curve[-1].watts * to_kw,
        cost_per_hour=sum(
            count * host_at(ground.hosts, p.site, pool).hour for pool, count in p.held().items()
        ),
        network_per_request=p.rates.network_per_request,
    )


def _changes(before: Sequence[Placement], after: Sequence[Placement]) -> tuple[TodayChange, ...]:
    counts: dict[tuple[str, str, str], list[int]] = {}
    for place, placements in enumerate((before, after)):
        for p in placements:
            counts.setdefault((p.site, p.pool, p.model), [0, 0])[place] += p.replicas
    return tuple(
        TodayChange(site=s, pool=pool, model=m, replicas_today=old, replicas=new)
        for (s, pool, m), (old, new) in sorted(counts.items())
        if old != new
    )
