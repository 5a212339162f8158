"""The report tells causes apart: a slow engine, another load, other lengths, on known ledgers."""

from __future__ import annotations

import math
from functools import cache
from pathlib import Path

import pytest

from neocloud.activity import Origin, Purpose, Row
from neocloud.books import (
    Comparison,
    Metered,
    NothingMeteredError,
    UnknownPlaceError,
    cost_of_row,
    draw_report,
    make_report,
    report_text,
)
from neocloud.books.board import page_of
from neocloud.books.side_by_side.records import CAUSES
from neocloud.units import HOUR_NS, Period

from .metering import CATALOG, Metering, event, small_cloud


@cache
def metered(factor: float, share: float = 1.0, streamed: bool = True) -> Metered:
    return Metering(factor, share=share, streamed=streamed).metered()


def report(of: Metered):
    return make_report(small_cloud(), CATALOG, Metering(1.0, seconds=1).plan, of)


def compared(factor: float, share: float = 1.0, streamed: bool = True) -> Comparison:
    (comparison,) = report(metered(factor, share, streamed)).models
    return comparison


@pytest.mark.parametrize("share", [0.3, 1.0, 1.6])
@pytest.mark.parametrize("factor", [0.8, 1.2])
def test_a_slow_or_fast_engine_is_found_at_any_load(factor: float, share: float):
    c = compared(factor, share)
    assert c.step_time_factor == pytest.approx(factor, abs=0.02)
    assert c.capacity_change == pytest.approx(1 / factor - 1, abs=0.02)
    assert c.findings[0].startswith("efficiency: steps took")
    assert f"{c.step_time_factor:.3f} times as long as modelled" in c.findings[0]


def test_unstreamed_answers_tell_it_too():
    assert compared(1.2, streamed=False).step_time_factor == pytest.approx(1.2, abs=0.02)


@pytest.mark.parametrize("share", [0.3, 1.0])
def test_an_engine_as_planned_is_called_so(share: float):
    c = compared(1.0, share)
    assert c.step_time_factor == pytest.approx(1.0, abs=0.005)
    assert c.findings[0].startswith("efficiency: as planned")
    assert c.metered.tpot_ms == pytest.approx(c.expected.tpot_ms, rel=0.005)


@pytest.mark.parametrize(("factor", "share"), [(1.0, 1.0), (1.2, 1.0), (1.0, 0.3), (0.8, 1.6)])
def test_the_bridge_goes_from_planned_to_metered_without_rest(factor: float, share: float):
    c = compared(factor, share)
    assert c.bridge is not None
    assert [step.cause for step in c.bridge.steps] == list(CAUSES)
    parts = sum(step.adds_pico for step in c.bridge.steps)
    assert c.bridge.start_pico + parts == c.bridge.end_pico
    assert c.bridge.start_pico / 1e12 == pytest.approx(c.planned.cost_per_mtok.total, rel=1e-9)
    assert c.bridge.end_pico / 1e12 == pytest.approx(c.metered.cost_per_mtok.total, rel=1e-9)


def test_the_metered_cost_is_that_of_the_rows():
    of = metered(1.2)
    (placement,) = Metering(1.0, seconds=1).plan.placements
    cost = math.fsum(cost_of_row(row, placement.rates).total for row in of.rows)
    tokens = sum(e.input_tokens + e.output_tokens for e in of.events)
    assert compared(1.2).metered.cost_per_mtok.total == pytest.approx(cost / tokens * 1e6)


def test_a_slow_engine_costs_its_factor_at_the_planned_load():
    slow, plain = compared(1.2), compared(1.0)
    found = float(slow.findings[0].split(": ")[2].split()[0])
    network = slow.metered.cost_per_mtok.network
    before = slow.cost_at_planned_load - found
    assert (slow.cost_at_planned_load - network) / (before - network) == pytest.approx(
        slow.step_time_factor, rel=1e-2
    )
    # Told in isolation: an engine as planned reaches what this one would have at modelled steps.
    assert plain.cost_at_planned_load == pytest.approx(before, rel=0.05)


def test_a_third_of_the_load_is_named_and_no_slow_engine():
    c = compared(1.0, 0.3)
    (load,) = [f for f in c.findings if f.startswith("utilisation:")]
    share = c.metered.requests_per_s / c.planned.requests_per_s
    assert share == pytest.approx(0.3, abs=0.06)
    assert f"({share:.1%} of the planned requests came)" in load
    assert c.metered.utilisation == pytest.approx(share * c.planned.utilisation, rel=0.2)
    assert c.bridge is not None
    assert max(c.bridge.steps, key=lambda step: abs(step.adds)).cause == "utilisation"


def test_the_text_says_what_it_rests_on():
    made = report(metered(1.2))
    text = report_text(made)
    for part in (
        "EMULATED", "Energy is modelled", "planned    expected     metered", "ttft, ms, p90",
        "metered, at the planned load", "By tier, USD", "difference 0 USD",
        "efficiency: steps took",
        f"{made.requests} requests in 120 s: {made.requests} completed",
    ):  # fmt: skip
        assert part in text


def test_the_picture_is_drawn(tmp_path: Path):
    for ending, head in ((".png", b"\x89PNG"), (".svg", b"<?xml")):
        path = tmp_path / f"report{ending}"
        draw_report(report(metered(1.2)), path)
        assert path.read_bytes().startswith(head)


def test_answers_without_tokens_tell_no_step_time():
    span = metered(1.0).period
    one = event(output_tokens=0, first_token_ns=0)
    of = Metered(period=span, rows=(), events=(one,), energy_modelled=False)
    (c,) = report(of).models
    assert c.step_time_factor is None
    assert c.bridge is None
    assert c.findings[0].startswith("efficiency: not known")
    assert " -" in report_text(report(of))


def test_a_period_in_which_accelerators_trained_and_nobody_asked_has_its_tiers():
    """No usage is no empty period: what was held for training costs and counts as used."""
    span = Period(metered(1.0).period.start_ns, metered(1.0).period.start_ns + HOUR_NS)
    training = Row(
        source=Origin.METERED, hour_utc=span.start_ns, site="ashburn", pool="h100-sxm", model="",
        tenant="acme", purpose=Purpose.TRAINING, allocated_accelerator_s=4 * 3600.0,
    )  # fmt: skip
    found = report(Metered(period=span, rows=(training,), events=(), energy_modelled=False))
    assert (found.requests, found.models) == (0, ())
    (hours,) = found.tiers.hours
    assert (hours.training, hours.idle) == (4, 4)
    assert found.tiers.identity.difference == 0
    text = report_text(found)
    assert "nothing was asked" in text
    assert "No request of the plan's models came" in text
    assert "models came, so nothing can be set beside the plan" in page_of(found)


def test_nothing_metered_and_places_unknown_are_told():
    of = metered(1.0)
    empty = Period(of.period.end_ns, of.period.end_ns + HOUR_NS)
    nothing = Metered(period=empty, rows=(), events=(), energy_modelled=False)
    with pytest.raises(NothingMeteredError, match="no usage in"):
        report(nothing)
    moved = Metering(1.0, seconds=2)
    moved.events = [event(site="frankfurt", pool="mi300x")]
    with pytest.raises(UnknownPlaceError, match="frankfurt/mi300x, which the plan does not use"):
        report(moved.metered())
