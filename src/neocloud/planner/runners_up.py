"""Why a model is served as planned: what else could serve it, what that costs, and why it lost."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

import msgspec
import numpy as np

from neocloud.perf import Configuration
from neocloud.planner.ground import Ground
from neocloud.planner.hosts import Host, host_at
from neocloud.planner.market import MarketPrice, market_price
from neocloud.planner.placing import place
from neocloud.planner.placing.program import SolverError
from neocloud.planner.progress import Progress, silent
from neocloud.planner.records import ModelSummary, Placement, Plan
from neocloud.planner.search.candidates import Candidate, operating_points
from neocloud.planner.search.find import Found
from neocloud.planner.search.grid import limited
from neocloud.planner.searching import Way
from neocloud.planner.setting import Placed

SHOWN = 8
_ELSEWHERE = "its accelerators, power or distance serve other demand better"
_TRIES = 4
_SECONDS = 10.0
"""For each placement that is tried."""


class RunnerUp(msgspec.Struct, frozen=True, kw_only=True):
    """One way to serve the model in one pool, at full load."""

    site: str
    pool: str
    accelerators: int
    configuration: Configuration | None
    """None where nothing serves the model there."""
    prefill: Configuration | None = None
    requests_per_s: float = 0.0
    cost_per_mtok: float | None = None
    """At full load: a replica that is less used costs more a token."""
    replicas: int = 0
    """Of the plan."""
    why: str
    """Why it serves, or why it does not."""


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """One model of a plan explained."""

    model: str
    currency: str
    summary: ModelSummary
    market: MarketPrice | None
    """What others ask for a million tokens of the demand's mix, in USD."""
    places: tuple[RunnerUp, ...]
    """The best of each pool, cheapest first; of rented ones each provider's cheapest of a kind."""
    configurations: tuple[RunnerUp, ...]
    """The best of other ways to run it in the pool that serves most of it."""


@dataclass(frozen=True, slots=True)
class _Prices:
    host: Host
    kwh: float
    tokens: float

    def per_mtok(self, accelerators: int, watts: float, rate: float) -> float:
        power = 0.0 if self.host.provider else watts / 1e3 * self.host.pue * self.kwh
        return (accelerators * self.host.hour + power) / (rate * 3600.0 * self.tokens) * 1e6


def explain_model(
    ground: Ground,
    plan: Plan,
    model: str,
    placed: Placed | None = None,
    progress: Progress = silent,
) -> Explanation:
    """Set what serves a model beside what could.

    Args:
        ground: what the plan was made on.
        plan: the plan.
        model: one of its models.
        placed: its placement; with it, why a pool that looks cheap does not serve is found by
            placing again with the model there alone.
        progress: told how far that is.

    Raises:
        KeyError: the plan has no such model.
    """
    summary = {m.model: m for m in plan.models}[model]
    tokens = summary.input_tokens_per_request + summary.output_tokens_per_request
    chosen = [p for p in plan.placements if p.model == model]
    every = sorted(_places(ground, chosen, model, tokens), key=_order)
    places = _with_reasons(_fewer(ground, every))
    if placed is not None:
        places = tuple(_tried(ground, placed, model, places, progress))
    main = max(chosen, key=lambda p: sum(p.requests_per_s_by_hour))
    return Explanation(
        model=model,
        currency=plan.currency,
        summary=summary,
        market=market_price(
            ground.catalog,
            summary.config,
            summary.input_tokens_per_request,
            summary.output_tokens_per_request,
        ),
        places=places,
        configurations=tuple(_configurations(ground, main, model, tokens)),
    )


def _fewer(ground: Ground, places: Sequence[RunnerUp]) -> list[RunnerUp]:
    """Without rented pools of a provider and kind of which a cheaper one is told."""
    kept: list[RunnerUp] = []
    seen: set[tuple[str, str]] = set()
    for p in places:
        host = host_at(ground.hosts, p.site, p.pool)
        kind = (host.provider, host.accelerator.key)
        if host.provider and kind in seen and not p.replicas:
            continue
        seen.add(kind)
        kept.append(p)
    return kept


def _tried(
    ground: Ground, placed: Placed, model: str, places: Sequence[RunnerUp], progress: Progress
) -> Iterator[RunnerUp]:
    """Place again with the model in one pool alone, for pools that look cheap and do not serve."""
    tries = [p for p in places if p.why == _ELSEWHERE][:_TRIES]
    for p in places:
        if p not in tries:
            yield p
            continue
        progress(f"placing {model} at {p.site}/{p.pool} alone", tries.index(p) / len(tries))
        yield msgspec.structs.replace(p, why=_alone(ground, placed, model, p))


def _alone(ground: Ground, placed: Placed, model: str, p: RunnerUp) -> str:
    setting = ground.setting
    kept = tuple(
        o
        for o in setting.options
        if o.model != model or (o.site == p.site and set(o.holds) == {p.pool})
    )
    seconds = min(_SECONDS, ground.cloud.planning.max_seconds)
    try:
        answer = place(replace(setting, options=kept), target_gap=1e-3, seconds=seconds)
    except SolverError:
        return f"all of the model there: no placement found within {seconds:g} s"
    if answer is None:
        return "cannot serve all of the model's users alone"
    more = answer.cost / placed.cost - 1.0
    return f"all of the model there: the whole plan costs {more:+.1%}"


def _order(r: RunnerUp) -> tuple[float, str, str]:
    return (float("inf") if r.cost_per_mtok is None else r.cost_per_mtok, r.site, r.pool)


