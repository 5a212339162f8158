"""`StepTable` against the kernels it tabulates: at its points, between them, beyond them."""

from __future__ import annotations

import itertools

import msgspec
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from neocloud.perf import StepPower, StepTable, StepTableData, kernels, table_of

from .cases import DEEPSEEK_R1, DEEPSEEK_V4, GPT_OSS, LLAMA_8B, Case, Work, case, cases, works


def exact(c: Case, w: Work) -> tuple[float, float]:
    """Of the whole replica: of one rank, a step; of several or with drafts, a token's part."""
    n, ranks = c.numbers, c.ranks
    shared = (w.decodes / ranks, w.context / ranks)
    plain = kernels.step_seconds(n, *shared, 0, 0)
    plain_busy = sum(kernels.roofline_seconds(n, *shared, 0, 0))
    seconds, busy = plain / n.accepted, plain_busy / n.accepted
    if w.prefill:
        both = kernels.step_seconds(n, *shared, w.prefill, w.pairs) + n.host_prompt_s
        both_busy = sum(kernels.roofline_seconds(n, *shared, w.prefill, w.pairs))
        seconds = seconds + (both - plain) * ranks ** (n.waiting - 1.0)
        busy = busy + (both_busy - plain_busy) / ranks
    watts = n.static_w * seconds + n.dynamic_w * np.minimum(seconds, busy)
    return float(seconds), float(watts * c.configuration.accelerators)


SOME = (
    case(LLAMA_8B, "h100-sxm"),
    case(LLAMA_8B, "mi300x", max_batch=100, batch_tokens=2048),
    case(GPT_OSS, "h100-sxm", tp=2, max_batch=512),
    case(GPT_OSS, "mi355x"),
    case(DEEPSEEK_R1, "h200-sxm", attention_dp=8, ep=8),
    case(DEEPSEEK_R1, "b200-sxm", tp=8, drafts=3),
    case(DEEPSEEK_V4, "b200-sxm", tp=4, pp=2),
)


