"""What a timeline has spent at a moment within a step."""

from __future__ import annotations

import numpy as np
import pytest

from neocloud.replica import Limits, Replica, Request, Timeline

LIMITS = Limits(max_batch=4, batch_tokens=16, block_tokens=4, kv_blocks=64)


class Constant:
    def cost(self, decodes, decode_context, prefill_tokens, prefill_pairs):
        return 2.0, 10.0


def test_a_step_counts_for_the_part_that_has_passed():
    timeline = Timeline(Replica(LIMITS, Constant()))
    assert timeline.spent(5.0) == (0.0, 0.0)
    timeline.replica.submit(
        Request(input_tokens=4, output_tokens=2, prefix_ids=np.zeros(0, np.uint64))
    )
    timeline.start(10.0)
    for now, part in ((10.0, 0.0), (10.5, 0.25), (12.0, 1.0), (13.0, 1.5), (14.0, 2.0)):
        timeline.advance(now)
        assert timeline.spent(now) == pytest.approx((2 * part, 10 * part))
    assert timeline.due is None
    assert timeline.spent(99.0) == (4.0, 20.0)
