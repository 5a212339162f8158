"""The catalog: one object that looks up everything, and reads a table when it is first asked."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cache, cached_property
from pathlib import Path
from types import MappingProxyType

from neocloud.catalog.accelerators import read_accelerators
from neocloud.catalog.architectures import read_config
from neocloud.catalog.demand import read_shapes, read_trace, trace_names
from neocloud.catalog.network import RoundTripTable, distance_km, read_round_trips
from neocloud.catalog.power import read_power
from neocloud.catalog.price_records import (
    PriceList,
    ProviderRegion,
    RentalMonth,
    RentalPrice,
    RentalRange,
    TokenPrice,
)
from neocloud.catalog.prices import (
    find_prices,
    read_provider_regions,
    read_rental_history,
    read_rentals,
    read_token_prices,
    rental_range,
)
from neocloud.catalog.records import (
    Accelerator,
    Architecture,
    CatalogError,
    DailyShape,
    Metro,
    MetroPower,
    RoundTrip,
    Source,
    Trace,
)
from neocloud.catalog.tables import DATA, read_figures, read_rows, unknown_key


class Catalog:
    """Facts with their sources: accelerators, models, metros, network, power, demand.

    Every look-up of an unknown key raises `CatalogError` with the nearest names.
    """

    @cached_property
    def accelerators(self) -> Mapping[str, Accelerator]:
        """All accelerators by key."""
        return read_accelerators()

    def accelerator(self, key: str) -> Accelerator:
        """The accelerator `key`, such as `h100-sxm`."""
        if key not in self.accelerators:
            raise unknown_key("accelerator", key, self.accelerators)
        return self.accelerators[key]

    @cached_property
    def metros(self) -> Mapping[str, Metro]:
        """All metros by key, those with most internet users first."""
        return MappingProxyType({row["key"]: _metro(row) for row in read_rows("metros.csv")})

    def metro(self, key: str) -> Metro:
        """The metro `key`, such as `frankfurt`."""
        if key not in self.metros:
            raise unknown_key("metro", key, self.metros)
        return self.metros[key]

    def nearest_markets(self, metro: str, count: int = 3) -> tuple[str, ...]:
        """The data-center metros nearest to a metro by distance, nearest first."""
        here = self.metro(metro)
        markets = [m for m in self.metros.values() if m.dc_market]
        markets.sort(key=lambda m: distance_km(here, m))
        return tuple(m.key for m in markets[:count])

    def architecture_names(self) -> tuple[str, ...]:
        """Names of the model configurations that the catalog holds, sorted."""
        return _architecture_names()

    def architecture(self, name_or_path: str, base: Path | None = None) -> Architecture:
        """Architecture of a model.

        Args:
            name_or_path: a catalog name (`openai/gpt-oss-120b`) or the path of a `config.json`.
            base: folder that a relative path starts from; None for the current one.

        Raises:
            CatalogError: neither a name nor a readable configuration.
        """
        names = self.architecture_names()
        if name_or_path in names:
            return _architecture(name_or_path)
        if not name_or_path.endswith(".json"):
            error = unknown_key("model", name_or_path, names)
            raise CatalogError(
                f"{error}; or give the path of a config.json (it must end in .json)", error.nearest
            )
        path = Path(name_or_path)
        return read_config(
            path if path.is_absolute() or base is None else base / path, name_or_path
        )

    def round_trip(self, one: str, other: str) -> RoundTrip:
        """Round trip between any two metros, users' or sites', without the last mile.

        `how` says how it is known.
        """
        return self._round_trips.between(self.metro(one), self.metro(other))

    @cached_property
    def _round_trips(self) -> RoundTripTable:
        return read_round_trips(self.metros)

    @cached_property
    def power_markets(self) -> tuple[str, ...]:
        """Metros of which power's price and carbon are known: where data-center space is bought."""
        return tuple(sorted(read_figures("power_prices.csv")))

    def power(self, metro: str) -> MetroPower:
        """What power costs and emits at a data-center metro; an unknown price is a None figure."""
        if metro not in self.power_markets:
            near = self.nearest_markets(metro)
            raise CatalogError(
                f"power is known only where data-center space is bought, not at {metro!r}; "
                f"nearest: {', '.join(near)}",
                near,
            )
        return read_power(self.metro(metro))

    @cached_property
    def rental_prices(self) -> tuple[RentalPrice, ...]:
        """What providers ask for an hour of an accelerator: on demand, reserved and spot."""
        return read_rentals()

    @cached_property
    def provider_regions(self) -> tuple[ProviderRegion, ...]:
        """Where those providers stand that tell it; marketplaces do not."""
        return read_provider_regions()

    def places(self, provider: str, region: str) -> tuple[ProviderRegion, ...]:
        """Where a rental price of `provider` in `region` holds; empty where no place is known."""
        return tuple(
            place
            for place in self.provider_regions
            if (place.provider, place.region) == (provider, region)
        )

    @cached_property
    def rental_history(self) -> tuple[RentalMonth, ...]:
        """What some providers asked, month by month."""
        return read_rental_history()

    @cached_property
    def token_prices(self) -> tuple[TokenPrice, ...]:
        """What providers ask for tokens of open-weights models."""
        return read_token_prices()

    @cached_property
    def rental_ranges(self) -> tuple[RentalRange, ...]:
        """On-demand prices over all sellers of every accelerator that someone offers."""
        kinds = dict.fromkeys(offer.accelerator for offer in self.rental_prices)
        found = (rental_range(kind) for kind in kinds)
        return tuple(prices for prices in found if prices is not None)

    def rental_range(self, accelerator: str) -> RentalRange | None:
        """On-demand prices of an accelerator over all sellers; None where nobody offers it."""
        return rental_range(accelerator)

    def prices(self, name: str) -> PriceList:
        """All prices of an accelerator, a provider or a model."""
        return find_prices(name)

    def trace_names(self) -> tuple[str, ...]:
        """Keys of the traces, sorted."""
        return trace_names()

    def trace(self, key: str) -> Trace:
        """The trace `key`, such as `azure-conv`."""
        return _trace(key)

    @cached_property
    def shapes(self) -> Mapping[str, DailyShape]:
        """All daily shapes by key."""
        return read_shapes()

    def shape(self, key: str) -> DailyShape:
        """The daily shape `key`, such as `servegen-mid` or `flat`."""
        if key not in self.shapes:
            raise unknown_key("daily shape", key, self.shapes)
        return self.shapes[key]

    @cached_property
    def sources(self) -> Mapping[str, Source]:
        """All sources by key."""
        return MappingProxyType({row["key"]: Source(**row) for row in read_rows("sources.csv")})

    @cached_property
    def content_hash(self) -> str:
        """Sixteen hex digits of the SHA-256 over all tables and configurations, names included."""
        digest = hashlib.sha256()
        for path in sorted(DATA.rglob("*")):
            if path.is_file() and path.suffix in {".csv", ".gz", ".json"}:
                content = path.read_bytes()
                name = path.relative_to(DATA).as_posix()
                digest.update(f"{name}\0{len(content)}\0".encode())
                digest.update(content)
        return digest.hexdigest()[:16]


def _metro(row: Mapping[str, str]) -> Metro:
    return Metro(
        key=row["key"],
        name=row["name"],
        country=row["country"],
        latitude=float(row["latitude"]),
        longitude=float(row["longitude"]),
        region=row["region"],
        internet_users=int(row["internet_users"]),
        dc_market=row["dc_market"] == "1",
        zone=row["zone"],
    )


@cache
def _architecture_names() -> tuple[str, ...]:
    paths = (DATA / "configs").glob("*.json")
    return tuple(sorted(path.stem.replace("__", "/") for path in paths))


@cache
def _architecture(name: str) -> Architecture:
    return read_config(DATA / "configs" / (name.replace("/", "__") + ".json"), name)


@cache
def _trace(key: str) -> Trace:
    if key not in trace_names():
        raise unknown_key("trace", key, trace_names())
    return read_trace(key)


@cache
def load_catalog() -> Catalog:
    """The catalog that the package carries; the same object each time."""
    return Catalog()
