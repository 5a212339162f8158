"""Reading files of events, CSV or Parquet in the form that `export` writes, row by row."""

from __future__ import annotations

import csv
import hashlib
import math
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from neocloud.ledger.errors import LedgerError
from neocloud.ledger.fitting import MOST_TOKENS
from neocloud.ledger.records import AllocationEvent, AttemptEvent, EnergyEvent, UsageEvent
from neocloud.ledger.schema import TABLES, RecordTable, ids_within

_ROWS = 5_000
"""Of Parquet, held in memory at a time."""
_TOLD = 5
"""Mistakes that are told of at once."""
Check = Callable[[Any], str]
"""What is wrong with a record, in words; empty if nothing is."""


class BackfillError(LedgerError):
    """A file cannot be brought in; the message says which of its rows and why."""


def read_events(path: Path, check: Check) -> tuple[RecordTable[Any], Iterator[Any]]:
    """The kind of a file's rows, and the rows as records, each looked at as it comes.

    Args:
        path: CSV, or Parquet where its name says so.
        check: what else must hold of a record.

    Raises:
        BackfillError: it is no such file, or (while the rows are read) some of them cannot be.
        LedgerError: the extra `parquet` is needed and not installed.
    """
    names, rows = read_rows(path)
    table = _table_of(names, path)
    return table, _checked(table, names, rows, path, check)


def read_rows(path: Path) -> tuple[list[str], Iterator[tuple[int, list[Any]]]]:
    """Names of the columns of a file, and its rows: number of the line or row, and the values.

    Raises:
        BackfillError: it is no such file, or (while the rows are read) cannot be read to its end.
        LedgerError: the extra `parquet` is needed and not installed.
    """
    try:
        return _parquet(path) if path.suffix == ".parquet" else _csv(path)
    except OSError as error:
        raise BackfillError(f"{path} cannot be read: {error.strerror}") from None


