"""The report's records: planned, simulated and metered side by side, and the tiers."""

from __future__ import annotations

import msgspec

from neocloud.books.tiers import TierReport
from neocloud.planner import CostByTier

SCHEMA = "neocloud.tiers/1"

CAUSES = {
    "price": "a kilowatt-hour, an accelerator-hour or a gigabyte came to another price",
    "mix": "requests were of other lengths, or served at other sites and pools",
    "utilisation": "the accelerators served another share of what they could",
    "efficiency": "steps took another time than the performance model says",
    "power": "an accelerator drew another power than planned",
}
"""Why the cost of a token differs; no order is meant."""


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """One column of the comparison; None where it cannot be known.

    Attributes:
        requests_per_s: admitted requests.
        input_tokens_per_request: mean prompt length.
        output_tokens_per_request: mean answer length.
        cost_per_mtok: of input and output tokens alike.
        utilisation: requests over what the accelerators could take within the objective.
        busy: share of the held time in which steps ran.
        watts_per_accelerator: at the site's meter, PUE included.
        ttft_ms: mean time to first token, without the network.
        ttft_ms_at_percentile: the same at the objective's percentile.
        tpot_ms: mean time per output token after the first.
        tpot_ms_at_percentile: the same at the objective's percentile.
    """

    requests_per_s: float | None = None
    input_tokens_per_request: float | None = None
    output_tokens_per_request: float | None = None
    cost_per_mtok: CostByTier | None = None
    utilisation: float | None = None
    busy: float | None = None
    watts_per_accelerator: float | None = None
    ttft_ms: float | None = None
    ttft_ms_at_percentile: float | None = None
    tpot_ms: float | None = None
    tpot_ms_at_percentile: float | None = None


class BridgeStep(msgspec.Struct, frozen=True, kw_only=True):
    """What one cause adds to the cost of a million tokens.

    Attributes:
        cause: one of `CAUSES`.
        adds: in the cloud's currency.
        adds_pico: the same in whole 1e-12 of it.
    """

    cause: str
    adds: float
    adds_pico: int


class Bridge(msgspec.Struct, frozen=True, kw_only=True):
    """From one cost of a million tokens to another: `end_pico` is `start_pico` and all steps.

    Attributes:
        start: planned or simulated.
        end: simulated or metered.
        start_pico: in whole 1e-12 of the currency.
        end_pico: see start_pico.
        steps: each cause's part; no order of the causes changes it.
    """

    start: str
    end: str
    start_pico: int
    end_pico: int
    steps: tuple[BridgeStep, ...]


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """One model: planned, simulated, expected at the metered load, metered.

    `expected` replays the metered requests at the plan's step times: what separates it from
    `planned` is load and lengths, what separates `metered` from it is the engine and the gateway.

    Attributes:
        model: model key.
        planned: the plan, mean of its day.
        simulated: activity that was simulated; None where none was given.
        expected: latencies and busy share of the metered requests at the plan's step times.
        metered: the ledger.
        network_ms: mean round trip of the metered requests by the catalog; in no latency above.
        step_time_factor: metered step time over modelled; None where too little was metered.
        capacity_change: tokens of an accelerator at equal batch against plan: 1 / factor - 1.
        cost_at_planned_load: cost of a million tokens had the load been as planned.
        bridge: from planned to metered cost; None where one of them is not known.
        simulated_bridges: from planned to simulated and from simulated to metered cost.
        findings: in words, the weightiest first.
    """

    model: str
    planned: Side
    simulated: Side | None
    expected: Side
    metered: Side
    network_ms: float
    step_time_factor: float | None
    capacity_change: float | None
    cost_at_planned_load: float | None
    bridge: Bridge | None
    simulated_bridges: tuple[Bridge, ...]
    findings: tuple[str, ...]


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """A period: what each tier cost and earned, and planned against metered.

    Attributes:
        emulated: True where emulated engines answered: speed and energy are a model's.
        energy_modelled: True where energy was not read from a meter.
        percentile: of the latencies, by model.
        tiers: cost and margin by tier.
        models: planned, simulated and metered side by side.
    """

    schema: str = SCHEMA
    cloud: str
    currency: str
    period: str
    seconds: float
    emulated: bool
    energy_modelled: bool
    requests: int
    requests_by_status: dict[str, int]
    percentile: dict[str, float]
    tiers: TierReport
    models: tuple[Comparison, ...]
