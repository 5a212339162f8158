"""`neocloud payment`: book what tenants paid, and see what they still owe."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from decimal import Decimal, InvalidOperation
from pathlib import Path

import click
import msgspec

from neocloud.books.accounts import BooksError, RefusedError, open_books
from neocloud.books.payments import (
    Payment,
    Receivables,
    UnknownInvoiceError,
    receivables,
    record_payment,
)
from neocloud.cli.cloud_file import open_cloud
from neocloud.cli.failure import Failure
from neocloud.cli.ledger_file import check_tenant, ledger_failures, ledger_of
from neocloud.cli.tables import console, table
from neocloud.units import MoneyError, TimeError, format_utc, parse_period

_CLOUD = click.argument("cloud_file", type=click.Path(path_type=Path, dir_okay=False))


@click.group(name="payment")
def command() -> None:
    """Book payments that were received, once each, and show what is still owed."""


@command.command(name="record")
@_CLOUD
@click.option("--tenant", required=True, help="Who paid.")
@click.option("--amount", required=True, metavar="AMOUNT", help="How much, as 123.45.")
@click.option("--currency", help="Of the amount; the tenant's unless given.")
@click.option("--date", "day", required=True, metavar="DAY", help="When it came, as 2026-11-20.")
@click.option(
    "--id", "payment_id", required=True, metavar="ID", help="What the bank calls it: each id is "
    "booked once."
)  # fmt: skip
@click.option("--invoice", default="", metavar="NUMBER", help="The invoice that it names, if any.")
def record(
    cloud_file: Path, tenant: str, amount: str, currency: str | None, day: str, payment_id: str,
    invoice: str,
) -> None:  # fmt: skip
    """Book a payment of a tenant; the same again changes nothing.

    It pays the invoice that it names, else the oldest that is open; more than is owed stays as the
    tenant's credit on account. Specimens take no payment.
    """
    cloud, _ = open_cloud(cloud_file)
    check_tenant(tenant, cloud.tenants, cloud.file)
    now_ns = time.time_ns()
    payment = Payment(
        id=payment_id,
        tenant=tenant,
        amount=_amount(amount),
        currency=currency or cloud.tenants[tenant].currency,
        day=_day(day, "--date"),
        invoice=invoice,
    )
    with payment_failures():
        place = ledger_of(cloud, cloud_file)
        with closing(open_books(place)) as books:
            if not books.begun():
                raise Failure(f"{place.name} has no books: nothing was invoiced yet.")
            today = format_utc(now_ns)[:10]
            new = record_payment(books, payment, today, now_ns)
            found = receivables(books, cloud.name, today, tenant)
    what = f"payment {payment_id} of {tenant}"
    click.echo(f"{what} is booked." if new else f"{what} was booked already; nothing was changed.")
    click.echo(_use_of(found, payment_id))


def _use_of(found: Receivables, payment_id: str) -> str:
    """What a payment pays, and what of it is left, in a sentence."""
    (payment,) = (each for each in found.payments if each.id == payment_id)
    paid = [a for a in found.allotments if a.is_payment and a.source == payment_id]
    left = payment.amount - sum((a.amount for a in paid), Decimal(0))
    said = [f"{a.amount:,} {payment.currency} pays {a.invoice}" for a in paid]
    if left or not paid:
        said.append(f"{left:,} {payment.currency} stays on account")
    return "; ".join(said) + "."


@command.command(name="list")
@_CLOUD
@click.option("--tenant", help="Only this tenant's.")
@click.option(
    "--as-of", metavar="DAY", help="As it stood at the end of this day, UTC; today unless given."
)
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def list_(cloud_file: Path, tenant: str | None, as_of: str | None, as_json: bool) -> None:
    """Show payments, what they pay, and what is owed, by days since it was due."""
    cloud, _ = open_cloud(cloud_file)
    if tenant is not None:
        check_tenant(tenant, cloud.tenants, cloud.file)
    day = _day(as_of, "--as-of") if as_of else format_utc(time.time_ns())[:10]
    with payment_failures(), closing(open_books(ledger_of(cloud, cloud_file))) as books:
        found = receivables(books if books.begun() else None, cloud.name, day, tenant)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(found), indent=2).decode())
        return
    _show(found)


@contextmanager
def payment_failures() -> Iterator[None]:
    """What a user can put right becomes a message."""
    try:
        with ledger_failures():
            yield
    except (BooksError, RefusedError, UnknownInvoiceError, MoneyError) as error:
        raise Failure(f"{error}.") from None


def _amount(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        raise Failure(f"--amount: {text!r} is not a number as 123.45.") from None


def _day(text: str, option: str) -> str:
    with suppress(TimeError):
        if len(text) == len("2026-11-20") and parse_period(text):
            return text
    raise Failure(f"{option}: {text!r} is not a day as 2026-11-20.")


def _show(found: Receivables) -> None:
    if not found.ages:
        click.echo(f"Nothing was invoiced or paid by {found.as_of}.")
        return
    right = "right"
    if found.payments:
        console().print(
            table(
                "Payments",
                [("day", ""), ("id", "wrap"), ("tenant", ""), ("amount", right), ("for", "wrap")],
                [
                    [p.day, p.id, p.tenant, f"{p.amount:,} {p.currency}",
                     ", ".join(f"{a.invoice} {a.amount:,}" for a in found.allotments
                               if a.is_payment and a.source == p.id) or "on account"]
                    for p in found.payments
                ],
            )
        )  # fmt: skip
    still = [each for each in found.invoices if each.open > 0]
    if still:
        console().print(
            table(
                "Open invoices",
                [("number", ""), ("tenant", ""), ("due", ""), ("days late", right),
                 ("total", right), ("paid", right), ("open", right)],
                [
                    [i.number, i.tenant, i.due, str(i.days_late or ""), f"{i.total:,}",
                     f"{i.paid:,}", f"{i.open:,} {i.currency}"]
                    for i in still
                ],
            )
        )  # fmt: skip
    console().print(
        table(
            f"Owed on {found.as_of}, by days since it was due",
            [("tenant", ""), ("not due", right), ("1-30", right), ("31-60", right),
             ("61-90", right), ("over 90", right), ("on account", right), ("balance", right)],
            [
                [a.tenant, f"{a.not_due:,}", f"{a.late_30:,}", f"{a.late_60:,}", f"{a.late_90:,}",
                 f"{a.late_more:,}", f"{a.on_account:,}", f"{a.balance:,} {a.currency}"]
                for a in found.ages
            ],
        )
    )  # fmt: skip
