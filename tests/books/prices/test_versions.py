"""A version is its content's hash: what changes a price changes it, and nothing else does."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.books.priced import PLAIN, cloud, terms

from neocloud.books.prices import (
    Meter,
    PriceVersion,
    TokenBill,
    adjusted,
    contract_terms,
    factor_of,
    price_list,
    price_version,
)
from neocloud.ledger import Status
from neocloud.units import HOUR_NS, parse_utc

OFF_PEAK = "pricing: {adjustments: [{name: a, change: -0.5, hours_utc: 22-6}]}\n"


def test_the_gateway_stamps_what_is_rated_by():
    assert price_list(cloud()).version == price_version(cloud()).id


def test_what_is_no_price_changes_no_version():
    same = cloud(PLAIN, "planning_note: 1\n".replace("planning_note: 1", "# a comment"))
    assert price_version(same).id == price_version(cloud()).id
    spelled = cloud("{output: 0.550, input: 0.26, cached_input: 0.05, reasoning: 0.55}")
    assert price_version(spelled).id != price_version(cloud()).id, "reasoning is counted apart"
    assert price_version(cloud(PLAIN.replace("0.55", "0.550"))).id == price_version(cloud()).id
    signed = "contracts: [{name: c, tenant: acme, accelerators: 8, start: 2026-01-01, "
    signed += "term_months: 6, price: 3}]\n"
    assert price_version(cloud(more=signed)).id == price_version(cloud()).id


@pytest.mark.parametrize(
    ("prices", "more"),
    [
        (PLAIN.replace("0.55", "0.550001"), ""),
        (PLAIN.replace("0.05", "0.06"), ""),
        (PLAIN.replace("0.55", "0.55, reasoning: 0.6"), ""),
        (PLAIN.replace("0.55", "0.55, tiers: [{above_mtok: 1, input: 0.2, output: 0.5}]"), ""),
        (PLAIN.replace("0.55", "0.55, changes: [{from: 2027-01-01, input: 1, output: 1}]"), ""),
        (PLAIN, "pricing: {billed: [completed]}\n"),
        (PLAIN, OFF_PEAK),
        (PLAIN, OFF_PEAK.replace("22-6", "22-7")),
        (PLAIN, OFF_PEAK.replace("-0.5", "-0.4")),
        (PLAIN, "pricing: {accelerator_hours: [{accelerator: h100-sxm, price: 3}]}\n"),
    ],
)
def test_what_is_a_price_makes_a_version_of_its_own(prices: str, more: str):
    made = price_version(cloud(prices, more))
    assert made.id not in {price_version(cloud()).id, price_version(cloud(more=OFF_PEAK)).id} or (
        more == OFF_PEAK
    )
    assert len(made.id) == 16
    assert msgspec.json.decode(made.encoded(), type=PriceVersion) == made, "kept as it was"


def test_versions_from_before_there_were_keys_have_their_hash_still():
    more = "pricing: {adjustments: [{name: a, change: -0.5, hours_utc: 22-6}]}\n"
    made = price_version(cloud(more=more))
    assert b"keys" not in made.encoded()
    assert b"service_tiers" not in made.encoded()
    assert made.id == "36f4f8879f14fbb4"
    keyed = price_version(cloud(more=more.replace("hours_utc: 22-6", "keys: [0a1b2c3d4e5f]")))
    tiered = price_version(cloud(more=more.replace("hours_utc: 22-6", "service_tiers: [flex]")))
    assert tiered.named_tiers == {"flex"}
    assert msgspec.json.decode(tiered.encoded(), type=PriceVersion).id == tiered.id != made.id
    assert keyed.named_keys == {"0a1b2c3d4e5f"}
    assert msgspec.json.decode(keyed.encoded(), type=PriceVersion).id == keyed.id != made.id


def test_hours_run_over_midnight():
    (adjustment,) = price_version(cloud(more=OFF_PEAK)).adjustments
    assert adjustment.hours == (0, 1, 2, 3, 4, 5, 22, 23)
    (whole,) = price_version(cloud(more=OFF_PEAK.replace("22-6", "9-24"))).adjustments
    assert whole.hours == tuple(range(9, 24))


def test_days_of_an_adjustment_are_whole_days():
    more = OFF_PEAK.replace("hours_utc: 22-6", "from: 2028-02-28, until: 2028-02-29")
    (adjustment,) = price_version(cloud(more=more)).adjustments
    assert adjustment.start_ns == parse_utc("2028-02-28")
    assert adjustment.end_ns == parse_utc("2028-03-01"), "the leap day is its last"


def test_priorities_count_only_where_an_adjustment_asks_for_them():
    assert price_version(cloud(more=OFF_PEAK)).priorities == {}
    asked = price_version(cloud(more=OFF_PEAK.replace("hours_utc: 22-6", "priorities: high")))
    assert asked.priorities == {"acme": "normal", "rhein": "normal"}


def test_rates_of_a_moment():
    changes = "0.55, changes: [{from: 2026-11-01, input: 0.2, output: 0.5, reasoning: 0.6}]"
    version = price_version(cloud(PLAIN.replace("0.55", changes)))
    at = parse_utc("2026-11-01")
    before, after = version.rates_at("llama", at - 1), version.rates_at("llama", at)
    assert before is not None
    assert after is not None
    assert before.tiers[0].pico_per_token == {
        Meter.INPUT: 260_000, Meter.CACHED_INPUT: 50_000, Meter.OUTPUT: 550_000,
    }  # fmt: skip
    assert after.tiers[0].pico_per_token == {
        Meter.INPUT: 200_000, Meter.CACHED_INPUT: 200_000, Meter.OUTPUT: 500_000,
        Meter.REASONING: 600_000,
    }  # fmt: skip
    assert version.rates_at("other", at) is None
    assert version.billed == (Status.COMPLETED, Status.ABORTED)


prices = st.integers(0, 10**12)
changes = st.lists(st.decimals(-1, 100, places=4), max_size=4)


@given(prices, changes)
def test_an_adjusted_price_is_the_nearest_whole_number(pico: int, shares: list[Decimal]):
    exact = Fraction(pico)
    for share in shares:
        exact *= 1 + Fraction(share)
    assert adjusted(pico, factor_of(shares)) == round(exact)
    assert [adjusted(n, Fraction(1, 2)) for n in (1, 3, 5)] == [0, 2, 2], "halves to even"


CONTRACT = """\
contracts:
  - {name: c, tenant: acme, start: 2028-01-31, term_months: 1, price: 2.5, MORE}
"""


def test_terms_end_with_the_month_and_step_on_their_day():
    (made,) = terms(
        CONTRACT.replace("MORE", "accelerators: 8, price_steps: [{date: 2028-02-10, price: 2}]")
    )
    assert made.end_ns == parse_utc("2028-02-29"), "a month after the 31st, in a leap year"
    step = parse_utc("2028-02-10")
    assert made.step_at(step - 1) == (parse_utc("2028-01-31"), 2_500_000_000_000)
    assert made.step_at(step) == (step, 2_000_000_000_000)
    assert (made.bill, made.tokens_per_hour) == (TokenBill.NONE, 0)


def test_terms_of_a_rate_of_tokens():
    more = "kind: provisioned, model: llama, tokens_per_s: 0.1, price_steps: []"
    (made,) = terms(CONTRACT.replace("MORE", more.replace(", price_steps: []", "")))
    assert (made.bill, made.tokens_per_hour) == (TokenBill.RATE, 360)
    assert made.step_at(made.start_ns + HOUR_NS)[1] == 2_500_000, "of a token"


def test_what_is_not_signed_has_no_terms():
    pipeline = CONTRACT.replace("MORE", "accelerators: 8, probability: 0.9")
    assert contract_terms(cloud(more=pipeline)) == ()
