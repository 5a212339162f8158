"""Invoices, credit notes and what is like them: the document as JSON has it."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

import msgspec

from neocloud.books.contracts import Charge, ChargeKind, ContractMonth, PoolSize, Terms

SCHEMA = "neocloud.invoice/2"


class UnknownTenantError(ValueError):
    """No such tenant in the cloud's file."""


class Kind(StrEnum):
    """What a document is."""

    INVOICE = "invoice"
    """Issued: it has a number and does not change."""
    CREDIT_NOTE = "credit_note"
    """Takes an invoice back; it has a number of its own series."""
    PREVIEW = "preview"
    """What an invoice would say now. To be paid by nobody."""
    SPECIMEN = "specimen"
    """Over use of emulated engines: never an invoice."""


class LineGroup(StrEnum):
    """Under which heading a line stands."""

    TOKENS = "tokens"
    ACCELERATORS = "accelerators"
    CONTRACTS = "contracts"
    MINIMUM = "minimum"
    CORRECTIONS = "corrections"
    """Of earlier months, closed before it was known."""


class Party(msgspec.Struct, frozen=True, kw_only=True):
    """Who sells or buys."""

    name: str
    address: str = ""
    tax_id: str = ""


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One line: a quantity at a price, or an amount. Rounded once, here.

    Attributes:
        group: heading.
        text: what it is, in words.
        month: UTC month that it belongs to: `2026-10`.
        model: model key; empty where it is about none.
        meter: what is counted, as in rated lines; empty for a charge.
        accelerator: of accelerator-hours; else empty.
        contract: that covers or charges it; else empty.
        charge: why it is charged where no use causes it; None for use.
        adjustments: discounts and surcharges in its price.
        tier: number of the price tier, from 0.
        price_version: id of the prices; empty for a charge.
        quantity: tokens, exact, or accelerator-hours to twelve decimals; None where there is none.
        unit: `token` or `accelerator-hour`; empty where there is none.
        unit_price: of a million tokens or an accelerator-hour, in `price_currency`.
        price_currency: of the price and of `exact`.
        exact: the amount in the price's currency, to 1e-12, unrounded.
        amount: the same in the invoice's currency, rounded to its minor unit, halves to even.
        residue: amount less the exact value in the invoice's currency, to 1e-12.
    """

    group: LineGroup
    text: str
    month: str
    model: str = ""
    meter: str = ""
    accelerator: str = ""
    contract: str = ""
    charge: ChargeKind | None = None
    adjustments: tuple[str, ...] = ()
    tier: int = 0
    price_version: str = ""
    quantity: Decimal | None = None
    unit: str = ""
    unit_price: Decimal | None = None
    price_currency: str
    exact: Decimal
    amount: Decimal
    residue: Decimal


class CreditUse(msgspec.Struct, frozen=True, kw_only=True):
    """A prepaid credit of the tenant, and what this document takes from it.

    Attributes:
        name: of the credit.
        kind: `paid` or `given`.
        granted: its whole amount, in the invoice's currency.
        start: first day of use that it pays for.
        expires: first day that it no longer pays for; empty for never.
        before: what was left of it.
        used: what this document takes.
        left: what is left after it; 0 where it has expired.
        expired: what is lost, for it expired within the period.
    """

    name: str
    kind: str
    granted: Decimal
    start: str
    expires: str = ""
    before: Decimal
    used: Decimal
    left: Decimal
    expired: Decimal = Decimal(0)


class SiteCarbon(msgspec.Struct, frozen=True, kw_only=True):
    """Energy drawn for the tenant at a site, and its emissions."""

    site: str
    kwh: Decimal
    location_kg: Decimal
    market_kg: Decimal


class Carbon(msgspec.Struct, frozen=True, kw_only=True):
    """Energy that was drawn for the tenant, and what it emitted.

    Attributes:
        kwh: facility included.
        metered_share: share of it that sites' meters told; the rest is modelled.
        location_kg: CO2 by the grid of each site's metro (yearly mean).
        market_kg: CO2 by the sites' power contracts.
        sites: by site.
    """

    kwh: Decimal
    metered_share: Decimal
    location_kg: Decimal
    market_kg: Decimal
    sites: tuple[SiteCarbon, ...]


class ExchangeRate(msgspec.Struct, frozen=True, kw_only=True):
    """Units of the cloud's currency for one unit of `currency`, as the file had it."""

    currency: str
    rate: Decimal


