"""Hall's condition and flows, against all sets and against what was asked."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neocloud.planner.placing import serving


@st.composite
def cases(draw):
    types, ports = draw(st.integers(1, 5)), draw(st.integers(1, 5))
    whole = st.integers(0, 9)
    reach = draw(st.lists(st.booleans(), min_size=types * ports, max_size=types * ports))
    supply = draw(st.lists(whole, min_size=ports, max_size=ports))
    demand = draw(st.lists(whole, min_size=types, max_size=types))
    return np.array(reach).reshape(types, ports), np.array(supply, float), np.array(demand, float)


def most_missing(reach, supply, demand) -> float:
    types = range(len(demand))
    sets = itertools.chain.from_iterable(
        itertools.combinations(types, n) for n in range(len(demand) + 1)
    )
    return max(
        float(demand[list(s)].sum() - supply[reach[list(s)].any(axis=0)].sum() if s else 0.0)
        for s in sets
    )


@given(cases())
def test_what_is_served_is_all_that_the_worst_set_leaves(case) -> None:
    reach, supply, demand = case
    flow, short = serving.spread(reach, supply, demand)
    assert (flow >= 0.0).all()
    assert (flow[~reach] == 0.0).all()
    assert (flow.sum(axis=0) <= supply + 1e-9).all()
    assert (flow.sum(axis=1) <= demand + 1e-9).all()
    missing = most_missing(reach, supply, demand)
    assert demand.sum() - flow.sum() == pytest.approx(missing)
    assert short.any() == (missing > 0)
    if missing > 0:
        left = demand[short].sum() - supply[reach[short].any(axis=0)].sum()
        assert left == pytest.approx(missing)


@given(cases(), st.sampled_from((12, 0)))
def test_sets_are_told_where_some_are_short(case, counted: int) -> None:
    """Counted over all sets, and searched by flows, in two hours of which one asks for half."""
    reach, supply, demand = case
    two_supply = np.repeat(supply[:, None], 2, axis=1)
    two_demand = np.stack([demand, demand / 2.0], axis=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(serving, "_COUNTED_TYPES", counted)
        found = serving.short_sets(reach, two_supply, two_demand)
    for hour, wanted in enumerate((demand, demand / 2.0)):
        missing = most_missing(reach, supply, wanted)
        told = [types for types, hours in found if hours[hour]]
        left = [wanted[t].sum() - supply[reach[t].any(axis=0)].sum() for t in told]
        assert all(each > 0 for each in left)
        assert max(left, default=0.0) == pytest.approx(missing)
