"""Invoices: nothing lost, each line rounded once, the residue shown, never more than a specimen."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neocloud.books import (
    TokenKind,
    UnknownTenantError,
    UnpricedModelError,
    invoice_text,
    make_invoice,
    price_list,
    rate_event,
)
from neocloud.ledger import Status
from neocloud.units import PICO, Period

from .metering import START_NS, event, small_cloud

CLOUD = small_cloud()
PRICES = price_list(CLOUD)
HOUR = Period(START_NS, START_NS + 3600 * 10**9)
CENT = Decimal("0.01")

tokens = st.integers(0, 10**12)


def invoice(*events, tenant="acme", period=HOUR):
    return make_invoice(CLOUD, tenant, period, events, PRICES)


@given(st.lists(st.tuples(tokens, tokens, tokens), max_size=8))
def test_lines_less_residues_are_the_rated_events_to_the_pico(counts):
    events = [
        event(n, input_tokens=fresh + cached, cached_tokens=cached, output_tokens=out)
        for n, (fresh, cached, out) in enumerate(counts)
    ]
    made = invoice(*events)
    rated = Fraction(sum(rate_event(e, PRICES).pico for e in events), PICO)
    assert Fraction(made.subtotal) - Fraction(made.residue) == rated
    assert sum(Fraction(line.exact) for line in made.lines) == rated
    for line in made.lines:
        assert line.amount == line.amount.quantize(CENT)
        assert abs(line.residue) <= CENT / 2
        assert Fraction(line.exact) == line.tokens * Fraction(line.price_per_mtok) / 10**6


@given(st.lists(st.tuples(tokens, tokens), min_size=1, max_size=8))
def test_in_another_currency_each_line_is_the_nearest_cent_of_the_exact(counts):
    events = [
        event(n, tenant="rhein", input_tokens=prompt, output_tokens=out)
        for n, (prompt, out) in enumerate(counts)
    ]
    made = invoice(*events, tenant="rhein")
    for line in made.lines:
        euros = Fraction(line.exact) / Fraction(5, 4)
        assert abs(Fraction(line.amount) - euros) <= Fraction(1, 200)
        # The residue is told to 1e-12 of a euro.
        assert abs(Fraction(line.amount) - euros - Fraction(line.residue)) <= Fraction(1, PICO)
    assert made.total == made.subtotal + made.tax
    assert abs(Fraction(made.tax) - Fraction(made.subtotal) * Fraction(19, 100)) <= Fraction(1, 200)


@pytest.mark.parametrize(
    ("out", "amount"),
    # 0.55 a million: 100,000 tokens are 5.5 cents.
    [(100_000, "0.06"), (300_000, "0.16"), (500_000, "0.28"), (100_001, "0.06"), (99_999, "0.05")],
)
def test_halves_of_a_cent_go_to_the_even_one(out, amount):
    (line,) = invoice(event(input_tokens=0, output_tokens=out)).lines
    assert (line.kind, line.amount) == (TokenKind.OUTPUT, Decimal(amount))
    assert line.residue == Decimal(amount) - Decimal("0.55") * out / 10**6


def test_a_tenant_pays_in_its_currency_with_its_tax():
    made = invoice(event(tenant="rhein", input_tokens=0, output_tokens=10_000_000), tenant="rhein")
    assert (made.currency, made.price_currency, made.exchange_rate) == (
        "EUR",
        "USD",
        Decimal("1.25"),
    )
    # 5.50 dollars at 1.25 dollars a euro are 4.40 euros; a fifth less one per cent on it.
    assert (made.subtotal, made.tax, made.total) == tuple(map(Decimal, ("4.40", "0.84", "5.24")))
    text = invoice_text(made)
    for part in ("1 EUR = 1.25 USD", "Tax 19.00%", "Total EUR", "5.24"):
        assert part in text


def test_every_invoice_is_a_specimen_and_says_why():
    real, emulated = invoice(event(emulated=False)), invoice(event(0), event(1, emulated=False))
    assert real.specimen and emulated.specimen
    assert real.number is emulated.number is None
    assert "does not number invoices" in real.specimen_reason
    assert emulated.specimen_reason == "1 of 2 requests were answered by emulated engines"
    for made in (real, emulated):
        lines = invoice_text(made).splitlines()
        assert "SPECIMEN" in lines[0]
        assert "SPECIMEN" in lines[-1]
        assert lines[1] == f"Not an invoice: {made.specimen_reason}."
        assert max(map(len, lines)) <= 88


def test_who_when_and_how_it_ended_stand_on_it():
    made = invoice(
        event(0), event(1, status=Status.FAILED), event(2, estimated=True),
        event(3, tenant="rhein"), event(3_600_000), event(-1),
        event(4, price_version="another"), event(5, price_version=PRICES.version),
    )  # fmt: skip
    assert (made.requests, made.estimated_requests, made.repriced_requests) == (5, 1, 1)
    assert made.requests_by_status == {"completed": 4, "failed": 1}
    assert [line.tokens for line in made.lines] == [4000, 800]
    text = invoice_text(made)
    for part in (
        "Acme Corporation (acme)", "Springfield", "5 requests: 4 completed, 1 failed",
        "2026-10-05T13:00:00Z/2026-10-05T14:00:00Z", PRICES.version, "our estimate",
        "1 requests were admitted under another price list",
    ):  # fmt: skip
        assert part in text


def test_a_period_without_use_is_an_invoice_of_nothing():
    made = invoice()
    assert (made.lines, made.total, made.residue) == ((), 0, 0)
    assert "SPECIMEN" in invoice_text(made)


def test_who_is_not_a_tenant_and_what_has_no_price_is_refused():
    with pytest.raises(UnknownTenantError, match="it has acme, rhein"):
        invoice(event(), tenant="acm")
    with pytest.raises(UnpricedModelError):
        invoice(event(model="other"))
