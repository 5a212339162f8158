"""`Plan`: what stands where, what it serves, what it costs. Laid down as `plan.json`."""

from __future__ import annotations

import msgspec

from neocloud.perf import Calibration, Certainty, Configuration
from neocloud.planner.answers import Answers
from neocloud.planner.costs import CostByTier
from neocloud.planner.flags import NodeCommand

SCHEMA = "neocloud.plan/2"
"""Name and version of the published schema."""


class Rates(msgspec.Struct, frozen=True, kw_only=True):
    """Cost rates that a placement was planned with, in the cloud's currency."""

    capital_per_accelerator_hour: float
    operations_per_accelerator_hour: float
    power_per_kwh: float
    network_per_gb: float
    network_per_request: float
    """Of a request of mean length, streamed."""


class OperatingPoint(msgspec.Struct, frozen=True, kw_only=True):
    """One replica at one load, predicted; latencies without the network.

    `busy` is the share of time in which a step runs; `watts` the power of the replica with its
    share of the host, PUE not.
    """

    requests_per_s: float
    decode_batch: float
    ttft_ms: float
    ttft_ms_at_percentile: float
    tpot_ms: float
    tpot_ms_at_percentile: float
    busy: float
    watts: float


class Engine(msgspec.Struct, frozen=True, kw_only=True):
    """What a replica runs: engine, version and the exact flags."""

    kind: str
    """vllm, sglang, or emulated: the performance model behind vLLM's API."""
    version: str
    arguments: tuple[str, ...]
    """After the program's name; of the first node where a replica spans several."""
    environment: tuple[tuple[str, str], ...] = ()
    """Variables to set, by name."""
    more_nodes: tuple[NodeCommand, ...] = ()
    """Of the other nodes. `$NODE_0`, `$NODE_1`, ... stand for the nodes' addresses."""
    notes: tuple[str, ...] = ()
    """What no flag says and whoever starts the replica must know."""


class Prefill(msgspec.Struct, frozen=True, kw_only=True):
    """Workers of a replica that work on prompts alone and hand over to those that answer."""

    pool: str
    accelerator: str
    configuration: Configuration
    workers: int
    engine: Engine
    capital_per_accelerator_hour: float
    operations_per_accelerator_hour: float

    @property
    def accelerators(self) -> int:
        """Accelerators of all its workers."""
        return self.workers * self.configuration.accelerators


class Placement(msgspec.Struct, frozen=True, kw_only=True):
    """Replicas of one model in one pool with one configuration."""

    site: str
    pool: str
    model: str
    accelerator: str
    configuration: Configuration
    """Of the workers that answer, and work on prompts unless `prefill` says who does."""
    engine: Engine
    workers: int = 1
    """Workers of this configuration in one replica."""
    prefill: Prefill | None = None
    provider: str = ""
    """Who rents the accelerators out; empty for one's own."""
    first_ordinal: int
    """Ordinal of its first replica: above 0 where another configuration serves the model there."""
    replicas_by_hour: tuple[int, ...]
    """Replicas in each UTC hour of the representative day."""
    requests_per_s_by_hour: tuple[float, ...]
    """What all its replicas together are sent in each UTC hour."""
    kv_tokens: int
    """Tokens that the KV cache of one replica holds."""
    max_rtt_ms: float
    """Users farther away than this would see their first token too late at full load."""
    certainty: Certainty | None = None
    """How far off its configuration's predictions may be; None where that was never judged."""
    curve: tuple[OperatingPoint, ...]
    """From idle (first) to what one replica takes within the objective (last), by load."""
    rates: Rates
    pue: float
    cost_per_hour: CostByTier
    """Mean over the day."""

    @property
    def max_requests_per_s(self) -> float:
        """What one replica takes within the objective."""
        return self.curve[-1].requests_per_s

    @property
    def replicas(self) -> int:
        """Replicas of the busiest hour: the accelerators that must be there."""
        return max(self.replicas_by_hour)

    @property
    def accelerators_per_replica(self) -> int:
        """Accelerators that one replica holds, of all pools."""
        own = self.workers * self.configuration.accelerators
        return own + (self.prefill.accelerators if self.prefill else 0)

    @property
    def accelerators(self) -> int:
        """Accelerators that its replicas hold in the busiest hour."""
        return self.replicas * self.accelerators_per_replica

    def held(self) -> dict[str, int]:
        """Accelerators that one replica holds, by pool."""
        found = {self.pool: self.workers * self.configuration.accelerators}
        if self.prefill is not None:
            more = found.get(self.prefill.pool, 0) + self.prefill.accelerators
            found[self.prefill.pool] = more
        return found

    def replica_ids(self) -> tuple[str, ...]:
        """Ids `site/pool/model/ordinal` of the replicas."""
        ordinals = range(self.first_ordinal, self.first_ordinal + self.replicas)
        return tuple(f"{self.site}/{self.pool}/{self.model}/{i}" for i in ordinals)


