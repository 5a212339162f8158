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
    assert kernels.occupancy(16, 0.0, 32.0) == 0.5
    assert kernels.occupancy(40, 8.0, 32.0) == 1.5


def test_an_engines_word_fades_with_its_age():
    assert kernels.freshness(0.0) == 1.0
    assert kernels.freshness(-1.0) == 1.0  # told while we look
    assert kernels.freshness(kernels.MAX_USEFUL_AGE_S / 2) == 0.5
    assert kernels.freshness(kernels.MAX_USEFUL_AGE_S) == 0.0
    assert kernels.freshness(math.inf) == 0.0


def test_others_requests_come_on_top_of_our_own():
    assert kernels.unseen(16, 8, 0.0, 1.0, 32.0) == 8.0
    assert kernels.unseen(16, 8, 0.0, 0.5, 32.0) == 4.0
    assert kernels.unseen(16, 8, 0.9, 0.0, 32.0) == 0.0


def test_a_full_cache_counts_as_full_however_few_are_inside():
    assert kernels.occupancy(1, kernels.unseen(1, 0, 0.75, 1.0, 32.0), 32.0) == 0.75
    assert kernels.unseen(30, 0, 0.5, 1.0, 32.0) == 0.0  # explained by our own 30


def test_a_replica_that_came_back_is_loaded_little_by_little():
    assert kernels.ramp(0.0) == kernels.FIRST_SHARE
    assert kernels.ramp(kernels.SLOW_START_S / 2) == pytest.approx(0.55)
    assert kernels.ramp(kernels.SLOW_START_S) == 1.0
    assert kernels.ramp(math.inf) == 1.0


def test_nobody_waits_up_to_the_planned_concurrency():
    assert kernels.queue_seconds(0.2, 0.0, 3.0) == 0.0
    assert kernels.queue_seconds(1.0, 0.0, 3.0) == 0.0
    # 32 planned, 16 too many, one leaves each 3 s / 32: 1.5 s.
    assert kernels.queue_seconds(48 / 32, 0.0, 3.0) == 1.5


def test_an_engine_that_queues_sooner_than_planned_is_believed():
    assert kernels.queue_seconds(0.5, 8 / 32, 4.0) == 1.0
    assert kernels.queue_seconds(1.5, 8 / 32, 4.0) == 2.0


def test_prompts_before_and_beyond_the_mean_take_their_time():
    assert kernels.prefill_seconds(0.2, 9000, 9000.0, 0.0) == 0.2  # speed unknown
    assert kernels.prefill_seconds(0.2, 5000, 0.0, 10_000.0) == 0.7
    assert kernels.prefill_seconds(0.2, 0, 1000.0, 10_000.0) == pytest.approx(0.3)
    assert kernels.prefill_seconds(0.2, 0, -9000.0, 10_000.0) == 0.0


def test_price_counts_energy_and_carbon_now():
    assert kernels.price_of(2.0, 0.0, 9.0, 900.0, 9.0) == 2.0
    assert kernels.price_of(2.0, 0.5, 0.4, 0.0, 0.0) == 2.2
    assert kernels.price_of(2.0, 0.5, 0.0, 400.0, 1e-4) == 2.02  # 200 g at 100 a tonne
    assert kernels.price_of(0.1, 0.5, -1.0, 0.0, 0.0) == 0.0


def score(**changes: float) -> float:
    terms = {
        "relative": 1.0, "away": 0.0, "rtt_s": 0.1, "prefill_s": 0.2, "queue_s": 0.0,
        "budget_s": 1.0, "occupied": 0.0,
    }  # fmt: skip
    return kernels.score(**(terms | changes))


def test_the_cheapest_in_time_with_nobody_inside_scores_one():
    assert score() == 1.0
    assert kernels.relative_price(2.0, 2.0) == 1.0
    assert kernels.relative_price(3.0, 2.0) == 1.5
    assert kernels.relative_price(3.0, 0.0) == 1.0


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"relative": 1.5}, 1.5),
        ({"away": kernels.PLAN}, 1.0 + kernels.PLAN),
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


