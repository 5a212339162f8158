"""The hourly table: the parts sum to the whole, and Parquet gives back what it took."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from neocloud.activity import (
    SCHEMA,
    MissingPyarrowError,
    Origin,
    Purpose,
    Row,
    Totals,
    group,
    read_parquet,
    total,
    write_parquet,
)

names = st.text(max_size=8)
counts = st.integers(0, 2**53)
amounts = st.floats(0, 1e15)

rows = st.builds(
    Row,
    source=st.sampled_from(Origin),
    hour_utc=st.integers(0, 2**62),
    site=names,
    pool=names,
    model=names,
    tenant=names,
    purpose=st.sampled_from(Purpose),
    emulated=st.booleans(),
    requests=counts,
    within_objective=counts,
    input_tokens=counts,
    cached_tokens=counts,
    output_tokens=counts,
    allocated_accelerator_s=amounts,
    busy_accelerator_s=amounts,
    energy_kwh=amounts,
)
WHOLE = ("requests", "within_objective", "input_tokens", "cached_tokens", "output_tokens")
FLOATS = ("allocated_accelerator_s", "busy_accelerator_s", "energy_kwh")


@given(st.lists(rows, max_size=20), st.sampled_from(["site", "pool", "model", "tenant", "purpose"]))
def test_the_parts_are_the_whole(listed: list[Row], by: str) -> None:
    whole = total(listed)
    parts = group(listed, lambda row: getattr(row, by))
    assert set(parts) == {getattr(row, by) for row in listed}
    for field in WHOLE:
        assert sum(getattr(part, field) for part in parts.values()) == getattr(whole, field)
    for field in FLOATS:
        summed = math.fsum(getattr(part, field) for part in parts.values())
        assert summed == pytest.approx(getattr(whole, field), rel=1e-12)


@given(st.lists(rows, max_size=20), st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(listed: list[Row], chance: object) -> None:
    shuffled = list(listed)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    assert total(shuffled) == total(listed)


def test_a_sum_by_hand() -> None:
    one = Row(
        source=Origin.METERED, hour_utc=0, site="a", pool="p", model="m", requests=2,
        within_objective=1, input_tokens=30, cached_tokens=10, output_tokens=5,
        allocated_accelerator_s=3600.0, busy_accelerator_s=900.0, energy_kwh=0.5,
    )  # fmt: skip
    two = Row(source=Origin.METERED, hour_utc=0, site="b", pool="p", model="m", input_tokens=7)
    assert total([one, two]) == Totals(
        requests=2, within_objective=1, input_tokens=37, cached_tokens=10, output_tokens=5,
        allocated_accelerator_s=3600.0, busy_accelerator_s=900.0, energy_kwh=0.5,
    )  # fmt: skip
    assert total([one]).tokens == 35, "cached tokens are among the input tokens"
    assert list(group([two, one, two], lambda row: row.site)) == ["b", "a"]
    assert total([]) == Totals()


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(rows, max_size=8))
def test_parquet_gives_back_what_it_took(tmp_path: Path, listed: list[Row]) -> None:
    path = tmp_path / "activity.parquet"
    write_parquet(listed, path)
    assert read_parquet(path) == tuple(listed)


def test_parquet_has_the_published_columns(tmp_path: Path) -> None:
    path = tmp_path / "activity.parquet"
    write_parquet([], path)
    schema = pq.read_schema(path)
    assert schema.metadata[b"schema"].decode() == SCHEMA
    assert schema.names == list(Row.__struct_fields__)
    assert schema.field("hour_utc").type == pa.int64()
    assert schema.field("energy_kwh").type == pa.float64()
    assert not any(field.nullable for field in schema)
    assert read_parquet(path) == ()


@pytest.mark.parametrize("metadata", [None, {"schema": "neocloud.activity/0"}])
def test_another_schema_is_refused(tmp_path: Path, metadata: dict[str, str] | None) -> None:
    path = tmp_path / "other.parquet"
    pq.write_table(pa.table({"a": [1]}).replace_schema_metadata(metadata), path)
    with pytest.raises(ValueError, match=f"this version reads {SCHEMA}"):
        read_parquet(path)


def test_without_pyarrow_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    for call in (lambda: write_parquet([], tmp_path / "a"), lambda: read_parquet(tmp_path / "a")):
        with pytest.raises(MissingPyarrowError, match=r"pip install 'neocloud\[parquet\]'"):
            call()
