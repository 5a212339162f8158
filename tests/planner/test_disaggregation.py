"""Prefill apart from decode: what is kept holds the objective, as `perf` has it, and is needed."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from neocloud.perf import (
    DISAGGREGATED,
    Load,
    correction_of,
    layer_of,
    scaled,
    shipped,
    step_numbers,
    together,
)
from neocloud.planner import make_plan, point_at
from neocloud.planner.search.candidates import Candidate
from neocloud.planner.search.disaggregation import disaggregated
from neocloud.planner.search.find import search
from neocloud.planner.search.grid import Grid
from neocloud.planner.search.question import Question
from neocloud.planner.search.stations import decoders_of, prefills_of
from neocloud.spec import Objective

from .clouds import CATALOG, changed, read

R1 = CATALOG.architecture("deepseek-ai/DeepSeek-R1")
LOAD = Load(input_tokens=4000.0, output_tokens=500.0, input_cv2=0.8, input_at_percentile=8000.0)
GRID = Grid(
    tp=(4, 8), attention_dp=(1, 8), pp=(1,), precisions=("fp8",), drafts=(0, 2),
    batch_tokens=(8192, 16384), batch=(32, 128, 512), most_accelerators=8, workers=3,
)  # fmt: skip


def question(accelerator: str = "h200-sxm", **changes) -> Question:
    asked = {
        "architecture": R1,
        "accelerator": CATALOG.accelerator(accelerator),
        "engine": "sglang",
        "load": LOAD,
        "objective": Objective(ttft_ms=3000.0, tpot_ms=30.0),
        "grid": GRID,
        "rtts_ms": (10.0, 120.0),
        "predictor": shipped(),
    }
    return Question(**(asked | changes))


def directly(q: Question, other: Question, c: Candidate, batch: float):
    """The replica's steady state at a mean batch of a decode worker, by `perf` alone."""
    assert c.prefill is not None
    numbers = []
    for asked, station in ((other, c.prefill), (q, c.decode)):
        layer = layer_of(asked.accelerator, asked.engine)
        numbers.append(
            step_numbers(R1, asked.accelerator, station.configuration, asked.predictor, layer=layer)
        )
    correction = correction_of(
        R1, q.accelerator, c.decode.configuration, q.load, q.predictor,
        mode=DISAGGREGATED, layer=layer_of(q.accelerator, q.engine),
    )  # fmt: skip
    factor = correction.step_factor(c.decode.workers * batch / c.accelerators)
    return together(
        scaled(numbers[0], factor),
        scaled(numbers[1], factor),
        q.load,
        np.float64(batch),
        prefill_workers=c.prefill.workers,
        decode_workers=c.decode.workers,
        batch_tokens=float(c.prefill.configuration.batch_tokens),
        max_batch=float(c.decode.configuration.max_batch),
        kv_tokens=float(c.decode.memory.replica_kv_tokens),
        percentile=q.objective.percentile,
    )


@pytest.mark.parametrize(
    ("decode", "prefill"), [("h200-sxm", "h200-sxm"), ("b200-sxm", "h200-sxm")]
)
def test_candidates_hold_the_objective_as_the_model_has_it(decode: str, prefill: str):
    q, other = question(decode), question(prefill)
    found, counts = disaggregated(prefills_of(other), decoders_of(q), q.rtts_ms)
    assert found
    assert counts.kept == len(found)
    for c in found:
        assert c.prefill is not None
        assert 1 <= c.prefill.workers <= GRID.workers
        assert 1 <= c.decode.workers <= GRID.workers
        assert c.decode.configuration.accelerator == decode
        assert c.prefill.configuration.accelerator == prefill
        assert c.prefill.configuration.drafts == 0
        at = c.curve[-1]
        steady = directly(q, other, c, at.decode_batch / c.decode.workers)
        assert bool(steady.fits)
        assert steady.requests_per_s == pytest.approx(at.requests_per_s)
        assert steady.watts == pytest.approx(at.watts)
        assert steady.tpot_s_at_percentile * 1e3 <= q.objective.tpot_ms
        assert steady.ttft_s_at_percentile * 1e3 + c.max_rtt_ms <= q.objective.ttft_ms * (1 + 1e-9)
        loads = [p.requests_per_s for p in c.curve]
        assert loads == sorted(loads)


