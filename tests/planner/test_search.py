"""The search: what it looks at, what it keeps, and that nothing it drops was needed."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from neocloud.perf import ConfigurationError, at_batch, correction_of, memory, scaled, shipped
from neocloud.perf import step_numbers as numbers_of
from neocloud.planner import lengths_of
from neocloud.planner.search.candidates import Candidate
from neocloud.planner.search.dominance import undominated
from neocloud.planner.search.find import Found, search
from neocloud.planner.search.grid import COARSE, FINE, Grid, configurations
from neocloud.planner.search.question import Question
from neocloud.spec import Objective

from .clouds import CATALOG, TWO_SITES, read

LLAMA = CATALOG.architecture("meta-llama/Meta-Llama-3.1-8B")
R1 = CATALOG.architecture("deepseek-ai/DeepSeek-R1")
SMALL = Grid(
    tp=(1, 2, 4), pp=(1,), precisions=("bf16", "fp8"), batch_tokens=(8192,), batch=(16, 64, 256)
)


def question(**changes) -> Question:
    load = lengths_of(read(TWO_SITES), CATALOG, "llama").load(90.0)
    asked = {
        "architecture": LLAMA,
        "accelerator": CATALOG.accelerator("h100-sxm"),
        "engine": "vllm",
        "load": load,
        "objective": Objective(ttft_ms=300.0, tpot_ms=40.0),
        "grid": SMALL,
        "rtts_ms": (5.0, 40.0, 120.0),
        "predictor": shipped(),
    }
    return Question(**(asked | changes))


def measures(c: Candidate) -> tuple[float, ...]:
    each = 1.0 / c.requests_per_s
    return (c.accelerators * each, c.full_watts * each, float(c.accelerators), -c.max_rtt_ms)


@given(arrays(float, st.tuples(st.integers(0, 30), st.integers(1, 4)),
              elements=st.integers(0, 5).map(float)))  # fmt: skip
@settings(max_examples=200, deadline=None)
def test_the_front_is_what_nothing_beats(points):
    """Against the definition: dropped points have a kept one that is as good; kept ones do not."""
    kept = undominated(points)
    front = points[kept]
    assert len(np.unique(front, axis=0)) == len(front)
    for row, stays in zip(points, kept, strict=True):
        beaten = (front <= row).all(axis=1) & (front < row).any(axis=1)
        assert not (stays and beaten.any())
        assert (front <= row).all(axis=1).any()


def test_candidates_meet_the_objective_and_the_next_batch_does_not():
    q = question()
    found = search(q)
    assert found.candidates
    steps = np.geomspace(COARSE[0], COARSE[-1], FINE * (len(COARSE) - 1) + 1)
    for c in found.candidates:
        at = c.curve[-1]
        assert at.tpot_ms_at_percentile <= q.objective.tpot_ms
        assert at.ttft_ms_at_percentile + c.max_rtt_ms <= q.objective.ttft_ms
        assert at.requests_per_s == c.requests_per_s
        place = np.flatnonzero(np.isclose(steps, at.decode_batch))
        assert len(place) == 1, "an operating point is one of the grid"
        more = _directly(q, c, float(steps[place[0] + 1]))
        late = more.ttft_s_at_percentile * 1e3 + c.max_rtt_ms > q.objective.ttft_ms
        slow = more.tpot_s_at_percentile * 1e3 > q.objective.tpot_ms
        full = not more.fits or more.requests_per_s < c.requests_per_s
        assert late or slow or full
        loads = [p.requests_per_s for p in c.curve]
        assert loads == sorted(loads)
        assert c.curve[0].busy == 0.0


def _directly(q: Question, c: Candidate, batch: float):
    """The steady state of a candidate's configuration, by `perf` alone."""
    k = c.configuration
    correction = correction_of(q.architecture, q.accelerator, k, q.load, q.predictor)
    n = scaled(
        numbers_of(q.architecture, q.accelerator, k, q.predictor),
        correction.step_factor(batch / k.tp),
    )
    largest = max(q.grid.batch)
    parts = memory(q.architecture, q.accelerator, k)
    return at_batch(
        n,
        q.load,
        np.float64(batch * k.attention_dp * k.pp),
        batch_tokens=float(k.batch_tokens),
        max_batch=float(largest),
        kv_tokens=float(parts.replica_kv_tokens),
        percentile=q.objective.percentile,
    )


@pytest.mark.parametrize("engine", ["vllm", "sglang"])
def test_a_candidates_point_is_that_of_the_model(engine: str):
    q = question(engine=engine)
    for c in search(q).candidates:
        at = c.curve[-1]
        direct = _directly(q, c, at.decode_batch)
        assert direct.requests_per_s == pytest.approx(at.requests_per_s, rel=1e-9)
        assert direct.tpot_s_at_percentile * 1e3 == pytest.approx(at.tpot_ms_at_percentile)
        assert direct.watts == pytest.approx(at.watts)


def test_no_candidate_is_beaten_by_another():
    found = search(question(objective=Objective(ttft_ms=180.0, tpot_ms=40.0))).candidates
    assert len(found) > 1
    for a, b in product(found, found):
        if a is not b:
            assert not all(x <= y for x, y in zip(measures(b), measures(a), strict=True))


