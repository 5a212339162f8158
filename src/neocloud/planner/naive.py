"""The plan that somebody makes without a planner: what the plan is measured against."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from neocloud.planner import rates
from neocloud.planner.answers import Naive
from neocloud.planner.costs import CostByTier
from neocloud.planner.demand import HOURS, DemandClass
from neocloud.planner.ground import Ground
from neocloud.planner.hosts import Host
from neocloud.planner.power import bill
from neocloud.planner.search.candidates import Candidate
from neocloud.planner.search.find import search
from neocloud.planner.search.grid import Grid
from neocloud.planner.search.question import Question
from neocloud.planner.setting import Setting
from neocloud.planner.summary import watts_by_hour

_BATCH = 256
"""`--max-num-seqs` that vLLM long had as its default, and that operators copy."""
_BATCH_TOKENS = 8192
"""vLLM's default on accelerators of 70 GiB and more."""


@dataclass(frozen=True, slots=True)
class _Stand:
    """Replicas of one model on one host, and what they are sent."""

    host: Host
    candidate: Candidate
    replicas: int
    by_hour: NDArray[np.float64]
    network_per_request: float

    @property
    def kw(self) -> NDArray[np.float64]:
        """Power in each hour, at the meter."""
        counts = np.full(HOURS, self.replicas)
        return watts_by_hour(self.candidate.curve, counts, self.by_hour) / 1e3 * self.host.pue

    def cost_per_hour(self, kwh: float) -> CostByTier:
        c, h = self.candidate, self.host
        held = self.replicas * c.accelerators
        return CostByTier(
            power=float(self.kw.mean()) * kwh,
            capital=held * h.capital,
            operations=held * h.operations,
            network=float(self.by_hour.mean()) * 3600.0 * self.network_per_request,
        )


def naive(ground: Ground) -> Naive:
    """Stand the naive plan up and count what it costs; see `Naive`."""
    stands: list[_Stand] = []
    missed: list[str] = []
    tokens = 0.0
    for model, lengths in ground.lengths.items():
        classes = [c for c in ground.setting.classes if c.model == model]
        nearest = _nearest(ground, classes)
        own = [_stand(ground, model, host, some) for host, some in nearest]
        served = sum(len(some) for _, some in nearest) == len(classes)
        if not served or any(stand is None for stand in own):
            missed.append(model)
            continue
        stands += [stand for stand in own if stand is not None]
        rate = sum(float(c.by_hour.mean()) for c in classes)
        tokens += rate * 3600.0 * (lengths.mean_input() + lengths.mean_output())
    total, prices = CostByTier(), _prices(ground.setting, stands)
    for stand in stands:
        total = total + stand.cost_per_hour(prices[stand.host.site])
    return Naive(
        cost_per_hour=total,
        cost_per_mtok=total.total / tokens * 1e6 if tokens else 0.0,
        accelerators=sum(s.replicas * s.candidate.accelerators for s in stands),
        missing_accelerators=_missing(stands),
        missed=tuple(missed),
    )


def _prices(setting: Setting, stands: Sequence[_Stand]) -> dict[str, float]:
    """Price of a kWh at each site: its contracts in their order, the last for all that is left."""
    prices = {}
    for site in {s.host.site for s in stands}:
        left: NDArray[np.float64] = sum((s.kw for s in stands if s.host.site == site), np.zeros(()))
        kwh, given = float(left.sum()), []
        for contract in setting.contracts[site]:
            there = np.array([contract.kw_at(hour) for hour in range(HOURS)])
            given.append(np.minimum(left, there))
            left = left - given[-1]
        given[-1] = given[-1] + left
        prices[site] = bill(setting, site, given) / kwh
    return prices


def _nearest(
    ground: Ground, classes: Sequence[DemandClass]
) -> list[tuple[Host, list[DemandClass]]]:
    """Classes by the host that the naive choice sends them to."""
    own = [h for h in ground.hosts if not h.provider and h.accelerators > 0]
    found: dict[tuple[str, str], tuple[Host, list[DemandClass]]] = {}
    for demand in classes:
        there = [h for h in own if h.site in demand.sites]
        if not there:
            continue
        site = min(there, key=lambda h: (ground.setting.rtt_ms[demand.metro, h.site], h.site)).site
        host = max(
            (h for h in there if h.site == site),
            key=lambda h: (h.accelerator.memory_bytes.value or 0.0, h.pool),
        )
        found.setdefault((host.site, host.pool), (host, []))[1].append(demand)
    return list(found.values())


def _stand(ground: Ground, model: str, host: Host, classes: Sequence[DemandClass]) -> _Stand | None:
    rtts = tuple(sorted({ground.setting.rtt_ms[c.metro, host.site] for c in classes}))
    candidate = _default(ground, model, host, rtts)
    if candidate is None:
        return None
    by_hour: NDArray[np.float64] = sum((c.by_hour for c in classes), np.zeros(HOURS))
    lengths = ground.lengths[model]
    gigabytes = rates.request_gb(lengths.mean_input(), lengths.mean_output())
    return _Stand(
        host=host,
        candidate=candidate,
        replicas=int(np.ceil(float(by_hour.max()) / candidate.requests_per_s - 1e-9)),
        by_hour=by_hour,
        network_per_request=gigabytes * host.network_per_gb,
    )


def _default(
    ground: Ground, model: str, host: Host, rtts_ms: tuple[float, ...]
) -> Candidate | None:
    """The fewest accelerators on which default settings meet the objective for all these users."""
    declared = ground.cloud.models[model]
    grid = Grid(
        tp=(1,),
        attention_dp=(1,),
        pp=(1,),
        precisions=(declared.architecture.published_precision,),
        drafts=(0,),
        batch_tokens=(_BATCH_TOKENS,),
        batch=(_BATCH,),
        workers=0,
    )
    tp = 1
    while tp <= max(host.span, 1):
        found = search(
            Question(
                architecture=declared.architecture,
                accelerator=host.accelerator,
                engine=host.engine,
                load=ground.lengths[model].load(declared.objective.percentile),
                objective=declared.objective,
                grid=replace(grid, tp=(tp,), most_accelerators=tp),
                rtts_ms=rtts_ms,
                confidence=ground.cloud.planning.confidence,
                predictor=ground.predictor,
            )
        )
        reaching = [c for c in found.candidates if c.max_rtt_ms >= rtts_ms[-1]]
        if reaching:
            return max(reaching, key=lambda c: c.requests_per_s)
        tp *= 2
    return None


def _missing(stands: Sequence[_Stand]) -> int:
    needed: dict[tuple[str, str], int] = {}
    there: dict[tuple[str, str], int] = {}
    for s in stands:
        key = (s.host.site, s.host.pool)
        needed[key] = needed.get(key, 0) + s.replicas * s.candidate.accelerators
        there[key] = s.host.accelerators
    return sum(max(0, count - there[key]) for key, count in needed.items())
