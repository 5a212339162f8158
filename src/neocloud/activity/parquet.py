"""Activity as Parquet, for whoever wants it in DuckDB or pandas. Needs the extra `parquet`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from neocloud.activity.records import SCHEMA, Row


class MissingPyarrowError(RuntimeError):
    """pyarrow is not installed."""

    def __init__(self) -> None:
        super().__init__("Parquet needs pyarrow: pip install 'neocloud[parquet]'")


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise MissingPyarrowError from None
    return pa, pq


def _schema(pa: Any) -> Any:
    kinds = {int: pa.int64(), float: pa.float64(), bool: pa.bool_()}
    fields = [
        pa.field(f.name, kinds.get(f.type, pa.string()), nullable=False)
        for f in msgspec.structs.fields(Row)
    ]
    return pa.schema(fields, metadata={"schema": SCHEMA})


def write_parquet(rows: Sequence[Row], path: Path) -> None:
    """Write rows, one column a field, with the schema's name in the file's metadata.

    Raises:
        MissingPyarrowError: the extra `parquet` is not installed.
    """
    pa, pq = _pyarrow()
    table = pa.Table.from_pylist(
        [msgspec.to_builtins(row) for row in rows],
        schema=_schema(pa),
    )
    pq.write_table(table, path)


def read_parquet(path: Path) -> tuple[Row, ...]:
    """Read rows that `write_parquet` wrote.

    Raises:
        MissingPyarrowError: the extra `parquet` is not installed.
        ValueError: the file holds another schema.
    """
    _, pq = _pyarrow()
    table = pq.read_table(path)
    found = (table.schema.metadata or {}).get(b"schema", b"").decode()
    if found != SCHEMA:
        raise ValueError(f"{path} holds schema {found or 'unknown'}, this version reads {SCHEMA}")
    return tuple(msgspec.convert(row, Row) for row in table.to_pylist())
