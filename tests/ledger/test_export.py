"""Export: every field of every record comes back, a part at a time, whole or not at all."""

from __future__ import annotations

import csv
import tracemalloc
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any

import msgspec
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neocloud.ledger import export
from neocloud.ledger.export import FORMATS, export_csv, export_parquet
from neocloud.ledger.records import SCHEMA, UsageEvent
from neocloud.ledger.schema import ALLOCATION, ATTEMPTS, ENERGY, USAGE, RecordTable

from .events import START_NS, allocation, energy, usage

CASES = [
    (USAGE, [usage(n, tenant="Ü, \"x\"\n;") for n in range(7)]),
    (ALLOCATION, [allocation(1, 2), allocation(3, 4, busy_s=None), allocation(5, 6, tenant="=1")]),
    (ENERGY, [energy(1, 2), energy(2, 3, kwh=1e-9)]),
    (ATTEMPTS, []),
]  # fmt: skip


def from_csv(table: RecordTable[Any], path: Path) -> list[Any]:
    def value(text: str, column: Any) -> Any:
        if column.optional and not text:
            return None
        if column.kind is bool:
            return {"true": True, "false": False}[text]
        return column.kind(text)

    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == [column.name for column in table.columns]
    return [
        table.record(**{c.name: value(t, c) for c, t in zip(table.columns, row, strict=True)})
        for row in rows[1:]
    ]


@pytest.mark.parametrize(("table", "records"), CASES, ids=lambda x: getattr(x, "name", ""))
def test_all_comes_back(tmp_path, monkeypatch, table, records):
    monkeypatch.setattr(export, "ROWS", 3)
    assert export_csv(table, iter(records), tmp_path / "a.csv") == len(records)
    assert from_csv(table, tmp_path / "a.csv") == records
    assert export_parquet(table, iter(records), tmp_path / "a.parquet") == len(records)
    read = pq.read_table(tmp_path / "a.parquet")
    assert read.schema.metadata == {b"schema": SCHEMA.encode(), b"records": table.name.encode()}
    assert [msgspec.convert(row, dict) for row in read.to_pylist()] == [
        {k: str(v) if isinstance(v, StrEnum) else v for k, v in msgspec.structs.asdict(r).items()}
        for r in records
    ]
    assert {p.name for p in tmp_path.iterdir()} == {"a.csv", "a.parquet"}


@given(text=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r")))
def test_any_text_survives_csv(tmp_path_factory, text):
    out = tmp_path_factory.mktemp("text") / "a.csv"
    export_csv(USAGE, [usage(1, tenant=text)], out)
    (event,) = from_csv(USAGE, out)
    assert event.tenant == text


@pytest.mark.parametrize("form", FORMATS)
def test_a_file_that_was_there_stays_until_the_new_one_is_whole(tmp_path, form):
    out = tmp_path / "usage"
    out.write_text("old")

    def breaks() -> Iterator[UsageEvent]:
        yield usage(1)
        assert out.read_text() == "old"
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        FORMATS[form](USAGE, breaks(), out)
    assert [p.name for p in tmp_path.iterdir()] == ["usage"]
    assert out.read_text() == "old"
    assert FORMATS[form](USAGE, [usage(1)], out) == 1
    assert out.read_bytes() != b"old"
    with pytest.raises(OSError, match="No such file"):
        FORMATS[form](USAGE, [usage(1)], tmp_path / "none" / "usage")


@pytest.mark.parametrize("form", FORMATS)
def test_memory_does_not_grow_with_the_number_of_events(tmp_path, monkeypatch, form):
    monkeypatch.setattr(export, "ROWS", 500)
    FORMATS[form](USAGE, [usage(1)], tmp_path / "warm")

    def peak(count: int) -> int:
        tracemalloc.start()
        events = (usage(n, START_NS + n) for n in range(count))
        FORMATS[form](USAGE, events, tmp_path / "out")
        high = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return high

    assert peak(8000) < 2 * peak(2000)
