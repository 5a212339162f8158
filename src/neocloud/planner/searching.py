"""The search for all models on all hosts, and its candidates as options for placement."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from neocloud.perf import Predictor
from neocloud.planner import rates
from neocloud.planner.demand import DemandClass
from neocloud.planner.hosts import Host
from neocloud.planner.lengths import Lengths
from neocloud.planner.progress import Progress
from neocloud.planner.search.candidates import Candidate, Counts
from neocloud.planner.search.dominance import undominated
from neocloud.planner.search.find import Found, search
from neocloud.planner.search.grid import Grid
from neocloud.planner.search.question import Question
from neocloud.planner.setting import Option
from neocloud.spec import Cloud, Model

Place = tuple[str, str, str]
"""Site, pool, model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """An option for placement, and what it stands for."""

    option: Option
    candidate: Candidate
    host: Host
    """Of the workers that answer."""
    prefill_host: Host | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Searched:
    """What the search gave.

    Attributes:
        ways: all that placement may choose from.
        found: the findings by site, pool and model; hosts that are alike share one.
        counts: of all searches, each counted once.
    """

    ways: tuple[Way, ...]
    found: Mapping[Place, Found]
    counts: Counts


def grid_of(cloud: Cloud, model: Model, host: Host) -> Grid:
    """The grid that the file asks for, as far as the host allows it."""
    p = cloud.planning
    return Grid(
        tp=tuple(tp for tp in p.tp if tp <= host.span),
        attention_dp=p.attention_dp,
        pp=p.pp,
        precisions=model.precisions,
        kv_precisions=model.kv_precisions,
        drafts=p.drafts,
        batch_tokens=p.batch_tokens,
        batch=tuple(sorted(p.batch)),
        most_accelerators=p.max_accelerators,
        workers=p.workers,
    )


def search_all(
    cloud: Cloud,
    hosts: Sequence[Host],
    classes: Sequence[DemandClass],
    lengths: Mapping[str, Lengths],
    rtt_ms: Mapping[tuple[str, str], float],
    predictor: Predictor,
    progress: Progress,
) -> Searched:
    """Search each model once on each kind of host, for all distances that occur."""
    ways: list[Way] = []
    found: dict[Place, Found] = {}
    counts = Counts()
    wanted = {
        (name, h.site, h.pool): _distances(name, h, classes, rtt_ms)
        for name in lengths
        for h in hosts
    }
    kinds = {(n, h.likeness) for n in lengths for h in hosts if wanted[n, h.site, h.pool]}
    done = 0
    for name, of_model in lengths.items():
        model = cloud.models[name]
        by_kind: dict[object, Found] = {}
        for host in hosts:
            own = wanted[name, host.site, host.pool]
            if not own:
                continue
            if host.likeness not in by_kind:
                progress(f"searching {name} on {host.accelerator.key}", done / max(len(kinds), 1))
                alike = [h for h in hosts if h.likeness == host.likeness]
                rtts = {r for h in alike for r in wanted[name, h.site, h.pool]}
                result = search(
                    Question(
                        architecture=model.architecture,
                        accelerator=host.accelerator,
                        engine=host.engine,
                        load=of_model.load(model.objective.percentile),
                        objective=model.objective,
                        grid=grid_of(cloud, model, host),
                        rtts_ms=tuple(sorted(rtts)),
                        confidence=cloud.planning.confidence,
                        predictor=predictor,
                    )
                )
                by_kind[host.likeness] = result
                counts += result.counts
                done += 1
            found[host.site, host.pool, name] = by_kind[host.likeness]
            gigabytes = rates.request_gb(of_model.mean_input(), of_model.mean_output())
            network = gigabytes * host.network_per_gb
            ways += [
                Way(option=option_of(name, c, host, None, network), candidate=c, host=host)
                for c in within_reach(by_kind[host.likeness].candidates, own)
                if c.accelerators <= host.accelerators
            ]
    return Searched(ways=tuple(ways), found=found, counts=counts)


def _distances(
    model: str, host: Host, classes: Sequence[DemandClass], rtt_ms: Mapping[tuple[str, str], float]
) -> tuple[float, ...]:
    """Round trips of all users that may be served there."""
    return tuple(
        sorted(
            {
                rtt_ms[c.metro, host.site]
                for c in classes
                if c.model == model and host.site in c.sites
            }
        )
    )


def within_reach(
    candidates: Sequence[Candidate], rtts_ms: Sequence[float]
) -> tuple[Candidate, ...]:
    """Candidates that another does not make needless for users at these distances.

    What reaches farther than any of them reaches no farther for that.
    """
    reached = [max((r for r in rtts_ms if r <= c.max_rtt_ms), default=-1.0) for c in candidates]
    near = [i for i, reach in enumerate(reached) if reach >= 0.0]
    if not near:
        return ()
    measures = np.array(
        [
            [
                candidates[i].accelerators / candidates[i].requests_per_s,
                candidates[i].full_watts / candidates[i].requests_per_s,
                float(candidates[i].accelerators),
                -reached[i],
            ]
            for i in near
        ]
    )
    kept = undominated(measures)
    return tuple(candidates[i] for i, keep in zip(near, kept, strict=True) if keep)


def option_of(
    model: str, candidate: Candidate, host: Host, prefill_host: Host | None, network: float
) -> Option:
    """A candidate on its host, in the plain numbers that placement decides over."""
    holds = {host.pool: candidate.decode.accelerators}
    cost = candidate.decode.accelerators * host.hour
    if candidate.prefill is not None:
        other = prefill_host or host
        more = candidate.prefill.accelerators
        holds[other.pool] = holds.get(other.pool, 0) + more
        cost += more * other.hour
    to_kw = 0.0 if host.provider else host.pue / 1e3
    return Option(
        model=model,
        site=host.site,
        holds=holds,
        requests_per_s=candidate.requests_per_s,
        max_rtt_ms=candidate.max_rtt_ms,
        idle_kw=candidate.idle_watts * to_kw,
        full_kw=candidate.full_watts * to_kw,
        cost_per_hour=cost,
        network_per_request=network,
    )
