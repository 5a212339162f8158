"""What new capacity costs: by hand, beside another library, and whatever the assets."""

from __future__ import annotations

from datetime import date
from fractions import Fraction

import numpy_financial as npf
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.finance.model.cases import company, money

from neocloud.finance.indicators import component_cost
from neocloud.finance.indicators.component_cost import recovery
from neocloud.finance.records import Asset, Flow, Installed, Policies


def bought(key: str, kind: str, price: int, **parts: object) -> Asset:
    """An asset that is paid in March and serves from then on."""
    given: dict[str, object] = {
        "key": key, "kind": kind, "in_service": 2, "life_months": 60, "site": "east",
        "payments": (Flow(day=date(2026, 3, 1), amount=money(price)),),
    }  # fmt: skip
    return Asset(**given | parts)  # type: ignore[arg-type]


NODES = bought(
    "nodes", "accelerators", 8_000_000, accelerator="h100-sxm", accelerators=100,
    megawatts=Fraction(1, 4), next_unit="an accelerator",
    next_price=(money(80_000), money(76_000), money(72_000)),
)  # fmt: skip
SHELL = bought("shell", "shell", 20_000_000, megawatts=Fraction(2), next_unit="a megawatt",
               next_price=(money(10_000_000),) * 3, life_months=240)  # fmt: skip
SWITCHES = bought("switches", "networking", 500_000)


def test_a_megawatt_and_an_accelerator_by_hand():
    found = component_cost(company(3, assets=(NODES, SHELL, SWITCHES)))
    # 8 m over 0.25 MW, 20 m over the 2 MW of the shell, 0.5 m over the accelerators' 0.25 MW.
    assert found.per_megawatt.points[0].value == 32_000_000 + 10_000_000 + 2_000_000
    # An accelerator takes 2.5 kW: 80,000 + 25,000 + 5,000.
    assert found.per_accelerator.points[0].value == 110_000
    assert [p.value for p in found.per_accelerator.points[1:]] == [106_000, 102_000]
    moved = found.per_megawatt.points[1]
    assert [(part.name, part.value) for part in moved.parts] == [("accelerators", -1_600_000)]
    assert found.per_accelerator.points[2].trend == -4_000
    assert found.notes[0] == "No price path, so the price that was paid: switches."


def test_an_index_by_component_and_of_all():
    found = component_cost(company(3, assets=(NODES, SHELL, SWITCHES)))
    kinds = {series.key: [point.value for point in series.points] for series in found.by_kind}
    assert kinds == {
        "cost.index.accelerators": [100, 95, 90],
        "cost.index.shell": [100, 100, 100],
        "cost.index.networking": [100, 100, 100],
    }
    # 28.5 m at first, 0.4 m less each month.
    assert found.index.points[2].value == Fraction(27_700, 285)
    assert sum(p.value for p in found.index.points[1].parts) == Fraction(-400, 285)


def test_an_hour_bears_the_annuity_of_what_is_not_left():
    sellable = (Fraction(31 * 24 * 50), Fraction(28 * 24 * 50), Fraction(31 * 24 * 50))
    kind = Installed(accelerator="h100-sxm", installed=(100,) * 3, spare=(0,) * 3,
                     sellable=sellable)  # fmt: skip
    asset = replace(NODES, residual_share=Fraction(1, 10), life_months=48)
    inputs = company(3, assets=(asset,), installed=(kind,))
    found = component_cost(inputs, Fraction(12, 100))
    assert found.sellable_share == Fraction(1, 2)
    monthly = -npf.pmt(0.01, 48, 80_000, -8_000)
    assert float(found.per_hour.points[0].value) == pytest.approx(monthly / 365, rel=1e-12)


def test_the_cost_of_capital_is_the_owners_where_none_is_given():
    free = Policies(discount_rate=Fraction(0))
    inputs = company(3, assets=(replace(NODES, life_months=50),), policies=free)
    found = component_cost(inputs)
    assert found.cost_of_capital == 0
    assert found.per_hour.points[0].value == Fraction(80_000, 50 * 730)


def test_land_pays_interest_alone():
    land = bought("land", "land", 1_200_000, life_months=0)
    assert recovery(land, money(1_200_000), Fraction(1, 10)) == money(10_000)


def test_what_stands_is_no_new_capacity_but_where_nothing_comes():
    old = replace(NODES, key="old", standing=True, in_service=-5, payments=(),
                  opening_cost=money(9_000_000), next_price=(money(50_000),) * 3)  # fmt: skip
    both = component_cost(company(3, assets=(NODES, old)))
    assert both.per_accelerator.points[0].value == 80_000
    alone = component_cost(company(3, assets=(old,)))
    assert alone.per_accelerator.points[0].value == 50_000
    assert alone.notes[0] == "No asset comes into service later: what stands there is priced anew."
    assert alone.landings == ()


def test_what_comes_into_service_is_listed():
    (landing,) = component_cost(company(3, assets=(NODES, SHELL))).landings
    assert (landing.month, landing.site) == ("2026-03", "east")
    # The shell around them serves the same quarter of a megawatt.
    assert (landing.megawatts, landing.accelerators) == (Fraction(1, 4), 100)
    assert landing.cost == {"accelerators": money(8_000_000), "shell": money(20_000_000)}


def test_what_nobody_says_is_told_in_words():
    found = component_cost(company(3, assets=(SWITCHES,)))
    assert found.per_megawatt.points[0].unknown == "no asset says how many megawatts it brings"
    assert found.per_hour.points[0].unknown == "no asset brings accelerators"
    nothing = component_cost(company(3))
    assert nothing.index.points[0].unknown == "nothing of it has a price"


PATHS = st.lists(st.integers(1, 10**6), min_size=3, max_size=3).map(
    lambda path: tuple(map(money, path))
)


@given(st.lists(PATHS, min_size=1, max_size=4))
def test_parts_add_up_whatever_the_prices(paths):
    assets = tuple(
        replace(NODES, key=f"a{n}", kind=("accelerators", "networking")[n % 2], next_price=path)
        for n, path in enumerate(paths)
    )
    found = component_cost(company(3, assets=assets))
    for series in (found.per_megawatt, found.per_accelerator, found.per_hour, found.index,
                   *found.by_kind):  # fmt: skip
        for before, after in zip(series.points, series.points[1:], strict=False):
            assert sum(part.value for part in after.parts) == after.value - before.value


@given(PATHS, st.integers(1, 99))
def test_an_asset_in_two_halves_costs_the_same(path, cut):
    whole = replace(NODES, next_price=path)
    halves = tuple(
        replace(whole, key=key, accelerators=count, megawatts=Fraction(count, 400))
        for key, count in (("one", cut), ("two", 100 - cut))
    )
    one, two = (component_cost(company(3, assets=a)) for a in ((whole,), halves))
    assert [p.value for p in one.per_megawatt.points] == [p.value for p in two.per_megawatt.points]
    assert [p.value for p in one.index.points] == [p.value for p in two.index.points]
