"""Money is exact: nothing is lost before a line is rounded, and rounding says what it did."""

from __future__ import annotations

from decimal import Decimal, localcontext
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neocloud.units import PICO, Amount, MoneyError, minor_digits, price_per_token

pico = st.integers(-(10**45), 10**45)
currencies = st.sampled_from(["USD", "EUR", "JPY", "KWD", "CLF"])


def fraction(amount: Amount) -> Fraction:
    return Fraction(amount.pico, PICO)


@given(st.integers(0, 10**12))
def test_a_token_costs_exactly_a_millionth_of_the_price(micro: int) -> None:
    price = Decimal(micro).scaleb(-6)
    assert Fraction(price_per_token(price), PICO) == Fraction(micro, 10**6) / 10**6


@pytest.mark.parametrize("price", ["0.0000001", "1.1234567", "-1", "NaN", "Infinity", "1e-30"])
def test_a_price_that_no_token_can_have_is_refused(price: str) -> None:
    with pytest.raises(MoneyError):
        price_per_token(Decimal(price))


def test_prices_read_as_written() -> None:
    assert price_per_token(Decimal("0.26")) == 260_000
    assert price_per_token(Decimal(0)) == 0
    assert price_per_token(Decimal("0.000001")) == 1


@given(pico, currencies)
def test_an_amount_is_what_its_decimal_says(value: int, currency: str) -> None:
    amount = Amount(currency, value)
    assert Fraction(amount.exact) == Fraction(value, PICO)
    assert Amount.of(amount.exact, currency) == amount
    with localcontext() as context:
        context.prec = 60
        assert Amount.of(str(amount.exact), currency) == amount


@given(st.lists(pico, max_size=20))
def test_sums_are_exact_in_any_order(values: list[int]) -> None:
    amounts = [Amount("EUR", value) for value in values]
    forwards = sum(amounts, Amount("EUR", 0))
    backwards = sum(reversed(amounts), Amount("EUR", 0))
    assert forwards == backwards
    assert fraction(forwards) == sum(map(fraction, amounts), Fraction(0))


@given(pico, pico, st.integers(0, 10**9))
def test_differences_and_multiples_are_exact(a: int, b: int, count: int) -> None:
    one, two = Amount("USD", a), Amount("USD", b)
    assert one - two + two == one
    assert fraction(one * count) == fraction(one) * count


@given(pico, currencies)
def test_rounding_goes_to_the_nearest_minor_unit_halves_to_even(value: int, currency: str) -> None:
    amount = Amount(currency, value)
    rounded = amount.rounded()
    unit = Fraction(1, 10 ** minor_digits(currency))
    expected = round(Fraction(value, PICO) / unit) * unit  # Fraction rounds halves to even
    assert fraction(rounded) == expected
    assert rounded.rounded() == rounded


def test_the_residue_of_many_small_lines_is_the_difference() -> None:
    lines = [Amount("USD", price_per_token(Decimal("0.26")) * tokens) for tokens in range(1, 5000)]
    exact = sum(lines, Amount("USD", 0))
    one_by_one = sum((line.rounded() for line in lines), Amount("USD", 0))
    assert one_by_one == Amount("USD", 0), "each alone rounds to nothing: why lines sum first"
    assert exact.rounded() == Amount.of("3.25", "USD")


@pytest.mark.parametrize(
    ("code", "digits"), [("USD", 2), ("EUR", 2), ("JPY", 0), ("KWD", 3), ("RWF", 0), ("CLF", 4)]
)
def test_minor_units(code: str, digits: int) -> None:
    assert minor_digits(code) == digits


@pytest.mark.parametrize("code", ["usd", "US", "", "USDT", "U$D"])
def test_what_is_no_currency_is_refused(code: str) -> None:
    with pytest.raises(MoneyError, match="ISO 4217"):
        Amount(code, 1)


@pytest.mark.parametrize("text", ["x", "", "NaN", "Infinity", "1e-13", "1.0000000000001"])
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(MoneyError):
        Amount.of(text, "USD")


def test_currencies_do_not_mix() -> None:
    with pytest.raises(MoneyError, match="cannot add EUR to USD"):
        Amount("USD", 1) + Amount("EUR", 1)
    with pytest.raises(MoneyError):
        Amount("USD", 1) - Amount("EUR", 1)


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (Amount.of("1234567.891", "USD"), "1,234,567.89 USD"),
        (Amount.of("-0.005", "USD"), "0.00 USD"),
        (Amount.of("2.5", "JPY"), "2 JPY"),
        (Amount.of("0.0005", "KWD"), "0.000 KWD"),
    ],
)
def test_amounts_read_well(amount: Amount, text: str) -> None:
    assert str(amount) == text
