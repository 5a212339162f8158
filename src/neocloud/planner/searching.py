"""The search for all models on all hosts, and its candidates as options for placement."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from neocloud.perf import Predictor
from neocloud.planner import rates
from neocloud.planner.demand import DemandClass
from neocloud.planner.hosts import EMULATED, Host
from neocloud.planner.lengths import Lengths
from neocloud.planner.progress import Progress
from neocloud.planner.search.candidates import Candidate, Counts
from neocloud.planner.search.disaggregation import disaggregated
from neocloud.planner.search.dominance import undominated
from neocloud.planner.search.find import Found, search
from neocloud.planner.search.grid import Grid
from neocloud.planner.search.question import Question
from neocloud.planner.setting import INFINITY, Option
from neocloud.spec import AGGREGATED, DISAGGREGATED, Cloud, Model

Place = tuple[str, str, str]
"""Site, pool, model."""
Kind = tuple[str, str, int, float | None]
"""`likeness` of a host."""


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
    """The grid that the file asks for, as far as the host allows it.

    The emulated engine is one scheduler: it has one rank, and works on prompts itself.
    """
    p = cloud.planning
    one_rank = host.kind == EMULATED
    apart = DISAGGREGATED in p.serving and host.hands_over(host)
    return Grid(
        tp=tuple(tp for tp in p.tp if tp <= host.span),
        attention_dp=(1,) if one_rank else p.attention_dp,
        pp=(1,) if one_rank else p.pp,
        precisions=model.precisions,
        kv_precisions=model.kv_precisions,
        drafts=p.drafts,
        batch_tokens=p.batch_tokens,
        batch=tuple(sorted(p.batch)),
        most_accelerators=p.max_accelerators,
        workers=p.workers if apart else 0,
        aggregated=AGGREGATED in p.serving,
    )


@dataclass(frozen=True, slots=True)
class Asked:
    """What all searches of a plan share."""

    cloud: Cloud
    hosts: Sequence[Host]
    classes: Sequence[DemandClass]
    lengths: Mapping[str, Lengths]
    rtt_ms: Mapping[tuple[str, str], float]
    most_per_kwh: Mapping[str, float]
    """The most that energy can be worth at a site; infinite where power may run short."""
    predictor: Predictor

    def distances(self, model: str, host: Host) -> tuple[float, ...]:
        """Round trips of all users that may be served there."""
        near = {
            self.rtt_ms[c.metro, host.site]
            for c in self.classes
            if c.model == model and host.site in c.sites
        }
        return tuple(sorted(near))

    def question(self, model: str, host: Host, rtts_ms: tuple[float, ...]) -> Question:
        """The search for a model on accelerators such as the host's."""
        declared = self.cloud.models[model]
        return Question(
            architecture=declared.architecture,
            accelerator=host.accelerator,
            engine=host.engine,
            load=self.lengths[model].load(declared.objective.percentile),
            objective=declared.objective,
            grid=grid_of(self.cloud, declared, host),
            rtts_ms=rtts_ms,
            confidence=self.cloud.planning.confidence,
            predictor=self.predictor,
        )

    def gigabytes(self, model: str) -> float:
        """What a request of mean length moves."""
        lengths = self.lengths[model]
        return rates.request_gb(lengths.mean_input(), lengths.mean_output())


def search_all(asked: Asked, progress: Progress) -> Searched:
    """Search each model once on each kind of host, for all distances that occur."""
    ways: list[Way] = []
    found: dict[Place, Found] = {}
    counts = Counts()
    for done, model in enumerate(asked.lengths):
        progress(f"searching configurations of {model}", done / len(asked.lengths))
        one = _search_model(asked, model)
        ways += one.ways
        found |= one.found
        counts += one.counts
    return Searched(ways=tuple(ways), found=found, counts=counts)


