"""`neocloud reconcile`: whether what was metered, rated, invoiced and posted agrees."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import click
import msgspec

from neocloud.books.accounts import BooksError, open_books
from neocloud.books.rating import UnpricedHoursError, UnpricedModelError
from neocloud.books.reconcile import Scope, reconcile, reconciliation_text
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

DIFFERENT = 1
"""Exit status where something differs."""


@click.command(name="reconcile")
@click.argument("cloud_file", type=click.Path(path_type=Path, dir_okay=False))
@period_option
@click.option("--tenant", help="Only this tenant's.")
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
@click.pass_context
def command(
    ctx: click.Context, cloud_file: Path, period: str | None, tenant: str | None, as_json: bool
) -> None:
    """Prove that events, rated lines, documents, postings and journal of CLOUD_FILE agree.

    Each step is held against the next and every difference is named: which event, line, document,
    posting or account, and by how much. What came after a month was closed is no fault: the next
    invoice corrects it, and it is listed as such. Nothing is changed.

    Exit status: 0 if all agrees, 1 if something differs.
    """
    cloud, _ = open_cloud(cloud_file)
    if tenant is not None:
        check_tenant(tenant, cloud.tenants, cloud.file)
    scope = Scope(period=read_period(period), tenant=tenant)
    try:
        with ledger_failures():
            reader = Reader(ledger_of(cloud, cloud_file))
            with closing(open_books(reader.place)) as books:
                found = reconcile(books, reader, cloud.name, scope, period or "")
    except (BooksError, UnpricedModelError, UnpricedHoursError) as error:
        raise Failure(f"{error}.") from None
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(found), indent=2).decode())
    else:
        click.echo(reconciliation_text(found), nl=False)
    if not found.agrees:
        ctx.exit(DIFFERENT)
