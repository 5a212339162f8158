"""Exact decimals: products without rounding, conversion of prices, texts of numbers and JSON."""

from __future__ import annotations

from decimal import Context, Decimal, Inexact, InvalidOperation
from fractions import Fraction

import msgspec

from neocloud.books.invoices.money import Exchange, exact
from neocloud.units import HOUR_NS, PICO

_EXACT = Context(prec=200, traps=[Inexact, InvalidOperation])
_JSON = msgspec.json.Encoder(decimal_format="number")
MILLION = 1_000_000


def product(price: Decimal, quantity: Decimal) -> Decimal:
    """Price times quantity, every digit of it."""
    return short(_EXACT.multiply(price, quantity))


def less(whole: Decimal, part: Decimal) -> Decimal:
    """Their difference, every digit of it."""
    return _EXACT.subtract(whole, part)


def millions(tokens: Decimal) -> Decimal:
    """Tokens in millions."""
    return short(tokens.scaleb(-6, context=_EXACT))


def hours(time_ns: int) -> Decimal:
    """Nanoseconds in hours, to twelve decimals as on an invoice's line."""
    return short(exact(round(Fraction(time_ns * PICO, HOUR_NS))))


def converted(price: Decimal, currency: str, exchange: Exchange) -> Decimal:
    """A price or amount in the exchange's currency, to twelve decimals where it is another's.

    The cost is made from the converted price, so that both multiply out exactly.
    """
    if currency == exchange.currency:
        return short(price)
    pico = Fraction(price) * PICO
    rate = exchange.pico(PICO, currency)
    return short(exact(round(pico * rate / PICO)))


def short(value: Decimal) -> Decimal:
    """The same number without zeros behind its last digit, never as -0 or 1E+3."""
    if not value:
        return Decimal(0)
    whole = value.to_integral_value(context=_EXACT)
    if value == whole:
        return whole.quantize(Decimal(1), context=_EXACT)
    return value.normalize(_EXACT)


def shown(value: Decimal | str | None) -> str:
    """A field as CSV has it; nothing is empty."""
    if value is None:
        return ""
    return f"{short(value):f}" if isinstance(value, Decimal) else str(value)


def json_text(value: object) -> str:
    """A value as JSON in one line, decimals as numbers with every digit."""
    return _JSON.encode(value).decode()
