"""Predicting the rows of a file in any of the three layouts."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from neocloud.calibration.layouts import read_rows
from neocloud.calibration.model import Predicted, predict_cases
from neocloud.calibration.problem import cases_of
from neocloud.calibration.records import Case, Row, RowError, Table
from neocloud.catalog import Catalog, CatalogError
from neocloud.perf.checks import ConfigurationError
from neocloud.perf.fitted import NoParametersError, require_measured
from neocloud.perf.predictor import Predictor

COLUMNS = (
    "pred_total_tok_s_per_gpu",
    "pred_output_tok_s_per_gpu",
    "pred_ttft_ms",
    "pred_tpot_ms",
    "pred_power_per_gpu_w",
)
BOUNDS = tuple(
    f"{column}_{bound}"
    for column in ("pred_total_tok_s_per_gpu", "pred_ttft_ms", "pred_tpot_ms")
    for bound in ("p05", "p25", "p75", "p95")
)
LAST = ("pred_chosen", "pred_error")
_CHUNK = 1000


@dataclass(frozen=True, slots=True)
class RowsReport:
    """What became of a file.

    Attributes:
        table: its layout.
        predicted: rows with values.
        refused: rows without, by reason.
    """

    table: Table
    predicted: int
    refused: dict[str, int]


def can_predict(catalog: Catalog, case: Case) -> None:
    """Raise `RowError` with the reason where a case cannot be predicted."""
    if min(case.inputs, case.outputs) < 1.0:
        raise RowError("isl or osl is less than one token")
    try:
        require_measured(catalog.accelerator(case.decode.accelerator))
        cases_of(catalog, [case])
    except (CatalogError, ConfigurationError, NoParametersError) as reason:
        raise RowError(str(reason)) from None


def usable(catalog: Catalog, rows: Sequence[Row]) -> tuple[list[int], list[str]]:
    """(Index of the rows that can be predicted, reason of each row that cannot, else empty)."""
    index, reasons = [], []
    for number, row in enumerate(rows):
        reason = row.reason
        if row.case is not None:
            try:
                can_predict(catalog, row.case)
            except RowError as error:
                reason = str(error)
            else:
                index.append(number)
        reasons.append(reason)
    return index, reasons


def predict_file(
    predictor: Predictor,
    catalog: Catalog,
    source: Path,
    target: Path,
    progress: Callable[[int], None] | None = None,
) -> RowsReport:
    """Copy a file and add the predictions. Measured columns are never read.

    Args:
        predictor: what predicts.
        catalog: accelerators and models.
        source: the file to read.
        target: the file to write; replaced when all rows are done.
        progress: called with the number of rows done.

    Raises:
        RowError: the file has none of the three layouts.
        OSError: a file cannot be read or written.
    """
    table, columns, rows = read_rows(source, catalog)
    added = [c for c in (*COLUMNS, *BOUNDS, *LAST) if c not in columns]
    text = io.StringIO()
    writer = csv.DictWriter(text, [*columns, *added], lineterminator="\n", extrasaction="ignore")
    writer.writeheader()
    done = 0
    refused: dict[str, int] = {}
    for chunk in _chunks(rows):
        index, reasons = usable(catalog, chunk)
        cases = [case for i in index if (case := chunk[i].case) is not None]
        predicted = predict_cases(predictor, catalog, cases)
        values = dict(zip(index, _cells(predictor, cases, predicted), strict=True))
        for number, row in enumerate(chunk):
            cells = values.get(number, {})
            chosen = row.case.chosen if row.case is not None and cells else ""
            empty = dict.fromkeys((*COLUMNS, *BOUNDS), "")
            reason = reasons[number]
            writer.writerow(
                {**row.fields, **empty, **cells, "pred_chosen": chosen, "pred_error": reason}
            )
            if reason:
                refused[reason] = refused.get(reason, 0) + 1
        done += len(chunk)
        if progress is not None:
            progress(done)
    partial = target.with_name(target.name + ".part")
    partial.write_text(text.getvalue(), encoding="utf-8")
    partial.replace(target)
    return RowsReport(table, done - sum(refused.values()), refused)


def _chunks(rows: Iterator[Row]) -> Iterator[list[Row]]:
    chunk: list[Row] = []
    for row in rows:
        chunk.append(row)
        if len(chunk) == _CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _cells(
    predictor: Predictor, cases: Sequence[Case], predicted: Predicted
) -> Iterator[dict[str, str]]:
    for i, case in enumerate(cases):
        total = float(predicted.throughput[i])
        ttft, tpot = float(predicted.ttft_s[i]) * 1e3, float(predicted.tpot_s[i]) * 1e3
        share = case.outputs / (case.inputs + case.outputs)
        if case.prefill is not None and case.table is Table.DEEPSEEK:
            # This layout states output of disaggregated rows for each decode accelerator.
            share *= case.accelerators / (case.replicas * case.decode.accelerators)
        cells = {
            "pred_total_tok_s_per_gpu": f"{total:.6g}",
            "pred_output_tok_s_per_gpu": f"{total * share:.6g}",
            "pred_ttft_ms": f"{ttft:.6g}",
            "pred_tpot_ms": f"{tpot:.6g}",
            "pred_power_per_gpu_w": f"{float(predicted.watts[i]):.6g}",
        }
        if predictor.bands is not None:
            explained = np.float64(predicted.explained[i])
            for output, column, value in (
                ("throughput", "pred_total_tok_s_per_gpu", total),
                ("ttft", "pred_ttft_ms", ttft),
                ("tpot", "pred_tpot_ms", tpot),
            ):
                factors = predictor.bands.band(output, str(case.mode)).factors(explained)
                for bound, factor in zip(("p05", "p25", "p75", "p95"), factors, strict=True):
                    cells[f"{column}_{bound}"] = f"{value * float(factor):.6g}"
        yield cells
