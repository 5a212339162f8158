"""From sums to lines: what contracts cover, then tiers, then quantity times price."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction

from neocloud.books.prices import (
    ContractTerms,
    Meter,
    PriceBook,
    Tiering,
    TokenBill,
    adjusted,
    factor_of,
)
from neocloud.books.prices import ModelRates as Rates
from neocloud.books.prices import PriceVersion as Version
from neocloud.books.rating.records import RatedLine
from neocloud.books.rating.sums import HeldKey, HourKey, Share, TokenKey
from neocloud.units import HOUR_NS

Segment = tuple[str, str, str, bool, str, int]
"""Rates in use: tenant, model, month, emulated, version, start of the rates."""


def token_lines(
    book: PriceBook,
    contracts: Sequence[ContractTerms],
    tokens: Mapping[TokenKey, int],
    shared: Mapping[HourKey, Mapping[Share, int]],
    first_hour: Mapping[Segment, int],
) -> list[RatedLine]:
    """Lines of all tokens.

    Args:
        book: price versions.
        contracts: whose places `shared` names.
        tokens: sums that no hourly rate may cover.
        shared: those that it may, hour by hour.
        first_hour: when each segment began to be used: the order in which tiers are filled.
    """
    prices = _Prices(book)
    lines: dict[tuple[object, ...], RatedLine] = {}
    plain = dict(tokens)
    for hour, shares in sorted(shared.items()):
        left, covered = _cover(prices, contracts, hour.hour * HOUR_NS, shares)
        for line in covered:
            _keep(lines, line)
        for share, rest in left.items():
            if rest:
                plain[share.key] = plain.get(share.key, 0) + rest
    groups: dict[tuple[str, str, Meter, str, bool], dict[TokenKey, int]] = {}
    for key, quantity in plain.items():
        if not key.billed or key.contract:
            _keep(lines, _line(prices, key, quantity, 0, 0))
        else:
            of = (key.tenant, key.model, key.meter, key.month, key.emulated)
            groups.setdefault(of, {})[key] = quantity
    for group in groups.values():
        for line in _tiered(prices, group, first_hour):
            _keep(lines, line)
    return list(lines.values())


def held_lines(held: Mapping[HeldKey, int], version: str) -> list[RatedLine]:
    """Lines of accelerator-time. The amount is the sum times the price, rounded to even once."""
    return [
        RatedLine(
            tenant=key.tenant,
            meter=Meter.ACCELERATOR_HOUR,
            model=key.model,
            accelerator=key.accelerator,
            month=key.month,
            emulated=key.emulated,
            billed=key.billed,
            contract=key.contract,
            version=version,
            since_ns=key.since_ns,
            currency=key.currency,
            unit_pico=key.unit_pico,
            quantity=quantity,
            pico=amount_of(Meter.ACCELERATOR_HOUR, quantity, key.unit_pico),
        )
        for key, quantity in held.items()
        if quantity
    ]


def amount_of(meter: Meter, quantity: int, unit_pico: int) -> int:
    """Amount of a line, 1e-12 of the currency."""
    if meter.is_tokens:
        return quantity * unit_pico
    whole, rest = divmod(quantity * unit_pico, HOUR_NS)
    return whole + (2 * rest > HOUR_NS or (2 * rest == HOUR_NS and whole % 2 == 1))


class _Prices:
    """Unit prices by key and tier, each worked out once."""

    def __init__(self, book: PriceBook) -> None:
        self._book = book
        self._versions: dict[str, Version] = {book.current.id: book.current, **book.kept}
        self._rates: dict[tuple[str, str, int], Rates] = {}
        self._known: dict[tuple[str, str, Meter, int, tuple[str, ...], int], int] = {}
        self._factors: dict[tuple[str, tuple[str, ...]], Fraction] = {}

    def version(self, key: TokenKey) -> Version:
        return self._versions[key.version]

    def rates(self, key: TokenKey) -> Rates:
        place = (key.version, key.model, key.since_ns)
        if place not in self._rates:
            found = self.version(key).rates_at(key.model, key.since_ns)
            assert found is not None, key  # it was found when the events were summed
            self._rates[place] = found
        return self._rates[place]

    def unit(self, key: TokenKey, tier: int) -> int:
        place = (key.version, key.model, key.meter, key.since_ns, key.adjustments, tier)
        if place not in self._known:
            pico = self.rates(key).tiers[tier].pico_per_token[key.meter]
            self._known[place] = adjusted(pico, self.factor(key))
        return self._known[place]

    def factor(self, key: TokenKey) -> Fraction:
        place = (key.version, key.adjustments)
        if place not in self._factors:
            self._factors[place] = factor_of(
                a.change for a in self.version(key).adjustments if a.name in key.adjustments
            )
        return self._factors[place]


def _cover(
    prices: _Prices,
    contracts: Sequence[ContractTerms],
    time_ns: int,
    shares: Mapping[Share, int],
) -> tuple[dict[Share, int], list[RatedLine]]:
    """What the contracts leave of an hour's tokens, and lines of what they cover.

    Contracts cover in the order of the file, the dearest tokens of the hour first.
    """
    left = dict(shares)
    lines = []
    order = sorted(left, key=lambda share: (-prices.unit(share.key, 0), share))
    for place in sorted({place for share in left for place in share.contracts}):
        terms = contracts[place]
        assert terms.bill is TokenBill.RATE, terms
        room = terms.tokens_per_hour
        since_ns, unit_pico = terms.step_at(time_ns)
        for share in order:
            taken = min(room, left[share]) if place in share.contracts else 0
            if taken:
                room -= taken
                left[share] -= taken
                key = share.key
                lines.append(
                    RatedLine(
                        tenant=key.tenant,
                        meter=key.meter,
                        model=key.model,
                        month=key.month,
                        status=key.status.value,
                        emulated=key.emulated,
                        contract=terms.name,
                        version=key.version,
                        since_ns=since_ns,
                        currency=terms.currency,
                        unit_pico=unit_pico,
                        quantity=taken,
                        pico=taken * unit_pico,
                    )
                )
    return left, lines


def _tiered(
    prices: _Prices, group: Mapping[TokenKey, int], first_hour: Mapping[Segment, int]
) -> Iterator[RatedLine]:
    """Lines of one tenant, model, meter and month.

    Tokens fill the tiers in the order of the rates that they were admitted under, and within the
    same rates the most discounted first, which is to the tenant's good where later tiers are
    cheaper. The order depends on sums alone.
    """

    def place(key: TokenKey) -> tuple[object, ...]:
        segment = (key.tenant, key.model, key.month, key.emulated, key.version, key.since_ns)
        return first_hour[segment], key.since_ns, key.version, prices.factor(key), key

    total, at = sum(group.values()), 0
    for key in sorted(group, key=place):
        quantity, rates = group[key], prices.rates(key)
        bounds = [tier.above for tier in rates.tiers]
        if rates.tiering is Tiering.VOLUME:
            tier = max(number for number, above in enumerate(bounds) if above < total)
            yield _line(prices, key, quantity, tier, prices.unit(key, tier))
        else:
            for tier, above in enumerate(bounds):
                end = bounds[tier + 1] if tier + 1 < len(bounds) else at + quantity
                within = min(end, at + quantity) - max(above, at)
                if within > 0:
                    yield _line(prices, key, within, tier, prices.unit(key, tier))
        at += quantity


def _line(prices: _Prices, key: TokenKey, quantity: int, tier: int, unit_pico: int) -> RatedLine:
    return RatedLine(
        tenant=key.tenant,
        meter=key.meter,
        model=key.model,
        month=key.month,
        status=key.status.value,
        emulated=key.emulated,
        billed=key.billed,
        contract=key.contract,
        adjustments=key.adjustments,
        tier=tier,
        version=key.version,
        since_ns=key.since_ns,
        currency=prices.version(key).currency,
        unit_pico=unit_pico,
        quantity=quantity,
        pico=quantity * unit_pico,
    )


def _keep(lines: dict[tuple[object, ...], RatedLine], line: RatedLine) -> None:
    """Add a line to those of the same key."""
    lines[line.key] = line if (before := lines.get(line.key)) is None else _sum(before, line)


def _sum(a: RatedLine, b: RatedLine) -> RatedLine:
    quantity = a.quantity + b.quantity
    values = {name: getattr(a, name) for name in a.__struct_fields__}
    return RatedLine(
        **{**values, "quantity": quantity, "pico": amount_of(a.meter, quantity, a.unit_pico)}
    )
