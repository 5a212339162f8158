"""Energy that was drawn for a tenant, and what it emitted, by both methods.

Location-based: energy of the grid, by tariff or purchase agreement, emits what the grid of the
site's metro does, a mean of the year; what is made at the site emits what it emits. Market-based:
energy emits what its contract says. These are the two methods of the GHG Protocol's guidance on
scope 2 (2015). A site's contracts give in the order of the file, each up to its capacity times its
mean availability, at the mean power of the period; the last gives the rest.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from decimal import Decimal

from neocloud.books.invoices.records import Carbon, SiteCarbon
from neocloud.books.invoices.use import Source, TenantUse
from neocloud.catalog import Catalog
from neocloud.ledger import EnergyShare, shared_energy
from neocloud.spec import Cloud, Site
from neocloud.units import HOUR_NS, Period

_AT_THE_SITE = ("stranded_gas", "on_site")
_DAY_NS = 24 * HOUR_NS


def carbon_of(
    cloud: Cloud, catalog: Catalog, source: Source, use: TenantUse, tenant: str, emulated: bool
) -> Carbon | None:
    """The statement of a period; None where no energy was drawn for the tenant.

    What is held for the tenant alone is its own. Energy of shared replicas is divided by tokens, a
    place at a time; energy that served nobody, as of idle accelerators, is nobody's.
    """
    mine: dict[str, list[float]] = {}
    drawn: dict[str, float] = {}
    modelled = 0.0
    for share in _shares(source, use.period):
        if share.emulated is not emulated or share.site not in cloud.sites:
            continue
        drawn[share.site] = drawn.get(share.site, 0.0) + share.kwh
        part = _part(share, use, tenant)
        if part > 0.0:
            mine.setdefault(share.site, []).append(share.kwh * part)
            modelled += share.kwh * part if share.modelled else 0.0
    if not mine:
        return None
    sites = tuple(
        _site(cloud.sites[key], catalog, math.fsum(mine[key]), drawn[key], use.period)
        for key in sorted(mine)
    )
    kwh = math.fsum(kwh for parts in mine.values() for kwh in parts)
    return Carbon(
        kwh=_figure(kwh),
        metered_share=_figure(round(1.0 - modelled / kwh, 6)),
        location_kg=_figure(math.fsum(float(site.location_kg) for site in sites)),
        market_kg=_figure(math.fsum(float(site.market_kg) for site in sites)),
        sites=sites,
    )


def _part(share: EnergyShare, use: TenantUse, tenant: str) -> float:
    """Share of a span's energy that was drawn for the tenant."""
    if share.tenant:
        return float(share.tenant == tenant)
    own, all_ = use.tokens.get(((share.site, share.pool, share.model), share.emulated), (0, 0))
    return own / all_ if all_ else 0.0


def _shares(source: Source, period: Period) -> Iterator[EnergyShare]:
    """Who drew how much, a day at a time: a month of spans need not be held at once."""
    start = period.start_ns
    while start < period.end_ns:
        day = Period(start, min(period.end_ns, start - start % _DAY_NS + _DAY_NS))
        yield from shared_energy(source.energy(day), day)
        start = day.end_ns


def _site(site: Site, catalog: Catalog, kwh: float, drawn: float, period: Period) -> SiteCarbon:
    grid = catalog.power(site.metro).carbon_g_per_kwh.value or 0.0
    left = drawn
    located = marketed = 0.0
    for number, contract in enumerate(site.power):
        given = left
        if number < len(site.power) - 1 and contract.capacity_mw is not None:
            mean = math.fsum(contract.availability) / len(contract.availability)
            given = min(left, contract.capacity_mw * 1e3 * mean * period.seconds / 3600.0)
        stated = contract.carbon_g_per_kwh or 0.0
        located += given * (stated if contract.kind in _AT_THE_SITE else grid)
        marketed += given * stated
        left -= given
    share = kwh / drawn / 1e3 if drawn else 0.0
    return SiteCarbon(
        site=site.key,
        kwh=_figure(kwh),
        location_kg=_figure(located * share),
        market_kg=_figure(marketed * share),
    )


def _figure(value: float) -> Decimal:
    """A physical figure with six significant digits, never as 1E+3."""
    return Decimal(format(Decimal(f"{value:.6g}"), "f"))
