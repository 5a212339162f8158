"""One admitted request on its way: replica, answer, and exactly one usage event before its end."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from neocloud.gateway.apis.api import AnswerStream, ApiError, Usage
from neocloud.gateway.apis.refusals import JSON, error_body, with_request_id
from neocloud.gateway.fleet.replicas import Backend, Serving
from neocloud.gateway.requests.entry import Entry
from neocloud.gateway.requests.faults import told_of
from neocloud.gateway.requests.ticket import Ticket
from neocloud.gateway.requests.tokens import count_of, tell_progress
from neocloud.gateway.requests.unstreamed import whole_answer
from neocloud.ledger import AttemptEvent, Status
from neocloud.wire import (
    Call,
    Lines,
    ResponseHead,
    UpstreamError,
    header_lines,
)

if TYPE_CHECKING:
    from neocloud.gateway.requests.gateway import Gateway

MAX_ATTEMPTS = 3
MAX_ANSWER_BYTES = 64 * 1024 * 1024
_HELD_BYTES = 256 * 1024
_TRY_ELSEWHERE = frozenset({401, 403, 404, 405, 408, 429, 500, 502, 503, 504})
"""An engine that drains answers 500 (vLLM), a full one 503; one that knows neither the model nor
our key is set up wrongly. Another replica may still serve."""
_FULL = frozenset({429, 503})
_MISCONFIGURED = frozenset({401, 403, 404, 405})
_EVENTS = header_lines(((b"content-type", b"text/event-stream"), (b"cache-control", b"no-cache")))
_EMULATED = b"x-neocloud-emulated: true\r\n"


class Flight:
    """Receives the answer of the engine and hands it to the client.

    Nothing reaches the client before the admission is durable, and the end of the answer not
    before the usage event is.
    """

    __slots__ = (
        "_admitted_durable", "_api", "_asked", "_attempts", "_backend", "_body",
        "_call", "_exchange", "_first_token_ns", "_gateway", "_head", "_head_sent",
        "_held", "_held_bytes", "_pieces", "_sent_s", "_serving", "_settled", "_size", "_slot",
        "_stream", "_ticket", "_tried",
    )  # fmt: skip

    def __init__(self, gateway: Gateway, entry: Entry, ticket: Ticket, serving: Serving) -> None:
        self._gateway = gateway
        self._exchange = entry.exchange
        self._api = entry.api
        self._asked = entry.asked
        self._ticket = ticket
        self._serving = serving
        self._body = entry.exchange.body
        self._backend: Backend | None = None
        self._call: Call | None = None
        self._head: ResponseHead | None = None
        self._stream: AnswerStream | None = None
        self._pieces: list[bytes] = []
        self._size = 0
        self._held: list[bytes] = []
        self._held_bytes = 0
        self._head_sent = False
        self._admitted_durable = False
        self._settled = False
        self._first_token_ns = 0
        self._attempts = 0
        self._sent_s = 0.0
        self._slot = -1
        self._tried: frozenset[str] = frozenset()

    def begin(self, backend: Backend) -> None:
        """Admit and send to the first replica.

        Raises:
            ApiError: the request cannot be put to this engine; it was not admitted.
        """
        body = self._request_for(backend)
        self._exchange.on_disconnect(self._client_gone)
        self._gateway.ledger.admit(self._ticket.admission, self._admission_durable)
        if self._asked.stream:
            self._slot = self._gateway.ledger.progress.take(self._ticket.request_id)
        self._send(backend, body)

    # wire.Receiver

    def on_whole(self, head: ResponseHead, body: bytes) -> None:
        """All of the answer has come at once."""
        if self._asked.stream:
            self.on_head(head)
            if body:
                self.on_data(body)
            self.on_end()
        else:
            self._head = head
            self._whole(head, body)

    def on_head(self, head: ResponseHead) -> None:
        """The engine has begun to answer."""
        self._head = head
        backend = self._backend
        assert backend is not None, "an answer comes from a replica"
        backend.unanswered.discard(self)
        if head.status == 200 and self._asked.stream:
            kind = head.headers.get(b"content-type", b"")
            if kind.startswith(b"text/event-stream"):
                way = backend.ways[self._api.name]
                self._stream = way.dialect.stream(self._asked)
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
        if stream.content_seen:
            if not self._first_token_ns:
                self._first_token_ns = time.time_ns()
                self._back_again()
            tell_progress(self._gateway.ledger.progress, self._slot, stream, self._ticket)
        if out:
            self._pass(out)
        elif stream.oversized:
            self._drop_call()
            self._fail(502, "the engine's event is too large", "answer_too_large")

    def on_end(self) -> None:
        """The engine's answer is whole."""
        head = self._head
        assert head is not None, "an answer has a head"
        if self._stream is not None:
            rest = self._stream.rest()
            if rest:
                self._pass(rest)
            self._leave(broken=self._stream.failed or not self._stream.complete)
            self._end_stream(self._stream)
            return
        self._whole(head, self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces))

    def _whole(self, head: ResponseHead, body: bytes) -> None:
        """An unstreamed answer has come."""
        backend = self._backend
        assert backend is not None, "an answer comes from a replica"
        if head.status != 200:
            self._refused(head.status, body, backend)
            return
        dialect = backend.ways[self._api.name].dialect
        try:
            answer, usage = whole_answer(dialect, body, self._asked)
        except ApiError as error:
            self._leave(broken=True)
            self._gateway.attempt_failed(self._attempt("no_answer"))
            if not self._again():
                self._fail(error.status, str(error), error.code)
            return
        self._leave(broken=False)
        self._first_token_ns = now = time.time_ns()
        self._settle(Status.COMPLETED, usage, lambda: self._respond(200, answer), now)

    def on_error(self, error: UpstreamError) -> None:
        """The engine gave no whole answer."""
        self._leave(broken=True)
        self._gateway.attempt_failed(self._attempt(error.fault.value))
        if not self._head_sent and not self._held and self._again():
            return
        self._fail(*told_of(error.fault))

    # for the gateway

    def give_up(self) -> None:
        """The replica seems gone and has not begun to answer: ask another, if one is left."""
        if self._settled or self._call is None:
            return
        # Else it keeps the request: a busy one may answer yet, and the time limit ends the others.
        if (found := self._another()) is not None:
            self._drop_call(broken=True)
            self._gateway.attempt_failed(self._attempt("replica_down"))
            self._move(*found)

    # own

    def _request_for(self, backend: Backend) -> bytes:
        dialect = backend.ways[self._api.name].dialect
        return dialect.request(self._body, self._asked, self._ticket.wanted(backend))

    def _send(self, backend: Backend, body: bytes) -> None:
        self._backend = backend
        self._attempts += 1
        self._head = None
        self._stream = None  # one that broke off before its first whole event leaves nothing
        self._pieces = []
        self._size = 0
        backend.answered += 1
        backend.unanswered.add(self)
        self._sent_s = time.monotonic()
        self._serving.group.enter(backend.state, self._sent_s, self._ticket.route.prompt_tokens)
        self._call = backend.pool.send(self._ticket.head(backend, self._api.name), body, self)

    def _again(self) -> bool:
        """Try another replica, if one is left and the client still waits."""
        if (found := self._another()) is not None:
            self._move(*found)
        return found is not None

    def _another(self) -> tuple[Backend, bytes] | None:
        """A replica that was not tried, and the request to it; None if there is to be no more."""
        backend = self._backend
        assert backend is not None, "a second try follows a first"
        if self._exchange.closed or self._settled or self._attempts >= MAX_ATTEMPTS:
            return None
        self._tried = self._tried | {backend.state.replica}
        choice = self._gateway.choose_again(self._serving, self._ticket, self._tried)
        if choice is None:
            return None
        following = self._serving.backends[choice.index]
        try:
            return following, self._request_for(following)
        except ApiError:
            return None

    def _move(self, following: Backend, body: bytes) -> None:
        self._gateway.ledger.readmit(self._ticket.moved(following))
        self._send(following, body)

    def _refused(self, status: int, body: bytes, backend: Backend) -> None:
        """The engine answered with an error."""
        full = status in _FULL
        self._leave(broken=status >= 500 and not full, full=full)
        if status in _TRY_ELSEWHERE or status < 400:
            self._gateway.attempt_failed(self._attempt(f"status_{status}"))
            if self._again():
                return
            if status in _MISCONFIGURED or status < 400:
                self._fail(502, "the engine does not take this request", "engine_refused")
                return
        words = backend.ways[self._api.name].dialect.refusal(status, body)
        self._settle(Status.FAILED, None, lambda: self._respond(status, words))

    def _attempt(self, fault: str) -> AttemptEvent:
        backend = self._backend
        assert backend is not None
        return self._ticket.attempt(backend, self._attempts, self._sent_s, fault)

    def _back_again(self) -> None:
        """A replica that was let alone, and is tried with this request, has begun to answer."""
        backend = self._backend
        if backend is not None and backend.state.breaker.opened:
            self._serving.group.answered(backend.state, self._sent_s, time.monotonic())

    def _leave(self, *, broken: bool, full: bool = False) -> None:
        """The replica is done with this request."""
        backend = self._backend
        if self._call is None or backend is None:
            return
        self._call = None
        backend.unanswered.discard(self)
        group, state = self._serving.group, backend.state
        if broken:
            group.failed(state, self._sent_s, time.monotonic())
        elif full:
            group.full(state, self._sent_s, time.monotonic())
        elif self._head is not None and (state.breaker.opened or state.breaker.failures):
            # Not sooner: it may break off what it has begun.
            group.answered(state, self._sent_s, time.monotonic())
        group.leave(state, self._sent_s, self._ticket.route.prompt_tokens)
        self._gateway.left(self._serving)

    def _drop_call(self, *, broken: bool = False) -> None:
        call = self._call
        self._leave(broken=broken)
        if call is not None:
            call.abort()

    def _client_gone(self) -> None:
        if self._settled:
            return
        self._drop_call()
        self._settle(Status.ABORTED, None, _nothing)

    def _admission_durable(self) -> None:
        self._admitted_durable = True
        held, self._held = self._held, []
        if held:
            self._pass(b"".join(held))
            if self._held_bytes > _HELD_BYTES and self._call is not None:
                self._call.resume()

    def _pass(self, data: bytes) -> None:
        if not self._admitted_durable:
            if not self._held:
                self._gateway.ledger.hurry(self._ticket.request_id)
            self._held.append(data)
            self._held_bytes += len(data)
            if self._held_bytes > _HELD_BYTES and self._call is not None:
                self._call.pause()  # the ledger is slow; what is held stays bounded
            return
        if not self._head_sent:
            self._start_stream()
        self._exchange.write(data)

    def _start_stream(self) -> None:
        self._head_sent = True
        # It is not asked of another any more, and streams stay long: let go of the prompt.
        self._body = self._exchange.body = b""
        self._asked = msgspec.structs.replace(self._asked, prompt=b"")
        self._exchange.start(200, self._headers(_EVENTS))

    def _headers(self, lines: Lines) -> Lines:
        ticket = self._ticket
        if ticket.lines:
            lines = Lines(lines + ticket.lines)
        if self._backend is not None and self._backend.endpoint.emulated:
            lines = Lines(lines + _EMULATED)
        request_id = ticket.request_id.encode()
        return with_request_id(lines, request_id, anthropic=self._api.anthropic)

    def _end_stream(self, stream: AnswerStream) -> None:
        if stream.complete:
            self._settle(Status.COMPLETED, None, self._finish)
            return
        fault = "error_in_stream" if stream.failed else "broke_off"
        self._gateway.attempt_failed(self._attempt(fault))
        if stream.failed:  # the client gets the engine's own words, and a clean end of the body
            self._settle(Status.FAILED, None, self._finish)
        else:
            self._settle(Status.FAILED, None, self._exchange.abort)

    def _finish(self) -> None:
        """Write what waited for the ledger. The admission is durable by now: it came before."""
        self._admission_durable()
        if not self._head_sent:
            self._start_stream()
        assert self._stream is not None, "only a stream is finished"
        self._exchange.finish(self._stream.held)

    def _respond(self, status: int, body: bytes) -> None:
        lines = JSON
        if status >= 400:
            lines = self._gateway.refusal_lines(status)
        self._exchange.respond(status, self._headers(lines), body)

    def _fail(self, status: int, message: str, code: str) -> None:
        if self._settled:
            return
        if self._head_sent or self._held:
            self._settle(Status.FAILED, None, self._exchange.abort)
        else:
            body = error_body(
                status, message, code,
                anthropic=self._api.anthropic, request_id=self._ticket.request_id,
            )  # fmt: skip
            self._settle(Status.FAILED, None, lambda: self._respond(status, body))

    def _settle(
        self, status: Status, usage: Usage | None, then: Callable[[], None], now_ns: int = 0
    ) -> None:
        """Write the usage event, of a stream with its own usage; `then` runs once it is durable."""
        if self._settled:
            return
        self._settled = True
        now_ns = now_ns or time.time_ns()
        stream, backend = self._stream, self._backend
        ticket = self._ticket
        estimated = False
        if usage is None:
            usage, estimated = count_of(status, stream, ticket, backend, now_ns)
        event = ticket.event(
            usage,
            estimated=estimated,
            status=status,
            first_token_ns=self._first_token_ns,
            finished_ns=now_ns,
            attempts=self._attempts,
        )
        if self._slot >= 0:
            self._gateway.ledger.progress.free(self._slot)
            self._slot = -1
        self._gateway.settle(event, ticket, then)


def _nothing() -> None:
    """No one waits for this event."""
