"""What the finance model gives: three statements by month, each facility's account, checks.

A `Line` has one `Value` for each month, in pico-units (see `arithmetic`). Signs: revenue, cost,
assets, liabilities and payments out are positive under their own names; in `CashFlow` money out is
negative.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import msgspec

from neocloud.finance.arithmetic import Condition, Index, Rate, Value
from neocloud.finance.months import Months

Line: TypeAlias = tuple[Value, ...]
"""Money by month."""


class Income(msgspec.Struct, frozen=True, kw_only=True):
    """The income statement.

    Attributes:
        contracted: delivered under contracts, before prepayments are credited.
        tokens: merchant tokens.
        hours: merchant accelerator-hours.
        relet: what contracts left behind, let again.
        termination: fees of customers that leave, and prepayments that they leave behind.
        revenue: the sum of these.
        costs: operating cost by kind.
        operating_cost: their sum.
        ebitda: revenue less operating cost.
        depreciation: of assets, right-of-use assets and capitalised interest.
        disposal: proceeds less book value of assets sold; negative for a loss.
        interest: less what is capitalised.
        fees: commitment fees.
        before_tax: ebitda + disposal - depreciation - interest - fees.
        tax: negative where earlier months of the year gave too much.
        net: before_tax - tax.
    """

    contracted: Line
    tokens: Line
    hours: Line
    relet: Line
    termination: Line
    revenue: Line
    costs: Mapping[str, Line]
    operating_cost: Line
    ebitda: Line
    depreciation: Line
    disposal: Line
    interest: Line
    fees: Line
    before_tax: Line
    tax: Line
    net: Line


class CashFlow(msgspec.Struct, frozen=True, kw_only=True):
    """The cash flow statement, direct; money out is negative.

    Attributes:
        receipts: from customers, fees of those that leave included.
        prepayments: received.
        payments: to suppliers.
        tax: paid.
        interest: paid, less what is capitalised; with commitment fees.
        operating: the sum of these.
        capital: paid for assets.
        capitalised_interest: paid.
        disposals: proceeds.
        investing: the sum of these three.
        drawn: from facilities.
        repaid: principal, scheduled and swept.
        equity: paid in.
        distributions: paid out to owners.
        shortfall: what was missing and is owed, less what of it was made good.
        financing: the sum of these five.
        change: of cash, reserve accounts included.
    """

    receipts: Line
    prepayments: Line
    payments: Line
    tax: Line
    interest: Line
    operating: Line
    capital: Line
    capitalised_interest: Line
    disposals: Line
    investing: Line
    drawn: Line
    repaid: Line
    equity: Line
    distributions: Line
    shortfall: Line
    financing: Line
    change: Line


class Balance(msgspec.Struct, frozen=True, kw_only=True):
    """The balance sheet at the end of each month.

    Attributes:
        cash: without reserve accounts.
        reserves: in the reserve accounts of facilities.
        receivables: invoiced and not paid.
        construction: paid for assets that are not in service, with capitalised interest.
        assets: in service, less depreciation, with capitalised interest.
        right_of_use: leased assets less depreciation.
        total_assets: the sum of these.
        payables: owed to suppliers.
        contract_liabilities: prepayments not yet released.
        accrued: interest and fees not yet due.
        tax: owed; negative where it was paid in advance.
        debt: of all facilities but leases.
        leases: lease liabilities.
        shortfall: bills that could not be paid; it carries no interest.
        total_liabilities: the sum of these.
        paid_in: by owners, converted notes included.
        retained: profits kept, less distributions.
        total_equity: both.
    """

    cash: Line
    reserves: Line
    receivables: Line
    construction: Line
    assets: Line
    right_of_use: Line
    total_assets: Line
    payables: Line
    contract_liabilities: Line
    accrued: Line
    tax: Line
    debt: Line
    leases: Line
    shortfall: Line
    total_liabilities: Line
    paid_in: Line
    retained: Line
    total_equity: Line


class Cfads(msgspec.Struct, frozen=True, kw_only=True):
    """Cash flow available for debt service by month, after operating cost and tax, in three ways.

    Attributes:
        received: prepayments count when their cash comes; what they pay for later brings none.
        credited: their cash does not count; invoices are lower by what is credited to them.
        ignored: as if there were none: each invoice brings its whole amount.
    """

    received: Line
    credited: Line
    ignored: Line


class FacilityLines(msgspec.Struct, frozen=True, kw_only=True):
    """The account of one facility.

    Attributes:
        key: facility key.
        opening: outstanding at the start of the month.
        drawn: taken in the month (of a lease: the liability that began, without cash).
        rolled_up: interest that was added to the debt.
        converted: into equity.
        scheduled: principal that fell due.
        swept: principal repaid early; of a revolver all that it repays before maturity.
        closing: opening + drawn + rolled_up - converted - scheduled - swept.
        rate: yearly.
        interest: of the month, paid or not.
        capitalised: part of it that is cost of assets.
        fee: commitment fee of the month.
        interest_paid: in cash.
        fee_paid: in cash.
        service: interest_paid + fee_paid + scheduled.
        reserve: in its DSRA at the end of the month.
        reserve_target: what should be there.
        collateral: book value of what secures it.
        cfads: of the contracts behind it; of the company if it names none.
        service_before: debt service of all facilities that this cash carries: those whose contracts
            are all among its own. What `cfads` is divided by.
        debt_before: what these owe at the end of the month.
        due: months at whose end it pays; the same for all paths.
        service_from: month from which what secures it is in service.
        locked: months in which its lock-up stops distributions.
    """

    key: str
    opening: Line
    drawn: Line
    rolled_up: Line
    converted: Line
    scheduled: Line
    swept: Line
    closing: Line
    rate: tuple[Rate, ...]
    interest: Line
    capitalised: Line
    fee: Line
    interest_paid: Line
    fee_paid: Line
    service: Line
    reserve: Line
    reserve_target: Line
    collateral: Line
    cfads: Cfads
    service_before: Line
    debt_before: Line
    due: tuple[bool, ...]
    service_from: Index
    locked: tuple[Condition, ...]


class ContractLines(msgspec.Struct, frozen=True, kw_only=True):
    """The account of one contract.

    Attributes:
        key: contract key.
        revenue: delivered.
        relet: of what it left behind.
        termination: fees and prepayments left behind.
        received: prepayments, in cash.
        released: credited to invoices.
        liability: not yet released at the end of the month.
        shift: months by which its term came later.
    """

    key: str
    revenue: Line
    relet: Line
    termination: Line
    received: Line
    released: Line
    liability: Line
    shift: Index


class MerchantLines(msgspec.Struct, frozen=True, kw_only=True):
    """Revenue of one merchant line by month."""

    key: str
    revenue: Line


class AssetLines(msgspec.Struct, frozen=True, kw_only=True):
    """The account of one asset.

    Attributes:
        key: asset key.
        paid: in the month.
        depreciation: of the month.
        book: cost less depreciation at the end of the month, in construction or in service.
        proceeds: of its sale.
        disposal: proceeds less book value.
        in_service: month of service.
    """

    key: str
    paid: Line
    depreciation: Line
    book: Line
    proceeds: Line
    disposal: Line
    in_service: Index


class Checks(msgspec.Struct, frozen=True, kw_only=True):
    """Differences that are zero by month: exactly in `Exact`, but for float's last bits in `Paths`.

    Attributes:
        balance: assets less liabilities less equity.
        cash: cash of the balance less that of the month before less `CashFlow.change`.
        debt: closing less what the account of each facility sums to; of all.
        prepaid: contract liabilities less those of the month before, received, released, left.
        retained: retained earnings less those of the month before less net profit, distributions.
    """

    balance: Line
    cash: Line
    debt: Line
    prepaid: Line
    retained: Line


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """All that a run gives.

    Attributes:
        months: the calendar.
        currency: of all money.
        income: income statement.
        cash: cash flow statement.
        balance: balance sheet.
        cfads: of the company.
        facilities: in the order of `Inputs`.
        contracts: in the order of `Inputs`.
        merchant: in the order of `Inputs`.
        assets: in the order of `Inputs`.
        short_from: first month in which bills could not be paid; `months.count` if none.
        checks: what must be zero.
    """

    months: Months
    currency: str
    income: Income
    cash: CashFlow
    balance: Balance
    cfads: Cfads
    facilities: tuple[FacilityLines, ...]
    contracts: tuple[ContractLines, ...]
    merchant: tuple[MerchantLines, ...]
    assets: tuple[AssetLines, ...]
    short_from: Index
    checks: Checks

    def facility(self, key: str) -> FacilityLines:
        """The account of a facility.

        Raises:
            KeyError: there is none of that key.
        """
        for lines in self.facilities:
            if lines.key == key:
                return lines
        raise KeyError(key)
