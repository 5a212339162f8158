"""A small cloud to search, and its points one by one: slow, plain, straight from the model."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from neocloud.catalog import load_catalog
from neocloud.perf import (
    Configuration,
    Load,
    Steady,
    at_batch,
    correction_of,
    memory,
    predictor_with,
    scaled,
    step_numbers,
)
from neocloud.planner.hosts import hosts_of
from neocloud.planner.search.find import search
from neocloud.planner.search.front import Front, FrontPoint, Priced
from neocloud.planner.search.grid import COARSE, limited
from neocloud.planner.search.question import Question
from neocloud.planner.searches import asked_of, front_of
from neocloud.planner.searching import grid_of
from neocloud.spec import Cloud, Objective, parse_cloud

CATALOG = load_catalog()
PREDICTOR = predictor_with(None)

SMALL = """\
name: small
sites:
  ashburn:
    metro: washington
    power: [{usd_per_mwh: 80}]
    pools:
      - {accelerator: h100-sxm, nodes: 1}
      - {accelerator: mi300x, nodes: 1}
models:
  llama:
    config: meta-llama/Meta-Llama-3.1-8B
    objective: {ttft_ms: 1000, tpot_ms: 12}
    price_per_mtok: {input: 0.1, output: 0.1}
demand:
  - {model: llama, metros: [washington], requests_per_s: 20, lengths: LENGTHS}
planning: {tp: [1, 2], pp: [1], batch: [32, 128, 512], batch_tokens: [2048], serving: [aggregated]}
""".replace("LENGTHS", "{input_tokens: 1000, output_tokens: 200}")


def read(text: str = SMALL) -> Cloud:
    return parse_cloud(text, "cloud.yaml", CATALOG)


def front(text: str = SMALL, model: str = "llama") -> Front:
    cloud = read(text)
    return front_of(asked_of(cloud, CATALOG, model), cloud, CATALOG, PREDICTOR)


@dataclass(frozen=True)
class Plain:
    """A point as four numbers."""

    cost: float
    tpot_ms: float
    joules: float
    meets: bool

    def beats(self, other: Plain) -> bool:
        """As good in all and better in one; what meets the objective is beaten by such alone."""
        mine = (self.cost, self.tpot_ms, self.joules, not self.meets)
        its = (other.cost, other.tpot_ms, other.joules, not other.meets)
        return mine != its and all(a <= b for a, b in zip(mine, its, strict=True))


def plain(p: FrontPoint) -> Plain:
    return Plain(p.cost_per_mtok, p.tpot_ms, p.joules_per_token, p.meets_objective)


def steady_of(cloud: Cloud, configuration: Configuration, load: Load, batch: float) -> Steady:
    """What the model says of a configuration at a batch of the replica, asked directly."""
    model = cloud.models["llama"]
    accelerator = CATALOG.accelerator(configuration.accelerator)
    numbers = step_numbers(model.architecture, accelerator, configuration, PREDICTOR)
    correction = correction_of(model.architecture, accelerator, configuration, load, PREDICTOR)
    ranks = configuration.attention_dp * configuration.pp
    factor = float(correction.step_factor(np.array([batch / ranks / configuration.tp]))[0])
    room = memory(model.architecture, accelerator, configuration).replica_kv_tokens
    return at_batch(
        scaled(numbers, factor), load, batch,
        batch_tokens=float(configuration.batch_tokens),
        max_batch=float(configuration.max_batch), kv_tokens=float(room),
        percentile=model.objective.percentile,
    )  # fmt: skip


def judged(
    price: Priced, objective: Objective, load: Load, accelerators: int, found: Steady
) -> Plain:
    """A steady state at a price."""
    tokens_per_s = float(found.requests_per_s) * (load.input_tokens + load.output_tokens)
    kw = float(found.watts) * price.pue / 1e3
    hourly = accelerators * price.per_accelerator_hour + kw * price.per_kwh
    return Plain(
        cost=hourly / (tokens_per_s * 3600.0) * 1e6,
        tpot_ms=float(found.tpot_s) * 1e3,
        joules=kw * 1e3 / tokens_per_s,
        meets=bool(
            float(found.tpot_s_at_percentile) * 1e3 <= objective.tpot_ms
            and float(found.ttft_s_at_percentile) * 1e3 + price.rtt_ms <= objective.ttft_ms
        ),
    )


def every_point(cloud: Cloud, made: Front) -> Iterator[Plain]:
    """Each configuration of the grid at each batch, and the loads of the search's candidates."""
    model, load = cloud.models["llama"], made.load
    hosts, _ = hosts_of(cloud, CATALOG, PREDICTOR)
    prices = {p.accelerator: p for p in made.prices}
    for host in hosts:
        price = prices[host.accelerator.key]
        grid = grid_of(cloud, model, host)
        for tp in grid.tp:
            free = Configuration(
                accelerator=host.accelerator.key, tp=tp, precision=grid.precisions[0],
                batch_tokens=grid.batch_tokens[0],
            )  # fmt: skip
            for batch in COARSE:
                for limit in grid.batch:
                    found = steady_of(cloud, limited(free, limit), load, float(batch))
                    if bool(found.fits):
                        yield judged(price, model.objective, load, tp, found)
                        break
        question = Question(
            architecture=model.architecture, accelerator=host.accelerator, engine=host.engine,
            load=load, objective=model.objective, grid=grid, rtts_ms=(price.rtt_ms,),
            predictor=PREDICTOR,
        )  # fmt: skip
        for candidate in search(question).candidates:
            for at in candidate.curve:
                if at.requests_per_s > 0.0:
                    c = candidate.configuration
                    found = steady_of(cloud, c, load, at.decode_batch)
                    yield judged(price, model.objective, load, candidate.accelerators, found)
