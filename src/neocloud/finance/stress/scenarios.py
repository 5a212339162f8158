"""Scenarios by name. Each is a change of the base case, with what it assumes and why."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from typing import Any, Final, get_args

import msgspec

from neocloud.catalog import nearest
from neocloud.finance.records import AssetKind, Inputs
from neocloud.finance.shocks import NONE, Shocks
from neocloud.finance.stress import history
from neocloud.finance.stress.combine import all_combined
from neocloud.finance.stress.customers import (
    GAP,
    LET_AGAIN,
    LOSS_AFTER,
    base_use,
    delayed,
    lost,
)
from neocloud.finance.stress.records import Parameter

JOIN: Final = "+"


class UnknownScenarioError(ValueError):
    """There is no scenario of that name; says which are near, and all."""

    def __init__(self, name: str) -> None:
        near = nearest(name, NAMES)
        hint = f"Nearest: {', '.join(near)}. " if near else ""
        super().__init__(f"no scenario {name!r}. {hint}All: {', '.join(NAMES)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A change of the base case.

    Attributes:
        name: as it is asked for.
        title: in a few words.
        sentence: what happens.
        parameters: how much, and from where that is known.
        shocks: what comes otherwise.
        change: inputs that come otherwise, where shocks cannot say it.
    """

    name: str
    title: str
    sentence: str
    parameters: tuple[Parameter, ...]
    shocks: Callable[[Inputs], Shocks]
    change: Callable[[Inputs], Inputs] | None = None


def number(name: str, value: float | Fraction, unit: str, source: str) -> Parameter:
    """A parameter."""
    return Parameter(name=name, value=float(value), unit=unit, source=source)


def always(inputs: Inputs, value: Any) -> tuple[Any, ...]:
    """The same in all months."""
    return (value,) * inputs.months.count


def used_less(inputs: Inputs, points: Any) -> tuple[Any, ...]:
    """Factors on use where so many points of all hours for sale are used less (or more)."""
    return tuple(_within(use, points) for use in base_use(inputs))


def _within(use: Fraction, points: Any) -> Any:
    left = use - points if isinstance(points, int | Fraction) else float(use) - points
    part = left / use if isinstance(left, Fraction) else left / float(use)
    most = 1 / use
    if isinstance(part, Fraction):
        return min(max(part, Fraction(0)), most)
    return part.clip(0.0, float(most))


def late(inputs: Inputs, months: Any) -> Shocks:
    """What is still being built comes later."""
    waiting = [asset.key for asset in inputs.assets if not asset.standing]
    return Shocks(delay=dict.fromkeys(waiting, months))


def dearer(inputs: Inputs, factor: Any, kinds: Sequence[str] = get_args(AssetKind)) -> Shocks:
    """Payments for assets of some kinds times a factor."""
    return Shocks(component=dict.fromkeys(kinds, always(inputs, factor)))


def accelerator_life(inputs: Inputs) -> int:
    """Longest depreciation of accelerators, months; 0 without any."""
    lives = [item.life_months for item in inputs.assets if item.kind == "accelerators"]
    return max(lives, default=0)


def shortened(years: int, inputs: Inputs) -> Shocks:
    """Accelerators are depreciated over so many years; all else over as much less of its life."""
    life = accelerator_life(inputs)
    return NONE if life <= 12 * years else Shocks(life=Fraction(12 * years, life))


def obsolete(inputs: Inputs) -> Shocks:
    """Rents fall as the H100's did, evenly in logarithms, and nothing is got for old ones."""
    depth = history.FALL_TO / history.FALL_FROM
    months = history.FALL_MONTHS
    rents = tuple(
        Fraction(str(round(depth ** (min(m + 1, months) / months), 9)))
        for m in range(inputs.months.count)
    )
    return Shocks(rental=rents, residual={"accelerators": Fraction(0)})


_ASKED = "assumption: a size customary in stress tests"
_AFTER = number("after", LOSS_AFTER, "months", "assumption: a year from now")
_GAP = number("let again after", GAP, "months", "assumption")
_AGAIN = number("share let again", LET_AGAIN, "share", "assumption: some stays empty")


def _simple(
    name: str,
    title: str,
    sentence: str,
    parameter: Parameter,
    shocks: Callable[[Inputs], Shocks],
) -> Scenario:
    return Scenario(
        name=name, title=title, sentence=sentence, parameters=(parameter,), shocks=shocks
    )


