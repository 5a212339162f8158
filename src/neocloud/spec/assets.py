"""What is bought and built: price, payments, day of service, and what it brings."""
# ruff: noqa: RUF009  (`required` and `optional` return `dataclasses.field`)

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Final

from neocloud.spec.fields import optional, required
from neocloud.spec.kinds import Choice, Currency, Day, Money, Name, Number, Text, Whole
from neocloud.spec.power import MEGAWATTS, SHARE
from neocloud.spec.references import ACCELERATOR, Declared
from neocloud.spec.structures import ListOf, Section

AMOUNT: Final = 10**13
"""The most that one sum of money may be."""
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
    price: Decimal = required(Money(0, AMOUNT), "What it costs, installed.", "currency")
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
    needs: tuple[str, ...] = optional(
        ListOf(Declared("asset", "finance.assets", "E217")), "Assets without which it cannot "
        "serve: the latest of them and its own day sets the day of service.", default=(),
        shown="none", origin="assumption: its own day says all",
    )  # fmt: skip
    accelerator: str | None = optional(
        ACCELERATOR, "What an asset of kind `accelerators` brings, where no pool of the file "
        "stands for it.", default=None, shown="nothing", origin="pools say what stands there",
    )  # fmt: skip
    accelerators: int = optional(
        Whole(0, 10_000_000), "How many of `accelerator` it brings.", "accelerators", default=0,
        origin="pools say what stands there",
    )  # fmt: skip
    megawatts: float | None = optional(
        Number(0, 100_000, remedy=MEGAWATTS), "Power that it brings, feeds, cools "
        "or houses: of accelerators that of their nodes, without cooling; of a plant what it "
        "gives.", "MW", default=None,
        shown="of accelerators by the catalog's node power; of others not stated",
        origin="catalog",
    )  # fmt: skip
    availability: float | None = optional(
        Number(above=0, maximum=1, remedy=SHARE), "Share of time in which it can serve, of "
        "accelerators and plants.", default=None, shown="as of pools for accelerators, 1 for a "
        "plant", origin="see the pool's",
    )  # fmt: skip
    pools: tuple[str, ...] = optional(
        ListOf(Text()), "Pools, as SITE/POOL, whose nodes are this asset: its price and life are "
        "then theirs in the balance sheet, and they serve from its day on.", default=(),
        shown="none",
        origin="a pool that no asset names is an asset of its own, at the price that it says",
    )  # fmt: skip
    maintenance_share_per_year: float | None = optional(
        Number(0, 1, remedy=SHARE), "Repairs, spares and support a year, as a share of the price.",
        "1/year", default=None,
        shown="`finance.maintenance_share_per_year` for accelerators that no pool stands for, "
        "else 0", origin="pools pay their own",
    )  # fmt: skip
    fuel_per_mwh: Decimal | None = optional(
        Money(0, 5000, remedy="Write a price per MWh: 30 for 0.03 a kWh."), "What energy of an "
        "asset of kind `generation` costs beside the asset. It is then drawn before the site's "
        "contracts; a plant that has its contract of kind `on_site` needs none.", "currency/MWh",
        default=None, shown="the site's contracts say all", origin="assumption",
    )  # fmt: skip
    lead_months: int | None = optional(
        Whole(0, 120), "Months that the next one takes from order to service.", "months",
        default=None, shown="from `ordered` to `in_service`", origin="as this one",
    )  # fmt: skip
