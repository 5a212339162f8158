"""Corrections of many configurations, of prefill apart from decode, and how sure they are."""

from __future__ import annotations

from dataclasses import replace
from statistics import NormalDist

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neocloud.calibration import Case as MeasuredCase
from neocloud.calibration import Mode, Table, predict_cases
from neocloud.perf import (
    DISAGGREGATED,
    Configuration,
    Load,
    Situation,
    correction_of,
    corrections_of,
    layer_of,
    scaled,
    shipped,
    slower_by,
    step_numbers,
)
from neocloud.perf.closed_loop import disaggregated
from neocloud.perf.features import features_of
from neocloud.perf.intervals import LEVELS, Band
from neocloud.perf.learned import KNOTS

from .cases import CATALOG, DEEPSEEK_R1, GPT_OSS, LLAMA_8B, Case, case, cases

CHAT = Load(input_tokens=1000.0, output_tokens=500.0)
R1 = case(DEEPSEEK_R1, "h200-sxm", tp=8, engine="sglang")
MODES = [("closed", ""), (DISAGGREGATED, "dynamo"), (DISAGGREGATED, "mori"), (DISAGGREGATED, "")]
BANDS = [
    (output, mode)
    for output, modes in sorted(shipped().bands.by_output.items())
    for mode in sorted(modes)
]


def situation(c: Case, mode: str = "closed", layer: str = "") -> Situation:
    return Situation(c.architecture, c.accelerator, c.configuration, CHAT, mode, layer)