def _search_model(asked: Asked, model: str) -> Searched:
    wanted = {(h.site, h.pool): asked.distances(model, h) for h in asked.hosts}
    hosts = [h for h in asked.hosts if wanted[h.site, h.pool]]
    by_kind: dict[Kind, Found] = {}
    for host in hosts:
        if host.likeness not in by_kind:
            rtts = {r for h in hosts if h.likeness == host.likeness for r in wanted[h.site, h.pool]}
            by_kind[host.likeness] = search(asked.question(model, host, tuple(sorted(rtts))))
    counts = sum((f.counts for f in by_kind.values()), Counts())
    ways: list[Way] = []
    moved = asked.gigabytes(model)
    for host in hosts:
        candidates = by_kind[host.likeness].candidates
        ways += [
            Way(option=option_of(model, c, host, None, moved * host.network_per_gb), candidate=c,
                host=host)
            for c in within_reach(
                candidates, wanted[host.site, host.pool], host, host, asked.most_per_kwh[host.site]
            )
            if c.accelerators <= host.accelerators
        ]  # fmt: skip
    crossed, more = _crossed(asked, model, hosts, by_kind)
    return Searched(
        ways=(*ways, *crossed),
        found={(h.site, h.pool, model): by_kind[h.likeness] for h in hosts},
        counts=counts + more,
    )


def _crossed(
    asked: Asked, model: str, hosts: Sequence[Host], by_kind: Mapping[Kind, Found]
) -> tuple[list[Way], Counts]:
    """Replicas whose prompts are worked on in one pool of a site and whose answers in another."""
    ways: list[Way] = []
    counts = Counts()
    known: dict[tuple[Kind, Kind], tuple[Candidate, ...]] = {}
    moved = asked.gigabytes(model)
    for host, other in product(hosts, hosts):
        pair = (other.likeness, host.likeness)
        prefills, decoders = by_kind[pair[0]].prefills, by_kind[pair[1]].decoders
        if pair[0] == pair[1] or not other.hands_over(host) or not prefills or not decoders:
            continue
        if pair not in known:
            rtts = decoders.question.rtts_ms
            known[pair], more = disaggregated(prefills, decoders, rtts)
            counts += more
        network = moved * host.network_per_gb
        near = asked.distances(model, host)
        ways += [
            Way(
                option=option_of(model, c, host, other, network),
                candidate=c,
                host=host,
                prefill_host=other,
            )
            for c in within_reach(known[pair], near, host, other, asked.most_per_kwh[host.site])
            if c.decode.accelerators <= host.accelerators
            and c.prefill is not None
            and c.prefill.accelerators <= other.accelerators
        ]
    return ways, counts


def within_reach(
    candidates: Sequence[Candidate],
    rtts_ms: Sequence[float],
    host: Host,
    other: Host,
    most_per_kwh: float,
) -> tuple[Candidate, ...]:
    """Candidates that another does not make needless in this place.

    What reaches farther than any of its users reaches no farther for that. Where power cannot run
    short, a kilowatt-hour is worth something between nothing and `most_per_kwh`, and an
    accelerator-hour at least its price, more where the pool runs short. Both ends of that are
    compared, which all between follow; else power counts by itself, as in the search.

    Args:
        candidates: of the search.
        rtts_ms: round trips of the users.
        host: where answers are worked on.
        other: where prompts are, which may be the same.
        most_per_kwh: the most that energy can be worth; infinite where power may run short.
    """
    reached = [max((r for r in rtts_ms if r <= c.max_rtt_ms), default=-1.0) for c in candidates]
    near = [i for i, reach in enumerate(reached) if reach >= 0.0]
    if not near:
        return ()
    rows = []
    for i in near:
        c = candidates[i]
        row = list(c.measures(reached[i]))
        if most_per_kwh < INFINITY:
            on_prompts = c.prefill.accelerators if c.prefill is not None else 0
            hourly = c.decode.accelerators * host.hour + on_prompts * other.hour
            row[2] = (hourly + c.full_watts / 1e3 * host.pue * most_per_kwh) / c.requests_per_s
        rows.append(row)
    kept = undominated(np.array(rows))
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
