"""Cases worked by hand: tiers at their bounds, months and days of UTC, adjustments, versions."""

from __future__ import annotations

import pytest
from tests.books.metering import event
from tests.books.priced import PLAIN, book

from neocloud.books.prices import Meter, PriceBook
from neocloud.books.rating import rate, total_pico
from neocloud.ledger import Status
from neocloud.units import parse_utc

MTOK = 1_000_000
TIERS = "tiers: [{above_mtok: 1, input: 2, output: 2}, {above_mtok: 3, input: 1, output: 1}]"
GRADUATED = book(f"{{input: 5, output: 5, {TIERS}}}")
VOLUME = book(f"{{input: 5, output: 5, tiering: volume, {TIERS}}}")


def at(text: str, **changes: object):
    """A request that was admitted then, of a million output tokens unless said otherwise."""
    values = {"input_tokens": 0, "output_tokens": MTOK, "admitted_ns": parse_utc(text)}
    return event(0, **{**values, **changes})


def dollars(of: PriceBook, *events) -> float:
    """What it all costs, in millionths of a dollar."""
    pico = total_pico(rate(of, events).lines).get("USD", 0)
    assert pico % 10**6 == 0
    return pico / 10**12


@pytest.mark.parametrize(
    ("tokens", "by_tier"),
    [
        (1, {0: 1}),
        (MTOK - 1, {0: MTOK - 1}),
        (MTOK, {0: MTOK}),
        (MTOK + 1, {0: MTOK, 1: 1}),
        (3 * MTOK, {0: MTOK, 1: 2 * MTOK}),
        (3 * MTOK + 1, {0: MTOK, 1: 2 * MTOK, 2: 1}),
        (10 * MTOK, {0: MTOK, 1: 2 * MTOK, 2: 7 * MTOK}),
    ],
)
def test_a_graduated_tier_ends_exactly_at_its_bound(tokens: int, by_tier: dict[int, int]):
    lines = rate(GRADUATED, [at("2026-10-05", output_tokens=tokens)]).lines
    assert {line.tier: line.quantity for line in lines} == by_tier
    assert sum(line.pico for line in lines) == sum(
        quantity * (5, 2, 1)[tier] * MTOK for tier, quantity in by_tier.items()
    )


@pytest.mark.parametrize(
    ("tokens", "tier"), [(MTOK, 0), (MTOK + 1, 1), (3 * MTOK, 1), (3 * MTOK + 1, 2)]
)
def test_a_volume_tier_prices_all_tokens_once_it_is_reached(tokens: int, tier: int):
    (line,) = rate(VOLUME, [at("2026-10-05", output_tokens=tokens)]).lines
    assert (line.tier, line.quantity) == (tier, tokens)
    assert line.pico == tokens * (5, 2, 1)[tier] * MTOK


def test_a_tier_is_crossed_inside_a_request_and_by_many():
    # 0.6 + 0.6 million: 1 at 5 and 0.2 at 2.
    two = [at("2026-10-05", output_tokens=600_000), at("2026-10-09", output_tokens=600_000)]
    assert dollars(GRADUATED, *two) == 5 + 0.4


def test_each_meter_and_tenant_has_tiers_of_its_own():
    mine = at("2026-10-05", input_tokens=MTOK)
    assert dollars(GRADUATED, mine) == 10, "a million in, a million out: both in the first tier"
    assert dollars(GRADUATED, mine, at("2026-10-05", tenant="rhein")) == 15


@pytest.mark.parametrize(
    ("last", "first"),
    [
        ("2026-10-31T23:59:59.999999", "2026-11-01"),
        ("2027-02-28T23:59:59.999999", "2027-03-01"),
        ("2028-02-29T23:59:59.999999", "2028-03-01"),
        ("2026-12-31T23:59:59.999999", "2027-01-01"),
        # In Auckland it is the first of November already, in Honolulu still October.
        ("2026-10-31T23:59:59.999999", "2026-11-01T00:00:00+00:00"),
        ("2026-11-01T12:59:59+13:00", "2026-10-31T14:00:00-10:00"),
    ],
)
def test_tiers_begin_anew_with_each_month_of_utc(last: str, first: str):
    assert dollars(GRADUATED, at(last), at(first)) == 10
    assert dollars(GRADUATED, at(last), at(last)) == 7


