"""Tokens where the engine told none: what it surely did, and never more than it was allowed."""

from __future__ import annotations

import msgspec

from neocloud.gateway.apis.api import AnswerStream, Usage
from neocloud.gateway.fleet.replicas import Backend
from neocloud.gateway.requests.ticket import Ticket
from neocloud.ledger import ProgressTable, Status

NOTHING = Usage(0, 0, 0)


def so_far(stream: AnswerStream, usage: Usage, limit: int) -> Usage:
    """What the engine has told; where that is the prompt alone, with what we saw of the answer.

    Args:
        stream: of the answer.
        usage: that it told last.
        limit: output tokens that were allowed; 0 where nothing bounds them.
    """
    if stream.counted:
        return usage
    output = max(usage.output_tokens, stream.content_events)
    return msgspec.structs.replace(usage, output_tokens=min(output, limit) if limit else output)


def tell_progress(progress: ProgressTable, slot: int, stream: AnswerStream, ticket: Ticket) -> None:
    """Note how far a stream has come, for the case that this process is killed."""
    usage = stream.usage
    if usage is None:
        progress.tell(slot, ticket.estimated_input, 0, stream.content_events, False)
        return
    counted = stream.counted
    if not counted:
        usage = so_far(stream, usage, ticket.admission.max_output_tokens)
    progress.tell(slot, usage.input_tokens, usage.cached_tokens, usage.output_tokens, counted)


def count_of(
    status: Status,
    stream: AnswerStream | None,
    ticket: Ticket,
    backend: Backend | None,
    now_ns: int,
) -> tuple[Usage, bool]:
    """A request's tokens as its stream told them, or else an estimate; and True if it is one.

    Of a stream, events with content are counted; of an unstreamed answer that the client did not
    wait for, the time that it ran over the planned time of a token, where there is a plan. What an
    engine or the gateway broke off before any content counts nothing.
    """
    if stream is not None and stream.usage is not None:
        told = so_far(stream, stream.usage, ticket.admission.max_output_tokens)
        return told, not stream.counted
    if status is Status.FAILED and (stream is None or not stream.content_seen):
        return NOTHING, False
    if stream is not None:
        output = stream.content_events
    elif status is Status.ABORTED and backend is not None and backend.token_s > 0.0:
        ran_s = (now_ns - ticket.admission.admitted_ns) / 1e9 - backend.state.prefill_s
        output = max(0, int(ran_s / backend.token_s))
    else:
        output = 0
    limit = ticket.admission.max_output_tokens
    usage = Usage(ticket.estimated_input, 0, min(output, limit) if limit else output)
    return usage, True