@pytest.mark.parametrize(("tokens", "ttft"), [((2048, 8192), 300.0), ((8192,), 150.0)])
def test_each_part_of_the_grid_alone_gives_nothing_that_is_not_kept(tokens, ttft):
    """Brute force: every configuration and distance searched by itself against the joint search."""
    objective = Objective(ttft_ms=ttft, tpot_ms=40.0)
    grid = Grid(tp=(1, 2), pp=(1, 2), precisions=("fp8",), batch_tokens=tokens, batch=(64, 256))
    joint = [measures(c) for c in search(question(grid=grid, objective=objective)).candidates]
    for tp, pp, cut, rtt in product((1, 2), (1, 2), tokens, (5.0, 40.0, 120.0)):
        one = Grid(tp=(tp,), pp=(pp,), precisions=("fp8",), batch_tokens=(cut,), batch=(64, 256))
        for c in search(question(grid=one, objective=objective, rtts_ms=(rtt,))).candidates:
            mine = measures(c)
            assert any(
                all(k <= m + 1e-9 * abs(m) for k, m in zip(kept, mine, strict=True))
                for kept in joint
            )


def test_every_point_is_accounted_for():
    found = search(question())
    existing = sum(1 for _ in configurations(LLAMA, question().accelerator, "vllm", SMALL))
    counts = found.counts
    assert counts.examined >= existing * len(COARSE)
    assert counts.kept == len(found.candidates)
    assert counts.examined == (counts.no_room + counts.too_slow + counts.dominated + counts.kept)


def test_what_does_not_fit_is_counted_and_explained():
    large = CATALOG.architecture("meta-llama/Meta-Llama-3.1-405B")
    grid = Grid(tp=(1, 2, 4), pp=(1,), precisions=("bf16",), batch=(16,), batch_tokens=(8192,))
    found = search(question(architecture=large, grid=grid))
    assert found.candidates == ()
    assert found.counts.no_room == found.counts.examined == 3 * len(COARSE)
    assert found.nearest == "nothing: its weights fit no configuration"


def test_a_grid_holds_every_combination_that_can_exist():
    accelerator = CATALOG.accelerator("h200-sxm")
    grid = Grid(precisions=("fp8",), most_accelerators=8)
    found = list(configurations(R1, accelerator, "vllm", grid))
    assert len(found) == len(set(found))
    shapes = {(c.tp, c.attention_dp, c.pp) for c in found}
    wanted = {s for s in product(grid.tp, grid.attention_dp, grid.pp) if np.prod(s) <= 8}
    assert shapes == wanted
    for tp, dp, pp in wanted:
        eps = {c.ep for c in found if (c.tp, c.attention_dp, c.pp) == (tp, dp, pp)}
        assert eps == {1, tp * dp}
    assert {c.drafts for c in found} == {0, 1, 2, 3}
    dense = {c.attention_dp for c in configurations(LLAMA, accelerator, "vllm", grid)}
    assert dense == {1}


def test_faster_objectives_leave_fewer_points():
    slow, fast = (
        search(question(objective=Objective(ttft_ms=300.0, tpot_ms=t))) for t in (40.0, 12.0)
    )
    assert fast.counts.too_slow > slow.counts.too_slow
    best = [min(measures(c)[0] for c in f.candidates) for f in (slow, fast)]
    assert best[1] > best[0]


@given(st.floats(100.0, 2000.0), st.floats(8.0, 80.0), st.floats(1.0, 2.0), st.floats(1.0, 2.0))
@settings(max_examples=25, deadline=None)
def test_a_looser_objective_is_never_dearer(ttft: float, tpot: float, more: float, longer: float):
    """In accelerators for each request: the best of a looser objective is at least as good.

    Within a step of the grid where prompts are cut into one piece more.
    """
    tight = search(question(objective=Objective(ttft_ms=ttft, tpot_ms=tpot), rtts_ms=(10.0,)))
    loose_objective = Objective(ttft_ms=ttft * longer, tpot_ms=tpot * more)
    loose = search(question(objective=loose_objective, rtts_ms=(10.0,)))
    if tight.candidates:
        least = [min(measures(c)[0] for c in f.candidates) for f in (tight, loose)]
        assert least[1] <= least[0] * (1 + 1e-9)


def test_what_an_engine_cannot_do_is_no_point():
    """SGLang drafts no tokens over several stages; vLLM does."""
    q = question(
        architecture=R1,
        accelerator=CATALOG.accelerator("h200-sxm"),
        grid=Grid(tp=(8,), attention_dp=(1,), precisions=("fp8",), pp=(2,), batch=(64,)),
        objective=Objective(ttft_ms=2000.0, tpot_ms=60.0),
    )
    drafting: dict[str, set[int]] = {}
    for engine in ("vllm", "sglang"):
        found: Found = search(question(**{**_fields(q), "engine": engine}))
        drafting[engine] = {r.configuration.drafts for r in found.runs}
    assert drafting["vllm"] == {0, 1, 2, 3}
    assert drafting["sglang"] == {0}


def _fields(q: Question) -> dict[str, object]:
    return {name: getattr(q, name) for name in Question.__dataclass_fields__}


def test_a_configuration_that_cannot_exist_is_no_point():
    """Forty heads are not cut in 16."""
    qwen = CATALOG.architecture("Qwen/Qwen3-32B-FP8")
    grid = Grid(tp=(48,), pp=(1,), precisions=("fp8",), batch=(16,), most_accelerators=64)
    q = question(architecture=qwen, grid=grid)
    with pytest.raises(ConfigurationError):
        memory(qwen, q.accelerator, next(iter(configurations(qwen, q.accelerator, "vllm", grid))))
    assert search(q).counts.examined == 0