_CUSTOMER = (
    Scenario(
        name="customer-loss",
        title="Largest customer leaves",
        sentence="The largest customer's contracts end without a fee; what it left is let again at "
        "the market's price.",
        parameters=(_AFTER, number("fee paid", 0, "share", "assumption: it is insolvent"), _GAP,
                    _AGAIN),
        shocks=lambda inputs: lost(inputs, Fraction(1)),
    ),
    Scenario(
        name="customer-loss-fee",
        title="Largest customer leaves and pays",
        sentence="The largest customer's contracts end, it pays the termination fee of its "
        "contracts, and what it left is let again at the market's price.",
        parameters=(_AFTER, number("fee paid", 1, "share", "the contract"), _GAP, _AGAIN),
        shocks=lambda inputs: lost(inputs, Fraction(1), fee=1),
    ),
    Scenario(
        name="customer-loss-idle",
        title="Largest customer leaves, none follows",
        sentence="The largest customer's contracts end without a fee, and nothing is let again.",
        parameters=(_AFTER, number("fee paid", 0, "share", "assumption: it is insolvent")),
        shocks=lambda inputs: lost(inputs, Fraction(1), again=Fraction(0)),
    ),
    Scenario(
        name="customer-delay",
        title="Largest customer comes later",
        sentence="The largest customer's contracts begin and end later; what stands ready waits.",
        parameters=(number("later", 6, "months", _ASKED),),
        shocks=lambda _inputs: NONE,
        change=lambda inputs: delayed(inputs, 6),
    ),
    Scenario(
        name="customer-reallocation",
        title="Largest customer moves part away",
        sentence="A part of the largest customer's contracts goes to another provider without a "
        "fee; what it left is let again at the market's price.",
        parameters=(_AFTER, number("moved", Fraction(2, 5), "share", "assumption"), _GAP, _AGAIN),
        shocks=lambda inputs: lost(inputs, Fraction(2, 5)),
    ),
)  # fmt: skip

_MARKET = (
    _simple(
        "rental-down", "Rental price falls by half",
        "Accelerators by the hour sell at half the price, and what is let again too; contracts "
        "keep theirs.", number("rental price", Fraction(-1, 2), "share", _ASKED),
        lambda inputs: Shocks(rental=always(inputs, Fraction(1, 2))),
    ),
    _simple(
        "rental-up", "Rental price rises by half",
        "Accelerators by the hour sell at half as much again; contracts keep their prices.",
        number("rental price", Fraction(1, 2), "share", "prices rose by 38 % in five months of "
               "2025-26"),
        lambda inputs: Shocks(rental=always(inputs, Fraction(3, 2))),
    ),
    _simple(
        "token-down", "Token price falls by half", "Tokens sell at half the price.",
        number("token price", Fraction(-1, 2), "share", _ASKED),
        lambda inputs: Shocks(token=always(inputs, Fraction(1, 2))),
    ),
    _simple(
        "utilisation-down", "20 points less is used",
        "Of all hours for sale 20 points fewer are used; contracts are paid for down to what is "
        "committed, and costs that follow use fall along.",
        number("utilisation", Fraction(-1, 5), "share of hours for sale", _ASKED),
        lambda inputs: Shocks(utilisation=used_less(inputs, Fraction(1, 5))),
    ),
    Scenario(
        name="obsolete",
        title="A new generation makes accelerators obsolete",
        sentence="Rents fall as those of the H100 did once capacity came, and old accelerators "
        "bring nothing when they are sold.",
        parameters=(
            number("rental price", history.FALL_TO / history.FALL_FROM - 1, "share",
                   "H100, 2024-03 to 2025-10"),
            number("over", history.FALL_MONTHS, "months", "H100, 2024-03 to 2025-10"),
            number("residual value", -1, "share", "assumption: scrap"),
        ),
        shocks=obsolete,
    ),
)  # fmt: skip

