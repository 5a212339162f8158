"""A cloud in a few numbers, for whoever wants to see that the file says what they meant."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from neocloud.catalog import Catalog
from neocloud.spec.problems import Note, Problem
from neocloud.spec.records import Cloud
from neocloud.spec.sites import Pool, Site

SCHEMA = "neocloud.validation/1"
"""Name and version of the published schema."""


class PoolSummary(msgspec.Struct, frozen=True, kw_only=True):
    """One pool; `node_power_kw` is the nodes' published maximum, without cooling."""

    pool: str
    accelerator: str
    nodes: int
    accelerators: int
    engine: str
    node_power_kw: float


class SiteSummary(msgspec.Struct, frozen=True, kw_only=True):
    """One site.

    Attributes:
        site: site key.
        metro: where it stands.
        pools: what stands there.
        full_power_kw: what the site draws with all nodes at their maximum, PUE included.
        contracted_kw: what its contracts allow; None where one of them has no limit.
        active_kw: what is active on the plan's day; None where the file gives no power ladder.
        price_per_mwh: of its contracts in merit order, each with its currency: `91.0 EUR`.
    """

    site: str
    metro: str
    pools: tuple[PoolSummary, ...]
    full_power_kw: float
    contracted_kw: float | None
    active_kw: float | None
    price_per_mwh: tuple[str, ...]


class ModelSummary(msgspec.Struct, frozen=True, kw_only=True):
    """One model; `requests_per_s` is the mean over the day of all demand for it."""

    model: str
    config: str
    parameters: int
    precisions: tuple[str, ...]
    ttft_ms: float
    tpot_ms: float
    percentile: float
    requests_per_s: float
    tenants: tuple[str, ...]
    metros: int


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """What a cloud file declares."""

    cloud: str
    currency: str
    sites: tuple[SiteSummary, ...]
    models: tuple[ModelSummary, ...]
    tenants: tuple[str, ...]
    accelerators: int
    requests_per_s: float


class Validation(msgspec.Struct, frozen=True, kw_only=True):
    """What became of checking a file: a summary with notes, or its mistakes."""

    schema: str = SCHEMA
    file: str
    valid: bool
    problems: tuple[Problem, ...]
    notes: tuple[Note, ...] = ()
    summary: Summary | None


def summarise(cloud: Cloud, catalog: Catalog) -> Summary:
    """Sum up a checked cloud."""
    catalog = cloud.seen(catalog)
    sites = tuple(_site(cloud, site, catalog) for site in cloud.sites.values())
    models = tuple(_model(cloud, key) for key in cloud.models)
    return Summary(
        cloud=cloud.name,
        currency=cloud.currency,
        sites=sites,
        models=models,
        tenants=tuple(cloud.tenants),
        accelerators=sum(pool.accelerators for site in sites for pool in site.pools),
        requests_per_s=sum(model.requests_per_s for model in models),
    )


def _pool(pool: Pool, catalog: Catalog) -> PoolSummary:
    accelerator = catalog.accelerator(pool.accelerator)
    node_w = accelerator.node_power_w.known(f"node power of {accelerator.key}")
    return PoolSummary(
        pool=pool.key,
        accelerator=pool.accelerator,
        nodes=pool.nodes,
        accelerators=pool.nodes * accelerator.node_accelerators,
        engine=pool.engine,
        node_power_kw=pool.nodes * node_w / 1e3,
    )


def _site(cloud: Cloud, site: Site, catalog: Catalog) -> SiteSummary:
    pools = tuple(_pool(pool, catalog) for pool in site.pools)
    active_mw = cloud.active_mw(site.key)
    limits = [contract.capacity_mw for contract in site.power]
    return SiteSummary(
        site=site.key,
        metro=site.metro,
        pools=pools,
        full_power_kw=sum(pool.node_power_kw for pool in pools) * site.pue,
        contracted_kw=None if None in limits else sum(mw for mw in limits if mw is not None) * 1e3,
        active_kw=None if active_mw is None else active_mw * 1e3,
        price_per_mwh=tuple(f"{_plain(c.price_per_mwh)} {c.currency}" for c in site.power),
    )


def _model(cloud: Cloud, key: str) -> ModelSummary:
    model = cloud.models[key]
    asked = [demand for demand in cloud.demand if demand.model == key]
    return ModelSummary(
        model=key,
        config=model.config,
        parameters=model.architecture.parameters,
        precisions=model.precisions,
        ttft_ms=model.objective.ttft_ms,
        tpot_ms=model.objective.tpot_ms,
        percentile=model.objective.percentile,
        requests_per_s=sum(demand.requests_per_s for demand in asked),
        tenants=tuple(dict.fromkeys(demand.tenant for demand in asked)),
        metros=len({metro for demand in asked for metro in demand.metros}),
    )


def _plain(price: Decimal) -> str:
    return f"{price.normalize():f}"
