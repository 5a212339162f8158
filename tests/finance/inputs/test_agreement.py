"""A month of the inputs costs what the books say of the same month under the same use."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from fractions import Fraction

import msgspec
import pytest

from neocloud.activity import Origin, Purpose, Row
from neocloud.books.tiers.account import Books, books_of
from neocloud.books.tiers.items import Account
from neocloud.finance.inputs import inputs_of, use_of_metered, use_of_plan
from neocloud.finance.inputs.use import use_of
from neocloud.finance.records import Inputs
from neocloud.planner import make_plan, planned_activity
from neocloud.spec import Cloud
from neocloud.units import HOUR_NS, Period, parse_period

from .clouds import CATALOG, every_hour, example

POWER = {Account.ENERGY, Account.FACILITY_ENERGY}
OTHERS = {
    "demand_charge": {Account.DEMAND_CHARGE},
    "rent": {Account.LEASE, Account.RENT},
    "colocation": {Account.COLOCATION},
    "maintenance": {Account.MAINTENANCE},
    "insurance": {Account.INSURANCE},
    "staff": {Account.STAFF},
    "network": {Account.LINKS},
    "overhead": {Account.OVERHEAD},
    "bandwidth": {Account.TRAFFIC},
}


def month_of_use(cloud: Cloud, period: Period) -> Iterator[Row]:
    """A month whose days are alike: some pools used, by day more than by night."""
    tenants, models = sorted(cloud.tenants), sorted(cloud.models)
    for number, hour in enumerate(every_hour(period)):
        for site in cloud.sites.values():
            for which, pool in enumerate(site.pools):
                busy = 1.0 + (number % 24) / 24
                yield Row(
                    source=Origin.METERED,
                    hour_utc=hour,
                    site=site.key,
                    pool=pool.key,
                    model=models[which % len(models)],
                    tenant=tenants[which % len(tenants)],
                    purpose=Purpose.INFERENCE,
                    requests=1,
                    input_tokens=1000 * (which + 1),
                    output_tokens=100,
                    allocated_accelerator_s=8 * 3600.0,
                    energy_kwh=7.0 * busy * (which + 1),
                )


def stood(cloud: Cloud) -> Cloud:
    """The same without what the books do not know: assets, contracts, what is added."""
    finance = replace(
        cloud.finance, assets=(), debt=(), merchant=(), costs=(), equity=(), opening=None,
        start=date(2026, 1, 1), months=48,
    )  # fmt: skip
    return replace(cloud, finance=finance, contracts=())


def agree(cloud: Cloud, inputs: Inputs, books: Books, month: int) -> None:
    costs: dict[Account, Fraction] = {}
    for item in books.items:
        costs[item.account] = costs.get(item.account, Fraction(0)) + Fraction(item.pico)
    added = {asset.key for asset in cloud.finance.assets if not asset.pools}
    listed = [
        cost
        for cost in inputs.costs
        if not cost.key.startswith("stated/") and cost.key.rpartition("/")[2] not in added
    ]
    of = {
        kind: [(c.key, c.fixed[month], c.variable[month] if c.variable else 0)
               for c in listed if c.kind == kind]
        for kind in ("power", *OTHERS)
    }  # fmt: skip
    drawn = sum(variable for _, _, variable in of["power"])
    undrawn = sum(fixed for _, fixed, _ in of["power"])
    assert drawn == pytest.approx(float(sum(costs.get(a, 0) for a in POWER)), rel=1e-9)
    assert drawn > 0
    assert undrawn == pytest.approx(float(costs.get(Account.UNDRAWN, 0)), rel=1e-9)
    for kind, accounts in OTHERS.items():
        told = float(sum(costs.get(account, 0) for account in accounts))
        own = sum(fixed + variable for _, fixed, variable in of[kind])
        assert own == pytest.approx(told, rel=1e-9, abs=100), kind
    carbon = sum(c.variable[month] for c in inputs.costs if c.key.startswith("carbon"))
    assert carbon == pytest.approx(float(costs.get(Account.CARBON, 0)), rel=1e-9)


@pytest.mark.parametrize("name", ["two-sites", "reference", "ten-metros"])
@pytest.mark.parametrize("month", ["2026-10", "2028-02"])
def test_costs_of_a_month_are_those_of_the_books(name: str, month: str) -> None:
    cloud = stood(example(name))
    cloud = replace(cloud, planning=replace(cloud.planning, carbon_price_per_tonne=50.0))
    period = parse_period(month)
    rows = list(month_of_use(cloud, period))
    books = books_of(cloud, CATALOG, rows, {}, period)
    inputs = inputs_of(cloud, CATALOG, use_of_metered(rows, period))
    index = inputs.months.labels.index(month)
    agree(cloud, inputs, books, index)


def test_a_whole_file_agrees_too() -> None:
    """With contracts, assets and debt: what the file adds to the pools stands apart."""
    cloud = example("reference")
    assert cloud.contracts
    assert cloud.finance.assets
    period = parse_period("2026-10")
    rows = list(month_of_use(cloud, period))
    inputs = inputs_of(cloud, CATALOG, use_of_metered(rows, period))
    index = inputs.months.labels.index("2026-10")
    agree(cloud, inputs, books_of(cloud, CATALOG, rows, {}, period), index)


def test_a_year_is_worn_as_in_the_books() -> None:
    """Twelve months of the straight line are the calendar year's depreciation of the books."""
    cloud = stood(example("two-sites"))
    period = parse_period("2027-01-01/2028-01-01")
    books = books_of(cloud, CATALOG, (), {}, period)
    told = sum(i.exact for i in books.items if i.account is Account.DEPRECIATION)
    inputs = inputs_of(cloud, CATALOG)
    year = sum(
        Fraction(asset.opening_cost) * (1 - asset.residual_share) * 12 / asset.life_months
        for asset in inputs.assets
    )
    assert year == told * 10**12 > 0


