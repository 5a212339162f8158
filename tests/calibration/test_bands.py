"""Intervals: ordered, never narrower where less is known, and as full as they say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neocloud.calibration.bands import OUTPUTS, Errors, bands_of, coverage
from neocloud.calibration.records import Mode
from neocloud.perf.intervals import LEVELS


def errors(seed: int, rows: int, mode=Mode.CLOSED, noise=0.3) -> Errors:
    """Rows whose spread falls as neighbours explain more: from 1.4 to 0.4 times `noise`."""
    random = np.random.default_rng(seed)
    explained = random.uniform(0.0, 1.0, rows)
    spread = noise * (1.4 - explained)
    return Errors(
        mode=np.full(rows, str(mode)),
        explained=explained,
        by_output={name: random.normal(0.05, spread) for name in OUTPUTS},
        weight=np.ones(rows),
    )


def test_other_rows_of_the_same_make_lie_in_them():
    bands = bands_of(errors(0, 3000))
    for found in coverage(bands, errors(1, 3000)):
        assert found.rows == 3000
        assert found.inside_90 == pytest.approx(0.9, abs=0.025)
        assert found.inside_50 == pytest.approx(0.5, abs=0.05)


def test_rows_that_err_more_fall_out_of_them():
    bands = bands_of(errors(0, 3000))
    assert all(c.inside_90 < 0.75 for c in coverage(bands, errors(1, 3000, noise=0.6)))


@settings(max_examples=40)
@given(seed=st.integers(0, 10_000), rows=st.integers(1, 700))
def test_bounds_are_ordered_and_widths_fall_with_what_is_explained(seed, rows):
    band = bands_of(errors(seed, rows)).band("throughput", "closed")
    factors = band.factors(np.linspace(0.0, 1.0, 23))
    assert factors.shape == (len(LEVELS), 23)
    assert (np.diff(factors, axis=0) >= 0).all()
    logs = np.log(factors)
    for low, high in ((0, 3), (1, 2)):
        # Quantiles are kept to four digits.
        assert (np.diff(logs[high] - logs[low]) <= 4e-4).all()


def test_an_interval_is_in_the_unit_of_its_value():
    bands = bands_of(errors(0, 500))
    one, ten = (bands.interval("tpot", "closed", value, 0.5) for value in (1.0, 10.0))
    assert ten.low_90 == pytest.approx(10.0 * one.low_90)
    assert one.low_90 < one.low_50 < 1.06 < one.high_50 < one.high_90


def test_loads_of_a_kind_with_few_rows_take_the_bands_of_closed_loops():
    joined = errors(0, 500).joined(errors(1, 20, Mode.OFFLINE)).joined(errors(2, 80, Mode.RATE))
    bands = bands_of(joined)
    assert set(bands.by_output["throughput"]) == {"closed", "rate"}
    assert bands.band("ttft", "offline") == bands.band("ttft", "closed")


def test_rows_without_a_measured_value_do_not_count():
    some = errors(0, 400)
    some.by_output["ttft"][::2] = np.nan
    found = {c.output: c.rows for c in coverage(bands_of(some), some)}
    assert found == {"throughput": 400, "tpot": 400, "ttft": 200}


def test_weights_weigh():
    near, wide = errors(0, 600, noise=0.05), errors(1, 600, noise=0.8)
    light = Errors(wide.mode, wide.explained, wide.by_output, np.full(600, 0.02))
    widths = [
        np.ptp(bands_of(near.joined(other)).band("tpot", "closed").factors(0.5))
        for other in (wide, light)
    ]
    assert widths[1] < 0.5 * widths[0]
