"""The borrowing base: what may be lent on collateral that serves customers under contract."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from neocloud.finance.arithmetic import Exact
from neocloud.finance.lender.collateral import Collateral
from neocloud.finance.lender.records import BaseLine, BorrowingBase, Terms
from neocloud.finance.lender.shown import amount, ratio
from neocloud.finance.outcome import Outcome
from neocloud.finance.records import Facility, Inputs

_Row = tuple[BaseLine, int, int, int]
"""A line with its value, what is eligible and what may be lent, pico-units."""


def borrowing_base(
    inputs: Inputs,
    outcome: Outcome,
    facility: Facility,
    month: int,
    collateral: tuple[Collateral, ...],
    terms: Terms,
) -> BorrowingBase:
    """The base of a facility at the end of a month."""
    rows = [row for item in collateral for row in _rows(facility, item, terms)]
    value, eligible = sum(row[1] for row in rows), sum(row[2] for row in rows)
    base = sum(row[3] for row in rows)
    drawn = outcome.facility(facility.key).closing[month]
    others = sum(
        outcome.facility(other.key).closing[month]
        for other in inputs.facilities
        if other.key != facility.key and set(other.collateral) & set(facility.collateral)
    )
    undrawn = _undrawn(inputs, outcome, facility, month)
    availability = base - drawn - others if facility.collateral else undrawn
    return BorrowingBase(
        lines=tuple(row[0] for row in rows),
        value=amount(value),
        eligible=amount(eligible),
        base=amount(base),
        drawn=amount(drawn),
        drawn_by_others=amount(others),
        availability=amount(availability),
        undrawn=amount(undrawn),
        can_be_drawn=amount(max(0, min(availability, undrawn))),
        loan_to_value=ratio(Fraction(drawn + others, value)) if value else None,
        note=""
        if collateral
        else "The facility names no collateral, so no borrowing base limits it.",
    )


def _rows(facility: Facility, item: Collateral, terms: Terms) -> Iterator[_Row]:
    """An asset's parts by the credit of those whom they serve, then what serves nobody."""
    rates = {advance.credit: advance.rate for advance in terms.advances}
    by_credit: dict[str, Fraction] = {}
    customers: dict[str, dict[str, None]] = {}
    for each in item.serving:
        by_credit[each.credit] = by_credit.get(each.credit, Fraction(0)) + each.share
        customers.setdefault(each.credit, {})[each.customer] = None
    left = item.appraised
    for credit in sorted(by_credit, key=lambda name: (-rates.get(name, Fraction(0)), name)):
        value = min(left, Exact().times(item.appraised, by_credit[credit]))
        left -= value
        rate, reason = rates.get(credit, Fraction(0)), ""
        if facility.advance_rate is not None:
            rate = min(rate, facility.advance_rate)
        if item.age_months >= terms.oldest_months:
            reason = f"{terms.oldest_months} months or older"
        elif not rate:
            reason = f"nothing is lent on credit {credit}"
        yield _row(item, (credit, tuple(customers[credit])), value, rate, reason)
    if left:
        yield _row(item, ("", ()), left, Fraction(0), "under no contract")


def _row(
    item: Collateral, who: tuple[str, tuple[str, ...]], value: int, rate: Fraction, reason: str
) -> _Row:
    eligible = 0 if reason else value
    available = Exact().times(eligible, rate)
    line = BaseLine(
        asset=item.asset.key,
        kind=item.asset.kind,
        status=item.status,
        age_months=item.age_months,
        credit=who[0],
        customers=who[1],
        value=amount(value),
        eligible=amount(eligible),
        advance_rate=ratio(rate),
        available=amount(available),
        reason=reason,
    )
    return line, value, eligible, available


def _undrawn(inputs: Inputs, outcome: Outcome, facility: Facility, month: int) -> int:
    """What of the commitment may still be drawn after a month, by its kind and its last day."""
    lines = outcome.facility(facility.key)
    last = facility.available_until
    over = inputs.months.start(month + 1)
    if (last is not None and last < over) or facility.maturity <= over:
        return 0
    if facility.kind in ("lease", "convertible"):
        return 0
    if facility.kind == "revolver":
        return max(0, facility.commitment - int(lines.closing[month]))
    taken: int = facility.opening + sum(lines.drawn[: month + 1])
    return max(0, facility.commitment - taken)
