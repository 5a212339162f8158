"""Exact amounts as decimals, and ratios as they are shown."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

from neocloud.books.tiers.exact import from_pico

DIGITS = 6
"""Decimals of a shown ratio."""


def amount(pico: int) -> Decimal:
    """Pico-units in units of the currency, exact."""
    return from_pico(pico)


def ratio(value: Fraction) -> Decimal:
    """A ratio to six decimals, halves to even."""
    sign, digits, _ = Decimal(round(value * 10**DIGITS)).as_tuple()
    return Decimal((sign, digits, -DIGITS))
