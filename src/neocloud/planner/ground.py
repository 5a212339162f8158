"""From what placement answered to the `Plan` that is laid down."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from neocloud.catalog import Catalog
from neocloud.perf import (
    CLOSED,
    DISAGGREGATED,
    Certainty,
    Predictor,
    Situation,
    certainty,
    layer_of,
)
from neocloud.planner.binding import binding
from neocloud.planner.costs import CostByTier
from neocloud.planner.demand import HOURS
from neocloud.planner.flags import Launch, Role, launch_of
from neocloud.planner.hosts import Host
from neocloud.planner.lengths import Lengths
from neocloud.planner.power import (
    Draw,
    carbon_t_per_year,
    obligations,
    price_by_site,
    served_by_hour,
)
from neocloud.planner.records import (
    Engine,
    Flow,
    Placement,
    Plan,
    Prefill,
    Rates,
    Rented,
    Search,
    Skipped,
    Unallocated,
)
from neocloud.planner.search.candidates import Station
from neocloud.planner.searching import Searched, Way
from neocloud.planner.setting import Placed, Setting
from neocloud.planner.summary import cost_by_model, cost_of, model_summary
from neocloud.spec import Cloud


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What a plan is made on: everything but the answer.

    Attributes:
        cloud: the checked file.
        catalog: with the file's own accelerators and traces.
        predictor: what predictions rest on.
        hosts: where replicas may stand.
        skipped: pools that nothing measured stands behind.
        rented: places of hosts that others rent out.
        lengths: of each model's requests.
        searched: what the search gave.
        setting: what placement decides over; its options are those of `searched.ways`.
    """

    cloud: Cloud
    catalog: Catalog
    predictor: Predictor
    hosts: tuple[Host, ...]
    skipped: tuple[Skipped, ...]
    rented: tuple[Rented, ...]
    lengths: Mapping[str, Lengths]
    searched: Searched
    setting: Setting


def assemble(ground: Ground, placed: Placed) -> Plan:
    """Lay an answer of placement down as a plan."""
    cloud, setting = ground.cloud, ground.setting
    placements, flows = _placements(ground, placed)
    costs = [cost_of(p) for p in placements]
    kept = tuple(
        msgspec.structs.replace(p, cost_per_hour=cost)
        for p, cost in zip(placements, costs, strict=True)
    )
    counts = ground.searched.counts
    emitted = carbon_t_per_year(setting, placed, draws_of(ground))
    used = {(p.site, pool) for p in kept for pool in p.held()}
    return Plan(
        cloud=cloud.name,
        currency=cloud.currency,
        hours=HOURS,
        placements=kept,
        flows=tuple(flows),
        models=tuple(
            model_summary(cloud.models[name], of_model, kept, tuple(flows))
            for name, of_model in ground.lengths.items()
        ),
        cost_per_hour=cost_by_model(kept, None),
        unallocated=_unallocated(ground, kept),
        obligations=obligations(setting, placed),
        rented=tuple(r for r in ground.rented if (r.site, r.pool) in used),
        rental_allowed=bool(ground.rented),
        confidence=cloud.planning.confidence,
        spares=cloud.planning.spares,
        carbon_t_per_year=emitted,
        binding=binding(setting, placed, emitted),
        search=Search(
            examined=counts.examined,
            no_room=counts.no_room,
            too_slow=counts.too_slow,
            dominated=counts.dominated,
            kept=counts.kept,
            options=len(setting.options),
            gap=placed.gap,
            solver="HiGHS",
        ),
        skipped=ground.skipped,
        hashes={
            "cloud": cloud.content_hash,
            "catalog": ground.catalog.content_hash,
            "parameters": ground.predictor.digest,
        },
        calibration=ground.predictor.calibration,
    )


def draws_of(ground: Ground) -> list[Draw]:
    """What each option's replicas draw."""
    return [Draw(w.host.site, w.candidate.curve, w.host.pue) for w in ground.searched.ways]


def _placements(ground: Ground, placed: Placed) -> tuple[list[Placement], list[Flow]]:
    placements: list[Placement] = []
    flows: list[Flow] = []
    ways = ground.searched.ways
    prices = price_by_site(ground.setting, placed, draws_of(ground))
    before: dict[tuple[str, str, str], int] = {}
    for o, way in enumerate(ways):
        counts = placed.replicas[o]
        if not counts.any():
            continue
        key = (way.host.site, way.host.pool, way.option.model)
        first = before.get(key, 0)
        before[key] = first + int(counts.max())
        found = _placement(
            ground, way, prices[way.host.site], counts, first, served_by_hour(placed, o)
        )
        placements.append(found)
        flows += _flows(ground.setting, placed, o, found)
    return placements, flows


