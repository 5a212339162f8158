"""Differences that must be zero, made from the statements alone."""

from __future__ import annotations

from collections.abc import Sequence

from neocloud.finance.arithmetic import Value
from neocloud.finance.model.setting import Setting
from neocloud.finance.model.statements import Opened, minus
from neocloud.finance.outcome import (
    Balance,
    CashFlow,
    Checks,
    ContractLines,
    FacilityLines,
    Income,
    Line,
)


def checks_of(
    setting: Setting,
    opening: Opened,
    income: Income,
    cash: CashFlow,
    balance: Balance,
    accounts: tuple[Sequence[FacilityLines], Sequence[ContractLines]],
) -> Checks:
    """All checks. See `Checks`."""
    facilities, contracts = accounts
    held = setting.summed([balance.cash, balance.reserves])
    owed = setting.summed([balance.debt, balance.leases])
    net_draws = [
        minus(
            setting.summed([item.drawn, item.rolled_up]),
            item.converted,
            item.scheduled,
            item.swept,
        )
        for item in facilities
    ]
    released = setting.summed([item.released for item in contracts])
    fees = setting.summed([item.termination for item in contracts])
    fees_paid = minus(cash.receipts, _invoices_paid(setting, income, balance, contracts))
    forfeited = minus(fees, fees_paid)
    return Checks(
        balance=minus(balance.total_assets, balance.total_liabilities, balance.total_equity),
        cash=minus(_moves(held, opening.cash + opening.reserves), cash.change),
        debt=minus(_moves(owed, opening.debt), setting.summed(net_draws)),
        prepaid=minus(
            setting.summed([
                _moves(balance.contract_liabilities, opening.prepaid), released, forfeited
            ]),
            cash.prepayments,
        ),
        retained=minus(
            _moves(balance.retained, opening.retained),
            setting.summed([income.net, cash.distributions]),
        ),
    )  # fmt: skip


def _moves(line: Line, before: Value) -> Line:
    """By how much a balance moved in each month."""
    return minus(line, (before, *line[:-1]))


def _invoices_paid(
    setting: Setting, income: Income, balance: Balance, contracts: Sequence[ContractLines]
) -> Line:
    """Cash of invoices: what was invoiced, less what receivables rose by."""
    invoiced = minus(
        setting.summed([income.contracted, income.tokens, income.hours, income.relet]),
        *(item.released for item in contracts),
    )
    return minus(
        invoiced,
        _moves(balance.receivables, setting.a.money(setting.inputs.opening.receivables)),
    )
