"""What is missing: by hand, and that a placement exists once it is there."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings

from neocloud.planner.placing import place, shortages
from neocloud.planner.setting import Contract, Group, Setting, Shortage, Spares

from .checker import check
from .clouds import halves, option, setting, tiny, wanted


def applied(base: Setting, found: tuple[Shortage, ...]) -> Setting:
    """The setting with all that is missing."""
    for s in found:
        base = _one(base, s)
    return base


def _one(base: Setting, s: Shortage) -> Setting:
    if s.limit == "nodes":
        site, _, pool = s.where.partition("/")
        assert s.missing == int(s.missing) > 0
        more = int(s.missing) * base.node_accelerators[site, pool]
        there = base.accelerators[site, pool]
        assert s.available == pytest.approx(there / base.node_accelerators[site, pool])
        return replace(base, accelerators={**base.accelerators, (site, pool): there + more})
    if s.limit == "power":
        contracts = base.contracts[s.where]
        dirtiest = max(c.carbon_kg_per_kwh for c in contracts)
        extra = Contract(price=1.0, capacity_kw=s.missing * 1e3, carbon_kg_per_kwh=dirtiest)
        active = {k: kw + s.missing * 1e3 * (k == s.where) for k, kw in base.active_kw.items()}
        more = {**base.contracts, s.where: (*contracts, extra)}
        return replace(base, contracts=more, active_kw=active)
    if s.limit == "cooling":
        kw = base.cooling_kw[s.where] + s.missing * 1e3
        return replace(base, cooling_kw={**base.cooling_kw, s.where: kw})
    if s.limit == "rented":
        (group,) = (g for g in base.groups if g.name == s.where)
        assert group.accelerators == s.available
        larger = replace(group, accelerators=group.accelerators + int(s.missing))
        return replace(base, groups=tuple(larger if g is group else g for g in base.groups))
    if s.limit == "sites":
        least = base.min_sites[s.where] - int(s.missing)
        assert least == s.available
        return replace(base, min_sites={**base.min_sites, s.where: least})
    if s.limit == "carbon":
        return replace(base, carbon_cap_kg=base.carbon_cap_kg + s.missing)
    assert s.limit == "reach"
    model, _, metro = s.where.partition(" from ")
    kept = tuple(
        replace(c, by_hour=np.maximum(0.0, c.by_hour - s.missing))
        if (c.model, c.metro) == (model, metro)
        else c
        for c in base.classes
    )
    return replace(base, classes=kept)


@given(tiny())
@settings(max_examples=150)
def test_what_is_missing_is_enough(cloud: Setting) -> None:
    found = shortages(cloud)
    if place(cloud) is not None:
        assert found == ()
        return
    assert found
    placed = place(applied(cloud, found))
    assert placed is not None
    check(applied(cloud, found), placed)


def one(rate: float = 60.0, **changes) -> Setting:
    return setting([option()], [wanted(rate)], **({"accelerators": {("a", "pool"): 4}} | changes))


@pytest.mark.parametrize(
    ("cloud", "limit", "where", "missing", "available", "unit"),
    [
        # Seven replicas wanted, four accelerators there, two a node.
        (one(70.0), "nodes", "a/pool", 2.0, 2.0, "nodes"),
        # Two replicas at full load draw 1.75 kW.
        (
            one(20.0, contracts={"a": (Contract(price=0.1, capacity_kw=1.0),)}),
            "power", "a", 0.75e-3, 1e-3, "MW",
        ),
        # In half of the hours the sun gives nothing, and it is firm power that counts.
        (
            one(
                halves(5.0, 15.0),
                contracts={
                    "a": (
                        Contract(
                            price=0.1, capacity_kw=5.0, availability=tuple(halves(0.0, 1.0))
                        ),
                    )
                },
                hourly=True,
            ),
            "power", "a", 1.75e-3, 0.0, "MW",
        ),
        (one(20.0, active_kw={"a": 1.5}), "power", "a", 0.25e-3, 1.5e-3, "MW"),
        (one(20.0, cooling_kw={"a": 1.5}), "cooling", "a", 0.25e-3, 1.5e-3, "MW"),
        (
            one(40.0, groups=(Group(name="g", pools=(("a", "pool"),), accelerators=1),)),
            "rented", "g", 3.0, 1.0, "accelerators",
        ),
        (one(20.0, min_sites={"m": 3}), "sites", "m", 2.0, 1.0, "sites"),
        # 1.75 kW for a day at half a kg.
        (
            one(
                20.0,
                contracts={"a": (Contract(price=0.1, carbon_kg_per_kwh=0.5),)},
                carbon_cap_kg=20.0,
            ),
            "carbon", "cloud", 1.0, 20.0, "kg/day",
        ),
        (one(20.0, rtt_ms={("here", "a"): 101.0}), "reach", "m from here", 20.0, 0.0, "requests/s"),
    ],
)  # fmt: skip
def test_each_limit_by_hand(
    cloud: Setting, limit: str, where: str, missing: float, available: float, unit: str
) -> None:
    assert place(cloud) is None
    (found,) = shortages(cloud)
    assert (found.limit, found.where, found.unit) == (limit, where, unit)
    assert found.missing == pytest.approx(missing, rel=1e-4)
    assert found.available == pytest.approx(available)


def test_energy_that_is_too_dirty_for_a_class_is_out_of_reach() -> None:
    dirty = wanted(20.0, carbon_limit_kg_per_kwh=0.2)
    cloud = setting(
        [option()],
        [dirty, wanted(10.0, metro="there")],
        contracts={"a": (Contract(price=0.1, carbon_kg_per_kwh=0.5),)},
    )
    (found,) = shortages(cloud)
    assert (found.limit, found.where, found.missing) == ("reach", "m from here", 20.0)


@pytest.mark.parametrize(("spares", "nodes"), [(Spares.NONE, 1.0), (Spares.REPLICA, 2.0)])
def test_spares_need_room_too(spares: Spares, nodes: float) -> None:
    """Six replicas in four accelerators, and one more to spare, two a node."""
    (found,) = shortages(one(60.0, spares=spares))
    assert (found.limit, found.missing) == ("nodes", nodes)


def test_a_site_that_may_be_lost_needs_room_at_the_other() -> None:
    cloud = setting(
        [option(), option(site="b")],
        [wanted(60.0)],
        accelerators={("a", "pool"): 6, ("b", "pool"): 2},
        spares=Spares.SITE,
    )
    (found,) = shortages(cloud)
    assert (found.limit, found.where, found.missing) == ("nodes", "b/pool", 2.0)
