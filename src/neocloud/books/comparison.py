"""The report's records: planned against metered."""

from __future__ import annotations

import msgspec

from neocloud.planner import CostByTier

SCHEMA = "neocloud.report/1"

CAUSES = {
    "place": "accelerators stood at other sites or pools than planned",
    "energy": "an accelerator drew another power than planned",
    "lengths": "requests were of other lengths than planned",
    "efficiency": "steps took another time than the performance model says",
    "load": "the accelerators served another share of what they could",
    "network": "a token moved another traffic than planned",
}
"""Why the cost of a token differs, in the order in which the bridge goes."""


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
    """What one cause adds to the cost of a million tokens; `reaches` is the sum so far."""

    cause: str
    adds: float
    reaches: float


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """One model: planned, expected at the metered load, metered.

    `expected` replays the metered requests at the plan's step times: what separates it from
    `planned` is load and lengths, what separates `metered` from it is the engine and the gateway.

    Attributes:
        model: model key.
        planned: the plan, mean of its day.
        expected: latencies and busy share of the metered requests at the plan's step times.
        metered: the ledger.
        network_ms: mean round trip of the metered requests by the catalog; in no latency above.
        step_time_factor: metered step time over modelled; None where too little was metered.
        capacity_change: tokens of an accelerator at equal batch against plan: 1 / factor - 1.
        cost_at_planned_load: cost of a million tokens had the load been as planned.
        bridge: from planned to metered cost, cause by cause.
        findings: in words, the weightiest first.
    """

    model: str
    planned: Side
    expected: Side
    metered: Side
    network_ms: float
    step_time_factor: float | None
    capacity_change: float | None
    cost_at_planned_load: float | None
    bridge: tuple[BridgeStep, ...]
    findings: tuple[str, ...]


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """Planned against metered over a period.

    Attributes:
        emulated: True where emulated engines answered: speed and energy are a model's.
        energy_modelled: True where energy was not read from a meter.
        percentile: of the latencies, by model.
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
    models: tuple[Comparison, ...]
