"""What stays with an admitted request to its end."""

from __future__ import annotations

import time

import msgspec

from neocloud.gateway.apis.api import Usage, Wanted
from neocloud.gateway.fleet.replicas import Backend
from neocloud.gateway.observability.tracing import Trace
from neocloud.gateway.tenants.rules import ModelRule
from neocloud.ledger import BYTES_PER_TOKEN, Admission, AttemptEvent, Status, UsageEvent
from neocloud.quotas import Hold
from neocloud.routing import RouteRequest
from neocloud.wire import NO_LINES, Lines


class Ticket(msgspec.Struct, kw_only=True, gc=False):
    """An admitted request.

    Attributes:
        admission: as it is on record, with the replica that is asked now.
        rule: of the model.
        salt: of the tenant's prefix cache.
        route: what the router is asked.
        hold: what is held of the tenant's limits; None without any.
        waited_ns: how long it waited for a place.
        trace: what it is part of; None where nobody watches.
        lines: header fields of its answer beside the usual ones.
    """

    admission: Admission
    rule: ModelRule
    salt: str
    route: RouteRequest
    hold: Hold | None
    waited_ns: int = 0
    trace: Trace | None = None
    lines: Lines = NO_LINES

    @property
    def request_id(self) -> str:
        """UUIDv7, made at admission."""
        return self.admission.request_id

    @property
    def estimated_input(self) -> int:
        """Prompt tokens, from bytes."""
        return -(-self.admission.prompt_bytes // BYTES_PER_TOKEN)

    def wanted(self, backend: Backend) -> Wanted:
        """What an engine is asked for beside what the client wants: kept for a tenant's next."""
        kept = backend.wanted.get(self.salt)
        if kept is not None and kept[0] is self.rule:
            return kept[1]
        endpoint = backend.endpoint
        wanted = Wanted(
            model=endpoint.model,
            limit=self.rule.max_output_tokens,
            continuous=endpoint.continuous,
            salt_field=endpoint.salt_field,
            salt=self.salt,
        )
        backend.wanted[self.salt] = (self.rule, wanted)
        return wanted

    def head(self, backend: Backend, api: str) -> Lines:
        """Head of the request to an engine, but for its length."""
        head = backend.ways[api].head
        return head if self.trace is None else self.trace.sent(head, backend.state.replica)

    def attempt(self, backend: Backend, number: int, sent_s: float, fault: str) -> AttemptEvent:
        """A try that failed just now; `sent_s` is when it began, in monotonic seconds."""
        now_ns = time.time_ns()
        event = AttemptEvent(
            request_id=self.request_id,
            number=number,
            replica=backend.state.replica,
            fault=fault,
            started_ns=now_ns - int((time.monotonic() - sent_s) * 1e9),
            ended_ns=now_ns,
        )
        if self.trace is not None:
            self.trace.failed(event)
        return event

    def moved(self, backend: Backend) -> Admission:
        """The admission with another replica."""
        state = backend.state
        self.admission = msgspec.structs.replace(
            self.admission,
            site=state.site,
            pool=state.pool,
            replica=state.replica,
            accelerator=backend.accelerator,
            engine=backend.endpoint.kind,
            emulated=backend.endpoint.emulated,
        )
        return self.admission

    def event(
        self,
        usage: Usage,
        *,
        estimated: bool,
        status: Status,
        first_token_ns: int,
        finished_ns: int,
        attempts: int,
    ) -> UsageEvent:
        """The one usage event."""
        admission = self.admission
        return UsageEvent(
            request_id=admission.request_id,
            tenant=admission.tenant,
            key_id=admission.key_id,
            model=admission.model,
            site=admission.site,
            pool=admission.pool,
            replica=admission.replica,
            accelerator=admission.accelerator,
            engine=admission.engine,
            user_metro=admission.user_metro,
            input_tokens=usage.input_tokens,
            cached_tokens=usage.cached_tokens,
            output_tokens=usage.output_tokens,
            admitted_ns=admission.admitted_ns,
            first_token_ns=first_token_ns,
            finished_ns=finished_ns,
            status=status,
            attempts=attempts,
            streamed=admission.streamed,
            estimated=estimated,
            emulated=admission.emulated,
            price_version=admission.price_version,
            api=admission.api,
            reasoning_tokens=usage.reasoning_tokens,
            service_tier=admission.service_tier,
        )
