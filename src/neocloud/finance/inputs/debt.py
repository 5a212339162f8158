"""Facilities: terms of the file, with curve and margin by month."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from fractions import Fraction
from typing import cast

from neocloud.books.tiers.exact import stated
from neocloud.finance.facility import (
    Amortisation,
    ConstructionInterest,
    Conversion,
    Covenants,
    DayCount,
    Facility,
    FacilityKind,
    Flow,
)
from neocloud.finance.inputs.ground import Ground
from neocloud.finance.inputs.spans import days_within, end_of
from neocloud.finance.records import Contract
from neocloud.spec import BaseRate, RatePoint
from neocloud.spec import Covenants as Demanded
from neocloud.spec import Facility as Agreed

_FINE = 10**10
"""Margins that are means of several are rounded to 1e-10 a year: a millionth of a basis point."""


def facilities_of(ground: Ground, contracts: Sequence[Contract]) -> tuple[Facility, ...]:
    """All facilities, senior first as in the file."""
    curves = {curve.key: curve for curve in ground.cloud.finance.base_rates}
    behind = {contract.key: contract for contract in contracts}
    return tuple(_facility(ground, a, curves, behind) for a in ground.cloud.finance.debt)


def _facility(
    ground: Ground, agreed: Agreed, curves: Mapping[str, BaseRate], behind: Mapping[str, Contract]
) -> Facility:
    months = ground.months
    floats = agreed.interest == "floating"
    grace = agreed.grace_months
    conversion = agreed.conversion
    return Facility(
        key=agreed.key,
        kind=cast("FacilityKind", agreed.kind),
        commitment=ground.pico(agreed.commitment, agreed.currency),
        start=agreed.start,
        maturity=agreed.maturity,
        margin=_margins(ground, agreed, behind),
        available_until=agreed.available_until,
        draws=_draws(ground, agreed),
        opening=_opening(ground, agreed),
        opening_reserve=ground.pico(agreed.reserve, agreed.currency),
        base_rate=_base_rates(ground, agreed, curves),
        floor=stated(agreed.floor),
        floating_share=1 - stated(agreed.hedged_share) if floats else Fraction(0),
        step_up=stated(agreed.step_up),
        commitment_fee=stated(agreed.commitment_fee),
        day_count=cast("DayCount", agreed.day_count),
        period_months=agreed.payment_months,
        amortisation=cast("Amortisation", agreed.amortisation),
        first_repayment=None if grace is None else months.index(agreed.start) + grace,
        sculpted_dscr=None if agreed.target_dscr is None else stated(agreed.target_dscr),
        advance_rate=None if agreed.advance_rate is None else stated(agreed.advance_rate),
        construction_interest=cast("ConstructionInterest", agreed.construction_interest),
        sweep_share=stated(agreed.sweep_share),
        dsra_months=agreed.dsra_months,
        contracts=agreed.contracts,
        collateral=agreed.collateral,
        covenants=_covenants(ground, agreed),
        conversion=None
        if conversion is None
        else Conversion(day=conversion.day, share=Fraction(conversion.share)),
    )


def _draws(ground: Ground, agreed: Agreed) -> tuple[Flow, ...] | None:
    """Draws within the months; None where it is drawn as its collateral is paid for."""
    if agreed.kind == "revolver":
        return ()
    if agreed.draws:
        return tuple(
            Flow(day=draw.day, amount=ground.pico(draw.amount, agreed.currency))
            for draw in agreed.draws
            if ground.months.index(draw.day) >= 0
        )
    if agreed.kind == "delayed_draw":
        return None if agreed.collateral else ()
    if ground.months.index(agreed.start) < 0:
        return ()
    return (Flow(day=agreed.start, amount=ground.pico(agreed.commitment, agreed.currency)),)


def _opening(ground: Ground, agreed: Agreed) -> int:
    """What is owed before the first month; what matured by then was paid."""
    if agreed.maturity <= ground.months.first:
        return 0
    if agreed.outstanding is not None:
        return ground.pico(agreed.outstanding, agreed.currency)
    if ground.months.index(agreed.start) >= 0 or agreed.kind == "revolver":
        return 0
    if agreed.draws:
        early = [draw.amount for draw in agreed.draws if ground.months.index(draw.day) < 0]
        return ground.pico(Fraction(sum(early)), agreed.currency)
    return 0 if agreed.kind == "delayed_draw" else ground.pico(agreed.commitment, agreed.currency)


def _base_rates(
    ground: Ground, agreed: Agreed, curves: Mapping[str, BaseRate]
) -> tuple[Fraction, ...]:
    """The rate by month, mean of its days; of a fixed one that of its start."""
    if not isinstance(agreed.base_rate, str):
        return (stated(agreed.base_rate),)
    points = curves[agreed.base_rate].rates
    if agreed.interest == "fixed":
        return (_rate_on(points, agreed.start),)
    return tuple(_mean(ground, points, month) for month in range(ground.months.count))


def _rate_on(points: Sequence[RatePoint], day: date) -> Fraction:
    reached = [point.rate for point in points if point.start <= day]
    return stated(reached[-1] if reached else points[0].rate)


def _mean(ground: Ground, points: Sequence[RatePoint], month: int) -> Fraction:
    months = ground.months
    starts = [date.min, *(point.start for point in points[1:]), end_of(months)]
    total = Fraction(0)
    for point, start, end in zip(points, starts[:-1], starts[1:], strict=True):
        total += days_within(months, month, start, max(start, end)) * stated(point.rate)
    return total / months.days(month)


def _margins(
    ground: Ground, agreed: Agreed, behind: Mapping[str, Contract]
) -> tuple[Fraction, ...]:
    """The margin by month: one, or by the credit behind it, weighted by what is still to be paid.

    Once nothing is left to be paid it stays where it was.
    """
    base = stated(agreed.margin)
    if not agreed.margin_by_credit:
        return (base,)
    own = [behind[key] for key in agreed.contracts if key in behind and behind[key].weight == 1]
    found: list[Fraction] = []
    for month in range(ground.months.count):
        left = [(contract, sum(contract.committed[month:])) for contract in own]
        whole = sum(value for _, value in left)
        if not whole:
            found.append(found[-1] if found else base)
            continue
        mean = sum(
            Fraction(value, whole)
            * stated(agreed.margin_by_credit.get(contract.credit, agreed.margin))
            for contract, value in left
        )
        found.append(Fraction(round(mean * _FINE), _FINE))
    return tuple(found)


def _covenants(ground: Ground, agreed: Agreed) -> Covenants:
    demanded: Demanded | None = agreed.covenants
    if demanded is None:
        return Covenants()
    least = demanded.min_liquidity
    return Covenants(
        min_dscr=_level(demanded.min_dscr),
        min_llcr=_level(demanded.min_llcr),
        max_ltv=_level(demanded.max_ltv),
        lock_up_dscr=_level(demanded.lock_up_dscr),
        min_interest_cover=_level(demanded.min_interest_cover),
        max_leverage=_level(demanded.max_leverage),
        min_liquidity=None if least is None else ground.pico(least, agreed.currency),
    )


def _level(level: float | None) -> Fraction | None:
    return None if level is None else stated(level)
