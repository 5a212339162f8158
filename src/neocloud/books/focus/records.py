"""Rows of the four FOCUS datasets. A field is named after its column: `BilledCost`, `billed_cost`.

The columns are those of the FinOps Open Cost and Usage Specification (FOCUS) 1.4 of the FinOps
Foundation, Copyright the FOCUS contributors, CC-BY-4.0, https://focus.finops.org: names and order
only, chosen for what the books know. Its terms are explained in docs/focus.md.
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

import msgspec


class Version(StrEnum):
    """Versions that can be written."""

    V1_4 = "1.4"
    V1_2 = "1.2"


class Category(StrEnum):
    """ChargeCategory."""

    USAGE = "Usage"
    PURCHASE = "Purchase"
    TAX = "Tax"
    CREDIT = "Credit"
    ADJUSTMENT = "Adjustment"


class CostAndUsage(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """A charge. Money is in the billing currency unless its name says otherwise; times are UTC.

    Attributes:
        billed_cost: what the invoice's line says, to the cent; of several rows of a line its part.
        effective_cost: exact; what was prepaid counts when it is used.
        list_cost: `list_unit_price` times `pricing_quantity`, exact.
        contracted_cost: likewise.
        pricing_quantity: millions of tokens, accelerator-hours, or 1 of what is bought once.
        invoice_id: number of the document; empty while the period is open.
        invoice_detail_id: row of Invoice Detail that it is part of.
        contract_applied: JSON; empty for none. So are `sku_price_details` and `tags`.
    """

    availability_zone: str = ""
    billed_cost: Decimal
    billing_account_id: str
    billing_account_name: str
    billing_currency: str
    billing_period_end: str
    billing_period_start: str
    capacity_reservation_id: str = ""
    capacity_reservation_status: str = ""
    charge_category: Category
    charge_class: str = ""
    charge_description: str
    charge_frequency: str
    charge_period_end: str
    charge_period_start: str
    consumed_quantity: Decimal | None = None
    consumed_unit: str = ""
    contract_applied: str = ""
    contracted_cost: Decimal
    contracted_unit_price: Decimal | None = None
    effective_cost: Decimal
    host_provider_name: str
    invoice_detail_id: str = ""
    invoice_id: str = ""
    invoice_issuer_name: str
    list_cost: Decimal
    list_unit_price: Decimal | None = None
    pricing_category: str = ""
    pricing_currency: str
    pricing_currency_contracted_unit_price: Decimal | None = None
    pricing_currency_effective_cost: Decimal
    pricing_currency_list_unit_price: Decimal | None = None
    pricing_quantity: Decimal | None = None
    pricing_unit: str = ""
    region_id: str = ""
    region_name: str = ""
    service_category: str
    service_name: str
    service_provider_name: str
    service_subcategory: str
    sku_id: str = ""
    sku_meter: str = ""
    sku_price_details: str = ""
    sku_price_id: str = ""
    tags: str = ""


class ContractCommitment(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """What a tenant has bound itself to.

    Attributes:
        contract_commitment_cost: of the whole term, in the billing currency; None where it depends.
        contract_commitment_quantity: likewise, in `contract_commitment_unit`.
    """

    billing_currency: str
    contract_commitment_applicability: str
    contract_commitment_benefit_category: str
    contract_commitment_category: str
    contract_commitment_cost: Decimal | None
    contract_commitment_created: str
    contract_commitment_description: str
    contract_commitment_discount_percentage: Decimal | None = None
    contract_commitment_duration_type: str
    contract_commitment_fulfillment_interval: str
    contract_commitment_id: str
    contract_commitment_last_updated: str
    contract_commitment_lifecycle_status: str
    contract_commitment_model: str
    contract_commitment_offer_category: str = "Negotiated"
    contract_commitment_payment_interval: str = "Monthly"
    contract_commitment_payment_model: str
    contract_commitment_payment_upfront_percentage: Decimal
    contract_commitment_period_end: str
    contract_commitment_period_start: str
    contract_commitment_quantity: Decimal | None
    contract_commitment_type: str
    contract_commitment_unit: str
    contract_id: str
    contract_period_end: str
    contract_period_start: str
    invoice_issuer_name: str
    pricing_currency: str
    pricing_currency_contract_commitment_cost: Decimal | None
    service_provider_name: str


class BillingPeriod(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """The month, and whether all that was used in it is invoiced."""

    billing_period_created: str
    billing_period_end: str
    billing_period_last_updated: str
    billing_period_start: str
    billing_period_status: str
    invoice_issuer_name: str


class InvoiceDetail(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """A line of a document with a number: a charge, a credit that was used, or the tax."""

    billed_cost: Decimal
    billing_account_id: str
    billing_currency: str
    billing_period_end: str
    billing_period_start: str
    charge_category: Category
    invoice_detail_created: str
    invoice_detail_description: str
    invoice_detail_grain: str
    invoice_detail_id: str
    invoice_detail_last_updated: str
    invoice_id: str
    invoice_issue_date: str
    invoice_issue_status: str = "Issued"
    invoice_issuer_name: str
    payment_due_date: str = ""
    payment_terms: str
    reference_invoice_id: str


class InvoiceTotal(msgspec.Struct, frozen=True, kw_only=True):
    """What a document asks for: what its rows must come to."""

    invoice_id: str
    total: Decimal


class FocusExport(msgspec.Struct, frozen=True, kw_only=True):
    """A month as FOCUS has it.

    Attributes:
        month: UTC month.
        rows: charges, those of documents with a number first.
        commitments: that hold in the month, or that its charges refer to.
        periods: the month.
        details: lines of the documents.
        totals: of the documents.
        open_tenants: whose use of the month is not invoiced yet.
        emulated: requests and spans of emulated engines, which are left out.
    """

    month: str
    rows: tuple[CostAndUsage, ...]
    commitments: tuple[ContractCommitment, ...]
    periods: tuple[BillingPeriod, ...]
    details: tuple[InvoiceDetail, ...]
    totals: tuple[InvoiceTotal, ...]
    open_tenants: tuple[str, ...]
    emulated: int
