"""What moved a number: parts that add up, in no order, whoever is cut in two."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from neocloud.books.side_by_side.shapley import shapley
from neocloud.finance.indicators import Herfindahl, Quotient, Total
from neocloud.finance.indicators.records import Named, Reading, series_of, trend_of

AMOUNTS = st.dictionaries(
    st.sampled_from("abcde"), st.integers(0, 10**9).map(Fraction), min_size=1
).filter(lambda amounts: sum(amounts.values()) > 0)
NAMED = Named(key="x", name="x", unit="share")


def quotient(over: dict[str, int], under: dict[str, int]) -> Quotient:
    return Quotient(
        over={k: Fraction(v) for k, v in over.items()},
        under={k: Fraction(v) for k, v in under.items()},
    )


def test_a_quotient_by_hand():
    # 30 / 100 becomes 60 / 150. Over: 30 * (1/100 + 1/150) / 2 = 1/4. Under: -50 * 45 / 15,000.
    before = quotient({"a": 30}, {"all": 100})
    after = quotient({"a": 60}, {"all": 150})
    assert after.since(before) == {"a": Fraction(1, 4), "all": Fraction(-3, 20)}


def test_what_stands_over_and_under_has_both_parts():
    # 1/3 becomes 2/4: a adds (1/3 + 1/4) / 2 over, and takes 1 * 1.5 / 12 under.
    before = quotient({"a": 1}, {"a": 1, "b": 2})
    after = quotient({"a": 2}, {"a": 2, "b": 2})
    assert after.since(before) == {"a": Fraction(7, 24) - Fraction(1, 8), "b": 0}


def test_one_whose_amount_stays_did_not_move_the_index():
    before = Herfindahl(amounts={"a": Fraction(60), "b": Fraction(40)})
    after = Herfindahl(amounts={"a": Fraction(60), "b": Fraction(90)})
    parts = after.since(before)
    assert parts["a"] == 0
    assert parts["b"] == after.value - before.value


@given(AMOUNTS, AMOUNTS, AMOUNTS, AMOUNTS)
def test_parts_of_a_quotient_add_up_and_are_the_shapley_values(n0, d0, n1, d1):
    before, after = Quotient(over=n0, under=d0), Quotient(over=n1, under=d1)
    parts = after.since(before)
    assert sum(parts.values()) == after.value - before.value

    def level(moved: frozenset[str]) -> Fraction:
        over = n1 if "over" in moved else n0
        under = d1 if "under" in moved else d0
        return sum(over.values()) / sum(under.values())

    whole = shapley(["over", "under"], level)
    upper = Quotient(over={"o": sum(n1.values())}, under={"u": sum(d1.values())}).since(
        Quotient(over={"o": sum(n0.values())}, under={"u": sum(d0.values())})
    )
    assert (upper["o"], upper["u"]) == (whole["over"], whole["under"])


@given(AMOUNTS, AMOUNTS, st.integers(0, 10**9), st.integers(0, 10**9), st.booleans())
def test_parts_of_an_index_add_up(old, new, rest_before, rest_after, inverted):
    before = Herfindahl(amounts=old, rest=Fraction(rest_before), inverted=inverted)
    after = Herfindahl(amounts=new, rest=Fraction(rest_after), inverted=inverted)
    assert sum(after.since(before).values()) == after.value - before.value


@given(AMOUNTS, st.randoms(use_true_random=False))
def test_an_index_lies_between_its_bounds_and_has_no_order(amounts, chance):
    shuffled = list(amounts.items())
    chance.shuffle(shuffled)
    index = Herfindahl(amounts=amounts).value
    assert index == Herfindahl(amounts=dict(shuffled)).value
    assert Fraction(1, len(amounts)) <= index <= 1


@given(AMOUNTS, AMOUNTS)
def test_parts_of_a_sum_are_its_own_changes(old, new):
    before, after = Total(amounts=old), Total(amounts=new)
    assert sum(after.since(before).values()) == after.value - before.value


@given(st.lists(st.one_of(st.none(), AMOUNTS), min_size=1, max_size=15))
def test_changes_of_a_series_add_up_between_gaps(months):
    readings = [
        Reading(
            month=f"2026-{at + 1:02d}",
            origin="planned",
            measure=None if amounts is None else Quotient(over=amounts, under={"x": Fraction(7)}),
            unknown="gap",
        )
        for at, amounts in enumerate(months)
    ]
    points = series_of(NAMED, readings).points
    for before, after in zip([None, *points], points, strict=False):
        known = before is not None and before.value is not None and after.value is not None
        assert (after.change is not None) == known
        assert sum(part.value for part in after.parts) == (after.change or 0)
        assert bool(after.unknown) == (after.value is None)


def test_a_trend_is_the_slope_of_least_squares():
    # Known at 0, 1 and 3: 1, 2, 6. Mean place 4/3, sum of squares 14/3, of products 8.
    assert trend_of([Fraction(1), Fraction(2), None, Fraction(6)]) == Fraction(8) / Fraction(14, 3)
    assert trend_of([None, Fraction(2)]) is None


def test_a_trend_looks_back_twelve_months():
    readings = [
        Reading(
            month=f"2026-{at:02d}",
            origin="planned",
            measure=Total(amounts={"a": Fraction(1000 if at == 1 else at)}),
        )
        for at in range(1, 14)
    ]
    points = series_of(NAMED, readings).points
    assert points[0].trend is None
    assert points[11].trend < 0
    assert points[12].trend == 1
