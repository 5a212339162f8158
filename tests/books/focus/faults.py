"""Damage that is done to a good export, to see who notices."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

Rows = list[dict[str, str]]
COST, COMMITMENT, DETAIL = "cost_and_usage", "contract_commitment", "invoice_detail"


@dataclass(frozen=True)
class Fault:
    """One kind of damage.

    Attributes:
        name: of the test.
        damage: does it to the rows of a dataset.
        noticed: by which of `toolkit` (1.4), `validator` (1.2) and `own` (both).
        dataset: that is damaged.
        is_of_1_2: False where 1.2 has no such column.
    """

    name: str
    damage: Callable[[Rows], None]
    noticed: frozenset[str]
    dataset: str = COST
    is_of_1_2: bool = True


def damaged(source: Path, target: Path, fault: Fault) -> None:
    """Copy a CSV file with the fault in it."""
    with source.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    before = [dict(row) for row in rows]
    fault.damage(rows)
    assert rows != before, "nothing was damaged"
    with target.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def _of(category: str, rows: Rows, column: str) -> dict[str, str]:
    """A row of a category, not a correction, that has something in a column, and has a price.

    Tax has no price; there the row's column may be empty too.
    """
    found = [row for row in rows if row["ChargeCategory"] == category and not row["ChargeClass"]]
    return next((row for row in found if row["PricingQuantity"] and row[column]), found[0])


def put(column: str, value: str, category: str = "Usage") -> Callable[[Rows], None]:
    def damage(rows: Rows) -> None:
        _of(category, rows, column)[column] = value

    return damage


def add(column: str, amount: str, category: str = "Usage") -> Callable[[Rows], None]:
    def damage(rows: Rows) -> None:
        row = _of(category, rows, column)
        row[column] = f"{Decimal(row[column]) + Decimal(amount):f}"

    return damage


def drop(column: str) -> Callable[[Rows], None]:
    def damage(rows: Rows) -> None:
        for row in rows:
            del row[column]

    return damage


def _lose_a_row(rows: Rows) -> None:
    rows.remove(next(row for row in rows if Decimal(row["BilledCost"])))


def _without_z(rows: Rows) -> None:
    row = _of("Usage", rows, "ChargePeriodStart")
    row["ChargePeriodStart"] = row["ChargePeriodStart"].removesuffix("Z")


def _twice(rows: Rows) -> None:
    rows[1]["InvoiceDetailId"] = rows[0]["InvoiceDetailId"]


def _detail_cent(rows: Rows) -> None:
    rows[0]["BilledCost"] = str(Decimal(rows[0]["BilledCost"]) + Decimal("0.01"))


def _upfront(rows: Rows) -> None:
    rows[0]["ContractCommitmentPaymentModel"] = "No Upfront"


def _stranger(rows: Rows) -> None:
    for row in rows:
        row["ContractApplied"] = row["ContractApplied"].replace("acme-year/term", "nobody/term")


def _all(*names: str) -> frozenset[str]:
    return frozenset(names)


FAULTS = (
    Fault("category", put("ChargeCategory", "Consumption"), _all("toolkit", "own")),
    Fault("missing-column", drop("ChargePeriodEnd"), _all("toolkit", "validator")),
    Fault("null-billed", put("BilledCost", ""), _all("toolkit", "validator", "own")),
    Fault("null-contracted", put("ContractedCost", ""), _all("toolkit", "validator", "own")),
    Fault("currency", put("BillingCurrency", "DOL"), _all("toolkit", "validator")),
    Fault("list-cost", add("ListCost", "0.01"), _all("toolkit", "own")),
    Fault("last-digit", add("ContractedCost", "0.000000000001"), _all("own")),
    Fault("no-z", _without_z, _all("toolkit", "own")),
    Fault("a-cent", add("BilledCost", "0.01"), _all("own")),
    Fault("lost-row", _lose_a_row, _all("own")),
    Fault("tax", add("EffectiveCost", "1", "Tax"), _all("toolkit", "own")),
    Fault("negative-price", put("ListUnitPrice", "-1"), _all("toolkit", "validator", "own")),
    Fault("no-unit", put("PricingUnit", ""), _all("toolkit", "validator")),
    Fault("unit", put("PricingUnit", "1M Tokens"), _all("validator")),
    Fault("parent", put("ServiceSubcategory", "Containers"), _all("toolkit", "validator")),
    Fault("region", put("RegionName", ""), _all("validator")),
    Fault("price-of-tax", put("SkuId", "tax", "Tax"), _all("toolkit", "validator")),
    Fault("no-sku-price", put("SkuPriceId", ""), _all("toolkit", "validator")),
    Fault("other-line", put("InvoiceDetailId", "nobody/1"), _all("toolkit"), is_of_1_2=False),
    Fault("other-contract", _stranger, _all("toolkit"), is_of_1_2=False),
    Fault("line-twice", _twice, _all("toolkit"), DETAIL, is_of_1_2=False),
    Fault("cent-of-a-line", _detail_cent, _all("own"), DETAIL, is_of_1_2=False),
    Fault("upfront", _upfront, _all("toolkit"), COMMITMENT, is_of_1_2=False),
)
