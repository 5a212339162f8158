"""Prices in the cloud file: short where they are simple, told where they contradict themselves.

The mark § in a case stands where the mistake must be told; it is no part of the file.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from .texts import RIGHT, problems, read

PRICES = "price_per_mtok: {input: 0.10, output: 0.20}"
TIER = "{above_mtok: 5, input: 0.1, output: 0.2}"


def priced(more: str) -> str:
    """The right file with more in its model's prices."""
    assert RIGHT.count(PRICES) == 1
    return RIGHT.replace(PRICES, PRICES.replace("0.20}", f"0.20, {more}}}"))


def pricing(more: str) -> str:
    return f"{RIGHT}pricing: {{{more}}}\n"


def adjusted(more: str) -> str:
    return pricing(f"adjustments: [{{name: a, change: -0.5, {more}}}]")


def test_what_is_left_out_is_as_simple_as_can_be():
    cloud = read(RIGHT)
    prices = cloud.models["llama"].price_per_mtok
    assert (prices.cached_input, prices.reasoning) == (Decimal("0.10"), None)
    assert prices.tiers == prices.changes == ()
    assert cloud.pricing.billed == ("completed", "aborted")
    assert cloud.pricing.adjustments == cloud.pricing.accelerator_hours == ()


def test_tiers_and_changes_have_their_own_prices():
    prices = (
        read(
            priced(
                "reasoning: 0.3, tiers: [{above_mtok: 0.5, input: 0.09, output: 0.1}], "
                "changes: [{from: 2026-12-01, input: 0.05, cached_input: 0.01, output: 0.1}]"
            )
        )
        .models["llama"]
        .price_per_mtok
    )
    (tier,), (change,) = prices.tiers, prices.changes
    assert (tier.above_mtok, tier.cached_input) == (Decimal("0.5"), Decimal("0.09"))
    assert (change.start, change.cached_input) == (date(2026, 12, 1), Decimal("0.01"))


@pytest.mark.parametrize(
    ("text", "code", "told"),
    [
        (priced(f"tiers: [{TIER}, §{TIER}]"), "E112", "above 5 comes after that above 5"),
        (priced("tiering: §volume"), "E106", "how tiers are read that are not"),
        (priced("tiers: [{above_mtok: §0, input: 1, output: 1}]"), "E104", "is not above 0"),
        (priced("tiers: [{above_mtok: §0.0000001, input: 1, output: 1}]"), "E104", "6 decimals"),
        (priced("reasoning: §0.1234567"), "E104", "more than 6 decimals"),
        (
            priced(
                "changes: [{from: 2026-02-01, input: 1, output: 1}, "
                "§{from: 2026-01-31, input: 1, output: 1}]"
            ),
            "E112",
            "2026-01-31 comes after the one from 2026-02-01",
        ),
        (adjusted("from: 2026-02-01, until: §2026-01-31"), "E112", "before its first day"),
        (adjusted("hours_utc: §5-5"), "E112", "has no hour in it"),
        (adjusted("hours_utc: [§22-25]"), "E107", "hours as 22-6"),
        (adjusted("pools: §[ashburn/h200]"), "E203", "no pool of this file"),
        (adjusted("tenants: [§acm]"), "E202", "no tenant of this file"),
        (adjusted("apis: [§chats]"), "E108", "is none of"),
        (pricing("adjustments: [{name: a, change: §-2}]"), "E104", "below -1"),
        (
            pricing("adjustments: [{name: a, change: 1}, §{name: a, change: 2}]"),
            "E214",
            "two adjustments 'a'",
        ),
        (
            pricing(
                "accelerator_hours: [{accelerator: h100-sxm, price: 2, from: 2026-01-01}, "
                "§{accelerator: h100-sxm, price: 3}]"
            ),
            "E112",
            "begins no earlier",
        ),
        (pricing("billed: §[]"), "E107", "list of"),
    ],
)
def test_mistakes_are_told_where_they_stand(text: str, code: str, told: str):
    (place,) = [
        (number, line.index("§") + 1)
        for number, line in enumerate(text.splitlines(), 1)
        if "§" in line
    ]
    (problem,) = problems(text.replace("§", ""))
    assert (problem.code, problem.line, problem.column) == (code, *place)
    assert told in str(problem)


def test_a_pool_is_named_with_its_site():
    (adjustment,) = read(adjusted("pools: [ashburn/h100-sxm]")).pricing.adjustments
    assert adjustment.pools == ("ashburn/h100-sxm",)
