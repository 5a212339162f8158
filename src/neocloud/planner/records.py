"""`Plan`: what stands where, what it serves, what it costs. Laid down as `plan.json`."""

from __future__ import annotations

import msgspec

from neocloud.perf import Configuration

SCHEMA = "neocloud.plan/1"
"""Name and version of the published schema."""


class Rates(msgspec.Struct, frozen=True, kw_only=True):
    """Cost rates that a placement was planned with, in the cloud's currency."""

    capital_per_accelerator_hour: float
    operations_per_accelerator_hour: float
    power_per_kwh: float
    network_per_gb: float


class CostByTier(msgspec.Struct, frozen=True, kw_only=True):
    """A cost split by tier, in the cloud's currency."""

    power: float = 0.0
    capital: float = 0.0
    operations: float = 0.0
    network: float = 0.0

    @property
    def total(self) -> float:
        """Sum of the tiers."""
        return self.power + self.capital + self.operations + self.network

    def __add__(self, other: CostByTier) -> CostByTier:
        return CostByTier(
            power=self.power + other.power,
            capital=self.capital + other.capital,
            operations=self.operations + other.operations,
            network=self.network + other.network,
        )

    def scaled(self, factor: float) -> CostByTier:
        """Each tier times `factor`."""
        return CostByTier(
            power=self.power * factor,
            capital=self.capital * factor,
            operations=self.operations * factor,
            network=self.network * factor,
        )


class Latency(msgspec.Struct, frozen=True, kw_only=True):
    """Predicted latency at the planned load, without the network, milliseconds."""

    ttft_ms_mean: float
    ttft_ms_at_percentile: float
    tpot_ms_mean: float
    tpot_ms_at_percentile: float
    percentile: float


class Engine(msgspec.Struct, frozen=True, kw_only=True):
    """What a replica runs: engine, version and the exact flags."""

    kind: str
    """vllm, or emulated: the performance model behind vLLM's API."""
    version: str
    arguments: tuple[str, ...]


class Placement(msgspec.Struct, frozen=True, kw_only=True):
    """Replicas of one model in one pool with one configuration."""

    site: str
    pool: str
    model: str
    accelerator: str
    configuration: Configuration
    engine: Engine
    replicas_by_hour: tuple[int, ...]
    """Replicas in each UTC hour of the representative day."""
    max_requests_per_s: float
    """What one replica takes within the objective."""
    latency: Latency
    """At the busiest hour's load."""
    rates: Rates
    busy_watts: float
    """Power of one replica, host share included, PUE not, at the busiest hour's load."""
    idle_watts: float
    pue: float
    cost_per_hour: CostByTier
    """Mean over the day."""

    @property
    def replicas(self) -> int:
        """Replicas of the busiest hour: the accelerators that must be there."""
        return max(self.replicas_by_hour)

    def replica_ids(self) -> tuple[str, ...]:
        """Ids `site/pool/model/ordinal` of the replicas."""
        return tuple(f"{self.site}/{self.pool}/{self.model}/{i}" for i in range(self.replicas))


class Flow(msgspec.Struct, frozen=True, kw_only=True):
    """Requests of one tenant from one user metro to one placement, by UTC hour of the day."""

    tenant: str
    user_metro: str
    model: str
    site: str
    pool: str
    rtt_ms: float
    requests_per_s_by_hour: tuple[float, ...]


class ModelSummary(msgspec.Struct, frozen=True, kw_only=True):
    """What one model costs and gives over the representative day."""

    model: str
    input_tokens_per_request: float
    output_tokens_per_request: float
    requests_per_day: float
    tokens_per_day: float
    cost_per_mtok: CostByTier
    """Of input and output tokens alike."""
    utilisation: float
    """Planned requests over what the replicas could take within the objective."""
    objective_ttft_ms: float
    objective_tpot_ms: float
    percentile: float


class Search(msgspec.Struct, frozen=True, kw_only=True):
    """How the plan was found."""

    examined: int
    """Configurations times batch sizes looked at."""
    no_memory: int
    too_slow: int
    dominated: int
    kept: int
    gap: float
    """Proven relative distance of the placement from the optimum."""
    solver: str
    seconds: float


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
    binding: tuple[Binding, ...]
    search: Search
    hashes: dict[str, str]
    """Content hashes of the cloud file, the catalog and the model's parameters."""
