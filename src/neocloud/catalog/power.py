"""What power costs and emits at a metro, over the year and over the day."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

from neocloud.catalog.records import Grade, HourlyShape, Metro, MetroPower
from neocloud.catalog.tables import read_figures, read_rows

SEASONS = ("dec-feb", "mar-may", "jun-aug", "sep-nov")
"""Seasons of the calendar."""
_FLAT: Mapping[str, tuple[float, ...]] = MappingProxyType(dict.fromkeys(SEASONS, (1.0,) * 24))


def read_power(metro: Metro) -> MetroPower:
    """Price and carbon of a data-center metro, each with its shape over the day."""
    price = read_figures("power_prices.csv")[metro.key]["price_per_mwh"]
    carbon = read_figures("odbl/carbon.csv")[metro.key]["carbon_g_per_kwh"]
    return MetroPower(
        metro=metro.key,
        price_per_mwh=price,
        currency=price.unit.partition("/")[0],
        carbon_g_per_kwh=carbon,
        carbon_zone=carbon.note,
        price_shape=_price_shape(metro),
        carbon_shape=_carbon_shape(carbon.note),
    )


def _price_shape(metro: Metro) -> HourlyShape:
    """The market's shape on the metro's clocks: prices follow people's days."""
    row = _markets()[metro.key]
    local = _shapes("price_shapes.csv").get(row["market"], _FLAT)
    shifted = {
        season: _turned(local[season], int(row[f"utc_offset_{season}"])) for season in SEASONS
    }
    return HourlyShape(
        key=row["market"],
        by_season=MappingProxyType(shifted),
        source=row["source"],
        date=row["date"],
        grade=Grade(row["grade"]),
        note=row["note"],
    )


def _carbon_shape(zone: str) -> HourlyShape:
    shapes = _shapes("odbl/carbon_shapes.csv")
    if zone not in shapes:
        return HourlyShape(
            key="",
            by_season=_FLAT,
            source="none-found",
            date="2026-11",
            grade=Grade.ASSUMED,
            note=f"flat: no hourly figures of {zone} were found",
        )
    return HourlyShape(
        key=zone,
        by_season=shapes[zone],
        source="electricity-maps-hourly",
        date="2022",
        grade=Grade.DERIVED,
        note="2022 by season and hour of the day, over its mean",
    )


def _turned(local: tuple[float, ...], ahead_hours: int) -> tuple[float, ...]:
    """Values by local hour, by UTC hour."""
    return tuple(local[(hour + ahead_hours) % 24] for hour in range(24))


@cache
def _markets() -> Mapping[str, Mapping[str, str]]:
    return MappingProxyType({row["key"]: row for row in read_rows("price_markets.csv")})


@cache
def _shapes(name: str) -> Mapping[str, Mapping[str, tuple[float, ...]]]:
    """Shapes of a file by key and season, scaled to a mean of exactly 1 but for rounding."""
    table: dict[str, dict[str, tuple[float, ...]]] = {}
    for row in read_rows(name):
        values = tuple(float(row[str(hour)]) for hour in range(24))
        table.setdefault(row["key"], {})[row["season"]] = values
    for seasons in table.values():
        mean = sum(map(sum, seasons.values())) / (24 * len(seasons))
        for season, values in seasons.items():
            seasons[season] = tuple(value / mean for value in values)
    return MappingProxyType(table)
