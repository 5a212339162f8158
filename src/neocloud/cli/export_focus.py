"""`neocloud export focus`: a month of the books as FOCUS datasets."""

from __future__ import annotations

import time
from contextlib import closing
from pathlib import Path

import click

from neocloud.books.accounts import BooksError, open_books
from neocloud.books.contracts import month_of
from neocloud.books.focus import FocusExport, Version, make_export, write_export
from neocloud.books.invoices import Office
from neocloud.books.rating import UnpricedHoursError, UnpricedModelError
from neocloud.cli.cloud_file import open_cloud
from neocloud.cli.failure import Failure
from neocloud.cli.ledger_file import check_tenant, ledger_failures, ledger_of, read_period
from neocloud.ledger import Reader


@click.command(name="focus")
@click.argument("cloud_file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--period", required=True, help="A calendar month, UTC: 2026-10.")
@click.option(
    "--version",
    type=click.Choice([version.value for version in Version]),
    default=Version.V1_4.value,
    show_default=True,
    help="1.4 is four files: Cost and Usage, Contract Commitment, Billing Period, Invoice Detail. "
    "1.2 is Cost and Usage alone.",
)
@click.option("--tenant", help="Only this tenant's charges; all unless given.")
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for the CSV files, made if need be; a file of the same name is replaced.",
)
def command(cloud_file: Path, period: str, version: str, tenant: str | None, out: Path) -> None:
    """Write a month of CLOUD_FILE's books in FOCUS, the FinOps Open Cost and Usage Specification.

    Charges are those of the invoices that close the month and of the credit notes issued in it; of
    tenants without an invoice, the use so far. Use of emulated engines is left out.
    """
    cloud, catalog = open_cloud(cloud_file)
    if tenant is not None:
        check_tenant(tenant, cloud.tenants, cloud.file)
    span = read_period(period)
    month = None if span is None else month_of(span)
    if month is None:
        raise Failure(f"--period: {period} is no calendar month; write 2026-10.")
    try:
        with ledger_failures():
            reader = Reader(ledger_of(cloud, cloud_file))
            with closing(open_books(reader.place)) as books:
                known = books if books.begun() else None
                office = Office(cloud=cloud, catalog=catalog, source=reader, books=known)
                export = make_export(office, month, time.time_ns(), tenant or "")
            written = write_export(export, Version(version), out)
    except (UnpricedModelError, UnpricedHoursError) as error:
        raise Failure(f"{cloud.file}: {error}.") from None
    except BooksError as error:
        raise Failure(f"{error}.") from None
    except OSError as error:
        raise Failure(f"{error.filename or out} cannot be written: {error.strerror}.") from None
    for file in written:
        click.echo(f"{file.path}: {file.rows:,} rows.")
    _tell_what_is_not_in_it(export)


def _tell_what_is_not_in_it(export: FocusExport) -> None:
    """What a reader must not take the files for, on standard error."""
    if export.open_tenants:
        names = ", ".join(export.open_tenants)
        click.echo(
            f"Not invoiced yet, so the use alone: {names}. Close the month with neocloud invoice.",
            err=True,
        )
    if export.emulated:
        click.echo(
            f"Left out, for such use is never invoiced: {export.emulated:,} requests and spans of "
            "emulated engines.",
            err=True,
        )
