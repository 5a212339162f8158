"""What a company starts from, earns by the hour and pays to run, beside its pools."""
# ruff: noqa: RUF009  (`required` and `optional` return `dataclasses.field`)

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from neocloud.spec.assets import AMOUNT
from neocloud.spec.debt import CREDITS
from neocloud.spec.fields import optional, required
from neocloud.spec.kinds import Choice, Currency, Day, Money, Name, Number, Whole
from neocloud.spec.power import SHARE
from neocloud.spec.references import ACCELERATOR, Declared
from neocloud.spec.structures import ListOf

COST_KINDS = (
    "power", "fuel", "colocation", "staff", "maintenance", "network", "bandwidth", "insurance",
    "overhead", "rent", "other",
)  # fmt: skip
"""What running costs are for."""
COST_BASES = ("per_month", "per_mw_month", "per_accelerator_hour", "share_of_revenue")
"""Keys of an operating cost of which the file must give one and no more."""
_SITE = Declared("site", "sites", "E203")


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """What a running company owns and owes on the first day. Owners' equity follows."""

    property_cost: Decimal = optional(
        Money(0, AMOUNT), "What property in service cost that is not among the assets.",
        "currency", default=Decimal(0), origin="assumption: the assets are all",
    )  # fmt: skip
    property_net: Decimal | None = optional(
        Money(0, AMOUNT), "What it stands at in the books.", "currency", default=None,
        shown="its cost", origin="assumption: it is new",
    )  # fmt: skip
    property_months: int = optional(
        Whole(1, 600), "Months over which that is still depreciated, to nothing.", "months",
        default=60, origin="assumption: as `finance.life_years`",
    )  # fmt: skip
    receivables: Decimal = optional(
        Money(0, AMOUNT), "Owed by customers; paid within `finance.receivable_days`.", "currency",
        default=Decimal(0), origin="assumption",
    )  # fmt: skip
    payables: Decimal = optional(
        Money(0, AMOUNT), "Owed to suppliers; paid within `finance.payable_days`.", "currency",
        default=Decimal(0), origin="assumption",
    )  # fmt: skip
    contract_liabilities: Decimal = optional(
        Money(0, AMOUNT), "Paid by customers ahead of delivery, beside the prepayments that the "
        "contracts say.", "currency", default=Decimal(0), origin="assumption",
    )  # fmt: skip
    contract_liability_months: int = optional(
        Whole(1, 600), "Months over which that is delivered, evenly.", "months", default=48,
        origin="assumption: the usual term of contracts is four to five years",
    )  # fmt: skip
    tax_losses: Decimal = optional(
        Money(0, AMOUNT), "Losses of earlier years that tax still counts.", "currency",
        default=Decimal(0), origin="assumption",
    )  # fmt: skip
    paid_in: Decimal = optional(
        Money(0, AMOUNT), "Of the equity, what owners paid in so far; earnings that were kept, or "
        "lost, are the rest.", "currency", default=Decimal(0), origin="assumption",
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Merchant:
    """Accelerator-hours that are sold on the day's market, without a contract."""

    key: str = required(Name(), "Name of the business, unique in the file.", name="name")
    accelerator: str | None = optional(
        ACCELERATOR, "Of what.", default=None, shown="of all that no other entry names",
        origin="one business is the usual case",
    )  # fmt: skip
    price: Decimal = required(
        Money(0, 1_000_000, remedy="Write a price per accelerator-hour: 2.35, not a year's."),
        "Price at the start.", "currency/accelerator-hour",
    )  # fmt: skip
    currency: str = optional(
        Currency(), "Currency of the price.", default="", shown="the cloud's",
        origin="the cloud's currency",
    )  # fmt: skip
    price_change_per_year: float = optional(
        Number(-1, 10, remedy=SHARE), "How the price moves.", "1/year", default=0.0,
        origin="assumption: it stays; a year's H100 fell 40 % to 2025-10 and rose 38 % to 2026-03",
    )  # fmt: skip
    utilisation: float = required(
        Number(0, 1, remedy=SHARE), "Share of the hours left free that is sold."
    )
    start: date | None = optional(
        Day(), "First day of sales.", default=None, shown="from the first day", origin="assumption"
    )
    ramp_months: int = optional(
        Whole(0, 120), "Months until the utilisation is reached, evenly.", "months", default=0,
        origin="assumption: at once",
    )  # fmt: skip
    purpose: str = optional(
        Choice(("training", "inference", "backfill", "test")), "What they are used for, most of "
        "them.", default="training", origin="as of contracts for whole accelerators",
    )  # fmt: skip
    credit: str = optional(
        Choice(CREDITS), "Credit of those who buy, taken together.", default="unrated",
        origin="nothing is known unless given",
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatingCost:
    """A running cost that follows from no site or pool."""

    key: str = required(Name(), "Name of the cost, unique in the file.", name="name")
    kind: str = required(Choice(COST_KINDS), "What it is for.")
    site: str | None = optional(
        _SITE, "Where it arises.", default=None, shown="at no one site", origin="assumption"
    )
    per_month: Decimal | None = optional(
        Money(0, AMOUNT), "Sum a month; give this or one of the three below.", "currency/month",
        default=None, origin="one of the four must be given",
    )  # fmt: skip
    per_mw_month: Decimal | None = optional(
        Money(0, AMOUNT), "Sum a month for each active MW, of the site or of all.",
        "currency/MW-month", default=None, origin="one of the four must be given",
    )  # fmt: skip
    per_accelerator_hour: Decimal | None = optional(
        Money(0, 1_000_000), "Sum for each hour of an accelerator that stands there, sold or not.",
        "currency/accelerator-hour", default=None, origin="one of the four must be given",
    )  # fmt: skip
    share_of_revenue: float | None = optional(
        Number(0, 5, remedy=SHARE), "Share of the revenue that is expected.", default=None,
        origin="one of the four must be given",
    )  # fmt: skip
    currency: str = optional(
        Currency(), "Currency of the sum.", default="", shown="the cloud's",
        origin="the cloud's currency",
    )  # fmt: skip
    variable_share: float | None = optional(
        Number(0, 1, remedy=SHARE), "Part of it that falls with use.", default=None,
        shown="1 for `share_of_revenue`, else 0", origin="assumption",
    )  # fmt: skip
    growth_per_year: float = optional(
        Number(-1, 10, remedy=SHARE), "How it grows.", "1/year", default=0.0,
        origin="assumption: it stays",
    )  # fmt: skip
    start: date | None = optional(
        Day(), "First day.", default=None, shown="from the first day", origin="assumption"
    )
    end: date | None = optional(
        Day(), "Day after the last.", default=None, shown="none", origin="assumption"
    )
    contracts: tuple[str, ...] = optional(
        ListOf(Declared("contract", "contracts", "E216")), "Contracts that it is incurred for "
        "alone.", default=(), shown="all revenue bears it alike", origin="assumption",
    )  # fmt: skip
    requires: tuple[str, ...] = optional(
        ListOf(Declared("asset", "finance.assets", "E217")), "Assets before whose service nothing "
        "of it is due.", default=(), shown="none", origin="assumption",
    )  # fmt: skip
