"""What may come otherwise than the base case says: one frozen record, applied in one place each.

A factor of 1 changes nothing. `Series` has one element for each month of the model; an element is
a number, or an array with one element a path. `None` and a missing key mean: as in the base case.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, TypeAlias

import msgspec

from neocloud.finance.arithmetic import Index, Rate

Series: TypeAlias = Sequence[Any]
"""One `Rate` a month; an array of shape (months, paths) is one too."""

_NO: Mapping[str, Any] = MappingProxyType({})


class Shocks(msgspec.Struct, frozen=True, kw_only=True):
    """Factors on the base case.

    Attributes:
        rental: on the price of accelerators by the hour: merchant hours, and what is let again.
            Contracts keep their prices.
        token: on the price of merchant tokens.
        component: on payments for assets, by kind; what is paid before the model stands.
        power: on the price of power: costs of kind `power`, `demand_charge` and `fuel`.
        base_rate: added to base rates, by year, on the floating share of each facility.
        utilisation: on what is used: merchant sales, contracts down to what is committed, and
            variable costs.
        delivered: share of what is sold that can be delivered (curtailment): on all sales, what is
            committed too, and on variable costs.
        delay: months by which assets come later, by asset key, in whole months; none moves assets
            that stand. Payments keep their days; what requires the asset moves.
        alive: share of a contract that still runs, by contract key, 1 to 0. Where it falls, the
            prepayment of what is lost is kept and the fee, less that, is due at once.
        fee_collected: share of termination fees that is really paid.
        relet: share of what a contract lost that is let again at the market's price, by contract.
        refinancing: share of what may be drawn that lenders still pay out; 0: shut.
        life: on the months of depreciation; what is left of a shortened life is at least a month.
        residual: on the residual value at which assets are sold, by kind.
    """

    rental: Series | None = None
    token: Series | None = None
    component: Mapping[str, Series] = _NO
    power: Series | None = None
    base_rate: Series | None = None
    utilisation: Series | None = None
    delivered: Series | None = None
    delay: Mapping[str, Index] = _NO
    alive: Mapping[str, Series] = _NO
    fee_collected: Rate = 1
    relet: Mapping[str, Series] = _NO
    refinancing: Series | None = None
    life: Rate = 1
    residual: Mapping[str, Rate] = _NO


NONE = Shocks()
"""The base case."""
