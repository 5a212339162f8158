"""Quantities as people read them: in the unit that suits their size, with a few digits."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

Scale = tuple[str, float]
"""A unit's name, and how much of the basic unit it is."""

ENERGY: Sequence[Scale] = (("GWh", 1e3), ("MWh", 1.0), ("kWh", 1e-3), ("Wh", 1e-6))
"""Of megawatt-hours."""
TIME: Sequence[Scale] = (("hours", 1.0), ("minutes", 1.0 / 60.0), ("seconds", 1.0 / 3600.0))
"""Of hours."""
POWER: Sequence[Scale] = (("MW", 1e3), ("kW", 1.0), ("W", 1e-3))
"""Of kilowatts."""
CARBON: Sequence[Scale] = (("t", 1e3), ("kg", 1.0), ("g", 1e-3))
"""Of kilograms."""


def scale_for(values: Iterable[float], scales: Sequence[Scale]) -> Scale:
    """The largest unit of which the largest value is at least one; of nothing the basic one."""
    most = max((abs(value) for value in values), default=0.0)
    if not most:
        return next(scale for scale in scales if scale[1] == 1.0)
    return next((scale for scale in scales if most >= scale[1]), scales[-1])


def figure(value: float, digits: int = 3) -> str:
    """A number with so many digits at least, never as a power of ten; zero is 0.

    What is smaller than six decimals show is said to be so.
    """
    if not value:
        return "0"
    if abs(value) < 5e-7:
        return "<0.000001" if value > 0 else ">-0.000001"
    decimals = digits - 1 - math.floor(math.log10(abs(value)))
    return f"{value:,.{min(max(decimals, 0), 6)}f}"


def fixed(value: float, decimals: int) -> str:
    """A number with so many decimals; with more where these would show nothing of it."""
    text = f"{value:,.{decimals}f}"
    return figure(value, 2) if value and not float(text.replace(",", "")) else text


def unit_price(value: float | None) -> str:
    """A price of a million tokens: four decimals as price lists have them, fewer of large ones."""
    if value is None:
        return "-"
    return f"{value:,.4f}" if abs(value) < 100.0 else figure(value, 5)


def quantity(value: float, scales: Sequence[Scale], digits: int = 3) -> str:
    """A number and its unit."""
    unit, size = scale_for([value], scales)
    return f"{figure(value / size, digits)} {unit}"


def tier_quantity(value: float, unit: str) -> str:
    """What a tier made: of MWh, accelerator-hours or Mtok, in the unit that suits."""
    if unit == "MWh":
        return quantity(value, ENERGY, 4)
    if unit == "accelerator-hours":
        name, size = scale_for([value], TIME)
        return f"{figure(value / size, 4)} accelerator-{name}"
    if value < 1.0:
        return f"{round(value * 1e6):,} tokens"
    return f"{figure(value, 4)} {unit}"


def time_span(period: str) -> str:
    """A period as two moments: days alone where it begins and ends at midnight, UTC."""
    start, end = (moment.replace("T", " ").removesuffix("Z") for moment in period.split("/"))
    if start.endswith(" 00:00:00") and end.endswith(" 00:00:00"):
        return f"{start[:10]} to {end[:10]} (UTC)"
    if start[:10] == end[:10]:
        return f"{start[:10]}, {start[11:]} to {end[11:]} (UTC)"
    return f"{start} to {end} (UTC)"
