"""Each term of a score by hand, and the same source compiled."""

from __future__ import annotations

import inspect
import math
from types import FunctionType

import numba
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neocloud.routing import kernels


def test_occupancy_is_requests_over_those_planned_for():
    assert kernels.occupancy(16, 0, 0, 0.0, math.inf, 32.0) == 0.5
    assert kernels.occupancy(48, 0, 0, 0.0, math.inf, 32.0) == 1.5


def test_the_larger_of_our_count_and_the_engines_counts():
    assert kernels.occupancy(16, 20, 4, 0.0, 1.0, 32.0) == 0.75
    assert kernels.occupancy(30, 20, 4, 0.0, 1.0, 32.0) == 30 / 32


def test_a_full_cache_counts_as_full():
    assert kernels.occupancy(1, 1, 0, 0.97, 0.0, 32.0) == 0.97


def test_an_old_word_is_not_believed():
    fresh, old = kernels.MAX_USEFUL_AGE_S, kernels.MAX_USEFUL_AGE_S + 0.001
    assert kernels.occupancy(4, 60, 4, 0.9, fresh, 32.0) == 2.0
    assert kernels.occupancy(4, 60, 4, 0.9, old, 32.0) == 4 / 32


def test_nobody_waits_up_to_the_planned_concurrency():
    assert kernels.queue_seconds(0.2, 3.0) == 0.0
    assert kernels.queue_seconds(1.0, 3.0) == 0.0
    # 32 planned, 16 too many, one leaves each 3 s / 32: 1.5 s.
    assert kernels.queue_seconds(48 / 32, 3.0) == 1.5


def score(**changes: float) -> float:
    terms = {
        "cost": 2.0, "cheapest": 2.0, "rtt_s": 0.1, "prefill_s": 0.2, "queue_s": 0.0,
        "budget_s": 1.0, "occupied": 0.0,
    }  # fmt: skip
    return kernels.score(**(terms | changes))


def test_the_cheapest_in_time_with_nobody_inside_scores_one():
    assert score() == 1.0


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"cost": 3.0}, 1.5),
        ({"cost": 0.0, "cheapest": 0.0}, 1.0),  # what costs nothing is as cheap as the cheapest
        ({"rtt_s": 0.8}, 1.0),  # just in time
        ({"rtt_s": 0.9}, 1.0 + kernels.LATE * 0.1),
        ({"prefill_s": 1.0}, 1.0 + kernels.LATE * 0.1),
        ({"queue_s": 0.8}, 1.0 + kernels.LATE * 0.1),
        ({"queue_s": 0.8, "budget_s": 2.0}, 1.0),
        ({"occupied": 0.5}, 1.0 + kernels.SPREAD * 0.5),
        ({"occupied": 1.25}, 1.0 + kernels.FULL * 0.25 + kernels.SPREAD * 1.25),
    ],
)
def test_each_term_alone(changes, expected):
    assert score(**changes) == pytest.approx(expected)


def test_ten_per_cent_late_weighs_as_much_as_double_the_cost():
    assert score(rtt_s=0.9) == pytest.approx(score(cost=4.0))


amounts = st.floats(0.0, 1e3)


@given(amounts, st.floats(1e-6, 1e3), amounts, amounts, amounts, st.floats(0.01, 1e3), amounts)
def test_every_term_only_adds(cost, cheapest, rtt, prefill, queue, budget, occupied):
    base = kernels.score(cost, cheapest, rtt, prefill, queue, budget, occupied)
    assert base >= cost / cheapest
    worse = (
        (cost + 1, cheapest, rtt, prefill, queue, budget, occupied),
        (cost, cheapest, rtt + 1, prefill, queue, budget, occupied),
        (cost, cheapest, rtt, prefill + 1, queue, budget, occupied),
        (cost, cheapest, rtt, prefill, queue + 1, budget, occupied),
        (cost, cheapest, rtt, prefill, queue, budget / 2, occupied),
        (cost, cheapest, rtt, prefill, queue, budget, occupied + 1),
    )
    assert all(kernels.score(*args) >= base for args in worse)


@pytest.fixture(scope="module")
def compiled() -> dict[str, object]:
    """Every kernel as a twin will run it: the same source through numba."""
    plain = {
        name: function
        for name, function in inspect.getmembers(kernels, inspect.isfunction)
        if function.__module__ == kernels.__name__
    }
    assert set(plain) == {"occupancy", "queue_seconds", "score"}
    assert all(isinstance(f, FunctionType) for f in plain.values())
    return {name: numba.njit(function) for name, function in plain.items()}


counts = st.integers(0, 10_000)


def test_compiled_kernels_agree_with_plain_ones(compiled):
    @given(
        counts, counts, counts, st.floats(0.0, 1.0), st.floats(0.0, math.inf),
        st.floats(0.1, 1e4), amounts, st.floats(0.0, 1e3), amounts, amounts, st.floats(0.01, 1e3),
    )  # fmt: skip
    def agree(
        in_flight, running, waiting, kv, age, target, service, cheapest, rtt, prefill, budget
    ):
        inside = (in_flight, running, waiting, kv, age, target)
        occupied = kernels.occupancy(*inside)
        assert compiled["occupancy"](*inside) == occupied
        queue = kernels.queue_seconds(occupied, service)
        assert compiled["queue_seconds"](occupied, service) == queue
        terms = (service, cheapest, rtt, prefill, queue, budget, occupied)
        assert compiled["score"](*terms) == pytest.approx(kernels.score(*terms), rel=1e-12)

    agree()
