"""What every part of one run shares: inputs, arithmetic, shocks, and when things are in service."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction

from neocloud.finance.arithmetic import Arithmetic, Index, Rate, Value
from neocloud.finance.outcome import Line
from neocloud.finance.records import Facility, Inputs
from neocloud.finance.shocks import Series, Shocks

AT_ONCE = -(10**6)
"""A month before all others: of what requires nothing."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One run.

    Attributes:
        inputs: the base case.
        a: the arithmetic.
        shocks: what comes otherwise.
        service: month of service of each asset, delays counted.
    """

    inputs: Inputs
    a: Arithmetic
    shocks: Shocks
    service: Mapping[str, Index]

    @property
    def count(self) -> int:
        """Months of the model."""
        return self.inputs.months.count

    def factor(self, series: Series | None, month: int) -> Rate | None:
        """A shock's factor in a month, None where nothing moves."""
        return None if series is None else self.a.rate(series[month])

    def scaled(self, value: Value, *factors: Rate | None) -> Value:
        """A value times all factors that there are, rounded once."""
        product: Rate = None
        for factor in factors:
            if factor is not None:
                product = factor if product is None else product * factor
        return value if product is None else self.a.times(value, product)

    def ready(self, requires: Iterable[str]) -> Index:
        """Month from which all of these assets are in service; `AT_ONCE` if there are none."""
        latest: Index = AT_ONCE
        for key in requires:
            latest = self.a.most(latest, self.service[key])
        return latest

    def shift(self, requires: Iterable[str], first: int) -> Index:
        """Months by which what begins in month `first` must wait for its assets."""
        return self.a.most(0, self.ready(requires) - first)

    def zeros(self) -> Line:
        """No money in any month."""
        return (self.a.zero,) * self.count

    def summed(self, lines: Iterable[Line]) -> Line:
        """The sum of lines, month by month."""
        total = list(self.zeros())
        for line in lines:
            for month, value in enumerate(line):
                total[month] = total[month] + value
        return tuple(total)


def setting_of(inputs: Inputs, arithmetic: Arithmetic, shocks: Shocks) -> Setting:
    """A run's setting."""
    service = {
        asset.key: asset.in_service
        if asset.standing or asset.key not in shocks.delay
        else asset.in_service + shocks.delay[asset.key]
        for asset in inputs.assets
    }
    return Setting(inputs=inputs, a=arithmetic, shocks=shocks, service=service)


def needs_of(facility: Facility, inputs: Inputs) -> frozenset[str]:
    """Assets that must be in service for a facility to count as in service."""
    required = {
        key
        for contract in inputs.contracts
        if contract.key in facility.contracts
        for key in contract.requires
    }
    return frozenset(facility.collateral) | required


def mean_life(keys: Iterable[str], inputs: Inputs) -> int:
    """Months of life of some assets, weighted by what they cost; 1 where nothing is known.

    Capitalised interest is depreciated over it.
    """
    known = [asset for asset in inputs.assets if asset.key in set(keys) and asset.life_months]
    costs = {
        asset.key: asset.opening_cost + sum(flow.amount for flow in asset.payments)
        for asset in known
    }
    total = sum(costs.values())
    if total == 0:
        return max((asset.life_months for asset in known), default=1)
    weighted = sum(costs[asset.key] * asset.life_months for asset in known)
    return max(1, round(Fraction(weighted, total)))
