"""`neocloud export beancount`: the books as a double-entry journal."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import click

from neocloud.books.accounts import BooksError, open_books
from neocloud.books.journal import JournalError, gather, journal_text, make_journal
from neocloud.cli.cloud_file import open_cloud
from neocloud.cli.failure import Failure
from neocloud.cli.ledger_file import (
    check_tenant,
    ledger_failures,
    ledger_of,
    period_option,
    read_period,
)
from neocloud.ledger import Reader


@click.command(name="beancount")
@click.argument("cloud_file", type=click.Path(path_type=Path, dir_okay=False))
@period_option
@click.option("--tenant", help="Only this tenant's documents, postings and use.")
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="File to write; it takes the place of one that is there, when it is whole.",
)
def beancount(cloud_file: Path, period: str | None, tenant: str | None, out: Path) -> None:
    """Write the books of CLOUD_FILE as a journal that Beancount 3 checks: `bean-check FILE`.

    A transaction a document, to 1e-12 of the currency, with the document's number as a link and the
    id of each posting; tokens and accelerator-time as commodities beside the money. What the
    documents state and what the ledger holds stands as balance assertions: a posting or a token
    that is missing makes bean-check fail. A period begins with what the accounts held before it.
    """
    cloud, _ = open_cloud(cloud_file)
    if tenant is not None:
        check_tenant(tenant, cloud.tenants, cloud.file)
    span = read_period(period)
    what = f"{period or 'all periods'}{f', {tenant}' if tenant else ''}"
    try:
        with ledger_failures():
            reader = Reader(ledger_of(cloud, cloud_file))
            with closing(open_books(reader.place)) as books:
                material = gather(books, reader, tenant)
        journal = make_journal(material, cloud.name, span, what)
        part = out.with_name(f".{out.name}.part")
        with part.open("w", encoding="utf-8", newline="\n") as file:
            file.writelines(journal_text(journal))
        part.replace(out)
    except (BooksError, JournalError) as error:
        raise Failure(f"{error}.") from None
    except OSError as error:
        raise Failure(f"{out} cannot be written: {error.strerror}.") from None
    counts = f"{len(journal.transactions):,} transactions, {len(journal.assertions):,} assertions"
    click.echo(f"{out}: {counts}.")
