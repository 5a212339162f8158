"""The sheet of debt, a block a facility: roll-forward, interest, service, CFADS, cover."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from fractions import Fraction

from neocloud.finance.arithmetic import Exact
from neocloud.finance.board.workbook.drivers import money
from neocloud.finance.board.workbook.sheets import Heading, Row, Sheet, summed
from neocloud.finance.measures import Ratio, dscr_trailing, loan_life_cover, loan_to_value
from neocloud.finance.measures.cover import counted_from
from neocloud.finance.model.terms import terms_of
from neocloud.finance.outcome import FacilityLines, Outcome
from neocloud.finance.records import Facility, Inputs
from neocloud.units import PICO

YEAR = 12
_A = Exact()
NOTHING = 1
"""Debt or service of a unit of the currency or less is none, as in `measures.ratios`."""


def debt_sheet(inputs: Inputs, outcome: Outcome) -> Sheet:
    """All facilities."""
    rows: list[Row | Heading] = []
    for facility, lines in zip(inputs.facilities, outcome.facilities, strict=True):
        kind = facility.kind.replace("_", " ")
        rows.append(Heading(f"{facility.key}: {kind}, matures {facility.maturity.isoformat()}"))
        rows += _account(inputs, facility, lines)
        rows += _cover(inputs, outcome, facility, lines)
    return Sheet(
        name="Debt",
        about="One block a facility. Draws, schedule and rates are inputs; balances, interest, "
        "service and cover follow.",
        rows=tuple(rows) or (Heading("The file has no debt."),),
    )


def numbers(ratios: Iterable[Ratio]) -> tuple[float | None, ...]:
    """Ratios by month as cells hold them."""
    return tuple(float(v) if isinstance(v, Fraction | int) else None for v in ratios)


def _account(inputs: Inputs, facility: Facility, lines: FacilityLines) -> Iterable[Row]:
    key = f"debt.{facility.key}"
    year = terms_of(facility, inputs).year
    opening = money(lines.opening)
    rates = tuple(float(rate) for rate in lines.rate)
    shares = tuple(float(share) for share in year)
    interest = money(lines.interest)
    within = tuple(
        whole - before * rate * share
        for whole, before, rate, share in zip(interest, opening, rates, shares, strict=True)
    )
    yield Row(
        key=f"{key}.opening", name="outstanding at the start", values=opening,
        formula=f"{{{key}.closing-}}",
    )  # fmt: skip
    for part, name, comment in (
        ("drawn", "drawn", ""),
        ("rolled_up", "interest added to the debt", ""),
        ("converted", "converted into equity", ""),
        ("scheduled", "repaid as scheduled", "Falls due at the end of a payment period."),
        ("swept", "repaid early", "Cash sweep; of a revolver all before maturity."),
    ):
        values = money(getattr(lines, part))
        yield Row(key=f"{key}.{part}", name=name, values=values, comment=comment)
    yield Row(
        key=f"{key}.closing", name="outstanding at the end", values=money(lines.closing),
        before=facility.opening / PICO, whole=True,
        formula=f"{{{key}.opening}}+{{{key}.drawn}}+{{{key}.rolled_up}}-{{{key}.converted}}"
        f"-{{{key}.scheduled}}-{{{key}.swept}}",
    )  # fmt: skip
    yield Row(
        key=f"{key}.rate", name="rate a year", values=rates, style="rate",
        comment="Base rate, at least the floor, with margin and step-up.",
    )  # fmt: skip
    yield Row(
        key=f"{key}.year", name="part of a year", values=shares, style="rate",
        comment=f"Days of the month by {facility.day_count}.",
    )  # fmt: skip
    yield Row(
        key=f"{key}.within", name="interest on draws of the month", values=within,
        comment="From the day of each draw to the end of the month.",
    )  # fmt: skip
    yield Row(
        key=f"{key}.interest", name="interest of the month", values=interest,
        formula=f"{{{key}.opening}}*{{{key}.rate}}*{{{key}.year}}+{{{key}.within}}",
    )  # fmt: skip
    yield Row(
        key=f"{key}.capitalised", name="of it cost of assets", values=money(lines.capitalised)
    )
    yield Row(key=f"{key}.fee", name="commitment fee of the month", values=money(lines.fee))
    yield Row(
        key=f"{key}.due", name="1 where it pays", style="plain",
        values=tuple(float(due) for due in lines.due),
    )  # fmt: skip
    yield from _paid(key, lines)


def _paid(key: str, lines: FacilityLines) -> Iterable[Row]:
    accrues = f"{{{key}.accrued-}}+{{{key}.interest}}+{{{key}.fee}}-{{{key}.rolled_up}}"
    paid = tuple(a + b for a, b in zip(lines.interest_paid, lines.fee_paid, strict=True))
    left, accrued = 0, []
    columns = zip(lines.interest, lines.fee, lines.rolled_up, paid, strict=True)
    for interest, fee, rolled, out in columns:
        left += interest + fee - rolled - out
        accrued.append(left)
    yield Row(
        key=f"{key}.paid", name="interest and fees paid", values=money(paid),
        formula=f"{{{key}.due}}*({accrues})",
    )  # fmt: skip
    yield Row(
        key=f"{key}.accrued", name="accrued at the end", values=money(tuple(accrued)), before=0.0,
        formula=f"{accrues}-{{{key}.paid}}",
    )  # fmt: skip
    yield Row(
        key=f"{key}.service", name="debt service", values=money(lines.service), whole=True,
        formula=f"{{{key}.paid}}+{{{key}.scheduled}}",
        comment="Interest and fees paid, and scheduled principal; early repayment is none.",
    )  # fmt: skip
    yield Row(key=f"{key}.reserve", name="in its reserve account", values=money(lines.reserve))


def _cover(
    inputs: Inputs, outcome: Outcome, facility: Facility, lines: FacilityLines
) -> Iterable[Row]:
    key = f"debt.{facility.key}"
    carried = [f"debt.{peer}" for peer in carried_by(inputs, facility)]
    yield _cfads(outcome, lines, key)
    yield Row(
        key=f"{key}.before", name="debt service that its cash carries",
        values=money(lines.service_before), formula=summed([f"{peer}.service" for peer in carried]),
        comment="Of all facilities whose contracts are all among its own.",
    )  # fmt: skip
    yield Row(
        key=f"{key}.dscr", name="DSCR, last twelve months", style="ratio", whole=True,
        values=numbers(dscr_trailing(_A, lines)), formula=_trailing(key, lines),
        comment="CFADS over debt service of the last twelve months, in months that end a payment "
        "period; periods that began before it was in service do not count.",
    )  # fmt: skip
    ends = [month for month, due in enumerate(lines.due) if due]
    last = ends[-1] if ends else -1
    yield Row(
        key=f"{key}.worth", name="worth of CFADS from this month to the last payment",
        values=_worth(lines, last),
        formula=lambda month: f"({{{key}.worth+}}+{{{key}.cfads}})/(1+{{{key}.rate}}/12)"
        if month <= last else "",
        comment="Discounted by month at the facility's own rate.",
    )  # fmt: skip
    owed = summed([f"{peer}.closing" for peer in carried])
    yield Row(
        key=f"{key}.llcr", name="LLCR", style="ratio", values=numbers(loan_life_cover(_A, lines)),
        formula=f'IF({owed}>{NOTHING},({{{key}.worth+}}+{{{key}.reserve}})/{owed},"")',
        comment="What later CFADS is worth, and the reserve, over the debt that it carries.",
    )  # fmt: skip
    yield Row(
        key=f"{key}.collateral", name="book value of the collateral",
        values=money(lines.collateral),
    )  # fmt: skip
    sharing = [
        f"debt.{other.key}.closing" for other in inputs.facilities
        if set(other.collateral) & set(facility.collateral)
    ]  # fmt: skip
    yield Row(
        key=f"{key}.ltv", name="LTV", style="ratio",
        values=numbers(loan_to_value(_A, inputs, outcome, facility.key)),
        formula=f'IF({{{key}.collateral}}>{NOTHING},{summed(sharing)}/{{{key}.collateral}},"")',
        comment="Debt of all facilities on the same collateral over its book value.",
    )  # fmt: skip


def _cfads(outcome: Outcome, lines: FacilityLines, key: str) -> Row:
    """Live where it is the company's; else an input, for costs are shared by revenue."""
    own = lines.cfads.credited == outcome.cfads.credited
    return Row(
        key=f"{key}.cfads", name="CFADS, prepayments credited",
        values=money(lines.cfads.credited), formula="{cfads}" if own else None,
        comment="The company's." if own else "Of the contracts behind it, with their share of "
        "costs and tax in common; as the model has it.",
    )  # fmt: skip


def _trailing(key: str, lines: FacilityLines) -> Callable[[int], str]:
    since = max(counted_from(lines), 0)

    def formula(month: int) -> str:
        window = min(YEAR, month - since + 1)
        if not lines.due[month] or window < 1:
            return '""'  # an empty cell would count as 0 where it is referred to
        carried = f"SUM({{{key}.before~{window}}})"
        return f'IF({carried}>{NOTHING},SUM({{{key}.cfads~{window}}})/{carried},"")'

    return formula


def _worth(lines: FacilityLines, last: int) -> tuple[float | None, ...]:
    worth = 0.0
    found: list[float | None] = []
    for month in reversed(range(len(lines.due))):
        if month > last:
            found.append(None)
            continue
        flow = lines.cfads.credited[month] / PICO
        worth = (worth + flow) / (1 + float(lines.rate[month]) / YEAR)
        found.append(worth)
    return tuple(reversed(found))


def carried_by(inputs: Inputs, facility: Facility) -> list[str]:
    """Facilities that the cash behind one carries: those whose contracts are all among its own."""
    behind = frozenset(facility.contracts)
    return [
        other.key
        for other in inputs.facilities
        if not behind or (other.contracts and behind >= frozenset(other.contracts))
    ]
