"""Groups as a table for other programs: CSV with exact amounts."""

from __future__ import annotations

import csv
import io
from decimal import Decimal

from neocloud.books.tiers.records import TierReport

AMOUNTS = (
    "power", "accelerator_hour", "token", "cost", "revenue", "margin", "energy_if_sold",
    "hours_if_rented",
)  # fmt: skip
QUANTITIES = (
    "tokens", "accelerator_hours", "energy_kwh", "carbon_kg_location", "carbon_kg_market",
)  # fmt: skip


def groups_csv(t: TierReport) -> str:
    """One line a group: what it is told apart by, amounts in the currency, quantities.

    Amounts that are not known are left empty.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*t.by, "currency", *AMOUNTS, *QUANTITIES])
    for group in t.groups:
        writer.writerow(
            [
                *(getattr(group, name) for name in t.by),
                t.currency,
                *(_plain(getattr(group, name)) for name in AMOUNTS),
                *(getattr(group, name) for name in QUANTITIES),
            ]
        )
    return text.getvalue()


def _plain(value: Decimal | None) -> str:
    return "" if value is None else f"{value:f}"
