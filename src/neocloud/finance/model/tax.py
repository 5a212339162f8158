"""Tax on the profit of calendar years, with losses carried forward.

Accrued on the year to date, so that a loss late in a year takes back what earlier months gave; paid
at the end of each calendar quarter. Book and tax depreciation are the same: there is no deferred
tax.
"""

from __future__ import annotations

from neocloud.finance.arithmetic import Value
from neocloud.finance.model.setting import Setting


class Tax:
    """What is owed in tax, month by month.

    Attributes:
        owed: accrued and not paid; negative where too much was paid.
    """

    def __init__(self, setting: Setting) -> None:
        a = setting.a
        self._setting = setting
        self._rate = a.rate(setting.inputs.policies.tax_rate)
        self._use = a.rate(setting.inputs.policies.loss_use_share)
        self._losses = a.money(setting.inputs.opening.tax_losses)
        self._profit = a.zero
        self._accrued = a.zero
        self.owed = a.zero

    def accrue(self, month: int, profit: Value) -> Value:
        """Tax of a month, from its profit before tax."""
        a = self._setting.a
        if not self._setting.inputs.policies.tax_rate:
            return a.zero
        self._profit = self._profit + profit
        taxable = a.positive(self._profit)
        used = a.least(a.times(taxable, self._use), self._losses)
        whole = a.times(taxable - used, self._rate)
        expense = whole - self._accrued
        self._accrued = whole
        self.owed = self.owed + expense
        if self._setting.inputs.months.start(month).month == 12:
            self._losses = self._losses - used + a.positive(-self._profit)
            self._profit = self._accrued = a.zero
        return expense

    def pay(self, month: int) -> Value:
        """What is paid at the end of a month; negative where it is paid back."""
        a = self._setting.a
        if self._setting.inputs.months.start(month).month % 3:
            return a.zero
        paid, self.owed = self.owed, a.zero
        return paid
