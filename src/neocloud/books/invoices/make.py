"""Making a document out of what was assessed."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import msgspec

from neocloud.books.accounts import AccountKind, Books, account_id
from neocloud.books.contracts import Charge, ContractMonth, month_of, terms_of
from neocloud.books.invoices.assess import (
    Assessment,
    Office,
    assess,
    is_emulated,
    stated_rates,
)
from neocloud.books.invoices.carbon import carbon_of
from neocloud.books.invoices.credits import cuts_of, slices_of, use_credits
from neocloud.books.invoices.lines import lines_of
from neocloud.books.invoices.money import exact, exchange_of, pico_of
from neocloud.books.invoices.records import (
    Basis,
    CreditUse,
    Invoice,
    Kind,
    Party,
    Requests,
    UnknownTenantError,
)
from neocloud.books.invoices.use import RatedBy, TenantUse, tenant_use
from neocloud.books.prices import PriceBook, price_version
from neocloud.books.rating import RatedLine, RequestCount
from neocloud.spec import PrepaidCredit
from neocloud.units import Period, parse_period

_USE_ALONE = (
    "The period is no calendar month: this is what was used in it, without minimum spend, credits, "
    "corrections and what contracts charge beside use."
)
_TOO_LATE = (
    "A later month of the tenant is closed, and months are closed in their order: this is what was "
    "used, and no invoice will bill it."
)
_PASSED_OVER = (
    "The month was passed over, for it held emulated use alone. Real use that came late to it is "
    "charged with the month that is closed next."
)


def preview(office: Office, tenant: str, period: Period, now_ns: int) -> Invoice:
    """What a document of a period would say now: of a calendar month all, else the use alone.

    So it is of a month that was left open before one that is closed: it can have no invoice.

    Raises:
        UnknownTenantError: the file has no such tenant.
        UnpricedModelError, UnpricedHoursError: something has no price.
        LedgerError, BooksError: they cannot be read.
    """
    check_tenant(office, tenant)
    month = month_of(period)
    if month is None:
        return _of_use_alone(office, tenant, period, _USE_ALONE)
    closed = () if office.books is None else tuple(office.books.closed(tenant))
    if any(each.start_ns > period.start_ns for each in closed):
        passed = any(each.start_ns < period.start_ns for each in closed)
        return _of_use_alone(office, tenant, period, _PASSED_OVER if passed else _TOO_LATE)
    made = made_of(office, tenant, assess(office, tenant, month), now_ns)
    if made.kind is Kind.SPECIMEN or now_ns >= period.end_ns:
        return made
    running = "The month is not over: what is committed for it counts whole, use only so far."
    return msgspec.structs.replace(made, notes=(*made.notes, running))


def check_tenant(office: Office, tenant: str) -> None:
    """Refuse a tenant that the file has not."""
    cloud = office.cloud
    if tenant not in cloud.tenants:
        known = ", ".join(cloud.tenants)
        raise UnknownTenantError(f"no tenant {tenant} in {cloud.file}; it has {known}")


def made_of(office: Office, tenant: str, assessed: Assessment, now_ns: int) -> Invoice:
    """The document of a month, without a number."""
    exchange = exchange_of(office.cloud, office.cloud.tenants[tenant].currency)
    lines = lines_of(assessed.lines, assessed.charges, exchange, assessed.month)
    subtotal = sum(pico_of(line.amount) for line in lines)
    return _document(
        office,
        tenant,
        assessed.use,
        _Sums(
            emulated=assessed.emulated,
            rated=assessed.lines,
            charges=assessed.charges,
            month=assessed.month,
            credits=credits_of(
                office, tenant, subtotal, assessed, credits_left(office, tenant, now_ns)
            ),
            requests=assessed.requests,
            basis=msgspec.structs.replace(assessed.basis, charges=assessed.charges),
            notes=(),
        ),
        contracts=assessed.contracts,
    )


class _Sums(msgspec.Struct, frozen=True, kw_only=True):
    """What goes into a document."""

    emulated: bool
    rated: tuple[RatedLine, ...]
    charges: tuple[Charge, ...]
    month: str
    credits: tuple[CreditUse, ...]
    requests: tuple[RequestCount, ...]
    basis: Basis
    notes: tuple[str, ...]


def _of_use_alone(office: Office, tenant: str, period: Period, note: str) -> Invoice:
    cloud = office.cloud
    kept = {} if office.books is None else office.books.versions()
    book = PriceBook(current=price_version(cloud), kept=kept)
    terms = tuple(t for t in terms_of(cloud) if t.prices.tenant == tenant)
    use = tenant_use(office.source, tenant, period, RatedBy(book=book, terms=terms))
    emulated = is_emulated(cloud, use)
    rated = use.only(emulated)
    return _document(
        office,
        tenant,
        use,
        _Sums(
            emulated=emulated,
            rated=rated.lines,
            charges=(),
            month="",
            credits=(),
            requests=rated.requests,
            basis=Basis(
                price_version=book.current.id,
                exchange_rates=stated_rates(exchange_of(cloud, cloud.currency).rates),
                minimum_spend_pico=0,
                terms=(),
                charges=(),
            ),
            notes=(note,),
        ),
    )


def _document(
    office: Office, tenant: str, use: TenantUse, sums: _Sums,
    contracts: tuple[ContractMonth, ...] = (),
) -> Invoice:  # fmt: skip
    cloud, buyer = office.cloud, office.cloud.tenants[tenant]
    exchange = exchange_of(cloud, buyer.currency)
    lines = lines_of(sums.rated, sums.charges, exchange, sums.month)
    subtotal = sum(pico_of(line.amount) for line in lines)
    used = sum(pico_of(credit.used) for credit in sums.credits)
    net = subtotal - used
    tax = exchange.rounded(net * Fraction(buyer.tax_rate))
    requests = _requests(sums.requests, use.rated.requests)
    return Invoice(
        kind=Kind.SPECIMEN if sums.emulated else Kind.PREVIEW,
        why_not=_why_not(requests) if sums.emulated else "the period is not closed",
        cloud=cloud.name,
        seller=Party(
            name=cloud.billing.seller or cloud.name,
            address=cloud.billing.address,
            tax_id=cloud.billing.tax_id,
        ),
        buyer=Party(name=buyer.name, address=buyer.address, tax_id=buyer.tax_id),
        tenant=tenant,
        period=str(use.period),
        currency=buyer.currency,
        cloud_currency=cloud.currency,
        lines=lines,
        subtotal=exchange.shown(subtotal),
        credits=sums.credits,
        credits_used=exchange.shown(used),
        net=exchange.shown(net),
        tax_rate=buyer.tax_rate,
        tax=exchange.shown(tax),
        total=exchange.shown(net + tax),
        residue=exact(sum(pico_of(line.residue) for line in lines)),
        requests=requests,
        contracts=contracts,
        carbon=carbon_of(cloud, office.catalog, office.source, use, tenant, sums.emulated),
        notes=(*_notes(requests, sums.emulated), *sums.notes),
        payment_days=cloud.billing.payment_days,
        payment=cloud.billing.payment.strip(),
        basis=sums.basis,
    )


def _requests(counted: Sequence[RequestCount], all_: Sequence[RequestCount]) -> Requests:
    by_status: dict[str, int] = {}
    for count in counted:
        by_status[count.status.value] = by_status.get(count.status.value, 0) + count.requests
    return Requests(
        total=sum(by_status.values()),
        by_status=dict(sorted(by_status.items())),
        estimated=sum(count.estimated for count in counted),
        repriced=sum(count.repriced for count in counted),
        emulated=sum(count.requests for count in all_ if count.emulated),
    )


def _why_not(requests: Requests) -> str:
    if not requests.total:
        return "every pool of this cloud is emulated"
    return f"{requests.emulated} of {requests.total} requests were answered by emulated engines"


def _notes(requests: Requests, emulated: bool) -> tuple[str, ...]:
    found = []
    if requests.estimated:
        found.append(f"Our estimate, not the engine's: tokens of {_count(requests.estimated)}.")
    if requests.repriced:
        found.append(
            f"Rated at the prices of the file, for those of their admission were not kept: "
            f"{_count(requests.repriced)}."
        )
    if requests.emulated and not emulated:
        found.append(
            f"Left out, for emulated engines answered and such use is never invoiced: "
            f"{_count(requests.emulated)}."
        )
    return tuple(found)


def _count(requests: int) -> str:
    return f"{requests:,} request" + ("" if requests == 1 else "s")


def credits_of(
    office: Office, tenant: str, subtotal: int, assessed: Assessment, left: Sequence[int],
    until_ns: int | None = None,
) -> tuple[CreditUse, ...]:  # fmt: skip
    """What the tenant's credits pay of a month.

    Args:
        office: with the file that states them.
        tenant: whose.
        subtotal: what is to be paid, 1e-12.
        assessed: the month.
        left: of each credit of the file before it, 1e-12.
        until_ns: up to when, within the month; None for all of it.
    """
    whole = parse_period(assessed.month)
    period = whole if until_ns is None else Period(whole.start_ns, until_ns)
    exchange = exchange_of(office.cloud, office.cloud.tenants[tenant].currency)
    stated = office.cloud.tenants[tenant].prepaid_credits
    if not stated:
        return ()
    terms = tuple(t for t in terms_of(office.cloud) if t.prices.tenant == tenant)
    kept = {} if office.books is None else office.books.versions()
    book = PriceBook(current=price_version(office.cloud), kept=kept)

    def accrued(until_ns: int) -> int:
        part = Period(period.start_ns, until_ns)
        use = tenant_use(office.source, tenant, part, RatedBy(book=book, terms=terms))
        lines = use.only(assessed.emulated).lines
        return exchange.down(
            sum((exchange.pico(line.pico, line.currency) for line in lines), Fraction(0))
        )

    slices = slices_of(subtotal, accrued, period, cuts_of(stated, period))
    return use_credits(stated, left, slices, exchange)


def credits_left(office: Office, tenant: str, now_ns: int) -> tuple[int, ...]:
    """What is left of each credit of the file by the books, holds taken off, 1e-12.

    Raises:
        BooksError: they cannot be read.
    """
    buyer = office.cloud.tenants[tenant]
    return tuple(
        credit_left(office.books, tenant, credit, buyer.currency, now_ns)
        for credit in buyer.prepaid_credits
    )


def credit_left(
    books: Books | None, tenant: str, credit: PrepaidCredit, currency: str, now_ns: int
) -> int:
    """What is left of a credit by the books, holds taken off, 1e-12; all of it before the first.

    Raises:
        BooksError: they cannot be read.
    """
    place = account_id(AccountKind.PREPAID, f"{tenant}/{credit.key}", currency)
    if books is None or books.account(place) is None:
        return pico_of(credit.amount)
    balance = books.balance(place, now_ns)
    return balance.credits - balance.debits - balance.pending_debits
