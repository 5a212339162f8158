"""Money as integers: prices and amounts in pico-units, 1e-12 of the currency.

A token costs a few millionths of a cent. Rounding each event would bill a short, cheap request
nothing, so prices and sums stay integers of 1e-12 of the currency and are rounded once, where a
line of an invoice is made; what the rounding took or gave is shown there.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Context, Decimal, Inexact, InvalidOperation

PICO = 10**12
"""Pico-units in one unit of a currency."""

# ISO 4217 minor digits where they are not two.
_MINOR_DIGITS = {
    "BHD": 3, "IQD": 3, "JOD": 3, "KWD": 3, "LYD": 3, "OMR": 3, "TND": 3,
    "BIF": 0, "CLP": 0, "DJF": 0, "GNF": 0, "ISK": 0, "JPY": 0, "KMF": 0, "KRW": 0, "PYG": 0,
    "RWF": 0, "UGX": 0, "UYI": 0, "VND": 0, "VUV": 0, "XAF": 0, "XOF": 0, "XPF": 0,
    "CLF": 4, "UYW": 4,
}  # fmt: skip
# The default context keeps 28 digits and rounds in silence; this one keeps 60 and refuses to.
_EXACT = Context(prec=60, traps=[Inexact, InvalidOperation])
_CURRENCY = re.compile(r"[A-Z]{3}")


class MoneyError(ValueError):
    """A price or amount that cannot be represented exactly, or mixes currencies."""


def minor_digits(currency: str) -> int:
    """Decimal digits of the smallest unit that an invoice in `currency` shows (ISO 4217)."""
    if not _CURRENCY.fullmatch(currency):
        raise MoneyError(f"{currency!r} is not a currency code of three capital letters (ISO 4217)")
    return _MINOR_DIGITS.get(currency, 2)


def price_per_token(per_million: Decimal) -> int:
    """Price of one token in pico-units, from a price per million tokens.

    Raises:
        MoneyError: the price has more than six decimals, so one token would not cost a whole
            number of pico-units, or it is negative or not finite.
    """
    if not per_million.is_finite() or per_million < 0:
        raise MoneyError(f"a price of {per_million} per million tokens is not a price")
    scaled = _scaled(per_million, PICO // 1_000_000)
    if scaled is None:
        raise MoneyError(
            f"{per_million} per million tokens has more than six decimals; "
            "a token must cost a whole number of 1e-12 of the currency"
        )
    return scaled


def _scaled(value: Decimal, factor: int) -> int | None:
    """`value` times `factor` if that is a whole number of at most 60 digits, else None."""
    try:
        return int(_EXACT.multiply(value, Decimal(factor)).to_integral_exact(context=_EXACT))
    except (Inexact, InvalidOperation, ValueError, OverflowError):  # NaN and infinities too
        return None


@dataclass(frozen=True, slots=True, order=True)
class Amount:
    """An exact amount of money.

    Attributes:
        currency: ISO 4217 code.
        pico: the amount in 1e-12 of the currency; negative for a credit.
    """

    currency: str
    pico: int

    def __post_init__(self) -> None:
        minor_digits(self.currency)

    @classmethod
    def of(cls, value: Decimal | str, currency: str) -> Amount:
        """Return the amount of a decimal number of currency units.

        Raises:
            MoneyError: it is no number, finer than 1e-12, or of more than 60 digits.
        """
        try:
            number = Decimal(value)
        except InvalidOperation:
            raise MoneyError(f"{value!r} is not an amount") from None
        scaled = _scaled(number, PICO)
        if scaled is None:
            raise MoneyError(f"{value} {currency} is not a whole number of 1e-12 {currency}")
        return cls(currency, scaled)

    def __add__(self, other: Amount) -> Amount:
        if other.currency != self.currency:
            raise MoneyError(f"cannot add {other.currency} to {self.currency}")
        return Amount(self.currency, self.pico + other.pico)

    def __sub__(self, other: Amount) -> Amount:
        return self + Amount(other.currency, -other.pico)

    def __mul__(self, count: int) -> Amount:
        return Amount(self.currency, self.pico * count)

    @property
    def exact(self) -> Decimal:
        """The whole amount, unrounded."""
        sign, digits, _ = Decimal(self.pico).as_tuple()
        return Decimal((sign, digits, -12))  # scaleb would round to 28 digits

    def rounded(self) -> Amount:
        """Return the amount to the currency's minor unit, halves to even."""
        unit = PICO // 10 ** minor_digits(self.currency)
        quotient, rest = divmod(self.pico, unit)
        if 2 * rest > unit or (2 * rest == unit and quotient % 2):
            quotient += 1
        return Amount(self.currency, quotient * unit)

    def __str__(self) -> str:
        digits = minor_digits(self.currency)
        return f"{self.rounded().exact:,.{digits}f} {self.currency}"
