"""What was used, summed: requests and tokens by tenant, model, day and whatever else is asked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from neocloud.ledger import Admission, Status, UsageEvent
from neocloud.units import HOUR_NS, format_utc, hour_floor

SCHEMA = "neocloud.usage/1"

BY_DEFAULT = ("tenant", "model", "status")


class UsageLine(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Requests that are alike in what was asked to tell them apart by; the rest is left out.

    Attributes:
        tenant: tenant id.
        model: model key.
        day: UTC day of admission, as 2026-10-05.
        hour: start of the UTC hour of admission, as 2026-10-05T13:00:00Z.
        status: how they ended.
        api: interface of the gateway that was called.
        site: where they were served; empty if nowhere.
        key: id of the API key.
        service_tier: that was asked for, where prices name it; else `default`.
        requests: how many there were.
        input_tokens: prompt tokens, cached ones included.
        cached_tokens: of them, found in a prefix cache.
        output_tokens: generated tokens.
        reasoning_tokens: of them, those of reasoning, where the engine tells.
        emulated: requests that an emulated engine answered.
        estimated: requests with a token count of ours, not the engine's.
    """

    tenant: str | UnsetType = UNSET
    model: str | UnsetType = UNSET
    day: str | UnsetType = UNSET
    hour: str | UnsetType = UNSET
    status: Status | UnsetType = UNSET
    api: str | UnsetType = UNSET
    site: str | UnsetType = UNSET
    key: str | UnsetType = UNSET
    service_tier: str | UnsetType = UNSET
    requests: int
    input_tokens: int
    cached_tokens: int
    output_tokens: int
    reasoning_tokens: int
    emulated: int
    estimated: int


class UsageSummary(msgspec.Struct, frozen=True, kw_only=True):
    """Usage of a period.

    Attributes:
        schema: name and version of this form.
        period: start and end, UTC; empty where the ledger holds nothing.
        by: what the lines are told apart by, in the order of their sorting.
        requests: requests that ended.
        input_tokens: of all of them; so the other sums.
        cached_tokens: of the input, found in a prefix cache.
        output_tokens: generated tokens.
        reasoning_tokens: of them, those of reasoning.
        emulated: requests that an emulated engine answered.
        estimated: requests with a token count of ours.
        by_status: requests by how they ended; a status that none had is not there.
        open_requests: requests that were admitted and have not ended yet.
        lines: the same by `by`.
    """

    schema: str = SCHEMA
    period: str
    by: tuple[str, ...]
    requests: int
    input_tokens: int
    cached_tokens: int
    output_tokens: int
    reasoning_tokens: int
    emulated: int
    estimated: int
    by_status: Mapping[str, int]
    open_requests: int
    lines: tuple[UsageLine, ...]


_DAY_NS = 24 * HOUR_NS

# Whole numbers stand for days and hours while events are read: a text for each would take longer
# than all of the rest.
_KEYS: dict[str, Callable[[UsageEvent], Any]] = {
    "tenant": lambda e: e.tenant,
    "model": lambda e: e.model,
    "day": lambda e: e.admitted_ns // _DAY_NS,
    "hour": lambda e: hour_floor(e.admitted_ns),
    "status": lambda e: e.status,
    "api": lambda e: e.api,
    "site": lambda e: e.site,
    "key": lambda e: e.key_id,
    "service_tier": lambda e: e.service_tier,
}
_SHOWN: dict[str, Callable[[Any], Any]] = {
    "day": lambda day: format_utc(day * _DAY_NS)[:10],
    "hour": format_utc,
}

DIMENSIONS = tuple(_KEYS)
"""What lines can be told apart by."""

_SUMS = (
    "requests", "input_tokens", "cached_tokens", "output_tokens", "reasoning_tokens", "emulated",
    "estimated",
)  # fmt: skip


def summarise_usage(
    period: str,
    events: Iterable[UsageEvent],
    admitted: Iterable[Admission],
    by: Sequence[str] = BY_DEFAULT,
) -> UsageSummary:
    """Sum `events`, and count the requests of `admitted`, which are still open.

    Events are taken one by one: memory is held for the lines, not for the events.

    Args:
        period: what to call the period.
        events: of requests that ended.
        admitted: of requests that did not.
        by: of `DIMENSIONS`.
    """
    keys = [_KEYS[name] for name in by]
    sums: dict[tuple[Any, ...], list[int]] = {}
    ended: dict[Status, int] = {}
    for e in events:
        key = tuple([each(e) for each in keys])
        line = sums.get(key)
        if line is None:
            line = sums[key] = [0] * len(_SUMS)
        line[0] += 1
        line[1] += e.input_tokens
        line[2] += e.cached_tokens
        line[3] += e.output_tokens
        line[4] += e.reasoning_tokens
        line[5] += e.emulated
        line[6] += e.estimated
        ended[e.status] = ended.get(e.status, 0) + 1
    totals: dict[str, Any] = {
        name: sum(line[n] for line in sums.values()) for n, name in enumerate(_SUMS)
    }
    return UsageSummary(
        period=period,
        by=tuple(by),
        by_status={status.value: ended[status] for status in sorted(ended)},
        open_requests=sum(1 for _ in admitted),
        lines=tuple(_line(by, key, sums[key]) for key in sorted(sums)),
        **totals,
    )


def _line(by: Sequence[str], key: tuple[Any, ...], sums: Sequence[int]) -> UsageLine:
    values: dict[str, Any] = dict(zip(_SUMS, sums, strict=True))
    for name, value in zip(by, key, strict=True):
        values[name] = _SHOWN[name](value) if name in _SHOWN else value
    return UsageLine(**values)
