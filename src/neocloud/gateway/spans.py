"""Spans of a request as OpenTelemetry has them. Imported only where traces are asked for.

Names and attributes are those of the GenAI conventions; what they have no name for begins with
`neocloud.`. A span holds no prompt, no answer, no key and nothing else that a client can word
freely: models and tenants are those of the file.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import cast

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, TraceFlags
from opentelemetry.trace.status import Status as SpanStatus
from opentelemetry.trace.status import StatusCode

import neocloud
from neocloud.gateway.page import ERRORS, OPERATIONS, PROVIDER
from neocloud.gateway.tracing import Ended, Exporter, Refused, Trace
from neocloud.ledger import UsageEvent

_TIMEOUT_S = 10.0
_OK = SpanStatus(StatusCode.UNSET)
_ERROR = SpanStatus(StatusCode.ERROR)
_SAMPLED = TraceFlags(TraceFlags.SAMPLED)

Attributes = dict[str, str | bool | int | float]


def exporter_to(url: str) -> Exporter:
    """What sends spans to a collector. `OTEL_EXPORTER_OTLP_HEADERS` and such are heeded."""
    return cast(
        "Exporter", OTLPSpanExporter(endpoint=f"{url.rstrip('/')}/v1/traces", timeout=_TIMEOUT_S)
    )


class SpanMaker:
    """Makes the spans of requests."""

    def __init__(self, worker: int) -> None:
        self._resource = Resource.create(
            {
                "service.name": "neocloud",
                "service.version": neocloud.__version__,
                "service.instance.id": f"worker-{worker}",
            }
        )
        self._scope = InstrumentationScope("neocloud.gateway", neocloud.__version__)

    def of(self, record: Ended | Refused) -> Sequence[ReadableSpan]:
        """The request's own span, then those within it."""
        if isinstance(record, Refused):
            return (self._refused(record),)
        return (self._request(record), *self._within(record))

    @staticmethod
    def succeeded(result: object) -> bool:
        """Whether the collector took them."""
        return result is SpanExportResult.SUCCESS

    def _request(self, ended: Ended) -> ReadableSpan:
        trace, event = ended.trace, ended.event
        operation = OPERATIONS.get(event.api, event.api)
        error = ERRORS.get(event.status)
        attributes = _attributes(event, trace, operation)
        if error is not None:
            attributes["error.type"] = error
        return self._span(
            trace, f"{operation} {event.model}", trace.span_id, trace.parent_id, SpanKind.SERVER,
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
                trace, "ask replica", attempt.span_id, trace.span_id, SpanKind.CLIENT,
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
            trace, operation, trace.span_id, trace.parent_id, SpanKind.SERVER,
            (trace.begun_ns, refused.at_ns), attributes, failed=refused.status >= 500,
        )  # fmt: skip

    def _inner(self, trace: Trace, name: str, salt: int, times: tuple[int, int]) -> ReadableSpan:
        """A span without one of its own below: its id follows from its parent's."""
        span_id = (trace.span_id + salt * 0x9E3779B97F4A7C15) % 2**64 or salt
        return self._span(trace, name, span_id, trace.span_id, SpanKind.INTERNAL, times, {})

    def _span(
        self,
        trace: Trace,
        name: str,
        span_id: int,
        parent_id: int,
        kind: SpanKind,
        times: tuple[int, int],
        attributes: Attributes,
        *,
        failed: bool = False,
    ) -> ReadableSpan:
        trace_id = trace.trace_id
        parent = None
        if parent_id:
            remote = parent_id != trace.span_id
            parent = SpanContext(trace_id, parent_id, is_remote=remote, trace_flags=_SAMPLED)
        return ReadableSpan(
            name=name,
            context=SpanContext(trace_id, span_id, is_remote=False, trace_flags=_SAMPLED),
            parent=parent,
            resource=self._resource,
            attributes=attributes,
            kind=kind,
            status=_ERROR if failed else _OK,
            start_time=times[0],
            end_time=max(times),
            instrumentation_scope=self._scope,
        )


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
