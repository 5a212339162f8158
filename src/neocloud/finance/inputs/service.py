"""When things are in service: an asset waits for what it needs, and for active megawatts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import date
from fractions import Fraction

from neocloud.books.tiers.exact import stated
from neocloud.catalog import Catalog
from neocloud.finance.inputs.spans import NEVER
from neocloud.spec import Asset, Cloud, Pool, Site

TOLERANCE_MW = Fraction(1, 10**6)
"""Megawatts by which a ladder may be exceeded: a watt, the rounding of what people write."""


def needed(cloud: Cloud, keys: Iterable[str]) -> tuple[str, ...]:
    """Assets and all that they need in turn, in the order of the file."""
    assets = {asset.key: asset for asset in cloud.finance.assets}
    reached: set[str] = set()
    waiting = list(keys)
    while waiting:
        key = waiting.pop()
        if key not in reached:
            reached.add(key)
            waiting += assets[key].needs
    return tuple(key for key in assets if key in reached)


def node_mw(catalog: Catalog, accelerator: str) -> Fraction:
    """Power of one accelerator with its share of the node, at most, without cooling; MW."""
    found = catalog.accelerator(accelerator)
    watts = stated(found.node_power_w.known(f"the node power of {accelerator}"))
    return watts / found.node_accelerators / 10**6


def pool_mw(catalog: Catalog, pool: Pool) -> Fraction:
    """Power of a pool's nodes at most, without cooling; MW."""
    count = pool.nodes * catalog.accelerator(pool.accelerator).node_accelerators
    return count * node_mw(catalog, pool.accelerator)


def asset_mw(cloud: Cloud, catalog: Catalog, asset: Asset) -> Fraction:
    """Power that an asset brings, feeds, cools or houses; 0 where nothing is said of it."""
    if asset.megawatts is not None:
        return stated(asset.megawatts)
    if asset.accelerator is not None:
        return asset.accelerators * node_mw(catalog, asset.accelerator)
    pools = pools_of(cloud)
    return sum((pool_mw(catalog, pools[name]) for name in asset.pools), Fraction(0))


def pools_of(cloud: Cloud) -> dict[str, Pool]:
    """All pools by `site/pool`."""
    return {f"{site.key}/{pool.key}": pool for site in cloud.sites.values() for pool in site.pools}


def service_days(cloud: Cloud, catalog: Catalog) -> dict[str, date]:
    """Day of service of each asset; `NEVER` where the power ladder never has room for it.

    The latest of its own day, the days of what it needs, and, for accelerators at a site with a
    power ladder, the first day on which the active megawatts hold them (times PUE) and all that was
    there before: pools of the file, then assets in the order of their days.
    """
    assets = {asset.key: asset for asset in cloud.finance.assets}
    days = {key: max(assets[name].in_service for name in needed(cloud, (key,))) for key in assets}
    for site in cloud.sites.values():
        if site.power_ladder:
            days |= _powered(cloud, catalog, site, days)
    return {key: max(days[name] for name in needed(cloud, (key,))) for key in assets}


def _powered(
    cloud: Cloud, catalog: Catalog, site: Site, days: Mapping[str, date]
) -> dict[str, date]:
    """Days of the accelerators at a site, moved to when there is power for them."""
    pue = stated(site.pue)
    bought = {name for asset in cloud.finance.assets for name in asset.pools}
    drawn = sum(
        (pool_mw(catalog, p) for p in site.pools if f"{site.key}/{p.key}" not in bought),
        Fraction(0),
    )
    here = [
        asset
        for asset in cloud.finance.assets
        if asset.kind == "accelerators" and asset.site == site.key
    ]
    moved = {}
    for asset in sorted(here, key=lambda asset: days[asset.key]):
        drawn += asset_mw(cloud, catalog, asset)
        first = next(
            (
                step.start
                for step in site.power_ladder
                if stated(step.active_mw) + TOLERANCE_MW >= drawn * pue
            ),
            NEVER,
        )
        moved[asset.key] = max(days[asset.key], first)
    return moved


def standing_pool(pool: Pool, name: str, cloud: Cloud, days: Mapping[str, date]) -> Pool:
    """A pool as it stands: not before the asset that it is, where there is one."""
    day = next((days[asset.key] for asset in cloud.finance.assets if name in asset.pools), None)
    if day is None:
        return pool
    return replace(pool, start=day if pool.start is None else max(day, pool.start))