def digest_of(path: Path) -> str:
    """Hash of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:32]


def _csv(path: Path) -> tuple[list[str], Iterator[tuple[int, list[Any]]]]:
    file = path.open(encoding="utf-8", newline="")
    read = csv.reader(file)
    try:
        names = next(read, [])
    except UnicodeDecodeError:
        file.close()
        raise BackfillError(f"{path} is not CSV in UTF-8") from None

    def rows() -> Iterator[tuple[int, list[Any]]]:
        with file:
            try:
                for row in read:
                    yield read.line_num, row
            except (csv.Error, UnicodeDecodeError) as error:
                raise BackfillError(f"{path}, line {read.line_num + 1}: {error}") from None

    return names, rows()


def _parquet(path: Path) -> tuple[list[str], Iterator[tuple[int, list[Any]]]]:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise LedgerError("Parquet needs pyarrow: pip install 'neocloud[parquet]'") from None
    try:
        file = pq.ParquetFile(path)
    except pa.ArrowInvalid as error:
        raise BackfillError(f"{path} is not Parquet: {error}") from None

    def rows() -> Iterator[tuple[int, list[Any]]]:
        number = 0
        with file:
            for batch in file.iter_batches(batch_size=_ROWS):
                columns = [column.to_pylist() for column in batch.columns]
                for row in zip(*columns, strict=True):
                    number += 1
                    yield number, list(row)

    return list(file.schema_arrow.names), rows()


def _table_of(names: list[str], path: Path) -> RecordTable[Any]:
    """The table whose columns these are; those with a default may be missing."""
    given = set(names)
    if "correction_id" in given:
        raise BackfillError(f"{path} holds corrections: `neocloud ledger correct` takes them")
    for table in TABLES:
        needed = set(
            table.record.__struct_fields__[: -len(table.record.__struct_defaults__) or None]
        )
        if needed <= given <= set(table.record.__struct_fields__) and len(given) == len(names):
            return table
    raise BackfillError(
        f"{path} has not the columns of any table of events; write it as `neocloud export` does"
    )


def _checked(
    table: RecordTable[Any], names: list[str], rows: Iterable[tuple[int, list[Any]]], path: Path,
    check: Check,
) -> Iterator[Any]:  # fmt: skip
    problems: list[str] = []
    make = _Maker(table, names)
    for number, row in rows:
        try:
            record = make(row)
            told = _impossible(record) or check(record)
        except ValueError as error:
            told = str(error)
        if told:
            problems.append(f"{path}, {'line' if path.suffix != '.parquet' else 'row'} {number}: ")
            problems[-1] += told
            if len(problems) == _TOLD:
                break
        elif not problems:
            yield record
    if problems:
        raise BackfillError("\n".join([*problems, "Nothing was written"]))


class _Maker:
    """Makes records of rows whose columns stand in any order."""

    def __init__(self, table: RecordTable[Any], names: list[str]) -> None:
        self._record = table.record
        self._columns = len(names)
        optional = {column.name for column in table.columns if column.optional}
        defaults = table.record.__struct_defaults__
        fields = table.record.__struct_fields__
        first = len(fields) - len(defaults)
        self._fields = fields
        self._places = [
            (names.index(name), None, name in optional)
            if name in names
            else (-1, defaults[number - first], False)
            for number, name in enumerate(fields)
        ]

    def __call__(self, row: list[Any]) -> Any:
        if len(row) != self._columns:
            raise ValueError(f"{len(row)} fields, where the head has {self._columns}")
        values = [self._record.__struct_config__.tag]
        for place, default, optional in self._places:
            value = default if place < 0 else row[place]
            values.append(None if optional and value == "" else value)
        try:
            return msgspec.convert(values, type=self._record, strict=False)
        except msgspec.ValidationError as error:
            where = re.search(r"\$\[(\d+)\]", str(error))
            name = self._fields[int(where[1]) - 1] if where else "a field"
            raise ValueError(f"{name}: {str(error).partition(' - ')[0].lower()}") from None


def _impossible(record: Any) -> str:
    """What of a record cannot be, in words."""
    if isinstance(record, UsageEvent):
        return _impossible_usage(record)
    if isinstance(record, AttemptEvent):
        return "" if record.number > 0 and record.ended_ns >= record.started_ns else "it cannot be"
    if record.end_ns <= record.start_ns:
        return "it ends before it starts"
    if isinstance(record, AllocationEvent):
        busy_s = record.busy_s or 0.0
        if record.accelerators < 1:
            return f"accelerators {record.accelerators}: at least 1"
        return "" if math.isfinite(busy_s) and busy_s >= 0.0 else f"busy_s {busy_s}"
    assert isinstance(record, EnergyEvent)
    return "" if math.isfinite(record.kwh) and record.kwh >= 0.0 else f"kwh {record.kwh}"


def _impossible_usage(e: UsageEvent) -> str:
    if e.correction:
        return (
            f"it was corrected by {e.correction}: bring in what was recorded (`neocloud export "
            "--as-recorded`), then the correction"
        )
    for name in ("input_tokens", "cached_tokens", "output_tokens", "reasoning_tokens", "attempts"):
        if not 0 <= getattr(e, name) <= MOST_TOKENS:
            return f"{name} {getattr(e, name)}: from 0 to {MOST_TOKENS}"
    if e.cached_tokens > e.input_tokens:
        return "cached_tokens are more than input_tokens"
    if e.reasoning_tokens > e.output_tokens:
        return "reasoning_tokens are more than output_tokens"
    if not 0 < e.admitted_ns <= e.finished_ns:
        return "it ends before it was admitted"
    if e.first_token_ns and not e.admitted_ns <= e.first_token_ns <= e.finished_ns:
        return "its first token lies outside of it"
    low, high = ids_within(e.admitted_ns, e.admitted_ns)
    if not low <= e.request_id < high:
        return (
            f"request_id {e.request_id} is no UUIDv7 of the millisecond of admitted_ns, by which "
            f"it is found: one begins with {low}"
        )
    return ""
