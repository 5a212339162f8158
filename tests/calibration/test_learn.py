"""The learned part corrects near what was measured and is silent far away."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import numpy as np
import pytest

from neocloud.calibration.features import features_of_case
from neocloud.calibration.learn import Lesson, merge, step_residual, teach
from neocloud.calibration.records import Mode
from neocloud.calibration.scales import FIRST, STEP

from .measured import CATALOG
from .test_fit import closed


def at(concurrency=16.0, **changes):
    return features_of_case(CATALOG, closed(concurrency=concurrency, **changes))


HERE = at()
FAR = msgspec.structs.replace(
    at(), accelerator="a", generation="g", engine="e", precision="p", model="m", inputs=40.0
)


def taught(step=0.3, first=-0.5):
    loads = (8.0, 16.0, 32.0)
    return teach([Lesson(at(load), step, first) for load in loads], STEP, FIRST)


def test_it_corrects_where_it_was_taught():
    step, first = taught().errors([HERE])
    assert step[0] == pytest.approx(0.3, abs=0.05)
    assert first[0] == pytest.approx(-0.5, abs=0.12)


def test_it_is_silent_far_away():
    step, first = taught().errors([FAR])
    assert step[0] == pytest.approx(0.0, abs=1e-3)
    assert first[0] == pytest.approx(0.0, abs=1e-3)


def test_the_farther_the_less():
    near = [HERE, at(64.0), at(1024.0), at(16.0, inputs=32768.0)]
    other_engine = msgspec.structs.replace(HERE, engine="sglang")
    other_everything = msgspec.structs.replace(
        other_engine, accelerator="mi300x", generation="cdna3", model="another"
    )
    found = taught().errors([*near, other_engine, other_everything])[0]
    assert (np.abs(found) <= 0.31).all()
    assert found[0] > found[1] > found[2] > 0
    assert found[0] > found[3]
    assert found[0] > found[4] > found[5]


def test_what_neighbours_explain():
    learned = taught()
    here, aside, far = learned.explained([HERE, at(256.0), FAR])
    assert 1.0 >= here > aside > far
    assert far == pytest.approx(0.0, abs=1e-6)
    assert here > 0.8


def test_at_one_load_or_at_any():
    learned = taught()
    correction = learned.correction(HERE)
    load = np.array([16.0 / 2.0])
    assert np.log(correction.step_factor(load)) == pytest.approx(
        -learned.errors([HERE])[0], abs=1e-6
    )
    between = float(np.log(correction.step_factor(np.array([12.0])))[0])
    assert -0.35 < between < -0.2


def test_repeats_count_as_one_at_their_mean():
    month = closed(year=2026.25), closed(year=2026.27)
    later = closed(year=2026.9)
    lessons = [
        Lesson(features_of_case(CATALOG, case), value, np.nan)
        for case, value in ((month[0], 0.1), (month[1], 0.3), (later, 0.7))
    ]
    merged, counts = merge(lessons)
    assert counts.tolist() == [2.0, 1.0]
    assert [x.step for x in merged] == pytest.approx([0.2, 0.7])
    assert all(np.isnan(x.first) for x in merged)


def test_a_residual_that_was_not_measured_says_nothing():
    learned = teach([Lesson(HERE, 0.3, np.nan)], STEP, FIRST)
    assert learned.errors([HERE])[1][0] == 0.0
    assert learned.errors([HERE])[0][0] > 0.2


def test_a_wild_residual_does_not_pull_its_neighbours_beyond_bounds():
    learned = teach([Lesson(HERE, 5.0, 9.0)], STEP, FIRST)
    step, first = learned.errors([HERE])
    assert step[0] < 0.6
    assert first[0] < 1.8


def test_the_error_of_steps_is_that_of_tokens_and_inverted_throughput():
    nan = np.nan
    found = step_residual(np.array([0.2, 0.2, nan, nan]), np.array([-0.4, nan, -0.4, nan]))
    assert found[:3] == pytest.approx([0.3, 0.2, 0.4])
    assert np.isnan(found[3])


def test_a_load_at_a_rate_is_like_a_loop_of_as_many():
    driven = replace(closed(), mode=Mode.RATE, rate=3.0, concurrency=0.0)
    assert features_of_case(CATALOG, driven, 16.0) == HERE
