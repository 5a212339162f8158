"""OpenTelemetry traces: which requests are traced, their ids, and the way to the collector.

In the request path a trace is a few numbers that are noted down; what can be dear, making spans and
sending them, is done by a thread of its own from a bounded queue. What finds no room is lost and
counted: a slow collector never slows a request. Where no traces are asked for, nothing of this
exists. No span holds a prompt, an answer or a key.
"""

from __future__ import annotations

import logging
import random
import re
import secrets
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

import msgspec

from neocloud.ledger import AttemptEvent, UsageEvent
from neocloud.wire import Lines

if TYPE_CHECKING:
    from neocloud.gateway.observability.spans import SpanMaker

log = logging.getLogger(__name__)

QUEUED = 4096
"""Requests that may wait to be sent. Assumption: two seconds at 2,000 traced requests a second."""
_BATCH = 256
"""Requests whose spans are sent together: some hundred kilobytes."""
_PERIOD_S = 1.0
_CLOSE_S = 3.0
"""How long the last spans may take when the gateway ends."""

# W3C Trace Context, version 00; a later version may add fields at the end.
_PARENT = re.compile(rb"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_STATE = re.compile(rb"[\x20-\x7e]{1,512}")


class Attempt(msgspec.Struct):
    """One try at a replica. `ended_ns` is 0 while it runs, `fault` empty unless it failed."""

    span_id: int
    replica: str
    begun_ns: int
    ended_ns: int = 0
    fault: str = ""


class Trace:
    """One request's part of a trace, noted down as it goes.

    Attributes:
        trace_id: 128 bits.
        span_id: of the request's own span, 64 bits.
        parent_id: of the span that it belongs to; 0 if it is the first of its trace.
        sampled: whether its spans are sent.
        begun_ns: when the request came.
        waited_ns: how long it waited for a place.
        attempts: in order.
    """

    __slots__ = (
        "_draw", "_state", "attempts", "begun_ns", "parent_id", "sampled", "span_id", "trace_id",
        "waited_ns",
    )  # fmt: skip

    def __init__(
        self,
        draw: Callable[[int], int],
        trace_id: int,
        parent_id: int,
        *,
        sampled: bool,
        state: bytes,
    ) -> None:
        self._draw = draw
        self._state = state
        self.trace_id = trace_id
        self.parent_id = parent_id
        self.sampled = sampled
        # A trace that is not sent has no spans of ours: who comes after us belongs to our parent.
        self.span_id = draw(64) or 1 if sampled else parent_id
        self.begun_ns = 0
        self.waited_ns = 0
        self.attempts: list[Attempt] = []

    def sent(self, head: Lines, replica: str) -> Lines:
        """Note that a replica is asked; its request's head, which says so to the engine."""
        span_id = self.span_id
        if self.sampled:
            span_id = self._draw(64) or 1
            self.attempts.append(Attempt(span_id, replica, time.time_ns()))
        line = b"traceparent: 00-%032x-%016x-%02x\r\n" % (self.trace_id, span_id, self.sampled)
        if self._state:
            line += b"tracestate: %b\r\n" % self._state
        return Lines(head + line)

    def failed(self, attempt: AttemptEvent) -> None:
        """Note that the replica that was asked last gave no good answer."""
        if self.attempts:
            last = self.attempts[-1]
            last.ended_ns = attempt.ended_ns
            last.fault = attempt.fault


class Ended(msgspec.Struct, frozen=True, gc=False):
    """A request that was admitted, as its spans are made from it."""

    trace: Trace
    event: UsageEvent
    durable_ns: int


class Refused(msgspec.Struct, frozen=True, gc=False):
    """A request that was not admitted."""

    trace: Trace
    request_id: str
    api: str
    status: int
    reason: str
    at_ns: int


class Exporter(Protocol):
    """Sends spans; what OpenTelemetry's exporters do."""

    def export(self, spans: Sequence[object]) -> object:
        """Send spans, and wait until the collector took them or time is up."""
        ...

    def shutdown(self) -> None:
        """Give up what is being sent."""
        ...


class Tracing:
    """Decides what is traced, and sends it. Made by `start_tracing`; all but its thread is one's.

    Args:
        spans: makes spans.
        exporter: sends them.
        share: of the traces that begin here, those that are sent. Whoever begins one elsewhere
            decides for it.
    """

    def __init__(self, spans: SpanMaker, exporter: Exporter, share: float) -> None:
        self._spans = spans
        self._exporter = exporter
        self._bound = round(share * 2**64)
        # Ids must not collide; they are no secret, and the system's entropy is slow.
        self._draw = random.Random(secrets.randbits(256)).getrandbits  # noqa: S311
        self._queue: deque[Ended | Refused] = deque()
        self._counts: Counter[str] = Counter({"sent": 0, "lost": 0, "failed": 0})
        self._wake = threading.Event()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="traces", daemon=True)
        self._thread.start()

    @property
    def counts(self) -> dict[str, int]:
        """Requests by what became of their traces: `sent`, `lost` for want of room, `failed`."""
        return dict(self._counts)

    def begin(self, headers: Mapping[bytes, bytes], begun_ns: int, waited_ns: int) -> Trace | None:
        """Decide about a request; None if it is no part of any trace."""
        told = headers.get(b"traceparent")
        parent = None if told is None else _parent(told)
        if parent is not None:
            trace_id, parent_id, sampled = parent
            state = headers.get(b"tracestate", b"")
            trace = Trace(
                self._draw, trace_id, parent_id, sampled=sampled,
                state=state if _STATE.fullmatch(state) else b"",
            )  # fmt: skip
        else:
            trace_id = self._draw(128) or 1
            if trace_id & (2**64 - 1) >= self._bound:
                return None
            trace = Trace(self._draw, trace_id, 0, sampled=True, state=b"")
        trace.begun_ns = begun_ns
        trace.waited_ns = waited_ns
        return trace

    def put(self, record: Ended | Refused) -> None:
        """Have the spans of a request sent."""
        if len(self._queue) >= QUEUED:
            self._counts["lost"] += 1
            return
        self._queue.append(record)
        if len(self._queue) == _BATCH:
            self._wake.set()

    def close(self) -> None:
        """Send what is there, for some seconds at most. Blocks."""
        self._closing = True
        self._wake.set()
        self._thread.join(_CLOSE_S)
        if self._thread.is_alive():
            self._exporter.shutdown()  # ends its wait for a collector that does not answer
            self._thread.join(_CLOSE_S)

    def _run(self) -> None:
        while True:
            closing = self._closing
            if not closing:
                self._wake.wait(_PERIOD_S)
                self._wake.clear()
            while self._queue:
                self._send([self._queue.popleft() for _ in range(min(_BATCH, len(self._queue)))])
            if closing:
                return

    def _send(self, batch: list[Ended | Refused]) -> None:
        try:
            spans = [span for record in batch for span in self._spans.of(record)]
            sent = self._spans.succeeded(self._exporter.export(spans))
        except Exception as error:  # noqa: BLE001 - whatever it is, the gateway goes on
            log.warning("traces cannot be sent: %r", error)
            sent = False
        self._counts["sent" if sent else "failed"] += len(batch)


def start_tracing(url: str, share: float, worker: int) -> Tracing:
    """Send traces to a collector.

    Args:
        url: base URL of an OTLP/HTTP collector, such as `http://127.0.0.1:4318`.
        share: of the traces that begin here, those that are sent, 0 to 1.
        worker: number of this process.

    Raises:
        MissingTelemetryError: the extra `telemetry` is not installed.
    """
    from neocloud.gateway.observability.spans import SpanMaker

    spans = SpanMaker(worker)
    return Tracing(spans, spans.exporter_to(url), share)


def _parent(told: bytes) -> tuple[int, int, bool] | None:
    """Trace, span and whether it is sampled, of a `traceparent`; None if it is none."""
    found = _PARENT.fullmatch(told.strip())
    if found is None:
        return None
    version, trace, span, flags, more = found.groups()
    trace_id, span_id = int(trace, 16), int(span, 16)
    if version == b"ff" or (version == b"00" and more) or not trace_id or not span_id:
        return None
    return trace_id, span_id, bool(int(flags, 16) & 1)
