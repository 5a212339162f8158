"""Seconds from a caller's metro to each site: worked out when asked for, or as a table."""

from __future__ import annotations

from collections.abc import Mapping

from neocloud.catalog import Catalog

REMOTE_SITE = "remote"
"""Site of all servers of others (`Remote`), in routing and in the ledger. A tenant's
`allowed_sites` leaves it out."""


class RoundTripTable:
    """What was worked out before, for a process that has no catalog.

    Args:
        by_metro: seconds by site, by metro.
    """

    def __init__(self, by_metro: Mapping[str, dict[str, float]]) -> None:
        self._by_metro = by_metro

    def __call__(self, metro: str) -> dict[str, float] | None:
        """Seconds by site; None if there is no such metro."""
        return self._by_metro.get(metro)


class RoundTrips:
    """Round trips by the catalog. Sent to another process it becomes a table.

    Args:
        catalog: knows the way between metros.
        places: metros of each site; the nearest counts where there are several.
        last_mile_ms: added to each way.
    """

    def __init__(
        self, catalog: Catalog, places: Mapping[str, tuple[str, ...]], last_mile_ms: float
    ) -> None:
        self._catalog = catalog
        self._places = places
        self._last_mile_ms = last_mile_ms

    def __call__(self, metro: str) -> dict[str, float] | None:
        """Seconds by site; None if there is no such metro."""
        if metro not in self._catalog.metros:
            return None
        return {
            site: (self._nearest_ms(metro, metros) + self._last_mile_ms) / 1e3
            for site, metros in self._places.items()
        }

    def __reduce__(self) -> tuple[type[RoundTripTable], tuple[dict[str, dict[str, float]]]]:
        found = {metro: self(metro) for metro in self._catalog.metros}
        return RoundTripTable, ({metro: trips for metro, trips in found.items() if trips},)

    def _nearest_ms(self, metro: str, metros: tuple[str, ...]) -> float:
        return min(self._catalog.round_trip(metro, place).ms for place in metros)


def nowhere(metro: str) -> dict[str, float] | None:
    """Round trips where no network is known."""
    del metro
    return {}
