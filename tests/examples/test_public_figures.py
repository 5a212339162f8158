"""Public figures: complete, sourced, and in the relations that were published with them."""

from __future__ import annotations

import sys
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "tools" / "public"))

from figure_formulas import FormulaError, evaluate  # noqa: E402
from figures import Figure, last_day, read_figures  # noqa: E402
from relations import Relation, check, derived, main, numbers, published  # noqa: E402

FIGURES = read_figures()
VALUES = numbers(FIGURES)
PUBLISHED = published()
DERIVED = derived()
QUALITIES = {
    "primary", "secondary", "analyst", "lender", "peer-model", "seed", "weak", "derived",
}  # fmt: skip


def by_key(relation: Relation) -> str:
    return relation.key


def test_the_figures_and_relations_are_all_there() -> None:
    rows = (ROOT / "examples" / "public" / "figures.csv").read_text().splitlines()
    assert len(FIGURES) == len(rows) - 1 == 360, "an id stands twice, or a row was lost"
    assert len(PUBLISHED) == 36
    assert len({relation.key for relation in (*PUBLISHED, *DERIVED)}) == 36 + len(DERIVED)


@pytest.mark.parametrize("figure", FIGURES.values(), ids=lambda figure: figure.key)
def test_a_figure_says_who_when_and_how_sure(figure: Figure) -> None:
    assert figure.quality in QUALITIES
    assert figure.source
    assert figure.company
    assert figure.unit
    assert figure.number is not None
    known, stated = figure.known, last_day(figure.source_date)
    assert known is not None, f"{figure.source_date!r} is no date"
    assert stated is not None
    assert known <= stated, "it cannot have been public after its source"


@pytest.mark.parametrize("relation", PUBLISHED, ids=by_key)
def test_a_published_relation_holds(relation: Relation) -> None:
    (checked,) = check([relation], VALUES)
    assert checked.holds, f"{checked.value} is not {relation.reported} +- {relation.tolerance}"
    assert (checked.value is None) == (relation.formula == "NA")


@pytest.mark.parametrize("relation", [one for one in PUBLISHED if one.formula != "NA"], ids=by_key)
def test_a_figure_that_is_a_tenth_off_breaks_its_relation(relation: Relation) -> None:
    first = evaluate(relation.formula, VALUES)[1][0]
    off = {**VALUES, first: VALUES[first] * Decimal("1.1")}
    (checked,) = check([relation], off)
    assert not checked.holds


@pytest.mark.parametrize("relation", DERIVED, ids=by_key)
def test_what_follows_can_be_reckoned(relation: Relation) -> None:
    (checked,) = check([relation], VALUES)
    assert checked.value is not None
    assert checked.value.is_finite()


@pytest.mark.parametrize(
    ("key", "expected", "tolerance"),
    [
        # What the filings and calls say themselves, from another row of the same table.
        ("total principal of debt 2024-12-31", "8033.477", "0.001"),
        ("interest expense on debt H1 2025", "513.533", "0.001"),
        ("total debt net of discount 2025-06-30", "11051.501", "0.001"),
        ("debt, non-current 2025-06-30", "7423.837", "0.001"),
        ("net interest Q3 2025 (nine months less two quarters)", "310.555", "0.2"),
        ("net loss H1 2025 (loss before tax + tax)", "605.150", "0.001"),
        ("revenue of Q1 to Q4 2025 less the year", "0", "0.1"),
        ("rise of contracted power guidance (4 GW over more than 3 GW)", "33", "0.5"),
        ("price per accelerator-hour sold", "2.91", "0.01"),
    ],
)
def test_what_follows_is_what_was_published_elsewhere(
    key: str, expected: str, tolerance: str
) -> None:
    (relation,) = [one for one in DERIVED if one.meaning == key]
    told = replace(relation, reported=Decimal(expected), tolerance=Decimal(tolerance))
    (checked,) = check([told], VALUES)
    assert checked.holds, checked.value


@pytest.mark.parametrize(
    ("period", "day"),
    [
        ("Q2 2025", date(2025, 6, 30)),
        ("Q4 2024", date(2024, 12, 31)),
        ("H1 2025", date(2025, 6, 30)),
        ("9M 2024", date(2024, 9, 30)),
        ("FY2025", date(2025, 12, 31)),
        ("2026", date(2026, 12, 31)),
        ("2024-02", date(2024, 2, 29)),
        ("2025-06-30", date(2025, 6, 30)),
        ("FY2026 (as of 2026-03)", date(2026, 12, 31)),
        ("thereafter", None),
    ],
)
def test_the_last_day_of_a_period(period: str, day: date | None) -> None:
    assert last_day(period) == day


SAMPLE = {"a": Decimal(3), "a_2025-09-30": Decimal(7), "b_1": Decimal("0.5"), "a_2025": Decimal(2)}
trees = st.recursive(
    st.sampled_from(sorted(SAMPLE)) | st.integers(0, 99).map(str),
    lambda inner: st.tuples(inner, st.sampled_from("+-*/"), inner),
    max_leaves=12,
)


def written(tree: object) -> str:
    return f"({' '.join(written(part) for part in tree)})" if isinstance(tree, tuple) else str(tree)


def reckoned(tree: object) -> Decimal:
    if not isinstance(tree, tuple):
        return SAMPLE[str(tree)] if str(tree) in SAMPLE else Decimal(str(tree))
    left, sign, right = reckoned(tree[0]), tree[1], reckoned(tree[2])
    if sign == "/":
        assume(right != 0)
        return left / right
    return {"+": left + right, "-": left - right, "*": left * right}[sign]


@given(trees)
def test_a_formula_is_what_its_tree_comes_to(tree: object) -> None:
    expected = reckoned(tree)
    assert evaluate(written(tree), SAMPLE)[0] == expected


@pytest.mark.parametrize(
    ("formula", "value"),
    [
        ("1+2*3-4/2", "5"),
        ("-a*2", "-6"),
        ("a_2025-09-30", "7"),
        ("a_2025 - 09", "-7"),
        ("2*(a_2025-09-30+b_1)", "15"),
        ("mean(1,2,6)", "3"),
        ("between(1,4,0.5)", "2"),
        ("most(0,a-9)", "0"),
        ("least(a,2)", "2"),
        ("1e3*b_1", "500"),
    ],
)
def test_formulas_by_hand(formula: str, value: str) -> None:
    assert evaluate(formula, SAMPLE)[0] == Decimal(value)


@pytest.mark.parametrize(
    "formula",
    [
        "", "1+", "(a", "a)", "a b", "a+unknown", "a/0", "mean()", "between(1,2)", "a**2",
        "__import__('os')", "a.real", "[1]", "a; b", "lambda: 1", "open(a)",
    ],
)  # fmt: skip
def test_what_is_no_formula_is_refused(formula: str) -> None:
    with pytest.raises(FormulaError):
        evaluate(formula, SAMPLE)


def test_a_formula_on_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cw_d_ddtl10_0625 + cw_d_ddtl20_0625"]) == 0
    assert "6736.467" in capsys.readouterr().out
    assert main(["nothing_such"]) == 2
    assert "nothing_such is no id" in capsys.readouterr().err
    assert main([]) == 0
    assert "DOES NOT HOLD" not in capsys.readouterr().out
