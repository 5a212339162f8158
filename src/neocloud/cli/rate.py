"""`neocloud rate`: what usage would cost."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import TypeVar

import click
import msgspec

from neocloud.books.accounts import BooksError, open_books
from neocloud.books.prices import PriceBook, contract_terms, price_version
from neocloud.books.rating import (
    PreviewLine,
    RatedLine,
    RatePreview,
    Tally,
    UnpricedHoursError,
    UnpricedModelError,
    make_preview,
    preview_csv,
)
from neocloud.cli.cloud_file import open_cloud
from neocloud.cli.failure import Failure
from neocloud.cli.ledger_file import (
    check_tenant,
    ledger_asked,
    ledger_failures,
    ledger_option,
    period_or_all,
    segments_option,
)
from neocloud.cli.tables import console, counted, table
from neocloud.ledger import AllocationEvent, LedgerPlace, Reader, UsageEvent
from neocloud.spec import Cloud
from neocloud.units import HOUR_NS, Period

E = TypeVar("E", UsageEvent, AllocationEvent)
_PIECE = 4096
"""Events that are read before each tally takes them."""


@click.command(name="rate")
@click.argument("cloud_file", type=click.Path(path_type=Path, dir_okay=False))
@ledger_option
@segments_option
@click.option(
    "--period", help="What to rate, UTC: 2026-10, 2026-10-05 or START/END; all unless given."
)
@click.option("--tenant", help="Only this tenant's use.")
@click.option(
    "--prices",
    "prices_file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Another cloud file: what its prices would make of all of the use.",
)
@click.option("--dry-run", is_flag=True, help="Show it and change nothing: needed, see `invoice`.")
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
@click.option("--csv", "as_csv", is_flag=True, help="Print the rated lines as CSV.")
def command(
    cloud_file: Path,
    ledger: str | None,
    segments: Path | None,
    period: str | None,
    tenant: str | None,
    prices_file: Path | None,
    dry_run: bool,
    as_json: bool,
    as_csv: bool,
) -> None:
    """Show what the use in CLOUD_FILE's ledger costs, and how that differs from what was billed.

    Each request is rated at the prices that were in force when it was admitted, where those were
    kept, or else at the file's. Tiers count each calendar month (UTC) anew. Nothing is changed:
    `neocloud invoice` bills.
    """
    if not dry_run:
        raise Failure("rate only shows: add --dry-run. What bills is `neocloud invoice`.")
    if as_json and as_csv:
        raise Failure("--json and --csv: give one of them.")
    cloud, _ = open_cloud(cloud_file)
    if tenant is not None:
        check_tenant(tenant, cloud.tenants, cloud.file)
    asked = None if prices_file is None else _other_prices(cloud, prices_file)
    with ledger_failures():
        place = ledger_asked(cloud, cloud_file, ledger, segments, "rate")
        preview = _preview(cloud, place, period, tenant, asked)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(preview), indent=2).decode())
    elif as_csv:
        click.echo(preview_csv(preview), nl=False)
    else:
        _show(preview)


def _other_prices(cloud: Cloud, path: Path) -> PriceBook:
    other, _ = open_cloud(path)
    if other.currency != cloud.currency:
        raise Failure(f"{path} has prices in {other.currency}, {cloud.file} in {cloud.currency}.")
    return PriceBook(current=price_version(other))


def _preview(
    cloud: Cloud,
    place: LedgerPlace,
    period: str | None,
    tenant: str | None,
    asked: PriceBook | None,
) -> RatePreview:
    reader = Reader(place)
    span = period_or_all(period, reader)
    current = price_version(cloud)
    billed: tuple[RatedLine, ...] = ()
    kept = {}
    try:
        with closing(open_books(place)) as books:
            if books.begun():
                kept = dict(books.versions())
                billed = tuple(books.billed(span, tenant))
    except BooksError as error:
        raise Failure(f"{error}.") from None
    terms = contract_terms(cloud)
    tallies = [Tally(PriceBook(current=current, kept=kept), terms)]
    if asked is not None:
        tallies.insert(0, Tally(asked, terms))
    try:
        _fill(tallies, reader, span, tenant)
        rated = [tally.rated() for tally in tallies]
    except (UnpricedModelError, UnpricedHoursError) as error:
        raise Failure(f"{error}.") from None
    in_force = rated[1] if asked is not None else None
    version = tallies[0].book.current.id
    return make_preview(cloud.name, str(span), version, rated[0], in_force, billed)


def _fill(tallies: list[Tally], reader: Reader, span: Period, tenant: str | None) -> None:
    """Give each tally what was used, read once."""
    events: Iterator[UsageEvent] = iter(_of(tenant, reader.usage(span)))
    while piece := list(islice(events, _PIECE)):
        for tally in tallies:
            tally.add(piece)
    spans: Iterator[AllocationEvent] = iter(_of(tenant, reader.allocation(span)))
    while held := list(islice(spans, _PIECE)):
        for tally in tallies:
            tally.hold(held, span)


def _of(tenant: str | None, events: Iterable[E]) -> Iterable[E]:
    return events if tenant is None else (e for e in events if e.tenant == tenant)


def _show(preview: RatePreview) -> None:
    right = "right"
    if preview.lines:
        console().print(
            table(
                f"Rated use, {preview.period}",
                [("tenant", ""), ("what", ""), ("how", "wrap"), ("quantity", right),
                 ("price", right), ("amount", right)],
                [
                    [line.tenant, _what(line.model or line.accelerator, line.meter), _how(line),
                     _quantity(line), _money(line.price), f"{_money(line.amount)} {line.currency}"]
                    for line in preview.lines
                ],
            )
        )  # fmt: skip
        other = any(s.in_force is not None for s in preview.sums)
        console().print(
            table(
                "Beside what was billed",
                [("tenant", ""), ("what", ""), ("would cost", right),
                 *([("in force", right)] if other else []), ("billed", right),
                 ("difference", right)],
                [
                    [s.tenant,
                     _what(s.model or s.accelerator, s.meter) + (", emulated" * s.emulated),
                     _money(s.amount),
                     *([_money(s.in_force or Decimal(0))] if other else []), _money(s.billed),
                     f"{_money(s.difference)} {s.currency}"]
                    for s in preview.sums
                ],
            )
        )  # fmt: skip
    told = [f"{counted(preview.requests, 'request')} at price version {preview.version}"]
    told += [f"{preview.unbilled:,} of a status that is not billed"] if preview.unbilled else []
    told += [f"{preview.emulated:,} answered by emulated engines"] if preview.emulated else []
    told += (
        [f"{preview.repriced:,} admitted under prices that were not kept, rated at the file's"]
        if preview.repriced
        else []
    )
    click.echo("; ".join(told) + ". Nothing was changed.")


def _what(name: str, meter: str) -> str:
    return f"{name} {meter.replace('_', ' ')}"


def _how(line: PreviewLine) -> str:
    parts = [line.month, line.status, *line.adjustments]
    parts += [f"tier {line.tier + 1}"] if line.tier else []  # as an invoice says it
    parts += [f"contract {line.contract}"] if line.contract else []
    parts += ["not billed"] if not line.billed else []
    parts += ["emulated"] if line.emulated else []
    return ", ".join(filter(None, parts))


def _quantity(line: PreviewLine) -> str:
    if line.meter.is_tokens:
        return f"{line.quantity:,}"
    return f"{Decimal(line.quantity) / HOUR_NS:,.3f} h"


def _money(value: Decimal) -> str:
    return f"{value:,.6f}"
