"""What is read off an outcome, for one exact case or for many paths at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neocloud.finance.arithmetic import Arithmetic, Array
from neocloud.finance.measures import (
    covenant_tests,
    dscr_trailing,
    equity_stream,
    loan_life_cover,
    loan_to_value,
    returns_of,
    runway,
)
from neocloud.finance.outcome import Outcome
from neocloud.finance.records import Facility, Inputs
from neocloud.units.money import PICO

Months = NDArray[np.int64]

PAYMENT = ("", "payment")
"""Facility and measure of a bill that is not paid."""


@dataclass(frozen=True, slots=True)
class Readings:
    """Measures of cases: arrays of shape (cases,), of lines (months, cases). NaN: there is none.

    Attributes:
        revenue: of all months, in units of the currency.
        ebitda: of all months.
        cfads: of all months, prepayments as credited.
        min_dscr: over months and facilities.
        dscr_month: when; the count of months where there is none.
        dscr_facility: whose, as a place in `dscr_facilities`.
        min_llcr: over payment days but the last, and facilities.
        max_ltv: over months and facilities, from when what secures them is in service.
        runway: months until cash ends; the count if it never does.
        equity_irr: of owners.
        equity_cash: what they get less what they pay in.
        tests: facility and measure of each covenant, `PAYMENT` last.
        breaches: month of the first breach of each, shape (tests, cases); the count if none.
        dscr_line: least DSCR of the facilities by month.
        cash_line: cash by month.
        revenue_line: revenue by month.
    """

    revenue: Array
    ebitda: Array
    cfads: Array
    min_dscr: Array
    dscr_month: Months
    dscr_facility: Months
    min_llcr: Array
    max_ltv: Array
    runway: Months
    equity_irr: Array
    equity_cash: Array
    tests: tuple[tuple[str, str], ...]
    breaches: Months
    dscr_line: Array
    cash_line: Array
    revenue_line: Array

    def first_breach(self) -> tuple[Months, Months]:
        """Month of the first breach and which test it is; lock-ups are none."""
        counted = [place for place, (_, measure) in enumerate(self.tests) if measure != "lock_up"]
        rows = self.breaches[counted]
        which = np.argmin(rows, axis=0)
        return rows[which, np.arange(rows.shape[1])], np.array(counted)[which]


def dscr_facilities(inputs: Inputs) -> tuple[Facility, ...]:
    """Facilities whose DSCR counts: those that demand one; else those that amortise; else all."""
    demanding = [
        item
        for item in inputs.facilities
        if item.covenants.min_dscr is not None or item.covenants.lock_up_dscr is not None
    ]
    amortising = [
        item
        for item in inputs.facilities
        if item.amortisation != "bullet" and item.kind not in {"revolver", "lease"}
    ]
    return tuple(demanding or amortising or inputs.facilities)


def ltv_facilities(inputs: Inputs) -> tuple[Facility, ...]:
    """Facilities whose LTV counts: those that limit it; else those with collateral."""
    limited = [item for item in inputs.facilities if item.covenants.max_ltv is not None]
    secured = [item for item in inputs.facilities if item.collateral]
    return tuple(limited or secured)


def lowest_dscr(a: Arithmetic, inputs: Inputs, outcome: Outcome, cases: int) -> Array:
    """The least DSCR alone, which is all that a search needs."""
    return _least(_dscr_lines(a, inputs, outcome, cases).min(axis=0))


def readings_of(a: Arithmetic, inputs: Inputs, outcome: Outcome, cases: int) -> Readings:
    """Everything. `cases` is 1 in exact arithmetic."""
    lines = _dscr_lines(a, inputs, outcome, cases)
    line = lines.min(axis=0)
    least = _least(line)
    # Months that tie in whole numbers tie here too: the first of them counts.
    lowest = line <= least + 1e-9 * np.abs(least)
    month = np.where(np.isfinite(least), np.argmax(lowest, axis=0), outcome.months.count)
    at = np.minimum(month, outcome.months.count - 1)
    whose = np.argmin(lines[:, at, np.arange(cases)], axis=0)
    tests = covenant_tests(a, inputs, outcome)
    breaches = [test.first_breach for test in tests] + [outcome.short_from]
    stream = equity_stream(a, inputs, outcome)
    irr = returns_of(stream, float(inputs.policies.discount_rate)).irr
    revenue = _matrix(outcome.income.revenue, cases) / PICO
    return Readings(
        revenue=revenue.sum(axis=0),
        ebitda=_matrix(outcome.income.ebitda, cases).sum(axis=0) / PICO,
        cfads=_matrix(outcome.cfads.credited, cases).sum(axis=0) / PICO,
        min_dscr=least,
        dscr_month=month,
        dscr_facility=whose,
        min_llcr=_llcr(a, inputs, outcome, cases),
        max_ltv=_ltv(a, inputs, outcome, cases),
        runway=_whole(runway(a, inputs, outcome), cases),
        equity_irr=_wide(irr, cases),
        equity_cash=_matrix(stream.amounts, cases).sum(axis=0) / PICO,
        tests=(*((test.facility, test.measure) for test in tests), PAYMENT),
        breaches=np.stack([_whole(month_, cases) for month_ in breaches]),
        dscr_line=np.where(np.isfinite(line), line, np.nan),
        cash_line=_matrix(outcome.balance.cash, cases) / PICO,
        revenue_line=revenue,
    )


def _dscr_lines(a: Arithmetic, inputs: Inputs, outcome: Outcome, cases: int) -> Array:
    """Shape (facilities, months, cases), endless where nothing is tested."""
    found = [
        _matrix(dscr_trailing(a, outcome.facility(item.key)), cases)
        for item in dscr_facilities(inputs)
    ]
    if not found:
        return np.full((1, outcome.months.count, cases), np.inf)
    whole = np.stack(found)
    return np.where(np.isnan(whole), np.inf, whole)


def _least(line: Array) -> Array:
    least = line.min(axis=0)
    return np.where(np.isfinite(least), least, np.nan)


def _llcr(a: Arithmetic, inputs: Inputs, outcome: Outcome, cases: int) -> Array:
    least = np.full(cases, np.nan)
    for item in dscr_facilities(inputs):
        lines = outcome.facility(item.key)
        line = _matrix(loan_life_cover(a, lines), cases)
        line[~_before_last(lines.due)] = np.nan
        least = np.fmin(least, np.fmin.reduce(line, axis=0))
    return least


def _before_last(due: Sequence[bool]) -> NDArray[np.bool_]:
    """Payment days but the last, after which nothing comes that could cover what others owe."""
    days = np.array(due)
    if days.any():
        days[np.flatnonzero(days)[-1]] = False
    return days


def _ltv(a: Arithmetic, inputs: Inputs, outcome: Outcome, cases: int) -> Array:
    most = np.full(cases, np.nan)
    for item in ltv_facilities(inputs):
        line = _matrix(loan_to_value(a, inputs, outcome, item.key), cases)
        service = _whole(outcome.facility(item.key).service_from, cases)
        line[np.arange(len(line))[:, None] < service] = np.nan
        most = np.fmax(most, np.fmax.reduce(line, axis=0))
    return most


def _matrix(line: Sequence[Any], cases: int) -> Array:
    """Shape (months, cases); NaN for None."""
    return np.stack([_wide(np.nan if value is None else value, cases) for value in line])


def _wide(value: Any, cases: int) -> Array:
    if not isinstance(value, np.ndarray):
        value = float(value)
    return np.broadcast_to(np.asarray(value, dtype=np.float64), (cases,))


def _whole(value: Any, cases: int) -> Months:
    return np.broadcast_to(np.asarray(value, dtype=np.int64), (cases,))
