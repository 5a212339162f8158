"""Who is paid first.

After operations, tax, investment, equity and draws: interest, fees and scheduled principal of all
facilities; then

1. reserve accounts give back what is above their targets;
2. a revolver fills cash up to the minimum;
3. where cash is still below zero, each reserve account pays its own facility's debt service;
4. what is missing then is a shortfall: it is owed, and made good before all that follows;
5. revolvers are repaid, reserve accounts filled, facilities with a sweep repaid early, owners paid:
   each from the cash above the minimum that those before have left.

Where several reserves or sweeps want more than there is, each gets its part by what it wants.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from neocloud.finance.arithmetic import Arithmetic, Value
from neocloud.finance.model.cover import Cover
from neocloud.finance.model.debt import Account
from neocloud.finance.model.setting import Setting
from neocloud.units.money import PICO

SMALL = PICO
"""A shortfall of one unit of the currency or less stops nothing: it may be a float's last bits."""


@dataclass(frozen=True, slots=True)
class Settled:
    """How a month's cash ended.

    Attributes:
        cash: without reserve accounts.
        shortfall: what is owed of bills that could not be paid.
        distributions: paid to owners.
    """

    cash: Value
    shortfall: Value
    distributions: Value


def settle(
    setting: Setting, month: int, cash: Value, covers: Sequence[Cover], shortfall: Value
) -> Settled:
    """Pay what fell due, and what can be paid beyond it.

    Args:
        setting: the run.
        month: the month.
        cash: after all but debt service.
        covers: facilities, senior first.
        shortfall: owed from earlier months.
    """
    a = setting.a
    minimum = a.money(setting.inputs.policies.minimum_cash)
    accounts = [cover.account for cover in covers]
    revolvers = [account for account in accounts if account.terms.is_revolver]
    reserves = [account for account in accounts if account.terms.facility.dsra_months]
    for account in accounts:
        cash = cash - account.service_due
    for account in reserves:
        cash = _move(account, cash, -a.positive(account.reserve - account.now.reserve_target))
    for account in revolvers:
        taken = a.least(account.room(month), a.positive(minimum - cash))
        account.draw(taken)
        cash = cash + taken
    usable = [a.least(account.reserve, account.service_due) for account in reserves]
    for account, used in zip(reserves, _shared(a, a.positive(-cash), usable), strict=True):
        cash = _move(account, cash, -used)
    missing = a.positive(-cash)
    cash = cash + missing
    paid = a.least(shortfall, cash)
    cash = cash - paid
    shortfall = shortfall + missing - paid
    for account in revolvers:
        back = a.least(account.balance, a.positive(cash - minimum))
        account.repay(back)
        cash = cash - back
    wanted = [a.positive(account.now.reserve_target - account.reserve) for account in reserves]
    spare = a.positive(cash - minimum)
    for account, filled in zip(reserves, _shared(a, spare, wanted), strict=True):
        cash = _move(account, cash, filled)
    cash = _sweep(setting, month, cash, minimum, covers)
    out = _distributed(setting, month, a.positive(cash - minimum), shortfall, covers)
    return Settled(cash=cash - out, shortfall=shortfall, distributions=out)


def _shared(a: Arithmetic, available: Value, wanted: Sequence[Value]) -> list[Value]:
    """What each gets of what there is, in proportion to what it wants; never more than there is."""
    total = sum(wanted, start=a.zero)
    given = a.least(available, total)
    shares = []
    for want in wanted:
        share = a.least(a.least(a.part(given, want, total), want), available)
        available = available - share
        shares.append(share)
    return shares


def _move(account: Account, cash: Value, into: Value) -> Value:
    """Cash after moving some of it into a reserve account."""
    account.reserve = account.reserve + into
    return cash - into


def _sweep(
    setting: Setting, month: int, cash: Value, minimum: Value, covers: Sequence[Cover]
) -> Value:
    """Repay early; facilities over the same contracts share what is left by what they are owed."""
    a = setting.a
    sweeping = [
        cover
        for cover in covers
        if cover.account.terms.facility.sweep_share and cover.account.terms.due[month]
    ]
    owed = [cover.account.balance for cover in sweeping]
    wanted = []
    for cover, balance in zip(sweeping, owed, strict=True):
        alike = sum(
            (other for peer, other in zip(sweeping, owed, strict=True) if peer.cash is cover.cash),
            start=a.zero,
        )
        share = a.rate(cover.account.terms.facility.sweep_share)
        part = a.times(a.part(cover.excess(month), balance, alike), share)
        wanted.append(a.least(part, balance))
    for cover, paid in zip(sweeping, _shared(a, a.positive(cash - minimum), wanted), strict=True):
        cover.account.repay(paid)
        cash = cash - paid
    return cash


def _distributed(
    setting: Setting, month: int, spare: Value, shortfall: Value, covers: Sequence[Cover]
) -> Value:
    """What owners are paid: nothing where a lock-up holds or bills are unpaid."""
    a = setting.a
    policies = setting.inputs.policies
    if not policies.distribution_share or month < policies.distributions_from:
        return a.zero
    out = a.times(spare, a.rate(policies.distribution_share))
    out = a.where(shortfall > a.money(SMALL), a.zero, out)
    for cover in covers:
        out = a.where(cover.locked[month], a.zero, out)
    return out
