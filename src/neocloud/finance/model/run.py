"""The loop over months."""

from __future__ import annotations

from collections.abc import Sequence

from neocloud.finance.arithmetic import Arithmetic, Index
from neocloud.finance.model.checking import check
from neocloud.finance.model.checks import checks_of
from neocloud.finance.model.cover import Cover
from neocloud.finance.model.debt import Account
from neocloud.finance.model.operations import Operations, operate
from neocloud.finance.model.sculpt import paid_for, shares_of
from neocloud.finance.model.setting import Setting, setting_of
from neocloud.finance.model.statements import (
    Journal,
    balance_of,
    cash_of,
    facility_of,
    income_of,
    minus,
    opened,
)
from neocloud.finance.model.tax import Tax
from neocloud.finance.model.terms import terms_of
from neocloud.finance.model.waterfall import SMALL, settle
from neocloud.finance.outcome import Cfads, Line, Outcome
from neocloud.finance.records import Inputs
from neocloud.finance.shocks import NONE, Shocks


def run(inputs: Inputs, arithmetic: Arithmetic, shocks: Shocks = NONE) -> Outcome:
    """Run the model: the months of `inputs`, moved by `shocks`, in one of the two arithmetics.

    The same inputs, arithmetic and shocks give the same outcome.

    Raises:
        ValueError: inputs that contradict themselves (see `checking`).
    """
    check(inputs)
    setting = setting_of(inputs, arithmetic, shocks)
    operations = operate(setting)
    shares = shares_of(inputs)
    accounts = [
        Account(setting, terms_of(item, inputs), shares.get(item.key, ()))
        for item in inputs.facilities
    ]
    covers = _covers(setting, operations, accounts)
    journal = Journal()
    _months(setting, operations, covers, journal)
    return _outcome(setting, operations, covers, journal)


def _covers(setting: Setting, operations: Operations, accounts: Sequence[Account]) -> list[Cover]:
    """What each facility's cash is, and which facilities it carries."""
    covers = []
    for account in accounts:
        behind = frozenset(account.terms.facility.contracts)
        peers = [
            other
            for other in accounts
            if not behind or (other.terms.facility.contracts and behind >= _behind(other))
        ]
        covers.append(Cover(setting, account, operations.cash[behind], operations.company, peers))
    return covers


def _behind(account: Account) -> frozenset[str]:
    return frozenset(account.terms.facility.contracts)


def _months(
    setting: Setting,
    operations: Operations,
    covers: Sequence[Cover],
    journal: Journal,
) -> None:
    """Run all months. `covers` and `journal` are written to."""
    a = setting.a
    opening = opened(setting)
    cash, shortfall = opening.cash, a.zero
    tax = Tax(setting)
    equity = _equity(setting)
    paid = [paid_for(operations, c.account.terms.facility, setting) for c in covers]
    flows, profits = _flows(setting, operations), _profits(setting, operations)
    for month in range(setting.count):
        for cover, collateral in zip(covers, paid, strict=True):
            cover.account.accrue(month, collateral[month])
            cover.account.convert(month)
            cover.account.fall_due(month)
        profit = profits[month]
        for cover in covers:
            row = cover.account.now
            profit = profit - row.worn - row.fee - (row.interest - row.capitalised)
            if not cover.account.terms.is_lease:
                cash = cash + row.drawn
        journal.tax.append(tax.accrue(month, profit))
        journal.tax_paid.append(tax.pay(month))
        journal.tax_owed.append(tax.owed)
        journal.equity.append(equity[month])
        cash = cash + flows[month] + equity[month] - journal.tax_paid[month]
        for cover in covers:
            cover.book(month, journal.tax_paid[month])
        settled = settle(setting, month, cash, covers, shortfall)
        cash, shortfall = settled.cash, settled.shortfall
        for cover in covers:
            cover.account.close()
            cover.close()
        journal.cash.append(cash)
        journal.shortfall.append(shortfall)
        journal.distributions.append(settled.distributions)


def _flows(setting: Setting, operations: Operations) -> Line:
    """Cash of each month before draws, debt service, equity and tax."""
    company = operations.company
    assets = [item.lines for item in operations.owned]
    return minus(
        setting.summed([
            company.receipts, company.prepayments, *(lines.proceeds for lines in assets)
        ]),
        company.payments,
        *(lines.paid for lines in assets),
    )  # fmt: skip


def _profits(setting: Setting, operations: Operations) -> Line:
    """Profit of each month before what facilities cost, and before tax."""
    assets = [item.lines for item in operations.owned]
    gains = [
        *(line for item in operations.sold for line in (
            item.lines.revenue, item.lines.relet, item.lines.termination
        )),
        *(line.revenue for line in operations.merchant),
        *(lines.disposal for lines in assets),
    ]  # fmt: skip
    return minus(
        setting.summed(gains), *operations.costs, *(lines.depreciation for lines in assets)
    )


def _equity(setting: Setting) -> Line:
    """What owners pay in by month."""
    amounts = [0] * setting.count
    for flow in setting.inputs.equity:
        month = setting.inputs.months.index(flow.day)
        if 0 <= month < setting.count:
            amounts[month] += flow.amount
    return tuple(setting.a.money(amount) for amount in amounts)


def _outcome(
    setting: Setting, operations: Operations, covers: Sequence[Cover], journal: Journal
) -> Outcome:
    accounts = [cover.account for cover in covers]
    income = income_of(setting, operations, accounts, journal)
    cash = cash_of(setting, operations, accounts, journal)
    balance = balance_of(setting, operations, accounts, journal, income)
    facilities = tuple(
        facility_of(cover, _collateral(setting, operations, cover.account)) for cover in covers
    )
    contracts = tuple(item.lines for item in operations.sold)
    company, taxes = operations.company, tuple(journal.tax_paid)
    credited = minus(company.receipts, company.payments, taxes)
    checks = checks_of(setting, opened(setting), income, cash, balance, (facilities, contracts))
    return Outcome(
        months=setting.inputs.months,
        currency=setting.inputs.currency,
        income=income,
        cash=cash,
        balance=balance,
        cfads=Cfads(
            received=setting.summed([credited, company.prepayments]),
            credited=credited,
            ignored=minus(company.gross, company.payments, taxes),
        ),
        facilities=facilities,
        contracts=contracts,
        merchant=operations.merchant,
        assets=tuple(item.lines for item in operations.owned),
        short_from=_short_from(setting, journal),
        checks=checks,
    )


def _collateral(setting: Setting, operations: Operations, account: Account) -> Line:
    """Book value of what secures a facility."""
    keys = account.terms.facility.collateral
    return setting.summed(item.lines.book for item in operations.owned if item.lines.key in keys)


def _short_from(setting: Setting, journal: Journal) -> Index:
    """First month with bills unpaid; the count of months if there is none."""
    a = setting.a
    first: Index = setting.count
    for month in reversed(range(setting.count)):
        first = a.where(journal.shortfall[month] > a.money(SMALL), month, first)
    return first
