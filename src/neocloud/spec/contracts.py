"""What is sold for a term: contracts with tenants; and what is bought by the hour: rental."""
# ruff: noqa: RUF009  (`required` and `optional` return `dataclasses.field`)

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Final

from neocloud.spec.fields import optional, required
from neocloud.spec.kinds import Choice, Currency, Day, Money, Name, Number, Whole
from neocloud.spec.power import SHARE
from neocloud.spec.references import ACCELERATOR, PROVIDER, Declared
from neocloud.spec.structures import ListOf, Section
from neocloud.spec.terms import ServiceLevel

_PER_HOUR: Final = "Write a price per accelerator-hour: 2.91, not a year's."
_AMOUNT: Final = 10**13


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceStep:
    """The price of a contract from a day on."""

    start: date = required(Day(), "First day of the price.", name="date")
    price: Decimal = required(
        Money(0, 1_000_000), "Price from then on, in the contract's unit and currency.",
        "currency/unit",
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepayment:
    """Money that the tenant pays before delivery: a liability, released over the term."""

    day: date = required(Day(), "Day on which it is received.", name="date")
    share: Decimal | None = optional(
        Money(0, 1, remedy=SHARE), "Share of the contract's value; give this or `amount`.",
        default=None, origin="one of the two must be given",
    )  # fmt: skip
    amount: Decimal | None = optional(
        Money(0, _AMOUNT), "Sum in the contract's currency.", "currency", default=None,
        origin="one of the two must be given",
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Termination:
    """How the tenant may leave before the end."""

    after_months: int = optional(
        Whole(0, 600), "Months from the start in which it may not.", "months", default=0,
        origin="assumption: at any time",
    )  # fmt: skip
    notice_months: int = optional(
        Whole(0, 120), "Months of notice.", "months", default=0, origin="assumption: none"
    )
    fee_share: Decimal = optional(
        Money(0, 1, remedy=SHARE), "Share of the value that remains which it pays.",
        default=Decimal(0), origin="assumption: nothing, the careful side",
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Extension:
    """An option of the tenant to go on after the end."""

    months: int = required(Whole(1, 600), "Months by which it goes on.", "months")
    probability: float = required(
        Number(0, 1, remedy=SHARE), "Chance that the tenant takes it. Counted as pipeline."
    )
    price: Decimal | None = optional(
        Money(0, 1_000_000, remedy=_PER_HOUR), "Price from then on, in the contract's unit.",
        "currency/unit", default=None, shown="the last one", origin="assumption: it stays",
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """What a tenant has bound itself to. Contracts with a `probability` below 1 are pipeline."""

    key: str = required(Name(), "Name of the contract, unique in the file.", name="name")
    tenant: str = required(Declared("tenant", "tenants", "E202"), "Who has signed.")
    kind: str = optional(
        Choice(("reserved", "dedicated", "provisioned", "last_resort")),
        "`reserved`: accelerators for the term; `dedicated`: replicas of `model`; `provisioned`: "
        "a rate of tokens of `model`, use it or lose it; `last_resort`: bought only if it is not "
        "sold to others.", default="reserved", origin="the usual case",
    )  # fmt: skip
    purpose: str = optional(
        Choice(("training", "inference", "backfill", "test")), "What the accelerators of a "
        "`reserved` or `last_resort` one are held for, as they are metered.", default="training",
        origin="assumption: who takes whole accelerators for a term trains",
    )  # fmt: skip
    accelerator: str | None = optional(
        ACCELERATOR, "What is reserved.", default=None, shown="any", origin="assumption"
    )
    accelerators: int = optional(
        Whole(0, 10_000_000), "How many; all kinds but `provisioned` need it.", "accelerators",
        default=0, origin="given by the contract",
    )  # fmt: skip
    model: str | None = optional(
        Declared("model", "models", "E201"), "Model that is served; `dedicated` and `provisioned` "
        "need it.", default=None, origin="given by the contract",
    )  # fmt: skip
    tokens_per_s: float | None = optional(
        Number(above=0, maximum=1_000_000_000), "Rate that is held; `provisioned` needs it.",
        "tokens/s", default=None, origin="given by the contract",
    )  # fmt: skip
    sites: tuple[str, ...] | None = optional(
        ListOf(Declared("site", "sites", "E203")), "Where it may be delivered.", default=None,
        shown="all", origin="no limit unless agreed",
    )  # fmt: skip
    start: date = required(Day(), "First day of the term.")
    term_months: int = required(
        Whole(1, 600, remedy="Write months: 60 for five years."), "Length of the term.", "months"
    )
    price: Decimal = required(
        Money(0, 1_000_000, remedy=_PER_HOUR), "Price at the start: of an accelerator-hour, or of "
        "a million tokens for `provisioned`.", "currency/unit",
    )  # fmt: skip
    currency: str = optional(
        Currency(), "Currency of the contract.", default="", shown="the cloud's",
        origin="the cloud's currency",
    )  # fmt: skip
    price_steps: tuple[PriceStep, ...] = optional(
        ListOf(Section(PriceStep), unique=False), "Later prices, in the order of their days, all "
        "within the term.", default=(), shown="none", origin="assumption: one price",
    )  # fmt: skip
    take_or_pay: Decimal = optional(
        Money(0, 1, remedy=SHARE), "Share that is paid whether used or not.", default=Decimal(1),
        origin="reservations are paid whole; a tranche of last resort too",
    )  # fmt: skip
    true_up_months: int = optional(
        Whole(1, 120), "Months, from that of the start on, over which more and less use even out "
        "before a shortfall is charged.", "months", default=1, origin="assumption: each month",
    )  # fmt: skip
    carry_over_months: int = optional(
        Whole(0, 120), "Months after that of its charge in which a shortfall may still be used.",
        "months", default=0, origin="use it or lose it, unless agreed",
    )  # fmt: skip
    service_level: ServiceLevel | None = optional(
        Section(ServiceLevel), "What is promised, and given back where it is missed.",
        default=None, shown="no promise", origin="no promise unless agreed",
    )  # fmt: skip
    prepayments: tuple[Prepayment, ...] = optional(
        ListOf(Section(Prepayment), unique=False), "What is paid before delivery.", default=(),
        shown="none", origin="assumption",
    )  # fmt: skip
    termination: Termination | None = optional(
        Section(Termination), "How the tenant may leave.", default=None, shown="it may not",
        origin="the usual take-or-pay contract",
    )  # fmt: skip
    probability: float = optional(
        Number(above=0, maximum=1, remedy=SHARE), "Chance that it is signed; 1 where it is.",
        default=1.0, origin="a contract is signed unless it says",
    )  # fmt: skip
    signed: date | None = optional(
        Day(), "Day on which it was signed; of one that is pipeline, on which it is expected to "
        "be.", default=None, shown="the earlier of the start and the first prepayment",
        origin="assumption: the latest that it can be",
    )  # fmt: skip
    requires: tuple[str, ...] = optional(
        ListOf(Declared("asset", "finance.assets", "E217")), "Assets that must be in service "
        "before anything is delivered.", default=(), shown="none",
        origin="assumption: what stands there suffices",
    )  # fmt: skip
    expected_delivery: float = optional(
        Number(above=0, maximum=1, remedy=SHARE), "Share of its hours that can be delivered on "
        "average and is paid, for `report` and `stress`; invoices go by what is metered.",
        default=1.0, origin="a reservation is paid in full unless the service level is missed",
    )  # fmt: skip
    expected_use: float | None = optional(
        Number(0, 1, remedy=SHARE), "Share of its hours that the tenant uses where less than all "
        "is paid whether used or not.", default=None, shown="what `take_or_pay` says",
        origin="the careful side",
    )  # fmt: skip
    extensions: tuple[Extension, ...] = optional(
        ListOf(Section(Extension), unique=False), "Options of the tenant to go on, one after the "
        "other.", default=(), shown="none", origin="it ends unless agreed",
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Rental:
    """Accelerators of others, by the hour, where that is cheaper or one's own do not suffice."""

    providers: tuple[str, ...] = required(
        ListOf(PROVIDER), "Who may be rented from, by the names of the catalog's price list."
    )
    accelerators: tuple[str, ...] | None = optional(
        ListOf(ACCELERATOR), "What may be rented.", default=None, shown="all that have a price",
        origin="no limit unless asked for",
    )  # fmt: skip
    max_price_per_accelerator_hour: Decimal | None = optional(
        Money(above=0, maximum=1_000_000, remedy=_PER_HOUR), "The most to pay.",
        "currency/accelerator-hour", default=None, shown="no limit",
        origin="no limit unless asked for",
    )  # fmt: skip
    currency: str = optional(
        Currency(), "Currency of that price.", default="", shown="the cloud's",
        origin="the cloud's currency",
    )  # fmt: skip
    max_accelerators: int | None = optional(
        Whole(1, 10_000_000), "The most to rent at once.", "accelerators", default=None,
        shown="no limit", origin="no limit unless asked for",
    )  # fmt: skip
    network_usd_per_gb: Decimal = optional(
        Money(0, 10), "Price of traffic from there.", "USD/GB", default=Decimal("0.0024"),
        origin="as at a site of one's own; the largest providers ask 0.05 to 0.12",
    )  # fmt: skip
    tiers: tuple[str, ...] = optional(
        ListOf(Choice(("on-demand", "reserved", "spot"))), "Which of the catalog's prices count.",
        default=("on-demand",), origin="no obligation unless asked for",
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantLimits:
    """How much a tenant may ask at once; none unless given."""

    requests_per_minute: int | None = optional(
        Whole(1, 1_000_000_000), "Requests a minute.", "1/min", default=None, origin="no limit"
    )
    tokens_per_minute: int | None = optional(
        Whole(1, 1_000_000_000_000), "Prompt and answer tokens a minute.", "tokens/min",
        default=None, origin="no limit",
    )  # fmt: skip
    concurrent_requests: int | None = optional(
        Whole(1, 10_000_000), "Requests in flight.", "requests", default=None, origin="no limit"
    )
