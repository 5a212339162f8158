"""What tenants pay beyond the plain prices: tiers, later prices, adjustments, accelerator-hours."""
# ruff: noqa: RUF009  (`required` and `optional` return `dataclasses.field`)

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Final

from neocloud.spec.fields import optional, required
from neocloud.spec.kinds import Choice, Day, Money, Name, Pattern
from neocloud.spec.references import ACCELERATOR, Declared
from neocloud.spec.serving import TokenPrices
from neocloud.spec.structures import ListOf, Section

APIS: Final = ("chat", "completions", "responses", "messages", "embeddings", "batch")
STATUSES: Final = ("completed", "aborted", "failed", "interrupted")
_HOUR = "([01]?[0-9]|2[0-3])"
_HOURS = Pattern(f"{_HOUR}-({_HOUR}|24)", "hours as 22-6: from the first, up to the second")
_POOL = r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}"
_KEY: Final = r"[A-Za-z0-9][A-Za-z0-9._-]{3,62}"
_TIER: Final = r"[a-z][a-z0-9_-]{0,31}"
_SHARE: Final = "Write a share of the price: -0.5 halves it, 0.25 adds a quarter."
_PER_HOUR: Final = "Write a price per accelerator-hour: 2.91, not a year's."


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenPricesApart(TokenPrices):
    """Prices of a million tokens, those of reasoning apart where they are."""

    reasoning: Decimal | None = optional(
        Money(0, 100_000, decimals=6), "Price of generated tokens that are reasoning.",
        "currency/Mtok", default=None, shown="as `output`", origin="the usual case",
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceTier(TokenPricesApart):
    """Prices from a month's sum of tokens on."""

    above_mtok: Decimal = required(
        Money(above=0, maximum=10**9, decimals=6), "Million tokens of a kind (input, cached "
        "input, output, reasoning) of this model in a calendar month (UTC) above which the tier's "
        "prices hold.", "Mtok",
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class TieredPrices(TokenPricesApart):
    """Prices of a million tokens, by tiers where there are some."""

    tiering: str = optional(
        Choice(("graduated", "volume")), "`graduated`: each tier prices the tokens within it; "
        "`volume`: the tier that the month's sum reaches prices all of them.",
        default="graduated", origin="no token becomes dearer or cheaper by those after it",
    )  # fmt: skip
    tiers: tuple[PriceTier, ...] = optional(
        ListOf(Section(PriceTier), unique=False), "Tiers after the first, in the order of "
        "`above_mtok`.", default=(), shown="none", origin="one price",
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceChange(TieredPrices):
    """Prices of a model from a day on, in the place of all before."""

    start: date = required(
        Day(), "First day (UTC): requests admitted from its midnight on.", name="from"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelPrices(TieredPrices):
    """What tenants pay for a million tokens, in the cloud's currency."""

    changes: tuple[PriceChange, ...] = optional(
        ListOf(Section(PriceChange), unique=False), "Later prices, in the order of their days.",
        default=(), shown="none", origin="prices hold until they are changed",
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceAdjustment:
    """A discount or surcharge for requests that fulfil all of its conditions."""

    key: str = required(Name(), "Name on the invoice, unique in the file.", name="name")
    change: Decimal = required(
        Money(-1, 100, remedy=_SHARE), "Change of the price, as a share of it. Of several that "
        "apply the factors are multiplied.", "share",
    )  # fmt: skip
    start: date | None = optional(
        Day(), "First day (UTC) on which it holds.", name="from", default=None, shown="always",
        origin="no limit unless given",
    )  # fmt: skip
    until: date | None = optional(
        Day(), "Last day (UTC) on which it holds.", default=None, shown="always",
        origin="no limit unless given",
    )  # fmt: skip
    hours_utc: tuple[str, ...] = optional(
        ListOf(_HOURS), "Hours of admission (UTC) in which it holds.", default=(), shown="all",
        origin="no limit unless given",
    )  # fmt: skip
    apis: tuple[str, ...] = optional(
        ListOf(Choice(APIS)), "Interfaces of the gateway that it is for.", default=(),
        shown="all", origin="no limit unless given",
    )  # fmt: skip
    priorities: tuple[str, ...] = optional(
        ListOf(Choice(("low", "normal", "high"))), "Priorities of tenants that it is for.",
        default=(), shown="all", origin="no limit unless given",
    )  # fmt: skip
    tenants: tuple[str, ...] = optional(
        ListOf(Declared("tenant", "tenants", "E202")), "Tenants that it is for.", default=(),
        shown="all", origin="no limit unless given",
    )  # fmt: skip
    keys: tuple[str, ...] = optional(
        ListOf(Pattern(_KEY, "id of a key as 0a1b2c3d4e5f")), "API keys that it is for, by their "
        "ids (`neocloud key list`): batch work that a tenant sends with a key of its own.",
        default=(), shown="all", origin="no limit unless given",
    )  # fmt: skip
    service_tiers: tuple[str, ...] = optional(
        ListOf(Pattern(_TIER, "service tier as flex: a small letter, then small letters, digits, "
        "`-` and `_`, 32 at most")), "Service tiers that it is for, as clients ask for them by "
        "`service_tier`. One that no price names counts as `default`.", default=(), shown="all",
        origin="no limit unless given",
    )  # fmt: skip
    models: tuple[str, ...] = optional(
        ListOf(Declared("model", "models", "E201")), "Models that it is for.", default=(),
        shown="all", origin="no limit unless given",
    )  # fmt: skip
    sites: tuple[str, ...] = optional(
        ListOf(Declared("site", "sites", "E203")), "Sites that served.", default=(), shown="all",
        origin="no limit unless given",
    )  # fmt: skip
    pools: tuple[str, ...] = optional(
        ListOf(Pattern(f"{_POOL}/{_POOL}", "pool as ashburn/h100-sxm")), "Pools that served, as "
        "site/pool: a faster or more precise one may have its own price.", default=(),
        shown="all", origin="no limit unless given",
    )  # fmt: skip
    accelerators: tuple[str, ...] = optional(
        ListOf(ACCELERATOR), "Accelerators that served.", default=(), shown="all",
        origin="no limit unless given",
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class HourPrice:
    """What a tenant pays for an accelerator-hour that no contract covers."""

    accelerator: str = required(ACCELERATOR, "What is held.")
    price: Decimal = required(
        Money(0, 1_000_000, remedy=_PER_HOUR), "Price, in the cloud's currency.",
        "currency/accelerator-hour",
    )  # fmt: skip
    start: date | None = optional(
        Day(), "First day (UTC) of the price.", name="from", default=None, shown="always",
        origin="no limit unless given",
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Pricing:
    """Which requests are billed, and what changes the prices of tokens."""

    billed: tuple[str, ...] = optional(
        ListOf(Choice(STATUSES)), "How requests must have ended to be billed.",
        default=("completed", "aborted"),
        origin="what a client broke off was generated all the same; what we broke off was not",
    )  # fmt: skip
    adjustments: tuple[PriceAdjustment, ...] = optional(
        ListOf(Section(PriceAdjustment), unique=False), "Discounts and surcharges on token prices.",
        default=(), shown="none", origin="no limit unless given",
    )  # fmt: skip
    accelerator_hours: tuple[HourPrice, ...] = optional(
        ListOf(Section(HourPrice), unique=False), "Prices of accelerators that tenants hold "
        "without a contract, those of an accelerator in the order of their days.", default=(),
        shown="none: they are held by contract", origin="assumption",
    )  # fmt: skip
