"""Prices as the price list has them, beside what a line was charged at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal

import msgspec

from neocloud.books.focus.figures import MILLION, short
from neocloud.books.invoices import Line
from neocloud.books.invoices.money import exact
from neocloud.books.prices import Meter, ModelRates, PriceVersion, adjusted, factor_of
from neocloud.units import format_utc, parse_period


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """The price that anyone would pay, by whom it was published and where it is found.

    Attributes:
        price: of a million tokens or an accelerator-hour.
        currency: of the price.
        path: what tells it from other prices of the same SKU, as parts of its id.
        above: tokens of the month from which its tier holds.
    """

    price: Decimal
    currency: str
    path: tuple[str, ...]
    above: int = 0


class PriceLists:
    """Price versions by id, asked for the list prices of lines."""

    def __init__(self, versions: Mapping[str, PriceVersion]) -> None:
        self._versions = versions

    def of(self, line: Line, version: str, start_ns: int) -> Listed:
        """List price of a line; its own price where no list has one.

        An adjustment that names tenants was agreed with them; all others anyone may have, so that
        they are part of the list price. Under a contract the list price is that of the first tier
        at the beginning of the charge, without adjustments.

        Args:
            line: with a quantity.
            version: id of the price version.
            start_ns: first moment of the charge.
        """
        assert line.unit_price is not None
        own = Listed(price=line.unit_price, currency=line.price_currency, path=(line.contract,))
        prices = self._versions.get(version)
        if prices is None:
            return own
        if line.unit != "token":
            return _of_hours(prices, line, version, start_ns) or own
        if not line.meter or (line.contract and not line.unit_price):
            return own  # no one meter, or tokens that their accelerators pay for
        if line.contract:
            return _of_rate(prices, line, version, start_ns) or own
        return _of_tokens(prices, line, version) or own


def _of_hours(prices: PriceVersion, line: Line, version: str, start_ns: int) -> Listed | None:
    if not line.contract:
        found = [
            rate
            for rate in prices.hours
            if rate.accelerator == line.accelerator
            and _price(rate.pico_per_hour) == line.unit_price
        ]
        rate = found[-1] if found else None
    else:
        rate = prices.hour_rate_at(line.accelerator, start_ns)
    if rate is None:
        return None
    return Listed(
        price=_price(rate.pico_per_hour),
        currency=prices.currency,
        path=(version, *_since(rate.start_ns)),
    )


def _of_rate(prices: PriceVersion, line: Line, version: str, start_ns: int) -> Listed | None:
    rates = prices.rates_at(line.model, start_ns)
    meter = Meter(line.meter)
    if rates is None or meter not in rates.tiers[0].pico_per_token:
        return None
    return Listed(
        price=_price(rates.tiers[0].pico_per_token[meter] * MILLION),
        currency=prices.currency,
        path=(version, *_since(rates.start_ns), "tier-1"),
    )


def _of_tokens(prices: PriceVersion, line: Line, version: str) -> Listed | None:
    assert line.unit_price is not None
    used = [a for a in prices.adjustments if a.name in line.adjustments]
    published = [a for a in used if not a.tenants]
    factor = factor_of(a.change for a in used)
    public = factor_of(a.change for a in published)
    found = None
    for rates, pico in _candidates(prices, line):
        if _price(adjusted(pico, factor) * MILLION) == line.unit_price:
            found = Listed(
                price=_price(adjusted(pico, public) * MILLION),
                currency=prices.currency,
                path=(
                    version, *_since(rates.start_ns), f"tier-{line.tier + 1}",
                    *(a.name for a in published),
                ),
                above=rates.tiers[line.tier].above,
            )  # fmt: skip
    return found


def _candidates(prices: PriceVersion, line: Line) -> Iterator[tuple[ModelRates, int]]:
    """Rates that may have priced a line, with the price before adjustments, 1e-12 a token."""
    end_ns = parse_period(line.month).end_ns
    meter = Meter(line.meter)
    for rates in prices.models:
        if rates.model == line.model and rates.start_ns < end_ns and line.tier < len(rates.tiers):
            pico = rates.tiers[line.tier].pico_per_token.get(meter)
            if pico is not None:
                yield rates, pico


def _since(start_ns: int) -> tuple[str, ...]:
    return (format_utc(start_ns)[:10],) if start_ns else ()


def _price(pico: int) -> Decimal:
    return short(exact(pico))