def test_each_layout_alone_gives_little_that_is_not_kept():
    """Against every pair of configurations by itself, in all numbers of workers.

    Operating points of single workers decide which pairs are evaluated as a whole: within 3 per
    cent, a step of the grid of batches.
    """
    q = question(rtts_ms=(10.0,))
    joint, _ = disaggregated(prefills_of(q), decoders_of(q), q.rtts_ms)
    for tp, dp, ptp, pdp in product((4, 8), (1, 8), (4, 8), (1, 8)):
        if max(tp * dp, ptp * pdp) > GRID.most_accelerators:
            continue
        alone = replace(q, grid=replace(GRID, tp=(tp,), attention_dp=(dp,)))
        feeding = replace(q, grid=replace(GRID, tp=(ptp,), attention_dp=(pdp,)))
        one, _ = disaggregated(prefills_of(feeding), decoders_of(alone), q.rtts_ms)
        for c in one:
            mine = c.measures(c.max_rtt_ms)
            assert any(
                all(k <= m + 0.03 * abs(m) for k, m in zip(j.measures(10.0), mine, strict=True))
                for j in joint
            )


def test_apart_is_better_where_answers_must_be_fast():
    """A tight time per token and long prompts: mixed steps cut batches, apart ones do not."""
    grid = replace(GRID, workers=0)
    together_ = search(question(grid=grid, objective=Objective(ttft_ms=3000.0, tpot_ms=25.0)))
    both = search(question(objective=Objective(ttft_ms=3000.0, tpot_ms=25.0)))
    best = [min(c.measures(0.0)[0] for c in f.candidates) for f in (together_, both)]
    assert best[1] < 0.8 * best[0]
    assert any(c.prefill is not None for c in both.candidates)


CLOUD = """\
name: apart
sites:
  ashburn:
    metro: washington
    power: [{usd_per_mwh: 80}]
    pools:
      - {accelerator: h200-sxm, nodes: 12, engine: sglang}
      - {accelerator: b200-sxm, nodes: 12, engine: sglang}
models:
  r1:
    config: deepseek-ai/DeepSeek-R1
    objective: {ttft_ms: 3000, tpot_ms: 25}
    price_per_mtok: {input: 0.5, output: 2}
demand:
  - model: r1
    metros: [new-york]
    requests_per_s: 25
    lengths: {input_tokens: 4000, output_tokens: 500}
"""


def test_a_plan_places_both_kinds_of_workers():
    plan = make_plan(read(CLOUD), CATALOG)
    apart = [p for p in plan.placements if p.prefill is not None]
    assert apart
    for p in apart:
        held = p.held()
        assert sum(held.values()) == p.accelerators_per_replica
        assert p.prefill is not None
        assert "--disaggregation-mode" in p.prefill.engine.arguments
        assert "prefill" in p.prefill.engine.arguments
        assert "decode" in p.engine.arguments
    for pool in ("h200-sxm", "b200-sxm"):
        used = sum(p.replicas * p.held().get(pool, 0) for p in plan.placements)
        free = sum(u.accelerators for u in plan.unallocated if u.pool == pool)
        assert used + free == 96
    one = make_plan(
        read(changed(CLOUD, ("name: apart", "name: apart\nplanning: {serving: [aggregated]}"))),
        CATALOG,
    )
    assert all(p.prefill is None for p in one.placements)
    assert one.cost_per_hour.total > plan.cost_per_hour.total


def test_both_kinds_of_workers_are_paid_for_by_hand():
    """Each pool at its own price; energy by the curve of the whole replica."""
    plan = make_plan(read(CLOUD), CATALOG)
    apart = [p for p in plan.placements if p.prefill is not None]
    assert any(p.prefill and p.prefill.pool != p.pool for p in apart), "on two kinds"
    factor = 0.10 / (1 - 1.10**-5) / (8760 * 0.97)
    for p in apart:
        assert p.prefill is not None
        capital = operations = 0.0
        for pool, held in p.held().items():
            price = float(CATALOG.accelerator(pool).capex_usd.value or 0.0)
            node_w = CATALOG.accelerator(pool).node_power_w.value or 0.0
            capital += p.replicas * held * price * factor
            yearly = 195 * 12 * node_w / 8 / 1e3 + 0.03 * price
            operations += p.replicas * held * yearly / (8760 * 0.97)
        assert p.cost_per_hour.capital == pytest.approx(capital)
        assert p.cost_per_hour.operations == pytest.approx(operations)
        watts = [
            p.replicas * point_at(p.curve, rate / p.replicas).watts
            for rate in p.requests_per_s_by_hour
        ]
        assert p.cost_per_hour.power == pytest.approx(sum(watts) / 24e3 * 1.25 * 0.08)
        gigabytes = (4000 * 4 + 500 * 250) / 1e9
        sent = sum(p.requests_per_s_by_hour) / 24 * 3600
        assert p.cost_per_hour.network == pytest.approx(sent * gigabytes * 0.0024)


def test_emulated_pools_run_both_on_the_same_workers():
    plan = make_plan(read(CLOUD.replace("sglang", "emulated")), CATALOG)
    assert all(p.prefill is None for p in plan.placements)
