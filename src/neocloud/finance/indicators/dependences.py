"""What customers hold of revenue, backlog and each facility's cash, by month."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from neocloud.finance.arithmetic import Exact
from neocloud.finance.indicators.diversification import (
    Dependence,
    MonthOfStakes,
    Stake,
    dependence,
)
from neocloud.finance.indicators.records import Origin, months_from
from neocloud.finance.indicators.sales import Directory, Sale
from neocloud.finance.outcome import ContractLines, FacilityLines, Outcome
from neocloud.finance.records import Contract, Facility, Inputs

_CERTAINTY: tuple[Origin, ...] = ("planned", "rated", "metered", "invoiced")


def revenue_dependence(
    sales: Sequence[Sale], directory: Directory, over: Iterable[str]
) -> Dependence:
    """Of revenue, by month of delivery.

    Args:
        sales: of all months; of several origins in one month the least certain is told.
        directory: credit and labs.
        over: months that books were asked for, though nothing may have been sold in them.
    """
    by_month: dict[str, list[Sale]] = {month: [] for month in over}
    for sale in sales:
        by_month.setdefault(sale.month, []).append(sale)
    months = []
    for month in months_from(min(by_month), max(by_month)) if by_month else ():
        own = by_month.get(month, [])
        months.append(
            MonthOfStakes(
                month=month,
                origin=min((sale.origin for sale in own), key=_CERTAINTY.index, default="planned"),
                stakes=tuple(_stake(directory, s.customer, s.model, s.pico) for s in own),
                unknown="nothing was sold",
            )
        )
    return dependence("revenue", "revenue", months)


def backlog_dependence(inputs: Inputs, outcome: Outcome, directory: Directory) -> Dependence:
    """Of the backlog: what signed contracts still oblige customers to pay at the end of a month.

    These are remaining performance obligations (ASC 606-10-50-13, IFRS 15.120) of what is paid
    whether used or not, at contracts' prices, in the months of the model.
    """
    count = inputs.months.count
    signed = [
        (contract, lines)
        for contract, lines in zip(inputs.contracts, outcome.contracts, strict=True)
        if contract.probability == 1
    ]
    longer = [c.key for c, lines in signed if c.last + lines.shift >= count]
    notes = (
        (f"Only what falls within the model, of contracts that go on: {', '.join(longer)}.",)
        if longer
        else ()
    )
    left = [(contract, remaining(contract, lines, count)) for contract, lines in signed]
    months = [
        MonthOfStakes(
            month=label,
            origin="planned",
            stakes=tuple(
                _stake(directory, c.customer, c.model or "", amounts[month])
                for c, amounts in left
                if c.signed <= month
            ),
            unknown="no signed contract has anything left",
        )
        for month, label in enumerate(inputs.months.labels)
    ]
    return dependence("backlog", "backlog", months, notes)


def remaining(contract: Contract, lines: ContractLines, count: int) -> tuple[int, ...]:
    """What is still to be delivered and paid in any case, at the end of each month, pico-units."""
    due = [Exact().at(contract.committed, month - lines.shift) for month in range(count)]
    left, found = 0, []
    for amount in reversed(due):
        found.append(left)
        left += amount
    return tuple(reversed(found))


def cash_dependence(
    inputs: Inputs, outcome: Outcome, facility: Facility, directory: Directory
) -> Dependence:
    """Of the cash that carries a facility: CFADS with prepayments as credited.

    A customer's share is that of what its contracts bring, less prepayments credited to them and
    costs that they alone cause. Costs that all share and tax fall on all in proportion to revenue,
    as the model counts them, and so do not move shares.
    """
    lines = outcome.facility(facility.key)
    behind = set(facility.contracts)
    months = []
    for month, label in enumerate(inputs.months.labels):
        stakes = [
            _stake(directory, c.customer, c.model or "", _brought(inputs, outcome, c, own, month))
            for c, own in zip(inputs.contracts, outcome.contracts, strict=True)
            if not behind or c.key in behind
        ]
        if not behind:
            stakes += [
                _stake(directory, m.customer, m.model or "", sold.revenue[month])
                for m, sold in zip(inputs.merchant, outcome.merchant, strict=True)
            ]
        months.append(
            MonthOfStakes(
                month=label,
                origin="planned",
                stakes=tuple(stakes) if _owes(lines, month) else (),
                unknown=(
                    "nothing behind it brings cash" if _owes(lines, month) else "nothing is owed"
                ),
            )
        )
    return dependence(f"cfads.{facility.key}", f"cash for {facility.key}", months)


def _owes(lines: FacilityLines, month: int) -> bool:
    return bool(lines.opening[month] or lines.drawn[month] or lines.closing[month])


def _brought(
    inputs: Inputs, outcome: Outcome, contract: Contract, lines: ContractLines, month: int
) -> int:
    """What a contract brings in a month, less what it alone costs."""
    brought: int = (
        lines.revenue[month] + lines.relet[month] + lines.termination[month] - lines.released[month]
    )
    for cost in inputs.costs:
        if contract.key in cost.contracts:
            spent = Exact().at(cost.fixed, month) + Exact().at(cost.variable, month)
            among = sum(
                other.revenue[month] for other in outcome.contracts if other.key in cost.contracts
            )
            brought -= Exact().part(spent, lines.revenue[month], among)
    return brought


def _stake(directory: Directory, customer: str, model: str, pico: int) -> Stake:
    return Stake(
        customer=customer,
        pico=pico,
        credit=directory.credit_of(customer),
        model=model,
        lab=directory.lab_of(customer, model),
    )
