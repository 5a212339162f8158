"""Sculpted repayment: what each payment repays, so that cover is the same in every period.

The schedule is fixed once, from the base case: the CFADS of the contracts behind the facility, with
prepayments as credited and before tax. A payment's principal is `CFADS / DSCR - interest - fees`,
never below 0 nor above what is owed (of sculpted facilities over the same contracts each has its
part of CFADS, by commitment); with the DSCR left open it is the one at which the last
payment ends the debt, `PV(CFADS at the loan's rate) / debt`. Shocks change the cash, not the
schedule: it is kept as the share of the debt that each payment repays.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import msgspec

from neocloud.finance.arithmetic import Exact
from neocloud.finance.model.debt import Account
from neocloud.finance.model.operations import Operations, operate
from neocloud.finance.model.setting import Setting, setting_of
from neocloud.finance.model.terms import Terms, terms_of
from neocloud.finance.outcome import Line
from neocloud.finance.records import Facility, Inputs
from neocloud.finance.shocks import NONE


def shares_of(inputs: Inputs) -> dict[str, tuple[Fraction, ...]]:
    """Share of the debt repaid by month, for each sculpted facility."""
    sculpted = [item for item in inputs.facilities if item.amortisation == "sculpted"]
    if not sculpted:
        return {}
    setting = setting_of(inputs, Exact(), NONE)
    operations = operate(setting)
    behind: dict[frozenset[str], int] = {}
    for item in sculpted:
        same = frozenset(item.contracts)
        behind[same] = behind.get(same, 0) + item.commitment
    return {
        item.key: _shares(
            setting,
            operations,
            item,
            Fraction(item.commitment, behind[frozenset(item.contracts)]),
        )
        for item in sculpted
    }


def paid_for(operations: Operations, facility: Facility, setting: Setting) -> Line:
    """What was paid for a facility's collateral by the end of each month."""
    a = setting.a
    own = [
        (asset, item.lines.paid)
        for asset, item in zip(setting.inputs.assets, operations.owned, strict=True)
        if asset.key in facility.collateral
    ]
    total = sum((a.money(asset.opening_cost) for asset, _ in own), start=a.zero)
    line = []
    for month in range(setting.count):
        total = sum((paid[month] for _, paid in own), start=total)
        line.append(total)
    return tuple(line)


def _shares(
    setting: Setting, operations: Operations, facility: Facility, part: Fraction
) -> tuple[Fraction, ...]:
    plain = msgspec.structs.replace(facility, dsra_months=0)
    terms = terms_of(plain, setting.inputs)
    account = Account(setting, terms)
    cash = operations.cash[frozenset(facility.contracts)]
    cfads = [cash.receipts[month] - cash.payments[month] for month in range(setting.count)]
    collateral = paid_for(operations, facility, setting)
    shares = []
    since = max(0, terms.start)
    for month in range(setting.count):
        account.accrue(month, collateral[month])
        account.convert(month)
        share = Fraction(0)
        if terms.due[month]:
            if terms.left[month] == 1:
                share = Fraction(1)
            elif month >= account.repays:
                period = sum(cfads[since : month + 1])
                dscr = (facility.sculpted_dscr or 0) / part or _even(account, terms, cfads, since)
                share = _share(account, period, dscr)
            since = month + 1
        account.fall_due(month, share)
        account.close()
        shares.append(share)
    return tuple(shares)


def _share(account: Account, period: int, dscr: Fraction) -> Fraction:
    """Share of the debt that leaves this cover."""
    if dscr <= 0 or account.balance <= 0:
        return Fraction(0)
    carried = Exact().times(period, 1 / dscr)
    principal = carried - account.accrued - account.accrued_fee
    return Fraction(min(max(principal, 0), account.balance), account.balance)


def _even(account: Account, terms: Terms, cfads: Sequence[int], since: int) -> Fraction:
    """The DSCR at which equal cover repays by maturity: present value over debt, from now on.

    Interest already accrued belongs to the first period. What comes after the model's last month
    counts as in its last period.
    """
    worth = Fraction(0)
    discount = Fraction(1)
    start, period = since, Fraction(0)
    for later in range(since, len(cfads)):
        if later > terms.last:
            break
        period += account.rate(later) * terms.year[later]
        if terms.due[later]:
            discount /= 1 + period
            worth += sum(cfads[start : later + 1]) * discount
            start, period = later + 1, Fraction(0)
    return worth / account.balance if account.balance > 0 else Fraction(0)
