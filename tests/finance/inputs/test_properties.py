"""What holds for all files: nothing is sold twice, nothing is lost, and the model takes it."""

from __future__ import annotations

from datetime import date, timedelta
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neocloud.finance.arithmetic import Exact
from neocloud.finance.inputs import inputs_of, use_of_plan
from neocloud.finance.model import run
from neocloud.finance.outcome import Outcome
from neocloud.finance.records import Inputs
from neocloud.finance.shocks import NONE
from neocloud.planner import make_plan
from neocloud.spec import load_cloud

from .clouds import CATALOG, COMPANY, EXAMPLES, contract, example, made

DAYS = st.dates(date(2027, 6, 1), date(2029, 3, 1))
KINDS = st.sampled_from(["reserved", "last_resort"])


@st.composite
def sold(draw: st.DrawFn) -> str:
    """A few contracts over a fleet that may be too small for them, and a market."""
    lines = []
    for number in range(draw(st.integers(1, 4))):
        start, months = draw(DAYS), draw(st.integers(1, 30))
        paid = start - timedelta(days=draw(st.integers(-20, 400)))
        step = start + timedelta(days=draw(st.integers(1, 27)))
        lines.append(
            f"  - {{name: c{number}, tenant: lab, kind: {draw(KINDS)}, accelerator: h100-sxm,"
            f" accelerators: {draw(st.integers(1, 300))}, start: {start}, term_months: {months},"
            f" price: {draw(st.integers(0, 500))}e-2, take_or_pay: {draw(st.integers(0, 10))}e-1,"
            f" price_steps: [{{date: {step}, price: {draw(st.integers(0, 500))}e-2}}],"
            f" prepayments: [{{date: {paid}, share: {draw(st.integers(0, 10))}e-1}}],"
            f" requires: [{draw(st.sampled_from(['nodes', 'hall', 'more']))}]}}"
        )
    return f"""{COMPANY}contracts:
{chr(10).join(lines)}
finance:
  start: 2028-01-01
  months: 24
  merchant: [{{name: spot, price: 2, utilisation: {draw(st.integers(0, 10))}e-1, ramp_months: 3}}]
  assets:
    - {{name: nodes, kind: accelerators, accelerator: h100-sxm, accelerators: 256, price: 9,
       in_service: {draw(DAYS)}, needs: [hall]}}
    - {{name: more, kind: accelerators, accelerator: h100-sxm, accelerators: 64, price: 9,
       in_service: {draw(DAYS)}}}
    - {{name: hall, kind: shell, price: 9, in_service: {draw(DAYS)}}}
"""


@settings(max_examples=80, deadline=None)
@given(sold())
def test_nothing_is_sold_twice_and_prepayments_are_neither_lost_nor_made(text: str) -> None:
    inputs = made(text)
    (fleet,) = inputs.installed
    for month in range(inputs.months.count):
        firm = sum((c.hours[month] for c in inputs.contracts if c.kind == "reserved"), Fraction(0))
        rest = sum((c.hours[month] for c in inputs.contracts if c.kind != "reserved"), Fraction(0))
        market = sum((m.hours[month] for m in inputs.merchant), Fraction(0))
        assert market + rest <= max(0, fleet.sellable[month] - firm)
    for found in inputs.contracts:
        assert all(c <= e for c, e in zip(found.committed, found.earned, strict=True))
        assert found.opening_prepaid >= 0
        owed = found.opening_prepaid
        for month in range(len(found.released)):
            assert 0 <= found.released[month] <= found.earned[month]
            owed += found.received[month] - found.released[month]
            assert owed >= 0, "no more is credited than was paid"
    assert balanced(run(inputs, Exact(), NONE))


def balanced(outcome: Outcome) -> bool:
    checks = outcome.checks
    return not any(any(getattr(checks, name)) for name in checks.__struct_fields__)


@settings(max_examples=40, deadline=None)
@given(sold(), st.integers(1, 100))
def test_a_contract_in_two_parts_is_the_same_contract(text: str, part: int) -> None:
    """Halves of a reserved contract earn what the whole does, but for a pico a month each."""
    text = text.replace("kind: last_resort", "kind: reserved")
    inputs = made(text)
    line = next(row for row in text.splitlines() if row.startswith("  - {name: c0,"))
    count = int(line.partition("accelerators: ")[2].partition(",")[0])
    small = min(part, count)
    if small == count:
        return
    halves = [
        line.replace("c0", name).replace(f"accelerators: {count},", f"accelerators: {number},")
        for name, number in (("c0", small), ("c0-rest", count - small))
    ]
    parted = made(text.replace(line, "\n".join(halves)))
    whole, one, other = contract(inputs, "c0"), *(contract(parted, n) for n in ("c0", "c0-rest"))
    for month, earned in enumerate(whole.earned):
        assert abs(earned - one.earned[month] - other.earned[month]) <= 1
        assert whole.hours[month] == one.hours[month] + other.hours[month]
    assert abs(sum(whole.released) - sum(one.released) - sum(other.released)) <= 2


@pytest.mark.parametrize("name", ["two-sites", "reference"])
def test_the_model_takes_the_examples(name: str) -> None:
    cloud = example(name)
    inputs = inputs_of(cloud, CATALOG, use_of_plan(make_plan(cloud, CATALOG)))
    for listed in (inputs.costs, inputs.assets, inputs.contracts, inputs.merchant):
        keys = [item.key for item in listed]
        assert len(keys) == len(set(keys))
    outcome = run(inputs, Exact(), NONE)
    assert balanced(outcome)
    assert sum(outcome.income.tokens) == tokens_of(inputs) > 0


def tokens_of(inputs: Inputs) -> int:
    return sum(sum(item.earned) for item in inputs.merchant if item.source == "tokens")


def test_files_of_public_companies_become_months() -> None:
    """They have contracts, assets and debt, and neither models nor pools."""
    for path in sorted((EXAMPLES / "public").glob("*.yaml")):
        inputs = inputs_of(load_cloud(path, CATALOG), CATALOG)
        assert sum(map(sum, (c.earned for c in inputs.contracts))) > 0, path.name
        assert balanced(run(inputs, Exact(), NONE)), path.name
