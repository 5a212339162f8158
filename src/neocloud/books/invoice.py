"""Invoices: lines rounded once, the residue shown, tax and currency of the tenant.

This version makes specimens only: they take no number, and say so on every page.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import ROUND_HALF_EVEN, Decimal, localcontext

import msgspec

from neocloud.books.prices import PriceList, TokenKind
from neocloud.books.rating import RatedUsage, rate_usage
from neocloud.ledger import UsageEvent
from neocloud.spec import Cloud
from neocloud.units import PICO, Period, minor_digits

SCHEMA = "neocloud.invoice/1"


class UnknownTenantError(ValueError):
    """No such tenant in the cloud's file."""


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One line: tokens of one model and kind.

    Attributes:
        model: model key.
        kind: input, cached_input or output.
        tokens: billed tokens, exact.
        price_per_mtok: in the price list's currency.
        exact: tokens times price, in the price list's currency, unrounded.
        amount: the same in the invoice's currency, rounded to its minor unit.
        residue: amount less the exact value in the invoice's currency, to 1e-12.
    """

    model: str
    kind: TokenKind
    tokens: int
    price_per_mtok: Decimal
    exact: Decimal
    amount: Decimal
    residue: Decimal


class Invoice(msgspec.Struct, frozen=True, kw_only=True):
    """A specimen invoice of one tenant and period. All amounts are exact decimals."""

    schema: str = SCHEMA
    specimen: bool
    specimen_reason: str
    number: str | None
    cloud: str
    tenant: str
    tenant_name: str
    tenant_address: str
    period: str
    currency: str
    price_currency: str
    exchange_rate: Decimal
    """Units of the price list's currency for one unit of the invoice's."""
    price_version: str
    requests: int
    requests_by_status: dict[str, int]
    emulated_requests: int
    estimated_requests: int
    repriced_requests: int
    """Requests admitted under another price list; rated at this one all the same."""
    lines: tuple[Line, ...]
    subtotal: Decimal
    tax_rate: Decimal
    tax: Decimal
    total: Decimal
    residue: Decimal
    """Sum of the lines' residues: what rounding added to the exact amount."""


def make_invoice(
    cloud: Cloud, tenant_id: str, period: Period, events: Iterable[UsageEvent], prices: PriceList
) -> Invoice:
    """Invoice the events of one tenant that were admitted in `period`; others are left out.

    Raises:
        UnknownTenantError: the cloud has no such tenant.
        UnpricedModelError: an event's model has no price.
    """
    if tenant_id not in cloud.tenants:
        known = ", ".join(cloud.tenants)
        raise UnknownTenantError(f"no tenant {tenant_id} in {cloud.file}; it has {known}")
    tenant = cloud.tenants[tenant_id]
    mine = [e for e in events if e.tenant == tenant_id and e.admitted_ns in period]
    # exchange_rates hold units of the cloud's currency for one of the other.
    rate = (
        Decimal(1)
        if tenant.currency == cloud.currency
        else Decimal(cloud.exchange_rates[tenant.currency])
    )
    lines = tuple(_line(usage, rate, tenant.currency) for usage in rate_usage(mine, prices))
    subtotal = sum((line.amount for line in lines), Decimal(0))
    tax = _to_minor(subtotal * tenant.tax_rate, tenant.currency)
    emulated = sum(e.emulated for e in mine)
    statuses: dict[str, int] = {}
    for event in mine:
        statuses[event.status] = statuses.get(event.status, 0) + 1
    return Invoice(
        specimen=True,
        specimen_reason=_reason(emulated, len(mine)),
        number=None,
        cloud=cloud.name,
        tenant=tenant_id,
        tenant_name=tenant.name,
        tenant_address=tenant.address,
        period=str(period),
        currency=tenant.currency,
        price_currency=prices.currency,
        exchange_rate=rate,
        price_version=prices.version,
        requests=len(mine),
        requests_by_status=dict(sorted(statuses.items())),
        emulated_requests=emulated,
        estimated_requests=sum(e.estimated for e in mine),
        repriced_requests=sum(e.price_version not in {"", prices.version} for e in mine),
        lines=lines,
        subtotal=subtotal,
        tax_rate=tenant.tax_rate,
        tax=tax,
        total=subtotal + tax,
        residue=sum((line.residue for line in lines), Decimal(0)),
    )


def _reason(emulated: int, requests: int) -> str:
    if emulated:
        return f"{emulated} of {requests} requests were answered by emulated engines"
    return "this version of neocloud does not number invoices"


def _line(usage: RatedUsage, rate: Decimal, currency: str) -> Line:
    with localcontext() as context:
        context.prec = 60
        exact = Decimal(usage.pico) / PICO
        converted = exact / rate
        amount = _to_minor(converted, currency)
        residue = (amount - converted).quantize(Decimal(1).scaleb(-12))
        per_million = Decimal(usage.pico_per_token).scaleb(-6)
    return Line(
        model=usage.model,
        kind=usage.kind,
        tokens=usage.tokens,
        price_per_mtok=per_million,
        exact=exact,
        amount=amount,
        residue=residue,
    )


def _to_minor(value: Decimal, currency: str) -> Decimal:
    return value.quantize(Decimal(1).scaleb(-minor_digits(currency)), ROUND_HALF_EVEN)
