"""Predicted against measured: errors by table, accelerator, engine, model and so on.

An error is |predicted / measured - 1|. Medians come first: means hang on few rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from neocloud.calibration.model import Predicted
from neocloud.calibration.records import Case, Measured, Mode

Vector = NDArray[np.float64]


class Error(msgspec.Struct, frozen=True, kw_only=True):
    """Errors of one output over some rows, per cent."""

    rows: int
    median: float
    mean: float
    p80: float
    bias: float
    """Median of predicted over measured less 1: above 0 where predictions are too high."""


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """Errors of one group of rows; None where nothing was measured."""

    by: str
    name: str
    throughput: Error | None
    tpot: Error | None
    ttft: Error | None


@dataclass(frozen=True, slots=True)
class Ratios:
    """Predicted over measured by row; nan where nothing was measured."""

    throughput: Vector
    tpot: Vector
    ttft: Vector

    def take(self, mask: NDArray[np.bool_]) -> Ratios:
        """Some of the rows."""
        return Ratios(self.throughput[mask], self.tpot[mask], self.ttft[mask])


def ratios(cases: Sequence[Case], measured: Sequence[Measured], predicted: Predicted) -> Ratios:
    """Predicted over measured. Latencies of offline rows are left out: nobody waited."""

    def over(values: Vector, name: str, *, latency: bool) -> Vector:
        found = np.full(len(cases), np.nan)
        for i, (case, m) in enumerate(zip(cases, measured, strict=True)):
            value = getattr(m, name)
            if value and not (latency and case.mode is Mode.OFFLINE):
                found[i] = values[i] / value
        return found

    return Ratios(
        over(predicted.throughput, "throughput", latency=False),
        over(predicted.tpot_s, "tpot_s", latency=True),
        over(predicted.ttft_s, "ttft_s", latency=True),
    )


def error_of(values: Vector) -> Error | None:
    """Errors of some ratios; None where there are none."""
    known = values[~np.isnan(values)]
    if not len(known):
        return None
    off = 100.0 * np.abs(known - 1.0)
    return Error(
        rows=len(known),
        median=float(np.median(off)),
        mean=float(off.mean()),
        p80=float(np.percentile(off, 80)),
        bias=100.0 * float(np.median(known) - 1.0),
    )


def _mode(case: Case) -> str:
    return {
        Mode.DISAGGREGATED: "disaggregated",
        Mode.OFFLINE: "offline",
        Mode.RATE: "at a rate",
    }.get(case.mode, "aggregated")


GROUPINGS: dict[str, Callable[[Case], str]] = {
    "table": lambda case: str(case.table),
    "mode": _mode,
    "accelerator": lambda case: case.decode.accelerator,
    "engine": lambda case: "-".join(filter(None, (case.engine_layer, case.decode.engine))),
    "model": lambda case: case.model,
    "precision": lambda case: case.decode.precision,
    "MTP": lambda case: "on" if case.decode.drafts else "off or unknown",
}
"""What errors are told apart by."""


def lines(
    cases: Sequence[Case],
    found: Ratios,
    groupings: Iterable[tuple[str, Callable[[Case], str]]] | None = None,
) -> list[Line]:
    """Errors of all rows, then by each grouping, most rows first."""
    everything = np.ones(len(cases), dtype=bool)
    result = [line("all", "all rows", found, everything)]
    for by, name_of in groupings if groupings is not None else GROUPINGS.items():
        names = np.array([name_of(case) for case in cases])
        distinct = sorted(set(names.tolist()), key=lambda n: (-int((names == n).sum()), n))
        result += [line(by, name, found, names == name) for name in distinct]
    return result


def line(by: str, name: str, found: Ratios, mask: NDArray[np.bool_]) -> Line:
    """Errors of the rows of a mask."""
    some = found.take(mask)
    return Line(
        by=by,
        name=name,
        throughput=error_of(some.throughput),
        tpot=error_of(some.tpot),
        ttft=error_of(some.ttft),
    )
