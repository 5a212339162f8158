"""The parts of `Inputs` that say what is owed and on what terms. Units as in `records`."""

from __future__ import annotations

from datetime import date
from fractions import Fraction
from typing import Literal

import msgspec

FacilityKind = Literal["term_loan", "delayed_draw", "bond", "convertible", "lease", "revolver"]
Amortisation = Literal["annuity", "straight", "sculpted", "bullet"]
DayCount = Literal["actual/360", "actual/365", "30/360"]
ConstructionInterest = Literal["expensed", "capitalised", "rolled_up"]


class Flow(msgspec.Struct, frozen=True, kw_only=True):
    """Money on a day.

    Attributes:
        day: the day; its month decides where it is booked.
        amount: pico-units.
    """

    day: date
    amount: int


class Covenants(msgspec.Struct, frozen=True, kw_only=True):
    """What a facility demands. None: not tested.

    Attributes:
        min_dscr: least DSCR of trailing twelve months.
        min_llcr: least LLCR.
        max_ltv: most debt over the collateral's value.
        lock_up_dscr: DSCR of trailing twelve months below which nothing is paid out.
        min_interest_cover: least EBITDA over interest, trailing twelve months, of the company.
        max_leverage: most net debt over EBITDA of trailing twelve months, of the company.
        min_liquidity: least cash at the end of a month, pico-units.
    """

    min_dscr: Fraction | None = None
    min_llcr: Fraction | None = None
    max_ltv: Fraction | None = None
    lock_up_dscr: Fraction | None = None
    min_interest_cover: Fraction | None = None
    max_leverage: Fraction | None = None
    min_liquidity: int | None = None


class Conversion(msgspec.Struct, frozen=True, kw_only=True):
    """A convertible's change into paid-in equity.

    Attributes:
        day: last day of its month; at maturity it comes before the repayment.
        share: of what is outstanding.
    """

    day: date
    share: Fraction = Fraction(1)


class Facility(msgspec.Struct, frozen=True, kw_only=True):
    """Debt.

    Interest and principal fall due on the last day of each `period_months` from `start`, and of
    the month in which the day before `maturity` lies.

    Attributes:
        key: unique among facilities; they stand in order of seniority.
        kind: `lease` is a finance lease: liability and right-of-use asset, no cash when it begins.
        commitment: the most that may be drawn in all (`revolver`: that may be outstanding).
        start: day of signing.
        maturity: day by which all is paid back.
        margin: by month, on the base rate; it follows the credit of the customers behind it.
        available_until: last day on which it may be drawn.
        draws: drawn on their days. None for `delayed_draw`: as the collateral is paid for, at
            `advance_rate`; `revolver` draws by need whatever stands here.
        opening: outstanding before the first month.
        opening_reserve: in its DSRA before the first month.
        base_rate: by month.
        floor: least base rate.
        floating_share: part of it that a move of base rates reaches: 0 fixed or hedged, 1 floating.
        step_up: on the margin until it is in service (the latest of `collateral` and of what
            `contracts` require).
        commitment_fee: yearly, on what may be drawn and is not.
        day_count: how a month's share of a year is counted.
        period_months: months between payments: 1, 3, 6 or 12.
        amortisation: how it is paid back.
        first_repayment: month from which principal is due; None: from `start`, and of
            `delayed_draw` from being in service or the end of availability, whichever is later.
        sculpted_dscr: of `sculpted`: DSCR that the principal leaves in the base case; None: the
            one that repays exactly.
        advance_rate: most that is lent on what was paid for the collateral.
        construction_interest: interest until in service is `expensed`, paid and `capitalised` as
            cost of the collateral (IAS 23, ASC 835-20), or `rolled_up`: added to debt and cost.
        sweep_share: of its CFADS left after its debt service that repays early, on payment days.
        dsra_months: months of debt service that are kept in reserve.
        contracts: contracts behind it, whose cash counts; empty: the whole company's.
        collateral: assets that secure it.
        covenants: what it demands.
        conversion: of a convertible; None: repaid.
    """

    key: str
    kind: FacilityKind
    commitment: int
    start: date
    maturity: date
    margin: tuple[Fraction, ...]
    available_until: date | None = None
    draws: tuple[Flow, ...] | None = ()
    opening: int = 0
    opening_reserve: int = 0
    base_rate: tuple[Fraction, ...] = (Fraction(0),)
    floor: Fraction = Fraction(0)
    floating_share: Fraction = Fraction(0)
    step_up: Fraction = Fraction(0)
    commitment_fee: Fraction = Fraction(0)
    day_count: DayCount = "30/360"
    period_months: int = 3
    amortisation: Amortisation = "annuity"
    first_repayment: int | None = None
    sculpted_dscr: Fraction | None = None
    advance_rate: Fraction | None = None
    construction_interest: ConstructionInterest = "expensed"
    sweep_share: Fraction = Fraction(0)
    dsra_months: int = 0
    contracts: tuple[str, ...] = ()
    collateral: tuple[str, ...] = ()
    covenants: Covenants = Covenants()
    conversion: Conversion | None = None
