"""The three statements, from what the parts of a run wrote down."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from neocloud.finance.arithmetic import Value
from neocloud.finance.model.cover import Cover
from neocloud.finance.model.debt import Account, Month
from neocloud.finance.model.operations import Operations
from neocloud.finance.model.setting import Setting
from neocloud.finance.outcome import (
    Balance,
    CashFlow,
    Cfads,
    FacilityLines,
    Income,
    Line,
)


@dataclass(slots=True)
class Journal:
    """What the loop over months writes, one element a month. Names as in the statements."""

    tax: list[Value] = field(default_factory=list)
    tax_paid: list[Value] = field(default_factory=list)
    tax_owed: list[Value] = field(default_factory=list)
    cash: list[Value] = field(default_factory=list)
    shortfall: list[Value] = field(default_factory=list)
    distributions: list[Value] = field(default_factory=list)
    equity: list[Value] = field(default_factory=list)


def minus(one: Line, *others: Line) -> Line:
    """A line less others, month by month."""
    return tuple(first - sum(rest) for first, *rest in zip(one, *others, strict=True))


def income_of(
    setting: Setting, operations: Operations, accounts: Sequence[Account], journal: Journal
) -> Income:
    """The income statement."""
    inputs = setting.inputs
    sources: dict[str, list[Line]] = {"tokens": [], "hours": []}
    for line, merchant in zip(operations.merchant, inputs.merchant, strict=True):
        sources[merchant.source].append(line.revenue)
    kinds: dict[str, list[Line]] = {}
    for cost, spent in zip(inputs.costs, operations.costs, strict=True):
        kinds.setdefault(cost.kind, []).append(spent)
    contracted = setting.summed(item.lines.revenue for item in operations.sold)
    tokens, hours = setting.summed(sources["tokens"]), setting.summed(sources["hours"])
    relet = setting.summed(item.lines.relet for item in operations.sold)
    termination = setting.summed(item.lines.termination for item in operations.sold)
    revenue = setting.summed([contracted, tokens, hours, relet, termination])
    cost_line = setting.summed(operations.costs)
    ebitda = minus(revenue, cost_line)
    depreciation, disposal, interest, fees = borne(setting, operations, accounts)
    before_tax = minus(setting.summed([ebitda, disposal]), depreciation, interest, fees)
    tax = tuple(journal.tax)
    return Income(
        contracted=contracted,
        tokens=tokens,
        hours=hours,
        relet=relet,
        termination=termination,
        revenue=revenue,
        costs={kind: setting.summed(lines) for kind, lines in kinds.items()},
        operating_cost=cost_line,
        ebitda=ebitda,
        depreciation=depreciation,
        disposal=disposal,
        interest=interest,
        fees=fees,
        before_tax=before_tax,
        tax=tax,
        net=minus(before_tax, tax),
    )


def borne(
    setting: Setting, operations: Operations, accounts: Sequence[Account]
) -> tuple[Line, Line, Line, Line]:
    """Depreciation, disposals, interest and fees by month."""
    assets = [item.lines for item in operations.owned]
    worn = [rows(account, lambda row: row.worn) for account in accounts]
    interest = [rows(account, lambda row: row.interest - row.capitalised) for account in accounts]
    return (
        setting.summed([*(lines.depreciation for lines in assets), *worn]),
        setting.summed(lines.disposal for lines in assets),
        setting.summed(interest),
        setting.summed(rows(account, lambda row: row.fee) for account in accounts),
    )


def rows(account: Account, of: Callable[[Month], Value]) -> Line:
    """A line of an account."""
    return tuple(of(row) for row in account.rows)


def cash_of(
    setting: Setting, operations: Operations, accounts: Sequence[Account], journal: Journal
) -> CashFlow:
    """The cash flow statement. Leases begin without cash; their payments are financing."""
    company = operations.company
    none = setting.zeros()

    def out(line: Line) -> Line:
        return minus(none, line)

    def total(of: Callable[[Month], Value], *, leases: bool = True) -> Line:
        chosen = [account for account in accounts if leases or not account.terms.is_lease]
        return setting.summed(rows(account, of) for account in chosen)

    assets = [item.lines for item in operations.owned]
    payments, tax = out(company.payments), out(tuple(journal.tax_paid))
    interest = out(total(lambda row: row.interest_paid - row.capitalised_paid + row.fee_paid))
    operating = [company.receipts, company.prepayments, payments, tax, interest]
    capital = out(setting.summed(lines.paid for lines in assets))
    capitalised = out(total(lambda row: row.capitalised_paid))
    disposals = setting.summed(lines.proceeds for lines in assets)
    drawn = total(lambda row: row.drawn, leases=False)
    repaid = out(total(lambda row: row.scheduled + row.swept))
    owed = tuple(journal.shortfall)
    shortfall = minus(owed, (setting.a.zero, *owed[:-1]))
    equity, distributions = tuple(journal.equity), out(tuple(journal.distributions))
    investing = setting.summed([capital, capitalised, disposals])
    financing = setting.summed([drawn, repaid, equity, distributions, shortfall])
    return CashFlow(
        receipts=company.receipts,
        prepayments=company.prepayments,
        payments=payments,
        tax=tax,
        interest=interest,
        operating=setting.summed(operating),
        capital=capital,
        capitalised_interest=capitalised,
        disposals=disposals,
        investing=investing,
        drawn=drawn,
        repaid=repaid,
        equity=equity,
        distributions=distributions,
        shortfall=shortfall,
        financing=financing,
        change=setting.summed([*operating, investing, financing]),
    )


@dataclass(frozen=True, slots=True)
class Opened:
    """The balance before the first month, as far as it goes on: see `Opening`."""

    cash: Value
    reserves: Value
    prepaid: Value
    debt: Value
    retained: Value


def opened(setting: Setting) -> Opened:
    """The opening balance. What balances it is retained earnings."""
    inputs, a = setting.inputs, setting.a
    opening = inputs.opening
    reserves = sum(item.opening_reserve for item in inputs.facilities)
    prepaid = sum(item.opening_prepaid for item in inputs.contracts)
    debt = sum(item.opening for item in inputs.facilities)
    used = sum(item.opening for item in inputs.facilities if item.kind == "lease")
    owned = sum(item.opening_cost - item.opening_depreciation for item in inputs.assets)
    has = opening.cash + reserves + opening.receivables + owned + used
    owes = opening.payables + prepaid + debt
    return Opened(
        cash=a.money(opening.cash),
        reserves=a.money(reserves),
        prepaid=a.money(prepaid),
        debt=a.money(debt),
        retained=a.money(has - owes - opening.paid_in),
    )


def balance_of(
    setting: Setting,
    operations: Operations,
    accounts: Sequence[Account],
    journal: Journal,
    income: Income,
) -> Balance:
    """The balance sheet. Each side is made on its own, so that their difference is a check."""
    leases = [account for account in accounts if account.terms.is_lease]
    others = [account for account in accounts if not account.terms.is_lease]
    building = [item.construction for item in operations.owned]
    books = [item.lines.book for item in operations.owned]
    construction = setting.summed([
        *building, *(rows(account, lambda row: row.building) for account in others)
    ])  # fmt: skip
    in_use = [rows(account, lambda row: row.in_use) for account in others]
    assets = minus(setting.summed([*books, *in_use]), setting.summed(building))
    right_of_use = setting.summed(
        rows(account, lambda row: row.in_use + row.building) for account in leases
    )
    cash = tuple(journal.cash)
    reserves = setting.summed(rows(account, lambda row: row.reserve) for account in accounts)
    company = operations.company
    prepaid = setting.summed(item.lines.liability for item in operations.sold)
    accrued = setting.summed(rows(account, lambda row: row.accrued) for account in accounts)
    debt = setting.summed(rows(account, lambda row: row.closing) for account in others)
    leased = setting.summed(rows(account, lambda row: row.closing) for account in leases)
    tax, shortfall = tuple(journal.tax_owed), tuple(journal.shortfall)
    paid_in, retained = _equity(setting, accounts, journal, income)
    return Balance(
        cash=cash,
        reserves=reserves,
        receivables=company.receivables,
        construction=construction,
        assets=assets,
        right_of_use=right_of_use,
        total_assets=setting.summed([
            cash, reserves, company.receivables, construction, assets, right_of_use
        ]),
        payables=company.payables,
        contract_liabilities=prepaid,
        accrued=accrued,
        tax=tax,
        debt=debt,
        leases=leased,
        shortfall=shortfall,
        total_liabilities=setting.summed([
            company.payables, prepaid, accrued, tax, debt, leased, shortfall
        ]),
        paid_in=paid_in,
        retained=retained,
        total_equity=setting.summed([paid_in, retained]),
    )  # fmt: skip


def _equity(
    setting: Setting, accounts: Sequence[Account], journal: Journal, income: Income
) -> tuple[Line, Line]:
    """Paid-in equity and retained earnings at the end of each month."""
    converted = setting.summed(rows(account, lambda row: row.converted) for account in accounts)
    paid_in = setting.a.money(setting.inputs.opening.paid_in)
    retained = opened(setting).retained
    lines = []
    for month in range(setting.count):
        paid_in = paid_in + journal.equity[month] + converted[month]
        retained = retained + income.net[month] - journal.distributions[month]
        lines.append((paid_in, retained))
    return tuple(line[0] for line in lines), tuple(line[1] for line in lines)


def facility_of(cover: Cover, collateral: Line) -> FacilityLines:
    """The account of one facility."""
    account = cover.account
    return FacilityLines(
        key=account.terms.facility.key,
        opening=rows(account, lambda row: row.opening),
        drawn=rows(account, lambda row: row.drawn),
        rolled_up=rows(account, lambda row: row.rolled_up),
        converted=rows(account, lambda row: row.converted),
        scheduled=rows(account, lambda row: row.scheduled),
        swept=rows(account, lambda row: row.swept),
        closing=rows(account, lambda row: row.closing),
        rate=rows(account, lambda row: row.rate),
        interest=rows(account, lambda row: row.interest),
        capitalised=rows(account, lambda row: row.capitalised),
        fee=rows(account, lambda row: row.fee),
        interest_paid=rows(account, lambda row: row.interest_paid),
        fee_paid=rows(account, lambda row: row.fee_paid),
        service=rows(account, lambda row: row.interest_paid + row.fee_paid + row.scheduled),
        reserve=rows(account, lambda row: row.reserve),
        reserve_target=rows(account, lambda row: row.reserve_target),
        collateral=collateral,
        cfads=Cfads(
            received=tuple(cover.received),
            credited=tuple(cover.credited),
            ignored=tuple(cover.ignored),
        ),
        service_before=tuple(cover.service),
        debt_before=tuple(cover.debt),
        due=account.terms.due,
        service_from=account.service,
        locked=tuple(cover.locked),
    )