def test_ten_per_cent_late_weighs_as_much_as_double_the_price_and_as_leaving_the_plan():
    assert score(rtt_s=0.9) == pytest.approx(score(relative=2.0))
    assert score(rtt_s=0.9) == pytest.approx(score(away=kernels.PLAN))


amounts = st.floats(0.0, 1e3)


@given(amounts, amounts, amounts, amounts, amounts, st.floats(0.01, 1e3), amounts)
def test_every_term_only_adds(relative, away, rtt, prefill, queue, budget, occupied):
    base = kernels.score(relative, away, rtt, prefill, queue, budget, occupied)
    assert base >= relative + away  # what lets a choice skip candidates unseen
    late, overload, spread = kernels.terms(rtt, prefill, queue, budget, occupied)
    assert base == pytest.approx(relative + away + late + overload + spread)
    worse = (
        (relative + 1, away, rtt, prefill, queue, budget, occupied),
        (relative, away + 1, rtt, prefill, queue, budget, occupied),
        (relative, away, rtt + 1, prefill, queue, budget, occupied),
        (relative, away, rtt, prefill + 1, queue, budget, occupied),
        (relative, away, rtt, prefill, queue + 1, budget, occupied),
        (relative, away, rtt, prefill, queue, budget / 2, occupied),
        (relative, away, rtt, prefill, queue, budget, occupied + 1),
    )
    assert all(kernels.score(*args) >= base for args in worse)


def test_the_bound_of_affinity():
    slack = kernels.AFFINITY_SLACK
    assert kernels.affinity_bound(0.1) == 0.1 + slack
    assert kernels.affinity_bound(0.9) == 1.0  # no queue for the sake of a prefix
    assert kernels.affinity_bound(1.5) == 1.5


def test_mix_is_murmurs_finaliser():
    # Known images of its 32-bit finaliser.
    assert kernels.mix(0) == 0
    assert kernels.mix(1) == 0x514E28B7
    assert kernels.mix(0xFFFFFFFF) == 0x81F16F39
    assert kernels.mix((1 << 32) + 1) == kernels.mix(1)


@pytest.fixture(scope="module")
def compiled() -> dict[str, object]:
    """Every kernel as a twin will run it: the same source through numba."""
    plain = {
        name: function
        for name, function in inspect.getmembers(kernels, inspect.isfunction)
        if function.__module__ == kernels.__name__
    }
    assert {"unseen", "occupancy", "queue_seconds", "score", "rank"} <= set(plain)
    world = dict(vars(kernels))
    for name, function in plain.items():
        world[name] = numba.njit(FunctionType(function.__code__, world, name))
    return {name: world[name] for name in plain}


counts = st.integers(0, 10_000)
hashes = st.integers(0, 2**32 - 1)
ages = st.floats(0.0, math.inf)


@given(data=st.data())
def test_compiled_kernels_agree_with_plain_ones(compiled, data):
    """Integers bit for bit, floats to rounding: a compiler may fuse a product and a sum."""
    share, place = st.floats(0.0, 1.0), st.floats(0.1, 1e4)
    price = st.floats(-10.0, 1e3)
    arguments = {
        "freshness": (ages,),
        "ramp": (ages,),
        "unseen": (counts, counts, share, share, place),
        "occupancy": (counts, amounts, place),
        "queue_seconds": (amounts, amounts, amounts),
        "prefill_seconds": (amounts, counts, st.floats(-1e4, 1e4), amounts),
        "price_of": (amounts, amounts, price, amounts, amounts),
        "relative_price": (amounts, amounts),
        "terms": (amounts, amounts, amounts, st.floats(0.01, 1e3), amounts),
        "score": (amounts, amounts, amounts, amounts, amounts, st.floats(0.01, 1e3), amounts),
        "affinity_bound": (amounts,),
        "mix": (hashes,),
        "rank": (st.integers(0, kernels.BUCKETS - 1), hashes),
    }
    assert set(arguments) == set(compiled)
    for name, kinds in arguments.items():
        given_ = [data.draw(kind) for kind in kinds]
        plain = getattr(kernels, name)(*given_)
        told = compiled[name](*given_)
        if isinstance(plain, int):
            assert told == plain, name
        else:
            assert told == pytest.approx(plain, rel=1e-9, abs=1e-9), name
