"""A cost split by tier."""

from __future__ import annotations

import msgspec


class CostByTier(msgspec.Struct, frozen=True, kw_only=True):
    """A cost split by tier, in the cloud's currency."""

    power: float = 0.0
    capital: float = 0.0
    operations: float = 0.0
    network: float = 0.0

    @property
    def total(self) -> float:
        """Sum of the tiers."""
        return self.power + self.capital + self.operations + self.network

    def __add__(self, other: CostByTier) -> CostByTier:
        return CostByTier(
            power=self.power + other.power,
            capital=self.capital + other.capital,
            operations=self.operations + other.operations,
            network=self.network + other.network,
        )

    def scaled(self, factor: float) -> CostByTier:
        """Each tier times `factor`."""
        return CostByTier(
            power=self.power * factor,
            capital=self.capital * factor,
            operations=self.operations * factor,
            network=self.network * factor,
        )
