"""Hours that do not differ in anything that sets a price."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence

from neocloud.books.prices import ContractTerms, PriceBook, PriceVersion
from neocloud.books.rating.sums import month_of
from neocloud.units import HOUR_NS


class Slots(dict[int, int]):
    """A number for each hour since the epoch (UTC): the same where every price is the same.

    Two hours of one number lie in the same month, between the same changes of prices and terms of
    contracts, and under the same adjustments by hour. All of those change at full hours.
    """

    def __init__(self, book: PriceBook, contracts: Sequence[ContractTerms]) -> None:
        super().__init__()
        versions = (book.current, *book.kept.values())
        self._changes = sorted(
            {change for version in versions for change in _changes(version)}
            | {bound for terms in contracts for bound in (terms.start_ns, terms.end_ns)}
        )
        self._hours = [a.hours for version in versions for a in version.adjustments if a.hours]
        self._numbers: dict[tuple[object, ...], int] = {}

    def __missing__(self, hour: int) -> int:
        """Work out the number of an hour that was not asked for before."""
        time_ns = hour * HOUR_NS
        of_day = hour % 24
        like = (
            month_of(time_ns),
            bisect_right(self._changes, time_ns),
            tuple(of_day in hours for hours in self._hours),
        )
        self[hour] = number = self._numbers.setdefault(like, len(self._numbers))
        return number


def _changes(version: PriceVersion) -> Iterable[int]:
    yield from (rates.start_ns for rates in version.models)
    for adjustment in version.adjustments:
        yield adjustment.start_ns
        if adjustment.end_ns is not None:
            yield adjustment.end_ns
