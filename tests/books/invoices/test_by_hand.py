"""Invoices worked out by hand: tiers, tiny amounts, rounding, currencies, credits, minimum."""

from __future__ import annotations

from decimal import Decimal

import pytest

from neocloud.books.invoices import Kind, LineGroup, UnknownTenantError, invoice_text
from neocloud.ledger import Status
from neocloud.units import new_request_id

from .shop import Memory, Shop, at, cloud, held, previewed, usage

ONE_A_MILLION = "{input: 1, output: 1}"


def lines(made):
    """(text, quantity, amount) of each line."""
    return [(line.text, line.quantity, str(line.amount)) for line in made.lines]


TIERED = "{input: 0.26, output: 0.55, tiers: [{above_mtok: 1, input: 0.2, output: 0.5}]}"


def test_a_tier_begins_with_the_token_after_its_bound():
    to_the_bound = [
        usage("2026-10-01", 0, input_tokens=600_000), usage("2026-10-31T23:59:59Z", 1,
        input_tokens=400_000), usage("2026-11-01", 2),
    ]  # fmt: skip
    made = previewed(cloud(prices=TIERED), Memory(to_the_bound), "2026-10")
    assert lines(made) == [("llama, input tokens", 1_000_000, "0.26")]
    over = [*to_the_bound, usage("2026-10-05", 3, input_tokens=1)]
    made = previewed(cloud(prices=TIERED), Memory(over), "2026-10")
    assert lines(made) == [
        ("llama, input tokens", 1_000_000, "0.26"), ("llama, input tokens, tier 2", 1, "0.00"),
    ]  # fmt: skip
    assert (made.lines[1].exact, made.residue) == (Decimal("0.0000002"), Decimal("-0.0000002"))


def test_a_20_token_request_at_a_cent_a_million_is_not_lost():
    cheap = cloud(prices="{input: 0.01, output: 0.01}")
    small = {"input_tokens": 0, "output_tokens": 20}
    one = previewed(cheap, Memory([usage("2026-10-05", **small)]), "2026-10")
    assert (one.total, one.lines[0].exact, one.residue) == (
        Decimal("0.00"), Decimal("0.0000002"), Decimal("-0.0000002"),
    )  # fmt: skip
    base = usage("2026-10-05", **small)
    many = [usage_of(base, n) for n in range(50_000)]
    made = previewed(cheap, Memory(many), "2026-10")
    # 50,000 requests of 20 tokens are a million: a cent, to the last pico.
    assert (made.total, made.residue) == (Decimal("0.01"), 0)


def usage_of(event, number):
    import msgspec

    key = new_request_id(event.admitted_ns, number)
    return msgspec.structs.replace(event, request_id=key)


@pytest.mark.parametrize(
    ("tokens", "amount"),
    # 0.55 a million: 100,000 tokens are 5.5 cents.
    [(100_000, "0.06"), (300_000, "0.16"), (500_000, "0.28"), (100_001, "0.06"), (99_999, "0.05")],
)
def test_halves_of_a_cent_go_to_the_even_one(tokens, amount):
    source = Memory([usage("2026-10-05", input_tokens=0, output_tokens=tokens)])
    (line,) = previewed(cloud(), source, "2026-10").lines
    assert line.amount == Decimal(amount)
    assert line.residue == Decimal(amount) - Decimal("0.55") * tokens / 10**6


def test_a_tenant_pays_in_its_currency_with_its_tax():
    source = Memory([
        usage("2026-10-05", 1, tenant="rhein", input_tokens=0, output_tokens=10_000_000),
        usage("2026-10-05", 2, tenant="kyoto", input_tokens=1_000_000),
    ])  # fmt: skip
    made = previewed(cloud(), source, "2026-10", "rhein")
    # 5.50 dollars at 1.25 dollars a euro are 4.40 euros; 19 % of them 0.836.
    assert (made.currency, made.subtotal, made.tax, made.total) == (
        "EUR", Decimal("4.40"), Decimal("0.84"), Decimal("5.24"),
    )  # fmt: skip
    for period in ("2026-10", "2026-10-05"):
        shown = invoice_text(previewed(cloud(), source, period, "rhein"))
        for part in ("1 EUR = 1.25 USD.", "exact, USD", "Tax 19 %", "Total EUR", "5.24"):
            assert part in shown
    made = previewed(cloud(prices=ONE_A_MILLION), source, "2026-10", "kyoto")
    # A dollar at 0.0064 dollars a yen is 156.25 yen; a yen has no smaller unit.
    assert (made.subtotal, made.tax, made.total) == (Decimal(156), Decimal(16), Decimal(172))
    assert made.residue == Decimal("-0.25")


