"""`neocloud report`: cost and margin by tier, and what was planned beside what was metered."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import click
import msgspec

from neocloud.activity import MissingPyarrowError, Row, read_parquet
from neocloud.books import (
    Metered,
    MissingMatplotlibError,
    NothingMeteredError,
    NothingSimulatedError,
    Report,
    UnknownPlaceError,
    draw_report,
    gather,
    make_report,
    report_text,
)
from neocloud.books.accounts import BooksError, open_books
from neocloud.books.board import write_page
from neocloud.books.invoices import Office
from neocloud.books.tiers import (
    BY_DEFAULT,
    DIMENSIONS,
    Documents,
    UnknownPoolError,
    documents_of,
    groups_csv,
)
from neocloud.catalog import Catalog, nearest
from neocloud.cli.cloud_file import open_cloud, open_plan, plan_beside
from neocloud.cli.failure import Failure
from neocloud.cli.ledger_file import ledger_failures, ledger_of, period_or_all
from neocloud.ledger import Reader
from neocloud.spec import Cloud

_PICTURES = (".png", ".svg")


@click.command(name="report")
@click.argument("cloud_file", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--plan",
    "plan_path",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The plan that was running; plan.json beside the file unless given.",
)
@click.option(
    "--period", help="What to report, UTC: 2026-10, 2026-10-05 or START/END; all unless given."
)
@click.option(
    "--by",
    "by_text",
    default=",".join(BY_DEFAULT),
    show_default=True,
    help=f"What costs are told apart by, in this order: any of {', '.join(DIMENSIONS)}.",
)
@click.option(
    "--activity",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Parquet with activity of source `simulated`, set beside plan and ledger. Needs the extra "
    "`parquet`.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@click.option("--csv", "as_csv", is_flag=True, help="Print costs and earnings by --by as CSV.")
@click.option(
    "--html",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write it as one page with charts, too: a file that needs no other and no network.",
)
@click.option(
    "--picture",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Draw planned against metered, too: a file that ends in .png or .svg. Needs the extra "
    "`plot`.",
)
def command(
    cloud_file: Path,
    plan_path: Path | None,
    period: str | None,
    by_text: str,
    activity: Path | None,
    as_json: bool,
    as_csv: bool,
    html: Path | None,
    picture: Path | None,
) -> None:
    """Show what a period of CLOUD_FILE cost and earned, and why it differs from the plan.

    Cost and margin are told tier by tier: power, accelerator-hours, tokens. The plan is compared
    with what the ledger holds; the metered requests are replayed at the plan's step times: so a
    slow engine is told from heavy traffic.
    """
    if picture is not None and picture.suffix not in _PICTURES:
        raise Failure(f"--picture {picture}: write a name that ends in {' or '.join(_PICTURES)}.")
    if as_json and as_csv:
        raise Failure("--json and --csv: give one of them.")
    by = _read_by(by_text)
    cloud, catalog = open_cloud(cloud_file)
    plan = open_plan(plan_beside(cloud_file, plan_path), cloud)
    simulated = None if activity is None else _simulated(activity)
    with ledger_failures():
        reader = Reader(ledger_of(cloud, cloud_file))
        metered = gather(reader, cloud, catalog, period_or_all(period, reader))
        documents = _documents(cloud, catalog, reader, metered)
    try:
        report = make_report(cloud, catalog, plan, metered, simulated, by, documents)
    except NothingSimulatedError as error:
        raise Failure(f"{activity}: {error}.") from None
    except (NothingMeteredError, UnknownPlaceError, UnknownPoolError) as error:
        raise Failure(f"{reader.name}: {error}.") from None
    if html is not None:
        _written(write_page, report, html)
    if picture is not None:
        _written(draw_report, report, picture)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(report), indent=2).decode())
        return
    if as_csv:
        click.echo(groups_csv(report.tiers), nl=False)
        return
    click.echo(report_text(report), nl=False)
    if html is not None:
        click.echo(f"Page: {html}")
    if picture is not None:
        click.echo(f"Picture: {picture}")


def _documents(cloud: Cloud, catalog: Catalog, reader: Reader, metered: Metered) -> Documents:
    """Invoices of the period from the books, or what they would say."""
    try:
        with closing(open_books(reader.place)) as books:
            known = books if books.begun() else None
            office = Office(cloud=cloud, catalog=catalog, source=reader, books=known)
            return documents_of(office, metered, time.time_ns())
    except BooksError as error:
        raise Failure(f"{error}.") from None


def _read_by(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(","))
    for name in names:
        if name not in DIMENSIONS:
            near = nearest(name, DIMENSIONS)
            hint = f"Nearest: {', '.join(near)}. " if near else ""
            raise Failure(f"--by {text}: no {name!r}. {hint}All: {', '.join(DIMENSIONS)}.")
    if len(set(names)) < len(names):
        raise Failure(f"--by {text}: name each once.")
    return names


def _simulated(path: Path) -> tuple[Row, ...]:
    try:
        return read_parquet(path)
    except MissingPyarrowError as error:
        raise Failure(f"{error}.") from None
    except OSError as error:
        raise Failure(f"{path}: {error.strerror or error}.") from None
    except (ValueError, msgspec.ValidationError) as error:
        raise Failure(f"{path} is no activity: {error}.") from None


def _written(write: Callable[[Report, Path], None], report: Report, path: Path) -> None:
    try:
        write(report, path)
    except MissingMatplotlibError as error:
        raise Failure(f"{error}.") from None
    except OSError as error:
        raise Failure(f"{path} cannot be written: {error.strerror}.") from None
