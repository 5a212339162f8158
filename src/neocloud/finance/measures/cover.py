"""Cover, leverage and liquidity, by month, from an `Outcome`.

`definition` says how prepayments count in CFADS (see `Cfads`): `credited` is what covenants are
tested on, `received` has the cash as it comes, `ignored` is what a reader gets who forgets them.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Literal, TypeAlias

import numpy as np

from neocloud.finance.arithmetic import Arithmetic, Condition, Index, Value
from neocloud.finance.measures.ratios import (
    NOTHING,
    Ratio,
    first_month,
    quotient,
    trailing,
)
from neocloud.finance.outcome import Cfads, FacilityLines, Line, Outcome
from neocloud.finance.records import Inputs
from neocloud.units.money import PICO

Definition: TypeAlias = Literal["received", "credited", "ignored"]

YEAR = 12
"""Months that trailing measures look back."""

Ratios: TypeAlias = tuple[Ratio, ...]
"""One ratio a month."""


def cfads_of(cfads: Cfads, definition: Definition) -> Line:
    """CFADS with prepayments as defined."""
    lines: dict[Definition, Line] = {
        "received": cfads.received,
        "credited": cfads.credited,
        "ignored": cfads.ignored,
    }
    return lines[definition]


def dscr_by_period(
    a: Arithmetic, lines: FacilityLines, definition: Definition = "credited"
) -> Ratios:
    """DSCR of each payment period, in the month that ends it: CFADS over debt service.

    Debt service is what this cash carries (`service_before`): interest paid, fees, scheduled
    principal. Other months, and periods that began before what secures it is in service, have none.
    """
    cfads = cfads_of(lines.cfads, definition)
    found: list[Ratio] = []
    previous = -1
    for month, due in enumerate(lines.due):
        if not due:
            found.append(_none(a))
            continue
        window = month - previous if previous >= 0 else _first_period(lines, month)
        found.append(_cover(a, lines, cfads, month, window))
        previous = month
    return tuple(found)


def _first_period(lines: FacilityLines, month: int) -> int:
    """Months of the first payment period in the model: as long as the next, if there is one."""
    later = [other for other, due in enumerate(lines.due) if due and other > month]
    return min(month + 1, later[0] - month) if later else month + 1


def dscr_trailing(
    a: Arithmetic,
    lines: FacilityLines,
    definition: Definition = "credited",
    months: int = YEAR,
) -> Ratios:
    """DSCR over the last twelve months, in each month that ends a payment period.

    Within the first twelve months of service the window is the payment periods that began since.
    Where nothing is owed in the month there is none: fees alone, or what was paid back early, make
    no service that cash could cover well or badly.
    """
    cfads = cfads_of(lines.cfads, definition)
    return tuple(
        only(_cover(a, lines, cfads, month, months), owes) if due else _none(a)
        for month, (due, owes) in enumerate(zip(lines.due, owed(a, lines), strict=True))
    )


def owed(a: Arithmetic, lines: FacilityLines) -> tuple[Condition, ...]:
    """Whether more than one unit of currency is owed at the start or the end of each month.

    So the month of the last payment counts, after which nothing is owed.
    """
    return tuple(
        a.most(opening, closing) > a.money(PICO)
        for opening, closing in zip(lines.opening, lines.closing, strict=True)
    )


def only(value: Ratio, where: Condition) -> Ratio:
    """A ratio where a condition holds; else none."""
    if isinstance(where, np.ndarray):
        return np.where(where, np.nan if value is None else value, np.nan)
    return value if where else None


def _cover(a: Arithmetic, lines: FacilityLines, cfads: Line, month: int, window: int) -> Ratio:
    since = counted_from(lines)
    carried = trailing(a, lines.service_before, month, window, since)
    return quotient(a, trailing(a, cfads, month, window, since), carried)


def counted_from(lines: FacilityLines) -> Index:
    """First month of the first payment period that is in service from its start.

    A period pays its whole service at its end: beside a part of its cash that would say nothing.
    """
    ends = [month for month, due in enumerate(lines.due) if due]
    if not ends:
        return lines.service_from
    count = len(lines.due)
    starts = [ends[0] + 1 - _first_period(lines, ends[0]), *(end + 1 for end in ends)]
    following = [
        next((s for s in starts if s >= month), count) if month > starts[0] else month
        for month in range(count + 1)
    ]
    since = lines.service_from
    if isinstance(since, np.ndarray):
        return np.where(since < 0, since, np.asarray(following)[np.clip(since, 0, count)])
    return since if since < 0 else following[min(since, count)]


def _none(a: Arithmetic) -> Ratio:
    return quotient(a, a.zero, a.zero)


def life_cover(
    a: Arithmetic,
    lines: FacilityLines,
    definition: Definition = "credited",
    *,
    months_after: int = 0,
) -> Ratios:
    """LLCR: what later CFADS is worth, and the reserve, over the debt at the end of each month.

    CFADS to the last payment counts, discounted by month at the facility's own rates, `rate / 12`;
    with `months_after` that many months more (PLCR: all there are). The reserve counts alike.
    """
    cfads = cfads_of(lines.cfads, definition)
    count = len(cfads)
    ends = [month for month, due in enumerate(lines.due) if due]
    last = min(count - 1, (ends[-1] if ends else -1) + months_after)
    worth = a.zero
    found: list[Ratio] = []
    for month in reversed(range(count)):
        owed = lines.debt_before[month]
        found.append(quotient(a, worth + lines.reserve[month], owed))
        flow = cfads[month] if month <= last else a.zero
        worth = a.times(worth + flow, 1 / (1 + lines.rate[month] * a.rate(Fraction(1, YEAR))))
    return tuple(reversed(found))


def loan_life_cover(
    a: Arithmetic, lines: FacilityLines, definition: Definition = "credited"
) -> Ratios:
    """LLCR by month."""
    return life_cover(a, lines, definition)


def project_life_cover(
    a: Arithmetic, lines: FacilityLines, definition: Definition = "credited"
) -> Ratios:
    """PLCR by month: as LLCR, over all months of the model."""
    return life_cover(a, lines, definition, months_after=len(lines.due))


def loan_to_value(a: Arithmetic, inputs: Inputs, outcome: Outcome, key: str) -> Ratios:
    """Debt over the book value of what secures it, at the end of each month.

    Debt of all facilities that any of the same assets secure counts.
    """
    own = next(item for item in inputs.facilities if item.key == key)
    sharing = [
        lines
        for item, lines in zip(inputs.facilities, outcome.facilities, strict=True)
        if set(item.collateral) & set(own.collateral)
    ]
    worth = outcome.facility(key).collateral
    return tuple(
        quotient(a, sum((item.closing[month] for item in sharing), start=a.zero), worth[month])
        for month in range(len(worth))
    )


def interest_cover(a: Arithmetic, outcome: Outcome) -> Ratios:
    """EBITDA over interest and fees of the company, of the last twelve months."""
    income = outcome.income
    return tuple(
        quotient(
            a,
            trailing(a, income.ebitda, month, YEAR),
            trailing(a, income.interest, month, YEAR) + trailing(a, income.fees, month, YEAR),
        )
        for month in range(outcome.months.count)
    )


def net_debt(outcome: Outcome) -> Line:
    """Debt and leases less cash and reserve accounts."""
    balance = outcome.balance
    columns = zip(balance.debt, balance.leases, balance.cash, balance.reserves, strict=True)
    return tuple(debt + leases - cash - reserves for debt, leases, cash, reserves in columns)


def leverage(a: Arithmetic, outcome: Outcome) -> Ratios:
    """Net debt over EBITDA of the last twelve months; of fewer, scaled to a year."""
    debt = net_debt(outcome)
    found = []
    for month in range(outcome.months.count):
        seen = min(month + 1, YEAR)
        year = a.times(trailing(a, outcome.income.ebitda, month, YEAR), Fraction(YEAR, seen))
        found.append(quotient(a, debt[month], year))
    return tuple(found)


def contracted_cover(a: Arithmetic, outcome: Outcome) -> Ratios:
    """Cover of the company's debt service by contracts alone, of the last twelve months.

    CFADS counts with the share of revenue that is contracted; prepayments as credited.
    """
    found = []
    for month in range(outcome.months.count):
        cash = trailing(a, outcome.cfads.credited, month, YEAR)
        contracted = trailing(a, outcome.income.contracted, month, YEAR)
        revenue = trailing(a, outcome.income.revenue, month, YEAR)
        service: Value = a.zero
        for lines in outcome.facilities:
            service = service + trailing(a, lines.service, month, YEAR)
        found.append(quotient(a, a.part(cash, contracted, revenue), service))
    return tuple(found)


def runway(a: Arithmetic, inputs: Inputs, outcome: Outcome) -> Index:
    """Months until cash ends below the minimum or a bill cannot be paid; all if that never is."""
    least = a.money(inputs.policies.minimum_cash)
    balance = outcome.balance

    def ends(month: int) -> object:
        # All money here is whole units of the currency or more; less is a float's last bits.
        return balance.shortfall[month] + a.positive(least - balance.cash[month]) > NOTHING

    return first_month(outcome.months.count, ends)
