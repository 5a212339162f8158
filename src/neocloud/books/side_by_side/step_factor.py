"""How long steps really took, against the performance model, found from the usage events alone.

The metered requests of each replica are replayed through the scheduler in virtual time, arriving
when they were admitted, with all steps `factor` times as long as modelled; the factor is the one at
which their answers take as long as was metered. Load, lengths and burstiness are those of the real
traffic, so that what remains is the engine's speed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import msgspec
import numpy as np

from neocloud.ledger import Status, UsageEvent
from neocloud.perf import StepTable
from neocloud.planner import Placement
from neocloud.replica import Limits, Replay, Request, limits_of, replay

MOST_REQUESTS = 1000
"""Of one replica, the earliest; more would not move the factor and cost time."""
_SLOWEST = 16.0
_CLOSE = 1e-3


class Replayed(msgspec.Struct, frozen=True, kw_only=True):
    """Metered traffic of one placement, replayed at the plan's step times.

    Attributes:
        factor: metered step time over modelled; None where too little was metered.
        requests: requests it rests on.
        ttft_s: time to first token of each at the plan's step times, without the network.
        tpot_s: time per output token of each with two tokens or more, likewise.
        busy_accelerator_s: accelerator-seconds in which steps would have run.
    """

    factor: float | None
    requests: int
    ttft_s: tuple[float, ...]
    tpot_s: tuple[float, ...]
    busy_accelerator_s: float


def _usable(events: Sequence[UsageEvent]) -> list[UsageEvent]:
    """Those that an engine answered, earliest first, at most `MOST_REQUESTS`."""
    ended = [
        e
        for e in events
        if e.status in (Status.COMPLETED, Status.ABORTED)
        and e.first_token_ns
        and e.output_tokens > 0
        and e.input_tokens > 0
        and not e.estimated
    ]
    return sorted(ended, key=lambda e: e.admitted_ns)[:MOST_REQUESTS]


def _answer_s(event: UsageEvent) -> float:
    """Metered duration that only steps explain: of the stream, or of the whole if unstreamed."""
    start = event.first_token_ns if event.streamed else event.admitted_ns
    return float(event.finished_ns - start) / 1e9


def _run(events: Sequence[UsageEvent], limits: Limits, table: StepTable) -> Replay:
    none = np.zeros(0, dtype=np.uint64)
    start = events[0].admitted_ns
    return replay(
        [
            Request(
                # What the prefix cache gave was not computed.
                input_tokens=max(1, e.input_tokens - e.cached_tokens),
                output_tokens=e.output_tokens,
                prefix_ids=none,
            )
            for e in events
        ],
        [(e.admitted_ns - start) / 1e9 for e in events],
        limits,
        table,
    )


def _total_answer_s(events: Sequence[UsageEvent], run: Replay) -> float:
    return math.fsum(
        s.finish_s - (s.first_token_s if events[s.index].streamed else s.arrival_s)
        for s in run.served
    )


def replay_metered(
    by_replica: Mapping[str, Sequence[UsageEvent]], placement: Placement, table: StepTable
) -> Replayed:
    """Replay the events of a placement's replicas and find the step-time factor."""
    limits = limits_of(placement)
    groups = [usable for events in by_replica.values() if (usable := _usable(events))]
    runs = [_run(events, limits, table) for events in groups]
    served = [s for run in runs for s in run.served]
    metered = math.fsum(_answer_s(e) for events in groups for e in events)

    def excess(factor: float) -> float:
        slowed = table.slowed(factor)
        modelled = math.fsum(
            _total_answer_s(events, _run(events, limits, slowed)) for events in groups
        )
        return math.log(modelled / metered)

    modelled = math.fsum(
        _total_answer_s(events, run) for events, run in zip(groups, runs, strict=True)
    )
    found = _root(excess, math.log(modelled / metered)) if metered > 0 and modelled > 0 else None
    return Replayed(
        factor=found,
        requests=len(served),
        ttft_s=tuple(s.first_token_s - s.arrival_s for s in served),
        tpot_s=tuple(
            (s.finish_s - s.first_token_s) / (s.output_tokens - 1)
            for s in served
            if s.output_tokens > 1
        ),
        busy_accelerator_s=placement.configuration.accelerators
        * math.fsum(run.busy_s for run in runs),
    )


def _root(excess: Callable[[float], float], at_one: float) -> float:
    """The factor at which `excess`, rising in it, is zero, or the nearest end of the range.

    Secant in the logarithm, kept inside the bracket: time grows with about a power of the factor.
    """
    if abs(at_one) < _CLOSE:
        return 1.0
    low, high = 1.0 / _SLOWEST, _SLOWEST
    last, value = 0.0, at_one
    x = min(max(-at_one, math.log(low)), math.log(high))
    bracket = [math.log(low), math.log(high)]
    bracket[1 if at_one > 0 else 0] = 0.0
    for _ in range(12):
        now = excess(math.exp(x))
        if abs(now) < _CLOSE:
            return math.exp(x)
        bracket[1 if now > 0 else 0] = x
        slope = (now - value) / (x - last) if x != last else 0.0
        last, value = x, now
        guess = x - now / slope if slope > 0 else math.nan
        inside = bracket[0] < guess < bracket[1]
        x = guess if inside else (bracket[0] + bracket[1]) / 2.0
        if bracket[1] - bracket[0] < _CLOSE:
            return math.exp(x)
    return math.exp(x)
