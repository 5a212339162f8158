"""`neocloud export books`: documents, lines and postings as tables for other programs."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import click

from neocloud.books.accounts import BooksError, open_books
from neocloud.books.rows import FORMS, MissingPyarrowError, Selection, write_rows
from neocloud.cli.cloud_file import open_cloud
from neocloud.cli.failure import Failure
from neocloud.cli.ledger_file import (
    check_tenant,
    ledger_failures,
    ledger_of,
    period_option,
    read_period,
)


@click.command(name="books")
@click.argument("cloud_file", type=click.Path(path_type=Path, dir_okay=False))
@period_option
@click.option("--tenant", help="Only this tenant's.")
@click.option(
    "--format",
    "form",
    type=click.Choice(tuple(FORMS)),
    default="parquet",
    show_default=True,
    help="Of the files.",
)
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for the files, made if need be; a file of the same name is replaced.",
)
def books(cloud_file: Path, period: str | None, tenant: str | None, form: str, out: Path) -> None:
    """Write the books of CLOUD_FILE as tables: a file each.

    documents: invoices, credit notes and payments. document-lines: their lines. rated-lines: what
    they bill, as it was rated. postings: one debit and one credit each. Amounts are exact decimals;
    a period takes what has its accounting date in it. Parquet needs the extra `parquet`.
    """
    cloud, _ = open_cloud(cloud_file)
    if tenant is not None:
        check_tenant(tenant, cloud.tenants, cloud.file)
    span = read_period(period)
    try:
        with (
            ledger_failures(),
            closing(open_books(ledger_of(cloud, cloud_file))) as kept,
        ):
            selection = Selection(books=kept, period=span, tenant=tenant)
            written = write_rows(selection, form, out)
    except (BooksError, MissingPyarrowError) as error:
        raise Failure(f"{error}.") from None
    except OSError as error:
        raise Failure(f"{error.filename or out} cannot be written: {error.strerror}.") from None
    for table in written:
        click.echo(f"{table.path}: {table.rows:,} rows.")
