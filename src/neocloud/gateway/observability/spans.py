"""Spans of a request as OpenTelemetry has them. Made only where traces are asked for.

Names and attributes are those of the GenAI conventions; what they have no name for begins with
`neocloud.`. A span holds no prompt, no answer, no key and nothing else that a client can word
freely: models and tenants are those of the file.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import Enum
from typing import TYPE_CHECKING, Any

import neocloud
from neocloud.gateway.observability.metrics import ERRORS, OPERATIONS, PROVIDER
from neocloud.gateway.observability.tracing import Ended, Exporter, Refused, Trace
from neocloud.ledger import UsageEvent

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

_TIMEOUT_S = 10.0

Attributes = dict[str, str | bool | int | float]


class Kind(Enum):
    """Whom a span is about, as OpenTelemetry names it."""

    SERVER = "SERVER"
    CLIENT = "CLIENT"
    INTERNAL = "INTERNAL"


class MissingTelemetryError(RuntimeError):
    """OpenTelemetry is not installed."""

    def __init__(self) -> None:
        super().__init__("gateway.traces needs OpenTelemetry: pip install 'neocloud[telemetry]'")


class _Telemetry:
    """What of OpenTelemetry is used."""

    def __init__(self) -> None:
        try:
            from opentelemetry import trace
            from opentelemetry.exporter.otlp.proto.http import trace_exporter
            from opentelemetry.sdk import resources
            from opentelemetry.sdk import trace as sdk
            from opentelemetry.sdk.trace import export
            from opentelemetry.sdk.util import instrumentation
        except ImportError:
            raise MissingTelemetryError from None
        self.exporter: Any = trace_exporter.OTLPSpanExporter
        self.resource: Any = resources.Resource
        self.span: Any = sdk.ReadableSpan
        self.scope: Any = instrumentation.InstrumentationScope
        self.context: Any = trace.SpanContext
        self.success: Any = export.SpanExportResult.SUCCESS
        self.kinds: dict[Kind, Any] = {kind: trace.SpanKind[kind.value] for kind in Kind}
        self.sampled: Any = trace.TraceFlags(trace.TraceFlags.SAMPLED)
        self.well: Any = trace.Status(trace.StatusCode.UNSET)
        self.failed: Any = trace.Status(trace.StatusCode.ERROR)


class SpanMaker:
    """Makes the spans of requests.

    Raises:
        MissingTelemetryError: OpenTelemetry is not installed.
    """

    def __init__(self, worker: int) -> None:
        self._telemetry = _Telemetry()
        self._resource = self._telemetry.resource.create(
            {
                "service.name": "neocloud",
                "service.version": neocloud.__version__,
                "service.instance.id": f"worker-{worker}",
            }
        )
        self._scope = self._telemetry.scope("neocloud.gateway", neocloud.__version__)

    def of(self, record: Ended | Refused) -> Sequence[ReadableSpan]:
        """The request's own span, then those within it."""
        if isinstance(record, Refused):
            return (self._refused(record),)
        return (self._request(record), *self._within(record))

    def exporter_to(self, url: str) -> Exporter:
        """What sends spans to a collector. `OTEL_EXPORTER_OTLP_HEADERS` and such are heeded."""
        made: Exporter = self._telemetry.exporter(
            endpoint=f"{url.rstrip('/')}/v1/traces", timeout=_TIMEOUT_S
        )
        return made

    def succeeded(self, result: object) -> bool:
        """Whether the collector took them."""
        return result is self._telemetry.success

    def _request(self, ended: Ended) -> ReadableSpan:
        trace, event = ended.trace, ended.event
        operation = OPERATIONS.get(event.api, event.api)
        error = ERRORS.get(event.status)
        attributes = _attributes(event, trace, operation)
        if error is not None:
            attributes["error.type"] = error
        return self._span(
            trace, f"{operation} {event.model}", trace.span_id, trace.parent_id, Kind.SERVER,
            (trace.begun_ns, max(event.finished_ns, ended.durable_ns)), attributes,
            failed=error is not None,
        )  # fmt: skip

    def _within(self, ended: Ended) -> Iterator[ReadableSpan]:
        trace, event = ended.trace, ended.event
        if trace.waited_ns:
            times = (trace.begun_ns, trace.begun_ns + trace.waited_ns)
            yield self._inner(trace, "wait for a place", 1, times)
        for number, attempt in enumerate(trace.attempts, 1):
            attributes: Attributes = {
                "neocloud.replica": attempt.replica,
                "neocloud.attempt": number,
            }
            if attempt.fault:
                attributes["error.type"] = attempt.fault
            yield self._span(
                trace, "ask replica", attempt.span_id, trace.span_id, Kind.CLIENT,
                (attempt.begun_ns, attempt.ended_ns or event.finished_ns), attributes,
                failed=bool(attempt.fault),
            )  # fmt: skip
        if ended.durable_ns:
            yield self._inner(trace, "commit usage", 2, (event.finished_ns, ended.durable_ns))

    def _refused(self, refused: Refused) -> ReadableSpan:
        trace = refused.trace
        operation = OPERATIONS.get(refused.api, refused.api)
        attributes: Attributes = {
            "gen_ai.operation.name": operation,
            "gen_ai.provider.name": PROVIDER,
            "http.response.status_code": refused.status,
            "error.type": refused.reason,
            "neocloud.request_id": refused.request_id,
        }
        return self._span(
            trace, operation, trace.span_id, trace.parent_id, Kind.SERVER,
            (trace.begun_ns, refused.at_ns), attributes, failed=refused.status >= 500,
        )  # fmt: skip

    def _inner(self, trace: Trace, name: str, salt: int, times: tuple[int, int]) -> ReadableSpan:
        """A span without one of its own below: its id follows from its parent's."""
        span_id = (trace.span_id + salt * 0x9E3779B97F4A7C15) % 2**64 or salt
        return self._span(trace, name, span_id, trace.span_id, Kind.INTERNAL, times, {})

    def _span(
        self,
        trace: Trace,
        name: str,
        span_id: int,
        parent_id: int,
        kind: Kind,
        times: tuple[int, int],
        attributes: Attributes,
        *,
        failed: bool = False,
    ) -> ReadableSpan:
        telemetry, trace_id = self._telemetry, trace.trace_id
        parent = None
        if parent_id:
            parent = telemetry.context(
                trace_id, parent_id, is_remote=parent_id != trace.span_id,
                trace_flags=telemetry.sampled,
            )  # fmt: skip
        span: ReadableSpan = telemetry.span(
            name=name,
            context=telemetry.context(
                trace_id, span_id, is_remote=False, trace_flags=telemetry.sampled
            ),
            parent=parent,
            resource=self._resource,
            attributes=attributes,
            kind=telemetry.kinds[kind],
            status=telemetry.failed if failed else telemetry.well,
            start_time=times[0],
            end_time=max(times),
            instrumentation_scope=self._scope,
        )
        return span


