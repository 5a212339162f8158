"""What the ledger says of accelerators and tenants, summed by month in one pass over each table.

Memory is held for sums, one for each month and purpose, model or tenant, not for events.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

import msgspec

from neocloud.activity import Purpose
from neocloud.finance.indicators.records import month_namer, month_period
from neocloud.ledger import AllocationEvent, UsageEvent
from neocloud.units import Period


class Source(Protocol):
    """Where events come from: `ledger.Reader`."""

    def usage(self, period: Period) -> Iterator[UsageEvent]:
        """Of requests that were admitted in the period."""
        ...

    def allocation(self, period: Period) -> Iterator[AllocationEvent]:
        """Spans that overlap the period, by their start."""
        ...

    def span(self) -> Period | None:
        """From the first to the last thing on record; None of an empty ledger."""
        ...


class HeldTime(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """Accelerator-time of a month by what it was held for.

    Attributes:
        month: `2026-10`, UTC.
        purpose: as in allocation events.
        model: model key; empty of none.
        nanoseconds: accelerator-nanoseconds.
    """

    month: str
    purpose: str
    model: str
    nanoseconds: int


class TenantMonth(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """What a tenant did in a month.

    Attributes:
        month: `2026-10`, UTC.
        tenant: tenant id.
        training: accelerator-nanoseconds reserved for training.
        inference: accelerator-nanoseconds held for inference in its name.
        requests: admitted requests that used tokens.
        tokens: input and output tokens of these.
    """

    month: str
    tenant: str
    training: int
    inference: int
    requests: int
    tokens: int

    @property
    def buys_inference(self) -> bool:
        """True if it used tokens or held accelerators for inference."""
        return self.tokens > 0 or self.inference > 0


class Metered(msgspec.Struct, frozen=True, kw_only=True):
    """A ledger by month.

    Attributes:
        period: from the first to the last thing on record.
        emulated: True if emulated engines made all of it. Where real ones are on record, emulated
            use is left out.
        held: accelerator-time by month, purpose and model.
        tenants: by month and tenant.
    """

    period: Period
    emulated: bool
    held: tuple[HeldTime, ...]
    tenants: tuple[TenantMonth, ...]

    def covered(self, month: str) -> tuple[int, int]:
        """Nanoseconds of a month that the ledger covers, and of all of it."""
        whole = month_period(month)
        start = max(whole.start_ns, self.period.start_ns)
        end = min(whole.end_ns, self.period.end_ns)
        return max(0, end - start), whole.end_ns - whole.start_ns

    def is_over(self, month: str) -> bool:
        """True if the ledger goes on after a month."""
        return month_period(month).end_ns <= self.period.end_ns


def read_ledger(source: Source, period: Period | None = None) -> Metered | None:
    """Sum a ledger by month; None of one that holds nothing.

    Spans are cut at months, and to the period. Requests count in the month of their admission.

    Args:
        source: the ledger.
        period: what of it counts; None for all. Cohorts need all.

    Raises:
        LedgerError: the ledger cannot be read.
    """
    span = source.span()
    if span is None:
        return None
    if period is not None:
        start, end = max(span.start_ns, period.start_ns), min(span.end_ns, period.end_ns)
        if start >= end:
            return None
        span = Period(start, end)
    sums = _Sums()
    sums.hold(source.allocation(span), span)
    for used in source.usage(span):
        sums.use(used)
    return sums.metered(span)


_Holder = tuple[str, str, str, str, str, str, bool]
"""Holder, site, pool, model, tenant, purpose, emulated."""

_Piece = tuple[int, int, int]
"""Start, end, accelerators."""


class _Sweep:
    """Spans of one holder in the order of their start, as pieces that do not overlap."""

    def __init__(self) -> None:
        self._at = 0
        self._open: list[tuple[int, int]] = []

    def add(self, start: int, end: int, accelerators: int) -> Iterator[_Piece]:
        """Take a span; what lies before its start is settled."""
        yield from self._until(start)
        self._open.append((end, accelerators))

    def rest(self) -> Iterator[_Piece]:
        """What is not settled yet."""
        yield from self._until(max((end for end, _ in self._open), default=0))

    def _until(self, time_ns: int) -> Iterator[_Piece]:
        while self._at < time_ns and self._open:
            stop = min(time_ns, *(end for end, _ in self._open))
            if stop > self._at:
                yield self._at, stop, max(count for _, count in self._open)
            self._at = max(self._at, stop)
            self._open = [item for item in self._open if item[0] > self._at]
        self._at = max(self._at, time_ns)


class _Sums:
    """Sums of real and of emulated events, each by themselves."""

    def __init__(self) -> None:
        self._named = month_namer()
        self._held: dict[tuple[bool, str, str, str], int] = {}
        self._tenants: dict[tuple[bool, str, str], list[int]] = {}

    def hold(self, events: Iterable[AllocationEvent], span: Period) -> None:
        """Add spans in the order of their start, cut at months.

        Where spans of one holder overlap, as where several gateways tell of it, the larger counts.
        """
        sweeps: dict[_Holder, _Sweep] = {}
        for event in events:
            start, end = max(event.start_ns, span.start_ns), min(event.end_ns, span.end_ns)
            if start < end and event.accelerators > 0:
                key = (
                    event.holder, event.site, event.pool, event.model, event.tenant,
                    event.purpose, event.emulated,
                )  # fmt: skip
                sweep = sweeps.get(key)
                if sweep is None:
                    sweep = sweeps[key] = _Sweep()
                for piece in sweep.add(start, end, event.accelerators):
                    self._piece(key, *piece)
        for key, sweep in sweeps.items():
            for piece in sweep.rest():
                self._piece(key, *piece)

    def _piece(self, holder: _Holder, start: int, end: int, accelerators: int) -> None:
        _, _, _, model, tenant, purpose, emulated = holder
        while start < end:
            month = self._named(start)
            stop = min(end, month_period(month).end_ns)
            time = (stop - start) * accelerators
            key = (emulated, month, purpose, model)
            self._held[key] = self._held.get(key, 0) + time
            if tenant and purpose == Purpose.TRAINING:
                self._of(emulated, month, tenant)[0] += time
            elif tenant and purpose == Purpose.INFERENCE:
                self._of(emulated, month, tenant)[1] += time
            start = stop

    def use(self, event: UsageEvent) -> None:
        """Add a request; one that used no token bought nothing."""
        tokens = event.input_tokens + event.output_tokens
        if tokens:
            sums = self._of(event.emulated, self._named(event.admitted_ns), event.tenant)
            sums[2] += 1
            sums[3] += tokens

    def metered(self, span: Period) -> Metered:
        """Real use; emulated use where there is no other."""
        real = any(not key[0] for key in (*self._held, *self._tenants))
        return Metered(
            period=span,
            emulated=not real and bool(self._held or self._tenants),
            held=tuple(
                HeldTime(month=month, purpose=purpose, model=model, nanoseconds=time)
                for (emulated, month, purpose, model), time in sorted(self._held.items())
                if emulated is not real
            ),
            tenants=tuple(
                TenantMonth(
                    month=month, tenant=tenant, training=sums[0], inference=sums[1],
                    requests=sums[2], tokens=sums[3],
                )
                for (emulated, month, tenant), sums in sorted(self._tenants.items())
                if emulated is not real
            ),
        )  # fmt: skip

    def _of(self, emulated: bool, month: str, tenant: str) -> list[int]:
        key = (emulated, month, tenant)
        sums = self._tenants.get(key)
        if sums is None:
            sums = self._tenants[key] = [0, 0, 0, 0]
        return sums
