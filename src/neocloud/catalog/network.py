"""Round trips between metros: measured where anyone measured, a fitted line where nobody did.

Three answers, best first, and each says which it is. *Measured*: the pair was pinged. *Neighbour*:
a measured pair stands within `NEIGHBOUR_KM` of both ends together; its round trip is corrected by
the difference in distance at the slope of its own pair of regions. *Model*: the line of the two
regions, intercept + slope x distance. docs/catalog.md says how far each is off.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from neocloud.catalog.records import CatalogError, Metro, RoundTrip
from neocloud.catalog.tables import read_rows, read_text

EARTH_RADIUS_KM = 6371.0088
"""Mean radius (IUGG)."""
FIBRE_KM_PER_MS = 204.0
"""Light in glass, one way: 299.8 km/ms over a refractive index of 1.468."""
SAME_METRO_MS = 2.0
"""Round trip within one metro: an assumption, as nobody pings from a city to itself."""
NEIGHBOUR_KM = 800.0
"""How far the measured pair may be from the pair asked for, both ends together."""


def distance_km(a: Metro, b: Metro) -> float:
    """Great-circle distance between two metros, km (haversine)."""
    lat_a, lat_b = math.radians(a.latitude), math.radians(b.latitude)
    half_lat = (lat_b - lat_a) / 2
    half_lon = math.radians(b.longitude - a.longitude) / 2
    h = math.sin(half_lat) ** 2 + math.cos(lat_a) * math.cos(lat_b) * math.sin(half_lon) ** 2
    return 2 * EARTH_RADIUS_KM * math.asin(min(1.0, math.sqrt(h)))


@dataclass(frozen=True, slots=True)
class RoundTripTable:
    """Round trips between any two metros.

    Attributes:
        metros: all metros by key.
        order: measured metros and their place in the table.
        lines: the table, a line a measured metro: the round trips to those before it, whole ms,
            empty where nobody measured. A line is split when it is first asked for: 243 lines are
            there, a cloud needs a few.
        model: intercept, ms, and slope, ms per 1000 km, by pair of regions.
    """

    metros: Mapping[str, Metro]
    order: Mapping[str, int]
    lines: tuple[str, ...]
    model: Mapping[str, tuple[float, float]]
    _cells: dict[int, list[str]] = field(default_factory=dict)
    _nearest: dict[str, tuple[Metro, float]] = field(default_factory=dict)

    def between(self, one: Metro, other: Metro) -> RoundTrip:
        """Round trip between two metros; the way back is as long as the way there."""
        if one.key == other.key:
            return RoundTrip(SAME_METRO_MS, "assumed", "same-metro")
        measured = self.measured(one.key, other.key)
        if measured is not None:
            return RoundTrip(measured, "measured", "wonderproxy")
        return self._by_neighbours(one, other) or self.modelled(one, other)

    def measured(self, one: str, other: str) -> float | None:
        """Measured round trip, ms; None where nobody measured."""
        if one not in self.order or other not in self.order or one == other:
            return None
        low, high = sorted((self.order[one], self.order[other]))
        if high not in self._cells:
            self._cells[high] = self.lines[high].split(",")
        cell = self._cells[high][low]
        return float(cell) if cell else None

    def modelled(self, one: Metro, other: Metro) -> RoundTrip:
        """Round trip by the line of the two regions: intercept + slope x distance."""
        intercept_ms, slope_ms = self._line(one, other)
        ms = intercept_ms + slope_ms * distance_km(one, other) / 1000
        return RoundTrip(round(ms, 1), "model", "rtt-model")

    def nearest_measured(self, metro: Metro) -> tuple[Metro, float]:
        """The nearest metro that was measured, and how far it is, km."""
        if metro.key not in self._nearest:
            by_distance = ((distance_km(metro, self.metros[key]), key) for key in self.order)
            km, key = min(by_distance)
            self._nearest[metro.key] = self.metros[key], km
        return self._nearest[metro.key]

    def _by_neighbours(self, one: Metro, other: Metro) -> RoundTrip | None:
        """The nearest measured pair, corrected; None where it is far or the same metro."""
        (near_one, km_one), (near_other, km_other) = map(self.nearest_measured, (one, other))
        if km_one + km_other > NEIGHBOUR_KM:
            return None
        there = self.measured(near_one.key, near_other.key)
        if there is None:
            return None
        km = distance_km(one, other)
        slope_ms = self._line(near_one, near_other)[1]
        ms = there + slope_ms * (km - distance_km(near_one, near_other)) / 1000
        ms = max(ms, 2 * km / FIBRE_KM_PER_MS)  # a correction may not outrun light
        pair = sorted((near_one.key, near_other.key))
        return RoundTrip(round(ms, 1), "neighbour", "wonderproxy", neighbours=tuple(pair))

    def _line(self, one: Metro, other: Metro) -> tuple[float, float]:
        regions = "-".join(sorted((one.region, other.region)))
        return self.model.get(regions, self.model["global"])


def read_round_trips(metros: Mapping[str, Metro]) -> RoundTripTable:
    """Read the table and the model for `metros`."""
    lines = read_text("rtt.csv.gz").splitlines()
    if not lines:
        raise CatalogError("the table of round trips is empty")
    keys, cells = zip(*(line.partition(",")[::2] for line in lines), strict=True)
    return RoundTripTable(
        metros=metros,
        order={key: place for place, key in enumerate(keys)},
        lines=cells,
        model={
            row["region_pair"]: (float(row["intercept_ms"]), float(row["slope_ms_per_1000km"]))
            for row in read_rows("rtt_model.csv")
        },
    )
