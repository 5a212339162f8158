"""What pools cost, by hand and beside the planner; hours by use."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest

from neocloud.activity import Purpose
from neocloud.books.tiers import UnknownPoolError
from neocloud.books.tiers.accelerators import own_costs
from neocloud.books.tiers.items import Account
from neocloud.planner.rates import capital_per_accelerator_hour, operations_per_accelerator_hour
from neocloud.planner.rented import rented_pools
from neocloud.units import HOUR_NS, Period, parse_period

from .cloud import CATALOG, FEBRUARY, START_NS, TEXT, TRAINING, cloud, line, row, tiers

DAY = Period(
    START_NS - START_NS % (24 * HOUR_NS), START_NS - START_NS % (24 * HOUR_NS) + 24 * HOUR_NS
)
HOUR = Period(START_NS, START_NS + HOUR_NS)


def costs(period: Period, text: str = TEXT, site: str = "ashburn"):
    place = cloud(text).sites[site]
    return own_costs(cloud(text), CATALOG, place, place.pools[0], period)


def test_a_february_by_hand():
    """24 accelerators at 50,000, a tenth left after 5 years; 10.2 kW nodes; 28 days."""
    found = costs(FEBRUARY)
    assert found[Account.DEPRECIATION] == Fraction(24 * 50_000 * 9, 10 * 5) * 28 / 365
    assert found[Account.CAPITAL] == 0
    assert found[Account.MAINTENANCE] == Fraction(24 * 50_000 * 2, 100) * 28 / 365
    node_kw = CATALOG.accelerator("h100-sxm").node_power_w.value / 1e3
    assert found[Account.COLOCATION] == pytest.approx(3 * node_kw * 200)
    assert found[Account.STAFF] == Fraction(24 * 672 * 5, 100)
    assert found[Account.LINKS] == Fraction(24 * 672 * 2, 100)
    operating = (Account.COLOCATION, Account.MAINTENANCE, Account.STAFF, Account.LINKS)
    assert found[Account.OVERHEAD] == sum(found[a] for a in operating) / 10


def test_a_leap_february_rents_like_any_and_depreciates_29_of_366_days():
    usual, leap = costs(FEBRUARY), costs(parse_period("2028-02"))
    assert leap[Account.COLOCATION] == usual[Account.COLOCATION]
    assert leap[Account.DEPRECIATION] / usual[Account.DEPRECIATION] == Fraction(29, 366) / Fraction(
        28, 365
    )
    assert leap[Account.STAFF] / usual[Account.STAFF] == Fraction(29, 28)
    whole = [costs(parse_period(f"2028-{month:02}")) for month in range(1, 13)]
    assert sum(c[Account.DEPRECIATION] for c in whole) == Fraction(24 * 50_000 * 9, 50)


def test_a_year_costs_what_plans_reckon_with():
    """Plans spread the same costs over usable hours."""
    text = TEXT.replace("cost_of_capital: 0", "cost_of_capital: 0.085")
    it = cloud(text)
    site = it.sites["ashburn"]
    pool = site.pools[0]
    year = Period(parse_period("2027-01").start_ns, parse_period("2027-12").end_ns)
    found = costs(year, text)
    usable = 24 * 8760 * pool.availability
    capital = found[Account.DEPRECIATION] + found[Account.CAPITAL]
    planned = capital_per_accelerator_hour(it, pool, CATALOG)
    assert float(capital) / usable == pytest.approx(planned, rel=1e-12)
    rest = sum(found.values()) - capital
    planned = operations_per_accelerator_hour(it, site, pool, CATALOG)
    assert float(rest) / usable == pytest.approx(planned, rel=1e-12)
    assert found[Account.CAPITAL] > 0


def test_a_leased_pool_pays_its_lease_by_the_hour_and_no_maintenance():
    found = costs(HOUR, site="frankfurt")
    assert found[Account.LEASE] == 16
    assert not {Account.DEPRECIATION, Account.CAPITAL, Account.MAINTENANCE} & set(found)


def test_a_pool_costs_nothing_before_it_stands_there():
    later = TEXT.replace("nodes: 3,", "nodes: 3, start: 2027-02-22,")
    found, usual = costs(FEBRUARY, later), costs(FEBRUARY)
    assert found[Account.DEPRECIATION] * 4 == usual[Account.DEPRECIATION]
    assert costs(DAY, later) == {}


def test_hours_by_use_sum_to_what_stands_there_and_idle_is_a_line_of_its_own():
    """24 accelerators in one hour: 4 serve, 8 train, 2 are down, a spare node stands by, 2 idle."""
    found = tiers(
        row(allocated_accelerator_s=4 * 3600.0, busy_accelerator_s=3 * 3600.0),
        row(allocated_accelerator_s=8 * 3600.0, purpose=TRAINING, model="", tenant="lab"),
        row(allocated_accelerator_s=2 * 3600.0, purpose=Purpose.DOWN),
        row(allocated_accelerator_s=10 * 3600.0, purpose=Purpose.IDLE, model=""),
        period=HOUR,
    )
    hours = found.hours[0]
    assert (hours.standing, hours.sellable) == (24, 8)
    assert (hours.inference, hours.training, hours.down) == (4, 8, 2)
    assert (hours.spare, hours.idle, hours.busy) == (8, 2, 3)
    u = found.utilisation
    # Ashburn's 8 sellable and Frankfurt's 8 at 97 %.
    assert u.used == pytest.approx(12 / (8 + 8 * 0.97))
    assert u.contracted == pytest.approx(8 / (8 + 8 * 0.97))
    assert (u.busy, u.inference_of_used) == (0.75, pytest.approx(1 / 3))
    whole = sum(costs(HOUR).values())
    idle = line(found, "accelerator_hour", "idle")
    there = sum(costs(HOUR, site="frankfurt").values())
    assert float(idle) == pytest.approx(float(whole * 2 / 24 + there))
    assert float(line(found, "accelerator_hour", "spare")) == pytest.approx(float(whole) / 3)
    assert float(line(found, "accelerator_hour", "down")) == pytest.approx(float(whole) / 12)
    staff = line(found, "accelerator_hour", "staff")
    assert float(staff) == pytest.approx(12 * 0.05)


def test_more_held_than_stands_costs_no_more_and_is_told():
    found = tiers(row(allocated_accelerator_s=30 * 3600.0), period=HOUR)
    assert found.hours[0].idle == 0
    assert any("more were held than" in note for note in found.notes)
    alone = tiers(period=HOUR)
    assert found.tiers[1].cost == alone.tiers[1].cost


def test_shared_hours_go_to_tenants_by_computed_tokens():
    """1,000 tokens of which 400 were cached, and 200, beside 800: 800 each."""
    found = tiers(
        row(tenant="acme", requests=1, input_tokens=1000, cached_tokens=400, output_tokens=200),
        row(tenant="rhein", requests=1, input_tokens=700, output_tokens=100),
        row(allocated_accelerator_s=3600.0, energy_kwh=2.0),
        period=HOUR,
    )
    mine = {g.tenant: g for g in found.groups if g.model == "small"}
    assert set(mine) == {"acme", "rhein"}
    assert mine["acme"].accelerator_hours == mine["rhein"].accelerator_hours == 0.5
    assert mine["acme"].energy_kwh == 1.0
    assert abs(mine["acme"].power - mine["rhein"].power) <= Decimal("3e-12")


def test_a_tenant_with_accelerators_of_its_own_pays_for_those_alone():
    found = tiers(
        row(tenant="acme", requests=1, input_tokens=1000, output_tokens=1),
        row(tenant="rhein", requests=1, input_tokens=1000, output_tokens=1),
        row(allocated_accelerator_s=3600.0),
        row(tenant="acme", allocated_accelerator_s=7200.0),
        period=HOUR,
    )
    hours = {g.tenant: g.accelerator_hours for g in found.groups if g.model == "small"}
    assert hours == {"acme": 2.0, "rhein": 1.0}


def test_rented_hours_cost_their_rent_with_energy_within():
    """Two hours at the provider's price; a gigabyte of prompts at 0.0024."""
    text = TEXT + "rental: {providers: [lambda]}\n"
    rented = next(r for r in rented_pools(cloud(text), CATALOG) if r.accelerator == "h100-pcie")
    found = tiers(
        row(site=rented.site, pool=rented.accelerator, allocated_accelerator_s=7200.0),
        row(site=rented.site, pool=rented.accelerator, tenant="acme", requests=1,
            input_tokens=250_000_000),
        period=HOUR,
        text=text,
    )  # fmt: skip
    assert line(found, "accelerator_hour", "rent") == 2 * rented.price
    assert line(found, "token", "traffic") == Decimal("0.0024")
    assert found.identity.difference == 0
    (hours,) = [h for h in found.hours if h.site == rented.site]
    assert (hours.standing, hours.inference, hours.idle) == (2, 2, 0)


@pytest.mark.parametrize("what", [{"allocated_accelerator_s": 1.0}, {"energy_kwh": 1.0}])
def test_activity_where_the_cloud_has_nothing_is_refused(what):
    with pytest.raises(UnknownPoolError, match="which the file does not know"):
        tiers(row(site="nowhere", **what))