def test_a_currency_of_three_decimals_is_rounded_to_the_thousandth():
    event = usage("2026-10-05", tenant="kuwait", input_tokens=0, output_tokens=10_000_000)
    made = previewed(cloud(), Memory([event]), "2026-10", "kuwait")
    # 5.50 dollars at 3.2 dollars a dinar are 1.71875 dinars: 1.719, a third decimal's worth.
    assert (str(made.total), made.residue) == ("1.719", Decimal("0.00025"))
    assert "Total KWD" in (shown := invoice_text(made))
    assert "rounded once to 3 decimals; this added 0.00025 KWD" in shown


def test_statuses_that_are_not_billed_are_counted_and_cost_nothing():
    source = Memory([
        usage("2026-10-05", 1), usage("2026-10-05", 2, status=Status.ABORTED),
        usage("2026-10-05", 3, status=Status.FAILED), usage("2026-10-05", 4, tenant="rhein"),
    ])  # fmt: skip
    made = previewed(cloud(), source, "2026-10")
    assert lines(made) == [("llama, input tokens", 2_000_000, "0.52")]
    assert made.requests.by_status == {"aborted": 1, "completed": 1, "failed": 1}


def test_accelerators_without_a_contract_cost_the_price_list():
    source = Memory(
        spans=[held("2026-09-30T22:00:00Z", 4.5, 8), held("2026-10-31T20:00:00Z", 9, 2)]
    )
    made = previewed(cloud(), source, "2026-10")
    # 2.5 hours of 8 and 4 hours of 2: 28 hours at 3.20.
    assert lines(made) == [("h100-sxm accelerator-hours on demand", Decimal(28), "89.60")]


CREDITS = (
    "prepaid_credits: [{name: top-up, amount: 100, date: 2026-10-01}, "
    "{name: start, amount: 30, date: 2026-10-01, expires: 2026-10-15, priority: 1}]"
)


def test_a_credit_that_expires_in_mid_period_pays_for_what_came_before(tmp_path):
    source = Memory([
        usage("2026-10-03", 1, input_tokens=9_000_000),
        usage("2026-10-14T23:59:59Z", 2, input_tokens=1_000_000),
        usage("2026-10-15", 3, input_tokens=25_000_000),
    ])  # fmt: skip
    shop = Shop(tmp_path, cloud(acme=CREDITS, prices=ONE_A_MILLION), source)
    made = shop.close("2026-10")
    used = {c.name: (c.before, c.used, c.left, c.expired) for c in made.credits}
    assert used == {
        "top-up": (100, 25, 75, 0),
        "start": (30, 10, 0, 20),
    }
    assert (made.subtotal, made.credits_used, made.total) == (35, 35, 0)
    november = shop.close("2026-11")
    assert [(c.name, c.before, c.left) for c in november.credits] == [("top-up", 75, 75)]


def test_credits_are_used_by_priority_then_by_expiry_and_never_overdrawn(tmp_path):
    three = (
        "prepaid_credits: [{name: a, amount: 10, date: 2026-10-01}, "
        "{name: b, amount: 10, date: 2026-10-01, expires: 2027-01-01}, "
        "{name: c, amount: 10, date: 2026-10-01, priority: 1}, "
        "{name: later, amount: 10, date: 2026-11-01}]"
    )
    source = Memory([usage("2026-10-03", 1, input_tokens=15_000_000), usage("2026-11-03", 2,
                     input_tokens=40_000_000)])  # fmt: skip
    shop = Shop(tmp_path, cloud(acme=three, prices=ONE_A_MILLION), source)
    october = shop.close("2026-10")
    assert {c.name: c.used for c in october.credits} == {"a": 0, "b": 5, "c": 10}
    november = shop.close("2026-11")
    assert {c.name: c.used for c in november.credits} == {"a": 10, "b": 5, "later": 10}
    assert (november.net, november.total) == (15, 15)
    assert shop.books.check() == ()


