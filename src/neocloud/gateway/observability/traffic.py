"""What went through the gateway since it started, for its Prometheus page.

Counting a request must cost less than a microsecond: one look-up finds where its numbers go, and
durations are sorted into ready-made buckets as whole nanoseconds. Labels are written when the page
is asked for.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter

from neocloud.ledger import AttemptEvent, Status, UsageEvent

REQUEST_S = (
    0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92,
)  # fmt: skip
FIRST_TOKEN_S = (
    0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
)  # fmt: skip
PER_TOKEN_S = (0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5)
TOKENS = tuple(4**power for power in range(14))
"""Upper bounds of buckets, as OpenTelemetry's GenAI conventions propose them for the duration of a
request, the time to the first token, the time per output token, and token usage."""
QUEUE_S = (0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0)
"""Of the time that a request waits for a place; nobody waits longer than the last."""


def _ns(bounds: tuple[float, ...]) -> tuple[int, ...]:
    return tuple(round(bound * 1e9) for bound in bounds)


_REQUEST_NS = _ns(REQUEST_S)
_FIRST_TOKEN_NS = _ns(FIRST_TOKEN_S)
_PER_TOKEN_NS = _ns(PER_TOKEN_S)
_QUEUE_NS = _ns(QUEUE_S)

_COMPLETED = Status.COMPLETED

Labels = tuple[str, str, str, str, Status, bool]
"""Model, tenant, site, API, how it ended, and whether an emulated engine answered."""
Series = tuple[str, str, str, Status, bool]
"""The same without the tenant: histograms of each tenant would be too many."""


class Sums:
    """Of requests that have all labels in common."""

    __slots__ = (
        "cached_tokens",
        "estimated",
        "failovers",
        "input_tokens",
        "output_tokens",
        "reasoning_tokens",
        "requests",
        "retries",
    )

    def __init__(self) -> None:
        self.requests = 0
        self.retries = 0
        self.failovers = 0
        self.estimated = 0
        self.input_tokens = 0
        self.cached_tokens = 0
        self.output_tokens = 0
        self.reasoning_tokens = 0


class Buckets:
    """Requests of one series by bucket, the last of each list without a bound; and sums of times.

    Sums of tokens are those of its `Sums`.
    """

    __slots__ = (
        "duration_ns",
        "durations",
        "first_token_ns",
        "first_tokens",
        "input_tokens",
        "output_tokens",
        "per_token_ns",
        "per_tokens",
    )

    def __init__(self) -> None:
        self.durations = [0] * (len(REQUEST_S) + 1)
        self.duration_ns = 0
        self.first_tokens = [0] * (len(FIRST_TOKEN_S) + 1)
        self.first_token_ns = 0
        self.per_tokens = [0] * (len(PER_TOKEN_S) + 1)
        self.per_token_ns = 0
        self.input_tokens = [0] * (len(TOKENS) + 1)
        self.output_tokens = [0] * (len(TOKENS) + 1)


class Waits:
    """How long requests of one model waited for a place, those that waited in vain included."""

    __slots__ = ("buckets", "total_ns")

    def __init__(self) -> None:
        self.buckets = [0] * (len(QUEUE_S) + 1)
        self.total_ns = 0


class _ByStatus:
    """Where the numbers of requests go that have all but their status in common."""

    __slots__ = ("completed", "others")

    def __init__(self) -> None:
        self.completed: tuple[Sums, Buckets] | None = None
        self.others: dict[Status, tuple[Sums, Buckets]] = {}


class Traffic:
    """Counters. Bounded: models, tenants, sites and replicas come from the file.

    Attributes:
        sums: by all labels.
        buckets: by series.
        waits: by model.
        refused: requests that were not admitted, by HTTP status.
        reasons: the same, by HTTP status and the error's short word.
        over_limit: of them, those that met a limit of their tenant, by tenant and limit.
        faults: attempts that failed, by replica and fault.
        out_of_retries: requests that were not tried again because the retry budget was empty.
    """

    def __init__(self) -> None:
        self.sums: dict[Labels, Sums] = {}
        self.buckets: dict[Series, Buckets] = {}
        self.waits: dict[str, Waits] = {}
        self.refused: Counter[int] = Counter()
        self.reasons: Counter[tuple[int, str]] = Counter()
        self.over_limit: Counter[tuple[str, str]] = Counter()
        self.faults: Counter[tuple[str, str]] = Counter()
        self.out_of_retries = 0
        # By model, tenant, site, API and whether emulated; then by status. An enumeration's member
        # is hashed by Python code, so the usual one is looked at first.
        self._known: dict[tuple[str, str, str, str, bool], _ByStatus] = {}

    def ended(self, event: UsageEvent, waited_ns: int = 0) -> None:
        """Count a request that was admitted after it had waited for a place for `waited_ns`."""
        status, model, site, api = event.status, event.model, event.site, event.api
        key = (model, event.tenant, site, api, event.emulated)
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = _ByStatus()
        found = known.completed if status is _COMPLETED else known.others.get(status)
        if found is None:
            found = self._new((model, event.tenant, site, api, status, event.emulated))
            if status is _COMPLETED:
                known.completed = found
            else:
                known.others[status] = found
        sums, buckets = found
        begun_ns, ended_ns = event.admitted_ns - waited_ns, event.finished_ns
        inputs, outputs, attempts = event.input_tokens, event.output_tokens, event.attempts
        sums.requests += 1
        sums.input_tokens += inputs
        sums.cached_tokens += event.cached_tokens
        sums.output_tokens += outputs
        buckets.input_tokens[bisect_left(TOKENS, inputs)] += 1
        buckets.output_tokens[bisect_left(TOKENS, outputs)] += 1
        span_ns = ended_ns - begun_ns
        buckets.duration_ns += span_ns
        buckets.durations[bisect_left(_REQUEST_NS, span_ns)] += 1
        if attempts != 1:
            sums.retries += attempts - 1
            if attempts > 1 and status is Status.COMPLETED:
                sums.failovers += 1
        if event.reasoning_tokens:
            sums.reasoning_tokens += event.reasoning_tokens
        if event.estimated:
            sums.estimated += 1
        first_ns = event.first_token_ns
        # Only a stream that was whole shows how fast tokens came.
        if first_ns and event.streamed and status is Status.COMPLETED:
            span_ns = first_ns - begun_ns
            buckets.first_token_ns += span_ns
            buckets.first_tokens[bisect_left(_FIRST_TOKEN_NS, span_ns)] += 1
            if outputs > 1:
                span_ns = (ended_ns - first_ns) // (outputs - 1)
                buckets.per_token_ns += span_ns
                buckets.per_tokens[bisect_left(_PER_TOKEN_NS, span_ns)] += 1

    def waited(self, model: str, waited_ns: int) -> None:
        """Count a request that waited for a place, whether it got one or not."""
        waits = self.waits.get(model)
        if waits is None:
            waits = self.waits[model] = Waits()
        waits.total_ns += waited_ns
        waits.buckets[bisect_left(_QUEUE_NS, waited_ns)] += 1

    def refuse(self, status: int, reason: str) -> None:
        """Count a request that was not admitted; `reason` is one of the gateway's own words."""
        self.refused[status] += 1
        self.reasons[status, reason] += 1

    def attempt_failed(self, attempt: AttemptEvent) -> None:
        """Count an attempt that failed."""
        self.faults[attempt.replica, attempt.fault] += 1

    def _new(self, labels: Labels) -> tuple[Sums, Buckets]:
        model, _, site, api, status, emulated = labels
        series = (model, site, api, status, emulated)
        if series not in self.buckets:
            self.buckets[series] = Buckets()
        self.sums[labels] = Sums()
        return self.sums[labels], self.buckets[series]
