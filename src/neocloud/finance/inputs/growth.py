"""How a typical day of use moves over the months: growth of demand, up to what stands there."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from fractions import Fraction

from neocloud.finance.inputs.ground import Ground
from neocloud.finance.inputs.spans import HOURS, grown, years_since
from neocloud.finance.inputs.use import Place, Use


@dataclass(frozen=True, slots=True)
class Growth:
    """Factors on a day of use, by month. Without growth they are exactly 1 from the pools' days on.

    Tokens of each tenant and model grow as their demand does. What serves a model grows with its
    tokens, in each pool up to what stands there besides spare nodes; what a pool cannot take is not
    served, and no token of it is sold.

    Attributes:
        ground: the cloud and its months.
        use: the day.
    """

    ground: Ground
    use: Use
    _sales: dict[tuple[str, str, int], float] = field(default_factory=dict)
    _held: dict[tuple[str, str, int], float] = field(default_factory=dict)
    _served: dict[tuple[str, int], float] = field(default_factory=dict)

    def sale(self, tenant: str, model: str, month: int) -> Fraction:
        """Factor on the tokens that a tenant has of a model."""
        served = self.served(model, month)
        return Fraction(self._asked(tenant, model, month) * served)

    def model(self, model: str, month: int) -> float:
        """Factor on all tokens of a model."""
        return self._wanted(model, month) * self.served(model, month)

    def place(self, site: str, pool: str, model: str, month: int) -> Fraction:
        """Factor on energy and accelerator-hours of a model in a pool."""
        if not model:
            return Fraction(self._there((site, pool), month))
        return Fraction(self._wanted(model, month) * self._room((site, pool), month))

    def while_standing(self, site: str, pool: str, model: str, month: int) -> float:
        """The same on the days of the month on which the pool stands."""
        return self._wanted(model, month) * self._fits((site, pool), month) if model else 1.0

    def served(self, model: str, month: int) -> float:
        """Share of a model's tokens that can be served in a month: 1 where all pools have room."""
        key = (model, month)
        if key not in self._served:
            parts = [(p[:2], h) for p, h in sorted(self.use.held.items()) if p[2] == model]
            whole = math.fsum(hours for _, hours in parts)
            served = [hours * self._room(place, month) for place, hours in parts]
            self._served[key] = math.fsum(served) / whole if whole else 1.0
        return self._served[key]

    def _asked(self, tenant: str, model: str, month: int) -> float:
        """Growth of one demand; of several of one tenant and model, by their rates."""
        key = (tenant, model, month)
        if key not in self._sales:
            years = years_since(self.ground.months, month, self.ground.months.first)
            own = [
                (demand.requests_per_s, demand.growth_per_year)
                for demand in self.ground.cloud.demand
                if (demand.tenant, demand.model) == (tenant, model)
            ]
            whole = math.fsum(rate for rate, _ in own)
            parts = [rate * float(grown(growth, years)) for rate, growth in own]
            moves = any(growth for _, growth in own) and whole
            self._sales[key] = math.fsum(parts) / whole if moves else 1.0
        return self._sales[key]

    def _wanted(self, model: str, month: int) -> float:
        """Growth of a model: of its tenants, by the tokens that engines work on."""
        own = [
            (tokens.computed, self._asked(tenant, model, month))
            for (tenant, sold), tokens in sorted(self.use.sold.items())
            if sold == model
        ]
        whole = math.fsum(tokens for tokens, _ in own)
        if not whole or all(growth == 1.0 for _, growth in own):
            return 1.0
        return math.fsum(tokens * growth for tokens, growth in own) / whole

    def _room(self, place: Place, month: int) -> float:
        """Share of what is wanted of a pool that it can take; 0 before it stands."""
        key = (*place, month)
        if key not in self._held:
            self._held[key] = self._there(place, month) * self._fits(place, month)
        return self._held[key]

    def _there(self, place: Place, month: int) -> float:
        """Share of the month in which a pool stands; 1 of what is rented."""
        pool = self.ground.pools.get("/".join(place))
        if pool is None:
            return 1.0
        return self.ground.pool_days(pool, month) / self.ground.months.days(month)

    def _fits(self, place: Place, month: int) -> float:
        pool = self.ground.pools.get("/".join(place))
        own = [(p[2], hours) for p, hours in sorted(self.use.held.items()) if p[:2] == place]
        now = math.fsum(hours for _, hours in own)
        wanted = math.fsum(hours * self._wanted(model, month) for model, hours in own)
        if pool is None or wanted <= now:
            return 1.0
        count = (pool.nodes - pool.spare_nodes) * self.ground.per_node(pool.accelerator)
        taken = self.use.other.get(place, 0.0)
        return min(1.0, max(count * HOURS - taken, now) / wanted)
