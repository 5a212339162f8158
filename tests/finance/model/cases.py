"""Small companies for the tests of the model: by hand, and by chance."""

from __future__ import annotations

from datetime import date
from fractions import Fraction
from typing import Any

from hypothesis import strategies as st

from neocloud.finance.months import Months
from neocloud.finance.records import (
    Asset,
    Contract,
    Conversion,
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
from neocloud.units.money import PICO

JANUARY = date(2026, 1, 1)


def money(units: int | str) -> int:
    """Pico-units of an amount: `money("2.5")` is exact."""
    return int(Fraction(units) * PICO)


def company(count: int = 12, **parts: Any) -> Inputs:
    """A company with ten million in cash, and what is given."""
    parts.setdefault("opening", Opening(cash=money(10_000_000), paid_in=money(10_000_000)))
    first = parts.pop("first", JANUARY)
    return Inputs(name="x", currency="USD", months=Months(first=first, count=count), **parts)


def loan(**parts: Any) -> Facility:
    """A million at 12 % over twelve months, paid monthly, and what is given otherwise."""
    given: dict[str, Any] = {
        "key": "loan",
        "kind": "term_loan",
        "commitment": money(1_000_000),
        "start": JANUARY,
        "maturity": date(2027, 1, 1),
        "margin": (Fraction(12, 100),),
        "period_months": 1,
    }
    return Facility(**given | parts)


def sale(count: int, amount: int, **parts: Any) -> Contract:
    """A contract that earns the same every month."""
    given: dict[str, Any] = {
        "key": "sale",
        "customer": "acme",
        "first": 0,
        "last": count - 1,
        "earned": (amount,) * count,
        "committed": (amount,) * count,
    }
    return Contract(**given | parts)


COUNT = 20
_AMOUNTS = st.integers(0, 40).map(lambda units: money(units * 100_000) + units)
_SHARES = st.fractions(0, 1, max_denominator=20)
_RATES = st.fractions(0, Fraction(1, 5), max_denominator=100)


def _by_month(draw: st.DrawFn, first: int = 0) -> tuple[int, ...]:
    amount = draw(_AMOUNTS)
    last = draw(st.integers(first, COUNT))
    return tuple(amount if first <= month <= last else 0 for month in range(COUNT))


@st.composite
def _assets(draw: st.DrawFn, key: str) -> Asset:
    months = Months(first=JANUARY, count=COUNT)
    service = draw(st.integers(0, 8))
    standing = draw(st.booleans())
    days = st.dates(JANUARY, months.end(service))
    payments = draw(st.lists(st.builds(Flow, day=days, amount=_AMOUNTS), max_size=3))
    cost = draw(_AMOUNTS)
    return Asset(
        key=key,
        kind=draw(st.sampled_from(["accelerators", "networking", "shell"])),
        in_service=service,
        life_months=draw(st.sampled_from([0, 3, 7, 24])),
        payments=tuple(payments),
        residual_share=draw(st.sampled_from([Fraction(0), Fraction(1, 7)])),
        opening_cost=cost,
        opening_depreciation=cost // 3 if standing else 0,
        standing=standing,
    )


@st.composite
def _contracts(draw: st.DrawFn, key: str) -> Contract:
    first = draw(st.integers(0, 6))
    earned = _by_month(draw, first)
    paid = sum(earned) // 5
    release = tuple(value // 5 for value in earned)
    return Contract(
        key=key,
        customer=key,
        first=first,
        last=COUNT - 1,
        earned=earned,
        committed=tuple(value * 9 // 10 for value in earned),
        received=tuple(paid if month == first else 0 for month in range(COUNT)),
        released=release,
        opening_prepaid=draw(st.sampled_from([0, money(1000)])),
        requires=draw(st.sampled_from([(), ("a0",), ("a0", "a1")])),
        weight=draw(st.sampled_from([Fraction(1), Fraction(2, 3)])),
        accelerator="h100",
        hours=(Fraction(7301, 10),) * COUNT,
        market_price=(money(2),) * COUNT,
        leaving=Leaving(earliest=0, notice_months=0, fee_share=draw(_SHARES)),
    )


@st.composite
def facilities(draw: st.DrawFn, key: str = "f") -> Facility:
    """Debt of all kinds."""
    kind = draw(
        st.sampled_from(["term_loan", "delayed_draw", "bond", "convertible", "lease", "revolver"])
    )
    start = draw(st.dates(JANUARY, date(2026, 6, 30)))
    maturity = draw(st.dates(date(2026, 9, 1), date(2028, 3, 1)))
    opening = 0
    if draw(st.booleans()):
        start, opening = date(2025, 7, 10), draw(_AMOUNTS)
    open_until = max(start, date(2026, 8, 15)) if kind in {"delayed_draw", "revolver"} else None
    by_date = kind == "convertible" and draw(st.booleans())
    return Facility(
        key=key,
        kind=kind,
        commitment=draw(_AMOUNTS) + opening + money(1),
        start=start,
        maturity=maturity,
        available_until=open_until,
        draws=None if kind == "delayed_draw" else (),
        opening=opening,
        margin=(draw(_RATES),),
        base_rate=tuple(draw(_RATES) for _ in range(2)),
        floor=draw(_RATES),
        floating_share=draw(_SHARES),
        step_up=draw(st.sampled_from([Fraction(0), Fraction(1, 100)])),
        commitment_fee=draw(st.sampled_from([Fraction(0), Fraction(1, 200)])),
        day_count=draw(st.sampled_from(["actual/360", "actual/365", "30/360"])),
        period_months=draw(st.sampled_from([1, 3, 6])),
        amortisation=draw(st.sampled_from(["annuity", "straight", "sculpted", "bullet"])),
        sculpted_dscr=draw(st.sampled_from([None, Fraction(13, 10)])),
        advance_rate=draw(st.sampled_from([None, Fraction(7, 10)])),
        construction_interest=draw(st.sampled_from(["expensed", "capitalised", "rolled_up"])),
        sweep_share=draw(st.sampled_from([Fraction(0), Fraction(1, 2)])),
        dsra_months=draw(st.sampled_from([0, 6])),
        contracts=draw(st.sampled_from([(), ("c0",), ("c0", "c1")])),
        collateral=draw(st.sampled_from([("a0",), ("a0", "a1")])),
        covenants=Covenants(
            min_dscr=Fraction(13, 10),
            max_ltv=Fraction(7, 10),
            lock_up_dscr=draw(st.sampled_from([None, Fraction(6, 5)])),
        ),
        conversion=Conversion(day=date(2026, 11, 30), share=Fraction(1, 3)) if by_date else None,
    )


@st.composite
def companies(draw: st.DrawFn) -> Inputs:
    """Companies with contracts, assets and debt of all kinds; many cannot pay their bills."""
    kinds = st.sampled_from(["power", "staff", "overhead"])
    cost = st.builds(Cost, key=st.just("k"), kind=kinds, fixed=st.just((money(90_000),) * COUNT))
    shared = Cost(
        key="c",
        kind="maintenance",
        fixed=_by_month(draw),
        variable=(money(7777),) * COUNT,
        contracts=("c0", "c1"),
    )
    debts = draw(st.integers(0, 3))
    return company(
        COUNT,
        contracts=tuple(draw(_contracts(f"c{n}")) for n in range(2)),
        merchant=(
            Merchant(key="t", source="tokens", earned=_by_month(draw)),
            Merchant(key="h", source="hours", earned=_by_month(draw), requires=("a1",)),
        ),
        installed=(
            Installed(
                accelerator="h100",
                installed=(100,) * COUNT,
                spare=(0,) * COUNT,
                sellable=(Fraction(73000),) * COUNT,
            ),
        ),
        costs=(draw(cost), shared),
        assets=tuple(draw(_assets(f"a{n}")) for n in range(2)),
        facilities=tuple(draw(facilities(f"f{n}")) for n in range(debts)),
        equity=(Flow(day=date(2026, 2, 14), amount=draw(_AMOUNTS)),),
        opening=Opening(
            cash=draw(_AMOUNTS),
            receivables=draw(_AMOUNTS),
            payables=money(12_345),
            tax_losses=draw(_AMOUNTS),
        ),
        policies=Policies(
            minimum_cash=draw(st.sampled_from([0, money(100_000)])),
            receivable_days=draw(st.integers(0, 90)),
            payable_days=draw(st.integers(0, 90)),
            tax_rate=draw(st.sampled_from([Fraction(0), Fraction(21, 100)])),
            loss_use_share=draw(st.sampled_from([Fraction(1), Fraction(4, 5)])),
            distribution_share=draw(st.sampled_from([Fraction(0), Fraction(1, 2)])),
        ),
    )
