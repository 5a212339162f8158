"""From the books and the ledger to the journal of a period."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta

from neocloud.books.journal.gather import Material
from neocloud.books.journal.names import COMMODITY_NAMES, account_name
from neocloud.books.journal.records import Assertion, Journal, Leg, Opened, Transaction
from neocloud.units import Period, format_utc

Sums = dict[tuple[str, str], int]
"""Debits less credits by (account, commodity)."""


def make_journal(material: Material, cloud: str, period: Period | None, what: str) -> Journal:
    """The journal of a period, or of all.

    What was there before a period stands as one opening transaction: the journals of two periods
    that join say together what that of both says.

    Args:
        material: of the whole books.
        cloud: name of the cloud.
        period: days that it covers, by accounting date.
        what: period and tenant, in words.
    """
    first = "" if period is None else format_utc(period.start_ns)[:10]
    after = "9999-12-31" if period is None else format_utc(period.end_ns)[:10]
    within = [t for t in material.transactions if first <= t.day < after]
    before = _sums(t for t in material.transactions if t.day < first)
    opening = _opening(before, first)
    shown = (opening, *within) if opening.legs else tuple(within)
    if period is None:
        after = _next(max((t.day for t in within), default="1970-01-01"))
    closed = {name: day for name, day in _closings(material).items() if first < day <= after}
    commodities = {leg.commodity for t in shown for leg in t.legs}
    return Journal(
        cloud=cloud,
        what=what,
        currencies=tuple(sorted(commodities - COMMODITY_NAMES.keys())),
        opened=_opened(material, shown, (first, after), closed),
        transactions=shown,
        assertions=tuple(sorted(set(_assertions(material, shown, after, closed)))),
    )


def _sums(transactions: Iterable[Transaction]) -> Sums:
    found: Sums = {}
    for transaction in transactions:
        for leg in transaction.legs:
            key = leg.account, leg.commodity
            found[key] = found.get(key, 0) + leg.count
    return found


def _opening(before: Sums, first: str) -> Transaction:
    """What accounts held before: debits and credits of it are equal, so it needs no counterpart."""
    return Transaction(
        day=first, rank=-1, id="opening", tag="opening", tenant="", text="Balances before",
        legs=tuple(
            Leg(account=name, commodity=commodity, count=count)
            for (name, commodity), count in sorted(before.items())
            if count
        ),
    )  # fmt: skip


def _opened(
    material: Material,
    shown: Sequence[Transaction],
    days_of: tuple[str, str],
    closed: Mapping[str, str],
) -> tuple[Opened, ...]:
    first, after = days_of
    ids = {account_name(each): each for each in material.accounts.values()}
    days: dict[str, str] = {}
    for transaction in shown:
        for leg in transaction.legs:
            days[leg.account] = min(transaction.day, days.get(leg.account, transaction.day))
    for (name, _), movements in _told(material).items():
        day = max(first, min(at for at, _ in movements))
        if day < after:
            days[name] = min(day, days.get(name, day))
    return tuple(
        sorted(
            Opened(
                day=day,
                name=name,
                commodities=(ids[name].currency,) if name in ids else (),
                account=ids[name].id if name in ids else "",
                closed=closed.get(name, ""),
            )
            for name, day in days.items()
        )
    )


def _closings(material: Material) -> dict[str, str]:
    """Accounts of credits that have expired and were used up: closed after their last movement."""
    sums = _sums(material.transactions)
    last: dict[str, str] = {}
    for transaction in material.transactions:
        for leg in transaction.legs:
            last[leg.account] = transaction.day
    found = {}
    for place, day in material.expired.items():
        of = material.accounts[place]
        name = account_name(of)
        if name in last and not sums[name, of.currency]:
            found[name] = max(_next(last[name]), day)
    return found


def _assertions(
    material: Material, shown: Sequence[Transaction], after: str, closed: Mapping[str, str]
) -> Iterator[Assertion]:
    """After each month and at the end: what documents and ledger say of each account."""
    days = sorted({_month_after(t.day) for t in shown if t.rank >= 0} | {after})
    told = _told(material)
    moved = {key for key in _sums(shown) if key[1] not in COMMODITY_NAMES}
    early = {key for key, movements in told.items() if any(at < after for at, _ in movements)}
    for name, currency in sorted(early | moved):
        movements = told.get((name, currency), [])
        known = 0
        for day in days:
            before = [pico for at, pico in movements if at < day]
            if day > closed.get(name, after) or (len(before) == known and day != after):
                continue
            known = len(before)
            yield Assertion(day=day, account=name, commodity=currency, count=sum(before))
    later = _sums(t for t in material.transactions if t.day >= after)
    here = _sums(shown)
    for (name, commodity), count in material.waiting.items():
        if (name, commodity) in here:
            left = count - later.get((name, commodity), 0)
            yield Assertion(day=after, account=name, commodity=commodity, count=left)


def _told(material: Material) -> dict[tuple[str, str], list[tuple[str, int]]]:
    """Movements by account and currency as the documents state them: day and amount."""
    found: dict[tuple[str, str], list[tuple[str, int]]] = {}

    def tell(place: str, day: str, pico: int) -> None:
        of = material.accounts[place]
        found.setdefault((account_name(of), of.currency), []).append((day, pico))

    grants = {grant.id: grant for each in material.stated for grant in each.grants}
    for each in material.stated:
        for place, pico in each.sums:
            tell(place, each.day, pico)
    for grant in grants.values():
        tell(grant.debit, grant.day, grant.pico)
        tell(grant.credit, grant.day, -grant.pico)
    return found


def _next(day: str) -> str:
    return (date.fromisoformat(day) + timedelta(days=1)).isoformat()


def _month_after(day: str) -> str:
    found = date.fromisoformat(day)
    return (found.replace(day=1) + timedelta(days=32)).replace(day=1).isoformat()
