"""Rating once more, slowly: token by token group, in fractions, without a tally."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime
from fractions import Fraction

from neocloud.books.prices import Adjustment, Meter, ModelRates, PriceBook, Tiering
from neocloud.ledger import UsageEvent

HOUR_NS = 3600 * 10**9


def plainly(book: PriceBook, events: Iterable[UsageEvent]) -> dict[tuple[str, str], int]:
    """Pico by tenant and model; no contracts, no emulated use."""
    groups = defaultdict(list)
    first: dict[tuple[object, ...], int] = {}
    for e in events:
        version = book.kept.get(e.price_version, book.current)
        rates = [r for r in version.models if r.model == e.model and r.start_ns <= e.admitted_ns][
            -1
        ]
        if e.status not in version.billed:
            continue
        hour = e.admitted_ns // HOUR_NS
        moment = datetime.fromtimestamp(e.admitted_ns // 10**9, UTC)
        segment = e.tenant, e.model, moment.year, moment.month, version.id, rates.start_ns
        first[segment] = min(hour, first.get(segment, hour))
        changes = [a for a in version.adjustments if applies(a, e, moment.hour, version.priorities)]
        factor = Fraction(1)
        for a in changes:
            factor *= 1 + Fraction(a.change)
        apart = Meter.REASONING in rates.tiers[0].pico_per_token
        counts = {
            Meter.INPUT: e.input_tokens - e.cached_tokens,
            Meter.CACHED_INPUT: e.cached_tokens,
            Meter.OUTPUT: e.output_tokens - (e.reasoning_tokens if apart else 0),
            Meter.REASONING: e.reasoning_tokens if apart else 0,
        }
        for meter, count in counts.items():
            if count:
                group = e.tenant, e.model, meter, (moment.year, moment.month)
                groups[group].append((segment, factor, rates, count))
    found: dict[tuple[str, str], int] = defaultdict(int)
    for (tenant, model, meter, _), items in groups.items():
        # Rates that were used first fill the tiers first, within them the most discounted tokens.
        items.sort(key=lambda item: (first[item[0]], item[2].start_ns, item[0][4], item[1]))
        total, at = sum(count for *_, count in items), 0
        for _, factor, rates, count in items:
            for tier, tokens in _spread(rates, at, count, total):
                price = rates.tiers[tier].pico_per_token[meter]
                found[tenant, model] += tokens * round(price * factor)
            at += count
    return dict(found)


def applies(a: Adjustment, e: UsageEvent, hour: int, priorities: dict[str, str]) -> bool:
    """All conditions of an adjustment, one by one."""
    conditions = [
        (a.hours, hour), (a.apis, e.api), (a.priorities, priorities.get(e.tenant, "normal")),
        (a.tenants, e.tenant), (a.models, e.model), (a.sites, e.site),
        (a.pools, f"{e.site}/{e.pool}"), (a.accelerators, e.accelerator),
        (a.keys or (), e.key_id), (a.service_tiers or (), e.service_tier),
    ]  # fmt: skip
    within = a.start_ns <= e.admitted_ns < (a.end_ns or 2**63)
    return within and all(not wanted or value in wanted for wanted, value in conditions)


def _spread(rates: ModelRates, at: int, count: int, total: int) -> list[tuple[int, int]]:
    bounds = [tier.above for tier in rates.tiers]
    if rates.tiering is Tiering.VOLUME:
        return [(sum(above < total for above in bounds) - 1, count)]
    return [
        (tier, max(0, min(at + count, end) - max(at, above)))
        for tier, (above, end) in enumerate(zip(bounds, [*bounds[1:], 10**30], strict=True))
    ]
