"""Covenants: level, value, headroom, and when one is first broken."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any, Literal, TypeAlias

import msgspec
import numpy as np

from neocloud.finance.arithmetic import TOLERANCE, Arithmetic, Condition, Index
from neocloud.finance.measures.cover import (
    Definition,
    Ratios,
    dscr_trailing,
    interest_cover,
    leverage,
    loan_life_cover,
    loan_to_value,
    only,
    owed,
)
from neocloud.finance.measures.ratios import Ratio, first_month, lowest
from neocloud.finance.outcome import FacilityLines, Outcome
from neocloud.finance.records import Facility, Inputs
from neocloud.units.money import PICO

Measure: TypeAlias = Literal[
    "dscr", "llcr", "ltv", "lock_up", "interest_cover", "leverage", "liquidity"
]


class CovenantTest(msgspec.Struct, frozen=True, kw_only=True):
    """One covenant of one facility, over all months.

    Attributes:
        facility: facility key.
        measure: what is tested. `lock_up` stops distributions; the others are breaches.
        least: True where the value must not be below the level, False where not above.
        level: what is demanded; of `liquidity` in units of the currency.
        values: by month, where it is tested; else None (NaN on paths).
        headroom: by month, how far the value is on the right side, as a share of the level.
        breached: by month.
        first_breach: month; the count of months if it holds throughout.
        tightest: least headroom; None (NaN) if it is never tested.
    """

    facility: str
    measure: Measure
    least: bool
    level: Fraction
    values: Ratios
    headroom: Ratios
    breached: tuple[Condition, ...]
    first_breach: Index
    tightest: Ratio


def covenant_tests(
    a: Arithmetic, inputs: Inputs, outcome: Outcome, definition: Definition = "credited"
) -> tuple[CovenantTest, ...]:
    """All covenants of all facilities, tested while something is owed.

    DSCR and lock-up are tested at the end of each payment period on trailing twelve months, LLCR
    there too, but for the last one.
    """
    return tuple(
        test
        for facility in inputs.facilities
        for test in _tests(a, inputs, outcome, facility, definition)
    )


def first_breach(tests: tuple[CovenantTest, ...], count: int) -> Index:
    """First month in which any covenant but a lock-up is broken; `count` if none is."""
    first: Index = count
    for test in tests:
        if test.measure != "lock_up":
            first = np.minimum(first, test.first_breach)
    return first if isinstance(first, np.ndarray) else int(first)


def _tests(
    a: Arithmetic, inputs: Inputs, outcome: Outcome, facility: Facility, definition: Definition
) -> Iterator[CovenantTest]:
    lines = outcome.facility(facility.key)
    demanded = facility.covenants
    cover = dscr_trailing(a, lines, definition)
    least: list[tuple[Measure, Fraction | None, Ratios]] = [
        ("dscr", demanded.min_dscr, cover),
        ("lock_up", demanded.lock_up_dscr, cover),
    ]
    if demanded.min_llcr is not None:
        least.append(("llcr", demanded.min_llcr, _on_payment_days(a, lines, definition)))
    if demanded.min_interest_cover is not None:
        least.append(("interest_cover", demanded.min_interest_cover, interest_cover(a, outcome)))
    if demanded.min_liquidity is not None:
        level = Fraction(demanded.min_liquidity, PICO)
        cash = tuple(value * a.rate(Fraction(1, PICO)) for value in outcome.balance.cash)
        least.append(("liquidity", level, cash))
    for measure, level_, values in least:
        if level_ is not None:
            yield _test(a, outcome, facility, (measure, True, level_), values)
    if demanded.max_ltv is not None:
        values = loan_to_value(a, inputs, outcome, facility.key)
        yield _test(a, outcome, facility, ("ltv", False, demanded.max_ltv), values)
    if demanded.max_leverage is not None:
        yield _test(
            a, outcome, facility, ("leverage", False, demanded.max_leverage), _leverage(a, outcome)
        )


def _on_payment_days(a: Arithmetic, lines: FacilityLines, definition: Definition) -> Ratios:
    """LLCR on payment days but the last, after which no cash is left to count.

    Between them debt is owed for which the cash of the months gone by is already in the bank.
    """
    ends = [month for month, due in enumerate(lines.due) if due]
    return tuple(
        value if lines.due[month] and month != ends[-1] else None
        for month, value in enumerate(loan_life_cover(a, lines, definition))
    )


def _leverage(a: Arithmetic, outcome: Outcome) -> Ratios:
    """Leverage, endless where EBITDA is not above nothing while debt is owed."""
    return tuple(
        float("inf") if value is None else _filled(value) for value in leverage(a, outcome)
    )


def _filled(value: Ratio) -> Ratio:
    return value if isinstance(value, Fraction) else np.where(np.isnan(value), np.inf, value)


def _test(
    a: Arithmetic,
    outcome: Outcome,
    facility: Facility,
    demand: tuple[Measure, bool, Fraction],
    values: Ratios,
) -> CovenantTest:
    measure, least, level = demand
    lines = outcome.facility(facility.key)
    tested = tuple(only(value, owes) for value, owes in zip(values, owed(a, lines), strict=True))
    headroom = tuple(_headroom(a, value, level, least) for value in tested)
    breached = tuple(False if room is None else room < -float(TOLERANCE) for room in headroom)
    return CovenantTest(
        facility=facility.key,
        measure=measure,
        least=least,
        level=level,
        values=tested,
        headroom=headroom,
        breached=breached,
        first_breach=first_month(outcome.months.count, lambda month: breached[month]),
        tightest=lowest(headroom),
    )


def _headroom(a: Arithmetic, value: Ratio, level: Fraction, least: bool) -> Ratio:
    """`value / level - 1` of a least value, `1 - value / level` of a most; 0 where level is 0."""
    if value is None:
        return None
    if level == 0:
        return value * 0 if not least else value
    share: Any = value / (float(level) if isinstance(value, float) else a.rate(level))
    return share - 1 if least else 1 - share
