"""Tokens that contracts cover, and accelerator-time: by contract, without, or without a price."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.books.metering import event
from tests.books.priced import book, terms

from neocloud.books.prices import Meter
from neocloud.books.rating import Tally, UnpricedHoursError, amount_of, rate
from neocloud.ledger import AllocationEvent
from neocloud.units import HOUR_NS, Period, parse_period, parse_utc

MTOK = 1_000_000
BOOK = book("{input: 1, cached_input: 0.1, output: 4}")
RATE = """\
contracts:
  - {name: held, tenant: acme, kind: provisioned, model: llama, tokens_per_s: 100,
     start: 2026-10-01, term_months: 1, price: 0.5}
"""


def used(text: str, read: int = 0, written: int = 0, **changes: object):
    return event(
        0, admitted_ns=parse_utc(text), input_tokens=read, output_tokens=written, **changes
    )


def shown(lines):
    return [(x.contract, x.meter, x.quantity, x.unit_pico) for x in lines]


def test_a_rate_covers_the_dearest_tokens_of_each_hour_and_the_rest_is_at_list_price():
    # 360,000 tokens an hour: all 300,000 out, 60,000 of those in; use it or lose it.
    events = [
        used("2026-10-05T10:10", 100_000, 200_000),
        used("2026-10-05T10:50", 100_000, 100_000),
        used("2026-10-05T11:00", 360_000),
    ]
    lines = rate(BOOK, events, contracts=terms(RATE)).lines
    assert shown(lines) == [
        ("", Meter.INPUT, 140_000, 1_000_000),
        ("held", Meter.INPUT, 420_000, 500_000),
        ("held", Meter.OUTPUT, 300_000, 500_000),
    ]


@pytest.mark.parametrize(
    ("moment", "covered"),
    [("2026-09-30T23:59:59", False), ("2026-10-01", True), ("2026-10-31T23:59", True),
     ("2026-11-01", False)],
)  # fmt: skip
def test_a_rate_is_held_within_its_term(moment: str, covered: bool):
    (line,) = rate(BOOK, [used(moment, 10)], contracts=terms(RATE)).lines
    assert line.contract == ("held" if covered else "")


def test_a_rate_is_for_its_tenant_model_and_sites():
    here = RATE.replace("price: 0.5", "price: 0.5, sites: [ashburn]")
    (yes,) = rate(BOOK, [used("2026-10-05", 10)], contracts=terms(here)).lines
    (no,) = rate(BOOK, [used("2026-10-05", 10, site="")], contracts=terms(here)).lines
    (other,) = rate(BOOK, [used("2026-10-05", 10, tenant="rhein")], contracts=terms(here)).lines
    assert (yes.contract, no.contract, other.contract) == ("held", "", "")


def test_what_a_rate_covers_fills_no_tier():
    of = book("{input: 1, output: 1, tiers: [{above_mtok: 1, input: 0.5, output: 0.5}]}")
    lines = rate(of, [used("2026-10-05", 1_360_001)], contracts=terms(RATE)).lines
    assert [(x.contract, x.tier, x.quantity) for x in lines] == [
        ("", 0, MTOK), ("", 1, 1), ("held", 0, 360_000),
    ]  # fmt: skip


def test_a_dedicated_endpoint_has_no_price_of_tokens():
    own = RATE.replace("provisioned", "dedicated").replace("tokens_per_s: 100", "accelerators: 8")
    events = [used("2026-10-05", 10, 10), used("2026-11-05", 10)]
    lines = rate(BOOK, events, contracts=terms(own)).lines
    assert shown(lines) == [
        ("held", Meter.INPUT, 10, 0),
        ("", Meter.INPUT, 10, 1_000_000),
        ("held", Meter.OUTPUT, 10, 0),
    ]


_uses = st.lists(
    st.tuples(st.integers(0, 5), st.integers(0, 400_000), st.integers(0, 400_000)), max_size=12
)


@given(_uses, st.randoms(use_true_random=False))
def test_covered_or_not_no_token_is_lost_and_no_order_matters(uses, chance):
    contracts = terms(RATE)
    events = [used(f"2026-10-05T0{hour}:30", a, b) for hour, a, b in uses]
    whole = rate(BOOK, events, contracts=contracts)
    assert sum(line.quantity for line in whole.lines) == sum(a + b for _, a, b in uses)
    for hour in range(6):
        asked = sum(a + b for h, a, b in uses if h == hour)
        alone = [e for e, (h, _, _) in zip(events, uses, strict=True) if h == hour]
        lines = rate(BOOK, alone, contracts=contracts).lines
        held = sum(line.quantity for line in lines if line.contract)
        assert held == min(asked, 360_000), "no hour takes what another left"
    parts = Tally(BOOK, contracts), Tally(BOOK, contracts)
    chance.shuffle(events)
    for e in events:
        chance.choice(parts).add([e])
    parts[0].merge(parts[1])
    assert parts[0].rated() == whole


def held(start: str, end: str, accelerators: int = 8, **changes: object) -> AllocationEvent:
    values: dict[str, object] = {
        "event_id": f"{start}", "start_ns": parse_utc(start), "end_ns": parse_utc(end),
        "site": "ashburn", "pool": "h100-sxm", "model": "", "tenant": "acme", "holder": "acme/1",
        "accelerator": "h100-sxm", "accelerators": accelerators, "purpose": "training",
        "busy_s": None, "emulated": False,
    }  # fmt: skip
    return AllocationEvent(**{**values, **changes})  # type: ignore[arg-type]


HOURS = book(
    "{input: 1, output: 1}",
    "pricing: {accelerator_hours: [{accelerator: h100-sxm, price: 3}, "
    "{accelerator: h100-sxm, price: 2, from: 2026-11-01}]}\n",
)
RESERVED = """\
contracts:
  - {name: big, tenant: acme, accelerators: 8, start: 2026-10-10, term_months: 2, price: 2.5,
     currency: EUR, price_steps: [{date: 2026-10-20, price: 2.25}]}
