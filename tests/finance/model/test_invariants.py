"""What holds for all companies: statements balance, both arithmetics agree, loans can be split."""

from __future__ import annotations

from datetime import date
from fractions import Fraction
from typing import Any

import msgspec
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from neocloud.finance.arithmetic import Exact, Paths
from neocloud.finance.measures import covenant_tests, dscr_by_period, first_breach
from neocloud.finance.model import run
from neocloud.finance.outcome import Outcome
from neocloud.finance.records import Inputs, Policies
from neocloud.finance.shocks import Shocks

from .cases import COUNT, companies, company, loan, money, sale

_LEVELS = st.fractions(0, 2, max_denominator=10)


def steady(number: Any) -> tuple[Any, ...]:
    return (number,) * COUNT


@st.composite
def shocks(draw: st.DrawFn) -> Shocks:
    """Shocks of every kind at once, in exact numbers."""
    leaves = draw(st.integers(0, COUNT))
    stays = draw(st.sampled_from([Fraction(0), Fraction(1, 3)]))
    alive = tuple(Fraction(1) if month < leaves else stays for month in range(COUNT))
    return Shocks(
        rental=steady(draw(_LEVELS)),
        token=steady(draw(_LEVELS)),
        component={"accelerators": steady(draw(_LEVELS))},
        power=steady(draw(_LEVELS)),
        base_rate=steady(draw(st.fractions(0, Fraction(1, 10), max_denominator=50))),
        utilisation=steady(draw(st.fractions(0, 1, max_denominator=9))),
        delivered=steady(draw(st.fractions(0, 1, max_denominator=9))),
        delay={"a0": draw(st.integers(0, 9)), "a1": draw(st.integers(0, 9))},
        alive={"c0": alive},
        fee_collected=draw(st.fractions(0, 1, max_denominator=3)),
        relet={"c0": steady(draw(st.fractions(0, 1, max_denominator=3)))},
        refinancing=steady(draw(st.fractions(0, 1, max_denominator=2))),
        life=draw(st.fractions(Fraction(1, 4), 1, max_denominator=4)),
        residual={"accelerators": draw(_LEVELS)},
    )


def as_paths(shocks: Shocks) -> Shocks:
    """The same, as arrays of two paths: the base case first, then the shock."""

    def rate(number: Any, base: float = 1.0) -> Any:
        return np.array([base, float(number)])

    def series(numbers: Any, base: float = 1.0) -> Any:
        return None if numbers is None else [rate(number, base) for number in numbers]

    return Shocks(
        rental=series(shocks.rental),
        token=series(shocks.token),
        component={key: series(value) for key, value in shocks.component.items()},
        power=series(shocks.power),
        base_rate=series(shocks.base_rate, 0.0),
        utilisation=series(shocks.utilisation),
        delivered=series(shocks.delivered),
        delay={key: np.array([0, value]) for key, value in shocks.delay.items()},
        alive={key: series(value) for key, value in shocks.alive.items()},
        fee_collected=rate(shocks.fee_collected),
        relet={key: series(value, 0.0) for key, value in shocks.relet.items()},
        refinancing=series(shocks.refinancing),
        life=rate(shocks.life),
        residual={key: rate(value) for key, value in shocks.residual.items()},
    )


def money_lines(outcome: Outcome) -> dict[str, tuple[Any, ...]]:
    """Every line of money of an outcome, by name."""
    found: dict[str, tuple[Any, ...]] = {}

    def collect(name: str, part: Any) -> None:
        for field in part.__struct_fields__:
            value = getattr(part, field)
            if isinstance(value, msgspec.Struct):
                collect(f"{name}.{field}", value)
            elif isinstance(value, tuple) and field not in {"rate", "due", "locked"}:
                found[f"{name}.{field}"] = value

    for name in ("income", "cash", "balance", "cfads"):
        collect(name, getattr(outcome, name))
    for name in ("facilities", "contracts", "merchant", "assets"):
        for part in getattr(outcome, name):
            collect(f"{name}.{part.key}", part)
    return found


def checks_are_zero(outcome: Outcome) -> None:
    for name in outcome.checks.__struct_fields__:
        assert set(getattr(outcome.checks, name)) == {0}, name


def agree(exact: Outcome, paths: Outcome, path: int) -> None:
    """All lines agree to 1e-9 of the largest amount of the company."""
    lines, arrays = money_lines(exact), money_lines(paths)
    assert lines.keys() == arrays.keys()
    scale = max(abs(value) for line in lines.values() for value in line) or 1
    for name, line in lines.items():
        for month, value in enumerate(line):
            other = np.broadcast_to(arrays[name][month], (2,))[path]
            assert abs(other - value) <= 1e-9 * scale, (name, month)


@settings(max_examples=60, deadline=None)
@given(companies(), shocks())
def test_statements_balance_to_zero(inputs: Inputs, shock: Shocks) -> None:
    checks_are_zero(run(inputs, Exact()))
    checks_are_zero(run(inputs, Exact(), shock))


