"""A company with ten contracts, worked by hand where a test needs it, and chance with a seed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from fractions import Fraction
from typing import Any

import numpy as np

from neocloud.finance.months import Months
from neocloud.finance.records import (
    Asset,
    Contract,
    Cost,
    Covenants,
    Facility,
    Flow,
    Inputs,
    Installed,
    Leaving,
    Merchant,
    Opening,
    Policies,
)
from neocloud.finance.stress import Chance
from neocloud.units.money import PICO

FIRST = date(2027, 1, 1)


def money(units: int | str | Fraction) -> int:
    return int(Fraction(units) * PICO)


def chances(seed: int = 1) -> Callable[[int], Chance]:
    return lambda part: np.random.Generator(np.random.Philox(key=[seed, part]))


def flat(units: int | str, count: int, since: int = 0) -> tuple[int, ...]:
    return tuple(money(units) if month >= since else 0 for month in range(count))


def simple(**parts: Any) -> Inputs:
    """A year: one customer that pays 100 a month, a loan of 600 without interest over 12 months.

    Cover is 100 less 40 of cost over 50 of debt service: 1.2.
    """
    given: dict[str, Any] = {
        "name": "simple",
        "currency": "USD",
        "months": Months(first=FIRST, count=12),
        "contracts": (
            Contract(
                key="acme-1", customer="acme", first=0, last=11, earned=flat(100, 12),
                committed=flat(100, 12), credit="BB", accelerator="h100",
                hours=(Fraction(50),) * 12, market_price=flat(1, 12),
                leaving=Leaving(earliest=0, notice_months=0, fee_share=Fraction(1, 4)),
            ),
        ),
        "installed": (
            Installed(
                accelerator="h100", installed=(1,) * 12, spare=(0,) * 12,
                sellable=(Fraction(100),) * 12,
            ),
        ),
        "costs": (Cost(key="staff", kind="staff", fixed=flat(40, 12)),),
        "facilities": (
            Facility(
                key="loan", kind="term_loan", commitment=money(600), start=FIRST,
                maturity=date(2028, 1, 1), margin=(Fraction(0),), period_months=1,
                amortisation="straight", covenants=Covenants(min_dscr=Fraction(11, 10)),
            ),
        ),
        "opening": Opening(cash=money(1000), paid_in=money(1000)),
    }  # fmt: skip
    return Inputs(**given | parts)


COUNT = 72
_CREDITS = ("A", "BBB", "BBB", "BB", "B", "unrated", "BB", "AA", "B", "BBB")


def _contract(number: int) -> Contract:
    since = 6 if number >= 5 else 0
    earned = flat(300_000 + 40_000 * number, COUNT, since)
    return Contract(
        key=f"c{number}",
        customer=f"customer-{number}",
        credit=_CREDITS[number],
        first=since,
        last=COUNT - 1,
        earned=earned,
        committed=tuple(value * 9 // 10 for value in earned),
        accelerator="h100",
        hours=tuple(Fraction(120_000 if month >= since else 0) for month in range(COUNT)),
        market_price=flat("2.2", COUNT),
        requires=("late",) if number >= 5 else (),
        leaving=Leaving(earliest=0, notice_months=3, fee_share=Fraction(1, 5)),
    )


def ten_contracts() -> Inputs:
    """Six years of a company that borrows for what five of its ten customers wait for."""
    months = Months(first=FIRST, count=COUNT)
    return Inputs(
        name="ten",
        currency="USD",
        months=months,
        contracts=tuple(_contract(number) for number in range(10)),
        merchant=(
            Merchant(key="tokens", source="tokens", earned=flat(500_000, COUNT)),
            Merchant(
                key="hours", source="hours", earned=flat(400_000, COUNT),
                hours=(Fraction(160_000),) * COUNT,
            ),
        ),
        installed=(
            Installed(
                accelerator="h100", installed=(2600,) * COUNT, spare=(60,) * COUNT,
                sellable=(Fraction(1_900_000),) * COUNT,
            ),
        ),
        costs=(
            Cost(key="power", kind="power", fixed=flat(150_000, COUNT),
                 variable=flat(350_000, COUNT)),
            Cost(key="staff", kind="staff", fixed=flat(900_000, COUNT)),
        ),
        assets=(
            Asset(key="standing", kind="accelerators", in_service=0, life_months=60,
                  opening_cost=money(60_000_000), standing=True, residual_share=Fraction(1, 10)),
            Asset(key="late", kind="accelerators", in_service=6, life_months=60,
                  payments=(Flow(day=date(2027, 3, 10), amount=money(50_000_000)),),
                  residual_share=Fraction(1, 10)),
            Asset(key="switches", kind="networking", in_service=6, life_months=60,
                  payments=(Flow(day=date(2027, 4, 10), amount=money(6_000_000)),)),
        ),
        facilities=(
            Facility(
                key="term", kind="term_loan", commitment=money(40_000_000), start=FIRST,
                maturity=date(2032, 1, 1), margin=(Fraction(4, 100),),
                base_rate=(Fraction(4, 100),), floating_share=Fraction(1, 2),
                day_count="actual/360", collateral=("standing",),
                covenants=Covenants(min_dscr=Fraction(12, 10), max_ltv=Fraction(9, 10)),
            ),
            Facility(
                key="draws", kind="delayed_draw", commitment=money(45_000_000), start=FIRST,
                maturity=date(2032, 7, 1), available_until=date(2027, 12, 31), draws=None,
                margin=(Fraction(5, 100),), base_rate=(Fraction(4, 100),),
                floating_share=Fraction(1), advance_rate=Fraction(4, 5),
                commitment_fee=Fraction(1, 200), collateral=("late", "switches"),
                covenants=Covenants(min_dscr=Fraction(11, 10)),
            ),
        ),
        opening=Opening(
            cash=money(25_000_000), receivables=money(2_800_000), payables=money(1_400_000),
            paid_in=money(45_000_000),
        ),
        policies=Policies(
            minimum_cash=money(2_000_000), receivable_days=30, payable_days=30,
            tax_rate=Fraction(21, 100), distribution_share=Fraction(1, 2), distributions_from=24,
        ),
    )  # fmt: skip
