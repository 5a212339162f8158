"""The split adds up, knows no order and no names, and gives nothing to what did not change."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import permutations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neocloud.books.side_by_side.drivers import TERMS, Drivers, bridge_between
from neocloud.books.side_by_side.records import CAUSES
from neocloud.books.side_by_side.shapley import shapley, split
from neocloud.units import PICO

NAMES = ("one", "two", "three", "four")
levels = st.integers(-(10**17), 10**17).map(lambda n: Fraction(n, 3 * 10**14))
games = st.lists(levels, min_size=16, max_size=16)
positive = st.floats(1e-6, 1e6)


def level_of(values, names=NAMES):
    """A level for each of the sixteen sets of causes, whatever it be."""
    return lambda chosen: values[sum(1 << names.index(cause) for cause in chosen)]


@given(games)
def test_parts_add_up_exactly_in_fractions_and_in_whole_pico_units(values):
    parts = shapley(NAMES, level_of(values))
    assert sum(parts.values()) == values[15] - values[0]
    found = split(NAMES, level_of(values))
    assert found.before + sum(found.parts.values()) == found.after
    assert found.before == math.floor(values[0] * PICO + Fraction(1, 2))
    assert found.after == math.floor(values[15] * PICO + Fraction(1, 2))
    assert all(abs(found.parts[cause] - parts[cause] * PICO) < 1 for cause in NAMES)


@given(games)
def test_a_part_is_the_mean_of_what_the_cause_adds_over_all_orders(values):
    level = level_of(values)
    added = dict.fromkeys(NAMES, Fraction(0))
    for order in permutations(NAMES):
        for number, cause in enumerate(order):
            before = frozenset(order[:number])
            added[cause] += level(before | {cause}) - level(before)
    assert shapley(NAMES, level) == {cause: whole / 24 for cause, whole in added.items()}


@given(games, st.permutations(NAMES))
def test_permuting_the_causes_changes_nothing(values, order):
    assert split(order, level_of(values)) == split(NAMES, level_of(values))


@given(games, st.permutations(["a", "b", "c", "d"]))
def test_renaming_the_causes_renames_their_parts(values, names):
    renamed = dict(zip(NAMES, names, strict=True))
    mine, theirs = split(NAMES, level_of(values)), split(names, level_of(values, tuple(names)))
    assert (mine.before, mine.after) == (theirs.before, theirs.after)
    exact = shapley(NAMES, level_of(values))
    alone = [c for c in NAMES if list(exact.values()).count(exact[c]) == 1]
    assert all(mine.parts[cause] == theirs.parts[renamed[cause]] for cause in alone)
    assert sorted(mine.parts.values()) == sorted(theirs.parts.values())


@given(games, st.sampled_from(NAMES))
def test_a_cause_that_changes_nothing_gets_nothing(values, idle):
    bit = 1 << NAMES.index(idle)
    level = level_of([values[n & ~bit] for n in range(16)])
    assert shapley(NAMES, level)[idle] == 0
    assert split(NAMES, level).parts[idle] == 0


@given(games, games)
def test_parts_of_a_sum_are_sums_of_parts(values, others):
    both = [a + b for a, b in zip(values, others, strict=True)]
    apart = [shapley(NAMES, level_of(each)) for each in (values, others)]
    assert shapley(NAMES, level_of(both)) == {c: apart[0][c] + apart[1][c] for c in NAMES}


def test_two_causes_by_hand():
    """Price times quantity from 2 x 3 to 5 x 7: (9 + 21) / 2 and (8 + 20) / 2."""
    level = {
        frozenset(): Fraction(6), frozenset({"price"}): Fraction(15),
        frozenset({"quantity"}): Fraction(14), frozenset({"price", "quantity"}): Fraction(35),
    }  # fmt: skip
    assert shapley(["price", "quantity"], level.__getitem__) == {"price": 15, "quantity": 14}


def test_halves_at_both_ends_leave_no_rest():
    ends = {frozenset(): Fraction(1, 2 * PICO), frozenset({"a"}): Fraction(3, 2 * PICO)}
    assert split(["a"], ends.__getitem__).parts == {"a": 1}


sides = st.builds(
    lambda pairs, utilisation, factor: Drivers(
        **{
            name: tuple(pair[number] for pair in pairs)
            for number, name in enumerate(
                ("hour_price", "kwh_price", "gb_price", "share", "could", "gb_per_mtok", "kw")
            )
        },
        utilisation=utilisation,
        step_factor=factor,
    ),
    st.lists(st.tuples(*[positive] * 7), min_size=2, max_size=2),
    st.floats(1e-4, 1.0), st.floats(0.1, 10.0),
)  # fmt: skip


def test_every_term_of_the_cost_belongs_to_one_cause():
    terms = [term for own in TERMS.values() for term in own]
    assert sorted(terms) == sorted(field.name for field in msgspec.structs.fields(Drivers))
    assert list(TERMS) == list(CAUSES)


@given(sides, sides)
def test_a_bridge_goes_from_one_cost_to_the_other(before, after):
    bridge = bridge_between("planned", "metered", before, after)
    assert bridge.start_pico + sum(step.adds_pico for step in bridge.steps) == bridge.end_pico
    assert bridge.start_pico / PICO == pytest.approx(before.cost_per_mtok(), abs=1e-12)
    assert bridge.end_pico / PICO == pytest.approx(after.cost_per_mtok(), abs=1e-12)


@given(sides, sides, st.sampled_from(list(TERMS)))
def test_a_driver_that_did_not_change_gets_zero(before, after, same):
    bridge = bridge_between("planned", "metered", before, after.changed(before, [same]))
    assert {s.cause: s.adds_pico for s in bridge.steps}[same] == 0


@given(sides, st.sampled_from(list(TERMS)), sides)
def test_a_driver_that_changed_alone_gets_all(before, changed, after):
    bridge = bridge_between("planned", "metered", before, before.changed(after, [changed]))
    for step in bridge.steps:
        assert step.adds_pico == (
            bridge.end_pico - bridge.start_pico if step.cause == changed else 0
        )
