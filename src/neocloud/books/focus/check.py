"""What must hold of an export, looked up in the files themselves, exactly.

The checkers of others leave some things out: that the rows of a document come to its total, that
costs multiply out to the last digit, and in the 1.2 view times and the values of lists.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal, InvalidOperation
from pathlib import Path

from neocloud.books.focus.figures import product
from neocloud.books.focus.records import Category, InvoiceTotal

_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
_PRODUCTS = (
    ("ListCost", "ListUnitPrice"),
    ("ContractedCost", "ContractedUnitPrice"),
)
_ALIKE = frozenset({"Tax", "Credit"})
"""Categories of which nothing is put off: effective is billed."""
_VALUES: Mapping[str, frozenset[str]] = {
    "ChargeCategory": frozenset(category.value for category in Category),
    "ChargeClass": frozenset({"", "Correction"}),
    "ChargeFrequency": frozenset({"One-Time", "Recurring", "Usage-Based"}),
    "PricingCategory": frozenset({"", "Standard"}),
    "CapacityReservationStatus": frozenset({"", "Used", "Unused"}),
}
"""Values of columns that have a list of them, those that are written."""
Row = Mapping[str, str]


def problems_of(files: Iterable[Path], totals: Iterable[InvoiceTotal]) -> tuple[str, ...]:
    """What is wrong in files of an export, by file and line; nothing if all is well.

    Args:
        files: of one version.
        totals: of the documents in it.

    Raises:
        OSError: a file cannot be read.
    """
    wanted = {each.invoice_id: each.total for each in totals}
    found: list[str] = []
    for path in files:
        with path.open(encoding="utf-8", newline="") as file:
            found += _problems(path.name, csv.DictReader(file, strict=True), wanted)
    return tuple(found)


def _problems(name: str, rows: Iterable[Row], wanted: Mapping[str, Decimal]) -> Iterator[str]:
    sums = dict.fromkeys(wanted, Decimal(0))
    by_invoice = name.endswith(("cost_and_usage.csv", "invoice_detail.csv"))
    for number, row in enumerate(rows, 2):
        where = f"{name} line {number}"
        yield from (f"{where}: {told}" for told in _of_row(row))
        document = row.get("InvoiceId")
        if document:
            if document not in sums:
                yield f"{where}: InvoiceId {document} is no document of the month"
            sums[document] = sums.get(document, Decimal(0)) + (_number(row, "BilledCost") or 0)
    if by_invoice:
        for document, total in wanted.items():
            if sums[document] != total:
                yield f"{name}: rows of {document} come to {sums[document]}, not to {total}"


def _of_row(row: Row) -> Iterator[str]:
    for column, value in row.items():
        if value and _is_moment(column) and not _MOMENT.fullmatch(value):
            yield f"{column} is {value}, no time as 2026-10-01T00:00:00Z"
        if column in _VALUES and value not in _VALUES[column]:
            yield f"{column} is {value}, none of its values"
    if "ListCost" not in row and "ContractedCost" not in row:
        return
    quantity = _number(row, "PricingQuantity")
    for cost, price in _PRODUCTS:
        unit, amount = _number(row, price), _number(row, cost)
        if amount is None:
            yield f"{cost} is no number"
        elif quantity is not None and unit is not None and product(unit, quantity) != amount:
            yield f"{cost} is {amount}, not {price} times PricingQuantity"
    billed, effective = _number(row, "BilledCost"), _number(row, "EffectiveCost")
    if row.get("ChargeCategory") in _ALIKE and billed != effective:
        yield "EffectiveCost is not BilledCost"


def _is_moment(column: str) -> bool:
    """True of columns that hold a time."""
    return column.endswith(("PeriodStart", "PeriodEnd", "Created", "LastUpdated", "Date"))


def _number(row: Row, column: str) -> Decimal | None:
    try:
        value = Decimal(row.get(column) or "")
    except InvalidOperation:
        return None
    return value if value.is_finite() else None
