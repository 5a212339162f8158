"""Limits on the energy of sites, held between two placements as large clouds hold them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from neocloud.planner.placing import deciding, place
from neocloud.planner.placing.clean import open_wide, strict
from neocloud.planner.placing.layout import lay_out
from neocloud.planner.setting import Contract, Placed, Setting

from .checker import check
from .clouds import halves, option, setting, tiny, wanted
from .second import least_cost


def placed_between(cloud: Setting) -> Placed | None:
    """As if the cloud were large."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(deciding, "_PLAIN", 0)
        patch.setattr(deciding, "_FEW", 0)
        return place(cloud, target_gap=1e-6, seconds=20.0)


def limited(cloud: Setting, limit: float) -> Setting:
    first, *rest = cloud.classes
    return replace(cloud, classes=(replace(first, carbon_limit_kg_per_kwh=limit), *rest))


@given(tiny(), st.sampled_from((0.05, 0.2, 0.3)))
@settings(max_examples=60, deadline=None)
def test_what_is_found_is_allowed_and_the_bound_holds(cloud: Setting, limit: float) -> None:
    cloud = limited(cloud, limit)
    placed, best = placed_between(cloud), least_cost(cloud)
    assert (best is None) == (placed is None)
    assume(best is not None and placed is not None)
    assert placed is not None
    assert best is not None
    check(cloud, placed)
    assert placed.bound <= best * (1.0 + 1e-6)
    assert best <= placed.cost * (1.0 + 1e-6)


def sunny(price: float = 0.01) -> Setting:
    """Site a has clean energy by day alone, site b clean energy at a price."""
    day = tuple(halves(0.0, 1.0).tolist())
    night = tuple(halves(1.0, 0.0).tolist())
    return setting(
        [option(site="a"), option(site="b")],
        [wanted(9.0, sites=("a", "b"), carbon_limit_kg_per_kwh=0.1)],
        contracts={
            "a": (
                Contract(price=price, capacity_kw=9.0, availability=day),
                Contract(price=price, capacity_kw=9.0, availability=night, carbon_kg_per_kwh=0.9),
            ),
            "b": (Contract(price=5.0),),
        },
        accelerators={("a", "pool"): 4, ("b", "pool"): 4},
        node_accelerators={("a", "pool"): 4, ("b", "pool"): 4},
        rtt_ms={("here", "a"): 10.0, ("here", "b"): 10.0},
    )


def test_gates_are_open_where_energy_is_clean_whatever_is_drawn() -> None:
    layout = lay_out(sunny())
    (gated,) = np.flatnonzero(layout.port_gate >= 0)
    assert layout.port_option[gated] == 0
    shut = strict(layout)
    assert not shut.gates
    assert (shut.most_sent[gated] == halves(0.0, 9.0)).all()
    assert (shut.most_sent[1] == 9.0).all()
    assert not open_wide(layout).gates
    assert (open_wide(layout).most_sent[gated] == 9.0).all()


def test_flows_come_back_as_those_of_the_class() -> None:
    placed = placed_between(sunny())
    assert placed is not None
    check(sunny(), placed)
    assert set(placed.flows) <= {(0, 0), (1, 0)}
    served = sum(placed.flows.values())
    assert np.asarray(served) == pytest.approx(np.full(24, 9.0))
    # Without limits all of it would be served at a, by night too.
    assert placed.bound < placed.cost


def test_a_class_that_finds_nothing_clean_is_still_served_where_it_can_be() -> None:
    """By night only a mix of a's dirty energy and of what little is clean there would do."""
    base = sunny()
    mixed = (
        *base.contracts["a"],
        Contract(price=9.0, capacity_kw=9.0),
    )
    dirty = Contract(price=1.0, carbon_kg_per_kwh=0.5)
    cloud = replace(base, contracts={"a": mixed, "b": (dirty,)})
    placed = placed_between(cloud)
    assert placed is not None
    check(cloud, placed)
    assert placed.cost == pytest.approx(least_cost(cloud), rel=1e-5)
