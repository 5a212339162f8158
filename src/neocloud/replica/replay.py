"""A list of arrivals through one replica in virtual time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from neocloud.replica.records import Limits, Refusal, Replay, Request, Served, StepCost
from neocloud.replica.replica import Replica
from neocloud.replica.timeline import StepEnd, Timeline


@dataclass(slots=True)
class _Fate:
    index: int
    first_token_s: float = math.nan
    finish_s: float = math.nan
    cached_tokens: int = 0
    preemptions: int = 0


def replay(
    requests: Sequence[Request], arrivals_s: Sequence[float], limits: Limits, steps: StepCost
) -> Replay:
    """Serve `requests` arriving at `arrivals_s` with one replica that idles from time 0.

    An arrival at the very end of a step is in time for the next. The seconds come from `steps`
    alone: with the times that an engine metered it explains the engine, with those of the
    performance model it checks that model's formulas.

    Args:
        requests: what arrives.
        arrivals_s: when, seconds, in any order; as many as requests.
        limits: of the replica.
        steps: what a step takes.
    """
    if len(requests) != len(arrivals_s):
        raise ValueError(f"{len(requests)} requests but {len(arrivals_s)} arrivals")
    order = sorted(range(len(requests)), key=lambda i: arrivals_s[i])
    timeline = Timeline(Replica(limits, steps))
    fates: dict[int, _Fate] = {}
    refused: list[int] = []
    place, end_s = 0, 0.0
    while place < len(order) or timeline.due is not None:
        horizon = timeline.due if timeline.due is not None else arrivals_s[order[place]]
        while place < len(order) and arrivals_s[order[place]] <= horizon:
            index = order[place]
            handle = timeline.replica.submit(requests[index])
            if isinstance(handle, Refusal):
                refused.append(index)
            else:
                fates[handle] = _Fate(index)
            place += 1
        for ended in timeline.advance(horizon):
            end_s = ended.time_s
            _note(fates, ended)
        timeline.start(horizon)
    counts = timeline.replica.snapshot()
    return Replay(
        served=tuple(
            Served(
                index=fate.index,
                arrival_s=arrivals_s[fate.index],
                first_token_s=fate.first_token_s,
                finish_s=fate.finish_s,
                input_tokens=requests[fate.index].input_tokens,
                cached_tokens=fate.cached_tokens,
                output_tokens=requests[fate.index].output_tokens,
                preemptions=fate.preemptions,
            )
            for fate in sorted(fates.values(), key=lambda fate: fate.index)
        ),
        refused=tuple(sorted(refused)),
        steps=counts.steps,
        busy_s=counts.busy_s,
        joules=counts.joules,
        end_s=end_s,
        preemptions=counts.preemptions,
    )


def _note(fates: dict[int, _Fate], ended: StepEnd) -> None:
    for handle, cached in zip(ended.result.started, ended.result.cached_tokens, strict=True):
        fates[handle].first_token_s = ended.time_s
        fates[handle].cached_tokens = cached
    for handle in ended.result.finished:
        fates[handle].finish_s = ended.time_s
    for handle in ended.result.preempted:
        fates[handle].preemptions += 1
