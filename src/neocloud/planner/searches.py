"""One model over many kinds of accelerators: what `neocloud search` asks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from neocloud.catalog import Catalog, MissingFigureError
from neocloud.perf import Load, NoParametersError, Predictor, require_measured
from neocloud.planner import rates
from neocloud.planner.hosts import Host, hosts_of
from neocloud.planner.lengths import lengths_of
from neocloud.planner.progress import Progress, silent
from neocloud.planner.search.find import Found, search
from neocloud.planner.search.front import Front, Priced, Searching, front_points
from neocloud.planner.search.question import Question
from neocloud.planner.searching import grid_of
from neocloud.planner.supply import contracts_of
from neocloud.spec import Cloud

_NO_PRICE = "`capex_usd` of a pool in a cloud file says what yours cost"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is asked of one model of a cloud.

    Attributes:
        model: its key in the cloud.
        name: how it is called in the answer.
        load: its requests.
        rtts_ms: round trip to the nearest users by site; none means that the network is left out.
        accelerators: keys to look at; empty for all that stand in the cloud.
        most: accelerators of a replica, all its workers; None for as many as its pool holds.
    """

    model: str
    name: str
    load: Load
    rtts_ms: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    accelerators: tuple[str, ...] = ()
    most: int | None = None


def asked_of(cloud: Cloud, catalog: Catalog, model: str, accelerators: Sequence[str] = ()) -> Asked:
    """What a cloud file asks of one of its models: requests of its demands, users as they stand.

    Args:
        cloud: the file.
        catalog: its look-ups.
        model: a model of the file.
        accelerators: keys to look at; empty for all.

    Raises:
        ValueError: no demand names the model.
    """
    seen = cloud.seen(catalog)
    load = lengths_of(cloud, seen, model).load(cloud.models[model].objective.percentile)
    users = {metro for d in cloud.demand if d.model == model for metro in d.metros}
    rtts_ms = {
        site.key: min(rates.round_trip_ms(cloud, seen, metro, site.metro) for metro in users)
        for site in cloud.sites.values()
    }
    return Asked(
        model=model,
        name=model,
        load=load,
        rtts_ms=MappingProxyType(rtts_ms),
        accelerators=tuple(accelerators),
    )


def front_of(
    asked: Asked,
    cloud: Cloud,
    catalog: Catalog,
    predictor: Predictor,
    progress: Progress = silent,
) -> Front:
    """The front over the kinds of accelerators that the cloud's pools hold, at its prices.

    Each kind is searched once; a pool too small for a replica has it left out.
    """
    seen = cloud.seen(catalog)
    hosts, left = hosts_of(cloud, seen, predictor)
    skipped = {f"{s.site}/{s.pool}": s.reason for s in left}
    searched: list[Searching] = []
    hopeless: dict[str, str] = {}
    found: dict[object, tuple[Question, Found]] = {}
    for done, host in enumerate(hosts):
        place = f"{host.site}/{host.pool}"
        if asked.accelerators and host.accelerator.key not in asked.accelerators:
            continue
        if host.accelerators == 0:
            skipped[place] = f"none of its accelerators stand there on {cloud.planning.day}"
            continue
        progress(f"searching {asked.name} on {host.accelerator.key}", done / len(hosts))
        most = host.accelerators if asked.most is None else min(asked.most, host.accelerators)
        question = _question(asked, cloud, host, most, predictor)
        kind = (host.likeness, question.grid, question.rtts_ms)
        if kind not in found:
            found[kind] = (question, search(question))
        question, own = found[kind]
        price = _price(asked, cloud, seen, host)
        searched.append(Searching(question, own, price, most))
        if not searched[-1].room:
            hopeless[place] = own.nearest
    made = front_points(searched)
    objective = cloud.models[asked.model].objective
    return Front(
        model=asked.name,
        currency=cloud.currency,
        load=asked.load,
        ttft_ms=objective.ttft_ms,
        tpot_ms=objective.tpot_ms,
        percentile=objective.percentile,
        confidence=cloud.planning.confidence,
        prices=tuple(s.price for s in searched),
        points=made.points,
        cheapest=made.cheapest,
        curves=made.curves,
        examined=made.examined,
        no_room=made.no_room,
        dominated=made.dominated,
        hopeless=hopeless,
        skipped=skipped,
    )


def priced_accelerators(
    catalog: Catalog, predictor: Predictor, keys: Sequence[str] = ()
) -> tuple[tuple[str, ...], dict[str, str]]:
    """Accelerators of the catalog that can be searched and priced; and the others with why not.

    Args:
        catalog: where they are looked up.
        predictor: what predictions rest on.
        keys: those to look at; empty for all.

    Raises:
        CatalogError: an unknown key, with the nearest names.
    """
    kept: list[str] = []
    left: dict[str, str] = {}
    for key in keys or tuple(catalog.accelerators):
        accelerator = catalog.accelerator(key)
        try:
            require_measured(accelerator, predictor)
            if catalog.rental_range(key) is None:
                accelerator.capex_usd.known(f"the installed price of {key}")
            accelerator.node_power_w.known(f"the node power of {key}")
        except NoParametersError as error:
            left[key] = f"{error}"
        except MissingFigureError as error:
            left[key] = f"{error}; {_NO_PRICE}"
        else:
            kept.append(key)
    return tuple(kept), left


def _question(asked: Asked, cloud: Cloud, host: Host, most: int, predictor: Predictor) -> Question:
    model = cloud.models[asked.model]
    grid = grid_of(cloud, model, host)
    return Question(
        architecture=model.architecture,
        accelerator=host.accelerator,
        engine=host.engine,
        load=asked.load,
        objective=model.objective,
        grid=replace(grid, most_accelerators=min(grid.most_accelerators, most)),
        rtts_ms=(asked.rtts_ms.get(host.site, 0.0),),
        confidence=cloud.planning.confidence,
        predictor=predictor,
    )


def _price(asked: Asked, cloud: Cloud, catalog: Catalog, host: Host) -> Priced:
    contracts = contracts_of(cloud, cloud.sites[host.site], catalog)
    running = [c for c in contracts if c.capacity_kw is None or c.capacity_kw > 0.0]
    return Priced(
        place=f"{host.site}/{host.pool}",
        accelerator=host.accelerator.key,
        per_accelerator_hour=host.hour,
        per_kwh=(running or contracts)[0].price,
        pue=host.pue,
        rtt_ms=asked.rtts_ms.get(host.site, 0.0),
        leased=_leased(cloud, host),
    )


def _leased(cloud: Cloud, host: Host) -> bool:
    pools = cloud.sites[host.site].pools
    return any(p.key == host.pool and p.lease_usd_per_hour is not None for p in pools)
