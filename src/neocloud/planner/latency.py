"""Latency of a plan as users meet it: of any of its flows, network included."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from neocloud.planner.records import Flow, Placement, Plan


class Latency(msgspec.Struct, frozen=True, kw_only=True):
    """Latency of some requests, predicted; means are over the requests of the day."""

    requests_per_s: float
    """Mean over the day."""
    network_ms: float
    """Mean round trip between users and their sites."""
    ttft_ms: float
    """Mean time to the first token, network included."""
    ttft_ms_at_percentile: float
    """At the percentile of each model's objective, network included: the worst of any flow and
    hour."""
    tpot_ms: float
    """Mean time of a token after the first."""
    answer_ms: float
    """Mean time of a whole answer: TTFT + (output tokens - 1) x TPOT."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """One flow with the latency that its placement gives it, by UTC hour; arrays of shape (24,).

    Attributes:
        metro: user metro.
        model: model key.
        rtt_ms: round trip to the site.
        tokens_after_first: mean tokens of an answer after its first.
        requests_per_s: of the flow.
        ttft_ms: mean, network left out.
        ttft_ms_at_percentile: the same at the objective's percentile.
        tpot_ms: mean.
    """

    metro: str
    model: str
    rtt_ms: float
    tokens_after_first: float
    requests_per_s: NDArray[np.float64]
    ttft_ms: NDArray[np.float64]
    ttft_ms_at_percentile: NDArray[np.float64]
    tpot_ms: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Hours:
    """What a placement gives in each hour."""

    ttft_ms: NDArray[np.float64]
    ttft_ms_at_percentile: NDArray[np.float64]
    tpot_ms: NDArray[np.float64]


def streams(plan: Plan) -> tuple[Stream, ...]:
    """All flows of a plan, each at its placement's load of the hour, by the placement's curve."""
    after_first = {m.model: max(0.0, m.output_tokens_per_request - 1.0) for m in plan.models}
    hours = {_key(p): _hours(p) for p in plan.placements}
    found = []
    for flow in plan.flows:
        there = hours[_key_of(flow)]
        found.append(
            Stream(
                metro=flow.user_metro,
                model=flow.model,
                rtt_ms=flow.rtt_ms,
                tokens_after_first=after_first[flow.model],
                requests_per_s=np.array(flow.requests_per_s_by_hour),
                ttft_ms=there.ttft_ms,
                ttft_ms_at_percentile=there.ttft_ms_at_percentile,
                tpot_ms=there.tpot_ms,
            )
        )
    return tuple(found)


def latency(some: Sequence[Stream]) -> Latency:
    """Latency of all requests of these streams together; zeros where they have none."""
    total = network = ttft = tpot = answer = worst = 0.0
    for s in some:
        rate = s.requests_per_s
        seen = s.ttft_ms + s.rtt_ms
        total += float(rate.sum())
        network += float(rate.sum()) * s.rtt_ms
        ttft += float(rate @ seen)
        tpot += float(rate @ s.tpot_ms)
        answer += float(rate @ (seen + s.tokens_after_first * s.tpot_ms))
        at_percentile = s.ttft_ms_at_percentile[rate > 0.0] + s.rtt_ms
        worst = max(worst, float(at_percentile.max(initial=0.0)))
    each = 1.0 / total if total > 0.0 else 0.0
    hours = max((len(s.requests_per_s) for s in some), default=1)
    return Latency(
        requests_per_s=total / hours,
        network_ms=network * each,
        ttft_ms=ttft * each,
        ttft_ms_at_percentile=worst,
        tpot_ms=tpot * each,
        answer_ms=answer * each,
    )


def _key(p: Placement) -> tuple[str, str, str, int]:
    return p.model, p.site, p.pool, p.first_ordinal


def _key_of(f: Flow) -> tuple[str, str, str, int]:
    return f.model, f.site, f.pool, f.ordinal


def _hours(p: Placement) -> _Hours:
    each = np.array(p.requests_per_s_by_hour) / np.maximum(np.array(p.replicas_by_hour), 1)
    loads = [point.requests_per_s for point in p.curve]
    return _Hours(
        ttft_ms=np.interp(each, loads, [point.ttft_ms for point in p.curve]),
        ttft_ms_at_percentile=np.interp(
            each, loads, [point.ttft_ms_at_percentile for point in p.curve]
        ),
        tpot_ms=np.interp(each, loads, [point.tpot_ms for point in p.curve]),
    )
