"""The months that finance reckons: from when, and how many."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterable
from datetime import date

from neocloud.spec.contracts import Contract
from neocloud.spec.finance import Finance

MOST_MONTHS = 240
"""Months that are reckoned where the file does not say: the longest facilities run 20 years."""
WITHOUT_END = 60
"""Months that are reckoned where nothing has an end: the usual life of accelerators."""


def months_after(day: date, months: int) -> date:
    """The same day of the month some months later, or that month's last day."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def month_between(first: date, day: date) -> int:
    """How many calendar months a day lies after another's month; negative before it."""
    return (day.year - first.year) * 12 + day.month - first.month


def horizon(contracts: Iterable[Contract], finance: Finance, otherwise: date) -> tuple[date, int]:
    """First day of the first month, and how many months are reckoned.

    Args:
        contracts: all of the file.
        finance: what it says of money.
        otherwise: a day of the first month, where nothing in the file has a day.
    """
    listed = tuple(contracts)
    first = finance.start or min(_beginnings(listed, finance), default=otherwise)
    first = first.replace(day=1)
    if finance.months is not None:
        return first, finance.months
    ends = [months_after(contract.start, contract.term_months) for contract in listed]
    ends += [facility.maturity for facility in finance.debt]
    if not ends:
        return first, WITHOUT_END
    last = max(ends)
    months = month_between(first, last) + (last.day > 1)
    return first, max(1, min(months, MOST_MONTHS))


def _beginnings(contracts: tuple[Contract, ...], finance: Finance) -> Iterable[date]:
    for contract in contracts:
        yield contract.start
        yield from (paid.day for paid in contract.prepayments)
    for asset in finance.assets:
        yield asset.ordered or asset.in_service
        yield from (
            months_after(asset.in_service, -paid.months_before_service) for paid in asset.payments
        )
    yield from (facility.start for facility in finance.debt)
    yield from (paid.day for paid in finance.equity)
