"""`neocloud catalog`: what is known of accelerators, models, metros, power and prices."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import click
import msgspec

from neocloud.catalog import (
    CatalogError,
    Sheet,
    accelerator_sheet,
    load_catalog,
    metro_sheet,
    model_sheet,
    origins,
    power_sheet,
)
from neocloud.cli import catalog_tables as tables
from neocloud.cli.failure import Failure

_NAME = click.argument("name", required=False)
_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON, in SI units.")


@click.group(name="catalog")
def command() -> None:
    """Show what the catalog holds; with a NAME, each figure with its source and date.

    Its figures are facts with sources, not settings: a cloud file names its own where they differ.
    """


@command.command(name="accelerators")
@_NAME
@_JSON
def accelerators(name: str | None, as_json: bool) -> None:
    """Memory, dense rates, links, power and price of accelerators.

    NAME is a key such as h100-sxm. Kinds of which no end-to-end result was measured are marked:
    they serve in a plan only where the file names them.
    """
    catalog = load_catalog()
    with _failures():
        if name is not None:
            _show(accelerator_sheet(catalog, name), as_json)
        elif as_json:
            _print(list(catalog.accelerators.values()))
        else:
            kinds = catalog.accelerators.items()
            tables.show_accelerators([(chip, catalog.rental_range(key)) for key, chip in kinds])


@command.command(name="models")
@_NAME
@_JSON
def models(name: str | None, as_json: bool) -> None:
    """Parameters, layers and formats of model architectures.

    NAME is a catalog name such as openai/gpt-oss-120b, or the path of a config.json.
    """
    catalog = load_catalog()
    with _failures():
        if name is not None and as_json:
            architecture = catalog.architecture(name, Path.cwd())
            sheet = model_sheet(catalog, architecture)
            _print({**msgspec.to_builtins(sheet), "layers": architecture.layers})
        elif name is not None:
            architecture = catalog.architecture(name, Path.cwd())
            _show(model_sheet(catalog, architecture), as_json)
            tables.show_layers(architecture)
        else:
            found = [catalog.architecture(known) for known in catalog.architecture_names()]
            if as_json:
                _print(found)
            else:
                tables.show_models(found)


@command.command(name="metros")
@_NAME
@click.option("--to", "other", help="Another metro: the round trip to it.")
@_JSON
def metros(name: str | None, other: str | None, as_json: bool) -> None:
    """Metros with their zone and users, and the round trip between any two.

    NAME is a key such as frankfurt. A round trip says whether it was measured, corrected from a
    measured neighbour, or modelled from the distance; the last mile is not in it.
    """
    if other is not None and name is None:
        raise Failure("--to wants a metro to start from: neocloud catalog metros NAME --to OTHER")
    catalog = load_catalog()
    with _failures():
        if name is not None:
            _show(metro_sheet(catalog, name, other), as_json)
        elif as_json:
            _print(list(catalog.metros.values()))
        else:
            tables.show_metros(list(catalog.metros.values()))


@command.command(name="power")
@_NAME
@_JSON
def power(name: str | None, as_json: bool) -> None:
    """Price and carbon of power where data-center space is bought, and how they move by hour.

    NAME is a metro such as washington.
    """
    catalog = load_catalog()
    with _failures():
        if name is not None:
            _show(power_sheet(catalog, name), as_json)
            if not as_json:
                tables.show_shapes(catalog.power(name))
            return
        found = [catalog.power(metro) for metro in catalog.power_markets]
    if as_json:
        _print(found)
    else:
        tables.show_power(found)


@command.command(name="prices")
@_NAME
@_JSON
def prices(name: str | None, as_json: bool) -> None:
    """Rental prices of accelerators and token prices of open-weights models.

    NAME is an accelerator, a provider or a model: h100-sxm, lambda, openai/gpt-oss-120b.
    """
    catalog = load_catalog()
    if name is None:
        if as_json:
            _print(catalog.rental_ranges)
            return
        tables.show_ranges(catalog.rental_ranges)
        sold = catalog.token_prices
        click.echo(
            f"Tokens of {len({offer.key for offer in sold})} models at "
            f"{len({offer.provider for offer in sold})} providers: neocloud catalog prices NAME"
        )
        return
    with _failures():
        found = catalog.prices(name)
    sources = origins(catalog, found.sources)
    if as_json:
        _print({**msgspec.to_builtins(found), "sources": sources})
        return
    tables.show_prices(found)
    tables.show_sources({key: origin.title for key, origin in sources.items()})


def _show(sheet: Sheet, as_json: bool) -> None:
    if as_json:
        _print(sheet)
    else:
        tables.show_sheet(sheet)


def _print(found: object) -> None:
    encoded = msgspec.json.encode(found, enc_hook=_encode)
    click.echo(msgspec.json.format(encoded, indent=2).decode())


def _encode(value: object) -> object:
    if isinstance(value, Mapping):  # read-only views of tables
        return dict(value)
    raise TypeError(f"{type(value).__name__} has no form in JSON")


@contextmanager
def _failures() -> Iterator[None]:
    try:
        yield
    except CatalogError as error:
        raise Failure(f"{error}.") from None