@given(st.sampled_from(SOME), st.data())
@settings(max_examples=300, deadline=None)
def test_at_its_points_it_is_the_kernels(c: Case, data):
    """Seconds and joules, whatever the prompts attend to: that part is in closed form."""
    d = c.table.data
    prefill = int(data.draw(st.sampled_from(d.prefill_tokens)))
    decodes = int(data.draw(st.sampled_from(d.decode_batch[0 if prefill else 1 :])))
    mean = int(data.draw(st.sampled_from(d.mean_context)))
    past = data.draw(st.integers(0, 100_000))
    w = Work(decodes, decodes * mean, prefill, prefill * (prefill + 1) // 2 + prefill * past)
    assert c.table.cost(*w.as_tuple()) == pytest.approx(exact(c, w), rel=1e-9)


@given(st.sampled_from(SOME), works(most_decodes=100, most_prefill=2048))
@settings(max_examples=300, deadline=None)
def test_between_its_points_it_is_close_and_within_its_corners(c: Case, w: Work):
    d = c.table.data
    seconds, joules = c.table.cost(*w.as_tuple())
    true_seconds, true_joules = exact(c, w)
    # One axis is piecewise linear in truth; the two others bend, at most four points an octave.
    assert seconds == pytest.approx(true_seconds, rel=0.03)
    assert joules == pytest.approx(true_joules, rel=0.03)

    def around(axis: tuple[float, ...], value: float) -> tuple[float, float]:
        high = next((i for i, point in enumerate(axis) if point >= value), len(axis) - 1)
        return axis[max(0, high - 1)], axis[high]

    mean = w.context / w.decodes if w.decodes else 0.0
    if w.prefill:
        return  # a corner has other pairs
    corners = [
        exact(c, Work(b, b * m, 0, 0))[0]
        for b, m in itertools.product(
            around(d.decode_batch, w.decodes), around(d.mean_context, mean)
        )
    ]
    assert min(corners) * (1 - 1e-9) <= seconds <= max(corners) * (1 + 1e-9)


@given(st.sampled_from(SOME), works(most_decodes=600, most_prefill=9000), st.data())
@settings(max_examples=300, deadline=None)
def test_more_work_takes_no_less_time_or_energy(c: Case, w: Work, data):
    """Inside and beyond its bounds. More sequences come with their share of context.

    Lines that go on beyond the bounds may cross by a hair. Not with drafts: what a prompt adds to
    a step is less where more is read anyway, and counts whole beside the part of a step that gives
    a token.
    """
    assume(c.table.data.accepted == 1.0)
    decodes, context, prefill, pairs = w.as_tuple()
    mean = context // decodes if decodes else 100
    more = data.draw(st.integers(1, 500))
    grown = data.draw(
        st.sampled_from(
            [
                (decodes + more, (decodes + more) * mean, prefill, pairs),
                (decodes, context + more * (decodes > 0), prefill, pairs),
                (decodes, context, prefill + more, pairs + more * 5),
                (decodes, context, prefill, pairs + more * (prefill > 0)),
            ]
        )
    )
    before, after = c.table.cost(*w.as_tuple()), c.table.cost(*grown)
    axes = c.table.data
    within = (
        grown[0] <= axes.decode_batch[-1]
        and grown[1] <= grown[0] * axes.mean_context[-1]
        and grown[2] <= axes.prefill_tokens[-1]
    )
    hair = 1e-4 if within else 1e-3
    assert after[0] >= before[0] * (1 - hair)
    assert after[1] >= before[1] * (1 - hair)


def test_beyond_the_last_point_the_last_slope_goes_on():
    """Here by hand: seconds 1 + decodes + 2 prefill over axes 0 to 4, two watts, busy or not."""
    axis = (0.0, 2.0, 4.0)
    grid = [1 + b + 2 * p for b, _, p in itertools.product(axis, axis, axis)]
    template = SOME[0].table.data
    free = msgspec.structs.replace(
        template.attention, flops_per_pair=0.0, flops_per_window_pair=0.0, flops_per_recent_pair=0.0
    )
    nothing = (0.0,) * len(grid)
    linear = StepTable(
        StepTableData(
            decode_batch=axis,
            mean_context=axis,
            prefill_tokens=axis,
            seconds=tuple(grid),
            memory_s=nothing,
            compute_s=nothing,
            attention=free,
            power=StepPower(static_w=2.0, dynamic_w=5.0),
            accepted=1.0,
            prompt_s=0.0,
            prompt_weight=1.0,
            prompt_work=1.0,
            idle_watts=7.0,
        )
    )
    assert linear.cost(3, 9, 1, 1) == pytest.approx((6.0, 12.0))
    assert linear.cost(10, 1000, 9, 1) == pytest.approx((29.0, 58.0))
    assert linear.cost(0, 0, 0, 0) == (1.0, 2.0)
    assert linear.idle_watts == 7.0


def test_contexts_beyond_the_longest_are_exact_and_larger_batches_close():
    """KV reads are linear in context, so the line goes on in truth; batches bend a little."""
    c = SOME[0]
    longest = int(c.table.data.mean_context[-1])
    far = Work(8, 8 * longest * 3, 0, 0)
    assert c.table.cost(*far.as_tuple()) == pytest.approx(exact(c, far), rel=1e-9)
    crowded = Work(2 * c.configuration.max_batch, 2 * c.configuration.max_batch * 500, 0, 0)
    assert c.table.cost(*crowded.as_tuple()) == pytest.approx(exact(c, crowded), rel=0.05)


@given(st.sampled_from(SOME), works(), st.floats(0.2, 5.0))
@settings(max_examples=200, deadline=None)
def test_slowed_is_exact(c: Case, w: Work, factor: float):
    seconds, joules = c.table.cost(*w.as_tuple())
    slowed = c.table.slowed(factor)
    assert slowed.cost(*w.as_tuple()) == pytest.approx((seconds * factor, joules * factor))
    assert slowed.idle_watts == c.table.idle_watts


def test_slowed_by_one_is_the_same():
    assert SOME[2].table.slowed(1.0).data == SOME[2].table.data


@given(cases())
@settings(max_examples=60, deadline=None)
def test_every_table_grows_along_its_axes_and_survives_json(c: Case):
    made = table_of(c.numbers, c.configuration, c.architecture.max_context)
    d = made.data
    shape = (len(d.decode_batch), len(d.mean_context), len(d.prefill_tokens))
    for values in (d.seconds, d.memory_s, d.compute_s):
        grid = np.array(values).reshape(shape)
        for axis in range(3):
            assert (np.diff(grid, axis=axis) >= -1e-12 * grid.max()).all()
    assert d.decode_batch[-1] == c.configuration.max_batch
    assert d.prefill_tokens[-1] == c.configuration.batch_tokens
    assert d.mean_context[-1] == c.architecture.max_context
    assert msgspec.json.decode(msgspec.json.encode(d), type=StepTableData) == d
