"""A user's own rows on top of the shipped fit: factors that shrink towards it.

Only what a site can differ in is fitted: factors of the accelerator, of engine and accelerator, of
the model, of model and engine, and of the release. Their priors stand at the shipped values; the
learned part stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import numpy as np

from neocloud.calibration.accuracy import Line, lines, ratios
from neocloud.calibration.fit import block, fit
from neocloud.calibration.judge import kinds
from neocloud.calibration.model import predict_cases
from neocloud.calibration.problem import Slots
from neocloud.calibration.records import Case, Measured, Mode
from neocloud.catalog import Catalog
from neocloud.perf.predictor import Calibration, Change, Predictor, calibrated

_TERMS = ("decode_factor", "prefill_factor", "first_token_s")
_LEVELS = ("accelerator", "engine+accelerator+format", "model", "model+engine", "release")
ROUNDS = 15
"""Most steps of the fit."""
_FIXED = 1e-6
"""Spread of what is not fitted."""
_SHRUNK = 0.5
"""Of a level's spread where the shipped fit has a value: that has seen rows already."""
_LEAST = 0.005
"""A change of a factor below half a per cent is not worth telling."""


class CalibrationError(ValueError):
    """Rows that nothing can be fitted to."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What a calibration did: the file to keep, and errors before and after, per cent."""

    calibration: Calibration
    before: Line
    after: Line


def calibrate(
    predictor: Predictor,
    catalog: Catalog,
    pairs: Sequence[tuple[Case, Measured]],
    source: str,
    progress: Callable[[int], None] | None = None,
) -> Outcome:
    """Fit factors to a user's rows.

    Args:
        predictor: what to start from: the shipped one.
        catalog: accelerators and models.
        pairs: the rows, each of which can be predicted.
        source: name of the rows for the file.
        progress: called with the number of each step of the fit.

    Raises:
        CalibrationError: no row has both a load that can be fitted and a measured value.
    """
    usable = [
        (case, m)
        for case, m in pairs
        if case.mode is not Mode.RATE and (m.tpot_s or m.throughput or m.ttft_s)
    ]
    if not usable:
        raise CalibrationError("no row has a measured throughput, ttft or tpot under a fixed load")
    slots, shipped = Slots.of(predictor.fit)
    blocks = [
        block(catalog, kind, slots, grow=True, learned=predictor.learned) for kind in kinds(usable)
    ]
    centre = np.concatenate([shipped, np.zeros(len(slots.names) - len(shipped))])
    spreads = slots.spreads()
    for i, (term, level, _) in enumerate(slots.names):
        if term not in _TERMS or level not in _LEVELS:
            spreads[i] = _FIXED
        elif i < len(shipped):
            spreads[i] *= _SHRUNK
    theta = fit(
        blocks,
        slots,
        centre=centre,
        spreads=spreads,
        rounds=ROUNDS,
        progress=None if progress is None else lambda step, _: progress(step + 1),
    )
    changes = [
        Change(term=term, level=level, key=key, shipped=float(old), calibrated=float(new))
        for (term, level, key), old, new in zip(slots.names, centre, theta, strict=True)
        if abs(new - old) > _LEAST
    ]
    calibration = Calibration(
        base=predictor.digest,
        source=source,
        rows=len(usable),
        changes=sorted(changes, key=lambda c: -abs(c.calibrated - c.shipped)),
    )
    cases, measured = [case for case, _ in usable], [m for _, m in usable]
    after = calibrated(predictor, calibration)
    found = [
        lines(cases, ratios(cases, measured, predict_cases(p, catalog, cases)), [])[0]
        for p in (predictor, after)
    ]
    return Outcome(calibration=calibration, before=found[0], after=found[1])


def write_calibration(calibration: Calibration, path: Path) -> None:
    """Lay a calibration down, whole or not at all."""
    partial = path.with_name(path.name + ".part")
    partial.write_bytes(msgspec.json.format(msgspec.json.encode(calibration), indent=1) + b"\n")
    partial.replace(path)
