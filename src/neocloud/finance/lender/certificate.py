"""The compliance certificate: each covenant in a month, with level, value and headroom."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from neocloud.finance.lender.records import Certificate, CovenantLine, Result
from neocloud.finance.lender.shown import ratio
from neocloud.finance.measures import CovenantTest, Definition
from neocloud.finance.outcome import FacilityLines, Outcome

_PREPAYMENTS: dict[Definition, str] = {
    "received": "prepayments when received",
    "credited": "prepayments as credited to invoices",
    "ignored": "without prepayments",
}
_DEFINITIONS = {
    "dscr": "CFADS over debt service of the last twelve months",
    "lock_up": "CFADS over debt service of the last twelve months; below it nothing is paid out",
    "llcr": "present value of CFADS until maturity, with the reserve, over debt",
    "ltv": "debt over book value of the collateral",
    "interest_cover": "EBITDA over interest and fees of the company, last twelve months",
    "leverage": "net debt over EBITDA of the company, last twelve months",
    "liquidity": "cash of the company at the end of the month",
}
_BY_CASH = ("dscr", "lock_up", "llcr")


def certificate_of(
    outcome: Outcome,
    facility: str,
    month: int,
    tests: Sequence[CovenantTest],
    definition: Definition,
) -> Certificate:
    """The certificate of a facility for a month.

    Args:
        outcome: of an exact run.
        facility: facility key.
        month: whose end it is for.
        tests: of all facilities, made with the same definition.
        definition: how prepayments count.
    """
    own = [test for test in tests if test.facility == facility]
    lines = tuple(_line(outcome, test, month, definition) for test in own)
    return Certificate(
        complies=all(line.result != "fail" for line in lines),
        lines=lines,
        note="" if lines else "The facility demands nothing.",
    )


def _line(outcome: Outcome, test: CovenantTest, month: int, definition: Definition) -> CovenantLine:
    value, headroom = test.values[month], test.headroom[month]
    result: Result = "pass"
    if value is None:
        result = "not tested"
    elif test.breached[month]:
        result = "lock-up" if test.measure == "lock_up" else "fail"
    words = _DEFINITIONS[test.measure]
    if test.measure in _BY_CASH:
        words += f"; {_PREPAYMENTS[definition]}"
    return CovenantLine(
        measure=test.measure,
        definition=words,
        demand="at least" if test.least else "at most",
        level=ratio(test.level),
        value=_shown(value),
        headroom=_shown(headroom),
        result=result,
        reason=_reason(outcome.facility(test.facility), month, value),
        first_breach=(
            outcome.months.labels[test.first_breach]
            if test.first_breach < outcome.months.count
            else ""
        ),
    )


def _shown(value: Any) -> Any:
    """A ratio to show; None where there is none, or where it is endless."""
    return ratio(value) if isinstance(value, Fraction) else None


def _reason(lines: FacilityLines, month: int, value: Any) -> str:
    if isinstance(value, float):
        return "EBITDA of the last twelve months is not above nothing"
    if value is not None:
        return ""
    if not (lines.opening[month] or lines.closing[month]):
        return "nothing is owed"
    if not lines.due[month]:
        return "no payment period ends in the month"
    return "there is nothing to divide by yet"