def _flows(setting: Setting, placed: Placed, option: int, placement: Placement) -> list[Flow]:
    found = []
    for (o, k), hourly in sorted(placed.flows.items()):
        if o != option:
            continue
        demand = setting.classes[k]
        found += [
            Flow(
                tenant=tenant,
                user_metro=demand.metro,
                model=demand.model,
                site=placement.site,
                pool=placement.pool,
                configuration=placement.configuration,
                ordinal=placement.first_ordinal,
                rtt_ms=setting.rtt_ms[demand.metro, placement.site],
                requests_per_s_by_hour=tuple((hourly * share).tolist()),
            )
            for tenant, share in demand.share_by_tenant.items()
        ]
    return found


def _placement(
    ground: Ground,
    way: Way,
    kwh_price: float,
    counts: NDArray[np.int64],
    first_ordinal: int,
    served: NDArray[np.float64],
) -> Placement:
    candidate, host = way.candidate, way.host
    prefill = None
    if candidate.prefill is not None:
        other = way.prefill_host or host
        configuration = candidate.prefill.configuration
        prefill = Prefill(
            pool=other.pool,
            accelerator=configuration.accelerator,
            configuration=configuration,
            workers=candidate.prefill.workers,
            engine=_engine(ground, way, other, candidate.prefill, Role.PREFILL),
            capital_per_accelerator_hour=other.capital,
            operations_per_accelerator_hour=other.operations,
        )
    return Placement(
        site=host.site,
        pool=host.pool,
        model=way.option.model,
        accelerator=candidate.configuration.accelerator,
        configuration=candidate.configuration,
        engine=_engine(
            ground,
            way,
            host,
            candidate.decode,
            Role.AGGREGATED if candidate.prefill is None else Role.DECODE,
        ),
        workers=candidate.decode.workers,
        prefill=prefill,
        provider=host.provider,
        first_ordinal=first_ordinal,
        replicas_by_hour=tuple(counts.tolist()),
        requests_per_s_by_hour=tuple(served.tolist()),
        kv_tokens=candidate.decode.memory.replica_kv_tokens,
        max_rtt_ms=candidate.max_rtt_ms,
        certainty=_certainty(ground, way),
        curve=candidate.curve,
        rates=Rates(
            capital_per_accelerator_hour=host.capital,
            operations_per_accelerator_hour=host.operations,
            power_per_kwh=kwh_price,
            network_per_gb=host.network_per_gb,
            network_per_request=way.option.network_per_request,
        ),
        pue=host.pue,
        cost_per_hour=CostByTier(),
    )


def _certainty(ground: Ground, way: Way) -> Certainty | None:
    model = ground.cloud.models[way.option.model]
    host, candidate = way.host, way.candidate
    load = ground.lengths[way.option.model].load(model.objective.percentile)
    apart = candidate.prefill is not None
    asked = Situation(
        model.architecture,
        host.accelerator,
        candidate.configuration,
        load,
        DISAGGREGATED if apart else CLOSED,
        layer_of(host.accelerator, host.engine, ground.predictor) if apart else "",
    )
    in_flight = candidate.curve[-1].decode_batch / candidate.accelerators
    return certainty(asked, in_flight, ground.predictor)


def _engine(ground: Ground, way: Way, host: Host, station: Station, role: Role) -> Engine:
    """What starts a worker as planned; requests that could not be in time any more are refused."""
    model = ground.cloud.models[way.option.model]
    configuration = station.configuration
    rate = way.candidate.requests_per_s / station.workers
    launch = launch_of(
        Launch(
            engine=host.engine,
            checkpoint=model.config,
            served_name=model.key,
            configuration=configuration,
            architecture=model.architecture,
            memory=station.memory,
            max_context=model.architecture.max_context,
            queued_requests=max(1, math.ceil(rate * model.objective.ttft_ms / 1e3)),
            role=role,
            nodes=-(-configuration.accelerators // host.accelerator.node_accelerators),
        )
    )
    first = launch.nodes[0]
    return Engine(
        kind=host.kind,
        version=launch.version,
        arguments=first.arguments,
        environment=first.environment,
        more_nodes=launch.nodes[1:],
        notes=launch.notes,
    )


def _unallocated(ground: Ground, placements: Sequence[Placement]) -> tuple[Unallocated, ...]:
    free = []
    for host in ground.hosts:
        if host.provider:
            continue
        by_hour = sum(
            (
                np.array(p.replicas_by_hour) * p.held().get(host.pool, 0)
                for p in placements
                if p.site == host.site
            ),
            np.zeros(HOURS, dtype=np.int64),
        )
        idle = host.accelerators - int(by_hour.max()) + host.spares
        if idle > 0:
            free.append(
                Unallocated(
                    site=host.site,
                    pool=host.pool,
                    accelerators=idle,
                    cost_per_hour=idle * host.hour,
                )
            )
    return tuple(free)
