"""Demand by user metro and UTC hour, gathered into classes that placement treats alike."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neocloud.catalog import Catalog, Metro
from neocloud.spec import Cloud

HOURS = 24
_Key = tuple[str, str, tuple[str, ...], float | None]


@dataclass(frozen=True, slots=True)
class DemandClass:
    """Requests of one model from one metro by tenants that may use the same sites.

    Attributes:
        model: model key.
        metro: user metro.
        sites: sites that may serve it.
        by_hour: requests/s in each UTC hour of the representative day, shape (24,).
        share_by_tenant: each tenant's share, sums to 1.
        carbon_limit_kg_per_kwh: no site may serve it in an hour in which the energy that the site
            draws emits more on average; None for no limit.
    """

    model: str
    metro: str
    sites: tuple[str, ...]
    by_hour: NDArray[np.float64]
    share_by_tenant: Mapping[str, float]
    carbon_limit_kg_per_kwh: float | None = None


def utc_offset_hours(metro: Metro) -> int:
    """Hours that solar time at the metro is ahead of UTC; stands in for its time zone."""
    return round(metro.longitude / 15.0)


def demand_classes(
    cloud: Cloud, catalog: Catalog, rented: tuple[str, ...] = ()
) -> tuple[DemandClass, ...]:
    """Spread each demand over its metros and the hours of the day, then join equals.

    Tenants without `allowed_sites` may be served at `rented` places too, but for those with a
    carbon limit: nobody says what rented power emits.
    """
    rates: dict[_Key, NDArray[np.float64]] = {}
    by_tenant: dict[_Key, dict[str, float]] = {}
    for demand in cloud.demand:
        tenant = cloud.tenants[demand.tenant]
        sites = tenant.allowed_sites
        if sites is None and tenant.carbon_limit_g_per_kwh is None:
            sites = (*cloud.sites, *rented)
        elif sites is None:
            sites = tuple(cloud.sites)
        shape = catalog.shape(demand.shape).by_local_hour
        for metro, share in demand.metros.items():
            offset = utc_offset_hours(catalog.metro(metro))
            local = np.array([shape[(hour + offset) % HOURS] for hour in range(HOURS)])
            rate = demand.requests_per_s * share
            key = (demand.model, metro, tuple(sorted(sites)), tenant.carbon_limit_g_per_kwh)
            rates[key] = rates.get(key, np.zeros(HOURS)) + rate * local
            tenants = by_tenant.setdefault(key, {})
            tenants[demand.tenant] = tenants.get(demand.tenant, 0.0) + rate
    found = []
    for key, by_hour in rates.items():
        model, metro, sites, limit = key
        total = sum(by_tenant[key].values())
        if total <= 0:
            continue
        shares = {tenant: rate / total for tenant, rate in by_tenant[key].items()}
        most = None if limit is None else limit / 1e3
        found.append(DemandClass(model, metro, sites, by_hour, shares, most))
    return tuple(found)
