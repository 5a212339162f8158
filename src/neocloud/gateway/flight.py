"""One admitted request on its way: replica, answer, and exactly one usage event before its end."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from neocloud.gateway.answers import JSON, error_body, with_request_id
from neocloud.gateway.chat import ChatRequest, upstream_body
from neocloud.gateway.fleet import Backend
from neocloud.gateway.sse import EventStream, Usage, usage_of_body
from neocloud.ledger import BYTES_PER_TOKEN, Admission, Status, UsageEvent
from neocloud.routing import Choice, NoReplica, RouteRequest, choose
from neocloud.wire import (
    Call,
    Exchange,
    Lines,
    ResponseHead,
    UpstreamError,
    UpstreamFault,
    header_lines,
)

if TYPE_CHECKING:
    from neocloud.gateway.gateway import Gateway

MAX_ATTEMPTS = 3
MAX_ANSWER_BYTES = 64 * 1024 * 1024
_HELD_BYTES = 256 * 1024
_TRY_ELSEWHERE = frozenset({429, 500, 502, 503, 504})
"""An engine that drains answers 500 (vLLM), a full one 503: another replica may still serve."""
_EVENTS = header_lines(((b"content-type", b"text/event-stream"), (b"cache-control", b"no-cache")))
_EMULATED = b"x-neocloud-emulated: true\r\n"


class Flight:
    """Receives the answer of the engine and hands it to the client.

    Nothing reaches the client before the admission is durable, and the end of the answer not
    before the usage event is.
    """

    __slots__ = (
        "_admission", "_admitted_durable", "_attempts", "_backend", "_body", "_call", "_exchange",
        "_first_token_ns", "_gateway", "_head", "_head_sent", "_held", "_pieces", "_request",
        "_route", "_settled", "_size", "_stream", "_tried",
    )  # fmt: skip

    def __init__(
        self,
        gateway: Gateway,
        exchange: Exchange,
        request: ChatRequest,
        admission: Admission,
        route: RouteRequest,
    ) -> None:
        self._gateway = gateway
        self._exchange = exchange
        self._request = request
        self._admission = admission
        self._route = route
        self._body = exchange.body
        self._backend: Backend | None = None
        self._call: Call | None = None
        self._head: ResponseHead | None = None
        self._stream: EventStream | None = None
        self._pieces: list[bytes] = []
        self._size = 0
        self._held: list[bytes] = []
        self._head_sent = False
        self._admitted_durable = False
        self._settled = False
        self._first_token_ns = 0
        self._attempts = 0
        self._tried: set[str] = set()

    def begin(self, choice: Choice) -> None:
        """Admit and send to the first replica."""
        exchange = self._exchange
        exchange.on_disconnect(self._client_gone)
        self._gateway.ledger.admit(self._admission, self._admission_durable)
        self._send(choice)

    # wire.Receiver

    def on_head(self, head: ResponseHead) -> None:
        """The engine has begun to answer."""
        self._head = head
        kind = head.headers.get(b"content-type", b"")
        if head.status == 200 and self._request.stream and kind.startswith(b"text/event-stream"):
            self._stream = EventStream(hide_usage=not self._request.wants_usage)
            call = self._call
            assert call is not None
            self._exchange.on_back_pressure(call.pause, call.resume)

    def on_data(self, data: bytes) -> None:
        """Some of the answer has come."""
        stream = self._stream
        if stream is None:
            self._size += len(data)
            self._pieces.append(data)
            if self._size > MAX_ANSWER_BYTES:
                self._drop_call()
                self._fail(502, "the engine's answer is too large", "answer_too_large")
            return
        out = stream.feed(data)
        if not self._first_token_ns and stream.content_seen:
            self._first_token_ns = time.time_ns()
        if stream.oversized:
            self._drop_call()
            self._fail(502, "the engine's event is too large", "answer_too_large")
        elif out:
            self._pass(out)

    def on_end(self) -> None:
        """The engine's answer is whole."""
        self._leave()
        head = self._head
        assert head is not None, "an answer has a head"
        if self._stream is not None:
            rest = self._stream.rest()
            if rest:
                self._pass(rest)
            self._end_stream(self._stream)
            return
        body = b"".join(self._pieces)
        if head.status != 200:
            if head.status in _TRY_ELSEWHERE and self._again():
                return
            self._settle(Status.FAILED, None, lambda: self._respond(head.status, body))
            return
        usage = usage_of_body(body)
        now = time.time_ns()
        self._first_token_ns = now
        self._settle(Status.COMPLETED, usage, lambda: self._respond(200, body), now)

    def on_error(self, error: UpstreamError) -> None:
        """The engine gave no whole answer."""
        self._leave()
        backend = self._backend
        assert backend is not None, "an error comes from a replica"
        if error.fault in (UpstreamFault.CONNECT, UpstreamFault.TIMEOUT):
            backend.state.healthy = False  # until the next probe finds it well
            self._gateway.fleet.of_model(self._request.model)[1].changed()
        if not self._head_sent and not self._held and self._again():
            return
        self._fail(502, "the engine broke off", "engine_failed")

    # own

    def _send(self, choice: Choice) -> None:
        backends, _ = self._gateway.fleet.of_model(self._request.model)
        backend = self._backend = backends[choice.index]
        self._attempts += 1
        self._tried.add(choice.replica)
        self._head = None
        self._stream = None  # one that broke off before its first whole event leaves nothing
        self._pieces = []
        self._size = 0
        backend.state.in_flight += 1
        backend.answered += 1
        headers = self._gateway.upstream_headers(backend)
        limit = self._gateway.rules.models[self._request.model].max_output_tokens
        body = upstream_body(self._body, self._request, backend.endpoint.model, limit)
        self._call = backend.pool.request(b"POST", backend.path, self, headers, body)

    def _again(self) -> bool:
        """Try another replica, if one is left and the client still waits."""
        if self._exchange.closed or self._settled or self._attempts >= MAX_ATTEMPTS:
            return False
        _, group = self._gateway.fleet.of_model(self._request.model)
        rest = msgspec.structs.replace(self._route, excluded=frozenset(self._tried))
        choice = choose(group, rest, time.monotonic())
        if isinstance(choice, NoReplica):
            return False
        self._send(choice)
        return True

    def _leave(self) -> None:
        """The replica is done with this request."""
        if self._call is not None and self._backend is not None:
            self._call = None
            self._backend.state.in_flight -= 1

    def _drop_call(self) -> None:
        call = self._call
        self._leave()
        if call is not None:
            call.abort()

    def _client_gone(self) -> None:
        if self._settled:
            return
        self._drop_call()
        usage = self._stream.usage if self._stream is not None else None
        self._settle(Status.ABORTED, usage, _nothing)

    def _admission_durable(self) -> None:
        self._admitted_durable = True
        held, self._held = self._held, []
        if held:
            self._pass(b"".join(held))
            if self._size > _HELD_BYTES and self._call is not None:
                self._call.resume()

    def _pass(self, data: bytes) -> None:
        if not self._admitted_durable:
            if not self._held:
                self._gateway.ledger.hurry(self._admission.request_id)
            self._held.append(data)
            self._size += len(data)
            if self._size > _HELD_BYTES and self._call is not None:
                self._call.pause()  # the ledger is slow; what is held stays bounded
            return
        if not self._head_sent:
            self._start_stream()
        self._exchange.write(data)

    def _start_stream(self) -> None:
        self._head_sent = True
        self._exchange.start(200, self._headers(_EVENTS))

    def _headers(self, lines: Lines) -> Lines:
        if self._backend is not None and self._backend.endpoint.emulated:
            lines = Lines(lines + _EMULATED)
        return with_request_id(lines, self._admission.request_id.encode())

    def _end_stream(self, stream: EventStream) -> None:
        if stream.complete:
            self._settle(Status.COMPLETED, stream.usage, self._finish)
        elif stream.failed:  # the client gets the engine's own words, and a clean end of the body
            self._settle(Status.FAILED, stream.usage, self._finish)
        else:
            self._settle(Status.FAILED, stream.usage, self._exchange.abort)

    def _finish(self) -> None:
        """Write what waited for the ledger. The admission is durable by now: it came before."""
        self._admission_durable()
        if not self._head_sent:
            self._start_stream()
        assert self._stream is not None, "only a stream is finished"
        self._exchange.finish(self._stream.held)

    def _respond(self, status: int, body: bytes) -> None:
        self._exchange.respond(status, self._headers(JSON), body)

    def _fail(self, status: int, message: str, code: str) -> None:
        if self._settled:
            return
        usage = self._stream.usage if self._stream is not None else None
        if self._head_sent or self._held:
            self._settle(Status.FAILED, usage, self._exchange.abort)
        else:
            body = error_body(status, message, code)
            self._settle(Status.FAILED, usage, lambda: self._respond(status, body))

    def _settle(
        self, status: Status, usage: Usage | None, then: Callable[[], None], now_ns: int = 0
    ) -> None:
        """Write the usage event; `then` runs once it is durable."""
        if self._settled:
            return
        self._settled = True
        admission, backend, stream = self._admission, self._backend, self._stream
        state = backend.state if backend is not None else None
        if usage is not None:
            tokens = (usage.prompt_tokens, usage.cached_tokens, usage.completion_tokens)
        else:
            tokens = self._estimate(status, stream)
        event = UsageEvent(
            request_id=admission.request_id,
            tenant=admission.tenant,
            key_id=admission.key_id,
            model=admission.model,
            site=state.site if state is not None else "",
            pool=state.pool if state is not None else "",
            replica=state.replica if state is not None else "",
            accelerator=backend.accelerator if backend is not None else "",
            engine=backend.endpoint.kind if backend is not None else "",
            user_metro=admission.user_metro,
            input_tokens=tokens[0],
            cached_tokens=tokens[1],
            output_tokens=tokens[2],
            admitted_ns=admission.admitted_ns,
            first_token_ns=self._first_token_ns,
            finished_ns=now_ns or time.time_ns(),
            status=status,
            attempts=self._attempts,
            streamed=bool(self._request.stream),
            estimated=usage is None and any(tokens),
            emulated=backend is not None and backend.endpoint.emulated,
            price_version=admission.price_version,
        )
        self._gateway.settle(event, then)

    def _estimate(self, status: Status, stream: EventStream | None) -> tuple[int, int, int]:
        """Tokens where the engine told none: what it surely did, and never more than allowed."""
        if status is Status.FAILED and (stream is None or not stream.content_seen):
            return 0, 0, 0
        prompt = -(-self._admission.prompt_bytes // BYTES_PER_TOKEN)
        events = stream.content_events if stream is not None else 0
        limit = self._admission.max_output_tokens
        return prompt, 0, min(events, limit) if limit else events


def _nothing() -> None:
    """No one waits for this event."""
