"""What is owed: facilities, what they cost, how they are paid back and what they demand."""
# ruff: noqa: RUF009  (`required` and `optional` return `dataclasses.field`)

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from types import MappingProxyType
from typing import Final

from neocloud.spec.assets import AMOUNT
from neocloud.spec.fields import optional, required
from neocloud.spec.kinds import Choice, Currency, Day, Money, Name, Number, Whole
from neocloud.spec.power import SHARE
from neocloud.spec.references import Declared, RateOrCurve
from neocloud.spec.structures import ListOf, Section, Values

CREDITS: Final = ("AAA", "AA", "A", "BBB", "BB", "B", "CCC", "unrated")
"""Classes of credit, the best first."""
_RATE: Final = "A rate is a part of 1 a year: write 0.06 for 6 %."


@dataclass(frozen=True, slots=True, kw_only=True)
class RatePoint:
    """A rate from a day on."""

    start: date = required(Day(), "First day of the rate.", name="date")
    rate: float = required(Number(-0.05, 1, remedy=_RATE), "The rate.", "1/year")


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseRate:
    """A floating rate and the curve that it is expected to follow."""

    key: str = required(Name(), "Name of the rate, unique in the file.", name="name")
    rates: tuple[RatePoint, ...] = required(
        ListOf(Section(RatePoint), unique=False), "Rates in the order of their days; the first "
        "holds before it, the last from then on."
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversion:
    """When a convertible, or a part of it, becomes shares."""

    day: date = required(Day(), "Day on which it is converted.", name="date")
    share: Decimal = optional(
        Money(above=0, maximum=1, remedy=SHARE), "Share of what is owed then.",
        default=Decimal(1), origin="assumption: all of it",
    )  # fmt: skip
    price_per_share: Decimal | None = optional(
        Money(above=0, maximum=1_000_000), "What is owed for one share, in the facility's "
        "currency.", "currency/share", default=None, shown="not stated", origin="nothing to print",
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Draw:
    """Money taken from a facility on a day."""

    day: date = required(Day(), "Day on which it is taken.", name="date")
    amount: Decimal = required(
        Money(above=0, maximum=AMOUNT), "Sum in the facility's currency.", "currency"
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
    min_interest_cover: float | None = optional(
        Number(0, 100), "Least EBITDA over interest of the trailing months.", default=None,
        origin="not tested unless given",
    )  # fmt: skip
    max_leverage: float | None = optional(
        Number(0, 100), "Most net debt over EBITDA of the trailing months.", default=None,
        origin="not tested unless given",
    )  # fmt: skip
    min_liquidity: Decimal | None = optional(
        Money(0, AMOUNT), "Least cash and undrawn revolvers, in the facility's currency.",
        "currency", default=None, origin="not tested unless given",
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Facility:
    """Debt: what may be drawn until when, what it costs, and how it is paid back."""

    key: str = required(Name(), "Name of the facility, unique in the file.", name="name")
    kind: str = required(
        Choice(("term_loan", "delayed_draw", "bond", "convertible", "lease", "revolver")),
        "What it is; all but `delayed_draw` and `revolver` are drawn whole at the start.",
    )  # fmt: skip
    commitment: Decimal = optional(
        Money(above=0, maximum=AMOUNT), "The most that may be drawn; of a `lease` the liability at "
        "its start.", "currency", default=Decimal(0),
        shown="of a lease the value of its payments at `margin`; else it must be given",
        origin="given by the contract",
    )  # fmt: skip
    lease_payment_per_month: Decimal | None = optional(
        Money(above=0, maximum=AMOUNT), "What a `lease` costs a month, at each month's end; give "
        "this or `commitment`.", "currency/month", default=None, shown="the annuity of "
        "`commitment`", origin="given by the contract",
    )  # fmt: skip
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
    base_rate: float | str = optional(
        RateOrCurve(), "Rate below the margin: a number, or the name of a curve of "
        "`finance.base_rates`; 0 where the margin is all.", "1/year", default=0.0,
        origin="a fixed rate unless given",
    )  # fmt: skip
    interest: str = optional(
        Choice(("fixed", "floating")), "Whether the base rate moves.", default="",
        shown="`floating` where there is a base rate, else `fixed`", origin="the usual case",
    )  # fmt: skip
    hedged_share: float = optional(
        Number(0, 1, remedy=SHARE), "Share of a floating one whose base rate is swapped into the "
        "curve as it stands: it does not move with the market.", default=0.0,
        origin="assumption: no hedge",
    )  # fmt: skip
    floor: float = optional(
        Number(0, 1, remedy=_RATE), "Least base rate.", "1/year", default=0.0,
        origin="assumption: none",
    )  # fmt: skip
    margin: float = required(Number(0, 1, remedy=_RATE), "Rate on top of the base rate.", "1/year")
    margin_by_credit: Mapping[str, float] = optional(
        Values(Choice(CREDITS), Number(0, 1, remedy=_RATE)), "Margin by the credit of the "
        "customers behind `contracts`, weighted by what they still have to pay; a class that is "
        "left out has `margin`.", make=lambda: MappingProxyType({}), shown="none",
        origin="one margin unless given",
    )  # fmt: skip
    step_up: float = optional(
        Number(0, 1, remedy=_RATE), "Added to the margin until the collateral is in service.",
        "1/year", default=0.0, origin="assumption: none",
    )  # fmt: skip
    commitment_fee: float = optional(
        Number(0, 1, remedy=_RATE), "Yearly fee on what is not drawn.", "1/year", default=0.0,
        origin="assumption: none",
    )  # fmt: skip
    day_count: str = optional(
        Choice(("actual/360", "actual/365", "30/360")), "How days of interest are counted.",
        default="", shown="`actual/360` where floating, else `30/360`",
        origin="the usual terms of loans and of bonds in dollars",
    )  # fmt: skip
    payment_months: int = optional(
        Whole(1, 12), "Months from one payment to the next.", "months", default=3,
        shown="3; 1 for `lease`, 6 for `bond` and `convertible`", origin="the usual terms",
    )  # fmt: skip
    amortisation: str = optional(
        Choice(("annuity", "straight", "sculpted", "bullet")), "How it is paid back; the usual "
        "case is `bullet` for bonds, convertibles and revolvers.",
        default="annuity", origin="assumption: equal payments",
    )  # fmt: skip
    grace_months: int | None = optional(
        Whole(0, 120), "Months from the start in which nothing is paid back.", "months",
        default=None, shown="none; of `delayed_draw` until it is in service and no longer drawn",
        origin="the usual terms",
    )  # fmt: skip
    target_dscr: float | None = optional(
        Number(above=0.5, maximum=10), "Cover that a `sculpted` one keeps.", default=None,
        shown="the one that pays it back exactly", origin="no limit unless agreed",
    )  # fmt: skip
    construction_interest: str = optional(
        Choice(("expensed", "capitalised", "rolled_up")), "Interest before it is in service: "
        "`expensed`, paid and a cost of the month; `capitalised`, paid and a cost of the "
        "collateral (IAS 23, ASC 835-20); `rolled_up`, added to what is owed and to that cost.",
        default="expensed", origin="the careful side for earnings",
    )  # fmt: skip
    outstanding: Decimal | None = optional(
        Money(0, AMOUNT), "What is owed on the first day of `finance.start`, where it was drawn "
        "before.", "currency", default=None, shown="what `draws` before that day come to",
        origin="nothing was paid back unless given",
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
    reserve: Decimal = optional(
        Money(0, AMOUNT), "What lies in its reserve account on that day.", "currency",
        default=Decimal(0), origin="assumption: filled from the first payments on",
    )  # fmt: skip
    conversion: Conversion | None = optional(
        Section(Conversion), "When a `convertible` becomes shares.", default=None,
        shown="never: it is paid back", origin="the careful side",
    )  # fmt: skip
    covenants: Covenants | None = optional(
        Section(Covenants), "What it demands.", default=None, shown="nothing", origin="assumption"
    )
