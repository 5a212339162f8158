"""The lines of the statements, in the order and the words in which a reader meets them."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

import msgspec

from neocloud.books.tiers.exact import from_pico
from neocloud.finance.board.records import Line, Statement
from neocloud.finance.outcome import Balance, CashFlow, FacilityLines, Income, Outcome
from neocloud.finance.outcome import Line as Amounts
from neocloud.finance.records import Inputs, Merchant


class _Row(msgspec.Struct, frozen=True):
    key: str
    name: str
    whole: bool = False
    kept: bool = False


_INCOME = (
    _Row("contracted", "contracts"),
    _Row("tokens", "tokens at list prices"),
    _Row("hours", "accelerator-hours at market"),
    _Row("relet", "let again"),
    _Row("termination", "termination fees"),
    _Row("revenue", "revenue", True, True),
    _Row("operating_cost", "operating cost", False, True),
    _Row("ebitda", "EBITDA", True, True),
    _Row("depreciation", "depreciation", False, True),
    _Row("disposal", "gain of disposals"),
    _Row("interest", "interest"),
    _Row("fees", "commitment fees"),
    _Row("before_tax", "profit before tax", True, True),
    _Row("tax", "tax"),
    _Row("net", "net profit", True, True),
)
_CASH = (
    _Row("receipts", "received from customers", False, True),
    _Row("prepayments", "prepayments received"),
    _Row("payments", "paid to suppliers", False, True),
    _Row("tax", "tax"),
    _Row("interest", "interest and fees"),
    _Row("operating", "cash of operations", True, True),
    _Row("capital", "capital expenditure"),
    _Row("capitalised_interest", "capitalised interest"),
    _Row("disposals", "disposals"),
    _Row("investing", "cash of investment", True, True),
    _Row("drawn", "debt drawn"),
    _Row("repaid", "debt repaid"),
    _Row("equity", "equity paid in"),
    _Row("distributions", "paid out to owners"),
    _Row("shortfall", "bills left unpaid"),
    _Row("financing", "cash of financing", True, True),
    _Row("change", "change of cash", True, True),
)
_BALANCE = (
    _Row("cash", "cash", False, True),
    _Row("reserves", "reserve accounts"),
    _Row("receivables", "receivables"),
    _Row("construction", "assets in construction"),
    _Row("assets", "assets in service", False, True),
    _Row("right_of_use", "right of use"),
    _Row("total_assets", "assets", True, True),
    _Row("payables", "payables"),
    _Row("contract_liabilities", "prepaid, not delivered yet"),
    _Row("accrued", "accrued interest"),
    _Row("tax", "tax owed"),
    _Row("debt", "debt", False, True),
    _Row("leases", "leases"),
    _Row("shortfall", "bills left unpaid"),
    _Row("total_liabilities", "liabilities", True, True),
    _Row("paid_in", "paid-in equity"),
    _Row("retained", "retained earnings"),
    _Row("total_equity", "equity", True, True),
)
_ACCOUNT = (
    _Row("opening", "outstanding at the start"),
    _Row("drawn", "drawn"),
    _Row("rolled_up", "interest added"),
    _Row("converted", "converted into equity"),
    _Row("scheduled", "repaid as scheduled"),
    _Row("swept", "repaid early"),
    _Row("closing", "outstanding at the end", True, True),
    _Row("interest", "interest of the month", False, True),
    _Row("capitalised", "of it cost of assets"),
    _Row("fee", "commitment fee of the month"),
    _Row("interest_paid", "interest paid", False, True),
    _Row("fee_paid", "fees paid"),
    _Row("service", "debt service", True, True),
    _Row("service_before", "debt service that its cash carries", False, True),
    _Row("reserve", "in its reserve account"),
    _Row("collateral", "book value of the collateral"),
)
_LEVELS = frozenset({"opening", "closing", "reserve", "collateral"})


def decimals(line: Amounts) -> tuple[Decimal, ...]:
    """A line in units of the currency, exact."""
    return tuple(from_pico(value) for value in line)


def statement(key: str, name: str, lines: Iterable[Line]) -> Statement:
    """A statement of lines."""
    return Statement(key=key, name=name, lines=tuple(lines))


def _lines(
    rows: Iterable[_Row], record: Income | CashFlow | Balance | FacilityLines, levels: bool = False
) -> list[Line]:
    found = []
    for row in rows:
        amounts: Amounts = getattr(record, row.key)
        if row.kept or any(amounts):
            found.append(
                Line(
                    key=row.key, name=row.name, whole=row.whole,
                    level=levels or (isinstance(record, FacilityLines) and row.key in _LEVELS),
                    amounts=decimals(amounts),
                )
            )  # fmt: skip
    return found


def income_statement(outcome: Outcome) -> Statement:
    """The income statement; cost by kind stands before its sum. What is always 0 is left out."""
    lines: list[Line] = []
    for line in _lines(_INCOME, outcome.income):
        if line.key == "operating_cost":
            lines += [
                Line(key=f"cost.{kind}", name=kind.replace("_", " "), amounts=decimals(spent))
                for kind, spent in outcome.income.costs.items()
                if any(spent)
            ]
            line = msgspec.structs.replace(line, whole=True)  # noqa: PLW2901
        lines.append(line)
    return statement("income", "Income", lines)


def cash_statement(outcome: Outcome) -> Statement:
    """The cash flow statement, money out negative."""
    return statement("cash", "Cash flow", _lines(_CASH, outcome.cash))


def balance_sheet(outcome: Outcome) -> Statement:
    """The balance sheet at the end of each month."""
    return statement("balance", "Balance", _lines(_BALANCE, outcome.balance, levels=True))


def facility_account(lines: FacilityLines) -> Statement:
    """The account of a facility, with its CFADS in three ways."""
    ways = {
        "cfads_credited": ("CFADS, prepayments credited", lines.cfads.credited),
        "cfads_received": ("CFADS, prepayments as received", lines.cfads.received),
        "cfads_ignored": ("CFADS, prepayments forgotten", lines.cfads.ignored),
    }
    cash = [
        Line(key=key, name=name, amounts=decimals(amounts))
        for key, (name, amounts) in ways.items()
        if key == "cfads_credited" or amounts != lines.cfads.credited
    ]
    return statement(f"facility.{lines.key}", lines.key, [*_lines(_ACCOUNT, lines), *cash])


def merchant_name(merchant: Merchant) -> str:
    """A merchant line in words: whose tokens of which model, or its key."""
    if merchant.source == "tokens":
        return f"{merchant.model} ({merchant.customer or 'many'})"
    return f"{merchant.key}, merchant"


def revenue_by_source(inputs: Inputs, outcome: Outcome) -> Statement:
    """Revenue by contract and merchant line, with what was let again and termination fees."""
    lines = [
        Line(
            key=f"contract.{contract.key}", name=f"{contract.key} ({contract.customer})",
            amounts=decimals(
                tuple(
                    map(sum, zip(own.revenue, own.relet, own.termination, strict=True))
                )
            ),
        )
        for contract, own in zip(inputs.contracts, outcome.contracts, strict=True)
        if any(own.revenue) or any(own.relet) or any(own.termination)
    ]  # fmt: skip
    lines += [
        Line(
            key=f"merchant.{merchant.key}", name=merchant_name(merchant),
            amounts=decimals(own.revenue),
        )
        for merchant, own in zip(inputs.merchant, outcome.merchant, strict=True)
        if any(own.revenue)
    ]  # fmt: skip
    whole = Line(
        key="revenue", name="revenue", whole=True, amounts=decimals(outcome.income.revenue)
    )
    return statement("revenue", "Revenue by source", [*lines, whole])
