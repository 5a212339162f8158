"""The gateway's own Prometheus page.

Histograms bear the names, labels and bounds of OpenTelemetry's GenAI conventions as its exporter to
Prometheus writes them; what they have no name for begins with `neocloud_`, and follows vLLM's words
where vLLM counts the same. Models, tenants, sites and replicas come from the file, so the page is
bounded; no key and no request id is a label.
"""

from __future__ import annotations

import os
import platform
import resource
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sized
from pathlib import Path
from typing import Protocol

import msgspec

import neocloud
from neocloud.gateway.fleet.replicas import Backend, Fleet
from neocloud.gateway.observability.exposition import Exposition, Labels, Sample, Spread
from neocloud.gateway.observability.traffic import (
    FIRST_TOKEN_S,
    PER_TOKEN_S,
    QUEUE_S,
    REQUEST_S,
    TOKENS,
    Buckets,
    Series,
    Traffic,
)
from neocloud.ledger import Ledger, Status
from neocloud.quotas import Quotas

PROVIDER = "neocloud"
"""Value of `gen_ai.provider.name`: who is asked, whatever engine answers."""
OPERATIONS = {
    "chat": "chat", "messages": "chat", "responses": "chat", "completions": "text_completion",
    "embeddings": "embeddings",
}  # fmt: skip
"""Values of `gen_ai.operation.name` by the API that was called."""
ERRORS = {Status.ABORTED: "client_gone", Status.FAILED: "engine", Status.INTERRUPTED: "gateway"}
"""Values of `error.type` for what did not end well."""

_STARTED_S = time.time()


class Sending(Protocol):
    """What sends traces tells of itself."""

    @property
    def counts(self) -> dict[str, int]:
        """Requests by what became of their traces."""
        ...


class Process(msgspec.Struct, frozen=True, kw_only=True):
    """What the page tells beside what the gateway itself knows.

    Attributes:
        worker: number of this process.
        connections: clients' open connections; None if nobody can say.
        traces: what sends them; None if nothing does.
    """

    worker: int = 0
    connections: Callable[[], int] | None = None
    traces: Sending | None = None


class Measured(Protocol):
    """What the page is about; a `Gateway` is one."""

    traffic: Traffic
    fleet: Fleet
    ledger: Ledger
    quotas: Quotas
    process: Process

    @property
    def waiting(self) -> Sized:
        """Requests that wait for a place."""
        ...


def metrics_page(gateway: Measured) -> bytes:
    """All metrics as text, counters since the start of this process.

    May be called by another thread than the gateway's: whatever grows meanwhile is copied first.
    """
    page = Exposition()
    traffic = gateway.traffic
    _latencies(page, traffic)
    _requests(page, traffic)
    _refusals(page, traffic)
    _waiting(page, gateway)
    _replicas(page, gateway.fleet.backends)
    _ledger(page, gateway.ledger)
    page.gauge(
        "neocloud_quotas_failing", "1 while limits cannot be checked with those who share them.",
        [((), int(gateway.quotas.failure is not None))],
    )  # fmt: skip
    page.counter(
        "neocloud_quotas_forgotten_total", "Times that the store of limits had lost what it held.",
        [((), gateway.quotas.forgotten)],
    )  # fmt: skip
    _process(page, gateway.process, gateway.fleet.backends)
    return page.text()


def _latencies(page: Exposition, traffic: Traffic) -> None:
    all_of = sorted(traffic.buckets.items())
    whole = [each for each in all_of if each[0][3] is Status.COMPLETED]

    def spreads(
        rows: Iterable[tuple[Series, Buckets]],
        pick: Callable[[Buckets], list[int]],
        total_ns: Callable[[Buckets], int],
    ) -> Iterator[Spread]:
        return ((_gen_ai(series), pick(b), total_ns(b) / 1e9) for series, b in rows)

    page.histogram(
        "gen_ai_server_request_duration_seconds",
        "From the request to the end of its answer, time that it waited for a place included.",
        REQUEST_S, spreads(all_of, lambda b: b.durations, lambda b: b.duration_ns),
    )  # fmt: skip
    page.histogram(
        "gen_ai_server_time_to_first_token_seconds",
        "From the request to the first token, of streams that ended well.",
        FIRST_TOKEN_S, spreads(whole, lambda b: b.first_tokens, lambda b: b.first_token_ns),
    )  # fmt: skip
    page.histogram(
        "gen_ai_server_time_per_output_token_seconds",
        "Mean time from token to token after the first, of streams that ended well.",
        PER_TOKEN_S, spreads(whole, lambda b: b.per_tokens, lambda b: b.per_token_ns),
    )  # fmt: skip
    inputs: Counter[Series] = Counter()
    outputs: Counter[Series] = Counter()
    for (model, _, site, api, status, emulated), sums in list(traffic.sums.items()):
        series = (model, site, api, status, emulated)
        inputs[series] += sums.input_tokens
        outputs[series] += sums.output_tokens
    kind = "gen_ai_token_type"
    page.histogram(
        "gen_ai_client_token_usage", "Tokens of a request; cached ones are among its input.",
        TOKENS,
        (
            *(((*_gen_ai(s), (kind, "input")), b.input_tokens, inputs[s]) for s, b in all_of),
            *(((*_gen_ai(s), (kind, "output")), b.output_tokens, outputs[s]) for s, b in all_of),
        ),
    )  # fmt: skip


