"""What is decided of a request before it is sent on, and what stays with it to its end."""

from __future__ import annotations

import msgspec

from neocloud.gateway.fleet import Backend
from neocloud.gateway.rules import ModelRule
from neocloud.gateway.tokens import Count
from neocloud.ledger import BYTES_PER_TOKEN, Admission, Status, UsageEvent
from neocloud.quotas import Hold
from neocloud.routing import RouteRequest
from neocloud.wire import NO_LINES, Lines


class Ticket(msgspec.Struct, kw_only=True, gc=False):
    """An admitted request.

    Attributes:
        request_id: UUIDv7, made at admission.
        admitted_ns: when.
        tenant: id of who pays.
        key_id: public part of the key.
        model: as asked for.
        api: that the client speaks.
        streamed: True if the answer comes as a stream.
        user_metro: where the caller is.
        prompt_bytes: of the raw prompt, media left out.
        max_output_tokens: the most that it may generate, all its answers together; 0 if unknown.
        price_version: hash of the prices in force.
        rule: of the model.
        salt: of the tenant's prefix cache.
        route: what the router is asked.
        hold: what is held of the tenant's limits; None without any.
        lines: header fields of its answer beside the usual ones.
    """

    request_id: str
    admitted_ns: int
    tenant: str
    key_id: str
    model: str
    api: str
    streamed: bool
    user_metro: str
    prompt_bytes: int
    max_output_tokens: int
    price_version: str
    rule: ModelRule
    salt: str
    route: RouteRequest
    hold: Hold | None
    lines: Lines = NO_LINES

    @property
    def estimated_input(self) -> int:
        """Prompt tokens, from bytes."""
        return -(-self.prompt_bytes // BYTES_PER_TOKEN)

    def admission(self, backend: Backend) -> Admission:
        """Record of the admission, with the replica that is asked."""
        state = backend.state
        return Admission(
            request_id=self.request_id,
            admitted_ns=self.admitted_ns,
            tenant=self.tenant,
            key_id=self.key_id,
            model=self.model,
            user_metro=self.user_metro,
            prompt_bytes=self.prompt_bytes,
            max_output_tokens=self.max_output_tokens,
            price_version=self.price_version,
            api=self.api,
            site=state.site,
            pool=state.pool,
            replica=state.replica,
            accelerator=backend.accelerator,
            engine=backend.endpoint.kind,
            emulated=backend.endpoint.emulated,
        )

    def event(
        self,
        backend: Backend | None,
        count: Count,
        *,
        status: Status,
        first_token_ns: int,
        finished_ns: int,
        attempts: int,
    ) -> UsageEvent:
        """The one usage event."""
        usage = count.usage
        state = backend.state if backend is not None else None
        return UsageEvent(
            request_id=self.request_id,
            tenant=self.tenant,
            key_id=self.key_id,
            model=self.model,
            site=state.site if state is not None else "",
            pool=state.pool if state is not None else "",
            replica=state.replica if state is not None else "",
            accelerator=backend.accelerator if backend is not None else "",
            engine=backend.endpoint.kind if backend is not None else "",
            user_metro=self.user_metro,
            input_tokens=usage.input_tokens,
            cached_tokens=usage.cached_tokens,
            output_tokens=usage.output_tokens,
            admitted_ns=self.admitted_ns,
            first_token_ns=first_token_ns,
            finished_ns=finished_ns,
            status=status,
            attempts=attempts,
            streamed=self.streamed,
            estimated=count.estimated,
            emulated=backend is not None and backend.endpoint.emulated,
            price_version=self.price_version,
            api=self.api,
            reasoning_tokens=usage.reasoning_tokens,
        )
