"""Who pays for what by month: by documents or rated use where there are any, else planned."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction

import msgspec

from neocloud.books.contracts import ChargeKind
from neocloud.books.invoices import Invoice
from neocloud.books.rating import RatedLine
from neocloud.finance.indicators.records import Origin
from neocloud.finance.outcome import Outcome
from neocloud.finance.records import Contract, Inputs, Merchant
from neocloud.units import PICO

_NO_REVENUE = (ChargeKind.PREPAYMENT, ChargeKind.RELEASE)
"""A prepayment is owed until it is delivered, and its release pays for that: neither is earned."""


class Sale(msgspec.Struct, frozen=True, kw_only=True):
    """What one customer pays for one thing in a month. Sales of the same add up.

    Attributes:
        month: `2026-10`.
        customer: tenant key; empty for many who are not named.
        model: model key; empty for accelerators that serve none.
        pico: 1e-12 of the cloud's currency; negative for what is given back.
        origin: where it comes from.
    """

    month: str
    customer: str
    pico: int
    origin: Origin
    model: str = ""


class Directory(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of customers and models beside their sales.

    Attributes:
        credit: class of credit by customer.
        labs: who made a model, by model.
        trains: whose models a customer trains, by customer.
    """

    credit: Mapping[str, str]
    labs: Mapping[str, str]
    trains: Mapping[str, str]

    def credit_of(self, customer: str) -> str:
        """Class of credit in words."""
        return self.credit.get(customer, "") or "unknown"

    def lab_of(self, customer: str, model: str) -> str:
        """Who made the models that are served or trained, in words."""
        found = self.labs.get(model, "") if model else self.trains.get(customer, "")
        return found or "unknown"


def directory_of(inputs: Inputs) -> Directory:
    """What contracts and merchant lines say of customers and models."""
    credit: dict[str, str] = {}
    labs: dict[str, str] = {}
    trains: dict[str, str] = {}
    lines: tuple[Contract | Merchant, ...] = (*inputs.contracts, *inputs.merchant)
    for line in lines:
        if line.customer and line.credit:
            credit[line.customer] = line.credit
        if line.lab and line.model:
            labs[line.model] = line.lab
        elif line.lab and line.customer:
            trains[line.customer] = line.lab
    return Directory(credit=credit, labs=labs, trains=trains)


def invoiced_sales(
    documents: Iterable[Invoice], exchange: Mapping[str, Fraction]
) -> tuple[Sale, ...]:
    """Revenue of documents: their lines without prepayments, before tax and prepaid credits.

    A line counts in the month that it belongs to, and a credit note takes back what it names. What
    is not issued, previews and specimens, is told as `rated`.

    Args:
        documents: invoices and credit notes; of months that are not closed what they would say.
        exchange: units of the cloud's currency for one of each currency of their prices.
    """
    issued: dict[tuple[str, str, str], Fraction] = {}
    others: dict[tuple[str, str, str], Fraction] = {}
    for document in documents:
        sums = issued if document.is_issued else others
        for line in document.lines:
            if line.charge not in _NO_REVENUE:
                key = (line.month, document.tenant, line.model)
                amount = Fraction(line.exact) * exchange[line.price_currency]
                sums[key] = sums.get(key, Fraction(0)) + amount
    return (*_sales(issued, "invoiced"), *_sales(others, "rated"))


def rated_sales(lines: Iterable[RatedLine], exchange: Mapping[str, Fraction]) -> tuple[Sale, ...]:
    """Revenue of rated use, without what contracts charge beside it.

    Args:
        lines: of any tenants and months.
        exchange: as in `invoiced_sales`.
    """
    sums: dict[tuple[str, str, str], Fraction] = {}
    for line in lines:
        key = (line.month, line.tenant, line.model)
        amount = Fraction(line.pico, PICO) * exchange[line.currency]
        sums[key] = sums.get(key, Fraction(0)) + amount
    return _sales(sums, "rated")


def planned_sales(inputs: Inputs, outcome: Outcome) -> tuple[Sale, ...]:
    """Revenue of an exact outcome, by contract and merchant line; what is let again has no name."""
    sums: dict[tuple[str, str, str], Fraction] = {}

    def add(month: str, customer: str, model: str, pico: int) -> None:
        if pico:
            key = (month, customer, model)
            sums[key] = sums.get(key, Fraction(0)) + Fraction(pico, PICO)

    for contract, lines in zip(inputs.contracts, outcome.contracts, strict=True):
        for label, own, again in zip(
            outcome.months.labels, lines.revenue, lines.relet, strict=True
        ):
            add(label, contract.customer, contract.model or "", own)
            add(label, "", "", again)
    for merchant, sold in zip(inputs.merchant, outcome.merchant, strict=True):
        for label, own in zip(outcome.months.labels, sold.revenue, strict=True):
            add(label, merchant.customer, merchant.model or "", own)
    return _sales(sums, "planned")


def joined_sales(
    booked: Iterable[Sale], planned: Iterable[Sale], over: frozenset[str]
) -> tuple[Sale, ...]:
    """Booked sales of the months that are over, planned ones of the rest."""
    kept = [sale for sale in booked if sale.month in over]
    kept += [sale for sale in planned if sale.month not in over]
    return tuple(sorted(kept, key=lambda sale: (sale.month, sale.customer, sale.model)))


def _sales(sums: Mapping[tuple[str, str, str], Fraction], origin: Origin) -> tuple[Sale, ...]:
    return tuple(
        Sale(month=month, customer=customer, model=model, pico=round(amount * PICO), origin=origin)
        for (month, customer, model), amount in sorted(sums.items())
    )