class Flow(msgspec.Struct, frozen=True, kw_only=True):
    """Requests of one tenant from one user metro to one placement, by UTC hour of the day."""

    tenant: str
    user_metro: str
    model: str
    site: str
    pool: str
    configuration: Configuration
    ordinal: int
    """`first_ordinal` of the placement."""
    rtt_ms: float
    requests_per_s_by_hour: tuple[float, ...]

    def placed_on(self, placement: Placement) -> bool:
        """True if this flow goes to `placement`."""
        return (self.model, self.site, self.pool, self.ordinal) == (
            placement.model,
            placement.site,
            placement.pool,
            placement.first_ordinal,
        )


class ModelSummary(msgspec.Struct, frozen=True, kw_only=True):
    """What one model costs and gives over the representative day."""

    model: str
    config: str
    """Catalog name or path of the model's config.json."""
    input_tokens_per_request: float
    output_tokens_per_request: float
    requests_per_day: float
    tokens_per_day: float
    cost_per_mtok: CostByTier
    """Per million tokens, input and output tokens counted alike."""
    percentile_input_tokens: float
    """Prompt length at the objective's percentile."""
    utilisation: float
    """Planned requests over what the replicas could take within the objective."""
    ttft_ms: float
    """Mean over all planned requests, network included."""
    ttft_ms_at_percentile: float
    """The worst of any placement and hour, network included."""
    tpot_ms: float
    tpot_ms_at_percentile: float
    network_ms: float
    """Mean round trip between users and their sites."""
    objective_ttft_ms: float
    objective_tpot_ms: float
    percentile: float


class Search(msgspec.Struct, frozen=True, kw_only=True):
    """How the plan was found."""

    examined: int
    """Points looked at: configurations times batches, per kind of accelerator and model."""
    no_room: int
    """Of them, those for which memory, batch limits or steps leave no room."""
    too_slow: int
    """Of them, those that miss the latency objective for the nearest users."""
    dominated: int
    """Of them, those that another point equals or beats in accelerators and power for each request,
    in size and in reach."""
    kept: int
    """Points that are left."""
    options: int
    """Points times the places where they may stand: what placement chose from."""
    gap: float
    """Proven relative distance of the placement from the optimum."""
    solver: str


class Skipped(msgspec.Struct, frozen=True, kw_only=True):
    """A pool that stands outside the plan, and why."""

    site: str
    pool: str
    reason: str


class Unallocated(msgspec.Struct, frozen=True, kw_only=True):
    """Accelerators of a pool that the plan leaves free, and what they cost all the same."""

    site: str
    pool: str
    accelerators: int
    cost_per_hour: float


class Obligation(msgspec.Struct, frozen=True, kw_only=True):
    """Power that is paid for at a site where the plan draws none."""

    site: str
    cost_per_hour: float


class Rented(msgspec.Struct, frozen=True, kw_only=True):
    """Accelerators that are rented, beside the file's own sites."""

    site: str
    pool: str
    metro: str
    provider: str
    tier: str
    term_months: int
    price_per_accelerator_hour: float
    date: str
    source: str


class Binding(msgspec.Struct, frozen=True, kw_only=True):
    """A limit that is used up."""

    limit: str
    where: str
    used: float
    available: float
    unit: str


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """The cheapest way found to serve the cloud's demand."""

    schema: str = SCHEMA
    cloud: str
    currency: str
    hours: int
    """Hours of the representative day."""
    placements: tuple[Placement, ...]
    flows: tuple[Flow, ...]
    models: tuple[ModelSummary, ...]
    cost_per_hour: CostByTier
    """Of what the plan uses; idle accelerators apart."""
    unallocated: tuple[Unallocated, ...]
    obligations: tuple[Obligation, ...] = ()
    rented: tuple[Rented, ...] = ()
    """What placements with a provider stand on."""
    rental_allowed: bool = False
    """Whether accelerators of others might have been rented."""
    confidence: float = 0.5
    """Quantile of the prediction that it was planned at."""
    spares: str = "none"
    carbon_t_per_year: float = 0.0
    """Emissions of the energy drawn."""
    binding: tuple[Binding, ...]
    search: Search
    skipped: tuple[Skipped, ...] = ()
    """Pools that no plan could be made with."""
    hashes: dict[str, str]
    """Content hashes of the cloud file, the catalog and the model's parameters."""
    answers: Answers = Answers()
    """What it was held against."""
    calibration: Calibration | None = None
    """What a user's own rows changed of these parameters; later verbs go by it too."""