def test_the_leap_day_is_of_february():
    lines = rate(GRADUATED, [at("2028-02-29T12:00"), at("2028-02-28T12:00")]).lines
    assert {line.month for line in lines} == {"2028-02"}


def test_a_later_price_holds_from_midnight_on_and_tiers_go_on():
    changed = book(
        f"{{input: 5, output: 5, {TIERS}, changes: [{{from: 2026-10-15, input: 4, output: 4, "
        "tiers: [{above_mtok: 1.5, input: 3, output: 3}]}]}"
    )
    before, after = at("2026-10-14T23:59:59.999999"), at("2026-10-15T00:00:00")
    assert dollars(changed, before) == 5
    assert dollars(changed, after) == 4
    # The month's second million: half below the new bound of 1.5 million, half above it.
    assert dollars(changed, before, after) == 5 + 2 + 1.5
    assert dollars(changed, after, before) == 5 + 2 + 1.5
    assert [line.since_ns for line in rate(changed, [before, after]).lines] == [
        0, parse_utc("2026-10-15"), parse_utc("2026-10-15"),
    ]  # fmt: skip


def test_the_version_that_was_used_first_fills_the_first_tier_whatever_comes_in_first():
    old, new = GRADUATED.current, book(f"{{input: 4, output: 4, {TIERS}}}").current
    of = PriceBook(current=new, kept={old.id: old})
    late, first = (at(f"2026-10-05T{hour}", price_version=old.id) for hour in ("10:00", "05:00"))
    between = at("2026-10-05T08:00", price_version=new.id)
    # Of the old: one million at 5, one at 2; then one of the new at 2.
    for events in ((late, between, first), (first, between, late), (between, late, first)):
        assert dollars(of, *events) == 9
    assert dollars(of, late, between) == 4 + 2, "without the first the new was used first"


OFF_PEAK = "pricing: {adjustments: [{name: off-peak, change: -0.4, hours_utc: 22-6}]}\n"


@pytest.mark.parametrize(
    ("moment", "cheap"),
    [
        ("2026-10-05T21:59:59.999999", False), ("2026-10-05T22:00", True),
        ("2026-10-06T05:59:59.999999", True), ("2026-10-06T06:00", False),
        # The clocks of Berlin go back in that night; those of UTC do not.
        ("2026-10-25T02:30+02:00", True), ("2026-10-25T02:30+01:00", True),
        ("2026-10-25T07:30+01:00", False),
    ],
)  # fmt: skip
def test_off_peak_hours_are_of_utc(moment: str, cheap: bool):
    (line,) = rate(book("{input: 1, output: 1}", OFF_PEAK), [at(moment)]).lines
    assert line.adjustments == (("off-peak",) if cheap else ())
    assert line.pico == (600_000 if cheap else 1_000_000) * MTOK


def test_factors_are_multiplied_and_conditions_all_hold():
    more = """\
pricing:
  adjustments:
    - {name: batch, change: -0.5, apis: batch}
    - {name: priority, change: 0.2, priorities: high}
    - {name: fast, change: 0.5, pools: ashburn/h100-sxm, models: llama}
    - {name: elsewhere, change: 9, sites: ashburn, tenants: rhein}
"""
    of = PriceBook(current=book("{input: 1, output: 1}", more).current)
    assert dollars(of, at("2026-10-05", api="batch", pool="other")) == 0.5
    assert dollars(of, at("2026-10-05", api="batch")) == 0.75
    assert dollars(of, at("2026-10-05", pool="other")) == 1
    assert dollars(of, at("2026-10-05", tenant="rhein", pool="other")) == 10
    urgent = dict(of.current.priorities) | {"acme": "high"}
    high = type(of.current)(
        currency="USD", billed=of.current.billed, models=of.current.models,
        adjustments=of.current.adjustments, priorities=urgent,
    )  # fmt: skip
    assert dollars(PriceBook(current=high), at("2026-10-05", api="batch")) == 0.9


