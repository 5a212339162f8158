"""Power of a site: its contracts and its ladder from reserved to active megawatts."""
# ruff: noqa: RUF009  (`required` and `optional` return `dataclasses.field`)

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from neocloud.spec.fields import optional, required
from neocloud.spec.kinds import (
    BROKEN,
    Choice,
    Currency,
    Day,
    Kind,
    Money,
    Number,
)
from neocloud.spec.nodes import Node, Scalar, Sequence

if TYPE_CHECKING:
    from neocloud.spec.reader import Reader

SHARE: Final = "A share is a part of 1: write 0.8 for 80 %."
MEGAWATTS: Final = "Write megawatts, not kilowatts: 12 for 12,000 kW."
HOURS: Final = 24

SOURCES: Final = ("grid", "gas", "solar", "wind", "hydro", "geothermal", "nuclear")
"""What power is made from; `grid` is the mix of the metro."""

SOURCE_OF_KIND: Final = {"grid": "grid", "ppa": "grid", "stranded_gas": "gas", "on_site": "solar"}
"""What a contract's power is made from unless it says."""

CARBON_G_PER_KWH: Final = {
    "gas": 505.0, "solar": 48.0, "wind": 11.0, "hydro": 24.0, "geothermal": 38.0, "nuclear": 12.0,
}  # fmt: skip
"""Emissions by source. Gas: 56.1 kg CO2 a GJ (IPCC 2006) burnt in an engine of 40 % efficiency. The
others: medians over the life cycle (IPCC, Fifth Assessment Report, 2014, WG III, table A.III.2)."""

_SUN = tuple(max(0.0, math.sin(math.pi * (hour + 0.5 - 6.0) / 12.0)) for hour in range(HOURS))
AVAILABILITY: Final = {
    "solar": tuple(round(0.24 * HOURS / sum(_SUN) * sun, 4) for sun in _SUN),
    "wind": (0.33,) * HOURS,
}
"""Share of the capacity by local hour. Solar: half a sine from 6 to 18 o'clock. The means, 0.24 and
0.33, are about those of the fleet of the United States (EIA, 2023)."""
FIRM: Final = (1.0,) * HOURS