def test_a_plan_is_used_as_the_books_use_it() -> None:
    """The plan's day, thirty-one times, in the books; and as the typical day here."""
    cloud = stood(example("two-sites"))
    plan = make_plan(cloud, CATALOG)
    period = parse_period("2026-10")
    day = planned_activity(plan)
    rows = [
        msgspec.structs.replace(row, hour_utc=period.start_ns + row.hour_utc + n * 24 * HOUR_NS)
        for n in range(31)
        for row in day
    ]
    inputs = inputs_of(cloud, CATALOG, use_of_plan(plan))
    index = inputs.months.labels.index("2026-10")
    agree(cloud, inputs, books_of(cloud, CATALOG, rows, {}, period), index)
    sold = sum(item.earned[index] for item in inputs.merchant)
    told = sum(
        (row.input_tokens * cloud.models[row.model].price_per_mtok.input
         + row.output_tokens * cloud.models[row.model].price_per_mtok.output)
        for row in rows
    )  # fmt: skip
    assert sold == pytest.approx(float(told) * 1e6, rel=1e-12)


def test_metered_rows_are_a_mean_day() -> None:
    """Two days of which one alone is used: half of it a day; training is held, and no token."""
    rows = [
        Row(source=Origin.METERED, hour_utc=5 * HOUR_NS, site="ashburn", pool="h100-sxm",
            model="small", tenant="acme", input_tokens=100, cached_tokens=40, output_tokens=10,
            allocated_accelerator_s=7200.0, energy_kwh=3.0),
        Row(source=Origin.METERED, hour_utc=29 * HOUR_NS, site="ashburn", pool="h100-sxm", model="",
            purpose=Purpose.TRAINING, allocated_accelerator_s=3600.0, energy_kwh=1.0),
        Row(source=Origin.METERED, hour_utc=7 * HOUR_NS, site="remote", pool="other", model="small",
            tenant="acme", input_tokens=20, output_tokens=2),
    ]  # fmt: skip
    use = use_of_metered(rows, Period(0, 48 * HOUR_NS))
    assert not use.planned
    assert use.kwh["ashburn", "h100-sxm", "small"][5] == 1.5
    assert use.kwh["ashburn", "h100-sxm", ""][5] == 0.5
    assert use.held == {("ashburn", "h100-sxm", "small"): 1.0}
    assert use.other == {("ashburn", "h100-sxm"): 0.5}
    sold = use.sold["acme", "small"]
    assert (sold.input_tokens, sold.cached_tokens, sold.output_tokens) == (60, 20, 6)
    assert use.bought["other", "small"].input_tokens == 10
    assert use_of(rows[:1], 2.0).moved["ashburn", "small"].output_tokens == 5
