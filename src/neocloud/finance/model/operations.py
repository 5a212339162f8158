"""All of a run that debt does not change: sales, costs, assets, and the cash that contracts bring.

Nothing here depends on the month before but through working capital, so it is made before the loop
over months, for the company and for the contracts behind each facility.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from neocloud.finance.model.assets import Owned, owned
from neocloud.finance.model.costs import spent
from neocloud.finance.model.sales import Sold, merchant_sold, sold
from neocloud.finance.model.setting import Setting
from neocloud.finance.model.working import paid_later
from neocloud.finance.outcome import Line, MerchantLines

Behind = frozenset[str]
"""Contracts behind a facility; the empty set stands for the whole company."""


@dataclass(frozen=True, slots=True)
class Cash:
    """Cash of some contracts, or of the company, before tax and debt.

    Attributes:
        revenue: delivered.
        receipts: of invoices, and fees of customers that leave.
        gross: receipts as if no prepayment were credited to invoices.
        prepayments: received.
        payments: to suppliers; common costs are shared by revenue of the month.
        receivables: outstanding invoices.
        payables: outstanding bills.
    """

    revenue: Line
    receipts: Line
    gross: Line
    prepayments: Line
    payments: Line
    receivables: Line
    payables: Line


@dataclass(frozen=True, slots=True)
class Operations:
    """What a run has before its debt. `cash[frozenset()]` is the company's."""

    sold: tuple[Sold, ...]
    merchant: tuple[MerchantLines, ...]
    costs: tuple[Line, ...]
    owned: tuple[Owned, ...]
    cash: Mapping[Behind, Cash]

    @property
    def company(self) -> Cash:
        """Cash of the company."""
        return self.cash[frozenset()]


def operate(setting: Setting) -> Operations:
    """All that debt does not change."""
    inputs = setting.inputs
    contracts = tuple(sold(setting, contract) for contract in inputs.contracts)
    merchant = tuple(merchant_sold(setting, line) for line in inputs.merchant)
    costs = tuple(spent(setting, cost) for cost in inputs.costs)
    company = _company(setting, contracts, merchant, costs)
    cash: dict[Behind, Cash] = {frozenset(): company}
    for facility in inputs.facilities:
        behind = frozenset(facility.contracts)
        if behind not in cash:
            cash[behind] = _behind(setting, behind, contracts, costs, company)
    return Operations(
        sold=contracts,
        merchant=merchant,
        costs=costs,
        owned=tuple(owned(setting, asset) for asset in inputs.assets),
        cash=cash,
    )


def _company(
    setting: Setting,
    contracts: tuple[Sold, ...],
    merchant: tuple[MerchantLines, ...],
    costs: tuple[Line, ...],
) -> Cash:
    sales = [line.revenue for line in merchant]
    opening = setting.inputs.opening
    return _cash(
        setting,
        [*(item.lines.revenue for item in contracts), *sales],
        contracts,
        sales,
        setting.summed(costs),
        (opening.receivables, opening.payables),
    )


def _behind(
    setting: Setting,
    behind: Behind,
    contracts: tuple[Sold, ...],
    costs: tuple[Line, ...],
    company: Cash,
) -> Cash:
    own = tuple(item for item in contracts if item.lines.key in behind)
    revenue = {item.lines.key: item.lines.revenue for item in contracts}
    common, direct = [], []
    for cost, line in zip(setting.inputs.costs, costs, strict=True):
        shared = frozenset(cost.contracts)
        if not shared:
            common.append(line)
        elif shared <= behind:
            direct.append(line)
        elif shared & behind:
            mine = setting.summed(revenue[key] for key in sorted(shared & behind))
            total = setting.summed(revenue[key] for key in sorted(shared))
            direct.append(_part(setting, line, mine, total))
    mine = setting.summed(item.lines.revenue for item in own)
    shared_line = _part(setting, setting.summed(common), mine, company.revenue)
    return _cash(
        setting,
        [item.lines.revenue for item in own],
        own,
        [],
        setting.summed([*direct, shared_line]),
        (0, 0),
    )


def _part(setting: Setting, line: Line, over: Line, under: Line) -> Line:
    return tuple(setting.a.part(*three) for three in zip(line, over, under, strict=True))


def _cash(
    setting: Setting,
    revenue: list[Line],
    contracts: tuple[Sold, ...],
    sales: list[Line],
    cost: Line,
    opening: tuple[int, int],
) -> Cash:
    policies = setting.inputs.policies
    months = setting.inputs.months
    invoiced = setting.summed([*(item.invoiced for item in contracts), *sales])
    released = setting.summed(item.lines.released for item in contracts)
    whole = setting.summed([invoiced, released])
    fees = setting.summed(item.fees for item in contracts)
    days = policies.receivable_days
    receipts, receivables = paid_later(setting.a, months, invoiced, days, opening[0])
    gross, _ = paid_later(setting.a, months, whole, days, opening[0])
    payments, payables = paid_later(setting.a, months, cost, policies.payable_days, opening[1])
    return Cash(
        revenue=setting.summed(revenue),
        receipts=setting.summed([receipts, fees]),
        gross=setting.summed([gross, fees]),
        prepayments=setting.summed(item.lines.received for item in contracts),
        payments=payments,
        receivables=receivables,
        payables=payables,
    )
