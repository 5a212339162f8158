"""The cash behind a facility, and the debt service that it carries, month by month."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from neocloud.finance.arithmetic import Condition, Value
from neocloud.finance.model.debt import Account
from neocloud.finance.model.operations import Cash
from neocloud.finance.model.setting import Setting

TRAILING = 12
"""Months that covenants look back."""


@dataclass(slots=True)
class Cover:
    """One facility's cash and what it carries.

    Attributes:
        setting: the run.
        account: the facility.
        cash: of the contracts behind it.
        company: of the company.
        peers: accounts that this cash carries: their contracts are all among its own.
        received: CFADS, prepayments when received.
        credited: CFADS, prepayments as credited.
        ignored: CFADS without prepayments.
        service: debt service of all peers.
        debt: what they owe.
        locked: months in which it stops distributions.
    """

    setting: Setting
    account: Account
    cash: Cash
    company: Cash
    peers: Sequence[Account]
    received: list[Value] = field(default_factory=list)
    credited: list[Value] = field(default_factory=list)
    ignored: list[Value] = field(default_factory=list)
    service: list[Value] = field(default_factory=list)
    debt: list[Value] = field(default_factory=list)
    locked: list[Condition] = field(default_factory=list)

    def book(self, month: int, tax_paid: Value) -> None:
        """Write a month, after debt service has fallen due. Tax is shared by revenue."""
        a = self.setting.a
        cash = self.cash
        tax = tax_paid
        if cash is not self.company:
            tax = a.part(tax_paid, cash.revenue[month], self.company.revenue[month])
        out = cash.payments[month] + tax
        credited = cash.receipts[month] - out
        self.credited.append(credited)
        self.received.append(credited + cash.prepayments[month])
        self.ignored.append(cash.gross[month] - out)
        self.service.append(sum((peer.service_due for peer in self.peers), start=a.zero))
        self.locked.append(self._locked(month))

    def excess(self, month: int) -> Value:
        """CFADS left after the debt service of the payment period that ends in a month."""
        first = max(0, month - self.account.terms.facility.period_months + 1)
        window = range(first, month + 1)
        left = sum((self.credited[m] - self.service[m] for m in window), start=self.setting.a.zero)
        return self.setting.a.positive(left)

    def close(self) -> None:
        """Write what is owed at the end of the month."""
        self.debt.append(sum((peer.balance for peer in self.peers), start=self.setting.a.zero))

    def _locked(self, month: int) -> Condition:
        """True where trailing cover is below the lock-up. Months before service do not count."""
        a = self.setting.a
        level = self.account.terms.facility.covenants.lock_up_dscr
        if level is None:
            return False
        cash = carried = a.zero
        for past in range(max(0, month - TRAILING + 1), month + 1):
            counts = past >= self.account.service
            cash = cash + a.where(counts, self.credited[past], a.zero)
            carried = carried + a.where(counts, self.service[past], a.zero)
        return a.below(cash, a.times(carried, a.rate(level)))
