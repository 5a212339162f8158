"""From revenue at list prices, as the tiers have it, to the subtotals of the invoices.

The tiers sell tokens at the file's list prices and contracts by the accelerator-hour; invoices know
discounts, tiers of prices, contracts of every kind, minimum spend and corrections. Each line of a
document is brought beside its list price, and what separates the two belongs to one cause. Prepaid
credits and tax are no difference: they say who pays and to whom, not what was earned.
"""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

from neocloud.books.contracts import ChargeKind
from neocloud.books.invoices import Invoice, Kind, Line, LineGroup
from neocloud.books.prices import Meter
from neocloud.books.rating import RatedLine
from neocloud.books.tiers.account import Books
from neocloud.books.tiers.documents import Documents
from neocloud.books.tiers.exact import from_pico, to_pico
from neocloud.books.tiers.records import Difference, DocumentLine, Invoiced
from neocloud.books.tiers.tokens import paid_by_the_hour
from neocloud.spec import Cloud

PRICES = "prices by tier, date or reasoning"
ADJUSTMENTS = "discounts and surcharges"
PROVISIONED = "provisioned throughput"
HOURLY = "contracts by the hour, as settled"
ON_DEMAND = "accelerator-hours on demand"
LAST_RESORT = "tranches of last resort"
SERVICE = "service credits"
MINIMUM = "minimum spend"
PREPAID = "prepayments and their release"
CORRECTIONS = "corrections of earlier months"
TAKEN_BACK = "taken back by credit notes"
LATER = "billed later, as corrections"
ABSENT = "use that no document holds"
ROUNDING = "rounding of the lines and exchange"

DIFFERENCES = (
    PRICES, ADJUSTMENTS, PROVISIONED, HOURLY, ON_DEMAND, LAST_RESORT, SERVICE, MINIMUM, PREPAID,
    CORRECTIONS, TAKEN_BACK, LATER, ABSENT, ROUNDING,
)  # fmt: skip
"""Causes, in the order in which they are told."""
_OF_CHARGES = {
    ChargeKind.LAST_RESORT: LAST_RESORT,
    ChargeKind.SERVICE_CREDIT: SERVICE,
    ChargeKind.MINIMUM: MINIMUM,
    ChargeKind.PREPAYMENT: PREPAID,
    ChargeKind.RELEASE: PREPAID,
}
_OF_CONTRACTS = {
    "reserved": HOURLY, "dedicated": HOURLY, "provisioned": PROVISIONED, "last_resort": LAST_RESORT,
}  # fmt: skip


def invoiced(cloud: Cloud, books: Books, documents: Documents) -> Invoiced:
    """Lead revenue to documents.

    Args:
        cloud: a checked cloud.
        books: of the period.
        documents: of the same period, those of all tenants.
    """
    kinds = {contract.key: contract.kind for contract in cloud.contracts}
    adds = dict.fromkeys(DIFFERENCES, Fraction(0))
    listed, whole = Fraction(0), Fraction(0)
    for document in documents.made:
        rate = Fraction(cloud.rate(document.currency))
        whole += Fraction(document.subtotal) * rate
        if document.kind is Kind.CREDIT_NOTE:
            # It is the whole invoice the other way round, whatever made that what it was.
            adds[TAKEN_BACK] += Fraction(document.subtotal) * rate
            continue
        for line in document.lines:
            stated = Fraction(line.exact) * Fraction(cloud.rate(line.price_currency))
            there = _at_list(cloud, document.tenant, line)
            adds[_cause(line, kinds)] += stated - there
            adds[ROUNDING] += Fraction(line.amount) * rate - stated
            listed += there
    later = sum((_late_at_list(cloud, line) for line in documents.later), Fraction(0))
    by_contract = sum(books.by_contract.values())
    tokens = sum(books.earned.values()) - by_contract
    adds[HOURLY] -= Fraction(by_contract, 10**12)
    adds[LATER] -= later
    adds[ABSENT] += listed + later - Fraction(tokens, 10**12)
    pico = {cause: to_pico(amount) for cause, amount in adds.items()}
    # Each is rounded to 1e-12, and rounding takes what that leaves.
    pico[ROUNDING] += to_pico(whole) - tokens - by_contract - sum(pico.values())
    cost = sum(entry.pico for entry in books.entries)
    return Invoiced(
        tiers=from_pico(tokens + by_contract),
        differences=tuple(
            Difference(cause=cause, amount=from_pico(amount))
            for cause, amount in pico.items()
            if amount
        ),
        invoiced=from_pico(to_pico(whole)),
        margin=from_pico(to_pico(whole) - cost),
        documents=tuple(_document(cloud, document) for document in documents.made),
    )


def _document(cloud: Cloud, document: Invoice) -> DocumentLine:
    revenue = Fraction(document.subtotal) * Fraction(cloud.rate(document.currency))
    return DocumentLine(
        tenant=document.tenant,
        kind=document.kind.value,
        number=document.number or "",
        period=document.period,
        currency=document.currency,
        subtotal=document.subtotal,
        credits_used=document.credits_used,
        tax=document.tax,
        total=document.total,
        revenue=from_pico(to_pico(revenue)),
    )


def _cause(line: Line, kinds: dict[str, str]) -> str:
    if line.group is LineGroup.CORRECTIONS:
        return CORRECTIONS
    if line.charge in _OF_CHARGES:
        return _OF_CHARGES[line.charge]
    if line.contract:
        # One that the file no longer has cannot be in the tiers either.
        return _OF_CONTRACTS[kinds.get(line.contract, "reserved")]
    if line.unit == "accelerator-hour":
        return ON_DEMAND
    return ADJUSTMENTS if line.adjustments else PRICES


def _at_list(cloud: Cloud, tenant: str, line: Line) -> Fraction:
    """What the tiers earn by the tokens of a line, in the cloud's currency."""
    if line.charge is not None or line.unit != "token" or line.group is LineGroup.CORRECTIONS:
        return Fraction(0)
    count = Fraction(line.quantity or Decimal(0))
    return _listed(cloud, tenant, line.model, Meter(line.meter), count)


def _late_at_list(cloud: Cloud, line: RatedLine) -> Fraction:
    """The same of use that came late."""
    if not line.billed or not line.meter.is_tokens:
        return Fraction(0)
    return _listed(cloud, line.tenant, line.model, line.meter, Fraction(line.quantity))


def _listed(cloud: Cloud, tenant: str, model: str, meter: Meter, count: Fraction) -> Fraction:
    """Tokens at the file's list price; nothing where they are paid by the hour."""
    if model not in cloud.models or paid_by_the_hour(cloud, tenant, model):
        return Fraction(0)
    prices = cloud.models[model].price_per_mtok
    price = {
        Meter.INPUT: prices.input,
        Meter.CACHED_INPUT: prices.cached_input,
        Meter.OUTPUT: prices.output,
        Meter.REASONING: prices.output,
    }[meter]
    return count * Fraction(price) / 10**6
