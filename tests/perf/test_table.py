"""`StepTable` against the kernels it tabulates: at its points, between them, beyond them."""

from __future__ import annotations

import itertools

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neocloud.perf import StepTable, StepTableData, kernels, table_of

from .cases import GPT_OSS, LLAMA_8B, Case, Work, case, cases, works


def exact(c: Case, w: Work) -> tuple[float, float]:
    n = c.numbers
    seconds = kernels.step_seconds(n, *w.as_tuple())
    return float(seconds), float(kernels.step_joules(n, *w.as_tuple(), seconds))


SOME = (
    case(LLAMA_8B, "h100-sxm"),
    case(LLAMA_8B, "mi300x", max_batch=100, batch_tokens=2048),
    case(GPT_OSS, "h100-sxm", tp=2, max_batch=512),
    case(GPT_OSS, "mi355x"),
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
    corners = [
        float(kernels.step_seconds(c.numbers, b, b * m, p, 0.0))
        for b, m, p in itertools.product(
            around(d.decode_batch, w.decodes),
            around(d.mean_context, mean),
            around(d.prefill_tokens, w.prefill),
        )
    ]
    attention = float(kernels.prefill_attention_seconds(c.numbers, w.prefill, w.pairs))
    assert min(corners) * (1 - 1e-9) <= seconds - attention * (w.prefill > 0)
    assert seconds - attention * (w.prefill > 0) <= max(corners) * (1 + 1e-9)


@given(st.sampled_from(SOME), works(most_decodes=600, most_prefill=9000), st.data())
@settings(max_examples=300, deadline=None)
def test_more_work_takes_no_less_time_or_energy(c: Case, w: Work, data):
    """Inside and beyond its bounds. More sequences come with their share of context."""
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
    assert after[0] >= before[0] * (1 - 1e-12)
    assert after[1] >= before[1] * (1 - 1e-12)


def test_beyond_the_last_point_the_last_slope_goes_on():
    """Here by hand: seconds 1 + decodes + 2 prefill, joules twice that, over axes 0 to 4."""
    axis = (0.0, 2.0, 4.0)
    grid = [1 + b + 2 * p for b, _, p in itertools.product(axis, axis, axis)]
    template = SOME[0].table.data
    free = msgspec.structs.replace(
        template.attention, flops_per_pair=0.0, flops_per_window_pair=0.0
    )
    linear = StepTable(
        StepTableData(
            decode_batch=axis,
            mean_context=axis,
            prefill_tokens=axis,
            seconds=tuple(grid),
            joules=tuple(2 * s for s in grid),
            attention=free,
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
    seconds, joules = (np.array(v).reshape(shape) for v in (d.seconds, d.joules))
    for axis in range(3):
        assert (np.diff(seconds, axis=axis) >= 0).all()
        assert (np.diff(joules, axis=axis) >= 0).all()
    assert d.decode_batch[-1] == c.configuration.max_batch
    assert d.prefill_tokens[-1] == c.configuration.batch_tokens
    assert d.mean_context[-1] == c.architecture.max_context
    assert msgspec.json.decode(msgspec.json.encode(d), type=StepTableData) == d
