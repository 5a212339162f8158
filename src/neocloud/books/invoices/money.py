"""From exact amounts in the prices' currencies to rounded ones in the tenant's."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction

import msgspec

from neocloud.spec import Cloud
from neocloud.units import PICO, Amount, minor_digits


class Exchange(msgspec.Struct, frozen=True, kw_only=True):
    """Turns amounts into one currency.

    Attributes:
        currency: that amounts are turned into.
        rates: units of the cloud's currency for one unit of each other, the cloud's own with 1.
    """

    currency: str
    rates: Mapping[str, Decimal]

    def pico(self, pico: int, currency: str) -> Fraction:
        """An amount of 1e-12 of `currency`, in 1e-12 of ours, exact."""
        if currency == self.currency:
            return Fraction(pico)
        return pico * Fraction(self.rates[currency]) / Fraction(self.rates[self.currency])

    def rounded(self, pico: Fraction) -> int:
        """To the minor unit of our currency, halves to even, 1e-12 of it."""
        unit = self._unit
        return round(pico / unit) * unit

    def down(self, pico: Fraction) -> int:
        """The same, rounded down."""
        unit = self._unit
        return int(pico // unit) * unit

    @property
    def _unit(self) -> int:
        unit: int = PICO // 10 ** minor_digits(self.currency)
        return unit

    def shown(self, pico: int) -> Decimal:
        """A rounded amount with the decimals of our currency."""
        return Amount(self.currency, pico).exact.quantize(
            Decimal(1).scaleb(-minor_digits(self.currency))
        )


def exchange_of(cloud: Cloud, currency: str) -> Exchange:
    """By the rates of the file."""
    return Exchange(currency=currency, rates={cloud.currency: Decimal(1), **cloud.exchange_rates})


def exact(pico: int) -> Decimal:
    """An amount of 1e-12 as a decimal of its twelve decimals."""
    sign, digits, _ = Decimal(pico).as_tuple()
    return Decimal((sign, digits, -12))


def pico_of(amount: Decimal) -> int:
    """1e-12 of a decimal that has no more decimals than that."""
    return int(Fraction(amount) * PICO)
