"""Tokens where the engine told none: what it surely did, and never more than it was allowed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from neocloud.gateway.apis.api import AnswerStream, Usage
from neocloud.gateway.fleet import Backend
from neocloud.ledger import Status

if TYPE_CHECKING:
    from neocloud.gateway.ticket import Ticket

NOTHING = Usage(0, 0, 0)


class Count(msgspec.Struct, frozen=True):
    """A request's tokens, and whether they are our estimate."""

    usage: Usage
    estimated: bool


def count_of(
    status: Status,
    stream: AnswerStream | None,
    ticket: Ticket,
    backend: Backend | None,
    now_ns: int,
) -> Count:
    """Estimate a request's tokens.

    Of a stream, events with content are counted; of an unstreamed answer that the client did not
    wait for, the time that it ran over the planned time of a token, where there is a plan. What an
    engine or the gateway broke off before any content counts nothing.
    """
    if status is Status.FAILED and (stream is None or not stream.content_seen):
        return Count(NOTHING, estimated=False)
    if stream is not None:
        output = stream.content_events
    elif status is Status.ABORTED and backend is not None and backend.token_s > 0.0:
        ran_s = (now_ns - ticket.admission.admitted_ns) / 1e9 - backend.state.prefill_s
        output = max(0, int(ran_s / backend.token_s))
    else:
        output = 0
    limit = ticket.admission.max_output_tokens
    usage = Usage(ticket.estimated_input, 0, min(output, limit) if limit else output)
    return Count(usage, estimated=True)
