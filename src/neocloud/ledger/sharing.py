"""Energy as it is summed up: what sites' meters tell, shared out among those who drew it.

A meter tells the energy of a site over a span; a model tells who drew how much of it. Within a span
of the meter, that part of it in which anybody is known to have held accelerators is shared out in
the proportion of the modelled energies; the rest, as of a time in which no gateway ran, belongs to
nobody and stands on a line of its own. The lines of a span so sum up to what the meter told. Where
no meter told anything, what is modelled stands as it is.

Emulated engines draw nothing from a site's meter: what they are modelled to draw stays theirs.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from itertools import pairwise

import msgspec

from neocloud.activity import Purpose
from neocloud.ledger.records import EnergyEvent
from neocloud.units import HOUR_NS, Period, hour_floor


class EnergyShare(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Energy of one holder, or of nobody, within one hour.

    Attributes:
        hour_utc: start of the hour, ns.
        site: site key.
        pool: pool key; empty where nobody is known to have drawn it.
        model: model key; empty where none was served.
        tenant: tenant id; empty where shared.
        purpose: of the holder; `idle` where there is none.
        kwh: at the site's meter.
        modelled: True where no meter told it.
        emulated: True if an emulated engine stands for it.
    """

    hour_utc: int
    site: str
    pool: str
    model: str
    tenant: str
    purpose: str
    kwh: float
    modelled: bool
    emulated: bool


class _Span(msgspec.Struct):
    """What a meter told of a span, cut to the period; and what is modelled within it."""

    site: str
    start_ns: int
    end_ns: int
    kwh: float
    parts: list[tuple[int, int, float, EnergyEvent]]
    """Start, end, modelled kWh, and whose."""


def is_of_site(event: EnergyEvent) -> bool:
    """True if it is what a site's meter told."""
    return not event.modelled and not event.pool


def shared_energy(events: Iterable[EnergyEvent], period: Period) -> Iterator[EnergyShare]:
    """Who drew how much in which hour of a period.

    Args:
        events: spans that overlap the period, each once, in any order.
        period: what to sum; spans that reach over its bounds count in proportion.
    """
    kept = list(events)
    spans: dict[str, list[_Span]] = {}
    for event in kept:
        if is_of_site(event):
            cut = _cut(event, period)
            if cut is not None:
                spans.setdefault(event.site, []).append(cut)
    starts = {site: [s.start_ns for s in found] for site, found in _ordered(spans)}
    for event in kept:
        if is_of_site(event):
            continue
        if event.emulated or event.site not in spans:
            yield from _plain(event, event.start_ns, event.end_ns, period)
        else:
            yield from _metered_or_plain(event, spans[event.site], starts[event.site], period)
    for found in spans.values():
        for span in found:
            yield from _shares(span)


def _ordered(spans: dict[str, list[_Span]]) -> Iterator[tuple[str, list[_Span]]]:
    """Spans by start, those that a late line laid over others cut apart."""
    for site, found in spans.items():
        found.sort(key=lambda span: (span.start_ns, span.end_ns))
        spans[site] = _apart(found)
        yield site, spans[site]


def _apart(found: list[_Span]) -> list[_Span]:
    """The same energy on spans that do not overlap: where two do, both count."""
    edges = sorted({t for span in found for t in (span.start_ns, span.end_ns)})
    if all(a.end_ns <= b.start_ns for a, b in pairwise(found)):
        return found
    pieces: dict[tuple[int, int], list[float]] = {}
    for span in found:
        length = span.end_ns - span.start_ns
        first = bisect_right(edges, span.start_ns) - 1
        last = first
        while edges[last] < span.end_ns:
            start, end = edges[last], edges[last + 1]
            pieces.setdefault((start, end), []).append(span.kwh * (end - start) / length)
            last += 1
    return [
        _Span(found[0].site, start, end, math.fsum(kwh), [])
        for (start, end), kwh in sorted(pieces.items())
    ]


def _cut(event: EnergyEvent, period: Period) -> _Span | None:
    start, end = max(event.start_ns, period.start_ns), min(event.end_ns, period.end_ns)
    if start >= end:
        return None
    share = (end - start) / (event.end_ns - event.start_ns)
    return _Span(event.site, start, end, event.kwh * share, [])


def _metered_or_plain(
    event: EnergyEvent, spans: list[_Span], starts: list[int], period: Period
) -> Iterator[EnergyShare]:
    """Leave to the meter's spans what lies in them; the rest is as it is modelled."""
    start, end = max(event.start_ns, period.start_ns), min(event.end_ns, period.end_ns)
    length = event.end_ns - event.start_ns
    number = max(0, bisect_right(starts, start) - 1)
    while start < end:
        while number < len(spans) and spans[number].end_ns <= start:
            number += 1
        if number == len(spans) or spans[number].start_ns >= end:
            yield from _plain(event, start, end, period)
            return
        span = spans[number]
        if start < span.start_ns:
            yield from _plain(event, start, span.start_ns, period)
            start = span.start_ns
        stop = min(end, span.end_ns)
        span.parts.append((start, stop, event.kwh * (stop - start) / length, event))
        start = stop


def _plain(event: EnergyEvent, start: int, end: int, period: Period) -> Iterator[EnergyShare]:
    length = event.end_ns - event.start_ns
    start, end = max(start, period.start_ns), min(end, period.end_ns)
    for hour, seconds in _hours(start, end):
        yield _share(event, hour, event.kwh * seconds / length, modelled=event.modelled)


def _shares(span: _Span) -> Iterator[EnergyShare]:
    length = span.end_ns - span.start_ns
    total = math.fsum(kwh for _, _, kwh, _ in span.parts)
    given: list[float] = []
    if total > 0:
        known = span.kwh * _covered(span.parts) / length
        for start, end, kwh, event in span.parts:
            for hour, part_ns in _hours(start, end):
                share = known * kwh / total * part_ns / (end - start)
                given.append(share)
                yield _share(event, hour, share, modelled=False)
    rest = math.fsum((span.kwh, *(-share for share in given)))
    if abs(rest) <= 1e-12 * abs(span.kwh):
        return
    for hour, part_ns in _hours(span.start_ns, span.end_ns):
        yield EnergyShare(
            hour_utc=hour, site=span.site, pool="", model="", tenant="", purpose=Purpose.IDLE,
            kwh=rest * part_ns / length, modelled=False, emulated=False,
        )  # fmt: skip


def _covered(parts: list[tuple[int, int, float, EnergyEvent]]) -> int:
    """Nanoseconds in which at least one of them ran."""
    covered = upto = 0
    for start, end in sorted((start, end) for start, end, _, _ in parts):
        covered += max(0, end - max(start, upto))
        upto = max(upto, end)
    return covered


def _hours(start: int, end: int) -> Iterator[tuple[int, int]]:
    """A span cut at the hours: start of the hour, nanoseconds in it."""
    while start < end:
        hour = hour_floor(start)
        stop = min(end, hour + HOUR_NS)
        yield hour, stop - start
        start = stop


def _share(event: EnergyEvent, hour: int, kwh: float, *, modelled: bool) -> EnergyShare:
    return EnergyShare(
        hour_utc=hour, site=event.site, pool=event.pool, model=event.model, tenant=event.tenant,
        purpose=event.purpose, kwh=kwh, modelled=modelled, emulated=event.emulated,
    )  # fmt: skip
