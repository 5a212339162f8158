"""Kinds of shock that come in any size: what reverse stress and the tornado turn.

A level of 0 is the base case; the size of a lever is the shock of the scenario of that kind.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from neocloud.finance.records import Inputs
from neocloud.finance.shocks import Shocks
from neocloud.finance.stress.customers import lost
from neocloud.finance.stress.scenarios import always, dearer, late, used_less


@dataclass(frozen=True, slots=True, kw_only=True)
class Lever:
    """A kind of shock.

    Attributes:
        name: short.
        label: what moves.
        title: in words, of a shock that hurts.
        unit: of its level.
        size: level that counts as one.
        bound: the largest level that is tried.
        low: level at the good end of the tornado's range, 0 or negative.
        high: level at its bad end.
        falls: True where a level above 0 is a fall of what moves.
        whole: whole levels only.
        shocks: what a level does: a `Fraction`, or an array of shape (paths,).
        source: of size and range.
    """

    name: str
    label: str
    title: str
    unit: str
    size: float
    bound: float
    low: float
    high: float
    shocks: Callable[[Inputs, Any], Shocks]
    source: str
    falls: bool = False
    whole: bool = False


_AS_SCENARIO = "as the scenario, and the same the other way"

LEVERS: Final = (
    Lever(
        name="rental", label="rental price", falls=True,
        title="rental price falls by", unit="share", size=0.5, bound=1.0,
        low=-0.5, high=0.5, source=_AS_SCENARIO,
        shocks=lambda inputs, level: Shocks(rental=always(inputs, 1 - level)),
    ),
    Lever(
        name="token", label="token price", falls=True,
        title="token price falls by", unit="share", size=0.5, bound=1.0,
        low=-0.5, high=0.5, source=_AS_SCENARIO,
        shocks=lambda inputs, level: Shocks(token=always(inputs, 1 - level)),
    ),
    Lever(
        name="utilisation", label="utilisation", falls=True,
        title="used less, of hours for sale", unit="share", size=0.2,
        bound=1.0, low=-0.2, high=0.2, source=_AS_SCENARIO,
        shocks=lambda inputs, level: Shocks(utilisation=used_less(inputs, level)),
    ),
    Lever(
        name="customer", label="largest customer's contracts lost",
        title="lost, of the largest customer's contracts", unit="share",
        size=1.0, bound=1.0, low=0.0, high=1.0, source="all that can be lost",
        shocks=lost,
    ),
    Lever(
        name="component", label="component prices",
        title="components cost more by", unit="share", size=0.3, bound=3.0,
        low=-0.3, high=0.3, source=_AS_SCENARIO,
        shocks=lambda inputs, level: dearer(inputs, 1 + level),
    ),
    Lever(
        name="power", label="power price",
        title="power costs more by", unit="share", size=1.0, bound=10.0,
        low=-0.5, high=1.0, source="half to twice the price",
        shocks=lambda inputs, level: Shocks(power=always(inputs, 1 + level)),
    ),
    Lever(
        name="rates", label="base rates",
        title="base rates rise by", unit="1/year", size=0.02, bound=0.30,
        low=-0.02, high=0.02, source=_AS_SCENARIO,
        shocks=lambda inputs, level: Shocks(base_rate=always(inputs, level)),
    ),
    Lever(
        name="curtailment", label="sold and not delivered",
        title="not delivered, of what is sold", unit="share", size=0.1,
        bound=1.0, low=0.0, high=0.1, source="as the scenario",
        shocks=lambda inputs, level: Shocks(delivered=always(inputs, 1 - level)),
    ),
    Lever(
        name="build", label="what is being built, late",
        title="what is being built is late by", unit="months", size=6.0,
        bound=36.0, low=0.0, high=6.0, source="as the scenario", whole=True,
        shocks=late,
    ),
)  # fmt: skip
"""All kinds."""
