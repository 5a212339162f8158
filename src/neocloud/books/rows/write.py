"""Writing the tables as Parquet or CSV, a part at a time."""

from __future__ import annotations

import csv
import os
import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from neocloud.books.rows.tables import SCHEMA, TABLES, Cell, Selection, Table, plain

ROWS = 20_000
"""Held in memory at a time; also the rows of a group in Parquet."""


class MissingPyarrowError(Exception):
    """Parquet was asked for and pyarrow is not installed."""


class WrittenTable(msgspec.Struct, frozen=True, kw_only=True):
    """A file that was written, and its rows."""

    path: Path
    rows: int


def write_rows(selection: Selection, form: str, folder: Path) -> tuple[WrittenTable, ...]:
    """Write all tables into a folder, which is made if need be.

    Files take their names when all of them are whole and on the disk.

    Args:
        selection: what of the books.
        form: of `FORMS`.
        folder: where to.

    Raises:
        MissingPyarrowError: the extra `parquet` is not installed.
        BooksError: the books cannot be read.
        OSError: the folder or a file cannot be written; then no file has its name.
    """
    fresh = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    token = secrets.token_hex(4)
    made: list[tuple[Path, WrittenTable]] = []
    try:
        for table in TABLES:
            part = folder / f".{token}.{table.name}.{form}"
            made.append((part, WrittenTable(path=folder / f"{table.name}.{form}", rows=0)))
            rows = FORMS[form](table, selection, part)
            made[-1] = part, msgspec.structs.replace(made[-1][1], rows=rows)
            descriptor = os.open(part, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        for part, written in made:
            part.replace(written.path)
    finally:
        for part, _ in made:
            part.unlink(missing_ok=True)
        if fresh:
            with suppress(OSError):  # it is kept where something is in it
                folder.rmdir()
    return tuple(written for _, written in made)


def _csv(table: Table, selection: Selection, path: Path) -> int:
    count = 0
    with path.open("w", encoding="utf-8", newline="") as file:
        write = csv.writer(file, lineterminator="\n").writerow
        write([name for name, _ in table.columns])
        for row in table.rows(selection):
            write([plain(value) for value in row])
            count += 1
    return count


def _parquet(table: Table, selection: Selection, path: Path) -> int:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise MissingPyarrowError(
            "Parquet needs pyarrow: pip install 'neocloud[parquet]'"
        ) from None
    kinds: dict[Cell, Any] = {
        Cell.TEXT: pa.string(),
        Cell.WHOLE: pa.decimal128(38, 0),
        Cell.EXACT: pa.decimal128(38, 12),
        Cell.TRUTH: pa.bool_(),
        Cell.DAY: pa.date32(),
        Cell.MOMENT: pa.timestamp("us", tz="UTC"),
    }
    schema = pa.schema(
        [pa.field(name, kinds[kind]) for name, kind in table.columns],
        metadata={"schema": SCHEMA, "records": table.name},
    )
    whole = [place for place, (_, kind) in enumerate(table.columns) if kind is Cell.WHOLE]
    count, rest = 0, table.rows(selection)
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        while rows := [_decimals(row, whole) for row in islice(rest, ROWS)]:
            columns = [
                pa.array(values, type=field.type)
                for values, field in zip(zip(*rows, strict=True), schema, strict=True)
            ]
            writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=schema))
            count += len(rows)
    return count


def _decimals(row: tuple[Any, ...], whole: list[int]) -> list[Any]:
    """Whole numbers as decimals: accelerator-nanoseconds of a month may pass 64 bits."""
    found = list(row)
    for place in whole:
        found[place] = None if found[place] is None else Decimal(found[place])
    return found


FORMS: Mapping[str, Callable[[Table, Selection, Path], int]] = {"parquet": _parquet, "csv": _csv}
"""By the ending of the files: what writes a table."""
