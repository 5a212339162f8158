"""The two large examples: one cloud in two shapes, alike in all that a comparison needs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from neocloud.catalog import load_catalog
from neocloud.spec import Cloud, load_cloud

EXAMPLES = Path(__file__).parents[2] / "examples"
CATALOG = load_catalog()
NAMES = ("ten-metros", "three-regions")
SAME = ("currency", "models", "demand", "rental", "planning")
EUROPEAN_UNION = {"AT", "BE", "DE", "DK", "ES", "FI", "FR", "IE", "IT", "NL", "PL", "PT", "SE"}
"""Members in which the catalog may know a metro."""


def path_of(name: str) -> Path:
    return EXAMPLES / name / "cloud.yaml"


def written(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(path_of(name).read_text())
    return found


@pytest.fixture(scope="module", params=NAMES)
def cloud(request: pytest.FixtureRequest) -> Cloud:
    return load_cloud(path_of(request.param), CATALOG)


@pytest.fixture(scope="module")
def both() -> tuple[Cloud, Cloud]:
    ten, three = (load_cloud(path_of(name), CATALOG) for name in NAMES)
    return ten, three


def accelerators(cloud: Cloud) -> Counter[str]:
    found: Counter[str] = Counter()
    for site in cloud.sites.values():
        for pool in site.pools:
            size = CATALOG.accelerator(pool.accelerator).node_accelerators
            found[pool.accelerator] += pool.nodes * size
    return found


def contracted_kw(cloud: Cloud) -> Iterator[tuple[tuple[str, str], float, float]]:
    """By kind and source: what may be drawn, and what is paid drawn or not."""
    kilowatts: Counter[tuple[str, str]] = Counter()
    obliged: Counter[tuple[str, str]] = Counter()
    for site in cloud.sites.values():
        for contract in site.power:
            assert contract.capacity_mw is not None
            key = (str(contract.kind), str(contract.source))
            kilowatts[key] += round(1e3 * contract.capacity_mw)
            obliged[key] += round(1e3 * contract.capacity_mw * contract.take_or_pay)
    yield from ((key, kilowatts[key], obliged[key]) for key in sorted(kilowatts))


def round_trip_ms(cloud: Cloud, metro: str, tenant: str) -> float:
    """Between users and the nearest site that may serve them, the last mile included."""
    sites = cloud.tenants[tenant].allowed_sites or tuple(cloud.sites)
    nearest = min(CATALOG.round_trip(metro, cloud.sites[site].metro).ms for site in sites)
    return nearest + cloud.network.last_mile_ms


def test_they_have_the_sites_that_their_names_promise(both: tuple[Cloud, Cloud]) -> None:
    assert [len(cloud.sites) for cloud in both] == [10, 3]
    for cloud in both:
        assert len({site.metro for site in cloud.sites.values()}) == len(cloud.sites)


def test_they_say_the_same_of_demand_models_prices_rental_and_the_day() -> None:
    ten, three = map(written, NAMES)
    for part in SAME:
        assert ten[part] == three[part], part
    assert set(ten) == set(three)


def test_their_tenants_differ_only_in_the_sites_that_they_may_use() -> None:
    ten, three = (
        {
            tenant: {key: value for key, value in said.items() if key != "allowed_sites"}
            for tenant, said in found["tenants"].items()
        }
        for found in map(written, NAMES)
    )
    assert ten == three


def test_they_have_as_many_accelerators_of_each_kind(both: tuple[Cloud, Cloud]) -> None:
    ten, three = map(accelerators, both)
    assert ten == three
    assert set(ten) == {"h100-sxm", "h200-sxm", "b200-sxm", "mi355x"}
    assert 1_000 <= ten.total() <= 3_000


def test_they_have_contracted_as_much_power_of_each_kind(both: tuple[Cloud, Cloud]) -> None:
    ten, three = (list(contracted_kw(cloud)) for cloud in both)
    assert ten == three
    assert {kind for (kind, _), _, _ in ten} == {"grid", "ppa", "stranded_gas", "on_site"}


def test_a_metro_has_one_pue_and_a_currency_one_rate(both: tuple[Cloud, Cloud]) -> None:
    pue = [{site.metro: site.pue for site in cloud.sites.values()} for cloud in both]
    for metro in pue[0].keys() & pue[1].keys():
        assert pue[0][metro] == pue[1][metro], metro
    for currency in both[0].exchange_rates.keys() & both[1].exchange_rates.keys():
        assert both[0].exchange_rates[currency] == both[1].exchange_rates[currency]


def test_whoever_must_stay_in_the_european_union_can(cloud: Cloud) -> None:
    limited = {t.key: t.allowed_sites for t in cloud.tenants.values() if t.allowed_sites}
    assert limited
    for tenant, sites in limited.items():
        assert {CATALOG.metro(cloud.sites[s].metro).country for s in sites} <= EUROPEAN_UNION
        assert any(demand.tenant == tenant for demand in cloud.demand)


def test_a_tenant_with_a_carbon_limit_has_a_grid_below_it_or_cleaner_contracts(
    cloud: Cloud,
) -> None:
    limits = [t.carbon_limit_g_per_kwh for t in cloud.tenants.values()]
    limited = [limit for limit in limits if limit is not None]
    assert limited
    for limit in limited:
        assert any(
            contract.carbon_g_per_kwh is not None and contract.carbon_g_per_kwh < limit
            for site in cloud.sites.values()
            for contract in site.power
        )


def test_firm_power_feeds_every_node_of_every_site_on_the_day(cloud: Cloud) -> None:
    for site in cloud.sites.values():
        most_kw = sum(
            pool.nodes * CATALOG.accelerator(pool.accelerator).node_power_w.known(pool.key) / 1e3
            for pool in site.pools
        )
        firm_mw = min(
            sum((c.capacity_mw or 0.0) * c.availability[hour] for c in site.power)
            for hour in range(24)
        )
        active_mw = cloud.active_mw(site.key)
        allowed_mw = firm_mw if active_mw is None else min(firm_mw, active_mw)
        assert allowed_mw * 1e3 >= site.pue * most_kw, site.key


def test_the_way_to_the_users_leaves_time_for_the_first_token(cloud: Cloud) -> None:
    for demand in cloud.demand:
        objective = cloud.models[demand.model].objective
        for metro in demand.metros:
            ms = round_trip_ms(cloud, metro, demand.tenant)
            assert ms <= 0.6 * objective.ttft_ms, (demand.model, metro)


def test_ten_metros_are_nearer_to_the_users_of_every_demand(both: tuple[Cloud, Cloud]) -> None:
    means = np.array(
        [
            [
                sum(
                    share * round_trip_ms(cloud, metro, demand.tenant)
                    for metro, share in demand.metros.items()
                )
                for demand in cloud.demand
            ]
            for cloud in both
        ]
    )
    ten, three = means
    assert np.all(ten <= three)
    assert ten.sum() < 0.6 * three.sum()


@pytest.mark.parametrize(
    ("name", "requests", "input_tokens", "output_tokens"),
    [("agents", 1_003, 12_394, 349), ("reasoning", 1_000, 1_213, 1_989)],
)
def test_the_traces_are_as_the_page_says(
    name: str, requests: int, input_tokens: int, output_tokens: int
) -> None:
    path = EXAMPLES / "request-traces" / f"{name}.csv"
    table = np.loadtxt(path.read_text().splitlines(), delimiter=",", skiprows=1)
    assert len(table) == requests
    assert table.mean(axis=0) == pytest.approx([input_tokens, output_tokens], abs=0.5)
