"""Events as CSV or Parquet, for whoever counts elsewhere: read and written a part at a time."""

from __future__ import annotations

import csv
import os
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from neocloud.ledger.errors import LedgerError
from neocloud.ledger.records import SCHEMA
from neocloud.ledger.schema import RecordTable

R = TypeVar("R", bound=msgspec.Struct)

ROWS = 50_000
"""Held in memory at a time; also the rows of a group in Parquet."""


def export_csv(table: RecordTable[R], records: Iterable[R], out: Path) -> int:
    """Write records as CSV in UTF-8: a head of names, then a line each. How many there were.

    None is an empty field, a truth is `true` or `false`, a time is nanoseconds since the epoch.

    Raises:
        OSError: the file cannot be written; nothing stands under its name then.
    """
    names = [column.name for column in table.columns]
    truths = [n for n, column in enumerate(table.columns) if column.kind is bool]
    count = 0
    with _whole(out) as path, path.open("w", encoding="utf-8", newline="") as file:
        write = csv.writer(file, lineterminator="\n").writerow
        write(names)
        for record in records:
            row = list(table.row(record))
            for n in truths:
                row[n] = "true" if row[n] else "false"
            write(row)
            count += 1
    return count


def export_parquet(table: RecordTable[R], records: Iterable[R], out: Path) -> int:
    """Write records as Parquet, a column a field; schema and kind stand in the file's metadata.

    Raises:
        LedgerError: the extra `parquet` is not installed.
        OSError: the file cannot be written; nothing stands under its name then.
    """
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise LedgerError("Parquet needs pyarrow: pip install 'neocloud[parquet]'") from None
    kinds = {int: pa.int64(), float: pa.float64(), bool: pa.bool_()}
    schema = pa.schema(
        [
            pa.field(column.name, kinds.get(column.kind, pa.string()), nullable=column.optional)
            for column in table.columns
        ],
        metadata={"schema": SCHEMA, "records": table.name},
    )
    count = 0
    rest = iter(records)
    with _whole(out) as path, pq.ParquetWriter(path, schema, compression="zstd") as writer:
        while rows := [table.row(record) for record in islice(rest, ROWS)]:
            columns = [
                pa.array(values, type=field.type)
                for values, field in zip(zip(*rows, strict=True), schema, strict=True)
            ]
            writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=schema))
            count += len(rows)
    return count


FORMATS: Mapping[str, Callable[[RecordTable[Any], Iterable[Any], Path], int]] = {
    "parquet": export_parquet,
    "csv": export_csv,
}
"""By name: what writes a table's records to a file."""


@contextmanager
def _whole(out: Path) -> Iterator[Path]:
    """A path beside `out` that takes its name when all is written and on the disk, else goes."""
    part = out.with_name(f".{out.name}.{secrets.token_hex(4)}")
    try:
        yield part
        descriptor = os.open(part, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        part.replace(out)
    finally:
        part.unlink(missing_ok=True)
