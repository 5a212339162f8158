"""What stands there, who holds it, what is left to sell, and what running it costs; by hand."""

from __future__ import annotations

from fractions import Fraction

import msgspec
import pytest

from neocloud.activity import Origin, Purpose
from neocloud.finance.inputs import inputs_of, obligations_of
from neocloud.finance.inputs.use import use_of
from neocloud.units import HOUR_NS

from .clouds import (
    CATALOG,
    COMPANY,
    SERVED,
    asset,
    contract,
    cost,
    made,
    merchant,
    money,
    read,
    row,
)

FLEET = f"""{COMPANY}sites:
  here: {{metro: dallas, pue: 1.25, facility_usd_per_kw_month: 0, power: [{{usd_per_mwh: 50}}],
         power_ladder: [{{date: 2028-01-01, active_mw: 1}}, {{date: 2028-02-11, active_mw: 3}}]}}
contracts:
  - {{name: firm, tenant: lab, accelerator: h100-sxm, accelerators: 100, price: 2,
     start: 2028-02-01, term_months: 6, requires: [first]}}
  - {{name: rest, tenant: lab, kind: last_resort, accelerator: h100-sxm, accelerators: 300,
     price: 1, start: 2028-01-01, term_months: 12}}
finance:
  start: 2028-01-01
  months: 12
  power_load: 0.5
  maintenance_share_per_year: 0.1
  staff_per_accelerator_hour: 0.01
  overhead_share: 0.5
  assets:
    - {{name: first, kind: accelerators, site: here, price: 1000000, in_service: 2028-01-16,
       accelerator: h100-sxm, accelerators: 400, megawatts: 0.8, availability: 0.9}}
    - {{name: more, kind: accelerators, site: here, price: 500000, in_service: 2028-01-20,
       accelerator: h200-sxm, accelerators: 200, megawatts: 0.4}}
"""


def test_accelerators_wait_for_active_megawatts() -> None:
    """0.8 MW of IT at a PUE of 1.25 fill the first megawatt; the next 0.4 wait for 11 February."""
    inputs = made(FLEET)
    kinds = {item.accelerator: item for item in inputs.installed}
    assert kinds["h100-sxm"].installed[:2] == (400, 400)
    assert kinds["h200-sxm"].installed[:2] == (0, 200)
    assert kinds["h100-sxm"].sellable[:2] == (
        Fraction(400 * 24 * 16 * 9, 10), Fraction(400 * 24 * 29 * 9, 10),
    )  # fmt: skip
    assert kinds["h200-sxm"].sellable[1] == Fraction(200 * 24 * 19 * 97, 100)
    assert [asset(inputs, key).in_service for key in ("first", "more")] == [0, 1]
    rungs = {item.rung: item.megawatts[:2] for item in inputs.power}
    assert rungs == dict.fromkeys(("reserved", "contracted", "connected", "active"), (1, 3))


def test_what_is_not_sold_goes_to_the_last_resort() -> None:
    """In March 400 x 0.9 accelerators serve, 100 are firm: 260 of the 300 are left for the last."""
    found = contract(made(FLEET), "rest")
    assert found.hours[2] == 260 * 24 * 31
    assert found.earned[2] == found.committed[2] == money(260 * 24 * 31)
    assert found.accelerators[2] == 260
    assert found.hours[8] == 300 * 24 * 30, "the firm one has ended"


MARKET = """\
  merchant:
    - {name: spot, accelerator: h100-sxm, price: 3, utilisation: 0.5, start: 2028-03-01,
       ramp_months: 2, price_change_per_year: -0.19, currency: EUR}
"""


def test_the_market_comes_before_the_last_resort() -> None:
    """260 are free in March: a quarter is sold in the first of two months of ramp, then half."""
    inputs = made(FLEET + MARKET)
    found = merchant(inputs, "spot")
    assert found.hours[1:4] == (0, 65 * 24 * 31, 130 * 24 * 30)
    assert found.earned[2] == money("3.75") * 65 * 24 * 31
    assert found.earned[11] / float(found.hours[11]) == pytest.approx(money("3.75") * 0.81**0.75)
    assert contract(inputs, "rest").hours[2:4] == (195 * 24 * 31, 130 * 24 * 30)


