"""`make_plan`: from a cloud to its cheapest plan."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neocloud.catalog import Catalog
from neocloud.perf import NoParametersError, Predictor, require_measured, shipped
from neocloud.planner import rates
from neocloud.planner.candidates import Found, Question, search
from neocloud.planner.demand import HOURS, DemandClass, demand_classes
from neocloud.planner.flags import VLLM_VERSION, vllm_arguments
from neocloud.planner.infeasible import InfeasibleError, explain
from neocloud.planner.lengths import Lengths, lengths_of
from neocloud.planner.placement import Option, Placed, Setting, place
from neocloud.planner.power import price_by_site
from neocloud.planner.program import INFINITY
from neocloud.planner.records import (
    Binding,
    Engine,
    Flow,
    Placement,
    Plan,
    Rates,
    Search,
    Skipped,
    Unallocated,
)
from neocloud.planner.summary import cost_by_model, cost_of, model_summary
from neocloud.planner.supply import accelerators_of, active_kw, contracts_of, spares_of
from neocloud.spec import Cloud

Progress = Callable[[str], None]


def silent(_: str) -> None:
    """Progress that nobody watches."""


@dataclass(frozen=True, slots=True)
class Searched:
    """What the search gave: options for placement, and the findings by (site, pool, model).

    Pools whose accelerator nothing measured stands behind are skipped.
    """

    options: tuple[Option, ...]
    found: Mapping[tuple[str, str, str], Found]
    skipped: tuple[Skipped, ...]


def make_plan(
    cloud: Cloud,
    catalog: Catalog,
    progress: Progress = silent,
    predictor: Predictor | None = None,
) -> Plan:
    """Find the cheapest way to serve the cloud's demand within its objectives and limits.

    Args:
        cloud: the checked file.
        catalog: where its keys lead.
        progress: told what is being done, a line at a time.
        predictor: what predictions rest on; None for the shipped one.

    Raises:
        InfeasibleError: the demand cannot be served; says which limits bind and by how much.
        MissingFigureError: the plan needs a figure that neither file nor catalog has.
    """
    catalog, used = cloud.seen(catalog), predictor or shipped()
    classes = demand_classes(cloud, catalog)
    lengths = {m: lengths_of(cloud, catalog, m) for m in sorted({c.model for c in classes})}
    rtt_ms = {
        (metro, site.key): rates.round_trip_ms(cloud, catalog, metro, site)
        for metro in sorted({c.metro for c in classes})
        for site in cloud.sites.values()
    }
    searched = _search_all(cloud, catalog, classes, lengths, rtt_ms, progress, used)
    setting = Setting(
        options=searched.options,
        classes=classes,
        contracts={key: contracts_of(cloud, site, catalog) for key, site in cloud.sites.items()},
        pue={key: site.pue for key, site in cloud.sites.items()},
        accelerators={
            (site.key, pool.key): accelerators_of(cloud, pool, catalog)
            for site in cloud.sites.values()
            for pool in site.pools
        },
        rtt_ms=rtt_ms,
        active_kw=active_kw(cloud),
    )
    progress(f"placing {len(setting.options)} candidates for {len(classes)} classes of demand")
    placed = place(setting)
    if placed is None:
        raise InfeasibleError(
            (
                *explain(cloud, setting, searched.found),
                *(_left_out(cloud, s) for s in searched.skipped),
            )
        )
    return _assemble(cloud, catalog, setting, placed, searched, lengths, used)


def _search_all(
    cloud: Cloud,
    catalog: Catalog,
    classes: tuple[DemandClass, ...],
    lengths: Mapping[str, Lengths],
    rtt_ms: Mapping[tuple[str, str], float],
    progress: Progress,
    predictor: Predictor,
) -> Searched:
    options: list[Option] = []
    found: dict[tuple[str, str, str], Found] = {}
    skipped: list[Skipped] = []
    for site in cloud.sites.values():
        kwh = min(c.price for c in contracts_of(cloud, site, catalog))
        for pool in site.pools:
            try:
                require_measured(catalog.accelerator(pool.accelerator), predictor)
            except NoParametersError as error:
                skipped.append(Skipped(site=site.key, pool=pool.key, reason=str(error)))
                progress(f"leaving out {site.key}/{pool.key}: {error}")
                continue
            hour = rates.capital_per_accelerator_hour(
                cloud, pool, catalog
            ) + rates.operations_per_accelerator_hour(cloud, site, pool, catalog)
            for name, of_model in lengths.items():
                metros = [c.metro for c in classes if c.model == name and site.key in c.sites]
                if not metros:
                    continue
                progress(f"searching configurations of {name} on {site.key}/{pool.key}")
                model = cloud.models[name]
                accelerator = catalog.accelerator(pool.accelerator)
                result = search(
                    Question(
                        architecture=model.architecture,
                        accelerator=accelerator,
                        load=of_model.load(model.objective.percentile),
                        objective=model.objective,
                        precisions=model.precisions,
                        tps=cloud.planning.tp,
                        batches=cloud.planning.batch,
                        node_accelerators=min(
                            accelerator.node_accelerators,
                            pool.fabric_domain or accelerator.node_accelerators,
                        ),
                        rtts_ms=tuple(rtt_ms[metro, site.key] for metro in metros),
                        accelerator_hour=hour,
                        kwh=kwh,
                        pue=site.pue,
                        predictor=predictor,
                    )
                )
                found[site.key, pool.key, name] = result
                gigabytes = rates.request_gb(of_model.mean_input(), of_model.mean_output())
                network = gigabytes * rates.network_per_gb(cloud, site)
                options += [
                    Option(site.key, pool.key, name, candidate, hour, network)
                    for candidate in result.candidates
                ]
    return Searched(tuple(options), found, tuple(skipped))


def _left_out(cloud: Cloud, s: Skipped) -> str:
    where = cloud.where(f"sites.{s.site}.pools.{s.pool}")
    return f"{where}: pool {s.site}/{s.pool} is left out: {s.reason}"


def _assemble(
    cloud: Cloud,
    catalog: Catalog,
    setting: Setting,
    placed: Placed,
    searched: Searched,
    lengths: Mapping[str, Lengths],
    predictor: Predictor,
) -> Plan:
    placements: list[Placement] = []
    flows: list[Flow] = []
    prices = price_by_site(setting, placed)
    for o, count in enumerate(placed.replicas):
        if count == 0:
            continue
        served = {k: hourly for (oo, k), hourly in placed.flows.items() if oo == o}
        option = setting.options[o]
        before = sum(
            p.replicas
            for p in placements
            if (p.site, p.pool, p.model) == (option.site, option.pool, option.model)
        )
        placements.append(
            _placement(cloud, catalog, prices[option.site], option, count, before, served)
        )
        for k, hourly in sorted(served.items()):
            demand = setting.classes[k]
            flows += [
                Flow(
                    tenant=tenant,
                    user_metro=demand.metro,
                    model=demand.model,
                    site=option.site,
                    pool=option.pool,
                    configuration=placements[-1].configuration,
                    rtt_ms=setting.rtt_ms[demand.metro, option.site],
                    requests_per_s_by_hour=tuple((hourly * share).tolist()),
                )
                for tenant, share in demand.share_by_tenant.items()
            ]
    kept = tuple(placements)
    return Plan(
        cloud=cloud.name,
        currency=cloud.currency,
        hours=HOURS,
        placements=kept,
        flows=tuple(flows),
        models=tuple(
            model_summary(cloud.models[name], of_model, kept, tuple(flows))
            for name, of_model in lengths.items()
        ),
        cost_per_hour=cost_by_model(kept, None),
        unallocated=_unallocated(cloud, catalog, setting, kept),
        binding=_binding(setting, placed),
        search=_search(searched, placed),
        skipped=searched.skipped,
        hashes={
            "cloud": cloud.content_hash,
            "catalog": catalog.content_hash,
            "parameters": predictor.digest,
        },
        calibration=predictor.calibration,
    )


def _search(searched: Searched, placed: Placed) -> Search:
    results = searched.found.values()
    return Search(
        examined=sum(f.examined for f in results),
        no_room=sum(f.no_room for f in results),
        too_slow=sum(f.too_slow for f in results),
        dominated=sum(f.dominated for f in results),
        kept=sum(len(f.candidates) for f in results),
        gap=placed.gap,
        solver="HiGHS",
    )


def _placement(
    cloud: Cloud,
    catalog: Catalog,
    kwh_price: float,
    option: Option,
    count: int,
    first_ordinal: int,
    served: Mapping[int, NDArray[np.float64]],
) -> Placement:
    site = cloud.sites[option.site]
    pool = next(p for p in site.pools if p.key == option.pool)
    model = cloud.models[option.model]
    candidate = option.candidate
    by_hour = sum(served.values(), np.zeros(HOURS))
    of_rates = Rates(
        capital_per_accelerator_hour=rates.capital_per_accelerator_hour(cloud, pool, catalog),
        operations_per_accelerator_hour=rates.operations_per_accelerator_hour(
            cloud, site, pool, catalog
        ),
        power_per_kwh=kwh_price,
        network_per_gb=rates.network_per_gb(cloud, site),
        network_per_request=option.network_per_request,
    )
    arguments = vllm_arguments(
        model.config, model.key, candidate.configuration, model.architecture.max_context
    )
    return Placement(
        site=option.site,
        pool=option.pool,
        model=option.model,
        accelerator=candidate.configuration.accelerator,
        configuration=candidate.configuration,
        engine=Engine(kind=pool.engine, version=VLLM_VERSION, arguments=arguments),
        first_ordinal=first_ordinal,
        replicas_by_hour=(count,) * HOURS,
        requests_per_s_by_hour=tuple(by_hour.tolist()),
        kv_tokens=candidate.memory.replica_kv_tokens,
        max_rtt_ms=candidate.max_rtt_ms,
        curve=candidate.curve,
        rates=of_rates,
        pue=site.pue,
        cost_per_hour=cost_of(
            candidate.curve,
            candidate.configuration.accelerators,
            count,
            by_hour,
            of_rates,
            site.pue,
        ),
    )


def _unallocated(
    cloud: Cloud, catalog: Catalog, setting: Setting, placements: tuple[Placement, ...]
) -> tuple[Unallocated, ...]:
    free = []
    for (site_key, pool_key), there in setting.accelerators.items():
        used = sum(
            p.replicas * p.configuration.accelerators
            for p in placements
            if (p.site, p.pool) == (site_key, pool_key)
        )
        site = cloud.sites[site_key]
        pool = next(p for p in site.pools if p.key == pool_key)
        idle = there - used + spares_of(cloud, pool, catalog)
        if idle > 0:
            hour = rates.capital_per_accelerator_hour(
                cloud, pool, catalog
            ) + rates.operations_per_accelerator_hour(cloud, site, pool, catalog)
            free.append(
                Unallocated(
                    site=site_key,
                    pool=pool_key,
                    accelerators=idle,
                    cost_per_hour=idle * hour,
                )
            )
    return tuple(free)


def _binding(setting: Setting, placed: Placed) -> tuple[Binding, ...]:
    """Limits with less room than the smallest replica that might stand there."""
    bound = []
    for (site, pool), there in setting.accelerators.items():
        here = [
            (o, option)
            for o, option in enumerate(setting.options)
            if (option.site, option.pool) == (site, pool)
        ]
        used = sum(placed.replicas[o] * opt.candidate.configuration.accelerators for o, opt in here)
        smallest = min(
            (opt.candidate.configuration.accelerators for _, opt in here), default=there + 1
        )
        if there - used < smallest:
            bound.append(
                Binding(
                    limit="accelerators",
                    where=f"{site}/{pool}",
                    used=float(used),
                    available=float(there),
                    unit="accelerators",
                )
            )
    for site in setting.contracts:
        firm_kw = setting.firm_kw(site)
        if firm_kw == INFINITY:
            continue
        draw = [
            (placed.replicas[o], opt.candidate.full_watts * setting.pue[site] / 1e3)
            for o, opt in enumerate(setting.options)
            if opt.site == site
        ]
        used_kw = sum(count * kw for count, kw in draw)
        if draw and firm_kw - used_kw < min(kw for _, kw in draw):
            bound.append(
                Binding(
                    limit="power",
                    where=site,
                    used=used_kw / 1e3,
                    available=firm_kw / 1e3,
                    unit="MW",
                )
            )
    return tuple(bound)
