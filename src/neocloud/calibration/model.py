"""The whole model on measured cases: physics, learned part, and loops driven at a rate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neocloud.calibration.features import features_of_case
from neocloud.calibration.problem import (
    Cases,
    Slots,
    cases_of,
    constants,
    lookup,
    solve,
    without_waves,
)
from neocloud.calibration.records import Case, Mode, Table
from neocloud.catalog import Catalog
from neocloud.perf.closed_loop import Loop
from neocloud.perf.constants import Constants, Fit
from neocloud.perf.predictor import Predictor

Vector = NDArray[np.float64]
_HALVINGS = 24
_MOST_RATE_TTFT_S = 120.0
"""Time to the first token shown where more is offered than the deployment can give: a benchmark of
some hundred requests ends about then."""


@dataclass(frozen=True, slots=True)
class Predicted:
    """What the model says of cases; arrays in their order.

    Attributes:
        throughput: tokens in and out a second and accelerator.
        ttft_s: time to the first token, in the row's statistic (median for DeepSeek rows).
        tpot_s: time per output token after the first.
        watts: power of one accelerator, its share of the host included; modelled.
        explained: share of the physics' variance that measured neighbours explain.
    """

    throughput: Vector
    ttft_s: Vector
    tpot_s: Vector
    watts: Vector
    explained: Vector


def predict_cases(predictor: Predictor, catalog: Catalog, cases: Sequence[Case]) -> Predicted:
    """Predict cases of any mode. Nothing measured is read.

    Raises:
        ConfigurationError, MissingFigureError, RowError: see `cases_of`.
    """
    kinds = [case.mode is Mode.DISAGGREGATED for case in cases]
    found = np.full((5, len(cases)), np.nan)
    for apart in (False, True):
        index = np.array([i for i, kind in enumerate(kinds) if kind is apart], dtype=np.int64)
        if len(index):
            found[:, index] = _kind(predictor, catalog, [cases[i] for i in index])
    return Predicted(*found)


def _kind(predictor: Predictor, catalog: Catalog, cases: Sequence[Case]) -> Vector:
    table = cases_of(catalog, cases)
    decode, prefill = constants_of_cases(table, predictor.fit)
    decode = without_waves(decode, cases)
    step, first = np.ones(len(cases)), np.ones(len(cases))
    explained = np.zeros(len(cases))
    if predictor.learned is not None:
        before = flights(table, decode, prefill, step)
        features = [
            features_of_case(catalog, case, flight)
            for case, flight in zip(cases, before.tolist(), strict=True)
        ]
        errors = predictor.learned.errors(features)
        step, first = np.exp(-errors[0]), np.exp(-errors[1])
        explained = predictor.learned.explained(features)
    flight = flights(table, decode, prefill, step)
    loop = solve(table, decode, prefill, step, flight)
    median = np.array([case.table is Table.DEEPSEEK for case in cases])
    # What is learned of the first token holds for requests that have a place.
    waits = loop.outside_s
    inside = np.where(median, loop.ttft_median_s, loop.ttft_s) - waits
    ttft = inside * first + waits
    # A correction of medians says nothing of the mean that throughput follows from.
    closed = np.array([case.mode is Mode.CLOSED for case in cases])
    mean = (loop.ttft_s - waits) * np.where(closed & ~median, first, 1.0) + waits
    whole = mean + loop.tpot_s * (table.outputs - 1.0)
    rate = flight / whole
    offered = np.array([case.rate for case in cases])
    rate = np.where(offered > 0, np.minimum(rate, offered), rate)
    return np.stack(
        [
            rate * (table.inputs + table.outputs) / table.accelerators,
            ttft,
            loop.tpot_s,
            watts(table, loop, decode),
            explained,
        ]
    )


def constants_of_cases(cases: Cases, fit: Fit) -> tuple[Constants, Constants | None]:
    """Constants of decode and prefill configurations under a fit."""
    slots, theta = Slots.of(fit)
    decode = constants(lookup(cases.decode, slots, grow=False), theta)
    if cases.prefill is None:
        return decode, None
    return decode, constants(lookup(cases.prefill, slots, grow=False), theta)


def flights(cases: Cases, decode: Constants, prefill: Constants | None, step: Vector) -> Vector:
    """Requests in flight: the cases' own, or what a rate leads to (bisection over the loop)."""
    offered = np.array([case.rate for case in cases.cases])
    driven = offered > 0
    if not driven.any():
        return cases.concurrency
    low = np.full(len(offered), 0.02)
    high = cases.decode.room * cases.decode.ranks * 4.0
    for _ in range(_HALVINGS):
        middle = np.sqrt(low * high)
        loop = solve(cases, decode, prefill, step, middle)
        whole = loop.ttft_s + loop.tpot_s * (cases.outputs - 1.0)
        enough = (middle / whole >= offered) | (loop.ttft_s > _MOST_RATE_TTFT_S)
        high = np.where(enough, middle, high)
        low = np.where(enough, low, middle)
    return np.where(driven, high, cases.concurrency)


def watts(cases: Cases, loop: Loop, decode: Constants) -> Vector:
    """Power of one accelerator: rating times what memory and compute are used; modelled.

    Busy share: FLOPs of all tokens and weights read a step, each against its peak.
    """
    from neocloud.perf import kernels
    from neocloud.perf.numbers import numbers_of

    n = numbers_of(cases.decode.works, decode)
    context = cases.inputs + cases.outputs / 2.0
    # A second of steps: those that generate, and the prompts that came in.
    steps = n.accepted / np.maximum(loop.tpot_s, 1e-9)
    memory, compute = kernels.roofline_seconds(n, loop.batch, loop.batch * context, 0.0, 0.0)
    prompts = loop.batch / np.maximum(cases.outputs * loop.tpot_s, 1e-9)
    pairs = kernels.causal_pairs(cases.inputs)
    prompt = np.maximum(*kernels.roofline_seconds(n, 0.0, 0.0, cases.inputs, pairs))
    busy = np.clip(steps * np.maximum(memory, compute) + prompts * prompt, 0.0, 1.0)
    found: Vector = n.static_w + n.dynamic_w * busy
    return found
