"""Small plans whose least cost can be worked out on paper."""

from __future__ import annotations

import numpy as np
import pytest

from neocloud.planner.demand import HOURS
from neocloud.planner.placing import evaluate, place
from neocloud.planner.setting import Contract, Group, Setting, Spares

from .checker import check
from .clouds import FAR_MS, NEAR_MS, halves, option, setting, wanted


def placed_of(cloud: Setting):
    placed = place(cloud, target_gap=1e-7)
    assert placed is not None
    check(cloud, placed)
    assert placed.gap <= 1e-6
    return placed


def test_two_full_replicas() -> None:
    """2 an hour each, 0.875 kW each at 0.1 a kWh."""
    placed = placed_of(setting([option()], [wanted(20.0)]))
    assert (placed.replicas == 2).all()
    assert placed.cost == pytest.approx(24 * (2 * 2.0 + 2 * 0.875 * 0.1))
    assert placed.drawn_kw["a", 0] == pytest.approx(np.full(HOURS, 1.75))


def test_idle_replicas_draw_less() -> None:
    """A request/s draws 0.0625 kW: 15 of them and two idle replicas are 1.4375 kW."""
    placed = placed_of(setting([option()], [wanted(15.0)]))
    assert placed.cost == pytest.approx(24 * (4.0 + (0.5 + 15 * 0.0625) * 0.1))


def test_replicas_may_follow_the_hours() -> None:
    """One in the first half and two in the second, against two all day."""
    fixed = setting([option(idle_kw=0.0)], [wanted(halves(10.0, 20.0))])
    hourly = setting([option(idle_kw=0.0)], [wanted(halves(10.0, 20.0))], hourly=True)
    energy = 0.1 * 0.875 * (12 * 1 + 12 * 2)
    assert placed_of(fixed).cost == pytest.approx(24 * 4.0 + energy)
    placed = placed_of(hourly)
    assert placed.cost == pytest.approx(12 * 2.0 + 12 * 4.0 + energy)
    assert (placed.replicas == halves(1, 2)).all()


def test_what_is_not_drawn_is_paid_for() -> None:
    """Half of 10 kW is paid for in any case, more than the 1.75 kW that are drawn."""
    contract = Contract(price=0.1, capacity_kw=10.0, take_or_pay=0.5)
    placed = placed_of(setting([option()], [wanted(20.0)], contracts={"a": (contract,)}))
    assert placed.cost == pytest.approx(24 * (4.0 + 5.0 * 0.1))


def test_energy_that_is_paid_for_anyway_draws_work() -> None:
    """b is dearer by 0.01 an hour; what a's contract makes free is worth 0.0875 an hour."""
    options = [option(), option(site="b", cost_per_hour=2.01)]
    paid = Contract(price=0.1, capacity_kw=1.0, take_or_pay=0.875)
    free = setting(options, [wanted(10.0)], contracts={"a": (Contract(price=0.1),), "b": (paid,)})
    placed = placed_of(free)
    assert placed.replicas[:, 0].tolist() == [0, 1]
    assert placed.cost == pytest.approx(24 * (2.01 + 0.0875))


def test_dear_contracts_are_used_last() -> None:
    contracts = (Contract(price=0.3), Contract(price=0.1, capacity_kw=1.0))
    placed = placed_of(setting([option()], [wanted(20.0)], contracts={"a": contracts}))
    assert placed.drawn_kw["a", 1] == pytest.approx(np.full(HOURS, 1.0))
    assert placed.drawn_kw["a", 0] == pytest.approx(np.full(HOURS, 0.75))


def test_the_highest_draw_is_paid_for() -> None:
    """0.875 kW in one half and 1.75 kW in the other, 0.5 for the highest."""
    contract = Contract(price=0.0, peak_price=0.5)
    cloud = setting(
        [option(idle_kw=0.0)], [wanted(halves(10.0, 20.0))], contracts={"a": (contract,)}
    )
    assert placed_of(cloud).cost == pytest.approx(24 * 4.0 + 0.5 * 1.75)


def test_the_sun_is_used_while_it_shines() -> None:
    sun = Contract(price=0.0, capacity_kw=5.0, availability=tuple(halves(0.0, 1.0)))
    contracts = {"a": (sun, Contract(price=0.2))}
    placed = placed_of(setting([option()], [wanted(20.0)], contracts=contracts))
    assert placed.drawn_kw["a", 0] == pytest.approx(halves(0.0, 1.75))
    assert placed.cost == pytest.approx(24 * 4.0 + 12 * 1.75 * 0.2)


def test_a_site_without_contracts_has_its_energy_in_its_price() -> None:
    placed = placed_of(setting([option()], [wanted(20.0)], contracts={"a": ()}))
    assert placed.cost == pytest.approx(24 * 4.0)
    assert not placed.drawn_kw


def test_users_out_of_reach_are_served_elsewhere() -> None:
    """There is too far from the cheap site."""
    cloud = setting(
        [option(max_rtt_ms=50.0, idle_kw=0.0), option(site="b", cost_per_hour=3.0, idle_kw=0.0)],
        [wanted(10.0), wanted(10.0, metro="there")],
        rtt_ms={
            ("here", "a"): NEAR_MS, ("here", "b"): NEAR_MS,
            ("there", "a"): FAR_MS, ("there", "b"): NEAR_MS,
        },
    )  # fmt: skip
    placed = placed_of(cloud)
    assert placed.replicas[:, 0].tolist() == [1, 1]
    assert placed.flows[1, 1] == pytest.approx(np.full(HOURS, 10.0))


