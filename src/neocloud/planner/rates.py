"""What an accelerator-hour, a kilowatt-hour and a gigabyte cost at a site."""

from __future__ import annotations

from neocloud.catalog import Catalog
from neocloud.spec import Cloud, Pool, PowerContract, Site

HOURS_PER_YEAR = 8760.0
DAYS_PER_MONTH = 365.0 / 12.0
GIGA = 1e9

ANSWER_BYTES_PER_TOKEN = 250.0
"""A streamed chat completion chunk of one token, headers of the chunk included, as vLLM and
OpenAI shape it: 200 to 300 bytes of JSON around four bytes of text. Measured on our own wire."""
PROMPT_BYTES_PER_TOKEN = 4.0
"""English text in the common tokenizers: about four bytes a token."""


def exchange_rate(cloud: Cloud, currency: str) -> float:
    """Units of the cloud's currency for one unit of `currency`."""
    if currency == cloud.currency:
        return 1.0
    return float(cloud.exchange_rates[currency])


def capital_recovery_factor(rate: float, years: float) -> float:
    """Share of a loan paid each year: r / (1 - (1 + r)^-n), or 1 / n without interest."""
    if rate == 0.0:
        return 1.0 / years
    return float(rate / (1.0 - (1.0 + rate) ** -years))


def capex(cloud: Cloud, pool: Pool, catalog: Catalog) -> float:
    """Installed price of one accelerator of the pool, in the cloud's currency."""
    if pool.capex_usd is not None:
        usd = float(pool.capex_usd)
    else:
        accelerator = catalog.accelerator(pool.accelerator)
        usd = accelerator.capex_usd.known(
            f"the installed price of {pool.accelerator} (set capex_usd in its pool)"
        )
    return usd * exchange_rate(cloud, "USD")


def life_years(cloud: Cloud, pool: Pool) -> float:
    """Years over which the pool's price is recovered."""
    return cloud.finance.life_years if pool.life_years is None else pool.life_years


def residual_share(cloud: Cloud, pool: Pool) -> float:
    """Share of the pool's price that is left at the end."""
    return cloud.finance.residual_share if pool.residual_share is None else pool.residual_share


def maintenance_share(cloud: Cloud, pool: Pool) -> float:
    """Repairs and support a year, as a share of the pool's price."""
    given = pool.maintenance_share_per_year
    return cloud.finance.maintenance_share_per_year if given is None else given


def capital_per_accelerator_hour(cloud: Cloud, pool: Pool, catalog: Catalog) -> float:
    """(capex - PV(residual)) x capital recovery factor / usable hours of a year; or the lease."""
    if pool.lease_usd_per_hour is not None:
        lease = float(pool.lease_usd_per_hour) * exchange_rate(cloud, "USD")
        return lease / pool.availability
    price = capex(cloud, pool, catalog)
    rate, years = float(cloud.finance.cost_of_capital), life_years(cloud, pool)
    residual = price * residual_share(cloud, pool) / (1.0 + rate) ** years
    annual = (price - residual) * capital_recovery_factor(rate, years)
    return float(annual / (HOURS_PER_YEAR * float(pool.availability)))


def node_kw_per_accelerator(pool: Pool, catalog: Catalog) -> float:
    """IT power to be reserved for one accelerator: its share of the node's maximum, kW."""
    accelerator = catalog.accelerator(pool.accelerator)
    node = accelerator.node_power_w.known(f"the node power of {pool.accelerator}")
    return node / accelerator.node_accelerators / 1e3


def operations_per_accelerator_hour(
    cloud: Cloud, site: Site, pool: Pool, catalog: Catalog
) -> float:
    """Space by reserved power, maintenance and insurance by price, staff, links, overhead.

    A leased pool's lease covers maintenance and insurance.
    """
    finance = cloud.finance
    space = float(site.facility_usd_per_kw_month) * exchange_rate(cloud, "USD")
    yearly = space * 12.0 * node_kw_per_accelerator(pool, catalog)
    if pool.lease_usd_per_hour is None:
        by_price = maintenance_share(cloud, pool) + finance.insurance_share_per_year
        yearly += by_price * capex(cloud, pool, catalog)
    hourly = float(finance.staff_per_accelerator_hour + finance.network_per_accelerator_hour)
    yearly = (yearly + hourly * HOURS_PER_YEAR) * (1.0 + finance.overhead_share)
    return yearly / (HOURS_PER_YEAR * float(pool.availability))


def power_per_kwh(cloud: Cloud, contract: PowerContract) -> float:
    """Contract price, in the cloud's currency."""
    return float(contract.price_per_mwh) * exchange_rate(cloud, contract.currency) / 1e3


def demand_charge_per_kw_day(cloud: Cloud, contract: PowerContract) -> float:
    """A day's share of what the month's highest draw costs, in the cloud's currency."""
    monthly = float(contract.demand_charge_per_kw_month)
    return monthly * exchange_rate(cloud, contract.currency) / DAYS_PER_MONTH


def round_trip_ms(cloud: Cloud, catalog: Catalog, metro: str, place: str) -> float:
    """Round trip between users and accelerators by their metros, the last mile included."""
    return catalog.round_trip(metro, place).ms + cloud.network.last_mile_ms


def network_per_gb(cloud: Cloud, site: Site) -> float:
    """Price of a gigabyte to or from users, in the cloud's currency."""
    return float(site.network_usd_per_gb) * exchange_rate(cloud, "USD")


def request_gb(input_tokens: float, output_tokens: float) -> float:
    """Gigabytes that one streamed request moves between user and site."""
    moved = PROMPT_BYTES_PER_TOKEN * input_tokens + ANSWER_BYTES_PER_TOKEN * output_tokens
    return moved / GIGA