_BUILDING = (
    _simple(
        "component-up", "Components cost 30 % more", "All payments for assets rise.",
        number("price", Fraction(3, 10), "share", _ASKED),
        lambda inputs: dearer(inputs, Fraction(13, 10)),
    ),
    _simple(
        "networking-up", "Networking costs 30 % more", "Payments for networking rise.",
        number("price", Fraction(3, 10), "share", _ASKED),
        lambda inputs: dearer(inputs, Fraction(13, 10), ("networking",)),
    ),
    _simple(
        "cooling-up", "Cooling costs 30 % more", "Payments for cooling rise.",
        number("price", Fraction(3, 10), "share", _ASKED),
        lambda inputs: dearer(inputs, Fraction(13, 10), ("cooling",)),
    ),
    _simple(
        "build-late", "Commissioning 6 months late",
        "All that is being built is in service later; it is paid for and interest runs as planned, "
        "contracts and their milestones wait for it.",
        number("later", 6, "months", _ASKED), lambda inputs: late(inputs, 6),
    ),
    _simple(
        "life-4", "Accelerators last 4 years",
        "Accelerators are depreciated over 4 years, all else over as much less of its life.",
        number("life", 4, "years", "Nebius for Hopper"), partial(shortened, 4),
    ),
    _simple(
        "life-3", "Accelerators last 3 years",
        "Accelerators are depreciated over 3 years, all else over as much less of its life.",
        number("life", 3, "years", "shortest that analysts count with"), partial(shortened, 3),
    ),
)  # fmt: skip

_MONEY = (
    _simple(
        "rates-up", "Rates up by 200 basis points",
        "Base rates rise at once; what is fixed or hedged stays.",
        number("base rate", Fraction(1, 50), "1/year", _ASKED),
        lambda inputs: Shocks(base_rate=always(inputs, Fraction(1, 50))),
    ),
    _simple(
        "refinancing-shut", "No lender pays out", "What is not drawn yet cannot be drawn.",
        number("paid out", 0, "share", "a market that is shut"),
        lambda inputs: Shocks(refinancing=always(inputs, Fraction(0))),
    ),
    _simple(
        "power-double", "Power price doubles", "Energy, demand charges and fuel cost double.",
        number("power price", 1, "share", _ASKED),
        lambda inputs: Shocks(power=always(inputs, Fraction(2))),
    ),
    _simple(
        "curtailment", "Power is curtailed",
        "A part of what is sold cannot be delivered, what is committed too.",
        number("delivered", Fraction(-1, 10), "share", "assumption: 876 hours a year"),
        lambda inputs: Shocks(delivered=always(inputs, Fraction(9, 10))),
    ),
)  # fmt: skip

SCENARIOS: Final = (*_CUSTOMER, *_MARKET, *_BUILDING, *_MONEY)
"""One change each."""

TOGETHER: Final = {"glut": ("rental-down", "token-down", "utilisation-down", "customer-loss")}
"""Combinations with a name: what falls together when there is too much of all."""

_TITLES = {"glut": ("Glut", "Prices, use and the largest customer fall together.")}

NAMES: Final = (*(scenario.name for scenario in SCENARIOS), *TOGETHER)


def scenario_of(name: str) -> Scenario:
    """A scenario by its name, or of several names joined by `+`.

    Raises:
        UnknownScenarioError: one of the names is none.
    """
    parts = [part.strip() for part in name.split(JOIN)]
    single: list[Scenario] = []
    for part in parts:
        if part not in NAMES:
            raise UnknownScenarioError(part)
        members = TOGETHER.get(part, (part,))
        known = [each for member in members for each in SCENARIOS if each.name == member]
        single += [each for each in known if each not in single]
    if len(single) == 1:
        return single[0]
    title, sentence = _TITLES.get(
        name, ("; ".join(each.title for each in single), " ".join(e.sentence for e in single))
    )
    return Scenario(
        name=JOIN.join(parts),
        title=title,
        sentence=sentence,
        parameters=tuple(
            msgspec.structs.replace(item, name=f"{each.name}: {item.name}")
            for each in single
            for item in each.parameters
        ),
        shocks=lambda inputs: all_combined(each.shocks(inputs) for each in single),
        change=_changes([each.change for each in single if each.change is not None]),
    )


def _changes(changes: Sequence[Callable[[Inputs], Inputs]]) -> Callable[[Inputs], Inputs] | None:
    if not changes:
        return None

    def change(inputs: Inputs) -> Inputs:
        for one in changes:
            inputs = one(inputs)
        return inputs

    return change
