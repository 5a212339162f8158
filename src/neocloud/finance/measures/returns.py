"""Returns on dated flows: IRR, NPV, payback, multiple of invested capital.

Flows of a month without a day of their own fall on its last day. Time is counted in days over 365,
as spreadsheets' XIRR does.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import msgspec
import numpy as np

from neocloud.finance.arithmetic import Arithmetic, Array, Rate, Value
from neocloud.finance.outcome import Line, Outcome
from neocloud.finance.records import Inputs

_STEPS = 60
_WIDEST = (np.log(1e-4), np.log(1e6))
"""Bounds of ln(1 + rate): a loss of all but a ten-thousandth a year, and a millionfold."""


class Stream(msgspec.Struct, frozen=True, kw_only=True):
    """Dated money: what comes in is positive.

    Attributes:
        days: one day a flow, in any order.
        amounts: pico-units.
    """

    days: tuple[date, ...]
    amounts: Line


class Returns(msgspec.Struct, frozen=True, kw_only=True):
    """What a stream gives back. Arrays of shape (paths,) where its amounts are.

    Attributes:
        irr: yearly rate at which its present value is 0; NaN where it never changes sign.
        npv: present value on the first day, pico-units.
        payback_years: from the first day until what came in makes up for what went out, for good;
            NaN if never.
        multiple: MOIC: all that came in over all that went out; NaN where nothing went out.
    """

    irr: Any
    npv: Any
    payback_years: Any
    multiple: Any


def equity_stream(
    a: Arithmetic, inputs: Inputs, outcome: Outcome, worth_at_end: Rate = 1
) -> Stream:
    """What owners pay in and get.

    What the company is worth on its books on the first day counts as paid in then, and on the last
    day as paid out.

    Args:
        a: the arithmetic of the outcome.
        inputs: what was run.
        outcome: what came of it.
        worth_at_end: share of the assets' book value that is realised on the last day.
    """
    months = outcome.months
    days = [months.first]
    amounts: list[Value] = [a.zero - _opening_equity(a, inputs)]
    for flow in inputs.equity:
        if 0 <= months.index(flow.day) < months.count:
            days.append(flow.day)
            amounts.append(a.money(-flow.amount))
    for month, paid in enumerate(outcome.cash.distributions):
        days.append(months.end(month))
        amounts.append(a.zero - paid)
    days.append(months.end(months.count - 1))
    lost = a.times(_assets_at_end(outcome), 1 - a.rate(worth_at_end))
    amounts.append(outcome.balance.total_equity[-1] - lost)
    return Stream(days=tuple(days), amounts=tuple(amounts))


def project_stream(
    a: Arithmetic, inputs: Inputs, outcome: Outcome, worth_at_end: Rate = 1
) -> Stream:
    """Cash before all financing: CFADS with prepayments received, investment, disposals.

    Taxes are those paid, so interest lowers them. What is leased counts as bought. What is employed
    on the first day counts as invested then; what is left of it on the last day as paid out.
    """
    months = outcome.months
    leased = [
        lines
        for item, lines in zip(inputs.facilities, outcome.facilities, strict=True)
        if item.kind == "lease"
    ]
    days = [months.first]
    amounts: list[Value] = [a.zero - _opening_employed(a, inputs)]
    for month in range(months.count):
        days.append(months.end(month))
        bought = sum((lines.drawn[month] for lines in leased), start=a.zero)
        cash = outcome.cash
        amounts.append(
            outcome.cfads.received[month] + cash.capital[month] + cash.disposals[month] - bought
        )
    balance = outcome.balance
    days.append(months.end(months.count - 1))
    owed = balance.payables[-1] + balance.contract_liabilities[-1] + balance.tax[-1]
    assets = a.times(_assets_at_end(outcome), a.rate(worth_at_end))
    amounts.append(assets + balance.receivables[-1] - owed)
    return Stream(days=tuple(days), amounts=tuple(amounts))


def _assets_at_end(outcome: Outcome) -> Value:
    balance = outcome.balance
    return balance.construction[-1] + balance.assets[-1] + balance.right_of_use[-1]


def _opening_employed(a: Arithmetic, inputs: Inputs) -> Value:
    """Assets and working capital before the first month."""
    assets = sum(item.opening_cost - item.opening_depreciation for item in inputs.assets)
    leased = sum(item.opening for item in inputs.facilities if item.kind == "lease")
    prepaid = sum(item.opening_prepaid for item in inputs.contracts)
    opening = inputs.opening
    return a.money(assets + leased + opening.receivables - opening.payables - prepaid)


def _opening_equity(a: Arithmetic, inputs: Inputs) -> Value:
    held = inputs.opening.cash + sum(item.opening_reserve for item in inputs.facilities)
    owed = sum(item.opening for item in inputs.facilities)
    return _opening_employed(a, inputs) + a.money(held - owed)


def returns_of(stream: Stream, discount_rate: Rate) -> Returns:
    """IRR, NPV, payback and multiple of a stream, on every path at once."""
    flows, years = _matrix(stream)
    irr = _irr(flows, years)
    npv = (flows * np.exp(-years * np.log1p(float(discount_rate)))[:, None]).sum(axis=0)
    came = np.where(flows > 0, flows, 0).sum(axis=0)
    went = np.where(flows < 0, -flows, 0).sum(axis=0)
    none = np.full(came.shape, np.nan)
    multiple = np.divide(came, went, out=none.copy(), where=went > 0)
    payback = _payback(flows, years)
    found = (irr, npv, payback, multiple)
    if not any(isinstance(amount, np.ndarray) for amount in stream.amounts):
        found = tuple(float(values[0]) for values in found)  # type: ignore[assignment]
    return Returns(irr=found[0], npv=found[1], payback_years=found[2], multiple=found[3])


def _matrix(stream: Stream) -> tuple[Array, Array]:
    """Flows in the order of their days, shape (flows, paths), and years since the first."""
    order = sorted(range(len(stream.days)), key=lambda index: stream.days[index])
    first = stream.days[order[0]]
    years = np.array([(stream.days[index] - first).days / 365 for index in order])
    columns: Sequence[Any] = [
        np.atleast_1d(np.asarray(stream.amounts[index], dtype=np.float64)) for index in order
    ]
    return np.stack(np.broadcast_arrays(*columns)), years


def _irr(flows: Array, years: Array) -> Array:
    """Yearly rates by bisection; of several one is found. NaN where no flow has the other sign."""
    low = np.full(flows.shape[1], _WIDEST[0])
    high = np.full(flows.shape[1], _WIDEST[1])
    scale = np.abs(flows).max(axis=0)
    scaled = flows / np.where(scale > 0, scale, 1)
    at_low = _worth(scaled, years, low)
    for _ in range(_STEPS):
        middle = (low + high) / 2
        same = np.sign(_worth(scaled, years, middle)) == np.sign(at_low)
        low, high = np.where(same, middle, low), np.where(same, high, middle)
    crosses = (flows > 0).any(axis=0) & (flows < 0).any(axis=0)
    bounds = np.full(flows.shape[1], _WIDEST[1])
    crosses &= np.sign(at_low) != np.sign(_worth(scaled, years, bounds))
    return np.where(crosses, np.expm1((low + high) / 2), np.nan)


def _worth(flows: Array, years: Array, logarithm: Array) -> Array:
    discounts: Array = np.exp(-years[:, None] * logarithm[None, :])
    worth: Array = np.einsum("fp,fp->p", flows, discounts)
    return worth


def _payback(flows: Array, years: Array) -> Array:
    """Years after which the sum so far is never below 0 again."""
    sums = np.cumsum(flows, axis=0)
    below = sums < -1e-9 * np.abs(flows).sum(axis=0)
    ever = below.any(axis=0)
    last_below = len(years) - 1 - np.argmax(below[::-1], axis=0)
    back = np.where(ever, np.minimum(last_below + 1, len(years) - 1), 0)
    return np.where(ever & below[-1], np.nan, years[back])
