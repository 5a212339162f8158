"""Everything that the catalog holds of one name, as facts: value, unit, source, date and grade."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from decimal import Decimal

from neocloud.catalog.catalog import Catalog
from neocloud.catalog.price_records import RentalRange
from neocloud.catalog.records import Accelerator, Architecture, Figure, Grade, HourlyShape

MARKETS_SHOWN = 8
"""Data-center metros to which a metro's round trip is told unless one is named."""


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that is known, or said to be unknown (`value` None), and how."""

    name: str
    value: float | int | str | bool | Decimal | None
    unit: str = ""
    grade: str = ""
    source: str = ""
    """Key of the source; the sheet lists what it stands for."""
    date: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Origin:
    """What the key of a source stands for."""

    title: str
    licence: str
    date: str
    changed: str


@dataclass(frozen=True, slots=True)
class Sheet:
    """All facts of one name, and the sources that they name."""

    kind: str
    key: str
    facts: tuple[Fact, ...]
    sources: dict[str, Origin]
    shapes: dict[str, dict[str, tuple[float, ...]]]
    """Of power: what moves over the day, by season: 24 values in UTC over the yearly mean."""


def accelerator_sheet(catalog: Catalog, key: str) -> Sheet:
    """What is known of an accelerator, its rental price on demand included."""
    chip = catalog.accelerator(key)
    facts = [
        Fact("name", chip.name),
        Fact("maker", chip.maker),
        Fact("year", chip.year),
        Fact("generation", chip.generation),
        Fact("measured", chip.measured, note=_measured_note(chip)),
        *_accelerator_figures(chip),
        Fact("scale_up_domain", chip.scale_up_domain, "accelerators"),
        Fact("full_mesh", chip.full_mesh, note=_MESH if chip.full_mesh else ""),
        Fact("node_accelerators", chip.node_accelerators, "accelerators"),
        Fact("liquid_cooled", chip.liquid_cooled),
        *_rental_facts(catalog.rental_range(key)),
    ]
    return _sheet(catalog, "accelerator", key, facts)


_MESH = "a pair has only its own link: with n of 8 in use, (n - 1) / 7 of scale_up_bytes_per_s"


def _measured_note(chip: Accelerator) -> str:
    if chip.measured:
        return "end-to-end results of this kind are among the published measurements"
    return "no end-to-end result of this kind was found: it serves in a plan only where named"


def _accelerator_figures(chip: Accelerator) -> Iterator[Fact]:
    for field in fields(chip):
        value = getattr(chip, field.name)
        if isinstance(value, Figure):
            yield _fact(field.name, value)
        elif field.name == "flops":
            for number_format, figure in value.items():
                yield _fact(f"{number_format}_flops", figure)


def _rental_facts(found: RentalRange | None) -> Iterator[Fact]:
    if found is None:
        why = "no provider's price was found"
        yield Fact("rental_on_demand", None, "USD/h", Grade.UNKNOWN, "none-found", note=why)
        return
    for name in ("low", "median", "high"):
        yield Fact(
            f"rental_on_demand_{name}", getattr(found, name), "USD/h", Grade.DERIVED,
            "rental-prices", found.date, f"over {found.sellers} sellers, each counted once",
        )  # fmt: skip


def model_sheet(catalog: Catalog, architecture: Architecture) -> Sheet:
    """What a model's `config.json` says: every plain number and text of its architecture."""
    shipped = architecture.name in catalog.architecture_names()
    source, date = ("hf-configs", "2026") if shipped else ("", "")
    facts = [
        Fact(name, value, "", Grade.DERIVED, source, date)
        for name, value in architecture_numbers(architecture)
    ]
    return _sheet(catalog, "model", architecture.name, facts)


def architecture_numbers(architecture: Architecture) -> Iterator[tuple[str, int | float | str]]:
    """Plain numbers and texts of an architecture, those that it computes included."""
    kind = type(architecture)
    computed = [name for name, member in vars(kind).items() if isinstance(member, property)]
    for name in [field.name for field in fields(architecture)] + computed:
        value = getattr(architecture, name)
        if isinstance(value, int | float | str):  # layers and maps are shown apart
            yield name, value


def metro_sheet(catalog: Catalog, key: str, other: str | None = None) -> Sheet:
    """What is known of a metro, and its round trip to another or to the nearest markets."""
    metro = catalog.metro(key)
    facts = [
        Fact("name", metro.name, source="geonames", date="2025"),
        Fact("country", metro.country, source="geonames", date="2025"),
        Fact("latitude", metro.latitude, "degrees", source="geonames", date="2025"),
        Fact("longitude", metro.longitude, "degrees", source="geonames", date="2025"),
        Fact("zone", metro.zone, source="geonames", date="2025"),
        Fact("region", metro.region),
        Fact("internet_users", metro.internet_users, "people", Grade.DERIVED, "owid-internet",
             "2020", "people in the cities nearest to it times their country's share online"),
        Fact("dc_market", metro.dc_market, note="data-center space is bought here"
             if metro.dc_market else "not among the places where data-center space is bought"),
    ]  # fmt: skip
    others = [other] if other else catalog.nearest_markets(key, MARKETS_SHOWN)
    facts += [_round_trip_fact(catalog, key, there) for there in others]
    return _sheet(catalog, "metro", key, facts)


def _round_trip_fact(catalog: Catalog, key: str, other: str) -> Fact:
    found = catalog.round_trip(key, other)
    note = {
        "measured": "pinged from server to server, both directions; no last mile in it",
        "neighbour": f"as measured from {' to '.join(found.neighbours)}, the nearest such pair, "
        "corrected by distance",
        "model": "by distance, at the slope of the two regions: nobody near was measured",
        "assumed": "within one metro",
    }[found.how]
    source = catalog.sources[found.source]
    return Fact(f"round_trip {other}", found.ms, "ms", found.how, found.source, source.date, note)


def power_sheet(catalog: Catalog, metro: str) -> Sheet:
    """What power costs and emits at a metro, and how both move over the day."""
    power = catalog.power(metro)
    facts = [
        _fact("price_per_mwh", power.price_per_mwh),
        _fact("carbon_g_per_kwh", power.carbon_g_per_kwh),
        Fact("carbon_zone", power.carbon_zone, note="which zone a metro lies in: our assignment"),
        _shape_fact("price_shape", power.price_shape),
        _shape_fact("carbon_shape", power.carbon_shape),
    ]
    shapes = {
        "price_shape": dict(power.price_shape.by_season),
        "carbon_shape": dict(power.carbon_shape.by_season),
    }
    return _sheet(catalog, "power", metro, facts, shapes)


def _shape_fact(name: str, shape: HourlyShape) -> Fact:
    key = shape.key or "flat"
    return Fact(name, key, "", shape.grade, shape.source, shape.date, shape.note)


def _fact(name: str, figure: Figure) -> Fact:
    return Fact(
        name, figure.value, figure.unit, figure.grade, figure.source, figure.date, figure.note
    )


def _sheet(
    catalog: Catalog,
    kind: str,
    key: str,
    facts: Iterable[Fact],
    shapes: dict[str, dict[str, tuple[float, ...]]] | None = None,
) -> Sheet:
    listed = tuple(facts)
    return Sheet(kind, key, listed, origins(catalog, (f.source for f in listed)), shapes or {})


def origins(catalog: Catalog, keys: Iterable[str]) -> dict[str, Origin]:
    """What each key of a source stands for, in the order in which they come."""
    found = {key: catalog.sources[key] for key in dict.fromkeys(keys) if key}
    return {
        key: Origin(source.title, source.licence, source.date, source.changed)
        for key, source in found.items()
    }
