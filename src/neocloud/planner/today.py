"""The plan that runs, held against the file as it stands now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import msgspec
import numpy as np

from neocloud.planner import rates
from neocloud.planner.answers import Today, TodayChange
from neocloud.planner.demand import HOURS
from neocloud.planner.ground import Ground
from neocloud.planner.hosts import Host, host_at
from neocloud.planner.placing import evaluate
from neocloud.planner.power import Draw, price_by_site, served_by_hour
from neocloud.planner.records import Placement, Plan, Prefill, Rates
from neocloud.planner.setting import Option, Placed, Setting
from neocloud.planner.summary import cost_of


def compare_today(ground: Ground, today: Plan, file: str, plan: Plan) -> Today:
    """What the replicas of `today` cost under the file's demand and prices, and what changes.

    Its configurations are taken at the rates that they were planned for; its replicas follow the
    hours if they do today.
    """
    standing = [p for p in today.placements if p.model in ground.lengths and _stands(ground, p)]
    follows = any(len(set(p.replicas_by_hour)) > 1 for p in standing)
    setting = replace(
        ground.setting,
        options=tuple(_option(ground, p) for p in standing),
        hourly=ground.setting.hourly or follows,
    )
    replicas = np.array([p.replicas_by_hour for p in standing], dtype=np.int64)
    placed = evaluate(setting, replicas.reshape(len(standing), HOURS))
    return Today(
        file=file,
        cost_per_hour=None if placed is None else _cost(ground, setting, placed, standing),
        changes=_changes(today.placements, plan.placements),
    )


def _stands(ground: Ground, p: Placement) -> bool:
    """True if the pools that it stands on are there, and hold what it runs on."""
    kinds = {(h.site, h.pool): h.accelerator.key for h in ground.hosts}
    own = kinds.get((p.site, p.pool)) == p.accelerator
    return own and (
        p.prefill is None or kinds.get((p.site, p.prefill.pool)) == p.prefill.accelerator
    )


def _option(ground: Ground, p: Placement) -> Option:
    host = host_at(ground.hosts, p.site, p.pool)
    lengths = ground.lengths[p.model]
    gigabytes = rates.request_gb(lengths.mean_input(), lengths.mean_output())
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
        network_per_request=gigabytes * host.network_per_gb,
    )


def _cost(ground: Ground, setting: Setting, placed: Placed, standing: Sequence[Placement]) -> float:
    """Cost of an hour as a plan has it: energy by the curves of its replicas."""
    hosts = [host_at(ground.hosts, p.site, p.pool) for p in standing]
    draws = [Draw(p.site, p.curve, h.pue) for p, h in zip(standing, hosts, strict=True)]
    kwh = price_by_site(setting, placed, draws)
    total = 0.0
    for o, (p, host) in enumerate(zip(standing, hosts, strict=True)):
        now = msgspec.structs.replace(
            p,
            requests_per_s_by_hour=tuple(served_by_hour(placed, o).tolist()),
            prefill=None if p.prefill is None else _prefill(ground, p.site, p.prefill),
            rates=_rates(host, kwh[p.site], setting.options[o].network_per_request),
            pue=host.pue,
        )
        total += cost_of(now).total
    return total


def _rates(host: Host, kwh: float, network_per_request: float) -> Rates:
    return Rates(
        capital_per_accelerator_hour=host.capital,
        operations_per_accelerator_hour=host.operations,
        power_per_kwh=kwh,
        network_per_gb=host.network_per_gb,
        network_per_request=network_per_request,
    )


def _prefill(ground: Ground, site: str, prefill: Prefill) -> Prefill:
    host = host_at(ground.hosts, site, prefill.pool)
    return msgspec.structs.replace(
        prefill,
        capital_per_accelerator_hour=host.capital,
        operations_per_accelerator_hour=host.operations,
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
