"""Two clouds side by side: the records. `--json` of `neocloud compare` prints a `Comparison`."""

from __future__ import annotations

import msgspec

from neocloud.planner.costs import CostByTier
from neocloud.planner.latency import Latency

COMPARISON = "neocloud.comparison/1"
"""Name and version of the published schema."""


class ModelFigures(msgspec.Struct, frozen=True, kw_only=True):
    """One model in one of the clouds."""

    model: str
    cost_per_mtok: CostByTier
    """Per million tokens, input and output tokens counted alike."""
    latency: Latency


class MetroFigures(msgspec.Struct, frozen=True, kw_only=True):
    """The users of one metro in one of the clouds."""

    metro: str
    latency: Latency


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """What one plan costs, holds, draws and gives; costs in the comparison's currency."""

    total_per_hour: float
    """What the plan uses and what is paid for power that it does not draw: the costs compared."""
    cost_per_hour: CostByTier
    """Of what the plan uses."""
    obligations_per_hour: float
    """Paid for power at sites that draw none."""
    idle_per_hour: float
    """Of accelerators that stand there and are not used; in no other figure."""
    cost_per_mtok: float
    """`total_per_hour` over all tokens, input and output alike, per million."""
    accelerators: int
    """In use in each placement's busiest hour, rented ones included."""
    rented_accelerators: int
    utilisation: float
    """Requests over what the replicas could take within the objective, mean over the hours of the
    accelerators in use."""
    mean_kw: float
    """At the meters of the cloud's own sites, PUE included; what is rented is not in it."""
    peak_kw: float
    """The same in the hour with the highest draw."""
    carbon_t_per_year: float
    """Of the energy drawn at the cloud's own sites."""
    gap: float
    """Proven relative distance of the plan from the best."""
    latency: Latency
    """Of all users."""
    models: tuple[ModelFigures, ...]
    metros: tuple[MetroFigures, ...]


class Faster(msgspec.Struct, frozen=True, kw_only=True):
    """Shares of the requests that one cloud answers sooner; they sum to 1.

    Requests for one model from one metro count as one group, by their mean.
    """

    first: float
    second: float
    alike: float
    """Within 1 per cent of each other."""


class Pair(msgspec.Struct, frozen=True, kw_only=True):
    """Both clouds under one of the two conditions."""

    first: Figures
    second: Figures
    sooner_first_token: Faster
    sooner_answer: Faster


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """What a cloud costs with its objectives loosened."""

    factor: float
    total_per_hour: float | None
    """None where no plan was found in the time that its file gives."""


class EqualCost(msgspec.Struct, frozen=True, kw_only=True):
    """Both clouds once the dearer one's objectives are loosened until it costs no more."""

    loosened: str | None
    """Name of the dearer one; None where both cost alike and nothing is loosened."""
    factor: float
    """Times all of its objectives, TTFT and TPOT of every model."""
    reached: bool
    """False where the cheapest of the trials still costs more; it is the one shown."""
    max_factor: float
    """The most that was tried."""
    trials: tuple[Trial, ...]
    """Plans made on the way, in the order in which they were made."""
    pair: Pair


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """Two clouds at equal objectives and at equal cost."""

    schema: str = COMPARISON
    first: str
    second: str
    currency: str
    notes: tuple[str, ...]
    """In what both do not ask for the same."""
    at_equal_objectives: Pair
    at_equal_cost: EqualCost
    answer: str
    """Whether the first beats the second, with the figures that it rests on."""