def test_a_minimum_spend_is_filled_up_and_no_more():
    minimum = cloud(acme="minimum_spend_per_month: 20, tax_rate: 0.1", prices=ONE_A_MILLION)
    some = previewed(minimum, Memory([usage("2026-10-03", input_tokens=12_345_678)]), "2026-10")
    assert lines(some)[1] == ("Minimum spend of the month that was not reached", None, "7.65")
    assert (some.subtotal, some.total) == (Decimal("20.00"), Decimal("22.00"))
    more = previewed(minimum, Memory([usage("2026-10-03", input_tokens=20_000_000)]), "2026-10")
    assert (len(more.lines), more.subtotal) == (1, 20)


@pytest.mark.parametrize("cached", [0, 300_000, 700_000])
def test_the_lines_of_a_month_that_falls_short_come_to_the_minimum_and_not_beside_it(cached):
    """Three lines of fractions of a yen, each rounded: what is missing is what they say."""
    plan = cloud(**{"{currency: JPY, ": "{currency: JPY, minimum_spend_per_month: 1000, "})
    event = usage("2026-10-03", tenant="kyoto", input_tokens=1_010_000, cached_tokens=cached,
                  output_tokens=410_000)  # fmt: skip
    made = previewed(plan, Memory([event]), "2026-10", "kyoto")
    *used, least = made.lines
    assert least.charge == "minimum"
    assert least.exact == least.amount == 1000 - sum(line.amount for line in used)
    assert (made.subtotal, made.tax, made.total) == (1000, 100, 1100)
    assert made.residue == sum(line.residue for line in used)


def test_a_period_that_is_no_month_is_use_alone():
    minimum = cloud(acme=f"minimum_spend_per_month: 20, {CREDITS}", prices=ONE_A_MILLION)
    source = Memory([usage("2026-10-03", 1), usage("2026-10-04", 2)])
    made = previewed(minimum, source, "2026-10-04")
    assert (made.subtotal, made.total, made.credits) == (1, 1, ())
    assert "no calendar month" in made.notes[-1]


def test_emulated_use_makes_a_specimen_and_beside_real_use_is_left_out():
    emulated = usage("2026-10-03", 1, emulated=True)
    made = previewed(cloud(), Memory([emulated]), "2026-10")
    assert (made.kind, made.number) == (Kind.SPECIMEN, None)
    assert made.why_not == "1 of 1 requests were answered by emulated engines"
    both = previewed(cloud(), Memory([emulated, usage("2026-10-03", 2)]), "2026-10")
    assert (both.kind, both.requests.total, both.requests.emulated) == (Kind.PREVIEW, 1, 1)
    assert lines(both) == [("llama, input tokens", 1_000_000, "0.26")]
    assert "never invoiced" in both.notes[0]


def test_the_month_of_a_cloud_that_is_all_emulated_is_a_specimen_even_without_use():
    toy = cloud(**{"nodes: 2": "nodes: 2, engine: emulated"})
    made = previewed(toy, Memory(), "2026-10")
    assert (made.kind, made.total) == (Kind.SPECIMEN, 0)
    assert previewed(cloud(), Memory(), "2026-10").kind is Kind.PREVIEW


def test_who_is_not_a_tenant_is_refused():
    with pytest.raises(UnknownTenantError, match="it has acme, rhein, kyoto, kuwait"):
        previewed(cloud(), Memory(), "2026-10", "nobody")


def test_lines_stand_under_their_headings_in_one_order():
    source = Memory(
        [usage("2026-10-05", input_tokens=5_000, cached_tokens=1_000, output_tokens=7)],
        [held("2026-10-05", 1, 1)],
    )
    made = previewed(cloud(), source, "2026-10")
    assert [line.group for line in made.lines] == [LineGroup.TOKENS] * 3 + [LineGroup.ACCELERATORS]
    assert [line.meter for line in made.lines[:3]] == ["input", "cached_input", "output"]
    assert at("2026-10-05") > 0
