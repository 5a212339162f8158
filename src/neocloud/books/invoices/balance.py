"""What a tenant's prepaid credits are worth now: of what the books say, the use that is not billed.

A credit pays month by month, as it will when the months are closed. Of months that are over, all
that will be charged is taken off; of the running one the use so far, for what it charges at its
end is not due yet.
"""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import msgspec

from neocloud.books.accounts import AccountKind, account_id
from neocloud.books.contracts import Charge, following, month_at, months_between
from neocloud.books.invoices.assess import Assessment, Office, assess
from neocloud.books.invoices.lines import lines_of
from neocloud.books.invoices.make import check_tenant, credits_left, credits_of
from neocloud.books.invoices.money import Exchange, exchange_of, pico_of
from neocloud.books.prices import midnight_ns
from neocloud.books.rating import RatedLine
from neocloud.spec import PrepaidCredit
from neocloud.units import parse_period


class CreditNow(msgspec.Struct, frozen=True, kw_only=True):
    """A prepaid credit at a moment, amounts in the tenant's currency.

    Attributes:
        name: of the credit.
        kind: `paid` or `given`.
        start: first day of use that it pays for.
        expires: first day that it no longer pays for; empty for never.
        granted: its whole amount.
        booked: what is left of it by the books, before holds.
        held: of that, reserved by holds.
        unbilled: of the rest, what use pays with it that no invoice has charged yet.
        available: what is left for use to come; 0 before its first day and after its last.
    """

    name: str
    kind: str
    start: str
    expires: str
    granted: Decimal
    booked: Decimal
    held: Decimal
    unbilled: Decimal
    available: Decimal


class OpenMonth(msgspec.Struct, frozen=True, kw_only=True):
    """A month without an invoice: what it comes to so far, before credits and tax."""

    month: str
    amount: Decimal


class TenantCredits(msgspec.Struct, frozen=True, kw_only=True):
    """Credits of a tenant, and the months that they have yet to pay."""

    tenant: str
    currency: str
    credits: tuple[CreditNow, ...]
    months: tuple[OpenMonth, ...]
    available: Decimal


class CreditBalances(msgspec.Struct, frozen=True, kw_only=True):
    """What `neocloud credit` shows.

    Attributes:
        schema: name and version of this form.
        cloud: name of the cloud.
        at: the moment, UTC.
        tenants: each tenant that was asked for.
    """

    schema: str = "neocloud.credit/1"
    cloud: str
    at: str
    tenants: tuple[TenantCredits, ...]


def tenant_credits(office: Office, tenant: str, now_ns: int) -> TenantCredits:
    """Balances of a tenant's credits at a moment.

    Raises:
        UnknownTenantError: the file has no such tenant.
        UnpricedModelError, UnpricedHoursError: something has no price.
        LedgerError, BooksError: they cannot be read.
    """
    check_tenant(office, tenant)
    buyer = office.cloud.tenants[tenant]
    exchange = exchange_of(office.cloud, buyer.currency)
    booked = credits_left(office, tenant, now_ns)
    left = list(booked)
    names = [credit.key for credit in buyer.prepaid_credits]
    months = []
    for number, month in enumerate(_open_months(office, tenant, now_ns)):
        assessed = assess(office, tenant, month)
        if assessed.emulated:
            continue  # nobody pays for it
        period = parse_period(month)
        running = period.end_ns > now_ns
        lines, charges = _due(assessed, first=number == 0, running=running)
        shown = lines_of(lines, charges, exchange, month)
        subtotal = sum(pico_of(line.amount) for line in shown)
        months.append(OpenMonth(month=month, amount=exchange.shown(subtotal)))
        until_ns = max(now_ns, period.start_ns + 1) if running else None
        for used in credits_of(office, tenant, subtotal, assessed, left, until_ns):
            left[names.index(used.name)] -= pico_of(used.used)
    found = tuple(
        _now(office, tenant, credit, (booked[n], left[n]), exchange, now_ns)
        for n, credit in enumerate(buyer.prepaid_credits)
    )
    return TenantCredits(
        tenant=tenant,
        currency=buyer.currency,
        credits=found,
        months=tuple(months),
        available=sum((credit.available for credit in found), exchange.shown(0)),
    )


def _open_months(office: Office, tenant: str, now_ns: int) -> tuple[str, ...]:
    """Months up to the present one that no invoice has closed, from the first that can matter."""
    closed = [] if office.books is None else [p.start_ns for p in office.books.closed(tenant)]
    recorded = office.source.span()
    if closed:
        first = following(month_at(max(closed)))
    elif recorded is not None:
        first = month_at(recorded.start_ns)
    else:
        first = month_at(now_ns)
    return months_between(first, month_at(now_ns))


def _due(
    assessed: Assessment, *, first: bool, running: bool
) -> tuple[tuple[RatedLine, ...], tuple[Charge, ...]]:
    """What a month charges by now. Corrections of closed months come with the first open one."""
    month = assessed.month
    lines = tuple(line for line in assessed.lines if first or line.month == month)
    charges = tuple(
        charge
        for charge in assessed.charges
        if (charge.month == month and not running) or (charge.month != month and first)
    )
    return lines, charges


def _now(
    office: Office, tenant: str, credit: PrepaidCredit, pico: tuple[int, int],
    exchange: Exchange, now_ns: int,
) -> CreditNow:  # fmt: skip
    before, after = pico
    held = 0
    place = account_id(AccountKind.PREPAID, f"{tenant}/{credit.key}", exchange.currency)
    if office.books is not None and office.books.account(place) is not None:
        held = office.books.balance(place, now_ns).pending_debits
    begun = midnight_ns(credit.day) <= now_ns
    over = credit.expires is not None and midnight_ns(credit.expires) <= now_ns
    return CreditNow(
        name=credit.key,
        kind=credit.kind,
        start=credit.day.isoformat(),
        expires="" if credit.expires is None else credit.expires.isoformat(),
        granted=exchange.shown(pico_of(credit.amount)),
        booked=exchange.shown(before + held),
        held=exchange.shown(held),
        unbilled=exchange.shown(before - after),
        available=exchange.shown(exchange.down(Fraction(after)) if begun and not over else 0),
    )
