"""Which of the three layouts a file has, and its rows as cases."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from neocloud.calibration import deepseek, nvidia, throughput
from neocloud.calibration.fields import Fields
from neocloud.calibration.records import Case, Measured, Row, RowError, Table
from neocloud.catalog import Catalog

_MARKS = {
    Table.DEEPSEEK: {"accelerator", "precision", "disaggregated", "decode_tp", "gpus"},
    Table.NVIDIA: {"model", "accelerator", "tp", "moe_tp", "moe_ep"},
    Table.THROUGHPUT: {"model", "accelerator", "n_gpus", "mode"},
}
"""Columns that a layout cannot do without, and that tell it from the others."""

_CASES: Mapping[Table, Callable[[Catalog, Fields, str], Case]] = {
    Table.DEEPSEEK: deepseek.case_of,
    Table.NVIDIA: nvidia.case_of,
    Table.THROUGHPUT: throughput.case_of,
}


def detect(columns: list[str]) -> Table:
    """Layout of a file by its columns.

    Raises:
        RowError: none fits; says what is missing from the nearest.
    """
    given = set(columns)
    for table, marks in _MARKS.items():
        if marks <= given:
            return table
    nearest = min(_MARKS, key=lambda t: len(_MARKS[t] - given))
    missing = ", ".join(sorted(_MARKS[nearest] - given))
    raise RowError(f"the columns fit no known layout; the nearest, {nearest}, also has {missing}")


def read_rows(path: Path, catalog: Catalog) -> tuple[Table, list[str], Iterator[Row]]:
    """Layout, columns, and the rows one by one; measured values are left alone.

    Raises:
        RowError: the file has no header that fits a layout.
        OSError: it cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
        # Strict, so that a quote left open is told instead of swallowing the rest of the file.
        reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
        columns = list(reader.fieldnames or ())
    except (UnicodeDecodeError, csv.Error) as error:
        raise RowError(f"this is no CSV file in UTF-8 ({error})") from None
    table = detect(columns)
    return table, columns, _rows(reader, table, catalog)


def _rows(reader: csv.DictReader[str], table: Table, catalog: Catalog) -> Iterator[Row]:
    for raw in _records(reader):
        # What a row has beyond its header stands under no name, as a list: left out.
        fields = {
            name: value if isinstance(value, str) else ""
            for name, value in raw.items()
            if isinstance(name, str)
        }
        try:
            case = _CASES[table](catalog, fields, f"line {reader.line_num}")
        except RowError as reason:
            yield Row(fields=fields, case=None, reason=str(reason))
        else:
            yield Row(fields=fields, case=case)


def _records(reader: csv.DictReader[str]) -> Iterator[dict[str | None, str | list[str] | None]]:
    try:
        yield from reader
    except csv.Error as error:
        raise RowError(f"after line {reader.line_num}: {error}") from None


def measured(row: Row) -> Measured:
    """What came out of a row that has a case: for judging and fitting, never for predicting."""
    if row.case is None:
        return Measured()
    if row.case.table is Table.DEEPSEEK:
        return deepseek.measured_of(row.fields)
    if row.case.table is Table.NVIDIA:
        return nvidia.measured_of(row.fields, row.case)
    return throughput.measured_of(row.fields)
