"""Every figure carries unit, source, date and grade; unknown names get the nearest right ones."""

from __future__ import annotations

import csv
import gzip
import io
import math
import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from zoneinfo import available_timezones

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import neocloud.catalog
from neocloud.catalog import (
    Catalog,
    CatalogError,
    Figure,
    Grade,
    MissingFigureError,
    load_catalog,
    nearest,
)

CATALOG = load_catalog()
DATA = Path(neocloud.catalog.__file__).parent / "data"
FIGURE_FILES = ["accelerator_figures.csv", "power_prices.csv", "odbl/carbon.csv"]
METROS = sorted(CATALOG.metros)
MARKETS = sorted(key for key, metro in CATALOG.metros.items() if metro.dc_market)


def rows(name: str) -> Iterator[dict[str, str]]:
    raw = (DATA / name).read_bytes()
    text = (gzip.decompress(raw) if name.endswith(".gz") else raw).decode()
    return csv.DictReader(io.StringIO(text))


@pytest.mark.parametrize("name", FIGURE_FILES)
def test_every_figure_has_unit_source_date_and_grade_or_says_why_not(name: str) -> None:
    found = list(rows(name))
    assert found
    for row in found:
        where = f"{name}: {row['key']} {row['field']}"
        assert row["source"] in CATALOG.sources, where
        if row["value"]:
            assert math.isfinite(float(row["value"])), where
            assert row["unit"], where
            assert re.fullmatch(r"\d{4}(-\d{2}){0,2}", row["date"]), where
            assert row["grade"] in {"measured", "published", "derived", "assumed"}, where
            assert row["grade"] not in {"derived", "assumed"} or row["note"], where
        else:
            assert row["grade"] == "unknown", where
            assert row["note"], f"{where}: say why it is not known"


def test_every_source_has_title_licence_date_and_is_used() -> None:
    used = {row["source"] for name in FIGURE_FILES for row in rows(name)}
    used |= {shape.source for shape in CATALOG.shapes.values()}
    used |= {place.source for place in CATALOG.provider_regions}
    used |= {CATALOG.trace(name).source for name in CATALOG.trace_names()}
    readme = (DATA / "README.md").read_text()
    for key, source in CATALOG.sources.items():
        assert source.title, key
        assert source.licence, key
        assert source.changed, key
        assert date.fromisoformat(f"{source.date}-01-01"[:10]).year >= 2000, key
        assert key in used or f"`{key}`" in readme or key == "none", f"{key} is not used"


def test_every_data_file_is_in_the_readme() -> None:
    readme = (DATA / "README.md").read_text()
    for path in DATA.rglob("*"):
        if path.is_file() and path.suffix in {".csv", ".gz", ".json"}:
            relative = path.relative_to(DATA)
            name = relative.name if len(relative.parts) == 1 else f"{relative.parts[0]}/"
            assert f"`{name}`" in readme, name
    for folder in ("odbl", "configs"):
        assert (DATA / folder / "NOTICE").read_text().strip()


def test_units_are_si_and_the_same_for_a_field() -> None:
    units: dict[str, set[str]] = {}
    for row in rows("accelerator_figures.csv"):
        if row["value"]:
            units.setdefault(row["field"], set()).add(row["unit"])
    assert units == {
        "memory_bytes": {"B"}, "memory_bytes_per_s": {"B/s"}, "scale_up_bytes_per_s": {"B/s"},
        "bf16_flops": {"FLOP/s"}, "fp8_flops": {"FLOP/s"}, "fp4_flops": {"FLOP/s"},
        "int8_flops": {"FLOP/s"}, "scale_out_bytes_per_s": {"B/s"}, "tdp_w": {"W"},
        "node_power_w": {"W"}, "all_in_power_w": {"W"}, "rack_power_w": {"W"}, "capex_usd": {"USD"},
    }  # fmt: skip


def test_an_h100_is_what_its_sheet_says() -> None:
    chip = CATALOG.accelerator("h100-sxm")
    assert chip.memory_bytes.value == 80e9
    assert chip.flops["bf16"].known("bf16") == pytest.approx(989e12, rel=0.01)
    assert chip.flops["fp8"].known("fp8") == pytest.approx(1979e12, rel=0.01)
    assert chip.flops["fp4"].value is None
    assert chip.tdp_w.value == 700
    assert chip.node_power_w.value == 10_200
    assert chip.memory_bytes_per_s.known("bandwidth") == pytest.approx(3.35e12, rel=0.01)
    assert not chip.full_mesh
    assert CATALOG.accelerator("mi300x").full_mesh


@pytest.mark.parametrize("key", sorted(CATALOG.accelerators))
def test_accelerators_hang_together(key: str) -> None:
    chip = CATALOG.accelerator(key)
    assert chip.key == key
    assert chip.scale_up_domain >= 1
    if chip.tdp_w.value is not None and chip.node_power_w.value is not None:
        assert chip.node_power_w.value >= chip.tdp_w.value * chip.node_accelerators
    rates = [chip.flops[name].value for name in ("bf16", "fp8", "fp4")]
    known = [rate for rate in rates if rate is not None]
    assert known == sorted(known), "a coarser format is not slower"