class Basis(msgspec.Struct, frozen=True, kw_only=True):
    """What a later rating of the same month needs to come to the same result.

    Attributes:
        price_version: id of the prices that held where an event names none.
        exchange_rates: of all currencies that it needed, the cloud's among them with 1.
        minimum_spend_pico: of the month, 1e-12 of the invoice's currency.
        terms: of the tenant's contracts.
        everyone: terms of all contracts, where a tranche of last resort depends on them.
        pools: of the cloud, likewise.
        charges: all that is charged here beside use, exact.
    """

    price_version: str
    exchange_rates: tuple[ExchangeRate, ...]
    minimum_spend_pico: int
    terms: tuple[Terms, ...]
    everyone: tuple[Terms, ...] = ()
    pools: tuple[PoolSize, ...] = ()
    charges: tuple[Charge, ...]


class Requests(msgspec.Struct, frozen=True, kw_only=True):
    """Requests of the period, counted.

    Attributes:
        total: that ended, of the use that is invoiced.
        by_status: by how they ended.
        estimated: with a token count of ours, not the engine's.
        repriced: admitted under prices that were lost; rated at those of the file.
        emulated: answered by emulated engines: of a specimen all, else those that were left out.
    """

    total: int
    by_status: dict[str, int]
    estimated: int
    repriced: int
    emulated: int


class Invoice(msgspec.Struct, frozen=True, kw_only=True):
    """A document. All amounts are exact decimals.

    Attributes:
        schema: name and version of this form.
        kind: what it is.
        number: `INV-000042`; None for a preview or specimen.
        why_not: why it is no invoice, in words; empty for an issued document.
        issued: day of issue, `2026-11-04`; empty before.
        due: day by which it is to be paid; empty before and where there is nothing to pay.
        cloud: name of the cloud.
        seller: who sends it.
        buyer: who pays it.
        tenant: id of the tenant.
        period: start and end, UTC.
        currency: of all amounts.
        cloud_currency: of the price list.
        refers_to: of a credit note, the number of its invoice.
        reason: of a credit note.
        lines: what is charged.
        subtotal: sum of the lines' amounts.
        credits: prepaid credits of the tenant.
        credits_used: taken from them.
        net: subtotal less credits: what is taxed.
        tax_rate: share.
        tax: of the net, rounded once.
        total: net and tax.
        residue: sum of the lines' residues: what rounding added to the exact amounts.
        requests: of the period.
        contracts: how the tenant's contracts stand.
        carbon: energy and emissions; None where no energy is on record.
        notes: what the reader should know, in sentences.
        payment_days: days until it is due.
        payment: how to pay, in the seller's words.
        basis: for later corrections.
    """

    schema: str = SCHEMA
    kind: Kind
    number: str | None = None
    why_not: str = ""
    issued: str = ""
    due: str = ""
    cloud: str
    seller: Party
    buyer: Party
    tenant: str
    period: str
    currency: str
    cloud_currency: str
    refers_to: str = ""
    reason: str = ""
    lines: tuple[Line, ...]
    subtotal: Decimal
    credits: tuple[CreditUse, ...] = ()
    credits_used: Decimal
    net: Decimal
    tax_rate: Decimal
    tax: Decimal
    total: Decimal
    residue: Decimal
    requests: Requests
    contracts: tuple[ContractMonth, ...] = ()
    carbon: Carbon | None = None
    notes: tuple[str, ...] = ()
    payment_days: int = 0
    payment: str = ""
    basis: Basis

    @property
    def is_issued(self) -> bool:
        """True of a document that has a number."""
        return self.number is not None