"""


def hours(lines):
    return [(x.contract, x.month, x.quantity / HOUR_NS, x.pico / 10**12) for x in lines]


def test_time_held_without_a_contract_is_cut_at_months_and_prices():
    lines = rate(HOURS, [], [held("2026-10-31T12:00", "2026-11-01T06:00")]).lines
    assert hours(lines) == [("", "2026-10", 96, 288), ("", "2026-11", 48, 96)]
    period = parse_period("2026-10")
    assert hours(rate(HOURS, [], [held("2026-10-31T12:00", "2026-11-01T06:00")], period).lines) == [
        ("", "2026-10", 96, 288)
    ]


def test_february_has_a_day_more_in_a_leap_year():
    for year, days in ((2027, 28), (2028, 29)):
        (line,) = rate(HOURS, [], [held(f"{year}-02-01", f"{year}-03-01", 1)]).lines
        assert hours([line]) == [("", f"{year}-02", 24 * days, 48 * days)]


def test_time_held_by_contract_has_its_price_its_steps_and_its_currency():
    span = held("2026-10-19", "2026-10-21", holder="ashburn/h100-sxm/contract/big")
    lines = rate(HOURS, [], [span], contracts=terms(RESERVED)).lines
    assert hours(lines) == [("big", "2026-10", 192, 480), ("big", "2026-10", 192, 432)]
    assert {line.currency for line in lines} == {"EUR"}
    early = held("2026-10-09", "2026-10-11", holder="ashburn/h100-sxm/contract/big")
    lines = rate(HOURS, [], [early], contracts=terms(RESERVED)).lines
    assert hours(lines) == [("", "2026-10", 192, 576), ("big", "2026-10", 192, 480)]


def test_another_tenants_contract_is_no_price_of_mine():
    span = held("2026-10-19", "2026-10-20", tenant="rhein", holder="a/b/contract/big")
    (line,) = rate(HOURS, [], [span], contracts=terms(RESERVED)).lines
    assert (line.contract, line.unit_pico) == ("", 3 * 10**12)


def test_time_down_is_kept_and_not_billed():
    (line,) = rate(HOURS, [], [held("2026-10-01", "2026-10-02", purpose="down")]).lines
    assert (line.billed, line.pico, line.quantity) == (False, 0, 192 * HOUR_NS)


def test_time_of_no_tenant_is_left_out_and_time_without_a_price_is_refused():
    shared = held("2026-10-01", "2026-10-02", tenant="")
    assert rate(BOOK, [], [shared]).lines == ()
    with pytest.raises(UnpricedHoursError, match="acme held h100-sxm on 2026-10-01T00:00:00Z"):
        rate(BOOK, [], [held("2026-10-01", "2026-10-02")])


@given(
    st.lists(st.integers(parse_utc("2026-09-30"), parse_utc("2026-12-12")), min_size=2, max_size=9)
)
def test_a_span_in_pieces_costs_what_it_costs_whole(times):
    times = sorted(set(times))
    if len(times) < 2:
        return
    name = "ashburn/h100-sxm/contract/big"
    whole = [held("2026-10-01", "2026-10-02", start_ns=times[0], end_ns=times[-1], holder=name)]
    pieces = [
        held("2026-10-01", "2026-10-02", start_ns=a, end_ns=b, holder=name)
        for a, b in pairwise(times)
    ]
    rated = rate(HOURS, [], whole, contracts=terms(RESERVED))
    assert rate(HOURS, [], pieces, contracts=terms(RESERVED)) == rated
    assert sum(x.quantity for x in rated.lines) == 8 * (times[-1] - times[0])
    cut = Period(times[0], times[0] + 1)
    assert sum(x.quantity for x in rate(HOURS, [], whole, cut, terms(RESERVED)).lines) == 8


_gateways = st.lists(
    st.lists(st.integers(0, 60), min_size=2, max_size=8, unique=True).map(sorted), max_size=3
)


@given(_gateways, st.randoms(use_true_random=False), st.integers(1, 3))
def test_what_several_gateways_tell_of_one_holder_is_billed_once(gateways, chance, often):
    """Each writes spans of its own times: what they cover together counts, each hour once."""
    start = parse_utc("2026-10-31")
    name = "ashburn/h100-sxm/contract/big"
    spans = [
        held("2026-10-01", "2026-10-02", start_ns=start + a * HOUR_NS, end_ns=start + b * HOUR_NS,
             holder=name, event_id=f"{gateway}@{a}")
        for gateway, times in enumerate(gateways)
        for a, b in pairwise(times)
    ] * often  # fmt: skip
    chance.shuffle(spans)
    covered = {h for times in gateways for h in range(times[0], times[-1])}
    contracts = terms(RESERVED)
    rated = rate(HOURS, [], spans, contracts=contracts)
    assert sum(x.quantity for x in rated.lines) == 8 * len(covered) * HOUR_NS
    parts = Tally(HOURS, contracts), Tally(HOURS, contracts)
    for span in spans:
        chance.choice(parts).hold([span])
    parts[0].merge(parts[1])
    assert parts[0].rated() == rated
    other = [held("2026-10-31", "2026-11-01", holder="ashburn/h100-sxm/contract/more")]
    both = rate(HOURS, [], [*spans, *other], contracts=contracts)
    assert sum(x.quantity for x in both.lines) == 8 * (len(covered) + 24) * HOUR_NS


def test_spans_of_gateways_that_take_turns_take_little_room():
    times = [parse_utc("2026-10-01") + n * 60 * 10**9 for n in range(20_000)]
    spans = (
        held("2026-10-01", "2026-10-02", start_ns=a, end_ns=a + 120 * 10**9, event_id=str(a))
        for a in times
    )
    tally = Tally(HOURS)
    tally.hold(spans)
    assert tally.steps_held < 2000
    (line,) = tally.rated().lines
    assert line.quantity == 8 * (times[-1] + 120 * 10**9 - times[0])


def test_time_is_rounded_once_halves_to_even():
    meter = Meter.ACCELERATOR_HOUR
    assert [amount_of(meter, n * HOUR_NS // 2, 1) for n in (1, 3, 5)] == [0, 2, 2]
    assert amount_of(Meter.INPUT, 3, 7) == 21
