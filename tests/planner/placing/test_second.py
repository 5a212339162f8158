"""Placement against another formulation and another solver, on small clouds drawn at random."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from neocloud.planner.placing import place
from neocloud.planner.setting import Setting

from .checker import check
from .clouds import tiny
from .second import least_cost


@given(tiny())
@settings(max_examples=120)
def test_another_solver_finds_the_same_least_cost(cloud: Setting) -> None:
    best, placed = least_cost(cloud), place(cloud, target_gap=1e-7)
    if best is None:
        assert placed is None
        return
    assert placed is not None
    check(cloud, placed)
    assert placed.cost == pytest.approx(best, rel=1e-6)
    assert placed.bound <= best * (1.0 + 1e-6)
    assert placed.gap <= 1e-6
