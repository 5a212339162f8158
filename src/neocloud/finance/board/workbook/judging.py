"""The sheets of covenants and of checks."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

from neocloud.finance.arithmetic import Exact
from neocloud.finance.board.text import MEASURES
from neocloud.finance.board.workbook.debts import NOTHING, YEAR, numbers
from neocloud.finance.board.workbook.drivers import money
from neocloud.finance.board.workbook.sheets import Heading, Row, Sheet, Style, summed
from neocloud.finance.measures import CovenantTest, Ratio, covenant_tests
from neocloud.finance.outcome import FacilityLines, Line, Outcome
from neocloud.finance.records import Inputs

_A = Exact()
ENDLESS = "endless"
"""Leverage where EBITDA is not above 0 while debt is owed: a breach of any level."""


def covenant_sheet(inputs: Inputs, outcome: Outcome) -> Sheet:
    """Each covenant: level, value, headroom, breach; tested while something is owed."""
    rows: list[Row | Heading] = []
    for test in covenant_tests(_A, inputs, outcome):
        rows.append(Heading(f"{test.facility}: {MEASURES[test.measure]}"))
        rows += _covenant(test, outcome.facility(test.facility))
    return Sheet(
        name="Covenants",
        about="Column B holds the level. 1 is a breach; of a lock-up it stops distributions.",
        rows=tuple(rows) or (Heading("No facility names a covenant."),),
    )


def _covenant(test: CovenantTest, lines: FacilityLines) -> Iterable[Row]:
    key = f"covenant.{test.facility}.{test.measure}"
    debt = f"debt.{test.facility}"
    sign = "at least" if test.least else "at most"
    style: Style = "money" if test.measure == "liquidity" else "ratio"
    yield Row(key=f"{key}.level", name=f"demanded: {sign}", before=float(test.level), style=style)
    value = _value(test.measure, lines)

    def tested(month: int) -> str:
        said = value(month)
        owed = f"MAX({{{debt}.opening}},{{{debt}.closing}})>{NOTHING}"
        return f'IF({owed},{said},"")' if said else ""

    yield Row(
        key=f"{key}.value", name="value", values=_shown(test.values), formula=tested, style=style
    )
    own, level = f"{{{key}.value}}", f"{{{key}.level$}}"
    share = f"{own}/{level}-1" if test.least else f"1-{own}/{level}"
    if test.level == 0:
        share = own if test.least else f"{own}*0"
    yield Row(
        key=f"{key}.headroom", name="headroom", values=numbers(test.headroom), style="rate",
        formula=f'IF(ISNUMBER({own}),{share},"")', comment="As a share of the level.",
    )  # fmt: skip
    yield Row(
        key=f"{key}.breach", name="1 where it is missed", style="plain",
        values=tuple(float(bool(broken)) for broken in test.breached),
        formula=f'IF({own}="{ENDLESS}",1,IF(ISNUMBER({own}),IF({{{key}.headroom}}<-0.000000001,1,0)'
        ",0))",
    )  # fmt: skip


def _shown(ratios: Iterable[Ratio]) -> tuple[float | str | None, ...]:
    listed = list(ratios)
    pairs = zip(listed, numbers(listed), strict=True)
    return tuple(ENDLESS if value == math.inf else number for value, number in pairs)


def _value(measure: str, lines: FacilityLines) -> Callable[[int], str]:
    """The formula of what is tested; empty of a month in which nothing is."""
    debt = f"debt.{lines.key}"
    days = [month for month, due in enumerate(lines.due) if due]
    year = f"SUM({{ebitda~{YEAR}}})"
    cost = f"(SUM({{interest~{YEAR}}})+SUM({{fees~{YEAR}}}))"

    def formula(month: int) -> str:
        if measure in {"dscr", "lock_up"}:
            return f"{{{debt}.dscr}}"
        if measure == "llcr":  # on payment days but the last
            return f"{{{debt}.llcr}}" if month in days[:-1] else '""'
        if measure == "ltv":
            return f"{{{debt}.ltv}}"
        if measure == "interest_cover":
            return f'IF({cost}>{NOTHING},{year}/{cost},"")'
        if measure == "leverage":
            scaled = f"({year}*{YEAR}/{min(month + 1, YEAR)})"
            net = "({debt}+{leases}-{cash}-{reserves})"
            return f'IF({scaled}>{NOTHING},{net}/{scaled},"{ENDLESS}")'
        return "{cash}"

    return formula


def check_sheet(inputs: Inputs, outcome: Outcome) -> Sheet:
    """What must be 0, and the model's own figures beside those that are reckoned here."""
    zero = (0.0,) * outcome.months.count
    debt = summed([f"debt.{item.key}.closing" for item in inputs.facilities])
    rows: list[Row | Heading] = [
        Heading("Must be 0, whatever is changed"),
        Row(key="check.1", name="assets less liabilities and equity", values=zero,
            formula="{check.balance}"),
        Row(key="check.2", name="cash of the balance less cash of the cash flow", values=zero,
            formula="ROUND({cash}+{reserves}-{held},2)"),
        Row(key="check.3", name="debt of the balance less that of the facilities", values=zero,
            formula=f"ROUND({{debt}}+{{leases}}-{debt},2)"),
        Row(key="check.all", name="largest of them in all months", before="MAX(" + ",".join(
            f"MAX({{check.{n}:}}),-MIN({{check.{n}:}})" for n in (1, 2, 3)) + ")", whole=True),
        Heading("Reckoned here less what the model gave: 0 until an input is changed"),
    ]  # fmt: skip
    compared: list[tuple[str, str, Line]] = [
        ("revenue", "revenue", outcome.income.revenue),
        ("ebitda", "EBITDA", outcome.income.ebitda),
        ("net", "net profit", outcome.income.net),
        ("cash", "cash", outcome.balance.cash),
        ("total_assets", "assets", outcome.balance.total_assets),
        ("debt", "debt", outcome.balance.debt),
    ]
    for key, name, line in compared:
        given = f"model.{key}"
        rows.append(Row(key=given, name=f"{name}, by the model", values=money(line)))
        rows.append(
            Row(key=f"off.{key}", name=f"{name}, difference", values=zero,
                formula=f"ROUND({{{key}}}-{{{given}}},2)")
        )  # fmt: skip
    return Sheet(name="Checks", about="Checks of this workbook.", rows=tuple(rows))
