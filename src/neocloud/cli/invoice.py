"""`neocloud invoice`: the specimen invoice of a tenant and period."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from neocloud.books import UnpricedModelError, invoice_text, make_invoice, price_list
from neocloud.cli.cloud_file import open_cloud
from neocloud.cli.failure import Failure
from neocloud.cli.ledger_file import check_tenant, ledger_failures, ledger_of, period_or_all
from neocloud.ledger import Reader


@click.command(name="invoice")
@click.argument("cloud_file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--tenant", required=True, help="Whose use it bills: a tenant of the file.")
@click.option(
    "--period", help="What it bills, UTC: 2026-10, 2026-10-05 or START/END; all unless given."
)
@click.option("--json", "as_json", is_flag=True, help="Print the invoice as JSON.")
def command(cloud_file: Path, tenant: str, period: str | None, as_json: bool) -> None:
    """Make the specimen invoice of a tenant of CLOUD_FILE from its ledger.

    Prices, currency, tax and exchange rate are those of the file. Each line is rounded once, and
    what that added is shown. This version makes specimens only, never an invoice to be paid.
    """
    cloud, _ = open_cloud(cloud_file)
    check_tenant(tenant, cloud.tenants, cloud.file)
    with ledger_failures():
        reader = Reader(ledger_of(cloud, cloud_file))
        span = period_or_all(period, reader)
        try:
            made = make_invoice(cloud, tenant, span, reader.usage(span), price_list(cloud))
        except UnpricedModelError as error:
            raise Failure(f"{cloud.file}: {error}.") from None
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(made), indent=2).decode())
        return
    click.echo(invoice_text(made), nl=False)