def _attributes(event: UsageEvent, trace: Trace, operation: str) -> Attributes:
    found: Attributes = {
        "gen_ai.operation.name": operation,
        "gen_ai.provider.name": PROVIDER,
        "gen_ai.request.model": event.model,
        "gen_ai.request.stream": event.streamed,
        "gen_ai.usage.input_tokens": event.input_tokens,
        "gen_ai.usage.cache_read.input_tokens": event.cached_tokens,
        "gen_ai.usage.output_tokens": event.output_tokens,
        "neocloud.request_id": event.request_id,
        "neocloud.api": event.api,
        "neocloud.status": event.status.value,
        "neocloud.tenant": event.tenant,
        "neocloud.site": event.site,
        "neocloud.pool": event.pool,
        "neocloud.replica": event.replica,
        "neocloud.engine": event.engine,
        "neocloud.attempts": event.attempts,
        "neocloud.estimated": event.estimated,
        "neocloud.emulated": event.emulated,
    }
    if event.reasoning_tokens:
        found["gen_ai.usage.reasoning.output_tokens"] = event.reasoning_tokens
    if event.streamed and event.first_token_ns:
        first_s = (event.first_token_ns - trace.begun_ns) / 1e9
        found["gen_ai.response.time_to_first_chunk"] = first_s
    return found
