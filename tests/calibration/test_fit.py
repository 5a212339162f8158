"""The fit finds what rows were made of, and its slopes are slopes."""

from __future__ import annotations

import numpy as np
import pytest

from neocloud.calibration import Case, Measured, Mode, Table, predict_cases
from neocloud.calibration.fit import block, fit, jacobian, weights_of
from neocloud.calibration.judge import FOLDS, fold_labels, in_flight, kind_of_row, kinds
from neocloud.calibration.problem import Slots, cases_of, constants, lookup
from neocloud.perf import Configuration
from neocloud.perf.constants import CONSTANTS, Fit, constants_of
from neocloud.perf.predictor import Predictor

from .measured import CATALOG

TRUTH = Fit(
    factors={
        "decode_factor": {
            "all": {"all": 0.0},
            "accelerator": {"h100-sxm": 0.2, "h200-sxm": -0.1},
            "engine": {"vllm": 0.1, "sglang": -0.1},
        },
        "prefill_factor": {"all": {"all": 0.0}, "accelerator": {"h100-sxm": -0.15}},
        "host_s": {"all": {"all": 0.3}},
    }
)


def predictor(found: Fit) -> Predictor:
    return Predictor(fit=found, table=None, bands=None, newest={}, digest="made for a test")


def closed(accelerator="h100-sxm", engine="vllm", concurrency=16.0, **changes) -> Case:
    values = {
        "table": Table.THROUGHPUT, "id": "made", "model": "Qwen/Qwen3-32B", "published": "",
        "replicas": 1, "mode": Mode.CLOSED, "inputs": 1024.0, "outputs": 512.0,
        "concurrency": concurrency,
        "decode": Configuration(accelerator=accelerator, tp=2, precision="fp8", engine=engine),
    }  # fmt: skip
    return Case(**(values | changes))


CASES = [
    closed(accelerator, engine, concurrency, model=model, inputs=inputs)
    for accelerator in ("h100-sxm", "h200-sxm")
    for engine in ("vllm", "sglang")
    for model in ("Qwen/Qwen3-32B", "meta-llama/Meta-Llama-3.1-8B")
    for inputs in (256.0, 4096.0)
    for concurrency in (1.0, 16.0, 128.0)
]


def outcomes(found: Fit, cases=CASES, noise=0.0):
    values = predict_cases(predictor(found), CATALOG, cases)
    shake = np.exp(np.random.default_rng(0).normal(0.0, noise, (3, len(cases))))
    return [
        Measured(throughput=a, ttft_s=b, tpot_s=c)
        for a, b, c in zip(
            (values.throughput * shake[0]).tolist(),
            (values.ttft_s * shake[1]).tolist(),
            (values.tpot_s * shake[2]).tolist(),
            strict=True,
        )
    ]


def off(found: Fit, truth: Fit = TRUTH) -> float:
    """Median error of time per token."""
    a, b = (predict_cases(predictor(f), CATALOG, CASES).tpot_s for f in (found, truth))
    return float(np.median(np.abs(a / b - 1.0)))


def refitted(noise=0.0):
    slots = Slots()
    b = block(
        CATALOG, list(zip(CASES, outcomes(TRUTH, noise=noise), strict=True)), slots, grow=True
    )
    return slots.fit(fit([b], slots, rounds=15))


def test_known_factors_are_found_again():
    found = refitted()
    assert off(Fit(factors={})) > 0.05
    assert off(found) < 0.01

    # Several levels share in a factor: their sum is what a configuration gets.
    levels = cases_of(CATALOG, CASES).decode.levels
    total = [found.log_factor("decode_factor", x) for x in levels]
    truth = [TRUTH.log_factor("decode_factor", x) for x in levels]
    assert np.subtract(total, np.mean(total)) == pytest.approx(
        np.subtract(truth, np.mean(truth)), abs=0.08
    )


def test_noise_and_outliers_do_not_carry_a_fit_away():
    assert off(refitted(noise=0.1)) < 0.04
    measured = outcomes(TRUTH)
    measured[3] = Measured(throughput=1.0, tpot_s=30.0, ttft_s=500.0)
    slots = Slots()
    b = block(CATALOG, list(zip(CASES, measured, strict=True)), slots, grow=True)
    assert off(slots.fit(fit([b], slots, rounds=15))) < 0.04


def test_without_rows_that_say_anything_priors_stand():
    slots = Slots()
    b = block(CATALOG, [(case, Measured()) for case in CASES[:6]], slots, grow=True)
    assert fit([b], slots, rounds=3) == pytest.approx(0.0, abs=1e-9)


