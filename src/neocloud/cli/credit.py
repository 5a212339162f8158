"""`neocloud credit`: what prepaid credits are worth now."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import click
import msgspec

from neocloud.books.accounts import BooksError, open_books
from neocloud.books.invoices import CreditBalances, Office, TenantCredits, tenant_credits
from neocloud.books.rating import UnpricedHoursError, UnpricedModelError
from neocloud.cli.cloud_file import open_cloud
from neocloud.cli.failure import Failure
from neocloud.cli.ledger_file import check_tenant, ledger_failures, ledger_of
from neocloud.cli.tables import console, table
from neocloud.ledger import Reader
from neocloud.units import format_utc


@click.command(name="credit")
@click.argument("cloud_file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--tenant", help="Only this tenant's; of all that have some unless given.")
@click.option("--json", "as_json", is_flag=True, help="Print the balances as JSON.")
def command(cloud_file: Path, tenant: str | None, as_json: bool) -> None:
    """Show what the prepaid credits of CLOUD_FILE's tenants are worth at this moment.

    Taken off are holds, and the use that no invoice has charged yet, up to the request that ended
    last: what is shown as available is left for use to come. Nothing is
    changed. A credit note is made by `neocloud invoice --credit`.
    """
    cloud, catalog = open_cloud(cloud_file)
    if tenant is not None:
        check_tenant(tenant, cloud.tenants, cloud.file)
    asked = [tenant] if tenant else [key for key, t in cloud.tenants.items() if t.prepaid_credits]
    now_ns = time.time_ns()
    try:
        with ledger_failures():
            reader = Reader(ledger_of(cloud, cloud_file))
            with closing(open_books(reader.place)) as books:
                known = books if books.begun() else None
                office = Office(cloud=cloud, catalog=catalog, source=reader, books=known)
                found = tuple(tenant_credits(office, each, now_ns) for each in asked)
    except (UnpricedModelError, UnpricedHoursError, BooksError) as error:
        raise Failure(f"{error}.") from None
    shown = CreditBalances(cloud=cloud.name, at=format_utc(now_ns), tenants=found)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(shown), indent=2).decode())
        return
    _show(shown)


def _show(shown: CreditBalances) -> None:
    rows = [row for each in shown.tenants for row in _rows(each)]
    if not rows:
        click.echo("Nobody has prepaid credits: tenants.<name>.prepaid_credits.")
        return
    right = "right"
    columns = [
        ("tenant", ""), ("credit", ""), ("expires", ""), ("granted", right), ("booked", right),
        ("held", right), ("unbilled", right), ("available", right), ("", ""),
    ]  # fmt: skip
    console().print(table(f"Prepaid credits, {shown.at}", columns, rows))
    for each in shown.tenants:
        months = ", ".join(f"{m.month} {m.amount:,}" for m in each.months if m.amount)
        if months:
            click.echo(f"{each.tenant}, not billed yet ({each.currency}): {months}.")


def _rows(each: TenantCredits) -> Iterator[list[str]]:
    for credit in each.credits:
        yield [
            each.tenant, credit.name, credit.expires or "never",
            *(f"{a:,}" for a in (credit.granted, credit.booked, credit.held, credit.unbilled,
                                 credit.available)),
            each.currency,
        ]  # fmt: skip
