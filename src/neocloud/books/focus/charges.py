"""From the lines of a bill to rows of Cost and Usage, and of Invoice Detail."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction

import msgspec

from neocloud.books.contracts import ChargeKind, Terms
from neocloud.books.focus.bill import Bill
from neocloud.books.focus.contract_use import ACCELERATOR_HOURS, TOKENS, applied_of
from neocloud.books.focus.figures import converted, json_text, millions, product
from neocloud.books.focus.listed import PriceLists
from neocloud.books.focus.places import Part, Place, PlacedUse
from neocloud.books.focus.records import Category, CostAndUsage, InvoiceDetail
from neocloud.books.focus.services import BILLING, Sku, service_of, sku_of
from neocloud.books.invoices import Line, LineGroup
from neocloud.books.invoices.money import Exchange, pico_of
from neocloud.units import Period, format_utc, parse_period

MILLION_TOKENS = "1000000 Tokens"
_NOWHERE = Place()
_UNUSED = frozenset({ChargeKind.SHORTFALL, ChargeKind.LAST_RESORT})
"""Charges for what is held and not used."""
_CATEGORIES: Mapping[ChargeKind | None, tuple[Category, str]] = {
    None: (Category.USAGE, "Usage-Based"),
    ChargeKind.SHORTFALL: (Category.USAGE, "Recurring"),
    ChargeKind.LAST_RESORT: (Category.USAGE, "Recurring"),
    ChargeKind.CARRIED_OVER: (Category.ADJUSTMENT, "Recurring"),
    ChargeKind.SERVICE_CREDIT: (Category.CREDIT, "One-Time"),
    ChargeKind.MINIMUM: (Category.ADJUSTMENT, "Recurring"),
    ChargeKind.PREPAYMENT: (Category.PURCHASE, "One-Time"),
    ChargeKind.RELEASE: (Category.ADJUSTMENT, "Recurring"),
}


class Region(msgspec.Struct, frozen=True, kw_only=True):
    """The metro of a site."""

    key: str
    name: str


class Surroundings(msgspec.Struct, frozen=True, kw_only=True):
    """What all bills of an export are looked up in.

    Attributes:
        regions: by site.
        priorities: of tenants.
        use: of the month, by place.
        versions: price versions by id.
    """

    regions: Mapping[str, Region]
    priorities: Mapping[str, str]
    use: PlacedUse
    versions: PriceLists


class _Cost(msgspec.Struct, frozen=True, kw_only=True):
    """The money and the quantities of one row."""

    effective: Decimal
    listed: Decimal
    contracted: Decimal
    unit_listed: Decimal | None = None
    unit_contracted: Decimal | None = None
    own_effective: Decimal
    own_listed: Decimal | None = None
    own_contracted: Decimal | None = None
    quantity: Decimal | None = None
    unit: str = ""


def rows_of(bill: Bill, around: Surroundings) -> Iterator[CostAndUsage]:
    """Rows of a bill, in the order of its lines, then credits and tax.

    BilledCost is what the line says, to the cent, so that the rows of a document sum up to its
    total; a line that is several rows is divided to the cent by what they cost. All other costs are
    exact: what rounding added to a row is its BilledCost less its EffectiveCost.
    """
    for number, line in enumerate(bill.lines, 1):
        parts: Sequence[Part | None] = (None,)
        if line.quantity is not None:
            parts = (Part(place=_NOWHERE, quantity=line.quantity),)
            if line.charge is None and line.month == bill.month:
                parts = around.use.parts_of(bill.tenant, line)
        billed = _divided(line.amount, [_weight(part) for part in parts], bill.exchange)
        for part, amount in zip(parts, billed, strict=True):
            yield _row(bill, around, (number, line), part, amount)
    number = len(bill.lines)
    for credit in bill.credits:
        if credit.used:
            number += 1
            yield _of_account(
                bill, number, Category.CREDIT, -credit.used, f"Prepaid credit {credit.name}"
            )
    if bill.tax:
        share = f"{(bill.tax_rate * 100).normalize():f}"
        yield _of_account(bill, number + 1, Category.TAX, bill.tax, f"Tax {share} %")


def details_of(bill: Bill, rows: Sequence[CostAndUsage]) -> Iterator[InvoiceDetail]:
    """Lines of a document with a number: one for all rows of the same id."""
    sums: dict[str, tuple[CostAndUsage, Decimal]] = {}
    for row in rows:
        first, amount = sums.get(row.invoice_detail_id, (row, Decimal(0)))
        sums[row.invoice_detail_id] = (first, amount + row.billed_cost)
    for key, (row, amount) in sums.items():
        grain = {"SkuId": row.sku_id, "SkuMeter": row.sku_meter, "SkuPriceId": row.sku_price_id}
        yield InvoiceDetail(
            billed_cost=amount,
            billing_account_id=row.billing_account_id,
            billing_currency=row.billing_currency,
            billing_period_end=row.billing_period_end,
            billing_period_start=row.billing_period_start,
            charge_category=row.charge_category,
            invoice_detail_created=bill.issued,
            invoice_detail_description=row.charge_description,
            invoice_detail_grain=json_text(
                {name: value for name, value in grain.items() if value}
                | {"x_LineNumber": key.rpartition("/")[2]}
            ),
            invoice_detail_id=key,
            invoice_detail_last_updated=bill.issued,
            invoice_id=bill.number,
            invoice_issue_date=bill.issued,
            invoice_issuer_name=bill.seller,
            payment_due_date=bill.due,
            payment_terms=f"Net {bill.payment_days}",
            reference_invoice_id=bill.reference,
        )


def _row(
    bill: Bill, around: Surroundings, numbered: tuple[int, Line], part: Part | None, amount: Decimal
) -> CostAndUsage:
    number, line = numbered
    terms = bill.terms.get(line.contract)
    category, frequency = _CATEGORIES[line.charge]
    place = _NOWHERE if part is None else part.place
    sku = sku_of(line, terms, around.versions, (bill.version, _charge_period(line, terms).start_ns))
    cost = _cost(bill, line, sku, None if part is None else part.quantity, amount)
    is_unused = line.charge in _UNUSED
    is_reserved = category is Category.USAGE and terms is not None
    consumed = None if part is None or category is not Category.USAGE else part.quantity
    service = service_of(line, terms)
    region = around.regions.get(place.site)
    span = _charge_period(line, terms)
    applied = None if part is None else part.quantity
    return msgspec.structs.replace(
        _plain_row(bill, number, category),
        availability_zone=place.site,
        billed_cost=amount,
        capacity_reservation_id=line.contract if is_reserved else "",
        capacity_reservation_status=("Unused" if is_unused else "Used") if is_reserved else "",
        charge_class="Correction"
        if bill.is_credit_note or line.group is LineGroup.CORRECTIONS
        else "",
        charge_description=line.text,
        charge_frequency=frequency,
        charge_period_end=format_utc(span.end_ns),
        charge_period_start=format_utc(span.start_ns),
        consumed_quantity=Decimal(0) if is_unused else consumed,
        consumed_unit="" if consumed is None else _counted_in(line),
        contract_applied=applied_of(
            line, terms, applied, cost.effective, bill.tenant if bill.minimum else ""
        ),
        contracted_cost=cost.contracted,
        contracted_unit_price=cost.unit_contracted,
        effective_cost=cost.effective,
        list_cost=cost.listed,
        list_unit_price=cost.unit_listed,
        pricing_category="Standard" if cost.quantity is not None else "",
        pricing_currency=line.price_currency,
        pricing_currency_contracted_unit_price=cost.own_contracted,
        pricing_currency_effective_cost=cost.own_effective,
        pricing_currency_list_unit_price=cost.own_listed,
        pricing_quantity=cost.quantity,
        pricing_unit=cost.unit,
        region_id="" if region is None else region.key,
        region_name="" if region is None else region.name,
        service_category=service.category,
        service_name=service.name,
        service_subcategory=service.subcategory,
        sku_id=sku.key,
        sku_meter=sku.meter,
        sku_price_details=sku.details,
        sku_price_id=sku.price_id,
        tags=_tags(place, around.priorities.get(bill.tenant, ""), line),
    )


def _cost(bill: Bill, line: Line, sku: Sku, quantity: Decimal | None, amount: Decimal) -> _Cost:
    """What a row costs: quantity times price, or an amount."""
    if line.charge is ChargeKind.PREPAYMENT:
        return _of_prepayment(bill, line)
    if quantity is None or line.unit_price is None:
        is_release = line.charge is ChargeKind.RELEASE
        effective = Decimal(0) if is_release else amount
        own = Decimal(0) if is_release else line.exact
        return _Cost(effective=effective, listed=amount, contracted=amount, own_effective=own)
    own_exchange = Exchange(currency=line.price_currency, rates=bill.exchange.rates)
    counted = millions(quantity) if line.unit == "token" else quantity
    unit_contracted = converted(line.unit_price, line.price_currency, bill.exchange)
    unit_listed = converted(sku.listed.price, sku.listed.currency, bill.exchange)
    contracted = product(unit_contracted, counted)
    return _Cost(
        effective=contracted,
        listed=product(unit_listed, counted),
        contracted=contracted,
        unit_listed=unit_listed,
        unit_contracted=unit_contracted,
        own_effective=product(line.unit_price, counted),
        own_listed=converted(sku.listed.price, sku.listed.currency, own_exchange),
        own_contracted=line.unit_price,
        quantity=counted,
        unit=MILLION_TOKENS if line.unit == "token" else ACCELERATOR_HOURS,
    )


def _of_prepayment(bill: Bill, line: Line) -> _Cost:
    """One prepayment, or one less: it costs nothing until it is used."""
    count = Decimal(-1 if line.exact < 0 else 1)
    price = converted(abs(line.exact), line.price_currency, bill.exchange)
    cost = product(price, count)
    return _Cost(
        effective=Decimal(0),
        listed=cost,
        contracted=cost,
        unit_listed=price,
        unit_contracted=price,
        own_effective=Decimal(0),
        own_listed=abs(line.exact),
        own_contracted=abs(line.exact),
        quantity=count,
        unit="Prepayments",
    )


def _of_account(
    bill: Bill, number: int, category: Category, amount: Decimal, text: str
) -> CostAndUsage:
    """A charge that is about no line: a credit that is used, or tax."""
    return msgspec.structs.replace(
        _plain_row(bill, number, category),
        billed_cost=amount,
        contracted_cost=amount,
        effective_cost=amount,
        list_cost=amount,
        pricing_currency_effective_cost=amount,
        charge_class="Correction" if bill.is_credit_note else "",
        charge_description=text,
        charge_frequency="One-Time" if category is Category.CREDIT else "Recurring",
    )


def _plain_row(bill: Bill, number: int, category: Category) -> CostAndUsage:
    """What is the same in all rows of a bill."""
    period, covered = parse_period(bill.month), parse_period(bill.covers)
    nothing = Decimal(0)
    return CostAndUsage(
        billed_cost=nothing,
        billing_account_id=bill.tenant,
        billing_account_name=bill.name,
        billing_currency=bill.exchange.currency,
        billing_period_end=format_utc(period.end_ns),
        billing_period_start=format_utc(period.start_ns),
        charge_category=category,
        charge_description="",
        charge_frequency="",
        charge_period_end=format_utc(covered.end_ns),
        charge_period_start=format_utc(covered.start_ns),
        contracted_cost=nothing,
        effective_cost=nothing,
        host_provider_name=bill.seller,
        invoice_detail_id=f"{bill.number}/{number}" if bill.number else "",
        invoice_id=bill.number,
        invoice_issuer_name=bill.seller,
        list_cost=nothing,
        pricing_currency=bill.exchange.currency,
        pricing_currency_effective_cost=nothing,
        service_category=BILLING.category,
        service_name=BILLING.name,
        service_provider_name=bill.seller,
        service_subcategory=BILLING.subcategory,
    )


def _charge_period(line: Line, terms: Terms | None) -> Period:
    """The line's month, of a contract the part within its term."""
    month = parse_period(line.month)
    if terms is None:
        return month
    start = max(month.start_ns, terms.prices.start_ns)
    end = min(month.end_ns, terms.prices.end_ns)
    return Period(start, end) if start < end else month


def _counted_in(line: Line) -> str:
    return TOKENS if line.unit == "token" else ACCELERATOR_HOURS


def _tags(place: Place, priority: str, line: Line) -> str:
    """Tags of ours, each behind `neocloud:`."""
    found = {"neocloud:api": place.api} if place.api else {}
    if place.service_tier:
        found["neocloud:service_tier"] = place.service_tier
    if line.meter and line.unit == "token" and priority:
        found["neocloud:priority"] = priority
    if line.adjustments:
        found["neocloud:adjustments"] = ",".join(line.adjustments)
    return json_text(found) if found else ""


def _weight(part: Part | None) -> Fraction:
    return Fraction(1 if part is None else part.quantity)


def _divided(amount: Decimal, weights: Sequence[Fraction], exchange: Exchange) -> list[Decimal]:
    """An amount in parts of whole minor units that sum up to it."""
    whole, total = pico_of(amount), sum(weights)
    found, given, passed = [], 0, Fraction(0)
    for weight in weights:
        passed += weight
        until = exchange.rounded(whole * passed / total) if total else whole
        found.append(exchange.shown(until - given))
        given = until
    return found
