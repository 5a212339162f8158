"""Corrections laid over the events that they correct: what holds now, in one pass over both."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from neocloud.ledger.records import CorrectionEvent, UsageEvent


def corrected(
    usage: Iterable[UsageEvent], corrections: Iterable[CorrectionEvent]
) -> Iterator[UsageEvent]:
    """Events as they hold: each with the last of its corrections, and marked with its id.

    Args:
        usage: as recorded, by `request_id`.
        corrections: by `request_id`, then the one that holds last. Those of requests that are not
            among `usage` are passed over.
    """
    waiting = iter(corrections)
    following = next(waiting, None)
    if following is None:
        yield from usage
        return
    for event in usage:
        while following is not None and following.request_id < event.request_id:
            following = next(waiting, None)
        held = None
        while following is not None and following.request_id == event.request_id:
            held, following = following, next(waiting, None)
        yield event if held is None else with_correction(event, held)


def with_correction(event: UsageEvent, correction: CorrectionEvent) -> UsageEvent:
    """The event as the correction says that it was."""
    return msgspec.structs.replace(
        event,
        input_tokens=correction.input_tokens,
        cached_tokens=correction.cached_tokens,
        output_tokens=correction.output_tokens,
        reasoning_tokens=correction.reasoning_tokens,
        status=correction.status,
        correction=correction.correction_id,
    )


def without_event(
    usage: Iterable[UsageEvent], corrections: Iterable[CorrectionEvent]
) -> Iterator[CorrectionEvent]:
    """Corrections of requests that are not on record; both by `request_id`."""
    having = iter(usage)
    event = next(having, None)
    for correction in corrections:
        while event is not None and event.request_id < correction.request_id:
            event = next(having, None)
        if event is None or event.request_id != correction.request_id:
            yield correction


def in_order(correction: CorrectionEvent) -> tuple[str, int, str]:
    """By request; of one request the correction that holds comes last."""
    return correction.request_id, correction.made_ns, correction.correction_id
