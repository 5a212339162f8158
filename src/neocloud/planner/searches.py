"""One model over many accelerators without a cloud: what `neocloud search` asks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from neocloud.catalog import Architecture, Catalog, MissingFigureError
from neocloud.perf import Load, NoParametersError, Predictor, require_measured
from neocloud.planner.hosts import Host, hosts_of
from neocloud.planner.progress import Progress, silent
from neocloud.planner.search.candidates import Counts
from neocloud.planner.search.find import search
from neocloud.planner.search.front import Front, Priced, Searching, front_points
from neocloud.planner.search.grid import Grid
from neocloud.planner.search.question import Question
from neocloud.planner.supply import contracts_of
from neocloud.spec import Cloud, Objective


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is asked of one model.

    Attributes:
        name: how the model is called in the answer.
        architecture: the model.
        load: its requests.
        objective: latencies that a point is held against; all points are shown.
        grid: what is looked at; tensor parallelism beyond a fabric is left out.
        confidence: quantile of the prediction.
        rtt_ms: round trip to the users.
    """

    name: str
    architecture: Architecture
    load: Load
    objective: Objective
    grid: Grid
    confidence: float = 0.5
    rtt_ms: float = 0.0


def front_of(
    asked: Asked,
    cloud: Cloud,
    catalog: Catalog,
    predictor: Predictor,
    progress: Progress = silent,
) -> Front:
    """The front over all kinds of accelerators that the cloud's pools hold, at its prices."""
    seen = cloud.seen(catalog)
    hosts, skipped = hosts_of(cloud, seen, predictor)
    searched: list[Searching] = []
    counts = Counts()
    hopeless: dict[str, str] = {}
    for done, host in enumerate(hosts):
        progress(f"searching {asked.name} on {host.accelerator.key}", done / len(hosts))
        question = _question(asked, host, predictor)
        found = search(question)
        counts += found.counts
        if found.coarse is None or not found.coarse.fits.any():
            hopeless[host.accelerator.key] = found.nearest
        searched.append(Searching(question, found, _price(cloud, seen, host)))
    points, dominated = front_points(searched)
    return Front(
        model=asked.name,
        currency=cloud.currency,
        load=asked.load,
        ttft_ms=asked.objective.ttft_ms,
        tpot_ms=asked.objective.tpot_ms,
        percentile=asked.objective.percentile,
        confidence=asked.confidence,
        prices=tuple(s.price for s in searched),
        points=points,
        examined=counts.examined,
        no_room=counts.no_room,
        dominated=dominated,
        hopeless=hopeless,
        skipped={s.pool: s.reason for s in skipped},
    )


def priced_accelerators(
    catalog: Catalog, predictor: Predictor, keys: Sequence[str] | None = None
) -> tuple[tuple[str, ...], dict[str, str]]:
    """Accelerators of the catalog that can be searched and priced; and the others with why not."""
    kept: list[str] = []
    left: dict[str, str] = {}
    for key in keys or tuple(catalog.accelerators):
        accelerator = catalog.accelerator(key)
        try:
            require_measured(accelerator, predictor)
            accelerator.capex_usd.known(f"the installed price of {key}")
            accelerator.node_power_w.known(f"the node power of {key}")
        except (NoParametersError, MissingFigureError) as error:
            left[key] = str(error)
            continue
        kept.append(key)
    return tuple(kept), left


def _question(asked: Asked, host: Host, predictor: Predictor) -> Question:
    grid = asked.grid
    tp = tuple(t for t in grid.tp if t <= host.span)
    return Question(
        architecture=asked.architecture,
        accelerator=host.accelerator,
        engine=host.engine,
        load=asked.load,
        objective=asked.objective,
        grid=replace(grid, tp=tp),
        rtts_ms=(asked.rtt_ms,),
        confidence=asked.confidence,
        predictor=predictor,
    )


def _price(cloud: Cloud, catalog: Catalog, host: Host) -> Priced:
    contracts = contracts_of(cloud, cloud.sites[host.site], catalog)
    return Priced(
        accelerator=host.accelerator.key,
        per_accelerator_hour=host.hour,
        per_kwh=contracts[0].price,
        pue=host.pue,
    )
