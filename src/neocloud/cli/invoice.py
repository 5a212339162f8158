"""`neocloud invoice`: preview a tenant's invoice, close its month, take an invoice back."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import click
import msgspec

from neocloud.books.accounts import BooksError, RefusedError, open_books
from neocloud.books.contracts import month_of
from neocloud.books.invoices import (
    CreditedError,
    Invoice,
    Kind,
    MissingReportlabError,
    NoInvoiceError,
    NotClosableError,
    Office,
    close_month,
    closed_month,
    credit_invoice,
    invoice_csv,
    invoice_html,
    invoice_pdf,
    invoice_text,
    left_behind,
    preview,
)
from neocloud.books.rating import UnpricedHoursError, UnpricedModelError
from neocloud.cli.cloud_file import open_cloud
from neocloud.cli.failure import Failure
from neocloud.cli.ledger_file import (
    check_tenant,
    ledger_failures,
    ledger_of,
    period_or_all,
    read_period,
)
from neocloud.ledger import Reader
from neocloud.spec import Cloud

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command(name="invoice")
@click.argument("cloud_file", type=_FILE)
@click.option("--tenant", help="Whose use it bills: a tenant of the file.")
@click.option(
    "--period", help="What it bills, UTC: a month as 2026-10; for a preview also 2026-10-05 or "
    "START/END, and all unless given.",
)  # fmt: skip
@click.option("--close", is_flag=True, help="Close the month and issue its invoice, once.")
@click.option(
    "--begin", is_flag=True, help="With the tenant's first --close: months before it that hold "
    "something to bill stay without an invoice for good.",
)  # fmt: skip
@click.option("--credit", metavar="NUMBER", help="Take the invoice of this number back.")
@click.option("--reason", help="Why it is taken back; stands on the credit note.")
@click.option(
    "--bill-again", is_flag=True, help="What --credit takes back is charged again on the tenant's "
    "next invoice, corrected; it is never charged again unless given.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print the document as JSON.")
@click.option("--csv", "as_csv", is_flag=True, help="Print lines, credits and tax as CSV.")
@click.option("--html", type=_FILE, help="Write it as an HTML page that needs nothing else.")
@click.option("--pdf", type=_FILE, help="Write it as PDF.")
def command(
    cloud_file: Path,
    tenant: str | None,
    period: str | None,
    close: bool,
    begin: bool,
    credit: str | None,
    reason: str | None,
    bill_again: bool,
    as_json: bool,
    as_csv: bool,
    html: Path | None,
    pdf: Path | None,
) -> None:
    """Make the invoice of a tenant of CLOUD_FILE for a month, from its ledger.

    Without --close it is a preview. With it the month is closed and the invoice takes the next
    number; closing again shows the same invoice, which never changes. Events that come later are
    charged, or credited, on the next one. Use of emulated engines is never invoiced: over it there
    are only specimens, without a number.
    """
    cloud, catalog = open_cloud(cloud_file)
    _check(tenant, credit, reason, close=close, bill_again=bill_again)
    if begin and not close:
        raise Failure("--begin goes with --close.")
    if as_json and as_csv:
        raise Failure("--json and --csv: give one of them.")
    with _failures(cloud):
        if credit is not None:
            with closing(open_books(ledger_of(cloud, cloud_file))) as books:
                made = credit_invoice(
                    books, credit, reason or "", time.time_ns(), bill_again=bill_again
                )
        else:
            assert tenant is not None
            check_tenant(tenant, cloud.tenants, cloud.file)
            reader = Reader(ledger_of(cloud, cloud_file))
            with closing(open_books(reader.place)) as books:
                known = books if close or books.begun() else None
                office = Office(cloud=cloud, catalog=catalog, source=reader, books=known)
                if close and not begin:
                    _check_earlier(office, tenant, period)
                made = _made(office, tenant, period, close=close)
    if close and made.kind is Kind.SPECIMEN:
        click.echo(f"Nothing was closed or issued: {made.why_not}.", err=True)
    _write(made, html=html, pdf=pdf)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(made), indent=2).decode())
    else:
        click.echo(invoice_csv(made) if as_csv else invoice_text(made), nl=False)


def _check(
    tenant: str | None, credit: str | None, reason: str | None, *, close: bool, bill_again: bool
) -> None:
    """Refuse options that do not go together."""
    if credit is None:
        if tenant is None:
            raise Failure("whose invoice? Give --tenant, a tenant of the file.")
        if reason is not None or bill_again:
            raise Failure("--reason and --bill-again go with --credit NUMBER.")
    elif not (reason or "").strip():
        raise Failure("--credit needs --reason: it stands on the credit note.")
    elif close or tenant is not None:
        raise Failure(
            "--credit NUMBER names the invoice by itself: leave out --tenant and --close."
        )


def _check_earlier(office: Office, tenant: str, period: str | None) -> None:
    """Refuse to leave something unbilled for good without being told to."""
    span = read_period(period)
    month = None if span is None else month_of(span)
    if span is None or month is None or span.end_ns > time.time_ns():
        return  # it cannot be closed anyway
    behind = left_behind(office, tenant, month)
    if behind:
        raise Failure(
            f"{behind} of {tenant} holds something to bill, and no month can be closed after a "
            f"later one: close {behind} first, or give --begin to bill nothing before {month}."
        )


def _made(office: Office, tenant: str, period: str | None, *, close: bool) -> Invoice:
    assert isinstance(office.source, Reader)
    span = period_or_all(period, office.source)
    month = month_of(span)
    if close:
        if month is None or period is None:
            raise Failure("--close needs --period and a calendar month: --period 2026-10.")
        return close_month(office, tenant, month, time.time_ns())
    issued = None if month is None else closed_month(office.books, tenant, month)
    return issued or preview(office, tenant, span, time.time_ns())


@contextmanager
def _failures(cloud: Cloud) -> Iterator[None]:
    """What a user can put right becomes a message."""
    try:
        with ledger_failures():
            yield
    except (UnpricedModelError, UnpricedHoursError) as error:
        raise Failure(f"{cloud.file}: {error}.") from None
    except (
        NotClosableError, NoInvoiceError, CreditedError, RefusedError, BooksError,
    ) as error:  # fmt: skip
        raise Failure(f"{error}.") from None


def _write(made: Invoice, *, html: Path | None, pdf: Path | None) -> None:
    try:
        if html is not None:
            html.write_text(invoice_html(made), encoding="utf-8")
        if pdf is not None:
            pdf.write_bytes(invoice_pdf(made))
    except MissingReportlabError as error:
        raise Failure(f"{error}.") from None
    except OSError as error:
        raise Failure(f"{error.filename} cannot be written: {error.strerror}.") from None