def test_residency_is_kept() -> None:
    cloud = setting([option(), option(site="b", cost_per_hour=9.0)], [wanted(10.0, sites=("b",))])
    assert placed_of(cloud).replicas[:, 0].tolist() == [0, 1]


def test_an_option_may_hold_two_pools() -> None:
    """Four and two accelerators: two replicas of one and two each."""
    pair = option(holds={"prompts": 1, "answers": 2})
    there = {("a", "prompts"): 2, ("a", "answers"): 3}
    assert place(setting([pair], [wanted(20.0)], accelerators=there)) is None
    there["a", "answers"] = 4
    assert (placed_of(setting([pair], [wanted(20.0)], accelerators=there)).replicas == 2).all()


def test_rented_accelerators_are_limited_together() -> None:
    options = [option(holds={"x": 1}), option(holds={"y": 1}, cost_per_hour=5.0)]
    group = Group(name="rented", pools=(("a", "x"), ("a", "y")), accelerators=2)
    assert place(setting(options, [wanted(30.0)], groups=(group,))) is None
    assert placed_of(setting(options, [wanted(20.0)], groups=(group,))).replicas[0, 0] == 2


def test_one_replica_to_spare() -> None:
    """One option with three replicas is cheaper than two options with two each."""
    cloud = setting([option(), option(site="b")], [wanted(20.0)], spares=Spares.REPLICA)
    placed = placed_of(cloud)
    assert sorted(placed.replicas[:, 0].tolist()) == [0, 3]


def test_one_site_to_spare() -> None:
    """Either site alone must take the 20 that both may serve, and the 10 that only a may."""
    cloud = setting(
        [option(), option(site="b")],
        [wanted(20.0), wanted(10.0, metro="there", sites=("a",))],
        spares=Spares.SITE,
    )
    assert placed_of(cloud).replicas[:, 0].tolist() == [3, 2]


def test_least_sites() -> None:
    options = [option(), option(site="b", cost_per_hour=3.0), option(site="c", cost_per_hour=4.0)]
    placed = placed_of(setting(options, [wanted(10.0)], min_sites={"m": 2}))
    assert placed.replicas[:, 0].tolist() == [1, 1, 0]


def clean_and_dirty(**changes) -> Setting:
    """a is cheap and dirty, b costs 0.4 more an hour and emits nothing; 0.875 kW in use."""
    contracts = {
        "a": (Contract(price=0.0, carbon_kg_per_kwh=0.4),),
        "b": (Contract(price=0.0),),
    }
    return setting(
        [option(idle_kw=0.0), option(site="b", cost_per_hour=2.4, idle_kw=0.0)],
        changes.pop("classes", [wanted(20.0)]),
        contracts=contracts,
        **changes,
    )


@pytest.mark.parametrize(("price", "counts"), [(1.0, [2, 0]), (1.3, [0, 2])])
def test_carbon_has_a_price(price: float, counts: list[int]) -> None:
    """0.35 kg an hour of a full replica against 0.4 an hour."""
    placed = placed_of(clean_and_dirty(carbon_price=price))
    assert placed.replicas[:, 0].tolist() == counts


def test_carbon_has_a_cap() -> None:
    """Both dirty replicas would emit 16.8 kg."""
    placed = placed_of(clean_and_dirty(carbon_cap_kg=10.0))
    assert placed.replicas[:, 0].tolist() == [1, 1]
    assert placed.cost == pytest.approx(24 * 4.4)


def test_a_class_may_ask_for_clean_energy() -> None:
    classes = [wanted(10.0, carbon_limit_kg_per_kwh=0.2), wanted(10.0)]
    assert placed_of(clean_and_dirty(classes=classes)).replicas[:, 0].tolist() == [1, 1]


def test_clean_energy_is_the_average_of_what_is_drawn() -> None:
    """1 kW of sun makes 1.75 kW emit 0.171 kg/kWh; 0.16 would be too little for the second."""
    sun = Contract(price=0.1, capacity_kw=1.0)
    coal = Contract(price=0.0, carbon_kg_per_kwh=0.4)
    for limit, served in ((0.172, True), (0.171, False)):
        cloud = setting(
            [option(idle_kw=0.0)],
            [wanted(20.0, carbon_limit_kg_per_kwh=limit)],
            contracts={"a": (sun, coal)},
        )
        assert (place(cloud) is not None) == served


def test_given_replicas_get_the_best_flows() -> None:
    cloud = setting([option(), option(site="b", network_per_request=1e-5)], [wanted(20.0)])
    today = np.tile([[1], [4]], (1, HOURS))
    placed = evaluate(cloud, today)
    check(cloud, placed)
    assert (placed.replicas == today).all()
    assert placed.flows[0, 0] == pytest.approx(np.full(HOURS, 10.0))
    assert placed.gap == 0.0
    assert placed.cost > placed_of(cloud).cost
    assert evaluate(cloud, np.tile([[1], [0]], (1, HOURS))) is None
    assert evaluate(cloud, np.tile([[9], [0]], (1, HOURS))) is None
    with pytest.raises(ValueError, match=r"shape \(2, 1\)"):
        evaluate(cloud, today[:, :1])


def test_replicas_of_the_best_plan_are_worth_its_cost() -> None:
    cloud = clean_and_dirty(carbon_price=0.7)
    placed = placed_of(cloud)
    assert evaluate(cloud, placed.replicas).cost == pytest.approx(placed.cost)


def test_the_solver_is_silent(capfd: pytest.CaptureFixture[str]) -> None:
    placed_of(setting([option()], [wanted(20.0)]))
    assert capfd.readouterr() == ("", "")