def test_a_tranche_without_known_accelerators_counts_as_unsold() -> None:
    text = FLEET[: FLEET.index("finance:")] + "finance: {start: 2028-01-01, months: 12}\n"
    text = text.replace(", requires: [first]", "")
    assert contract(made(text), "rest").hours[0] == 300 * 24 * 31


def test_what_accelerators_in_no_pool_cost() -> None:
    """January has 16 days of the first 400 of 0.8 MW at half load: 6 x 50 USD x 1.25 a day."""
    inputs = made(FLEET)
    power = cost(inputs, "power/here/first")
    assert power.variable[:2] == (money("0.8") * 24 * 16 * 25 * 5 // 4, money(600) * 29)
    assert (power.requires, power.contracts, power.first) == (("first",), (), 0)
    assert not any(power.fixed)
    second = cost(inputs, "power/here/more")
    assert (second.variable[0], second.variable[1], second.first) == (0, money(300) * 19, 1)
    staff = cost(inputs, "staff/here/first")
    assert staff.fixed[0] == money(4) * 24 * 16
    kept = cost(inputs, "maintenance/here/first")
    assert kept.fixed[0] == round(Fraction(money(100_000) * 16, 366))
    over = cost(inputs, "overhead/here/first")
    assert over.fixed[0] == round(
        Fraction(money(100_000) * 16, 366) / 2 + Fraction(staff.fixed[0], 2)
    )
    assert abs(sum(kept.fixed) - Fraction(money(100_000) * 351, 366)) <= 6, "half a pico a month"


@pytest.mark.parametrize(
    ("count", "contracts"), [(100, ()), (359, ()), (360, ("firm",)), (500, ("firm",))]
)
def test_who_bears_what_an_asset_costs(count: int, contracts: tuple[str, ...]) -> None:
    """Of 400 accelerators 360 can serve: who holds them all bears all, else all revenue does."""
    inputs = made(FLEET.replace("accelerators: 100", f"accelerators: {count}"))
    for kind in ("power", "staff", "maintenance", "overhead"):
        assert cost(inputs, f"{kind}/here/first").contracts == contracts
    assert cost(inputs, "power/here/more").contracts == ()


STATED = """\
  costs:
    - {name: staff, kind: staff, per_month: 310, start: 2028-03-16, growth_per_year: 0.21}
    - {name: halls, kind: colocation, site: here, per_mw_month: 1000, end: 2028-03-01}
    - {name: help, kind: other, per_accelerator_hour: 0.5, variable_share: 0.25, requires: [more]}
    - {name: sales, kind: overhead, share_of_revenue: 0.1, currency: EUR, contracts: [firm]}
"""


def test_the_costs_that_a_file_adds() -> None:
    inputs = made(FLEET + STATED)
    staff = cost(inputs, "stated/staff")
    assert staff.fixed[1:4] == (0, money(160), round(310 * 1.21 ** (1 / 12) * 10**12))
    assert (staff.variable, staff.kind, staff.first) == ((), "staff", 2)
    halls = cost(inputs, "stated/halls")
    assert halls.fixed[:3] == (money(1000), round(Fraction(money(1000) * (10 + 3 * 19), 29)), 0)
    helped = cost(inputs, "stated/help")
    hours = 400 * 24 * 29 + 200 * 24 * 19
    assert helped.fixed[1] == round(Fraction(money(hours) * 3 * 19, 8 * 29))
    assert helped.variable[1] == round(Fraction(money(hours) * 19, 8 * 29))
    assert (helped.fixed[0], helped.first, helped.requires) == (0, 1, ("more",))
    sales = cost(inputs, "stated/sales")
    revenue = [sum(c.earned[m] for c in inputs.contracts) for m in range(12)]
    assert list(sales.variable) == [round(Fraction(value, 10)) for value in revenue]
    assert (sales.contracts, any(sales.fixed)) == (("firm",), False)


PLANTS = """\
    - {name: engine, kind: generation, site: here, price: 9, in_service: 2028-02-15, megawatts: 0.4,
       availability: 0.75, fuel_per_mwh: 20}
"""


def test_a_plant_is_drawn_before_the_contracts() -> None:
    """From 15 February on 0.3 of the 0.5 MW (0.75 with the second) come from it, at 20."""
    inputs = made(FLEET + PLANTS)
    total = {
        kind: [sum(c.variable[m] for c in inputs.costs if c.kind == kind) for m in range(12)]
        for kind in ("power", "fuel")
    }
    assert total["fuel"][0] == 0
    assert total["fuel"][2] == pytest.approx(money(0.3 * 24 * 31 * 20), rel=1e-12)  # type: ignore[arg-type]
    assert total["power"][2] == pytest.approx(money(str(0.45 * 24 * 31 * 50)), rel=1e-9)
    assert total["fuel"][1] == pytest.approx(total["fuel"][2] * 15 / 31, rel=1e-12)


def test_what_is_owed_beside_what_can_be_delivered() -> None:
    text = FLEET.replace("accelerators: 100", "accelerators: 500") + (
        "planning: {date: 2028-01-01}\n"
    )
    cloud = read(text)
    found = obligations_of(cloud, CATALOG, inputs_of(cloud, CATALOG))
    (line,) = found.accelerators
    assert (line.accelerator, line.owed[2], line.deliverable[2], line.short[2]) == (
        "h100-sxm", 500, 400, 100,
    )  # fmt: skip
    assert line.short[8] == 0
    assert line.megawatts[2] == Fraction(10200, 8) * 500 / 10**6
    assert found.power.needed[2] == line.megawatts[2] * Fraction(5, 4)
    assert found.power.active[:2] == (1, 3)


# What models need, from a plan or from metered rows.

DAY = use_of(
    [row(hour * HOUR_NS, energy_kwh=6.0, allocated_accelerator_s=8 * 3600.0) for hour in range(24)]
    + [row(tenant="acme", input_tokens=10**9, cached_tokens=4 * 10**8, output_tokens=2 * 10**8)]
    + [row(tenant="rhein", input_tokens=2 * 10**8)],
    1.0,
)
HELD = """\
contracts:
  - {name: train, tenant: rhein, accelerators: 4, accelerator: h100-sxm, price: 3,
     start: 2028-03-01, term_months: 12}
"""
REST = """\
finance:
  start: 2028-01-01
  months: 36
  power_load: 0.5
  merchant: [{name: spot, price: 1, utilisation: 1}]
"""


def test_tokens_sell_at_list_prices() -> None:
    """A day: 0.6 billion fresh at 0.20, 0.4 cached at 0.05 and 0.2 out at 0.60 are 260."""
    inputs = made(SERVED + REST, DAY)
    own = merchant(inputs, "tokens/acme/small")
    assert own.earned[:2] == (money(260 * 31), money(260 * 29))
    assert (own.customer, own.model, own.lab, own.source) == (
        "acme",
        "small",
        "meta-llama",
        "tokens",
    )
    assert merchant(inputs, "tokens/rhein/small").earned[0] == money(40 * 31)
    assert float(own.hours[0]) == pytest.approx(8 * 24 * 31 * 0.8), "0.8 of 1.0 billion computed"
    traffic = cost(inputs, "bandwidth/ashburn/small")
    assert traffic.variable[0] == money("0.01") * 31 * (4 * 12 + 250 * 2) // 10


def test_models_hold_what_they_need() -> None:
    """Two nodes of eight at 0.5 are 8 accelerators: models hold all of them, nothing is left."""
    inputs = made(SERVED + REST, DAY)
    assert merchant(inputs, "spot/h100-sxm").hours[0] == 0
    idle = made(SERVED + REST)
    assert merchant(idle, "spot/h100-sxm").hours[0] == 8 * 24 * 31
    assert cost(idle, "power/ashburn").variable[0] == round(
        Fraction(3 * 102, 10) / 2 * Fraction(5, 4) * 24 * 31 * Fraction(9, 100) * 10**12
    )


def test_a_plan_does_not_know_of_contracts_and_metered_rows_do() -> None:
    """Four accelerators of a node of 10.2 kW at half load, PUE 1.25, from March on."""
    assert DAY.planned
    inputs = made(SERVED + HELD + REST, DAY)
    held = cost(inputs, "power/ashburn/contract/train")
    assert held.variable[1] == 0
    assert held.variable[2] == pytest.approx(10.2 / 2 / 2 * 1.25 * 744 * 0.09 * 10**12, rel=1e-9)
    assert held.contracts == ("train",)
    metered = made(SERVED + HELD + REST, msgspec.structs.replace(DAY, planned=False))
    assert [c.key for c in metered.costs if c.kind == "power"] == ["power/ashburn"]
    assert cost(metered, "power/ashburn").variable[0] == money("0.09") * 6 * 744


def test_demand_grows_up_to_what_stands_there() -> None:
    """Half again a year: from 8 accelerators to 12 after a year; the two nodes have 16."""
    grows = SERVED.replace("requests_per_s: 6", "requests_per_s: 6, growth_per_year: 0.5")
    inputs = made(grows + REST, DAY)
    own = merchant(inputs, "tokens/acme/small")
    assert own.earned[12] == pytest.approx(money(260 * 31) * 1.5, rel=1e-12)
    assert merchant(inputs, "tokens/rhein/small").earned[12] == money(40 * 31)
    full = made(grows.replace("0.5}", "2}") + REST, DAY)
    per_day = [
        sum(float(item.hours[m]) for item in full.merchant if item.source == "tokens")
        / full.months.days(m)
        for m in range(36)
    ]
    assert per_day[0] == pytest.approx(8 * 24)
    assert max(per_day) == pytest.approx(16 * 24)
    energy = cost(full, "power/ashburn").variable
    assert energy[35] / full.months.days(35) == pytest.approx(2 * energy[0] / 31, rel=1e-9)


def test_prices_of_tokens_move() -> None:
    changes = (
        "output: 0.60, changes: [{from: 2028-01-16, input: 0.4, cached_input: 0.1, output: 1.2}]"
    )
    falls = REST.replace("power_load", "token_price_change_per_year: -0.5\n  power_load")
    inputs = made(SERVED.replace("output: 0.60", changes) + falls, DAY)
    own = merchant(inputs, "tokens/acme/small")
    assert own.earned[0] == money(260 * 15 + 520 * 16)
    assert own.earned[12] == pytest.approx(money(520 * 31) / 2, rel=1e-12)


DEDICATED = "kind: dedicated, accelerators: 4, price: 3"
PROVISIONED = "kind: provisioned, tokens_per_s: 2314.8148148148148, price: 0.1"


@pytest.mark.parametrize(("terms", "left"), [(DEDICATED, None), (PROVISIONED, 0.75)])
def test_what_contracts_pay_is_not_paid_again(terms: str, left: float | None) -> None:
    """0.8 billion computed a day are 9,259 a second: a quarter of it is provisioned."""
    agreed = f"name: a, tenant: acme, model: small, {terms}, start: 2028-01-01, term_months: 60"
    text = f"{SERVED}contracts:\n  - {{{agreed}}}\n{REST}"
    inputs = made(text, DAY)
    own = [item for item in inputs.merchant if item.key == "tokens/acme/small"]
    if left is None:
        assert own == []
    else:
        assert own[0].earned[0] == pytest.approx(money(260 * 31) * left, rel=1e-9)


def test_pools_stand_from_their_day_on() -> None:
    """From 16 January: half of the month's costs, tokens and energy but a day."""
    later = SERVED.replace("nodes: 3,", "nodes: 3, start: 2028-01-16,")
    inputs = made(later + REST, DAY)
    assert merchant(inputs, "tokens/acme/small").earned[0] == pytest.approx(
        money(260 * 16), rel=1e-12
    )
    assert cost(inputs, "power/ashburn").variable[0] == money("0.09") * 6 * 24 * 16
    pool = asset(inputs, "pool/ashburn/h100-sxm")
    assert [flow.amount for flow in pool.payments] == [money(24 * 50_000)]
    assert (pool.in_service, pool.standing, pool.opening_cost) == (0, False, 0)
    early = asset(made(SERVED + REST, DAY), "pool/ashburn/h100-sxm")
    assert (early.in_service, early.standing, early.opening_cost) == (0, True, money(24 * 50_000))


def test_pools_to_come_draw_before_they_are_metered() -> None:
    """A node of 10.2 kW at half load from 11 February on, beside what was metered."""
    more = "      - {name: later, accelerator: h100-sxm, nodes: 1, start: 2028-02-11}\nmodels:"
    metered = msgspec.structs.replace(DAY, planned=False)
    power = cost(made(SERVED.replace("models:", more) + REST, metered), "power/ashburn")
    day = Fraction(money("0.09"))
    assert power.variable[0] == 6 * 744 * day
    beside = 19 * 24 * day * Fraction(51, 10) * Fraction(5, 4)
    assert power.variable[1] == 6 * 24 * 29 * day + beside


HIRED = """\
pricing:
  accelerator_hours:
    - {accelerator: h100-sxm, price: 3}
    - {accelerator: h100-sxm, price: 2, from: 2028-02-16}
"""


def test_what_tenants_hold_without_a_contract_has_an_hourly_price() -> None:
    """Six accelerators all day: four are under contract from March on; February changes its price.

    Two nodes of eight at half availability can sell 8: what is left goes to the market.
    """
    rows = [
        row(hour * HOUR_NS, source=Origin.METERED, model="", tenant="rhein",
            purpose=Purpose.TRAINING, allocated_accelerator_s=6 * 3600.0)
        for hour in range(24)
    ]  # fmt: skip
    inputs = made(SERVED + HELD + REST + HIRED, use_of(rows, 1.0))
    found = merchant(inputs, "hours/rhein/training/ashburn/h100-sxm")
    assert found.hours[:3] == (144 * 31, 144 * 29, 48 * 31)
    assert found.earned[:3] == (
        money(3 * 144 * 31), money(144 * (3 * 15 + 2 * 14)), money(2 * 48 * 31),
    )  # fmt: skip
    assert (found.customer, found.purpose, found.accelerator) == ("rhein", "training", "h100-sxm")
    market = merchant(inputs, "spot/h100-sxm")
    assert market.hours[:3] == (48 * 31, 48 * 29, 48 * 31)
    free = made(SERVED + REST, use_of(rows, 1.0))
    assert not any(merchant(free, "hours/rhein/training/ashburn/h100-sxm").earned)


ANY = """\
  - {name: any, tenant: other, accelerators: 150, price: 1, start: 2028-03-01, term_months: 1}
finance:"""


def test_a_contract_for_any_kind_takes_what_is_left_of_all() -> None:
    """March: 260 of one kind and 194 of the other are free; 150 are taken in that proportion."""
    text = FLEET.replace("finance:", ANY) + MARKET.replace("utilisation: 0.5", "utilisation: 1")
    cloud = read(text.replace("ramp_months: 2", "ramp_months: 0"))
    inputs = inputs_of(cloud, CATALOG)
    sold = merchant(inputs, "spot").hours[2]
    assert sold == 24 * 31 * (260 - Fraction(150 * 260, 454))
    assert contract(inputs, "rest").hours[2] == 0
    found = {line.accelerator: line for line in obligations_of(cloud, CATALOG, inputs).accelerators}
    assert (found["h100-sxm"].owed[2], found["h100-sxm"].deliverable[2]) == (100, 400)
    anything = found[""]
    assert (anything.owed[2], anything.deliverable[2], anything.short[2]) == (150, 500, 0)
    assert (anything.owed[3], anything.megawatts[2]) == (0, 0)
