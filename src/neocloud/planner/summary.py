"""What a plan comes to: cost by tier, latency as users see it, utilisation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from neocloud.planner.costs import CostByTier
from neocloud.planner.lengths import Lengths
from neocloud.planner.records import (
    Flow,
    ModelSummary,
    OperatingPoint,
    Placement,
)
from neocloud.spec import Model


def point_at(curve: Sequence[OperatingPoint], requests_per_s: float) -> OperatingPoint:
    """The operating point at a load, linear between the curve's points and flat beyond them."""
    loads = [p.requests_per_s for p in curve]

    def at(name: str) -> float:
        return float(np.interp(requests_per_s, loads, [getattr(p, name) for p in curve]))

    return OperatingPoint(
        requests_per_s=requests_per_s,
        decode_batch=at("decode_batch"),
        ttft_ms=at("ttft_ms"),
        ttft_ms_at_percentile=at("ttft_ms_at_percentile"),
        tpot_ms=at("tpot_ms"),
        tpot_ms_at_percentile=at("tpot_ms_at_percentile"),
        busy=at("busy"),
        watts=at("watts"),
    )


def watts_by_hour(
    curve: Sequence[OperatingPoint],
    replicas: NDArray[np.int64],
    requests_per_s: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Power of all replicas of a placement in each hour, PUE not included."""
    each = requests_per_s / np.maximum(replicas, 1)
    loads = [p.requests_per_s for p in curve]
    watts: NDArray[np.float64] = replicas * np.interp(each, loads, [p.watts for p in curve])
    return watts


def cost_of(placement: Placement) -> CostByTier:
    """Mean cost per hour of a placement over the day."""
    p, rates = placement, placement.rates
    counts = np.array(p.replicas_by_hour)
    served = np.array(p.requests_per_s_by_hour)
    kw = float(watts_by_hour(p.curve, counts, served).mean()) / 1e3
    held = float(counts.mean())
    answering = held * p.workers * p.configuration.accelerators
    capital = answering * rates.capital_per_accelerator_hour
    operations = answering * rates.operations_per_accelerator_hour
    if p.prefill is not None:
        on_prompts = held * p.prefill.accelerators
        capital += on_prompts * p.prefill.capital_per_accelerator_hour
        operations += on_prompts * p.prefill.operations_per_accelerator_hour
    return CostByTier(
        power=kw * p.pue * rates.power_per_kwh,
        capital=capital,
        operations=operations,
        network=float(served.mean()) * 3600.0 * rates.network_per_request,
    )


def cost_by_model(placements: Sequence[Placement], model: str | None) -> CostByTier:
    """Mean cost per hour of one model's placements, or of all."""
    total = CostByTier()
    for p in placements:
        if model is None or p.model == model:
            total = total + p.cost_per_hour
    return total


def model_summary(
    model: Model, lengths: Lengths, placements: Sequence[Placement], flows: Sequence[Flow]
) -> ModelSummary:
    """Gather one model's figures over the day."""
    mine = [p for p in placements if p.model == model.key]
    streams = [f for f in flows if f.model == model.key]
    objective = model.objective
    mean_input, mean_output = lengths.mean_input(), lengths.mean_output()
    per_day = sum(sum(f.requests_per_s_by_hour) for f in streams) * 3600.0
    tokens = per_day * (mean_input + mean_output)
    could = sum(sum(p.replicas_by_hour) * p.max_requests_per_s for p in mine) * 3600.0
    cost = cost_by_model(mine, None).scaled(24.0)
    latency = _latency(mine, streams)
    return ModelSummary(
        model=model.key,
        config=model.config,
        input_tokens_per_request=mean_input,
        output_tokens_per_request=mean_output,
        percentile_input_tokens=lengths.input_at(objective.percentile),
        requests_per_day=per_day,
        tokens_per_day=tokens,
        cost_per_mtok=cost.scaled(1e6 / tokens),
        utilisation=per_day / could,
        ttft_ms=latency[0],
        ttft_ms_at_percentile=latency[1],
        tpot_ms=latency[2],
        tpot_ms_at_percentile=latency[3],
        network_ms=latency[4],
        objective_ttft_ms=objective.ttft_ms,
        objective_tpot_ms=objective.tpot_ms,
        percentile=objective.percentile,
    )


def _latency(
    placements: Sequence[Placement], flows: Sequence[Flow]
) -> tuple[float, float, float, float, float]:
    """(TTFT mean, TTFT at percentile, TPOT mean, TPOT at percentile, network mean), ms."""
    weight = ttft = tpot = network = worst_ttft = worst_tpot = 0.0
    for p in placements:
        here = [f for f in flows if f.placed_on(p)]
        for hour, rate in enumerate(p.requests_per_s_by_hour):
            if rate <= 0:
                continue
            point = point_at(p.curve, rate / p.replicas_by_hour[hour])
            worst_tpot = max(worst_tpot, point.tpot_ms_at_percentile)
            for f in here:
                share = f.requests_per_s_by_hour[hour]
                if share > 0:
                    weight += share
                    ttft += share * (point.ttft_ms + f.rtt_ms)
                    tpot += share * point.tpot_ms
                    network += share * f.rtt_ms
                    worst_ttft = max(worst_ttft, point.ttft_ms_at_percentile + f.rtt_ms)
    return ttft / weight, worst_ttft, tpot / weight, worst_tpot, network / weight
