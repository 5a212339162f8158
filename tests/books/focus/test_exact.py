"""Arithmetic that must be exact for any amounts."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from neocloud.books.focus import make_export
from neocloud.books.focus.charges import _divided
from neocloud.books.focus.figures import converted, hours, millions, product, short, shown
from neocloud.books.invoices.money import Exchange
from neocloud.units import HOUR_NS, parse_period

from ..invoices.shop import Memory, Shop, cloud, usage  # noqa: TID252

RATES = st.decimals("0.0001", "1000", places=6)
PRICES = st.decimals(0, 10**6, places=12)


@given(PRICES, st.decimals(-(10**15), 10**15, places=6))
def test_a_product_has_all_of_its_digits(price, quantity):
    assert Fraction(product(price, quantity)) == Fraction(price) * Fraction(quantity)


@given(st.integers(-(10**21), 10**21))
def test_millions_of_tokens_lose_none(tokens):
    assert Fraction(millions(Decimal(tokens))) == Fraction(tokens, 10**6)


@given(st.integers(0, 10**21))
def test_hours_are_right_to_twelve_decimals(time_ns):
    assert abs(Fraction(hours(time_ns)) - Fraction(time_ns, HOUR_NS)) <= Fraction(1, 2 * 10**12)


@given(PRICES, RATES, RATES)
def test_a_converted_price_is_right_to_twelve_decimals(price, mine, theirs):
    exchange = Exchange(currency="EUR", rates={"EUR": mine, "GBP": theirs, "USD": Decimal(1)})
    wanted = Fraction(price) * Fraction(theirs) / Fraction(mine)
    assert abs(Fraction(converted(price, "GBP", exchange)) - wanted) <= Fraction(1, 2 * 10**12)
    assert converted(price, "EUR", exchange) == price


@given(st.decimals(-(10**9), 10**9, places=12))
def test_a_number_is_written_plainly(value):
    text = shown(value)
    assert Decimal(text) == value
    assert "E" not in text
    assert text not in ("-0", "0.0")
    assert short(value) == value


@given(
    st.integers(-(10**12), 10**12),
    st.lists(st.fractions(0, 10**6), min_size=1, max_size=8),
    st.sampled_from(["USD", "JPY", "KWD"]),
)
def test_parts_of_a_line_are_whole_cents_that_sum_up_to_it(units, weights, currency):
    exchange = Exchange(currency=currency, rates={currency: Decimal(1)})
    digits = {"USD": 2, "JPY": 0, "KWD": 3}[currency]
    amount = Decimal(units).scaleb(-digits)
    parts = _divided(amount, weights, exchange)
    assert sum(parts) == amount
    assert all(part == part.quantize(Decimal(1).scaleb(-digits)) for part in parts)
    total = sum(weights)
    for part, weight in zip(parts, weights, strict=True):
        if total:
            share = Fraction(amount) * weight / total
            assert abs(Fraction(part) - share) <= Fraction(1, 10**digits)


@given(
    st.lists(
        st.tuples(
            st.integers(0, 10**9), st.integers(0, 10**9),
            st.sampled_from(["chat", "batch", "messages"]), st.sampled_from(["ashburn", ""]),
        ),
        min_size=1, max_size=12,
    ),
    st.sampled_from(["acme", "rhein", "kyoto"]),
)  # fmt: skip
def test_rows_of_any_use_come_to_the_invoice(tmp_path_factory, requests, tenant):
    source = Memory(
        usage("2026-10-05", n, tenant=tenant, input_tokens=read, output_tokens=written, api=api,
              site=site)
        for n, (read, written, api, site) in enumerate(requests)
    )  # fmt: skip
    shop = Shop(tmp_path_factory.mktemp("books"), cloud(), source)
    invoice = shop.close("2026-10", tenant)
    export = make_export(shop.office, "2026-10", parse_period("2026-10").end_ns)
    shop.books.close()
    assert sum(row.billed_cost for row in export.rows) == invoice.total
    assert sum(row.consumed_quantity or 0 for row in export.rows) == sum(
        read + written for read, written, _, _ in requests
    )
    for row in export.rows:
        if row.pricing_quantity is not None:
            for price, cost in (
                (row.list_unit_price, row.list_cost),
                (row.contracted_unit_price, row.contracted_cost),
            ):
                assert Fraction(price) * Fraction(row.pricing_quantity) == Fraction(cost)
