"""What every part of the inputs is made from: the cloud, its months, and when things are there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction

from neocloud.books.tiers.exact import stated, to_pico
from neocloud.catalog import Catalog
from neocloud.finance.inputs.service import node_mw, service_days, standing_pool
from neocloud.finance.inputs.spans import HOURS, days_within, end_of
from neocloud.finance.months import Months
from neocloud.spec import Asset, Cloud, Pool, horizon

ASSET_AVAILABILITY = Fraction(97, 100)
"""Share of time in which accelerators of an asset can serve: the default of pools."""


@dataclass(frozen=True, slots=True)
class Ground:
    """The cloud by its months.

    Attributes:
        cloud: a checked cloud.
        catalog: as the cloud sees it.
        months: what is reckoned.
        service: day of service of each asset.
        pools: pools by `site/pool`, from the day on that they stand.
    """

    cloud: Cloud
    catalog: Catalog
    months: Months
    service: Mapping[str, date]
    pools: Mapping[str, Pool]

    def pico(self, amount: Fraction | Decimal, currency: str = "") -> int:
        """An amount of a currency (the cloud's unless given) in pico-units of the cloud's."""
        rate = Fraction(self.cloud.rate(currency)) if currency else Fraction(1)
        return to_pico(Fraction(amount) * rate)

    def per_node(self, accelerator: str) -> int:
        """Accelerators of a node."""
        return self.catalog.accelerator(accelerator).node_accelerators

    def pool_days(self, pool: Pool, month: int) -> int:
        """Days of a month on which a pool stands."""
        start = self.months.start(month) if pool.start is None else pool.start
        return days_within(self.months, month, start, end_of(self.months))

    def asset_days(self, asset: Asset, month: int) -> int:
        """Days of a month on which an asset is in service."""
        return days_within(self.months, month, self.service[asset.key], end_of(self.months))

    def brought(self) -> tuple[Asset, ...]:
        """Assets that bring accelerators which stand in no pool."""
        return tuple(a for a in self.cloud.finance.assets if a.accelerator is not None)

    def standing_hours(self, site: str | None, accelerator: str | None, month: int) -> int:
        """Accelerator-hours that stand, at a site or all (None), of a kind or all."""
        hours = 0
        for name, pool in self.pools.items():
            if site in (None, name.partition("/")[0]) and accelerator in (None, pool.accelerator):
                count = pool.nodes * self.per_node(pool.accelerator)
                hours += count * self.pool_days(pool, month) * HOURS
        for asset in self.brought():
            if site in (None, asset.site) and accelerator in (None, asset.accelerator):
                hours += asset.accelerators * self.asset_days(asset, month) * HOURS
        return hours

    def sellable_hours(self, accelerator: str, month: int) -> Fraction:
        """Accelerator-hours that can be sold: without spare nodes, times availability."""
        hours = Fraction(0)
        for pool in self.pools.values():
            if pool.accelerator == accelerator:
                count = (pool.nodes - pool.spare_nodes) * self.per_node(accelerator)
                there = count * self.pool_days(pool, month) * HOURS
                hours += there * stated(pool.availability)
        for asset in self.brought():
            if asset.accelerator == accelerator:
                there = asset.accelerators * self.asset_days(asset, month) * HOURS
                hours += there * availability(asset)
        return hours

    def kinds(self) -> tuple[str, ...]:
        """Accelerators that stand or will stand somewhere."""
        pools = [pool.accelerator for pool in self.pools.values()]
        assets = [asset.accelerator for asset in self.brought() if asset.accelerator]
        return tuple(dict.fromkeys([*pools, *assets]))

    def mw(self, accelerator: str) -> Fraction:
        """Power of an accelerator with its share of the node, without cooling."""
        return node_mw(self.catalog, accelerator)


def availability(asset: Asset) -> Fraction:
    """Share of time in which an asset can serve."""
    if asset.availability is not None:
        return stated(asset.availability)
    return ASSET_AVAILABILITY if asset.kind == "accelerators" else Fraction(1)


def ground_of(cloud: Cloud, catalog: Catalog, otherwise: date) -> Ground:
    """Lay the ground.

    Args:
        cloud: a checked cloud.
        catalog: the catalog.
        otherwise: a day of the first month, where nothing in the file has a day.
    """
    catalog = cloud.seen(catalog)
    first, count = horizon(cloud.contracts, cloud.finance, cloud.planning.day or otherwise)
    days = service_days(cloud, catalog)
    pools = {
        f"{site.key}/{pool.key}": standing_pool(pool, f"{site.key}/{pool.key}", cloud, days)
        for site in cloud.sites.values()
        for pool in site.pools
    }
    return Ground(
        cloud=cloud,
        catalog=catalog,
        months=Months(first=first, count=count),
        service=days,
        pools=pools,
    )