def test_work_of_a_key_has_a_price_of_its_own_and_fills_the_same_tiers():
    more = "pricing: {adjustments: [{name: batch, change: -0.5, keys: [0a1b2c3d4e5f]}]}\n"
    of = book("{input: 4, output: 4, tiers: [{above_mtok: 1, input: 2, output: 2}]}", more)
    batch, live = at("2026-10-05", key_id="0a1b2c3d4e5f"), at("2026-10-05", key_id="ffff")
    assert (dollars(of, batch), dollars(of, live)) == (2, 4)
    # A million of each: the batch's at half of 4, then the other's at 2.
    lines = rate(of, [live, batch]).lines
    assert [(line.adjustments, line.tier) for line in lines] == [((), 1), (("batch",), 0)]
    assert dollars(of, live, batch) == dollars(of, batch, live) == 4


def test_a_service_tier_has_a_price_of_its_own():
    more = (
        "pricing: {adjustments: [{name: may-wait, change: -0.5, service_tiers: [flex, batch]}, "
        "{name: urgent, change: 0.75, service_tiers: priority}]}\n"
    )
    of = book("{input: 4, output: 4}", more)
    tiers = ("default", "flex", "batch", "priority", "unknown")
    assert [dollars(of, at("2026-10-05", service_tier=tier)) for tier in tiers] == [4, 2, 2, 7, 4]
    line = rate(of, [at("2026-10-05", service_tier="flex")]).lines[0]
    assert line.adjustments == ("may-wait",)


def test_the_most_discounted_tokens_fill_the_dear_tier():
    of = book(
        "{input: 5, output: 5, tiers: [{above_mtok: 1, input: 2, output: 2}]}",
        OFF_PEAK.replace("-0.4", "-0.5"),
    )
    day, night = at("2026-10-05T12:00"), at("2026-10-05T23:00")
    # The night's million at half of 5, the day's at 2: whichever came first.
    assert dollars(of, day, night) == dollars(of, night, day) == 2.5 + 2


def test_reasoning_is_output_unless_it_has_a_price():
    thought = at("2026-10-05", reasoning_tokens=400_000)
    (plain,) = rate(book("{input: 1, output: 1}"), [thought]).lines
    assert (plain.meter, plain.quantity) == (Meter.OUTPUT, MTOK)
    apart = rate(book("{input: 1, output: 1, reasoning: 0.5}"), [thought]).lines
    assert {(line.meter, line.quantity, line.pico) for line in apart} == {
        (Meter.OUTPUT, 600_000, 600_000 * MTOK),
        (Meter.REASONING, 400_000, 200_000 * MTOK),
    }


def test_an_event_is_rated_at_the_version_it_was_admitted_under():
    old, new = book("{input: 1, output: 1}").current, book("{input: 2, output: 2}").current
    events = [at("2026-10-05", price_version=v) for v in (old.id, new.id, "", "lost")]
    rated = rate(PriceBook(current=new, kept={old.id: old}), events)
    assert total_pico(rated.lines) == {"USD": 7 * 10**12}
    assert [count.repriced for count in rated.requests] == [1], "the lost one, and it is told"
    assert {line.version for line in rated.lines} == {old.id, new.id}


@pytest.mark.parametrize("billed", [["completed"], ["aborted", "failed", "interrupted"]])
def test_the_plan_says_which_statuses_are_billed(billed: list[str]):
    of = book(PLAIN, f"pricing: {{billed: {billed}}}\n")
    for status in Status:
        lines = rate(of, [at("2026-10-05", status=status)]).lines
        assert {line.billed for line in lines} == {status.value in billed}
        assert all(bool(line.pico) == line.billed for line in lines)
