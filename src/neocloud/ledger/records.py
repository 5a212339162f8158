"""What the ledger keeps: who was admitted, what they used, what was held, what energy it took.

Times are nanoseconds since the epoch, UTC. No record holds a prompt or an answer.

Records lie in segments as MessagePack arrays, fields in the order below behind a number that tells
their kind: a field may be added at the end, with a default, and none may move.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

SCHEMA = "neocloud.ledger/2"


class Status(StrEnum):
    """How an admitted request ended. Refused requests leave no record."""

    COMPLETED = "completed"
    ABORTED = "aborted"  # the client went away
    FAILED = "failed"  # no engine answered, or one broke off
    INTERRUPTED = "interrupted"  # the gateway died; closed at its next start


class Admission(msgspec.Struct, frozen=True, kw_only=True, array_like=True, tag=0, gc=False):
    """A request let in. Closed by exactly one `UsageEvent` of the same `request_id`.

    Where it is sent stands in it too, so that the event of a request whose gateway died says as
    much: an admission written again, after a failed try elsewhere, takes the place of the first.
    """

    request_id: str
    admitted_ns: int
    tenant: str
    key_id: str
    model: str
    user_metro: str
    prompt_bytes: int
    max_output_tokens: int
    """The most this request may generate: its own limit, or the one set for it; 0 if unknown."""
    price_version: str = ""
    api: str = "chat"
    site: str = ""
    pool: str = ""
    replica: str = ""
    accelerator: str = ""
    engine: str = ""
    streamed: bool = False
    emulated: bool = False
    service_tier: str = "default"


class UsageEvent(msgspec.Struct, frozen=True, kw_only=True, array_like=True, tag=1, gc=False):
    """What one admitted request used, once and for all.

    Attributes:
        request_id: UUIDv7 made at admission; the same for all attempts.
        tenant: tenant id.
        key_id: public part of the API key.
        model: model key as the tenant asked for it.
        site: where it was served; empty if no replica took it.
        pool: pool key.
        replica: `site/pool/model/ordinal`.
        accelerator: accelerator key.
        engine: kind of engine that answered.
        user_metro: where the caller said it is; empty if unknown.
        input_tokens: prompt tokens by the engine's count, cached ones included.
        cached_tokens: of them, found in the engine's prefix cache.
        output_tokens: generated tokens by the engine's count.
        admitted_ns: when it was admitted; decides the billing period.
        first_token_ns: when its first token passed the gateway; 0 if none did.
        finished_ns: when it ended.
        status: how it ended.
        attempts: replicas tried.
        streamed: True if the answer was sent as a stream.
        estimated: True if a token count is ours, not the engine's.
        emulated: True if an emulated engine answered; such use is never invoiced as real.
        price_version: hash of the price plan in force at admission; empty before pricing.
        api: which of the gateway's interfaces was called, as `chat` or `messages`.
        reasoning_tokens: of the generated tokens, those of reasoning, where the engine tells.
        correction: id of the correction by which this is what holds now; empty in what is recorded.
        service_tier: that was asked for, where some price names it; else `default`.
    """

    request_id: str
    tenant: str
    key_id: str
    model: str
    site: str
    pool: str
    replica: str
    accelerator: str
    engine: str
    user_metro: str
    input_tokens: int
    cached_tokens: int
    output_tokens: int
    admitted_ns: int
    first_token_ns: int
    finished_ns: int
    status: Status
    attempts: int
    streamed: bool
    estimated: bool
    emulated: bool
    price_version: str = ""
    api: str = "chat"
    reasoning_tokens: int = 0
    correction: str = ""
    service_tier: str = "default"


class AttemptEvent(msgspec.Struct, frozen=True, kw_only=True, array_like=True, tag=2, gc=False):
    """A try that failed before another replica took the request; known by id and number.

    `number` counts the tries of a request from 1; `fault` is a word such as `connect` or the status
    of the answer.
    """

    request_id: str
    number: int
    replica: str
    fault: str
    started_ns: int
    ended_ns: int


class AllocationEvent(msgspec.Struct, frozen=True, kw_only=True, array_like=True, tag=3, gc=False):
    """Accelerators held by one replica or reservation over a span of time.

    `event_id` is `holder@start_ns`: writing the same span again changes nothing. `busy_s` is the
    part of the span in which the engine ran a step, summed over the accelerators; None where the
    engine does not tell.
    """

    event_id: str
    start_ns: int
    end_ns: int
    site: str
    pool: str
    model: str
    tenant: str
    holder: str
    accelerator: str
    accelerators: int
    purpose: str
    busy_s: float | None
    emulated: bool


class EnergyEvent(msgspec.Struct, frozen=True, kw_only=True, array_like=True, tag=4, gc=False):
    """Energy over a span of time, facility included (PUE).

    Of one holder, as in the `AllocationEvent` of the same id and span, where it is modelled:
    `modelled` says so. Or of a whole site, as its meter tells: then `pool`, `model` and `holder`
    are empty, and `event_id` is `SITE/meter@end_ns`, so that a line that is read twice changes
    nothing. What a site's meter tells stands in place of what is modelled there at the same time;
    `shared_energy` puts the two together, and nobody else should add them up.
    """

    event_id: str
    start_ns: int
    end_ns: int
    site: str
    pool: str
    model: str
    holder: str
    kwh: float
    modelled: bool
    emulated: bool
    purpose: str = "inference"
    tenant: str = ""


class CorrectionEvent(msgspec.Struct, frozen=True, kw_only=True, array_like=True, tag=5, gc=False):
    """What a request used in truth, where its event was metered wrongly. The event itself stays.

    Of several corrections of a request the latest holds, by `made_ns`, then by id. Each says all of
    the counts, so that it depends on no other.

    Attributes:
        correction_id: of the correction; the same again changes nothing.
        request_id: of the event that it corrects.
        input_tokens: prompt tokens, cached ones included.
        cached_tokens: of them, found in a prefix cache.
        output_tokens: generated tokens.
        reasoning_tokens: of them, those of reasoning.
        status: how the request ended.
        reason: why it is corrected, in words.
        made_ns: when it was made.
        made_by: by whom.
    """

    correction_id: str
    request_id: str
    input_tokens: int
    cached_tokens: int
    output_tokens: int
    reasoning_tokens: int
    status: Status
    reason: str
    made_ns: int
    made_by: str


Record = Admission | UsageEvent | AttemptEvent | AllocationEvent | EnergyEvent | CorrectionEvent
"""Whatever a segment may hold."""
