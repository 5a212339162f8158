"""The way of large placements, taken by small ones: bounds that hold, answers that are allowed."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neocloud.planner.placing import deciding, place
from neocloud.planner.setting import Placed, Setting, Spares

from .checker import check
from .clouds import tiny
from .second import least_cost

SECONDS = 20.0


def placed_at_length(cloud: Setting, *, few: int, gap: float = 1e-6) -> Placed | None:
    """As if no cloud were small; `few` options let each model be solved alone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(deciding, "_PLAIN", 0)
        patch.setattr(deciding, "_FEW", few)
        return place(cloud, target_gap=gap, seconds=SECONDS)


@given(tiny(), st.sampled_from((0, 1000)))
@settings(max_examples=100)
def test_it_ends_at_the_same_least_cost(cloud: Setting, few: int) -> None:
    best, begun_s = least_cost(cloud), time.monotonic()
    placed = placed_at_length(cloud, few=few)
    in_time = time.monotonic() - begun_s < SECONDS
    if best is None:
        assert placed is None
        return
    assert placed is not None
    check(cloud, placed)
    assert placed.bound <= best * (1.0 + 1e-6)
    limits = any(c.carbon_limit_kg_per_kwh is not None for c in cloud.classes)
    # Once the time has run out only the bound is promised; with many options, limits on energy are
    # kept more strictly than asked.
    if in_time and (few or not limits):
        assert placed.cost == pytest.approx(best, rel=1e-5)


@pytest.mark.parametrize("spares", list(Spares))
@given(data=st.data(), few=st.sampled_from((0, 1000)))
@settings(max_examples=40)
def test_its_own_bounds_hold(spares: Spares, data: st.DataObject, few: int) -> None:
    """A wide gap keeps the whole program from being solved in the end."""
    cloud = data.draw(tiny(spares=spares))
    placed = placed_at_length(cloud, few=few, gap=0.5)
    best = least_cost(cloud)
    assert (best is None) == (placed is None)
    if best is not None and placed is not None:
        check(cloud, placed)
        assert placed.bound <= best * (1.0 + 1e-6)
        assert best <= placed.cost * (1.0 + 1e-6)
