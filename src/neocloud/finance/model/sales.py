"""Revenue: contracts with their prepayments, merchant sales, what is let again."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate

from neocloud.finance.arithmetic import Exact, Index, Rate, Value
from neocloud.finance.model.setting import Setting
from neocloud.finance.outcome import ContractLines, Line, MerchantLines
from neocloud.finance.records import Contract, Merchant


@dataclass(frozen=True, slots=True)
class Sold:
    """A contract's account, and what of it goes by invoice.

    Attributes:
        lines: the account.
        invoiced: revenue and what is let again, less prepayments credited.
        fees: of termination, paid at once.
    """

    lines: ContractLines
    invoiced: Line
    fees: Line


@dataclass(frozen=True, slots=True)
class _Terms:
    """A contract's series that no path changes.

    Attributes:
        contract: whose.
        remaining: what is still to be earned.
        market: value of its hours at the market's price; empty where that is not known.
        whole: what all of its hours would earn; empty where it has none.
        fee: share of what remains that is paid by who leaves.
    """

    contract: Contract
    remaining: tuple[int, ...]
    market: tuple[int, ...]
    whole: tuple[int, ...]
    fee: Rate


def sold(setting: Setting, contract: Contract) -> Sold:
    """A contract by month. See `Shocks` for what moves it."""
    a = setting.a
    shift = setting.shift(contract.requires, contract.first)
    terms = _terms(setting, contract)
    liability = a.money(contract.opening_prepaid)
    weight = None if contract.weight == 1 else a.rate(contract.weight)
    alive_before: Rate = a.rate(Fraction(1))
    rows = []
    for month in range(setting.count):
        index = month - shift
        alive = setting.factor(setting.shocks.alive.get(contract.key), month)
        received = setting.scaled(a.at(contract.received, index), weight, alive)
        liability = liability + received
        forfeited = fee = a.zero
        if alive is not None:
            lost = a.positive(alive_before - alive)
            forfeited = a.part(liability, lost, alive_before)
            value = a.at(terms.remaining, a.most(index, 0))
            fee = a.positive(setting.scaled(value, terms.fee, weight, lost) - forfeited)
            liability = liability - forfeited
            alive_before = alive
        revenue, released = _delivered(setting, terms, month, index, (weight, alive))
        released = a.least(a.least(released, liability), revenue)
        liability = liability - released
        relet = _relet(setting, terms, month, index, (weight, alive))
        rows.append((revenue, relet, forfeited + fee, received, released, liability, fee))
    columns = list(zip(*rows, strict=True))
    lines = ContractLines(
        key=contract.key,
        revenue=columns[0],
        relet=columns[1],
        termination=columns[2],
        received=columns[3],
        released=columns[4],
        liability=columns[5],
        shift=shift,
    )
    invoiced = tuple(row[0] + row[1] - row[4] for row in rows)
    return Sold(lines=lines, invoiced=invoiced, fees=columns[6])


def _terms(setting: Setting, contract: Contract) -> _Terms:
    a = setting.a
    market: tuple[int, ...] = ()
    if contract.market_price and contract.hours:
        pairs = zip(contract.market_price, contract.hours, strict=True)
        market = tuple(Exact().times(pico, hours) for pico, hours in pairs)
    share = contract.leaving.fee_share if contract.leaving else Fraction(0)
    return _Terms(
        contract=contract,
        remaining=tuple(accumulate(reversed(contract.earned)))[::-1],
        market=market,
        whole=_whole(contract),
        fee=a.rate(share) * a.rate(setting.shocks.fee_collected),
    )


def _whole(contract: Contract) -> tuple[int, ...]:
    if not contract.price or not any(contract.hours):
        return ()
    pairs = zip(contract.price, contract.hours, contract.earned, strict=True)
    # A price that changes within a month is its last here: what is earned is the least of it.
    return tuple(max(earned, Exact().times(price, hours)) for price, hours, earned in pairs)


def _delivered(
    setting: Setting,
    terms: _Terms,
    month: int,
    index: Index,
    parts: tuple[Rate | None, Rate | None],
) -> tuple[Value, Value]:
    """Revenue and the prepayment that it would be credited with."""
    a = setting.a
    shocks, contract = setting.shocks, terms.contract
    delivered = setting.factor(shocks.delivered, month)
    used = setting.factor(shocks.utilisation, month)
    earned = a.at(contract.earned, index)
    if used is not None:
        earned = a.most(a.at(contract.committed, index), a.times(earned, used))
        if terms.whole:
            earned = a.least(earned, a.at(terms.whole, index))
    revenue = setting.scaled(earned, *parts, delivered)
    released = setting.scaled(a.at(contract.released, index), *parts, delivered)
    return revenue, released


def _relet(
    setting: Setting,
    terms: _Terms,
    month: int,
    index: Index,
    parts: tuple[Rate | None, Rate | None],
) -> Value:
    """What is let again of what was lost, at the market's price."""
    shocks = setting.shocks
    weight, alive = parts
    again = setting.factor(shocks.relet.get(terms.contract.key), month)
    if alive is None or again is None or not terms.market:
        return setting.a.zero
    return setting.scaled(
        setting.a.at(terms.market, index),
        1 - alive,
        again,
        weight,
        setting.factor(shocks.rental, month),
        setting.factor(shocks.delivered, month),
    )


def merchant_sold(setting: Setting, merchant: Merchant) -> MerchantLines:
    """A merchant line by month."""
    shocks = setting.shocks
    shift = setting.shift(merchant.requires, merchant.first)
    price = shocks.token if merchant.source == "tokens" else shocks.rental
    revenue = tuple(
        setting.scaled(
            setting.a.at(merchant.earned, month - shift),
            setting.factor(price, month),
            setting.factor(shocks.utilisation, month),
            setting.factor(shocks.delivered, month),
        )
        for month in range(setting.count)
    )
    return MerchantLines(key=merchant.key, revenue=revenue)