@settings(max_examples=60, deadline=None)
@given(companies(), shocks())
def test_paths_agree_with_exact_numbers(inputs: Inputs, shock: Shocks) -> None:
    """The base case, without shocks and as the first path of two, and a shock as the second."""
    base = run(inputs, Exact())
    agree(base, run(inputs, Paths(2)), 0)
    both = run(inputs, Paths(2), as_paths(shock))
    agree(run(inputs, Exact(), shock), both, 1)
    agree(base, both, 0)


@settings(max_examples=40, deadline=None)
@given(companies())
def test_cash_is_never_negative_and_is_all_there(inputs: Inputs) -> None:
    outcome = run(inputs, Exact())
    assert all(cash >= 0 for cash in outcome.balance.cash)
    assert all(owed >= 0 for owed in outcome.balance.shortfall)
    held = outcome.balance.cash[-1] + outcome.balance.reserves[-1]
    assert held - inputs.opening.cash == sum(outcome.cash.change)


@settings(max_examples=60, deadline=None)
@given(
    companies().filter(lambda inputs: inputs.facilities),
    st.data(),
)
def test_a_loan_split_in_two_changes_nothing(inputs: Inputs, data: st.DataObject) -> None:
    """To a thousandth of a millionth of the currency: each half rounds its own products."""
    index = data.draw(st.integers(0, len(inputs.facilities) - 1))
    whole = msgspec.structs.replace(
        inputs.facilities[index],
        commitment=inputs.facilities[index].commitment // 2 * 2,
        opening=inputs.facilities[index].opening // 2 * 2,
    )
    half = msgspec.structs.replace(
        whole, commitment=whole.commitment // 2, opening=whole.opening // 2
    )
    if whole.advance_rate is not None or whole.kind in {"delayed_draw", "revolver"}:
        return  # what two such facilities may draw on the same need is agreed with each
    before, after = inputs.facilities[:index], inputs.facilities[index + 1 :]
    one = msgspec.structs.replace(inputs, facilities=(*before, whole, *after))
    other = msgspec.structs.replace(
        inputs,
        facilities=(*before, half, msgspec.structs.replace(half, key="other half"), *after),
    )
    a, b = run(one, Exact()), run(other, Exact())
    for name in ("income", "cash", "balance"):
        for field in getattr(a, name).__struct_fields__:
            if field == "costs":
                continue
            lines = getattr(getattr(a, name), field), getattr(getattr(b, name), field)
            for month, (x, y) in enumerate(zip(*lines, strict=True)):
                assert abs(x - y) <= 1000, (name, field, month, x, y)


@given(companies())
@settings(max_examples=40, deadline=None)
def test_no_debt_means_no_breach(inputs: Inputs) -> None:
    drawn = tuple(
        msgspec.structs.replace(item, opening=0, draws=(), commitment=money(1))
        for item in inputs.facilities
        if item.kind == "delayed_draw"
    )
    free = msgspec.structs.replace(inputs, facilities=drawn)
    outcome = run(free, Exact())
    assert first_breach(covenant_tests(Exact(), free, outcome), COUNT) == COUNT


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(["rental", "token", "power", "base_rate", "utilisation", "delivered"]),
    st.tuples(_LEVELS, _LEVELS),
    st.sampled_from(["annuity", "straight", "bullet"]),
    st.integers(0, 60),
)
def test_more_of_a_bad_shock_never_raises_cover(
    name: str, levels: tuple[Fraction, Fraction], amortisation: str, days: int
) -> None:
    from neocloud.finance.records import Cost, Merchant

    inputs = company(
        COUNT,
        contracts=(
            sale(COUNT, money(60_000), committed=steady(money(40_000))),
        ),
        merchant=(
            Merchant(key="t", source="tokens", earned=steady(money(50_000))),
            Merchant(key="h", source="hours", earned=steady(money(50_000))),
        ),
        costs=(Cost(key="p", kind="power", fixed=steady(money(20_000))),),
        facilities=(
            loan(
                maturity=date(2027, 7, 1),
                amortisation=amortisation,
                floating_share=Fraction(1),
                base_rate=(Fraction(3, 100),),
                period_months=3,
            ),
        ),
        policies=Policies(receivable_days=days),
    )  # fmt: skip
    worse = {"power": 1, "base_rate": Fraction(1, 10)}
    if name in worse:
        mild, bad = sorted(level * worse[name] for level in levels)
    else:
        bad, mild = sorted(min(level, Fraction(1)) for level in levels)
    covers = [
        dscr_by_period(Exact(), run(inputs, Exact(), shock).facilities[0])
        for shock in (Shocks(**{name: steady(mild)}), Shocks(**{name: steady(bad)}))
    ]
    assert any(cover is not None for cover in covers[0])
    for kind, harsh in zip(*covers, strict=True):
        assert (kind is None) == (harsh is None)
        assert kind is None or harsh <= kind
