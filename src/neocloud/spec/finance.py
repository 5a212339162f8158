"""What money costs, what is owned and owed, and who sends the invoices."""
# ruff: noqa: RUF009  (`required` and `optional` return `dataclasses.field`)

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from neocloud.spec.assets import AMOUNT, Asset
from neocloud.spec.debt import BaseRate, Facility
from neocloud.spec.fields import optional, required
from neocloud.spec.kinds import Day, Money, Name, Number, Text, Whole
from neocloud.spec.operations import Merchant, Opening, OperatingCost
from neocloud.spec.power import SHARE
from neocloud.spec.structures import ListOf, Section


@dataclass(frozen=True, slots=True, kw_only=True)
class EquityPayment:
    """Money that owners put in on a day."""

    day: date = required(Day(), "Day on which it is paid in.", name="date")
    amount: Decimal = required(
        Money(above=0, maximum=AMOUNT), "Sum in the cloud's currency.", "currency"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Finance:
    """What money costs, and what is owned and owed."""

    cost_of_capital: float = optional(
        Number(0, 1, remedy=SHARE), "Yearly rate at which capital must be recovered.", "1/year",
        default=0.10,
        origin="CoreWeave's interest on average debt was about 11 % in 2025; later loans 6 to 9 %",
    )  # fmt: skip
    life_years: float = optional(
        Number(1, 20), "Years over which a pool's price is recovered, unless the pool says.",
        "years", default=5.0,
        origin="between CoreWeave's 6 years and Nebius' 4 (annual reports, 2025)",
    )  # fmt: skip
    residual_share: float = optional(
        Number(0, 1, remedy=SHARE), "Share of the price that nodes are worth at the end, unless "
        "the pool says.", default=0.0, origin="assumption: the careful side",
    )  # fmt: skip
    maintenance_share_per_year: float = optional(
        Number(0, 1, remedy=SHARE), "Repairs, spares and support a year, as a share of the price, "
        "unless the pool says.", "1/year", default=0.03,
        origin="assumption: common for servers after warranty",
    )  # fmt: skip
    insurance_share_per_year: float = optional(
        Number(0, 1, remedy=SHARE), "Insurance and property tax a year, as a share of the price.",
        "1/year", default=0.0, origin="assumption: none unless given; it differs by place",
    )  # fmt: skip
    staff_per_accelerator_hour: Decimal = optional(
        Money(0, 100), "People who run the pools.", "currency/accelerator-hour",
        default=Decimal(0), origin="assumption: none unless given; no operator publishes it",
    )  # fmt: skip
    network_per_accelerator_hour: Decimal = optional(
        Money(0, 100), "Links between sites, addresses and ports: all but traffic by the GB.",
        "currency/accelerator-hour", default=Decimal(0),
        origin="assumption: none unless given",
    )  # fmt: skip
    overhead_share: float = optional(
        Number(0, 5, remedy=SHARE), "Sales, administration and software, as a share of the other "
        "operating cost.", default=0.0, origin="assumption: none unless given",
    )  # fmt: skip
    start: date | None = optional(
        Day(), "First day of the months that are reckoned; the month's first counts.",
        default=None, shown="month of the first contract, asset, facility or payment",
        origin="nothing happens before",
    )  # fmt: skip
    months: int | None = optional(
        Whole(1, 600, remedy="Write months: 120 for ten years."), "How many months are reckoned.",
        "months", default=None,
        shown="to the end of the last contract and facility, 240 at most; 60 without either",
        origin="the life of the contracts and of the debt",
    )  # fmt: skip
    opening: Opening | None = optional(
        Section(Opening), "What is owned and owed on the first day, beside what the assets, "
        "facilities, prepayments and `opening_cash` say.", default=None, shown="nothing more",
        origin="a new company",
    )  # fmt: skip
    tax_rate: float = optional(
        Number(0, 1, remedy=SHARE), "Tax on profit.", default=0.0,
        origin="assumption: none unless given",
    )  # fmt: skip
    tax_loss_share: float = optional(
        Number(0, 1, remedy=SHARE), "Most of a profit that earlier losses may be set against.",
        default=1.0, origin="assumption: all of it; 0.8 by federal law in the United States",
    )  # fmt: skip
    opening_cash: Decimal = optional(
        Money(0, AMOUNT), "Cash on the first day.", "currency", default=Decimal(0),
        origin="assumption",
    )  # fmt: skip
    minimum_cash: Decimal = optional(
        Money(0, AMOUNT), "Cash below which the runway ends.", "currency", default=Decimal(0),
        origin="assumption",
    )  # fmt: skip
    receivable_days: int = optional(
        Whole(0, 365), "Days until tenants pay.", "days", default=30, origin="assumption",
    )  # fmt: skip
    payable_days: int = optional(
        Whole(0, 365), "Days until suppliers are paid.", "days", default=30, origin="assumption",
    )  # fmt: skip
    dividend_share: float = optional(
        Number(0, 1, remedy=SHARE), "Share of the cash above `minimum_cash` that is paid to "
        "owners, where no facility locks it up.", default=0.0,
        origin="assumption: it stays in the company",
    )  # fmt: skip
    dividends_from: date | None = optional(
        Day(), "First day on which owners may be paid.", default=None, shown="from the first day",
        origin="assumption",
    )  # fmt: skip
    power_load: float = optional(
        Number(0, 1, remedy=SHARE), "Power of accelerators that stand without a pool or a plan, as "
        "a share of what their nodes may draw.", default=0.8,
        origin="assumption: between a node at rest and one at its limit",
    )  # fmt: skip
    token_price_change_per_year: float = optional(
        Number(-1, 10, remedy=SHARE), "How prices of tokens move, beside the changes that they "
        "say themselves.", "1/year", default=0.0, origin="assumption: they stay",
    )  # fmt: skip
    merchant: tuple[Merchant, ...] = optional(
        ListOf(Section(Merchant), unique=False), "What accelerators earn that no contract holds "
        "and no model needs.", default=(), shown="nothing", origin="the careful side",
    )  # fmt: skip
    costs: tuple[OperatingCost, ...] = optional(
        ListOf(Section(OperatingCost), unique=False), "Running costs beside those of sites and "
        "pools.", default=(), shown="none", origin="assumption",
    )  # fmt: skip
    base_rates: tuple[BaseRate, ...] = optional(
        ListOf(Section(BaseRate), unique=False), "Curves of floating rates.", default=(),
        shown="none", origin="facilities may give a number",
    )  # fmt: skip
    assets: tuple[Asset, ...] = optional(
        ListOf(Section(Asset), unique=False), "What is bought and built.", default=(),
        shown="none", origin="assumption: the pools alone",
    )  # fmt: skip
    debt: tuple[Facility, ...] = optional(
        ListOf(Section(Facility), unique=False), "Facilities, senior first.", default=(),
        shown="none", origin="assumption",
    )  # fmt: skip
    equity: tuple[EquityPayment, ...] = optional(
        ListOf(Section(EquityPayment), unique=False), "What owners pay in.", default=(),
        shown="none", origin="assumption",
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Billing:
    """Who sends the invoices, and how."""

    seller: str = optional(
        Text(200), "Name on the invoices.", default="", shown="the cloud's name",
        origin="the cloud's name",
    )  # fmt: skip
    address: str = optional(
        Text(1000, blank=True), "Address of the seller.", default="", origin="nothing to print"
    )
    tax_id: str = optional(
        Text(50, blank=True), "Its tax number.", default="", origin="nothing to print"
    )
    payment: str = optional(
        Text(1000, blank=True), "How to pay, as an account: stands on the invoices.", default="",
        origin="nothing to print",
    )  # fmt: skip
    invoice_prefix: str = optional(
        Name(), "What stands before an invoice's number.", default="INV", origin="assumption"
    )
    payment_days: int = optional(
        Whole(0, 365), "Days until an invoice is due.", "days", default=30, origin="assumption"
    )
    grace_hours: int = optional(
        Whole(0, 24 * 31), "Hours after a period in which late events still count in it.", "h",
        default=72, origin="assumption: three days",
    )  # fmt: skip
