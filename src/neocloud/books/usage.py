"""What was used, summed: requests and tokens by tenant, model and how the requests ended."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from neocloud.ledger import Admission, Status, UsageEvent


class UsageLine(msgspec.Struct, frozen=True, kw_only=True):
    """Requests of one tenant for one model that ended alike.

    Attributes:
        tenant: tenant id.
        model: model key.
        status: how they ended.
        requests: how many there were.
        input_tokens: prompt tokens, cached ones included.
        cached_tokens: of them, found in a prefix cache.
        output_tokens: generated tokens.
        emulated: requests that an emulated engine answered.
        estimated: requests with a token count of ours, not the engine's.
    """

    tenant: str
    model: str
    status: Status
    requests: int
    input_tokens: int
    cached_tokens: int
    output_tokens: int
    emulated: int
    estimated: int


class UsageSummary(msgspec.Struct, frozen=True, kw_only=True):
    """Usage of a period.

    Attributes:
        period: start and end, UTC; empty where the ledger holds nothing.
        lines: by tenant, model and status.
        open_requests: requests that were admitted and have not ended yet.
    """

    period: str
    lines: tuple[UsageLine, ...]
    open_requests: int


def summarise_usage(
    period: str, events: Iterable[UsageEvent], admitted: Iterable[Admission]
) -> UsageSummary:
    """Sum `events`, and count the requests of `admitted`, which are still open."""
    parts: dict[tuple[str, str, Status], list[UsageEvent]] = {}
    for event in events:
        parts.setdefault((event.tenant, event.model, event.status), []).append(event)
    return UsageSummary(
        period=period,
        lines=tuple(
            UsageLine(
                tenant=tenant,
                model=model,
                status=status,
                requests=len(part),
                input_tokens=sum(e.input_tokens for e in part),
                cached_tokens=sum(e.cached_tokens for e in part),
                output_tokens=sum(e.output_tokens for e in part),
                emulated=sum(e.emulated for e in part),
                estimated=sum(e.estimated for e in part),
            )
            for (tenant, model, status), part in sorted(parts.items())
        ),
        open_requests=sum(1 for _ in admitted),
    )