def expected_errors(asked: Situation, loads: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What the learned part says at each load on its own."""
    a = asked
    return shipped().learned.errors(
        [
            features_of(
                a.architecture,
                a.accelerator,
                a.configuration,
                inputs=CHAT.input_tokens,
                outputs=CHAT.output_tokens,
                load=2.0**load,
                mode=a.mode,
                layer=a.layer,
                year=shipped().year(a.configuration.engine),
            )
            for load in loads
        ]
    )


@given(st.lists(st.tuples(cases(), st.sampled_from(MODES)), min_size=1, max_size=8))
@settings(max_examples=30, deadline=None)
def test_corrections_of_many_are_the_errors_expected_of_each(drawn):
    asked = [situation(c, *kind) for c, kind in drawn] * 2
    for one, found in zip(asked, corrections_of(asked), strict=True):
        step, first = expected_errors(one, KNOTS)
        assert found.step == pytest.approx(step, abs=1e-12)
        assert found.first == pytest.approx(first, abs=1e-12)


@given(st.lists(cases(), min_size=2, max_size=6), st.sampled_from([0.25, 8.0, 100.0]))
@settings(max_examples=20, deadline=None)
def test_what_neighbours_explain_does_not_hang_on_the_company(drawn, load):
    learned = shipped().learned
    asked = [
        features_of(
            c.architecture, c.accelerator, c.configuration, inputs=900, outputs=90, load=load
        )
        for c in drawn
    ]
    together = learned.explained([*asked, asked[0]])
    alone = [float(learned.explained([f])[0]) for f in (*asked, asked[0])]
    assert together == pytest.approx(alone, abs=1e-12)
    assert ((together >= 0.0) & (together <= 1.0)).all()


@pytest.mark.parametrize(
    ("accelerator", "engine", "layer"),
    [
        ("h200-sxm", "sglang", "dynamo"),
        ("gb200-nvl72", "trtllm", "dynamo"),
        ("mi355x", "sglang", "mori"),
        ("h200-sxm", "vllm", ""),
    ],
)
def test_the_layer_is_that_of_measured_rows(accelerator, engine, layer):
    """For vLLM there are none: no layer."""
    assert layer_of(CATALOG.accelerator(accelerator), engine) == layer


@pytest.mark.parametrize(
    ("accelerator", "engine"), [("h200-sxm", "sglang"), ("mi355x", "sglang"), ("b200-sxm", "vllm")]
)
def test_stations_run_on_the_numbers_that_rows_are_judged_by(accelerator, engine):
    """Numbers and correction of both roles, in the closed loop, give the row's prediction.

    At a load on which a knot of the correction lies: 8 in flight for each of 32 accelerators.
    """
    decode = case(DEEPSEEK_R1, accelerator, tp=8, engine=engine, precision="fp8", max_batch=1024)
    prefill = replace(
        decode, configuration=msgspec.structs.replace(decode.configuration, tp=1, attention_dp=8)
    )
    layer = layer_of(decode.accelerator, engine)
    row = MeasuredCase(
        table=Table.NVIDIA,
        id="here",
        model=decode.architecture.name,
        published=decode.architecture.name,
        decode=decode.configuration,
        replicas=3,
        prefill=prefill.configuration,
        prefill_replicas=1,
        mode=Mode.DISAGGREGATED,
        engine_layer=layer,
        inputs=CHAT.input_tokens,
        outputs=CHAT.output_tokens,
        concurrency=256.0,
        year=shipped().newest[engine],
    )
    judged = predict_cases(shipped(), CATALOG, [row])
    c = decode
    correction = correction_of(
        c.architecture, c.accelerator, c.configuration, CHAT, mode=DISAGGREGATED, layer=layer
    )
    step, first = correction.step_factor(8.0), correction.first_factor(8.0)
    loop = disaggregated(
        *(
            scaled(
                step_numbers(c.architecture, c.accelerator, role.configuration, layer=layer), step
            )
            for role in (decode, prefill)
        ),
        inputs=np.array([CHAT.input_tokens]),
        outputs=np.array([CHAT.output_tokens]),
        concurrency=np.array([256.0]),
        decode_ranks=np.array([3.0]),
        prefill_ranks=np.array([8.0]),
        room=np.array([1024.0]),
        batch_tokens=np.array([8192.0]),
    )
    assert loop.tpot_s == pytest.approx(judged.tpot_s, rel=1e-9)
    assert loop.ttft_s * first == pytest.approx(judged.ttft_s, rel=1e-9)
    plain = correction_of(c.architecture, c.accelerator, c.configuration, CHAT)
    assert not np.allclose(plain.step, correction.step, atol=1e-4)


@pytest.mark.parametrize(("output", "mode"), BANDS)
def test_a_factor_at_any_level(output, mode):
    """1 at the prediction, the kept quantiles at theirs, never falling from level to level."""
    band = shipped().bands.by_output[output][mode]
    explained = np.linspace(0.0, 1.0, 50)
    levels = np.linspace(0.05, 0.95, 91)
    by_level = np.array([band.factor(explained, float(level)) for level in levels])
    assert by_level.shape == (91, 50)
    assert (np.diff(by_level, axis=0) >= 0).all()
    assert (by_level[45] == 1.0).all()
    kept = band.factors(explained)
    low = np.minimum(kept[1], 1.0)
    assert band.factor(explained, 0.25) == pytest.approx(low)
    assert band.factor(explained, 0.05) == pytest.approx(np.minimum(kept[0], low))
    assert band.factor(explained, 0.75) == pytest.approx(np.maximum(kept[2], 1.0))
    assert band.factor(0.3, 0.9).shape == ()


@given(st.floats(0.01, 1.0), st.floats(0.05, 0.95))
def test_normal_errors_keep_their_quantiles(spread, level):
    """Straight on the axis of normal scores, so a log-normal error is met at every level."""
    error = NormalDist(0.0, spread)
    band = Band(explained=[0.5], quantiles=[[error.inv_cdf(kept)] for kept in LEVELS])
    assert np.log(band.factor(0.7, level)) == pytest.approx(error.inv_cdf(level), abs=1e-9)


@pytest.mark.parametrize("level", [0.0, 0.049, 0.951, 1.0])
def test_levels_that_nothing_is_known_of_are_refused(level):
    with pytest.raises(ValueError, match=f"{level}"):
        shipped().bands.band("tpot", "closed").factor(0.5, level)


def test_far_from_measured_rows_confidence_costs_more():
    far = case(DEEPSEEK_R1, "h200-sxm", tp=2, pp=4, engine="vllm")
    found = slower_by([situation(R1), situation(far)], 0.9)
    assert (1.02 < found.step[0] < found.step[1]) and (1.1 < found.first[0] < found.first[1])
    even = slower_by([situation(R1), situation(far)], 0.5)
    assert (even.step == 1.0).all() and (even.first == 1.0).all()
    assert (slower_by([situation(R1)], 0.1).step < 1.0).all()


def test_each_kind_of_load_has_its_own_errors():
    kinds = [situation(R1), situation(R1, DISAGGREGATED, "dynamo"), situation(R1)]
    found = slower_by(kinds, 0.8)
    assert found.step[0] == found.step[2] != found.step[1]
    assert found.step[1] == slower_by(kinds[1:2], 0.8).step[0]


def test_limits_of_the_batch_change_nothing_of_it():
    others = [
        situation(case(GPT_OSS, "b200-sxm", max_batch=b, batch_tokens=t, kv_precision=kv))
        for b in (1, 256)
        for t in (512, 8192)
        for kv in ("bf16", "fp8")
    ]
    for values in (slower_by(others, 0.8).step, slower_by(others, 0.8).first):
        assert np.ptp(values) == 0.0
    assert slower_by([], 0.8).step.shape == (0,)


def test_a_predictor_that_was_never_judged_gives_no_confidence():
    with pytest.raises(ValueError, match="never judged"):
        slower_by([situation(R1)], 0.8, replace(shipped(), bands=None))
    physics = replace(shipped(), table=None)
    assert layer_of(R1.accelerator, "sglang", physics) == ""
    assert slower_by([situation(R1)], 0.8, physics).step > slower_by([situation(R1)], 0.8).step
    nothing = corrections_of([situation(R1)], physics)[0]
    assert not nothing.step.any() and not nothing.first.any()


def test_the_layer_decides_what_handing_over_takes():
    c = case(LLAMA_8B, "mi355x", engine="sglang")
    named: Configuration = c.configuration
    with_layer = step_numbers(c.architecture, c.accelerator, named, layer="mori")
    assert with_layer.transfer_s > 1.1 * c.numbers.transfer_s
    assert replace(with_layer, transfer_s=c.numbers.transfer_s) == c.numbers
