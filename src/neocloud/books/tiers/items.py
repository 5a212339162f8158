"""What a period cost, item by item: each a line of somebody's bill or of the depreciation."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from fractions import Fraction

import msgspec

from neocloud.books.tiers.cells import Cell
from neocloud.books.tiers.exact import to_pico


class Tier(StrEnum):
    """The three things that are made one of the other, and could each be sold."""

    POWER = "power"
    ACCELERATOR_HOUR = "accelerator_hour"
    TOKEN = "token"  # noqa: S105  (a word of this trade, not a password)


class Account(StrEnum):
    """What a cost is for."""

    ENERGY = "energy"
    FACILITY_ENERGY = "facility energy"
    DEMAND_CHARGE = "demand charge"
    UNDRAWN = "take-or-pay energy not drawn"
    CARBON = "carbon"
    DEPRECIATION = "depreciation"
    CAPITAL = "cost of capital"
    LEASE = "lease"
    RENT = "rent"
    COLOCATION = "colocation"
    MAINTENANCE = "maintenance"
    INSURANCE = "insurance"
    STAFF = "staff"
    LINKS = "network links"
    OVERHEAD = "overhead"
    TRAFFIC = "traffic"
    BOUGHT = "bought tokens"


_POWER = frozenset({
    Account.ENERGY, Account.FACILITY_ENERGY, Account.DEMAND_CHARGE, Account.UNDRAWN,
    Account.CARBON,
})  # fmt: skip
_TOKEN = frozenset({Account.TRAFFIC, Account.BOUGHT})
NON_CASH = frozenset({Account.DEPRECIATION, Account.CAPITAL})
"""Accounts behind which no money leaves in the period: the price was paid before, and what capital
costs is imputed, not the interest of a loan."""


def tier_of(account: Account) -> Tier:
    """The tier that an account belongs to: each to one."""
    if account in _POWER:
        return Tier.POWER
    return Tier.TOKEN if account in _TOKEN else Tier.ACCELERATOR_HOUR


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """One cost.

    Attributes:
        site: where it arises.
        account: what for.
        exact: the amount in the cloud's currency before it is rounded.
        weights: cells that bear it, by their part; of any size, not all zero.
        contract: of power, its place in the site's list, from 1; else 0.
    """

    site: str
    account: Account
    exact: Fraction
    weights: Mapping[Cell, float]
    contract: int = 0

    @property
    def pico(self) -> int:
        """The amount that stands in the books, in 1e-12 of the currency."""
        return to_pico(self.exact)

    @property
    def cash(self) -> bool:
        """True if it is paid in the period."""
        return self.account not in NON_CASH
