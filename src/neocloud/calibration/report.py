"""Predicted against measured for the rows of some files: what `neocloud accuracy` says."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from neocloud.calibration.accuracy import Line, lines, ratios
from neocloud.calibration.bands import Coverage, coverage, errors_of
from neocloud.calibration.laying import read_pairs
from neocloud.calibration.model import predict_cases
from neocloud.calibration.records import Case, Measured, RowError
from neocloud.catalog import Catalog
from neocloud.perf.predictor import Predictor


class Accuracy(msgspec.Struct, frozen=True, kw_only=True):
    """How near predictions come to measured rows.

    Attributes:
        parameters: digest of the predictor.
        predicted: rows that have predictions.
        refused: rows that have none, by reason.
        lines: errors, per cent.
        coverage: shares of rows inside their intervals.
    """

    schema: str = "neocloud.accuracy/1"
    parameters: str
    predicted: int
    refused: dict[str, int]
    lines: list[Line]
    coverage: list[Coverage]


def pairs_of_files(
    catalog: Catalog, paths: Sequence[Path]
) -> tuple[list[tuple[Case, Measured]], dict[str, int]]:
    """Rows of files that can be predicted, and why others cannot, most rows first.

    Raises:
        RowError: a file has none of the three layouts, or holds no row that can be predicted;
            names it.
        OSError: it cannot be read.
    """
    pairs: list[tuple[Case, Measured]] = []
    refused: dict[str, int] = {}
    for path in paths:
        try:
            found, reasons = read_pairs(catalog, [path])
        except RowError as error:
            raise RowError(f"{path}: {error}") from None
        if not found:
            why = "; ".join(f"{reason} ({n} rows)" for reason, n in reasons.most_common(3))
            raise RowError(f"{path}: no row can be predicted: {why or 'it has none'}")
        pairs += found
        for reason, count in reasons.items():
            refused[reason] = refused.get(reason, 0) + count
    return pairs, dict(sorted(refused.items(), key=lambda item: (-item[1], item[0])))


def accuracy_of(
    predictor: Predictor,
    catalog: Catalog,
    pairs: Sequence[tuple[Case, Measured]],
    refused: dict[str, int],
) -> Accuracy:
    """Predict rows and compare."""
    cases, measured = [case for case, _ in pairs], [m for _, m in pairs]
    predicted = predict_cases(predictor, catalog, cases)
    bands = predictor.bands
    return Accuracy(
        parameters=predictor.digest,
        predicted=len(pairs),
        refused=refused,
        lines=lines(cases, ratios(cases, measured, predicted)),
        coverage=[] if bands is None else coverage(bands, errors_of(pairs, predicted)),
    )