@dataclass(frozen=True, slots=True)
class HourlyShares(Kind):
    """A share, or one for each of the 24 hours of the day."""

    @property
    def label(self) -> str:
        """Both forms."""
        return "number from 0 to 1, or list of 24 of them"

    def read(self, node: Node, name: str, path: str, reader: Reader) -> object:
        """The 24 shares as a tuple."""
        share = Number(0, 1, remedy=SHARE)
        if isinstance(node, Scalar):
            found = share.read(node, name, path, reader)
            return BROKEN if found is BROKEN else (found,) * HOURS
        if not isinstance(node, Sequence) or len(node.items) != HOURS:
            if isinstance(node, Sequence):
                message = f"{name} has {len(node.items)} values"
                remedy = f"Give {HOURS}, one for each local hour from midnight on."
                return reader.problem(node, "E107", message, remedy)
            return reader.wrong(node, name, self.label)
        items = [share.read(item, name, path, reader) for item in node.items]
        return BROKEN if BROKEN in items else tuple(items)

    def schema(self) -> dict[str, Any]:
        """A number or an array of 24."""
        share = {"type": "number", "minimum": 0, "maximum": 1}
        hours = {"type": "array", "items": share, "minItems": HOURS, "maxItems": HOURS}
        return {"anyOf": [share, hours]}


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerContract:
    """Power that a site may draw. A site's contracts stand in the order in which they are used."""

    kind: str = optional(
        Choice(("grid", "ppa", "stranded_gas", "on_site")),
        "What it is: `grid`, a tariff; `ppa`, a power purchase agreement; `stranded_gas`, burnt "
        "where it would be flared; `on_site`, plant of one's own at the site.",
        default="grid", origin="the usual case",
    )  # fmt: skip
    source: str = optional(
        Choice(SOURCES), "What the power is made from; `grid` is the mix of the metro.",
        default="", shown="grid; gas for `stranded_gas`; solar for `on_site`",
        origin="the usual case of each kind; a `ppa` counts as the mix unless it says",
    )  # fmt: skip
    capacity_mw: float | None = optional(
        Number(0, 5000, remedy=MEGAWATTS),
        "The most that the whole site may draw under it, cooling included.", "MW",
        default=None, shown="no limit", origin="assumption: the limit is the pools' own power",
    )  # fmt: skip
    availability: tuple[float, ...] = optional(
        HourlyShares(), "Share of the capacity that can be drawn: one number, or one for each "
        "local hour from midnight on.", default=(),
        shown="1; for solar and wind a shape of the day", origin=(
            "solar: half a sine from 6 to 18 o'clock with a mean of 0.24, wind: 0.33 throughout, "
            "the means about those of the fleet of the United States (EIA, 2023)"
        ),
    )  # fmt: skip
    usd_per_mwh: Decimal | None = optional(
        Money(0, 5000, remedy="Write a price per MWh: 89 for 0.089 a kWh."),
        "Price of energy in dollars; give this, `eur_per_mwh` or `price_per_mwh`.", "USD/MWh",
        default=None, origin="one of the three prices must be given",
    )  # fmt: skip
    eur_per_mwh: Decimal | None = optional(
        Money(0, 5000, remedy="Write a price per MWh: 91 for 0.091 a kWh."),
        "Price of energy in euros.", "EUR/MWh",
        default=None, origin="one of the three prices must be given",
    )  # fmt: skip
    price_per_mwh: Decimal = optional(
        Money(0, 1_000_000_000), "Price of energy in the contract's `currency`.", "currency/MWh",
        default=Decimal(-1), shown="none", origin="one of the three prices must be given",
    )  # fmt: skip
    currency: str = optional(
        Currency(), "Currency of `price_per_mwh` and of the demand charge.", default="",
        shown="that of the price; the cloud's for `price_per_mwh`", origin="the cloud's currency",
    )  # fmt: skip
    demand_charge_per_kw_month: Decimal = optional(
        Money(0, 1_000_000), "Price of the month's highest draw.", "currency/kW-month",
        default=Decimal(0), origin="assumption: none, or within the price",
    )  # fmt: skip
    carbon_g_per_kwh: float | None = optional(
        Number(0, 2000, remedy="Write grams per kWh: 418 for 0.418 kg."),
        "Emissions of the energy.", "g/kWh", default=None,
        shown="by `source`: grid, the catalog's figure of the metro; gas 505, solar 48, wind 11, "
        "hydro 24, geothermal 38, nuclear 12",
        origin=(
            "gas: 56.1 kg a GJ (IPCC, 2006) at 40 % efficiency; others: medians over the life "
            "cycle (IPCC, 2014, WG III, table A.III.2)"
        ),
    )  # fmt: skip
    take_or_pay: float = optional(
        Number(0, 1, remedy=SHARE),
        "Share of the energy that it could give which is paid whether drawn or not; needs "
        "`capacity_mw`.", default=0.0, origin="assumption: pay for what is drawn",
    )  # fmt: skip
    start: date | None = optional(
        Day(), "First day of supply.", default=None, shown="supplied already",
        origin="assumption",
    )  # fmt: skip
    end: date | None = optional(
        Day(), "Day after the last of supply.", default=None, shown="none", origin="assumption"
    )

    def runs_on(self, day: date | None) -> bool:
        """True if it supplies on a day; None is a day when all that the file declares is there."""
        if day is None:
            return True
        return (self.start is None or self.start <= day) and (self.end is None or day < self.end)


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerStep:
    """What a site has of each kind of megawatts from a day on."""

    start: date = required(Day(), "Day from which on it holds.", name="date")
    active_mw: float = required(
        Number(0, 5000, remedy=MEGAWATTS), "Energised and ready for IT: the most that may be "
        "drawn, cooling included.", "MW"
    )  # fmt: skip
    connected_mw: float = optional(
        Number(0, 5000, remedy=MEGAWATTS), "Connected to supply.", "MW", default=-1.0,
        shown="as `active_mw`", origin="the least that it can be",
    )  # fmt: skip
    contracted_mw: float = optional(
        Number(0, 5000, remedy=MEGAWATTS), "Signed with the supplier or landlord.", "MW",
        default=-1.0, shown="as `connected_mw`", origin="the least that it can be",
    )  # fmt: skip
    reserved_mw: float = optional(
        Number(0, 5000, remedy=MEGAWATTS), "Secured, signed or not.", "MW", default=-1.0,
        shown="as `contracted_mw`", origin="the least that it can be",
    )  # fmt: skip


def active_mw(ladder: tuple[PowerStep, ...], day: date | None) -> float | None:
    """Active MW on a day, of the last step where that is None; None where there is no ladder."""
    if not ladder:
        return None
    reached = [step for step in ladder if day is None or step.start <= day]
    return reached[-1].active_mw if reached else 0.0


__all__ = [
    "AVAILABILITY",
    "CARBON_G_PER_KWH",
    "FIRM",
    "MEGAWATTS",
    "SHARE",
    "SOURCES",
    "SOURCE_OF_KIND",
    "HourlyShares",
    "PowerContract",
    "PowerStep",
    "active_mw",
]
