"""What money costs, what is owned and owed, and who sends the invoices."""
# ruff: noqa: RUF009  (`required` and `optional` return `dataclasses.field`)

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Final

from neocloud.spec.fields import optional, required
from neocloud.spec.kinds import Choice, Currency, Day, Money, Name, Number, Text, Whole
from neocloud.spec.power import SHARE
from neocloud.spec.references import Declared
from neocloud.spec.structures import ListOf, Section

_AMOUNT: Final = 10**13
_RATE: Final = "A rate is a part of 1 a year: write 0.06 for 6 %."
_SITE: Final = Declared("site", "sites", "E203")


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    """A part of a price and when it is due."""

    months_before_service: int = required(
        Whole(0, 120), "Months before the asset is in service; 0 on the day.", "months"
    )
    share: Decimal = required(Money(above=0, maximum=1, remedy=SHARE), "Share of the price.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    """Something bought or built; of several the latest sets the day of service."""

    key: str = required(Name(), "Name of the asset, unique in the file.", name="name")
    kind: str = required(
        Choice((
            "accelerators", "networking", "storage", "cooling", "transformers", "generation",
            "shell", "land", "other",
        )), "What it is; costs are followed by kind.",
    )  # fmt: skip
    site: str | None = optional(
        _SITE, "Where it stands.", default=None, shown="of no one site", origin="assumption"
    )
    price: Decimal = required(Money(0, _AMOUNT), "What it costs, installed.", "currency")
    currency: str = optional(
        Currency(), "Currency of the price.", default="", shown="the cloud's",
        origin="the cloud's currency",
    )  # fmt: skip
    ordered: date | None = optional(
        Day(), "Day of the order.", default=None, shown="as `in_service`",
        origin="assumption: no lead time",
    )  # fmt: skip
    in_service: date = required(Day(), "Day of service: depreciation runs from then on.")
    life_years: float | None = optional(
        Number(1, 60), "Years of depreciation.", "years", default=None,
        shown="`finance.life_years`", origin="see there",
    )  # fmt: skip
    residual_share: float | None = optional(
        Number(0, 1, remedy=SHARE), "Share of the price that is left at the end.", default=None,
        shown="`finance.residual_share`", origin="see there",
    )  # fmt: skip
    price_change_per_year: float = optional(
        Number(-1, 10, remedy=SHARE), "How the price of the next one moves.", "1/year",
        default=0.0, origin="assumption: it stays",
    )  # fmt: skip
    payments: tuple[Payment, ...] = optional(
        ListOf(Section(Payment), unique=False), "When it is paid; the shares sum to 1.",
        default=(), shown="whole, in service", origin="assumption",
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Draw:
    """Money taken from a facility on a day."""

    day: date = required(Day(), "Day on which it is taken.", name="date")
    amount: Decimal = required(
        Money(above=0, maximum=_AMOUNT), "Sum in the facility's currency.", "currency"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Covenants:
    """What a facility demands; a level that is left out is not tested."""

    min_dscr: float | None = optional(
        Number(0, 10), "Least debt service cover, trailing twelve months.", default=None,
        origin="levels seen: 1.30 where contracted, 1.45 where not (lenders' statements)",
    )  # fmt: skip
    min_llcr: float | None = optional(
        Number(0, 10), "Least loan life cover.", default=None,
        origin="level seen: 1.40 (lenders' statements)",
    )  # fmt: skip
    max_ltv: float | None = optional(
        Number(above=0, maximum=2, remedy=SHARE), "Most debt over the collateral's value.",
        default=None, origin="levels seen: 0.50 to 0.80 (lenders' statements)",
    )  # fmt: skip
    lock_up_dscr: float | None = optional(
        Number(0, 10), "Cover below which nothing is paid out.", default=None,
        origin="levels seen: 1.10 to 1.25 (lenders' statements)",
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Facility:
    """Debt: what may be drawn until when, what it costs, and how it is paid back."""

    key: str = required(Name(), "Name of the facility, unique in the file.", name="name")
    kind: str = required(
        Choice(("term_loan", "delayed_draw", "bond", "convertible", "lease", "revolver")),
        "What it is; all but `delayed_draw` and `revolver` are drawn whole at the start.",
    )  # fmt: skip
    commitment: Decimal = required(
        Money(above=0, maximum=_AMOUNT), "The most that may be drawn.", "currency"
    )
    currency: str = optional(
        Currency(), "Currency of the facility.", default="", shown="the cloud's",
        origin="the cloud's currency",
    )  # fmt: skip
    start: date = required(Day(), "Day of signing: nothing is drawn before it.")
    available_until: date | None = optional(
        Day(), "Last day on which it may be drawn.", default=None, shown="as `start`",
        origin="assumption: drawn at signing",
    )  # fmt: skip
    maturity: date = required(Day(), "Day by which all is paid back.")
    draws: tuple[Draw, ...] = optional(
        ListOf(Section(Draw), unique=False), "What is drawn when.", default=(),
        shown="all at the start; as needed for `delayed_draw` and `revolver`",
        origin="assumption",
    )  # fmt: skip
    base_rate: float = optional(
        Number(0, 1, remedy=_RATE), "Floating rate below the margin; 0 where the margin is all.",
        "1/year", default=0.0, origin="a fixed rate unless given",
    )  # fmt: skip
    floor: float = optional(
        Number(0, 1, remedy=_RATE), "Least base rate.", "1/year", default=0.0,
        origin="assumption: none",
    )  # fmt: skip
    margin: float = required(Number(0, 1, remedy=_RATE), "Rate on top of the base rate.", "1/year")
    step_up: float = optional(
        Number(0, 1, remedy=_RATE), "Added to the margin until the collateral is in service.",
        "1/year", default=0.0, origin="assumption: none",
    )  # fmt: skip
    commitment_fee: float = optional(
        Number(0, 1, remedy=_RATE), "Yearly fee on what is not drawn.", "1/year", default=0.0,
        origin="assumption: none",
    )  # fmt: skip
    amortisation: str = optional(
        Choice(("annuity", "straight", "sculpted", "bullet")), "How it is paid back.",
        default="annuity", origin="assumption: equal payments",
    )  # fmt: skip
    advance_rate: float | None = optional(
        Number(above=0, maximum=1, remedy=SHARE), "Most that is lent on the collateral's price; "
        "needs `collateral`.", default=None, shown="no limit", origin="assumption",
    )  # fmt: skip
    sweep_share: float = optional(
        Number(0, 1, remedy=SHARE), "Share of the cash that is left which pays back early.",
        default=0.0, origin="assumption: none",
    )  # fmt: skip
    dsra_months: int = optional(
        Whole(0, 24), "Months of debt service that are kept in reserve.", "months", default=0,
        origin="assumption: none; lenders ask 6 to 12",
    )  # fmt: skip
    contracts: tuple[str, ...] = optional(
        ListOf(Declared("contract", "contracts", "E216")), "Contracts that stand behind it.",
        default=(), shown="none", origin="assumption: the whole company stands behind it",
    )  # fmt: skip
    collateral: tuple[str, ...] = optional(
        ListOf(Declared("asset", "finance.assets", "E217")), "Assets that secure it.", default=(),
        shown="none", origin="assumption: unsecured",
    )  # fmt: skip
    covenants: Covenants | None = optional(
        Section(Covenants), "What it demands.", default=None, shown="nothing", origin="assumption"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class EquityPayment:
    """Money that owners put in on a day."""

    day: date = required(Day(), "Day on which it is paid in.", name="date")
    amount: Decimal = required(
        Money(above=0, maximum=_AMOUNT), "Sum in the cloud's currency.", "currency"
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
    tax_rate: float = optional(
        Number(0, 1, remedy=SHARE), "Tax on profit.", default=0.0,
        origin="assumption: none unless given", later="stress",
    )  # fmt: skip
    opening_cash: Decimal = optional(
        Money(0, _AMOUNT), "Cash on the first day.", "currency", default=Decimal(0),
        origin="assumption", later="stress",
    )  # fmt: skip
    minimum_cash: Decimal = optional(
        Money(0, _AMOUNT), "Cash below which the runway ends.", "currency", default=Decimal(0),
        origin="assumption", later="stress",
    )  # fmt: skip
    receivable_days: int = optional(
        Whole(0, 365), "Days until tenants pay.", "days", default=30, origin="assumption",
        later="stress",
    )  # fmt: skip
    payable_days: int = optional(
        Whole(0, 365), "Days until suppliers are paid.", "days", default=30, origin="assumption",
        later="stress",
    )  # fmt: skip
    assets: tuple[Asset, ...] = optional(
        ListOf(Section(Asset), unique=False), "What is bought and built.", default=(),
        shown="none", origin="assumption: the pools alone", later="stress",
    )  # fmt: skip
    debt: tuple[Facility, ...] = optional(
        ListOf(Section(Facility), unique=False), "Facilities, senior first.", default=(),
        shown="none", origin="assumption", later="stress",
    )  # fmt: skip
    equity: tuple[EquityPayment, ...] = optional(
        ListOf(Section(EquityPayment), unique=False), "What owners pay in.", default=(),
        shown="none", origin="assumption", later="stress",
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
