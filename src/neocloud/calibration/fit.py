"""Fitting the constants to measured rows: robust least squares with Gaussian priors.

Residuals are logarithms of predicted over measured: time per token, throughput, and the time to the
first token at two fifths of their weight. Large ones count in proportion to their size, not its
square (pseudo-Huber): some rows are wrong. Solved by Gauss-Newton steps under Levenberg damping.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neocloud.calibration.features import features_of_case
from neocloud.calibration.problem import (
    Cases,
    Lookup,
    Slots,
    cases_of,
    constants,
    lookup,
    solve,
    throughput,
    without_waves,
)
from neocloud.calibration.records import Case, Measured, Mode, Table
from neocloud.catalog import Catalog
from neocloud.perf.learned import Learned

Vector = NDArray[np.float64]
NOISE = 0.15
"""Standard deviation of a residual that is small: repeats differ by 0.08, releases by more, and
rows of one sweep err together."""
FIRST_TOKEN_WEIGHT = 0.4
MANY = 100.0
"""Rows of one model from which on each counts less."""
_SHAKE = 1e-4


@dataclass(frozen=True)
class Block:
    """Cases of one kind with what was measured, as logarithms; nan where nothing was."""

    cases: Cases
    decode: Lookup
    prefill: Lookup | None
    tpot: Vector
    rate: Vector
    ttft: Vector
    median: NDArray[np.bool_]
    step: Vector
    """Factor on step times that the learned part gives; ones where there is none."""
    first: Vector
    """The same on the time to the first token."""
    weight: Vector
    """Of each case: rows of a model with many count less each."""

    def residuals(self, theta: Vector) -> Vector:
        """Stacked (tpot, throughput, ttft); 0 where nothing was measured."""
        pre = None if self.prefill is None else constants(self.prefill, theta)
        decode = without_waves(constants(self.decode, theta), self.cases.cases)
        loop = solve(self.cases, decode, pre, self.step)
        rate = np.log(throughput(self.cases, loop))
        first = np.where(self.median, loop.ttft_median_s, loop.ttft_s)
        parts = [
            np.log(loop.tpot_s) - self.tpot,
            rate - self.rate,
            FIRST_TOKEN_WEIGHT * (np.log(first * self.first) - self.ttft),
        ]
        stacked: Vector = np.nan_to_num(np.stack(parts), nan=0.0)
        return stacked


def block(
    catalog: Catalog,
    pairs: Sequence[tuple[Case, Measured]],
    slots: Slots,
    *,
    grow: bool,
    learned: Learned | None = None,
) -> Block:
    """Arrays of cases of one kind."""
    cases = cases_of(catalog, [case for case, _ in pairs])

    def log(name: str) -> Vector:
        found = [getattr(m, name) for _, m in pairs]
        logs: Vector = np.log(np.array([np.nan if v is None else v for v in found]))
        return logs

    step, first = np.ones(len(pairs)), np.ones(len(pairs))
    if learned is not None:
        errors = learned.errors([features_of_case(catalog, case) for case, _ in pairs])
        step, first = np.exp(-errors[0]), np.exp(-errors[1])
    offline = np.array([case.mode is Mode.OFFLINE for case, _ in pairs])
    return Block(
        cases=cases,
        decode=lookup(cases.decode, slots, grow=grow),
        prefill=None if cases.prefill is None else lookup(cases.prefill, slots, grow=grow),
        tpot=np.where(offline, np.nan, log("tpot_s")),
        rate=log("throughput"),
        ttft=np.where(offline, np.nan, log("ttft_s")),
        median=np.array([case.table is Table.DEEPSEEK for case, _ in pairs]),
        step=step,
        first=first,
        weight=weights_of([levels.model for levels in cases.decode.levels]),
    )


def weights_of(models: Sequence[str]) -> Vector:
    """Weight of each row by how many rows its model has.

    Half of the rows are of one model. What all models share would otherwise be bent to explain its
    last per cent, and a new model is predicted by what is shared.
    """
    counts = Counter(models)
    return np.array([min(1.0, (MANY / counts[m]) ** 0.5) for m in models])


def fit(
    blocks: Sequence[Block],
    slots: Slots,
    *,
    centre: Vector | None = None,
    spreads: Vector | None = None,
    rounds: int = 25,
    progress: Callable[[int, float], None] | None = None,
) -> Vector:
    """Fit all slots.

    Args:
        blocks: the measured cases.
        slots: the slots that their look-ups name.
        centre: prior means, where it begins as well; zeros where not given.
        spreads: prior standard deviations; the terms' own where not given.
        rounds: most steps.
        progress: called with the round and the loss.
    """
    spread = slots.spreads() if spreads is None else spreads
    middle = np.zeros(len(spread)) if centre is None else centre
    theta = middle.copy()
    damping = 1e-2
    residual = [b.residuals(theta) for b in blocks]
    loss = _loss(blocks, residual, theta - middle, spread)
    for step in range(rounds):
        normal = np.diag(1.0 / spread**2)
        gradient = (theta - middle) / spread**2
        for b, r in zip(blocks, residual, strict=True):
            rows, columns, slopes = jacobian(b, theta, r)
            weight = b.weight / (NOISE**2 * np.sqrt(1.0 + np.square(r / NOISE)))
            _accumulate(normal, gradient, (rows, columns, slopes), weight * r, weight)
        while damping < 1e6:
            move = np.linalg.solve(normal + damping * np.diag(np.diag(normal)), -gradient)
            move = np.clip(move, -0.7, 0.7)
            trial = theta + move
            trial_residual = [b.residuals(trial) for b in blocks]
            trial_loss = _loss(blocks, trial_residual, trial - middle, spread)
            if trial_loss < loss:
                break
            damping *= 4.0
        else:
            break
        gain = loss - trial_loss
        theta, residual, loss = trial, trial_residual, trial_loss
        damping = max(damping / 5.0, 1e-6)
        if progress is not None:
            progress(step, loss)
        if gain < 1e-4 * loss:
            break
    return theta


def _loss(
    blocks: Sequence[Block], residuals: Sequence[Vector], away: Vector, spread: Vector
) -> float:
    data = sum(
        float(np.sum(b.weight * (np.sqrt(1.0 + np.square(r / NOISE)) - 1.0)))
        for b, r in zip(blocks, residuals, strict=True)
    )
    return data + 0.5 * float(np.sum(np.square(away / spread)))


def jacobian(
    b: Block, theta: Vector, base: Vector
) -> tuple[list[NDArray[np.int64]], list[Vector], list[Vector]]:
    """Slopes of the residuals by colour: (slot of each case, weight unused, slopes (3, n))."""
    colours: dict[str, NDArray[np.int64]] = {}
    for table in (b.decode, b.prefill):
        if table is None:
            continue
        for reads in table.reads.values():
            for index, _, colour in reads:
                known = colours.setdefault(colour, np.full(len(index), -1))
                np.copyto(known, index, where=index >= 0)
    rows, columns, slopes = [], [], []
    for index in colours.values():
        used = np.unique(index[index >= 0])
        if not len(used):
            continue
        shaken = theta.copy()
        shaken[used] += _SHAKE
        rows.append(index)
        columns.append(np.ones(len(index)))
        slopes.append((b.residuals(shaken) - base) / _SHAKE)
    return rows, columns, slopes


def _accumulate(
    normal: Vector,
    gradient: Vector,
    parts: tuple[list[NDArray[np.int64]], list[Vector], list[Vector]],
    weighted: Vector,
    weight: Vector,
) -> None:
    """Add J' W J and J' W r of a block. J is dense over (case, colour), scattered into slots."""
    rows, _, slopes = parts
    count = weighted.shape[1]
    dense = np.zeros((3, count, normal.shape[0]))
    here = np.arange(count)
    for index, slope in zip(rows, slopes, strict=True):
        mask = index >= 0
        for kind in range(3):
            dense[kind, here[mask], index[mask]] += slope[kind, mask]
    for kind in range(3):
        normal += dense[kind].T @ (dense[kind] * weight[kind][:, None])
        gradient += dense[kind].T @ weighted[kind]