def _gen_ai(series: Series) -> Labels:
    """Labels as the conventions name them, and two of our own."""
    model, site, api, status, emulated = series
    error = ERRORS.get(status)
    return (
        ("gen_ai_operation_name", OPERATIONS.get(api, api)),
        ("gen_ai_provider_name", PROVIDER),
        ("gen_ai_request_model", model),
        *((("error_type", error),) if error is not None else ()),
        ("api", api),
        ("site", site),
        ("emulated", _word(emulated)),
    )


def _requests(page: Exposition, traffic: Traffic) -> None:
    requests: Counter[Labels] = Counter()
    tokens: Counter[Labels] = Counter()
    attempts: Counter[Labels] = Counter()
    retries: Counter[Labels] = Counter()
    failovers: Counter[Labels] = Counter()
    estimated: Counter[Labels] = Counter()
    for (model, tenant, _, api, status, emulated), sums in list(traffic.sums.items()):
        mark = ("emulated", _word(emulated))
        who: Labels = (("model", model), ("tenant", tenant))
        requests[*who, ("api", api), ("status", status), mark] += sums.requests
        for kind, count in (
            ("input", sums.input_tokens), ("cached_input", sums.cached_tokens),
            ("output", sums.output_tokens), ("reasoning", sums.reasoning_tokens),
        ):  # fmt: skip
            tokens[*who, ("kind", kind), mark] += count
        of_model: Labels = (("model", model), mark)
        attempts[of_model] += sums.requests + sums.retries
        retries[of_model] += sums.retries
        failovers[of_model] += sums.failovers
        estimated[of_model] += sums.estimated
    for name, meaning, counted in (
        ("requests", "Admitted requests that ended, by how.", requests),
        ("tokens", "Metered tokens; cached_input is part of input, reasoning of output.", tokens),
        ("attempts", "Times that a replica was asked, for requests that ended.", attempts),
        ("retries", "Of them, those that were not a request's first.", retries),
        ("failovers", "Requests that another replica answered than the first.", failovers),
        ("estimated", "Requests with a token count that is ours, not the engine's.", estimated),
    ):
        page.counter(f"neocloud_{name}_total", meaning, sorted(counted.items()))
    page.counter(
        "neocloud_failed_attempts_total", "Attempts that failed, by replica and fault.",
        (((("replica", replica), ("fault", fault)), n)
         for (replica, fault), n in sorted(traffic.faults.items())),
    )  # fmt: skip
    page.counter(
        "neocloud_out_of_retries_total", "Requests not tried again: the retry budget was empty.",
        [((), traffic.out_of_retries)],
    )  # fmt: skip


def _refusals(page: Exposition, traffic: Traffic) -> None:
    page.counter(
        "neocloud_refused_total", "Requests that were not admitted, by HTTP status and reason.",
        (((("status", str(status)), ("reason", reason)), n)
         for (status, reason), n in sorted(traffic.reasons.items())),
    )  # fmt: skip
    page.counter(
        "neocloud_limited_total", "Of them, those that met a limit of their tenant.",
        (((("tenant", tenant), ("limit", limit)), n)
         for (tenant, limit), n in sorted(traffic.over_limit.items())),
    )  # fmt: skip


def _waiting(page: Exposition, gateway: Measured) -> None:
    page.gauge(
        "neocloud_num_requests_running", "Admitted requests that have not ended.",
        [((), gateway.ledger.open_requests)],
    )  # fmt: skip
    page.gauge(
        "neocloud_num_requests_waiting", "Requests that wait for a place at a replica.",
        [((), len(gateway.waiting))],
    )  # fmt: skip
    page.histogram(
        "neocloud_request_queue_time_seconds",
        "How long requests waited for a place; those that found one at once are not among them.",
        QUEUE_S,
        (((("model", model),), waits.buckets, waits.total_ns / 1e9)
         for model, waits in sorted(gateway.traffic.waits.items())),
    )  # fmt: skip


