"""Laying the model down: the files that `perf` reads, and reading measured rows for them."""

from __future__ import annotations

import gzip
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import msgspec

from neocloud.calibration.layouts import measured, read_rows
from neocloud.calibration.records import Case, Measured
from neocloud.calibration.rows import usable
from neocloud.catalog import Catalog
from neocloud.perf.intervals import Bands
from neocloud.perf.predictor import FitFile, Predictor

SOURCE = (
    "Fitted by `make fit` to published end-to-end results: InferenceX (SemiAnalysis), the sample "
    "that NVIDIA ships with AISimulate (Apache-2.0), TensorRT-LLM's documentation (Apache-2.0), "
    "AccelMark (Apache-2.0), dstack's benchmarks (Apache-2.0), Oracle's and NVIDIA NIM's pages"
)


def read_pairs(
    catalog: Catalog, paths: Sequence[Path]
) -> tuple[list[tuple[Case, Measured]], Counter[str]]:
    """Rows that can be predicted with what was measured, and why others cannot, by reason.

    Raises:
        RowError: a file has none of the three layouts.
        OSError: it cannot be read.
    """
    pairs: list[tuple[Case, Measured]] = []
    refused: Counter[str] = Counter()
    for path in paths:
        rows = list(read_rows(path, catalog)[2])
        index, reasons = usable(catalog, rows)
        for i in index:
            case = rows[i].case
            if case is not None:
                pairs.append((case, measured(rows[i])))
        refused.update(reason for reason in reasons if reason)
    return pairs, refused


def lay_down(predictor: Predictor, bands: Bands, rows: int, folder: Path) -> None:
    """Write fit, learned part and intervals; the same input gives the same bytes."""
    file = FitFile(source=SOURCE, rows=rows, newest=predictor.newest, fit=predictor.fit)
    (folder / "fit.json").write_bytes(_text(file))
    if predictor.table is not None:
        packed = gzip.compress(msgspec.json.encode(predictor.table), mtime=0)
        (folder / "learned.json.gz").write_bytes(packed)
    (folder / "intervals.json").write_bytes(_text(bands))


def _text(value: msgspec.Struct) -> bytes:
    return msgspec.json.format(msgspec.json.encode(value), indent=1) + b"\n"
