"""`finance_report`: the statements, debt and covenants of an outcome, for people and programs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from fractions import Fraction

from neocloud.books.tiers.exact import from_pico
from neocloud.finance.arithmetic import Exact
from neocloud.finance.board.headline import headline_of, sources_and_uses
from neocloud.finance.board.records import (
    BacklogReport,
    Capacity,
    Check,
    CovenantReport,
    Cover,
    FacilityReport,
    FinanceReport,
    Measures,
    Ratios,
    Rung,
)
from neocloud.finance.board.statements import (
    balance_sheet,
    cash_statement,
    decimals,
    facility_account,
    income_statement,
    revenue_by_source,
)
from neocloud.finance.inputs import Obligations, backlog_of
from neocloud.finance.lender.shown import ratio
from neocloud.finance.measures import (
    CovenantTest,
    Definition,
    Ratio,
    cfads_of,
    contracted_cover,
    covenant_tests,
    dscr_by_period,
    dscr_trailing,
    interest_cover,
    leverage,
    loan_life_cover,
    loan_to_value,
    lowest,
    lowest_month,
    project_life_cover,
)
from neocloud.finance.outcome import FacilityLines, Outcome
from neocloud.finance.records import Facility, Inputs
from neocloud.finance.records import Rung as RungName

DEFINITIONS: dict[Definition, str] = {
    "credited": "prepayments credited to invoices over the term",
    "received": "prepayments counted when their cash comes",
    "ignored": "prepayments forgotten: each invoice counts whole",
}
"""How prepayments count in CFADS, in words; covenants are tested on the first."""

_A = Exact()
_RUNGS: tuple[RungName, ...] = ("active", "connected", "contracted", "reserved")
_CHECKS = {
    "balance": "assets less liabilities and equity",
    "cash": "change of cash in balance and cash flow",
    "debt": "debt and the accounts of its facilities",
    "prepaid": "contract liabilities and prepayments",
    "retained": "retained earnings and net profit",
}


def finance_report(
    inputs: Inputs, outcome: Outcome, obligations: Obligations, from_plan: str
) -> FinanceReport:
    """The finance part.

    Args:
        inputs: what was run.
        outcome: of an exact run of it.
        obligations: of the same inputs.
        from_plan: where tokens and energy come from, in words.
    """
    backlog = backlog_of(inputs)
    covenants = tuple(_covenant(test, outcome) for test in covenant_tests(_A, inputs, outcome))
    facilities = tuple(
        _facility(inputs, outcome, facility, lines)
        for facility, lines in zip(inputs.facilities, outcome.facilities, strict=True)
    )
    return FinanceReport(
        months=outcome.months.labels,
        from_plan=from_plan,
        headline=headline_of(inputs, outcome, backlog, covenants),
        income=income_statement(outcome),
        cash=cash_statement(outcome),
        balance=balance_sheet(outcome),
        revenue=revenue_by_source(inputs, outcome),
        sources_and_uses=sources_and_uses(inputs, outcome),
        facilities=facilities,
        covenants=covenants,
        company=Measures(
            interest_cover=shown(interest_cover(_A, outcome)),
            leverage=shown(leverage(_A, outcome)),
            contracted_cover=shown(contracted_cover(_A, outcome)),
        ),
        backlog=BacklogReport(
            booked=decimals(backlog.booked),
            firm=decimals(backlog.firm),
            expected=decimals(backlog.expected),
            annualised=decimals(backlog.annualised),
            pipeline=decimals(backlog.pipeline),
        ),
        capacity=tuple(_capacity(obligations, outcome.months.labels)),
        power=tuple(_power(inputs)),
        checks=tuple(
            Check(
                name=words,
                difference=from_pico(max(getattr(outcome.checks, name), key=abs)),
            )
            for name, words in _CHECKS.items()
        ),
        notes=tuple(_notes(inputs, outcome)),
    )


def shown(ratios: Iterable[Ratio]) -> Ratios:
    """Ratios by month, rounded to be shown."""
    return tuple(_ratio(value) for value in ratios)


def _ratio(value: Ratio) -> Decimal | None:
    """A ratio, rounded; None of nothing and of what has no bound."""
    return ratio(Fraction(value)) if isinstance(value, Fraction | int) else None


def _facility(
    inputs: Inputs, outcome: Outcome, facility: Facility, lines: FacilityLines
) -> FacilityReport:
    own = cfads_of(lines.cfads, "credited")
    kept = [
        definition
        for definition in DEFINITIONS
        if definition == "credited" or cfads_of(lines.cfads, definition) != own
    ]
    return FacilityReport(
        key=facility.key,
        kind=facility.kind,
        commitment=from_pico(facility.commitment),
        maturity=facility.maturity.isoformat(),
        account=facility_account(lines),
        cover=tuple(_cover(outcome, lines, definition) for definition in kept),
        loan_to_value=shown(loan_to_value(_A, inputs, outcome, facility.key)),
    )


def _cover(outcome: Outcome, lines: FacilityLines, definition: Definition) -> Cover:
    trailing = dscr_trailing(_A, lines, definition)
    month = lowest_month(trailing, outcome.months.count)
    return Cover(
        definition=definition,
        words=DEFINITIONS[definition],
        by_period=shown(dscr_by_period(_A, lines, definition)),
        trailing=shown(trailing),
        llcr=shown(loan_life_cover(_A, lines, definition)),
        plcr=shown(project_life_cover(_A, lines, definition)),
        least=_ratio(lowest(trailing)),
        least_month=outcome.months.labels[month] if month < outcome.months.count else "",
    )


def _covenant(test: CovenantTest, outcome: Outcome) -> CovenantReport:
    labels, count = outcome.months.labels, outcome.months.count
    at = lowest_month(test.headroom, count)
    return CovenantReport(
        facility=test.facility,
        measure=test.measure,
        demand="at least" if test.least else "at most",
        level=ratio(test.level),
        values=shown(test.values),
        headroom=shown(test.headroom),
        tightest=_ratio(test.tightest),
        tightest_month=labels[at] if at < count else "",
        value=_ratio(test.values[at]) if at < count else None,
        first_breach=labels[test.first_breach] if test.first_breach < count else "",
    )


def _capacity(obligations: Obligations, labels: Sequence[str]) -> Iterable[Capacity]:
    """Accelerators by kind, then megawatts; of what signed contracts hold nothing, nothing."""
    for item in obligations.accelerators:
        yield _beside(
            item.accelerator or "any accelerator",
            (tuple(map(Fraction, item.owed)), tuple(map(Fraction, item.deliverable))),
            tuple(map(Fraction, item.short)), labels,
        )  # fmt: skip
    power = obligations.power
    if any(power.needed):
        yield _beside("MW", (power.needed, power.active), power.short, labels)


def _beside(
    name: str,
    sides: tuple[tuple[Fraction, ...], tuple[Fraction, ...]],
    short: tuple[Fraction, ...],
    labels: Sequence[str],
) -> Capacity:
    most = max(short)
    return Capacity(
        name=name,
        owed=tuple(map(ratio, sides[0])),
        deliverable=tuple(map(ratio, sides[1])),
        most_short=ratio(most),
        short_month=labels[short.index(most)] if most > 0 else "",
    )


def _power(inputs: Inputs) -> Iterable[Rung]:
    for rung in _RUNGS:
        lines = [item.megawatts for item in inputs.power if item.rung == rung]
        if lines:
            months = range(inputs.months.count)
            summed = (sum((line[month] for line in lines), Fraction(0)) for month in months)
            yield Rung(name=rung, megawatts=tuple(map(ratio, summed)))


def _notes(inputs: Inputs, outcome: Outcome) -> Iterable[str]:
    open_ = [contract for contract in inputs.contracts if contract.probability < 1]
    if open_:
        yield (
            "Contracts that are not signed count nothing here: "
            f"{', '.join(contract.key for contract in open_)}."
        )
    late = [
        f"{contract.key} by {lines.shift} months"
        for contract, lines in zip(inputs.contracts, outcome.contracts, strict=True)
        if lines.shift
    ]
    if late:
        yield f"Later than agreed, for what they require is not in service: {', '.join(late)}."
    if any(outcome.balance.shortfall):
        yield (
            "Bills are left unpaid: what is missing is owed without interest, and nothing here "
            "says who would give it."
        )
