"""The ledger as hourly activity."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from neocloud.activity import Origin, Purpose, Row
from neocloud.ledger.records import AllocationEvent, EnergyEvent, UsageEvent
from neocloud.ledger.sharing import shared_energy
from neocloud.units import HOUR_NS, Period, hour_floor


def metered_activity(
    usage: Iterable[UsageEvent],
    allocation: Iterable[AllocationEvent],
    energy: Iterable[EnergyEvent],
    period: Period,
    within_objective: Callable[[UsageEvent], bool],
) -> tuple[Row, ...]:
    """Sum events of a period by hour, place, model and tenant.

    A span that reaches over an hour's or the period's bound counts in proportion. Energy is that of
    `shared_energy`: a site's meter before what is modelled.

    Args:
        usage: requests admitted in the period; others are left out.
        allocation: spans of held accelerators.
        energy: spans of energy.
        period: what to sum.
        within_objective: tells whether a request was answered as fast as was promised.
    """
    sums: dict[tuple[int, str, str, str, str, str, bool], dict[str, float]] = {}

    def add(key: tuple[int, str, str, str, str, str, bool], **amounts: float) -> None:
        row = sums.setdefault(key, {})
        for name, amount in amounts.items():
            row[name] = row.get(name, 0) + amount

    for e in usage:
        if e.admitted_ns in period:
            add(
                (hour_floor(e.admitted_ns), e.site, e.pool, e.model, e.tenant, Purpose.INFERENCE,
                 e.emulated),
                requests=1,
                within_objective=int(within_objective(e)),
                input_tokens=e.input_tokens,
                cached_tokens=e.cached_tokens,
                output_tokens=e.output_tokens,
            )  # fmt: skip
    for hour, seconds, share, a in _pieces(allocation, period):
        add(
            (hour, a.site, a.pool, a.model, a.tenant, a.purpose, a.emulated),
            allocated_accelerator_s=seconds * a.accelerators,
            busy_accelerator_s=share * (a.busy_s or 0.0),
        )
    for j in shared_energy(energy, period):
        add(
            (j.hour_utc, j.site, j.pool, j.model, j.tenant, j.purpose, j.emulated),
            energy_kwh=j.kwh,
        )
    return tuple(
        Row(
            source=Origin.METERED, hour_utc=hour, site=site, pool=pool, model=model, tenant=tenant,
            purpose=Purpose(purpose), emulated=emulated, **amounts,  # type: ignore[arg-type]
        )
        for (hour, site, pool, model, tenant, purpose, emulated), amounts in sorted(sums.items())
    )  # fmt: skip


def _pieces(
    events: Iterable[AllocationEvent], period: Period
) -> Iterator[tuple[int, float, float, AllocationEvent]]:
    """Each event cut at the hours: start of the hour, seconds in it, share of the event."""
    for event in events:
        length = event.end_ns - event.start_ns
        start, end = max(event.start_ns, period.start_ns), min(event.end_ns, period.end_ns)
        while start < end:
            hour = hour_floor(start)
            stop = min(end, hour + HOUR_NS)
            yield hour, (stop - start) / 1e9, (stop - start) / length, event
            start = stop