def test_an_unknown_figure_is_an_error_with_its_reason() -> None:
    figure = CATALOG.accelerator("a100-sxm-80gb").flops["fp8"]
    with pytest.raises(MissingFigureError, match=r"fp8 of an A100 is not known \(the accelerator"):
        figure.known("fp8 of an A100")
    known = Figure(value=1.5, unit="W", source="x", date="2026", grade=Grade.MEASURED)
    assert known.known("it") == 1.5


@pytest.mark.parametrize(
    ("look_up", "near"),
    [
        (lambda c: c.accelerator("h100"), "h100-sxm"),
        (lambda c: c.accelerator("MI300x"), "mi300x"),
        (lambda c: c.metro("frankfort"), "frankfurt"),
        (lambda c: c.architecture("openai/gpt-oss-12b"), "openai/gpt-oss-120b"),
        (lambda c: c.architecture("gpt-oss-20b"), "openai/gpt-oss-20b"),
        (lambda c: c.shape("servgen-mid"), "servegen-mid"),
        (lambda c: c.trace("azure"), "azure-conv"),
        (lambda c: c.round_trip("new-yrok", "frankfurt"), "new-york"),
        (lambda c: c.power("hamburg"), "copenhagen"),
    ],
)
def test_unknown_names_get_the_nearest_right_ones(look_up: object, near: str) -> None:
    with pytest.raises(CatalogError) as caught:
        look_up(CATALOG)  # type: ignore[operator]
    assert near in caught.value.nearest
    assert near in str(caught.value)


def test_a_name_like_nothing_gets_some_known_ones() -> None:
    with pytest.raises(CatalogError, match="known: a100-sxm-40gb, a100-sxm-80gb") as caught:
        CATALOG.accelerator("qqq")
    assert caught.value.nearest == ()


@given(st.text(max_size=20))
def test_nearest_names_are_known_ones_without_repetition(wanted: str) -> None:
    found = nearest(wanted, CATALOG.metros)
    assert len(found) == len(set(found)) <= 3
    assert set(found) <= set(METROS)


@given(st.sampled_from(METROS))
def test_the_nearest_name_of_a_name_is_itself(key: str) -> None:
    assert nearest(key, CATALOG.metros)[0] == key
    assert nearest(key.upper(), CATALOG.metros)[0] == key


def test_metros_carry_what_demand_and_distance_need() -> None:
    assert len(CATALOG.metros) == 332
    assert len(MARKETS) == 65
    zones = available_timezones()
    for metro in CATALOG.metros.values():
        assert -90 <= metro.latitude <= 90
        assert -180 <= metro.longitude <= 180
        assert re.fullmatch(r"[A-Z]{2}", metro.country)
        assert metro.internet_users >= 0
        assert metro.zone in zones, metro.key


def test_markets_are_sorted_by_distance() -> None:
    assert CATALOG.nearest_markets("frankfurt")[0] == "frankfurt"
    assert set(CATALOG.nearest_markets("philadelphia", 4)) <= set(MARKETS)
    assert "new-york" in CATALOG.nearest_markets("philadelphia", 2)


@pytest.mark.parametrize("metro", MARKETS)
def test_power_of_every_market(metro: str) -> None:
    power = CATALOG.power(metro)
    assert 0 < power.carbon_g_per_kwh.known("carbon") < 1500
    assert power.carbon_zone
    if power.price_per_mwh.value is None:
        assert power.currency == ""
        assert power.price_per_mwh.grade is Grade.UNKNOWN
    else:
        assert power.currency in {"USD", "EUR"}
        assert 20 < power.price_per_mwh.value < 300


@pytest.mark.parametrize(
    ("key", "count", "mean_in", "mean_out"),
    [("azure-conv", 19_366, 1154.7, 211.1), ("azure-code", 8_819, 2047.8, 27.9)],
)
def test_traces_are_those_of_the_paper(
    key: str, count: int, mean_in: float, mean_out: float
) -> None:
    trace = CATALOG.trace(key)
    assert len(trace.arrival_s) == len(trace.input_tokens) == len(trace.output_tokens) == count
    assert trace.mean_input() == pytest.approx(mean_in, abs=0.1)
    assert trace.mean_output() == pytest.approx(mean_out, abs=0.1)
    assert np.all(np.diff(trace.arrival_s) >= 0)
    assert trace.arrival_s[0] >= 0
    with pytest.raises(ValueError, match="read-only"):
        trace.input_tokens[0] = 1


def test_shapes_have_mean_one() -> None:
    assert CATALOG.shape("flat").by_local_hour == (1.0,) * 24
    for shape in CATALOG.shapes.values():
        assert len(shape.by_local_hour) == 24
        assert sum(shape.by_local_hour) / 24 == pytest.approx(1, abs=1e-12)
        assert min(shape.by_local_hour) > 0


def test_the_hash_is_stable_and_looks_at_content() -> None:
    assert re.fullmatch(r"[0-9a-f]{16}", CATALOG.content_hash)
    assert Catalog().content_hash == CATALOG.content_hash


def test_the_catalog_is_read_once() -> None:
    assert load_catalog() is CATALOG
