"""What went through the gateway since it started, for its Prometheus page."""

from __future__ import annotations

from collections import Counter

from neocloud.ledger import Status, UsageEvent


class Totals:
    """Of one model and tenant."""

    __slots__ = ("by_status", "cached_tokens", "input_tokens", "output_tokens")

    def __init__(self) -> None:
        self.by_status: Counter[Status] = Counter()
        self.input_tokens = 0
        self.cached_tokens = 0
        self.output_tokens = 0


class Traffic:
    """Counters. Bounded: models and tenants come from the file.

    Attributes:
        totals: by model and tenant.
        refused: requests that were not admitted, by HTTP status.
    """

    def __init__(self) -> None:
        self.totals: dict[tuple[str, str], Totals] = {}
        self.refused: Counter[int] = Counter()

    def ended(self, event: UsageEvent) -> None:
        """Count a request."""
        key = (event.model, event.tenant)
        totals = self.totals.get(key)
        if totals is None:
            totals = self.totals[key] = Totals()
        totals.by_status[event.status] += 1
        totals.input_tokens += event.input_tokens
        totals.cached_tokens += event.cached_tokens
        totals.output_tokens += event.output_tokens
