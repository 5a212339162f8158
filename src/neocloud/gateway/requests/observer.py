"""Who watches requests one by one, where anybody does: traces and the access log."""

from __future__ import annotations

import time
from collections.abc import Callable

from neocloud.gateway.apis.refusals import ApiError
from neocloud.gateway.observability.logs import AccessLog
from neocloud.gateway.observability.tracing import Ended, Refused, Trace, Tracing
from neocloud.gateway.requests.ticket import Ticket
from neocloud.ledger import UsageEvent
from neocloud.wire import Exchange


class Observer:
    """Told of each request's begin and end. A gateway has none unless something is asked for."""

    def __init__(self, tracing: Tracing | None, access: AccessLog | None) -> None:
        self._tracing = tracing
        self._access = access

    def begun(self, exchange: Exchange, now_ns: int, waited_ns: int) -> Trace | None:
        """A request is admitted; None if it is no part of any trace."""
        if self._tracing is None:
            return None
        return self._tracing.begin(exchange.headers, now_ns - waited_ns, waited_ns)

    def ended(
        self, event: UsageEvent, ticket: Ticket, then: Callable[[], None]
    ) -> Callable[[], None]:
        """A request has ended; returns what is to be called once its event is durable."""
        if self._access is not None:
            self._access.ended(event, ticket.waited_ns)
        trace, tracing = ticket.trace, self._tracing
        if tracing is None or trace is None or not trace.sampled:
            return then

        def durable() -> None:
            then()
            tracing.put(Ended(trace, event, time.time_ns()))

        return durable

    def refused(self, exchange: Exchange, api: str, error: ApiError, request_id: str) -> None:
        """A request was not admitted; `api` is empty where none was called."""
        if self._access is not None:
            self._access.refused(request_id, api, error.status, error.code)
        if self._tracing is not None and api:
            now_ns = time.time_ns()
            trace = self._tracing.begin(exchange.headers, now_ns, 0)
            if trace is not None and trace.sampled:
                self._tracing.put(Refused(trace, request_id, api, error.status, error.code, now_ns))