def _prices(ground: Ground, host: Host, tokens: float) -> _Prices:
    contracts = ground.setting.contracts[host.site]
    return _Prices(host, contracts[0].price if contracts else 0.0, tokens)


def _places(
    ground: Ground, chosen: Sequence[Placement], model: str, tokens: float
) -> Iterator[RunnerUp]:
    for (site, pool, name), found in ground.searched.found.items():
        if name != model:
            continue
        host = host_at(ground.hosts, site, pool)
        prices = _prices(ground, host, tokens)
        replicas = sum(p.replicas for p in chosen if (p.site, p.pool) == (site, pool))
        ways = [
            w
            for w in ground.searched.ways
            if w.option.model == model and (w.host.site, w.host.pool) == (site, pool)
        ]
        if not ways:
            yield _nothing(site, pool, found, host)
            continue
        best = min(ways, key=lambda w: _cost(w, prices))
        candidate = best.candidate
        yield RunnerUp(
            site=site,
            pool=pool,
            accelerators=candidate.accelerators,
            configuration=candidate.configuration,
            prefill=candidate.prefill.configuration if candidate.prefill else None,
            requests_per_s=candidate.requests_per_s,
            cost_per_mtok=_cost(best, prices),
            replicas=replicas,
            why="",
        )


def _cost(way: Way, prices: _Prices) -> float:
    c: Candidate = way.candidate
    power = way.option.full_kw * prices.kwh
    return (way.option.cost_per_hour + power) / (c.requests_per_s * 3600.0 * prices.tokens) * 1e6


def _nothing(site: str, pool: str, found: Found, host: Host) -> RunnerUp:
    small = [c for c in found.candidates if c.accelerators > host.accelerators]
    why = (
        f"a replica needs {min(c.accelerators for c in small)} accelerators"
        if small
        else f"reaches {found.nearest or 'only users nearer by'}"
    )
    return RunnerUp(site=site, pool=pool, accelerators=0, configuration=None, why=why)


def _with_reasons(places: Sequence[RunnerUp]) -> tuple[RunnerUp, ...]:
    """Say why each serves or not, against the dearest that does."""
    serving = [p for p in places if p.replicas]
    dearest = max((p.cost_per_mtok or 0.0 for p in serving), default=0.0)
    found = []
    for p in places:
        if p.why:
            found.append(p)
            continue
        assert p.cost_per_mtok is not None
        if p.replicas:
            why = "serves"
        elif dearest and p.cost_per_mtok > dearest:
            why = f"{p.cost_per_mtok / dearest - 1.0:.0%} dearer than what serves"
        else:
            why = _ELSEWHERE
        found.append(msgspec.structs.replace(p, why=why))
    return tuple(found)


def _configurations(
    ground: Ground, main: Placement, model: str, tokens: float
) -> Iterator[RunnerUp]:
    """Other ways to run the model in the pool that serves most of it, cheapest first."""
    prices = _prices(ground, host_at(ground.hosts, main.site, main.pool), tokens)
    own = _chosen(ground, main, prices)
    others = islice(_others(ground, main, model, prices), SHOWN - 1)
    ways = sorted([own, *others], key=_order)
    best = ways[0].cost_per_mtok or 0.0
    for way in ways:
        more = (way.cost_per_mtok or 0.0) / best - 1.0 if best else 0.0
        why = "serves" if way is own else f"{more:+.1%} against the cheapest here"
        yield msgspec.structs.replace(way, why=why)


def _chosen(ground: Ground, main: Placement, prices: _Prices) -> RunnerUp:
    """What the plan runs there, at full load."""
    full = main.curve[-1]
    hour = sum(n * host_at(ground.hosts, main.site, pool).hour for pool, n in main.held().items())
    power = 0.0 if main.provider else full.watts / 1e3 * main.pue * prices.kwh
    return RunnerUp(
        site=main.site,
        pool=main.pool,
        accelerators=main.accelerators_per_replica,
        configuration=main.configuration,
        prefill=main.prefill.configuration if main.prefill else None,
        requests_per_s=full.requests_per_s,
        cost_per_mtok=(hour + power) / (full.requests_per_s * 3600.0 * prices.tokens) * 1e6,
        replicas=main.replicas,
        why="",
    )


def _others(ground: Ground, main: Placement, model: str, prices: _Prices) -> Iterator[RunnerUp]:
    """The best of each other shape that reaches as far, cheapest first."""
    found = ground.searched.found[main.site, main.pool, model]
    if found.coarse is None or found.stacked is None or not found.question.grid.aggregated:
        return
    points, _ = operating_points(found.question, found.stacked, found.coarse)
    reach = main.max_rtt_ms
    near = np.flatnonzero(points.rtt_ms >= reach - 1e-9)
    costs = {
        int(i): prices.per_mtok(
            int(points.accelerators[i]), float(points.watts[i]), float(points.rate[i])
        )
        for i in near
    }
    seen = set() if main.prefill else {_shape(main.configuration)}
    for i in sorted(costs, key=lambda i: costs[i]):
        run = found.runs[int(points.row[i])]
        c = limited(run.configuration, found.question.grid.batch[int(points.limit[i])])
        if _shape(c) in seen:
            continue
        seen.add(_shape(c))
        yield RunnerUp(
            site=main.site,
            pool=main.pool,
            accelerators=c.accelerators,
            configuration=c,
            requests_per_s=float(points.rate[i]),
            cost_per_mtok=costs[i],
            why="",
        )


def _shape(c: Configuration) -> tuple[object, ...]:
    """What makes a way to run a model another one, batches aside."""
    return (c.tp, c.attention_dp, c.pp, c.precision, c.kv_precision, bool(c.drafts))
