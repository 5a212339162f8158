"""What is asked for first: earnings, cover, breach, runway, returns; sources and uses."""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any

from neocloud.books.tiers.exact import from_pico
from neocloud.finance.arithmetic import Exact
from neocloud.finance.board.records import Amount, CovenantReport, Headline, SourcesAndUses
from neocloud.finance.inputs import Backlog
from neocloud.finance.lender.shown import ratio
from neocloud.finance.measures import (
    dscr_trailing,
    equity_stream,
    lowest,
    lowest_month,
    project_stream,
    returns_of,
    runway,
)
from neocloud.finance.outcome import Outcome
from neocloud.finance.records import Inputs

YEAR = 12
_A = Exact()


def headline_of(
    inputs: Inputs, outcome: Outcome, backlog: Backlog, covenants: Sequence[CovenantReport]
) -> Headline:
    """The figures that are asked for first.

    Args:
        inputs: what was run.
        outcome: of an exact run of it.
        backlog: of the inputs.
        covenants: all covenants of all facilities.
    """
    months, income = outcome.months, outcome.income
    rate = inputs.policies.discount_rate
    equity = returns_of(equity_stream(_A, inputs, outcome), float(rate))
    project = returns_of(project_stream(_A, inputs, outcome), float(rate))
    owed = [a + b for a, b in zip(outcome.balance.debt, outcome.balance.leases, strict=True)]
    most = max(owed)
    least, whose, when = _least_cover(outcome)
    broken = min(
        (c for c in covenants if c.first_breach and c.measure != "lock_up"),
        key=lambda covenant: covenant.first_breach,
        default=None,
    )
    left = runway(_A, inputs, outcome)
    signed, since = _most_signed(inputs, backlog)
    return Headline(
        revenue_year=from_pico(sum(income.revenue[:YEAR])),
        ebitda_year=from_pico(sum(income.ebitda[:YEAR])),
        revenue=from_pico(sum(income.revenue)),
        ebitda=from_pico(sum(income.ebitda)),
        backlog=from_pico(signed),
        backlog_month=months.labels[since],
        peak_debt=from_pico(most),
        peak_debt_month=months.labels[owed.index(most)] if most else "",
        min_dscr=None if least is None else ratio(least),
        min_dscr_facility=whose,
        min_dscr_month=when,
        first_breach="" if broken is None else broken.first_breach,
        breached="" if broken is None else f"{broken.facility}: {broken.measure}",
        runway_months=left if left < months.count else None,
        short_from=months.labels[outcome.short_from] if outcome.short_from < months.count else "",
        equity_irr=known(equity.irr),
        equity_multiple=known(equity.multiple),
        equity_payback_years=known(equity.payback_years),
        equity_npv=from_pico(round(equity.npv)),
        project_irr=known(project.irr),
        discount_rate=ratio(rate),
    )


def known(number: Any) -> Decimal | None:
    """A float as a shown ratio; None of what is no number."""
    return None if math.isnan(number) else ratio(Fraction(number))


def _least_cover(outcome: Outcome) -> tuple[Fraction | None, str, str]:
    """Least trailing DSCR of all facilities, prepayments as credited: value, facility, month."""
    found: list[tuple[Fraction, int, str]] = []
    for lines in outcome.facilities:
        cover = dscr_trailing(_A, lines)
        least = lowest(cover)
        if least is not None:
            found.append((least, lowest_month(cover, outcome.months.count), lines.key))
    if not found:
        return None, "", ""
    least, month, key = min(found)
    return least, key, outcome.months.labels[month]


def _most_signed(inputs: Inputs, backlog: Backlog) -> tuple[int, int]:
    """Backlog at the start of the first month, or of the month before which most is signed."""
    first = sum(
        sum(contract.committed)
        for contract in inputs.contracts
        if contract.probability == 1 and contract.signed < 0
    )
    if first:
        return first, 0
    most = max(backlog.firm)
    return most, min(backlog.firm.index(most) + 1, inputs.months.count - 1) if most else 0


def sources_and_uses(inputs: Inputs, outcome: Outcome) -> SourcesAndUses:
    """Where money comes from and goes until the last asset that is being built is in service.

    Where nothing is being built, over the first twelve months.
    """
    months = outcome.months
    built = [
        lines.in_service
        for asset, lines in zip(inputs.assets, outcome.assets, strict=True)
        if not asset.standing and any(lines.paid)
    ]
    last = min(max(built, default=YEAR - 1), months.count - 1)
    until = slice(0, last + 1)
    cash, balance = outcome.cash, outcome.balance
    reserves = sum(item.opening_reserve for item in inputs.facilities)
    operations = sum(map(sum, (cash.receipts[until], cash.payments[until], cash.tax[until])))
    sources = [
        ("cash and reserves before", inputs.opening.cash + reserves),
        ("operations before prepayments", operations),
        ("prepayments", sum(cash.prepayments[until])),
        *(
            (f"debt: {lines.key}", sum(lines.drawn[until]))
            for facility, lines in zip(inputs.facilities, outcome.facilities, strict=True)
            if facility.kind != "lease"
        ),
        ("equity", sum(cash.equity[until])),
        ("disposals", sum(cash.disposals[until])),
        ("bills left unpaid", sum(cash.shortfall[until])),
    ]
    kinds: dict[str, int] = {}
    for asset, paid in zip(inputs.assets, outcome.assets, strict=True):
        kinds[asset.kind] = kinds.get(asset.kind, 0) + sum(paid.paid[until])
    uses = [
        *kinds.items(),
        ("interest and fees", -sum(cash.interest[until])),
        ("capitalised interest", -sum(cash.capitalised_interest[until])),
        ("debt repaid", -sum(cash.repaid[until])),
        ("paid out to owners", -sum(cash.distributions[until])),
        ("left in cash and reserves", balance.cash[last] + balance.reserves[last]),
    ]
    into = [(name, value) for name, value in sources if value > 0]
    into += [(name, -value) for name, value in uses if value < 0]
    out = [(f"less: {name}", -value) for name, value in sources if value < 0]
    out += [(name, value) for name, value in uses if value > 0]
    total = sum(value for _, value in into)
    assert total == sum(value for _, value in out), "what comes in goes somewhere"
    return SourcesAndUses(
        until=months.labels[last],
        sources=tuple(Amount(name=name, amount=from_pico(value)) for name, value in into),
        uses=tuple(Amount(name=name, amount=from_pico(value)) for name, value in out),
        total=from_pico(total),
    )