def test_the_loss_falls_round_by_round():
    slots, losses = Slots(), []
    b = block(CATALOG, list(zip(CASES, outcomes(TRUTH), strict=True)), slots, grow=True)
    fit([b], slots, rounds=6, progress=lambda _, loss: losses.append(loss))
    assert len(losses) >= 2
    assert losses == sorted(losses, reverse=True)


def test_slopes_by_colour_are_slopes_slot_by_slot():
    slots = Slots()
    b = block(CATALOG, list(zip(CASES, outcomes(TRUTH), strict=True)), slots, grow=True)
    theta = np.random.default_rng(1).normal(0.0, 0.05, len(slots.names))
    base = b.residuals(theta)
    dense = np.zeros((3, len(CASES), len(theta)))
    rows, _, slopes = jacobian(b, theta, base)
    for index, slope in zip(rows, slopes, strict=True):
        for case in np.flatnonzero(index >= 0):
            dense[:, case, index[case]] += slope[:, case]
    for slot in np.random.default_rng(2).choice(len(theta), 12, replace=False):
        up = theta.copy()
        up[slot] += 1e-4
        one = (b.residuals(up) - base) / 1e-4
        assert dense[:, :, slot] == pytest.approx(one, abs=2e-3), slots.names[slot]


def test_constants_of_many_cases_are_those_of_each():
    slots = Slots()
    b = block(CATALOG, [(case, Measured()) for case in CASES], slots, grow=True)
    theta = np.random.default_rng(3).normal(0.0, 0.1, len(slots.names))
    many = constants(lookup(b.cases.decode, slots, grow=False), theta)
    factors: dict[str, dict[str, dict[str, float]]] = {}
    for (term, level, key), value in zip(slots.names, theta.tolist(), strict=True):
        factors.setdefault(term, {}).setdefault(level, {})[key] = value
    for i in (0, 7, len(CASES) - 1):
        one = constants_of(Fit(factors=factors), b.cases.decode.levels[i])
        for name in CONSTANTS:
            assert getattr(many, name)[i] == pytest.approx(getattr(one, name)), name


def test_a_fit_goes_through_its_slots_unchanged():
    slots, theta = Slots.of(TRUTH)
    found = slots.fit(theta)
    assert found.factors["decode_factor"] == TRUTH.factors["decode_factor"]
    assert found.factors["host_s"] == TRUTH.factors["host_s"]


def test_rows_of_a_model_with_many_count_less_each():
    found = weights_of(["a"] * 400 + ["b"] * 10)
    assert found[0] == pytest.approx(0.5)
    assert found[-1] == 1.0


def test_folds_keep_groups_whole_and_stay_the_same():
    pairs = [(case, Measured()) for case in CASES]
    labels = fold_labels(pairs)
    assert labels == fold_labels(pairs)
    assert len(set(labels)) == FOLDS
    by_group: dict[str, set[str]] = {}
    for case, label in zip(CASES, labels, strict=True):
        by_group.setdefault(case.group, set()).add(label)
    assert all(len(found) == 1 for found in by_group.values())
    assert len(by_group) == 16


def test_loads_at_a_rate_teach_what_was_in_flight():
    driven = closed(mode=Mode.RATE, rate=2.0, concurrency=0.0)
    measured = Measured(ttft_s=0.5, tpot_s=0.01)
    found = in_flight(driven, measured)
    assert found is not None
    assert found.concurrency == pytest.approx(2.0 * (0.5 + 0.01 * 511))
    assert in_flight(driven, Measured(ttft_s=60.0, tpot_s=0.01)) is None
    assert in_flight(driven, Measured(throughput=100.0)) is None
    apart = closed(mode=Mode.DISAGGREGATED, prefill=CASES[0].decode, prefill_replicas=1)
    both = kinds([(driven, measured), (CASES[0], measured), (apart, measured)])
    assert [len(kind) for kind in both] == [2, 1]


def test_kinds_that_are_judged_together():
    trtllm = Configuration(accelerator="h100-sxm", tp=2, precision="fp8", engine="trtllm")
    offline = closed(mode=Mode.OFFLINE, decode=trtllm)
    assert kind_of_row(CATALOG, offline) == "offline TensorRT-LLM, dense"
    experts = closed(mode=Mode.OFFLINE, decode=trtllm, model="openai/gpt-oss-20b")
    assert kind_of_row(CATALOG, experts) == "offline TensorRT-LLM, experts"
    assert kind_of_row(CATALOG, closed()) == "other, closed"
    assert kind_of_row(CATALOG, closed(table=Table.NVIDIA)) == "NVIDIA table"
    assert kind_of_row(CATALOG, closed(table=Table.DEEPSEEK)) == "DeepSeek-R1 aggregated"
