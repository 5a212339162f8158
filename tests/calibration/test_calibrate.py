"""A user's own rows move the shipped parameters, as far as they say something."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from neocloud.calibration import (
    CalibrationError,
    Measured,
    Mode,
    calibrate,
    predict_cases,
    write_calibration,
)
from neocloud.perf.predictor import Calibration, CalibrationFileError, predictor_with, shipped

from .measured import CATALOG
from .test_fit import closed

SLOWER = 1.25
CASES = [
    closed(engine="vllm", concurrency=concurrency, model=model)
    for model in ("Qwen/Qwen3-32B", "meta-llama/Meta-Llama-3.1-8B")
    for concurrency in (1.0, 4.0, 16.0, 64.0, 128.0)
]
ELSEWHERE = [
    closed("mi300x", "sglang", model="openai/gpt-oss-120b"),
    closed("b200-sxm", "trtllm", model="mistralai/Mixtral-8x7B-v0.1"),
]


def slower(cases=CASES, factor=SLOWER):
    """Rows as they would be measured where everything takes `factor` as long."""
    found = predict_cases(shipped(), CATALOG, cases)
    return [
        (case, Measured(throughput=a, ttft_s=b, tpot_s=c))
        for case, a, b, c in zip(
            cases,
            (found.throughput / factor).tolist(),
            (found.ttft_s * factor).tolist(),
            (found.tpot_s * factor).tolist(),
            strict=True,
        )
    ]


@pytest.fixture(scope="module")
def outcome():
    return calibrate(shipped(), CATALOG, slower(), "made.csv")


@pytest.fixture
def laid(outcome, tmp_path):
    path = tmp_path / "calibration.json"
    write_calibration(outcome.calibration, path)
    return path


def tpot(predictor, cases):
    return predict_cases(predictor, CATALOG, cases).tpot_s


def test_a_slower_accelerator_is_found_and_shrunk(outcome, laid):
    found = tpot(predictor_with(laid), CASES) / tpot(shipped(), CASES)
    assert (found > 1.10).all(), "most of a quarter is found in ten rows"
    assert (found < SLOWER * 1.02).all(), "no more than was there"
    assert outcome.before.tpot.median == pytest.approx(20.0, abs=0.5)
    assert outcome.after.tpot.median < 0.5 * outcome.before.tpot.median
    assert outcome.after.throughput.median < 0.5 * outcome.before.throughput.median
    up = [c for c in outcome.calibration.changes if c.term == "decode_factor"]
    assert up
    assert all(c.calibrated > c.shipped for c in up)


def test_fewer_rows_move_less(laid):
    few = calibrate(shipped(), CATALOG, slower(CASES[:1]), "made.csv").calibration
    many = msgspec.json.decode(laid.read_bytes(), type=Calibration)
    total = [
        sum(abs(c.calibrated - c.shipped) for c in found.changes if c.term == "decode_factor")
        for found in (few, many)
    ]
    assert 0.0 < total[0] < total[1]


def test_what_the_rows_do_not_touch_stays(laid):
    a, b = shipped(), predictor_with(laid)
    assert tpot(b, ELSEWHERE) == pytest.approx(tpot(a, ELSEWHERE), rel=1e-9)
    assert (b.table, b.bands) == (a.table, a.bands)
    assert b.digest != a.digest


def test_rows_as_predicted_change_nothing():
    found = calibrate(shipped(), CATALOG, slower(factor=1.0), "made.csv")
    assert found.calibration.changes == []


def test_only_what_a_site_can_differ_in_changes(outcome):
    assert {c.term for c in outcome.calibration.changes} <= {
        "decode_factor", "prefill_factor", "first_token_s",
    }  # fmt: skip
    assert {c.level for c in outcome.calibration.changes} <= {
        "accelerator", "engine+accelerator+format", "model", "model+engine", "release",
    }  # fmt: skip
    sizes = [abs(c.calibrated - c.shipped) for c in outcome.calibration.changes]
    assert sizes == sorted(sizes, reverse=True)
    assert min(sizes) > 0.005


def test_a_file_goes_round(outcome, laid):
    assert msgspec.json.decode(laid.read_bytes(), type=Calibration) == outcome.calibration
    assert outcome.calibration.base == shipped().digest
    assert (outcome.calibration.rows, outcome.calibration.source) == (10, "made.csv")
    assert [p.name for p in laid.parent.iterdir()] == ["calibration.json"]
    again = predictor_with(laid)
    assert again.digest == predictor_with(laid).digest
    assert predictor_with(None) is shipped()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"base": "0123456789abcdef"}, "was made on another fit"),
        ({"schema": "neocloud.calibration/9"}, "was made on another fit"),
        ({"changes": "none"}, "is no calibration"),
    ],
)
def test_a_file_of_another_fit_or_none_is_refused(laid, change, told):
    laid.write_bytes(msgspec.json.encode(msgspec.json.decode(laid.read_bytes()) | change))
    with pytest.raises(CalibrationFileError, match=told):
        predictor_with(laid)


def test_a_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(CalibrationFileError, match="cannot be read"):
        predictor_with(tmp_path / "gone.json")


def test_rows_without_anything_to_fit_are_refused():
    with pytest.raises(CalibrationError, match="no row has a measured"):
        calibrate(shipped(), CATALOG, [(CASES[0], Measured(power_w=500.0))], "made.csv")
    driven = closed(mode=Mode.RATE, rate=1.0, concurrency=0.0)
    with pytest.raises(CalibrationError, match="under a fixed load"):
        calibrate(shipped(), CATALOG, [(driven, Measured(tpot_s=0.01))], "made.csv")


def test_progress_is_told():
    steps: list[int] = []
    calibrate(shipped(), CATALOG, slower(), "made.csv", steps.append)
    assert steps == list(range(1, len(steps) + 1))
    assert steps


def test_new_keys_are_learned_as_well():
    cases = [closed(engine="sglang", concurrency=c, release="sglang:9.9") for c in (1.0, 8.0, 64.0)]
    found = calibrate(shipped(), CATALOG, slower(cases), "made.csv")
    keys = {(c.level, c.key) for c in found.calibration.changes}
    assert ("release", "sglang:9.9") in keys
    assert np.isfinite([c.calibrated for c in found.calibration.changes]).all()
