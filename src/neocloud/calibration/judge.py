"""Judging by what was left out: fits without a fold, predictions of that fold."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from neocloud.calibration.features import features_of_case
from neocloud.calibration.fit import Block, block, fit
from neocloud.calibration.learn import Lesson, step_residual, teach
from neocloud.calibration.model import Predicted, constants_of_cases, predict_cases
from neocloud.calibration.problem import Slots, solve, throughput, without_waves
from neocloud.calibration.records import Case, Measured, Mode, Table
from neocloud.catalog import Catalog, load_catalog
from neocloud.perf.constants import Fit
from neocloud.perf.features import Features, Scales
from neocloud.perf.learned import Learned
from neocloud.perf.predictor import Predictor

Vector = NDArray[np.float64]
Pair = tuple[Case, Measured]
ROUNDS = 12
SATURATED_S = 2.0
"""A time to the first token beyond which a load at a rate is taken to queue without bound."""
FOLDS = 5


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a model is made from rows."""

    step: Scales
    first: Scales
    rounds: int = ROUNDS


def in_flight(case: Case, m: Measured) -> Case | None:
    """A case at a rate with the requests that were in flight (Little's law); None if saturated."""
    if not m.ttft_s or not m.tpot_s or m.ttft_s > SATURATED_S:
        return None
    return replace(case, concurrency=case.rate * (m.ttft_s + m.tpot_s * (case.outputs - 1.0)))


def kinds(pairs: Sequence[Pair]) -> list[list[Pair]]:
    """Pairs to learn from by the kind of loop; loads at a rate as loops of as many in flight."""
    closed = [p for p in pairs if p[0].mode in {Mode.CLOSED, Mode.OFFLINE}]
    for case, m in pairs:
        if case.mode is Mode.RATE and (driven := in_flight(case, m)) is not None:
            closed.append((driven, m))
    apart = [p for p in pairs if p[0].mode is Mode.DISAGGREGATED]
    return [kind for kind in (closed, apart) if kind]


def make(catalog: Catalog, pairs: Sequence[Pair], recipe: Recipe) -> Predictor:
    """Fit the physics to rows, then teach the learned part their residuals."""
    slots = Slots()
    blocks = [block(catalog, kind, slots, grow=True) for kind in kinds(pairs)]
    fitted = slots.fit(fit(blocks, slots, rounds=recipe.rounds))
    learned = teach_residuals(catalog, pairs, fitted, recipe)
    return Predictor(
        fit=fitted, table=learned.table, bands=None, newest=newest(pairs), digest="not laid down"
    )


def newest(pairs: Sequence[Pair]) -> dict[str, float]:
    """Year, with its fraction, of each engine's newest row."""
    found: dict[str, float] = {}
    for case, _ in pairs:
        if case.year is not None:
            found[case.decode.engine] = max(found.get(case.decode.engine, 0.0), case.year)
    return {engine: round(year, 2) for engine, year in sorted(found.items())}


def teach_residuals(
    catalog: Catalog, pairs: Sequence[Pair], fitted: Fit, recipe: Recipe
) -> Learned:
    """The learned part on top of a fit: first of steps, then of the first token given these."""
    features: list[Features] = []
    steps: list[Vector] = []
    slots, _ = Slots.of(fitted)
    blocks: list[Block] = []
    for kind in kinds(pairs):
        b = block(catalog, kind, slots, grow=False)
        decode, prefill = constants_of_cases(b.cases, fitted)
        decode = without_waves(decode, b.cases.cases)
        loop = solve(b.cases, decode, prefill)
        tpot = np.log(loop.tpot_s) - b.tpot
        rate = np.log(throughput(b.cases, loop)) - b.rate
        steps.append(step_residual(tpot, rate))
        features += [features_of_case(catalog, case) for case, _ in kind]
        blocks.append(b)
    step = np.concatenate(steps)
    nothing = np.full(len(step), np.nan)
    lessons = [Lesson(f, s, n) for f, s, n in zip(features, step.tolist(), nothing, strict=True)]
    known = teach(lessons, recipe.step, recipe.first)
    factor = np.exp(-known.errors(features)[0])
    firsts, start = [], 0
    for b in blocks:
        count = len(b.cases.cases)
        decode, prefill = constants_of_cases(b.cases, fitted)
        decode = without_waves(decode, b.cases.cases)
        loop = solve(b.cases, decode, prefill, factor[start : start + count])
        found = np.where(b.median, loop.ttft_median_s, loop.ttft_s)
        firsts.append(np.log(found) - b.ttft)
        start += count
    first = np.concatenate(firsts)
    lessons = [
        Lesson(f, s, t) for f, s, t in zip(features, step.tolist(), first.tolist(), strict=True)
    ]
    return teach(lessons, recipe.step, recipe.first)


def _fold(job: tuple[list[Pair], list[Case], Recipe]) -> Predicted:
    pairs, cases, recipe = job
    catalog = load_catalog()
    return predict_cases(make(catalog, pairs, recipe), catalog, cases)


def left_out(
    pairs: Sequence[Pair],
    labels: Sequence[str],
    recipe: Recipe,
    *,
    workers: int = 2,
    progress: Callable[[int, int], None] | None = None,
) -> Predicted:
    """Predict each row by a model that has seen no row of its label."""
    names = sorted(set(labels))
    where = [np.array([i for i, x in enumerate(labels) if x == name]) for name in names]
    found = np.full((5, len(pairs)), np.nan)
    jobs = []
    for name in names:
        rest = [p for p, x in zip(pairs, labels, strict=True) if x != name]
        jobs.append((rest, [p[0] for p, x in zip(pairs, labels, strict=True) if x == name], recipe))
    with ProcessPoolExecutor(workers) as pool:
        for done, (index, predicted) in enumerate(zip(where, pool.map(_fold, jobs), strict=True)):
            found[:, index] = np.stack(
                [
                    predicted.throughput,
                    predicted.ttft_s,
                    predicted.tpot_s,
                    predicted.watts,
                    predicted.explained,
                ]
            )
            if progress is not None:
                progress(done + 1, len(jobs))
    return Predicted(*found)


def fold_labels(pairs: Sequence[Pair], seed: int = 0, folds: int = FOLDS) -> list[str]:
    """Groups dealt over folds, the same for one seed."""
    groups = sorted({case.group for case, _ in pairs})
    order = np.random.default_rng(seed).permutation(len(groups))
    fold = {groups[g]: f"fold {rank % folds}" for rank, g in enumerate(order)}
    return [fold[case.group] for case, _ in pairs]


def kind_of_row(catalog: Catalog, case: Case) -> str:
    """Rows that are judged together."""
    if case.table is Table.DEEPSEEK:
        return "DeepSeek-R1 disaggregated" if case.prefill else "DeepSeek-R1 aggregated"
    if case.table is Table.NVIDIA:
        return "NVIDIA table"
    experts = any(g.experts for g in catalog.architecture(case.model).layers)
    kind = "experts" if experts else "dense"
    if case.mode is Mode.OFFLINE and case.decode.engine == "trtllm":
        return f"offline TensorRT-LLM, {kind}"
    return f"other, {case.mode}"
