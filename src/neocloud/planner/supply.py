"""What sites supply on the plan's day: accelerators to plan on, power by contract and hour."""

from __future__ import annotations

from collections.abc import Mapping

from neocloud.catalog import Catalog
from neocloud.planner import rates
from neocloud.planner.demand import HOURS, utc_offset_hours
from neocloud.planner.setting import Contract
from neocloud.spec import Cloud, Pool, Site


def accelerators_of(cloud: Cloud, pool: Pool, catalog: Catalog) -> int:
    """Accelerators of a pool that replicas may stand on: spare nodes and later ones left out."""
    return _nodes(cloud, pool, pool.nodes - pool.spare_nodes, catalog)


def spares_of(cloud: Cloud, pool: Pool, catalog: Catalog) -> int:
    """Accelerators of a pool's spare nodes."""
    return _nodes(cloud, pool, pool.spare_nodes, catalog)


def _nodes(cloud: Cloud, pool: Pool, nodes: int, catalog: Catalog) -> int:
    day = cloud.planning.day
    there = day is None or pool.start is None or pool.start <= day
    return nodes * catalog.accelerator(pool.accelerator).node_accelerators if there else 0


def contracts_of(cloud: Cloud, site: Site, catalog: Catalog) -> tuple[Contract, ...]:
    """A site's contracts as placement sees them; one that does not run on the day gives nothing."""
    offset = utc_offset_hours(catalog.metro(site.metro))
    found = []
    for contract in site.power:
        runs = contract.runs_on(cloud.planning.day)
        capacity_kw = None if contract.capacity_mw is None else contract.capacity_mw * 1e3
        local = contract.availability
        found.append(
            Contract(
                price=rates.power_per_kwh(cloud, contract),
                capacity_kw=capacity_kw if runs else 0.0,
                take_or_pay=contract.take_or_pay,
                availability=tuple(local[(hour + offset) % HOURS] for hour in range(HOURS)),
                carbon_kg_per_kwh=(contract.carbon_g_per_kwh or 0.0) / 1e3,
                peak_price=rates.demand_charge_per_kw_day(cloud, contract),
            )
        )
    return tuple(found)


def cooling_kw(cloud: Cloud) -> Mapping[str, float]:
    """What a site may draw at its meter for its cooling to take the heat away, kW."""
    return {
        key: site.cooling_mw * site.pue * 1e3
        for key, site in cloud.sites.items()
        if site.cooling_mw is not None
    }


def active_kw(cloud: Cloud) -> Mapping[str, float]:
    """Active power of the sites that have a power ladder, kW."""
    active = {site: cloud.active_mw(site) for site in cloud.sites}
    return {site: mw * 1e3 for site, mw in active.items() if mw is not None}
