"""What prices must fulfil together."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from itertools import pairwise
from typing import Any, Final

from neocloud.spec.nodes import Node
from neocloud.spec.places import at, given, item
from neocloud.spec.pricing import (
    HourPrice,
    ModelPrices,
    PriceAdjustment,
    PriceChange,
    PriceTier,
    Pricing,
)
from neocloud.spec.reader import Reader
from neocloud.spec.structures import Check

Values = dict[str, Any]


def cached_as_input(values: Values, node: Node, path: str, reader: Reader) -> None:  # noqa: ARG001
    """Cached prompt tokens cost as much as others unless the file says otherwise."""
    if "input" in values:
        values.setdefault("cached_input", values["input"])


def _tiered(values: Values, node: Node, path: str, reader: Reader) -> None:
    cached_as_input(values, node, path, reader)
    tiers: Sequence[PriceTier] = values.get("tiers", ())
    for number, (before, tier) in enumerate(pairwise(tiers), 1):
        if tier.above_mtok <= before.above_mtok:
            message = f"the tier above {tier.above_mtok} comes after that above {before.above_mtok}"
            remedy = "Put the tiers in the order of above_mtok."
            reader.problem(item(at(node, "tiers"), number), "E112", message, remedy)
    if given(node, "tiering") and not given(node, "tiers"):
        message = "tiering says how tiers are read that are not there"
        reader.problem(at(node, "tiering"), "E106", message, "Add tiers.")


def _model_prices(values: Values, node: Node, path: str, reader: Reader) -> None:
    _tiered(values, node, path, reader)
    days = [change.start for change in values.get("changes", ())]
    _in_order(days, at(node, "changes"), reader)


def _in_order(days: Sequence[date], node: Node, reader: Reader) -> None:
    for number, (before, day) in enumerate(pairwise(days), 1):
        if day <= before:
            message = f"the price from {day} comes after the one from {before}"
            remedy = "Put them in the order of their days."
            reader.problem(item(node, number), "E112", message, remedy)


def _adjustment(values: Values, node: Node, path: str, reader: Reader) -> None:  # noqa: ARG001
    start, until = values.get("start"), values.get("until")
    if start and until and until < start:
        message = f"it holds until {until}, before its first day {start}"
        reader.problem(at(node, "until"), "E112", message, "Change one of the two days.")
    for hours in values.get("hours_utc", ()):
        first, _, after = hours.partition("-")
        if int(first) == int(after):
            message = f"hours_utc {hours} has no hour in it"
            reader.problem(at(node, "hours_utc"), "E112", message, "Leave it out for all hours.")


def _pricing(values: Values, node: Node, path: str, reader: Reader) -> None:  # noqa: ARG001
    names = [adjustment.key for adjustment in values.get("adjustments", ())]
    for number, name in enumerate(names):
        if name in names[:number]:
            message = f"there are two adjustments {name!r}"
            place = item(at(node, "adjustments"), number)
            reader.problem(place, "E214", message, "Give each its own name.")
    prices: Sequence[HourPrice] = values.get("accelerator_hours", ())
    for number, price in enumerate(prices):
        before = [
            p.start or date.min for p in prices[:number] if p.accelerator == price.accelerator
        ]
        if before and (price.start or date.min) <= before[-1]:
            message = f"{price.accelerator} has an earlier price that begins no earlier"
            place = item(at(node, "accelerator_hours"), number)
            reader.problem(place, "E112", message, "Put them in the order of their days.")


def pools_named(cloud: Values, node: Node, reader: Reader) -> None:
    """Every pool that an adjustment names stands at its site."""
    pricing: Pricing | None = cloud.get("pricing")
    if pricing is None or "sites" not in cloud:
        return
    known = [f"{site.key}/{pool.key}" for site in cloud["sites"].values() for pool in site.pools]
    for number, adjustment in enumerate(pricing.adjustments):
        place = item(at(at(node, "pricing"), "adjustments"), number)
        for pool in adjustment.pools:
            if pool not in known:
                message = f"pools: {pool!r} is no pool of this file"
                reader.unknown(at(place, "pools"), "E203", message, pool, known)


PRICING_CHECKS: Final[dict[type[Any], Check]] = {
    PriceTier: cached_as_input,
    PriceChange: _tiered,
    ModelPrices: _model_prices,
    PriceAdjustment: _adjustment,
    Pricing: _pricing,
}
"""One function a record whose fields depend on each other."""
