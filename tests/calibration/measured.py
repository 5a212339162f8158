"""A few measured rows of each layout, and what the tests make of them.

The three tables beside this file hold nineteen rows as published: InferenceX by SemiAnalysis
(deepseek_r1_serving.csv); the sample that NVIDIA ships with AISimulate, Apache-2.0
(nvidia_serving.csv); TensorRT-LLM's documentation, MLPerf Inference v4.1 and AccelMark, Apache-2.0,
dstack's benchmarks and NVIDIA NIM's page (throughput.csv).
"""

from __future__ import annotations

import csv
import os
from pathlib import Path

from neocloud.calibration import Case, Table
from neocloud.calibration.layouts import read_rows
from neocloud.calibration.records import Row
from neocloud.catalog import load_catalog

CATALOG = load_catalog()
HERE = Path(__file__).parent
ROOT = HERE.parents[1]
TABLES = {table: HERE / f"{table}.csv" for table in Table}
OUTCOMES = {
    Table.DEEPSEEK: (
        "total_tok_s_per_gpu", "output_tok_s_per_gpu", "ttft_median_ms", "ttft_p99_ms",
        "tpot_median_ms", "tpot_p99_ms", "itl_median_ms", "e2e_median_s", "power_per_gpu_w",
        "joules_per_output_token",
    ),
    Table.NVIDIA: ("ttft_ms", "tpot_ms"),
    Table.THROUGHPUT: ("output_tok_s_per_gpu", "total_tok_s_per_gpu", "ttft_ms", "tpot_ms"),
}  # fmt: skip
"""Columns that hold what came out."""


def all_measured() -> list[Path]:
    """The whole tables where they are at hand, else the few rows of this folder."""
    beside = ROOT.parent / "shared" / "data" / "measured"
    folder = Path(os.environ.get("NEOCLOUD_MEASURED") or beside)
    paths = [folder / path.name for path in TABLES.values()]
    return paths if all(path.is_file() for path in paths) else list(TABLES.values())


def fields(table: Table, number: int = 0, **changes: object) -> dict[str, str]:
    """One row of a table, with other values in some columns."""
    with TABLES[table].open(newline="", encoding="utf-8") as file:
        row = list(csv.DictReader(file))[number]
    return row | {name: str(value) for name, value in changes.items()}


def write(path: Path, rows: list[dict[str, str]]) -> Path:
    """A file of rows."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def read(path: Path) -> list[dict[str, str]]:
    """Rows of a file."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def rows_of(tmp_path: Path, *rows: dict[str, str]) -> list[Row]:
    """Rows as the layout reads them."""
    return list(read_rows(write(tmp_path / "rows.csv", list(rows)), CATALOG)[2])


def case_of(tmp_path: Path, row: dict[str, str]) -> Case:
    """The case of a row that has one."""
    (found,) = rows_of(tmp_path, row)
    assert found.case is not None, found.reason
    return found.case
