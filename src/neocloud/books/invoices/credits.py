"""Prepaid credits: which of them pay for a document, in which order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from fractions import Fraction

from neocloud.books.invoices.money import Exchange, pico_of
from neocloud.books.invoices.records import CreditUse
from neocloud.books.prices import midnight_ns
from neocloud.spec import PrepaidCredit
from neocloud.units import Period


def cuts_of(credits_: Sequence[PrepaidCredit], period: Period) -> tuple[int, ...]:
    """Moments within a period at which a credit begins or expires."""
    moments = {midnight_ns(day) for c in credits_ for day in (c.day, c.expires) if day is not None}
    return tuple(sorted(t for t in moments if period.start_ns < t < period.end_ns))


def slices_of(
    total: int, accrued: Callable[[int], int], period: Period, cuts: Sequence[int]
) -> tuple[tuple[int, int, int], ...]:
    """An amount laid out over the period: start, end, and what accrued between.

    Args:
        total: of the whole period, 1e-12; what has no moment accrues at its end.
        accrued: what had accrued by a moment.
        period: the period.
        cuts: moments within it.
    """
    bounds = [period.start_ns, *cuts, period.end_ns]
    sums = [0]
    for cut in cuts:
        sums.append(min(max(sums[-1], accrued(cut)), max(0, total)))
    sums.append(max(0, total))
    return tuple((bounds[n], bounds[n + 1], sums[n + 1] - sums[n]) for n in range(len(bounds) - 1))


def use_credits(
    credits_: Sequence[PrepaidCredit],
    left: Sequence[int],
    slices: Sequence[tuple[int, int, int]],
    exchange: Exchange,
) -> tuple[CreditUse, ...]:
    """Pay each slice from the credits that hold throughout it.

    Lower priorities first, then what expires first, then in the order of the file.

    Args:
        credits_: of the tenant.
        left: of each, before this document, 1e-12.
        slices: what is to be paid, cut wherever a credit begins or expires.
        exchange: for the currency's decimals.
    """
    order = sorted(
        range(len(credits_)),
        key=lambda n: (credits_[n].priority, credits_[n].expires or date.max, n),
    )
    remaining = list(left)
    for start, end, amount in slices:
        unpaid = amount
        for n in order:
            credit = credits_[n]
            if credit.expires is not None and midnight_ns(credit.expires) < end:
                continue
            if midnight_ns(credit.day) <= start:
                paid = min(unpaid, exchange.down(Fraction(max(0, remaining[n]))))
                unpaid -= paid
                remaining[n] -= paid
    end_ns = slices[-1][1]
    return tuple(
        _used(credit, left[n], remaining[n], end_ns, exchange)
        for n, credit in enumerate(credits_)
        if left[n] and midnight_ns(credit.day) < end_ns
    )


def _used(
    credit: PrepaidCredit, before: int, after: int, end_ns: int, exchange: Exchange
) -> CreditUse:
    over = credit.expires is not None and midnight_ns(credit.expires) <= end_ns
    return CreditUse(
        name=credit.key,
        kind=credit.kind,
        granted=exchange.shown(pico_of(credit.amount)),
        start=credit.day.isoformat(),
        expires="" if credit.expires is None else credit.expires.isoformat(),
        before=exchange.shown(before),
        used=exchange.shown(before - after),
        left=exchange.shown(0 if over else after),
        expired=exchange.shown(after if over else 0),
    )
