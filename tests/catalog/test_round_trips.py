"""Round trips: any two metros, measured first, then neighbours, then the fitted line."""

from __future__ import annotations

import dataclasses
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neocloud.catalog import CatalogError, load_catalog
from neocloud.catalog.network import (
    FIBRE_KM_PER_MS,
    NEIGHBOUR_KM,
    distance_km,
    read_round_trips,
)

CATALOG = load_catalog()
TABLE = read_round_trips(CATALOG.metros)
METROS = sorted(CATALOG.metros)
metros = st.sampled_from(METROS)


@given(metros, metros)
def test_round_trips_are_known_symmetric_and_slower_than_light(one: str, two: str) -> None:
    there, back = CATALOG.round_trip(one, two), CATALOG.round_trip(two, one)
    assert there == back
    assert there.how in {"measured", "neighbour", "model", "assumed"}
    assert there.source in CATALOG.sources
    assert 0 < there.ms < 1000
    km = distance_km(CATALOG.metro(one), CATALOG.metro(two))
    assert there.ms >= 2 * km / FIBRE_KM_PER_MS - 0.5  # whole milliseconds
    if one == two:
        assert (there.ms, there.how) == (2.0, "assumed")


def test_the_table_holds_every_measured_pair() -> None:
    assert len(TABLE.order) == 243
    pairs = itertools.combinations(TABLE.order, 2)
    assert sum(TABLE.measured(a, b) is not None for a, b in pairs) == 29_368


@given(metros, metros)
def test_what_was_measured_stands_before_everything_else(one: str, two: str) -> None:
    found, measured = CATALOG.round_trip(one, two), TABLE.measured(one, two)
    assert (found.how == "measured") == (measured is not None)
    if measured is not None:
        assert found.ms == measured


@pytest.mark.parametrize(
    ("one", "other", "low", "high"),
    [
        ("frankfurt", "washington", 80, 110),  # two sites; 6,500 km: 64 ms in straight fibre
        ("london", "new-york", 60, 85),
        ("singapore", "tokyo", 60, 90),
        ("chicago", "quebec-city", 20, 40),  # a site and users
        ("douglas", "accra", 90, 120),  # users and users
    ],
)
def test_measured_round_trips(one: str, other: str, low: float, high: float) -> None:
    found = CATALOG.round_trip(one, other)
    assert found.how == "measured"
    assert low < found.ms < high
    assert found.neighbours == ()


def test_a_neighbours_round_trip_is_corrected_by_distance() -> None:
    found = CATALOG.round_trip("beijing", "frankfurt")
    assert found.how == "neighbour"
    assert found.neighbours == ("frankfurt", "zhangjiakou")
    stands_in = CATALOG.round_trip("zhangjiakou", "frankfurt")
    assert stands_in.how == "measured"
    farther_km = distance_km(CATALOG.metro("beijing"), CATALOG.metro("frankfurt")) - distance_km(
        CATALOG.metro("zhangjiakou"), CATALOG.metro("frankfurt")
    )
    slope_ms = TABLE.model["EAS-EUR"][1]
    assert found.ms == pytest.approx(stands_in.ms + slope_ms * farther_km / 1000, abs=0.05)


@given(metros, metros)
def test_a_neighbour_is_near_and_measured(one: str, two: str) -> None:
    found = CATALOG.round_trip(one, two)
    if found.how != "neighbour":
        assert found.neighbours == ()
        return
    away = [TABLE.nearest_measured(CATALOG.metro(key))[1] for key in (one, two)]
    assert 0 < sum(away) <= NEIGHBOUR_KM
    assert CATALOG.round_trip(*found.neighbours).how == "measured"


def test_far_from_every_measurement_the_model_answers() -> None:
    metro = CATALOG.metro("kinshasa")
    assert TABLE.nearest_measured(metro)[1] > NEIGHBOUR_KM
    for other in ("frankfurt", "sydney", "tashkent"):
        found = CATALOG.round_trip("kinshasa", other)
        assert (found.how, found.source) == ("model", "rtt-model")


def test_the_model_is_a_line_for_each_pair_of_regions() -> None:
    kinshasa, london = CATALOG.metro("kinshasa"), CATALOG.metro("london")
    intercept_ms, slope_ms = TABLE.model["AFR-EUR"]
    expected = intercept_ms + slope_ms * distance_km(kinshasa, london) / 1000
    assert TABLE.modelled(kinshasa, london).ms == pytest.approx(expected, abs=0.05)
    elsewhere = dataclasses.replace(kinshasa, region="none")
    intercept_ms, slope_ms = TABLE.model["global"]
    expected = intercept_ms + slope_ms * distance_km(kinshasa, london) / 1000
    assert TABLE.modelled(elsewhere, london).ms == pytest.approx(expected, abs=0.05)


def test_an_unknown_metro_gets_the_nearest_names() -> None:
    with pytest.raises(CatalogError, match="frankfurt"):
        CATALOG.round_trip("paris", "frankfurtt")
