"""Hourly shapes of power price and carbon: a year's mean is 1, seasons keep their level.

Prices are shaped by the hour on the market's own clocks, as people's days shape them; carbon by
the hour in UTC, as its source gives it. Carbon shapes are under the Open Database Licence, hence in
`odbl`. Which market stands for which metro is our assignment: its own where its prices are public,
else the nearest of the same continent; elsewhere none.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import writing

SEASONS = ("dec-feb", "mar-may", "jun-aug", "sep-nov")
MARKETS = {"DE": "2017", "FR": "2016", "BE": "2016", "NP": "2018", "PJM": "2018"}
"""Markets with hourly prices, and the last of their two years."""

# Whose grid, or whose bidding zone, the market's own prices are.
OWN = {
    "frankfurt": "DE",
    "paris": "FR",
    "stockholm": "NP",
    "oslo": "NP",
    "helsinki": "NP",
    "copenhagen": "NP",
    "washington": "PJM",
    "chicago": "PJM",
    "columbus": "PJM",
}
# The nearest market of the continent: by land where the sea lies between.
NEAREST = {
    "london": "BE", "dublin": "BE", "amsterdam": "BE", "madrid": "FR", "lisbon": "FR",
    "milan": "FR", "zurich": "DE", "warsaw": "DE", "reykjavik": "NP",
}  # fmt: skip
NORTH_AMERICA = {"US", "CA"}


def season(month: int) -> str:
    """Season of a month, of the calendar: December opens the first."""
    return SEASONS[month % 12 // 3]


def _shape(values: Iterable[tuple[int, int, float]]) -> dict[str, list[str]]:
    """24 values a season from (month, hour, value), over the mean of all hours."""
    sums: dict[tuple[str, int], list[float]] = defaultdict(list)
    for month, hour, value in values:
        sums[season(month), hour].append(value)
    total = sum(map(sum, sums.values())) / sum(map(len, sums.values()))
    return {
        name: [f"{sum(sums[name, h]) / len(sums[name, h]) / total:.4f}" for h in range(24)]
        for name in SEASONS
    }


def _utc_offsets(zone: str) -> list[str]:
    """Hours that a zone's clocks are ahead of UTC in the middle of each season."""
    middles = (datetime(2026, month, 15, 12, tzinfo=ZoneInfo(zone)) for month in (1, 4, 7, 10))
    ahead = (when.utcoffset() for when in middles)
    return [str(round(a.total_seconds() / 3600)) if a is not None else "0" for a in ahead]


def _market(metro: str, country: str) -> tuple[str, str, str]:
    """Market, grade and note of one metro's price shape; no market where none is near."""
    if metro in OWN:
        market = OWN[metro]
        note = f"by hour of the day and season of two years to {MARKETS[market]}: old levels"
        return market, "derived", f"day-ahead prices of {market} {note}, so only the shape is used"
    near = "PJM" if country in NORTH_AMERICA else NEAREST.get(metro, "")
    if near:
        return near, "assumed", f"as in {near}, the nearest market whose hourly prices are public"
    return "", "assumed", "flat: no hourly prices of this part of the world were found"


def make(shared: Path, data: Path, zones: Path) -> None:
    """Write `price_shapes.csv`, `price_markets.csv` and `odbl/carbon_shapes.csv`.

    `zones` is a table of the metros' IANA time zones (`tools/data/metro_zones.csv`).
    """
    folder = shared / "power"
    prices: dict[str, list[tuple[int, int, float]]] = defaultdict(list)
    for row in writing.read(folder / "day_ahead_hourly.csv.gz"):
        when = row["hour"]  # 2016-01-04 00:00:00
        value = float(row["price_per_mwh"])
        prices[row["market"]].append((int(when[5:7]), int(when[11:13]), value))
    hours = [str(hour) for hour in range(24)]
    writing.write(
        data / "price_shapes.csv",
        ["key", "season", *hours],
        (
            [market, name, *cells]
            for market in MARKETS
            for name, cells in _shape(prices[market]).items()
        ),
    )
    metros = writing.read(folder / "dc_metro_power.csv")
    zone = {row["metro"]: row["zone"] for row in writing.read(zones)}
    writing.write(
        data / "price_markets.csv",
        ["key", "market", "source", "date", "grade", "note",
         *(f"utc_offset_{name}" for name in SEASONS)],
        (
            [row["metro"], market, "epftoolbox" if market else "none-found",
             MARKETS[market] if market else "2026-11", grade, note,
             *_utc_offsets(zone[row["metro"]])]
            for row in metros
            for market, grade, note in [_market(row["metro"], row["country"])]
        ),
    )  # fmt: skip
    _carbon(folder, data, {row["carbon_zone"] for row in metros})


def _carbon(folder: Path, data: Path, zones: set[str]) -> None:
    carbon: dict[str, list[tuple[int, int, float]]] = defaultdict(list)
    for row in writing.read(folder / "carbon_hourly_2022.csv.gz"):
        month, hour = int(row["hour_utc"][5:7]), int(row["hour_utc"][11:13])
        for zone in zones & row.keys():
            if row[zone]:
                carbon[zone].append((month, hour, float(row[zone])))
    writing.write(
        data / "odbl" / "carbon_shapes.csv",
        ["key", "season", *[str(hour) for hour in range(24)]],
        (
            [zone, name, *cells]
            for zone in sorted(carbon)
            if len({value for _, _, value in carbon[zone]}) > 1  # one value all year is no shape
            for name, cells in _shape(carbon[zone]).items()
        ),
    )
