"""Round trips between metros: a table where there is one, a fitted line where there is not."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from neocloud.catalog.records import CatalogError, Metro, RoundTrip
from neocloud.catalog.tables import read_rows, read_text

EARTH_RADIUS_KM = 6371.0088
"""Mean radius (IUGG)."""
SAME_METRO_MS = 2.0
"""Round trip within one metro: an assumption, as nobody pings from a city to itself."""

_HOW = {
    "m": ("measured", "wonderproxy"),
    "n": ("neighbour", "wonderproxy"),
    "f": ("model", "rtt-model"),
    "a": ("assumed", "same-metro"),
}


def distance_km(a: Metro, b: Metro) -> float:
    """Great-circle distance between two metros, km (haversine)."""
    lat_a, lat_b = math.radians(a.latitude), math.radians(b.latitude)
    half_lat = (lat_b - lat_a) / 2
    half_lon = math.radians(b.longitude - a.longitude) / 2
    h = math.sin(half_lat) ** 2 + math.cos(lat_a) * math.cos(lat_b) * math.sin(half_lon) ** 2
    return 2 * EARTH_RADIUS_KM * math.asin(min(1.0, math.sqrt(h)))


@dataclass(frozen=True, slots=True)
class RoundTripTable:
    """Measured and inferred round trips from all metros to the data-center metros.

    A line is parsed when its metro is first asked for: 332 lines of 65 cells are there, a cloud
    needs a few.
    """

    columns: Mapping[str, int]
    lines: Mapping[str, str]
    model: Mapping[str, tuple[float, float]]

    def between(self, user: Metro, site: Metro) -> RoundTrip:
        """Round trip between two metros; the way back is as long as the way there."""
        if user.key == site.key:
            return RoundTrip(SAME_METRO_MS, *_HOW["a"])
        for start, end in ((user.key, site.key), (site.key, user.key)):
            if end in self.columns and start in self.lines:
                cell = self.lines[start].split(",")[self.columns[end]]
                return RoundTrip(float(cell[:-1]), *_HOW[cell[-1]])
        return self.modelled(user, site)

    def modelled(self, user: Metro, site: Metro) -> RoundTrip:
        """Round trip by the line of the two regions: intercept + slope x distance."""
        regions = "-".join(sorted((user.region, site.region)))
        intercept_ms, slope_ms = self.model.get(regions, self.model["global"])
        return RoundTrip(intercept_ms + slope_ms * distance_km(user, site) / 1000, *_HOW["f"])


def read_round_trips() -> RoundTripTable:
    """Read the table and the model."""
    head, *lines = read_text("rtt.csv.gz").splitlines()
    if not lines:
        raise CatalogError("the table of round trips is empty")
    return RoundTripTable(
        columns={metro: column for column, metro in enumerate(head.split(",")) if column},
        lines={line[: line.index(",")]: line for line in lines},
        model={
            row["region_pair"]: (float(row["intercept_ms"]), float(row["slope_ms_per_1000km"]))
            for row in read_rows("rtt_model.csv")
        },
    )