def _replicas(page: Exposition, backends: Iterable[Backend]) -> None:
    now_s = time.monotonic()
    found: list[tuple[Labels, Backend]] = [
        (
            (("replica", b.state.replica), ("model", b.state.model), ("site", b.state.site),
             ("emulated", _word(b.endpoint.emulated))),
            b,
        )
        for b in backends
    ]  # fmt: skip
    told = [(labels, b) for labels, b in found if b.state.told_s > float("-inf")]

    def all_of(value: Callable[[Backend], float]) -> Iterator[Sample]:
        return ((labels, value(b)) for labels, b in found)

    def told_of(value: Callable[[Backend], float]) -> Iterator[Sample]:
        return ((labels, value(b)) for labels, b in told)

    page.gauge("neocloud_replica_healthy", "1 if the replica takes requests.",
               all_of(lambda b: int(b.state.healthy)))  # fmt: skip
    page.gauge("neocloud_replica_drained", "1 while the operator keeps requests off it.",
               all_of(lambda b: int(b.drained)))  # fmt: skip
    page.gauge("neocloud_replica_in_flight", "Requests of this process at the replica.",
               all_of(lambda b: b.state.in_flight))  # fmt: skip
    page.gauge("neocloud_replica_breaker_state", "0 closed, 1 half-open, 2 open after failures.",
               all_of(lambda b: _breaker(b, now_s)))  # fmt: skip
    page.gauge("neocloud_replica_num_requests_others",
               "Requests in the engine that are not this process's, as it told.",
               told_of(lambda b: b.state.others))  # fmt: skip
    page.gauge("neocloud_replica_num_requests_waiting",
               "Requests that wait in the engine, as it told.",
               told_of(lambda b: b.state.waiting))  # fmt: skip
    page.gauge("neocloud_replica_kv_cache_usage_perc",
               "Share of the engine's KV cache in use, 0 to 1, as it told.",
               told_of(lambda b: b.state.kv_usage))  # fmt: skip
    page.gauge("neocloud_replica_told_age_seconds", "Age of what the engine told.",
               told_of(lambda b: max(0.0, now_s - b.state.told_s)))  # fmt: skip


def _breaker(backend: Backend, now_s: float) -> int:
    breaker = backend.state.breaker
    if not breaker.opened:
        return 0
    return 2 if now_s < breaker.until_s else 1


def _ledger(page: Exposition, ledger: Ledger) -> None:
    for name, meaning, count in (
        ("records", "Records made durable.", ledger.committed),
        ("commits", "Commits that carried them.", ledger.commits),
        ("recovered", "Requests that a crash had left open, closed as interrupted.",
         ledger.recovered),
    ):  # fmt: skip
        page.counter(f"neocloud_ledger_{name}_total", meaning, [((), count)])
    page.gauge(
        "neocloud_ledger_failing", "1 while usage cannot be recorded, and nothing is admitted.",
        [((), int(ledger.failure is not None))],
    )  # fmt: skip
    report = ledger.shipping
    if report is None:
        return
    page.counter("neocloud_ledger_shipped_total",
                 "Records that the shipper of this machine brought to the store.",
                 [((), report.shipped)])  # fmt: skip
    page.gauge("neocloud_ledger_backlog_bytes", "Of segments that are not in the store yet.",
               [((), report.backlog_bytes)])  # fmt: skip
    page.gauge("neocloud_ledger_lag_seconds",
               "For how long there has been something that is not in the store.",
               [((), report.lag_s)])  # fmt: skip
    page.gauge("neocloud_ledger_shipping_failing", "1 while shipping keeps requests out.",
               [((), int(report.failure is not None))])  # fmt: skip


def _process(page: Exposition, process: Process, backends: Iterable[Backend]) -> None:
    page.gauge(
        "neocloud_build_info", "1; the labels say what runs.",
        [((("version", neocloud.__version__), ("python", platform.python_version())), 1)],
    )  # fmt: skip
    page.gauge("neocloud_worker", "Number of this process; each has its own page.",
               [((), process.worker)])  # fmt: skip
    if process.connections is not None:
        page.gauge("neocloud_connections", "Clients' open connections.",
                   [((), process.connections())])  # fmt: skip
    pools = {id(b.pool): b.pool for b in backends}
    page.gauge("neocloud_engine_connections", "Open connections to engines, idle ones included.",
               [((), sum(pool.connections for pool in pools.values()))])  # fmt: skip
    if process.traces is not None:
        page.counter(
            "neocloud_traces_total", "Requests whose spans were sent, lost for want of room, or "
            "not taken by the collector.",
            (((("outcome", word),), n) for word, n in sorted(process.traces.counts.items())),
        )  # fmt: skip
    times = os.times()
    page.counter("process_cpu_seconds_total", "Processor time, of user and system.",
                 [((), times.user + times.system)])  # fmt: skip
    page.gauge("process_resident_memory_bytes", "Memory in use.", [((), _memory_bytes())])
    page.gauge("process_start_time_seconds", "When the process started, since the epoch.",
               [((), _STARTED_S)])  # fmt: skip
    descriptors = _open_files()
    if descriptors is not None:
        page.gauge("process_open_fds", "Open files and sockets.", [((), descriptors)])
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    page.gauge("process_max_fds", "The most that there may be.", [((), soft)])


def _memory_bytes() -> int:
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except (OSError, ValueError, IndexError):  # no Linux: the most there ever was
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most if sys.platform == "darwin" else most * 1024
    return pages * resource.getpagesize()


def _open_files() -> int | None:
    try:
        return sum(1 for _ in Path("/proc/self/fd").iterdir())
    except OSError:
        return None


def _word(truth: bool) -> str:
    return "true" if truth else "false"
