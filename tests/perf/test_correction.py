"""What measured neighbours change: predictions, steps of a table, how sure the answer is."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neocloud.calibration import Case as MeasuredCase
from neocloud.calibration import Mode, Table, predict_cases
from neocloud.perf import (
    Load,
    Prediction,
    Predictor,
    correction_of,
    predict,
    scaled,
    shipped,
    step_numbers,
    step_table,
    table_of,
)
from neocloud.perf.constants import constants_of
from neocloud.perf.features import UNDATED
from neocloud.perf.levels import EPOCH, levels_of
from neocloud.perf.prediction import nearness

from .cases import CATALOG, DEEPSEEK_R1, GPT_OSS, LLAMA_8B, Case, Work, case, cases, works

CHAT = Load(input_tokens=1000.0, output_tokens=500.0)
PHYSICS = replace(shipped(), table=None)
R1 = case(DEEPSEEK_R1, "h200-sxm", tp=8, engine="sglang")
OSS = case(GPT_OSS, "h100-sxm", tp=2)


def predicted(c: Case, concurrency: int = 64, predictor: Predictor | None = None) -> Prediction:
    return predict(c.architecture, c.accelerator, c.configuration, CHAT, concurrency, predictor)


@pytest.mark.parametrize("c", [R1, OSS, case(LLAMA_8B, "mi300x", engine="vllm")])
@pytest.mark.parametrize("concurrency", [2, 40, 200])
def test_rows_and_single_predictions_agree(c: Case, concurrency: int):
    """The same model stands behind `--rows` and a prediction of one point."""
    row = MeasuredCase(
        table=Table.NVIDIA,
        id="here",
        model=c.architecture.name,
        published=c.architecture.name,
        decode=c.configuration,
        replicas=1,
        prefill=None,
        prefill_replicas=0,
        mode=Mode.CLOSED,
        inputs=CHAT.input_tokens,
        outputs=CHAT.output_tokens,
        concurrency=float(concurrency),
        year=shipped().newest[c.configuration.engine],
    )
    rows = predict_cases(shipped(), CATALOG, [row])
    p = predicted(c, concurrency)
    assert p.tpot_ms == pytest.approx(float(rows.tpot_s[0]) * 1e3)
    assert p.ttft_ms == pytest.approx(float(rows.ttft_s[0]) * 1e3)
    assert p.total_tok_s_per_accelerator == pytest.approx(float(rows.throughput[0]))
    assert p.explained == pytest.approx(float(rows.explained[0]))


def test_without_a_learned_part_it_is_the_physics():
    with_it, without = predicted(R1), predicted(R1, predictor=PHYSICS)
    assert with_it.physics == without.physics
    assert without.tpot_ms == without.physics.tpot_ms
    assert without.ttft_ms == without.physics.ttft_ms
    assert (without.explained, without.nearness) == (0.0, "far: physics alone")
    assert with_it.tpot_ms != with_it.physics.tpot_ms


def test_near_what_was_measured_it_is_surer_than_far_from_it():
    """R1 under SGLang on H200 was measured at length; a fourfold split of it under vLLM never."""
    near = predicted(R1)
    far = predicted(case(DEEPSEEK_R1, "h200-sxm", tp=2, pp=4, engine="vllm"))
    assert near.explained > 2 * far.explained
    width = []
    for p in (near, far):
        assert p.intervals is not None
        bounds = p.intervals.total_tok_s_per_accelerator
        width.append(bounds.high_90 / bounds.low_90)
    assert 1.2 < width[0] < width[1]
    assert [nearness(share)[:4] for share in (0.9, 0.5, 0.1)] == ["near", "betw", "far:"]


@given(cases(), st.integers(1, 512))
@settings(max_examples=60, deadline=None)
def test_intervals_hold_the_value_and_each_other(c: Case, concurrency: int):
    if not c.memory.fits:
        return
    p = predicted(c, concurrency)
    assert p.intervals is not None
    for name in msgspec.structs.asdict(p.intervals):
        bounds = getattr(p.intervals, name)
        value = getattr(p, name)
        assert 0 < bounds.low_90 < bounds.low_50 < bounds.high_50 < bounds.high_90
        assert bounds.low_90 < value < bounds.high_90
    rate, energy = p.intervals.output_tok_s_per_accelerator, p.intervals.joules_per_output_token
    assert energy.low_90 * rate.high_90 == pytest.approx(p.watts_per_accelerator)
    assert energy.high_50 * rate.low_50 == pytest.approx(p.watts_per_accelerator)


def test_bands_that_nobody_made_leave_no_interval():
    assert predicted(R1, predictor=replace(shipped(), bands=None)).intervals is None


def test_an_undated_prediction_stands_for_the_newest_rows():
    used = shipped()
    assert used.age("sglang") == pytest.approx(used.newest["sglang"] - EPOCH)
    assert (used.age("unheard-of"), used.year("unheard-of")) == (0.0, UNDATED)
    levels = levels_of(R1.architecture, R1.accelerator, R1.configuration, age=used.age("sglang"))
    assert R1.numbers.decode_factor == constants_of(used.fit, levels).decode_factor


def test_a_step_of_the_table_is_the_physics_times_the_factor_at_its_batch():
    correction = correction_of(OSS.architecture, OSS.accelerator, OSS.configuration, CHAT)
    made = step_table(OSS.architecture, OSS.accelerator, OSS.configuration, CHAT)
    axis = made.data.decode_batch
    factors = correction.step_factor(np.maximum(axis, 1.0) / 2)
    assert factors[0] == factors[1], "a lone prompt is one request"
    assert np.ptp(factors) > 0.01
    for row in (0, 1, len(axis) // 2, len(axis) - 1):
        plain = table_of(
            scaled(OSS.numbers, float(factors[row])),
            OSS.configuration,
            OSS.architecture.max_context,
        )
        w = Work(int(axis[row]), int(axis[row]) * 1000, 1024, 1024 * 5000)
        assert made.cost(*w.as_tuple()) == pytest.approx(plain.cost(*w.as_tuple()), rel=1e-9)


@given(works(most_decodes=2000))
@settings(max_examples=100, deadline=None)
def test_between_and_beyond_its_points_a_corrected_table_stays_near_the_physics(w: Work):
    made = step_table(OSS.architecture, OSS.accelerator, OSS.configuration, CHAT)
    plain = OSS.table
    seconds, joules = made.cost(*w.as_tuple())
    assert seconds == pytest.approx(plain.cost(*w.as_tuple())[0], rel=0.6)
    assert joules > 0


def test_the_numbers_are_the_physics_alone():
    assert step_numbers(
        OSS.architecture, OSS.accelerator, OSS.configuration, PHYSICS
    ) == step_numbers(OSS.architecture, OSS.accelerator, OSS.configuration)
    none = correction_of(OSS.architecture, OSS.accelerator, OSS.configuration, CHAT, PHYSICS)
    assert (none.step_factor(np.array([0.1, 1.0, 500.0])) == 1.0).all()
