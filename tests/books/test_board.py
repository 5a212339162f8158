"""The page: whole, self-contained, and drawn to the report's own numbers."""

from __future__ import annotations

import re
from functools import cache
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neocloud.books import make_report
from neocloud.books.board import page_of, write_page
from neocloud.books.board.charts import (
    COLOURS,
    WIDTH,
    Bar,
    Column,
    bars,
    paired,
    stacks,
    stepped,
    ticks,
)
from neocloud.books.board.pictures import trend_picture
from neocloud.books.side_by_side.figures import figure, tier_quantity, time_span
from neocloud.units import parse_period

from .metering import CATALOG, Metering, small_cloud, small_plan

_EMPTY = {"meta"}


class Seen(HTMLParser):
    """Which elements a page opens and closes, with their attributes, and its text."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.text = ""

    def handle_starttag(self, tag, attrs):
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in _EMPTY:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


@cache
def report():
    return make_report(
        small_cloud(), CATALOG, small_plan(), Metering(1.2, seconds=20.0).metered(), None
    )


def seen(page: str) -> Seen:
    found = Seen()
    found.feed(page)
    found.close()
    assert found.open == []
    return found


def test_the_page_is_whole_and_asks_for_nothing_else():
    page = page_of(report())
    found = seen(page)
    tags = {tag for tag, _, _ in found.attributes}
    assert not tags & {"script", "link", "img", "iframe", "object", "a"}
    assert not {name for _, name, _ in found.attributes} & {"src", "href", "xlink:href", "onload"}
    assert not re.search(r"https?://|url\(|@import", page)
    assert "default-src 'none'" in page
    assert page == page_of(report())


def test_the_page_tells_what_a_board_asks():
    found = seen(page_of(report()))
    t = report().tiers
    for part in (
        "EMULATED", "Energy is modelled", "From power to tokens", "difference 0", "goodput",
        "depreciation", "idle", "Planned, simulated and metered", "efficiency",
        "revenue at list prices", "CO2 for a million tokens", "providers of the catalog",
        "Nothing simulated was given", f"{t.tiers[-1].revenue:,.5f} USD",
        f"{t.utilisation.used:.1%}", "ashburn / llama / acme",
    ):  # fmt: skip
        assert part in " ".join(found.text.split()), part


def test_names_of_the_file_cannot_break_the_page(tmp_path: Path):
    spoilt = msgspec.structs.replace(report(), cloud="<script>alert('x')</script>&")
    path = tmp_path / "report.html"
    write_page(spoilt, path)
    page = path.read_text()
    assert "<script" not in page
    assert "<script>alert('x')</script>&" in seen(page).text


def rectangles(svg: str) -> list[dict[str, float]]:
    """Place and size of each bar of a picture."""
    found = []
    for inside in re.findall(r"<rect ([^>]*)>", svg):
        values = dict(re.findall(r'(\S+)="([^"]*)"', inside))
        found.append({name: float(values[name]) for name in ("x", "y", "width", "height")})
    return found


def bar(since: float, to: float) -> Bar:
    return Bar(label="a", since=since, to=to, colour="level", text="")


@given(st.lists(st.floats(-1e6, 1e6).filter(lambda v: abs(v) > 1.0), min_size=1, max_size=8))
def test_bars_are_as_long_as_their_amounts(amounts):
    drawn = rectangles(bars([bar(0.0, amount) for amount in amounts], "t", "USD"))
    longest = max(abs(amount) for amount in amounts)
    scale = max(r["height"] for r in drawn) / longest
    for amount, r in zip(amounts, drawn, strict=True):
        assert r["height"] == pytest.approx(max(abs(amount) * scale, 1.0), abs=0.02)


@given(st.floats(0.1, 100), st.lists(st.floats(-0.04, 1000), min_size=1, max_size=5))
def test_a_waterfall_goes_on_where_it_stopped(start, adds):
    steps, level = [], start
    for add in adds:
        after = max(level + add, 0.01)
        steps.append(bar(level, after))
        level = after
    drawn = rectangles(stepped(bar(0.0, start), steps, bar(0.0, level), "t", "USD"))
    levels = [start, *(step.to for step in steps)]
    for before, after, r in zip(levels[:-1], levels[1:], drawn[1:-1], strict=True):
        if r["height"] > 1.01:
            top = r["y"] if after > before else r["y"] + r["height"]
            assert (after > before) == (top == r["y"])
    assert drawn[-1]["y"] >= 0.0
    assert all(0.0 <= r["y"] <= r["y"] + r["height"] <= 280.0 for r in drawn)


def test_stacks_are_shares_of_the_longest_row():
    parts = [("a", "power", 1.0), ("b", "token", 3.0)]
    drawn = rectangles(stacks([("one", parts), ("two", [("c", "idle", 2.0)])], "t"))
    assert drawn[1]["width"] == pytest.approx(3 * drawn[0]["width"], abs=0.05)
    assert drawn[2]["width"] == pytest.approx(2 * drawn[0]["width"], abs=0.05)
    assert drawn[1]["x"] == pytest.approx(drawn[0]["x"] + drawn[0]["width"], abs=0.11)


def test_an_axis_of_almost_nothing_has_one_tick():
    assert ticks(0.0, 5e-324, logarithmic=False) == [0.0]
    column = Column(label="a", parts=(("power", 5e-324),), beside=("earned", 0.0))
    assert paired([column], "t", "USD").count("<line") == 1


@given(st.floats(-1e9, 1e9), st.floats(1e-6, 1e9))
def test_ticks_are_few_and_within(low, width):
    found = ticks(low, low + width, logarithmic=False)
    slack = 1e-9 * max(abs(low), abs(low + width))
    assert all(low - slack <= tick <= low + width + slack for tick in found)
    assert len(found) <= 6


def test_every_colour_that_is_drawn_is_there():
    assert all(re.fullmatch(r"#[0-9a-f]{6}", colour) for colour in COLOURS.values())


@given(
    st.lists(
        st.tuples(st.floats(0, 1e6), st.floats(0, 1e6), st.floats(-1e6, 1e6)),
        min_size=1, max_size=40,
    )
)  # fmt: skip
def test_columns_along_time_are_as_high_as_their_parts(values):
    columns = [
        Column(label=f"2026-10-{n:02}", parts=(("power", a), ("token", b)), beside=("earned", c))
        for n, (a, b, c) in enumerate(values)
    ]
    drawn = rectangles(paired(columns, "t", "USD"))
    sizes = [abs(size) for value in values for size in value]
    whole = max(max(a + b, c, 0.0) for a, b, c in values) - min(0.0, *(c for *_, c in values))
    heights = [230.0 * size / (whole or 1.0) for size in sizes]
    assert sum(r["height"] for r in drawn) == pytest.approx(sum(heights), abs=0.01 * len(sizes))
    assert all(0.0 <= r["x"] <= r["x"] + r["width"] <= WIDTH for r in drawn)


def test_labels_along_time_do_not_run_into_each_other():
    columns = [
        Column(label=f"2026-10-{n:02}", parts=(("power", 1.0),), beside=("earned", 1.0))
        for n in range(1, 32)
    ]
    svg = paired(columns, "t", "USD")
    places = [float(x) for x in re.findall(r'x="([\d.]+)" y="[\d.]+">2026-10', svg)]
    assert len(places) > 5
    assert all(b - a > 10 * 6.0 for a, b in pairwise(places))


def test_the_course_of_a_month_is_drawn_day_by_day():
    of = Metering(1.0, seconds=20.0).metered()
    month = msgspec.structs.replace(of, period=parse_period("2026-10"))
    found = make_report(small_cloud(), CATALOG, small_plan(), month, None).tiers
    assert "by day (UTC)" in trend_picture(found)
    # 31 days of costs, and revenue of one of them.
    drawn = trend_picture(found).partition("</svg>")[0]
    assert len([r for r in rectangles(drawn) if r["height"] > 0]) >= 32
    assert trend_picture(report().tiers) == ""


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"), (8.036e-05, "0.000080"), (3e-9, "<0.000001"), (-3e-9, ">-0.000001"),
        (0.5, "0.500"), (1234567.8, "1,234,568"), (12.345, "12.3"), (-0.0451, "-0.0451"),
    ],
)  # fmt: skip
def test_numbers_have_some_digits_and_no_powers_of_ten(value, text):
    assert figure(value) == text


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (8.036e-05, "MWh", "80.36 Wh"), (0.5, "MWh", "500.0 kWh"), (2500.0, "MWh", "2.500 GWh"),
        (0.1382, "accelerator-hours", "8.292 accelerator-minutes"),
        (5760.0, "accelerator-hours", "5,760 accelerator-hours"),
        (0.645329, "Mtok", "645,329 tokens"), (0.0, "Mtok", "0 tokens"),
        (71.39, "Mtok", "71.39 Mtok"),
    ],
)  # fmt: skip
def test_what_a_tier_made_is_told_in_the_unit_that_suits(value, unit, text):
    assert tier_quantity(value, unit) == text


@given(st.floats(-1e9, 1e9).filter(lambda v: abs(v) >= 5e-7), st.integers(2, 5))
def test_a_figure_is_as_near_as_its_digits(value, digits):
    shown = float(figure(value, digits).replace(",", ""))
    assert abs(shown - value) <= max(abs(value) * 10.0 ** (1 - digits), 5.1e-7)
    assert "e" not in figure(value, digits)


@pytest.mark.parametrize(
    ("period", "text"),
    [
        ("2026-10-01T00:00:00Z/2026-11-01T00:00:00Z", "2026-10-01 to 2026-11-01 (UTC)"),
        ("2026-10-05T13:00:00Z/2026-10-05T13:00:20Z", "2026-10-05, 13:00:00 to 13:00:20 (UTC)"),
        ("2026-10-05T13:00:00Z/2026-10-06T13:00:00Z",
         "2026-10-05 13:00:00 to 2026-10-06 13:00:00 (UTC)"),
    ],
)  # fmt: skip
def test_periods_are_told_as_days_where_they_are(period, text):
    assert time_span(period) == text
