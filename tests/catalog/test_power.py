"""Power: its price and carbon at a metro, and how both move over the day and the year."""

from __future__ import annotations

import pytest

from neocloud.catalog import CatalogError, Grade, load_catalog
from neocloud.catalog.power import SEASONS

CATALOG = load_catalog()
MARKETS = CATALOG.power_markets


def test_power_is_known_where_space_is_bought() -> None:
    assert set(MARKETS) == {key for key, metro in CATALOG.metros.items() if metro.dc_market}
    with pytest.raises(CatalogError, match="only where data-center space is bought"):
        CATALOG.power("hamburg")


@pytest.mark.parametrize("metro", MARKETS)
def test_shapes_have_a_source_and_a_yearly_mean_of_one(metro: str) -> None:
    power = CATALOG.power(metro)
    for shape in (power.price_shape, power.carbon_shape):
        assert tuple(shape.by_season) == SEASONS
        assert all(len(hours) == 24 for hours in shape.by_season.values())
        assert sum(shape.by_utc_hour) / 24 == pytest.approx(1, abs=1e-12)
        assert min(shape.by_utc_hour) > 0
        assert shape.source in CATALOG.sources
        assert shape.date
        assert shape.note
        if shape.key == "":
            assert set(shape.by_utc_hour) == {1.0}
            assert shape.grade is Grade.ASSUMED
        else:
            assert max(shape.by_utc_hour) > 1


def test_a_market_of_ones_own_is_derived_and_a_neighbours_assumed() -> None:
    assert CATALOG.power("frankfurt").price_shape.key == "DE"
    assert CATALOG.power("frankfurt").price_shape.grade is Grade.DERIVED
    dallas = CATALOG.power("dallas").price_shape
    assert (dallas.key, dallas.grade) == ("PJM", Grade.ASSUMED)
    tokyo = CATALOG.power("tokyo").price_shape
    assert (tokyo.key, tokyo.source) == ("", "none-found")


def test_prices_peak_in_the_evening_of_the_place() -> None:
    """Nord Pool and PJM peak at dinner time: the same local hour, other hours in UTC."""
    winter = CATALOG.power("frankfurt").price_shape.by_season["dec-feb"]
    summer = CATALOG.power("frankfurt").price_shape.by_season["jun-aug"]
    assert winter.index(max(winter)) in (16, 17)  # 17 or 18 h in UTC+1
    assert summer.index(max(summer)) in (16, 17, 18)  # 19 h in UTC+2
    east = CATALOG.power("washington").price_shape.by_season["dec-feb"]
    west = CATALOG.power("san-jose").price_shape.by_season["dec-feb"]
    assert (west.index(max(west)) - east.index(max(east))) % 24 == 3


def test_californian_carbon_is_low_when_the_sun_is_high() -> None:
    shape = CATALOG.power("san-jose").carbon_shape
    assert (shape.key, shape.source) == ("US-CAL-CISO", "electricity-maps-hourly")
    noon, midnight = shape.by_utc_hour[20], shape.by_utc_hour[8]  # UTC-8
    assert noon < 0.8 * midnight
    assert "ODbL" in CATALOG.sources[shape.source].licence


def test_a_zone_without_hourly_figures_is_flat_and_says_so() -> None:
    shape = CATALOG.power("beijing").carbon_shape
    assert shape.key == ""
    assert "CN" in shape.note
