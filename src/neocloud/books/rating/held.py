"""Accelerator-time that tenants held, by its price."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

from neocloud.activity import Purpose
from neocloud.books.prices import ContractTerms, PriceVersion, TokenBill
from neocloud.books.rating.records import UnpricedHoursError
from neocloud.books.rating.steps import Holder, Step, add_step, disjoint, holder_of
from neocloud.books.rating.sums import HeldKey, month_after, month_of
from neocloud.ledger import AllocationEvent
from neocloud.units import Period, format_utc


def add_spans(
    spans: Iterable[AllocationEvent], period: Period | None, steps: dict[Holder, list[Step]]
) -> None:
    """Add what tenants held within the period to their steps; spans of no tenant are left out."""
    for span in spans:
        start_ns, end_ns = span.start_ns, span.end_ns
        if period is not None:
            start_ns, end_ns = max(start_ns, period.start_ns), min(end_ns, period.end_ns)
        if span.tenant and start_ns < end_ns:
            step = (start_ns, end_ns, span.accelerators)
            add_step(steps.setdefault(holder_of(span), []), step)


def held_sums(
    steps: Mapping[Holder, Sequence[Step]],
    version: PriceVersion,
    contracts: Sequence[ContractTerms],
) -> dict[HeldKey, int]:
    """Accelerator-nanoseconds of tenants by their price.

    What holds accelerators under the name of a contract of its tenant has that contract's price
    within its term; otherwise the price list's. Where steps of one holder overlap, for several
    gateways told of it, the larger counts: nothing is billed twice. Time in which accelerators were
    down is kept and not billed.

    Raises:
        UnpricedHoursError: there is no price.
    """
    by_name = {terms.name: terms for terms in contracts if terms.bill is not TokenBill.RATE}
    sums: dict[HeldKey, int] = {}
    for holder in sorted(steps):
        terms = by_name.get(holder.contract)
        if terms is not None and terms.tenant != holder.tenant:
            terms = None
        for start_ns, end_ns, count in disjoint(steps[holder]):
            cuts = _cuts(start_ns, end_ns, version, terms, holder.accelerator)
            for at_ns, until_ns in pairwise(cuts):
                key = _key(holder, at_ns, version, terms)
                sums[key] = sums.get(key, 0) + (until_ns - at_ns) * count
    return sums


def _cuts(
    start_ns: int, end_ns: int, version: PriceVersion, terms: ContractTerms | None, accelerator: str
) -> list[int]:
    """Moments at which the price or the month may change, with start and end."""
    cuts = {start_ns, end_ns}
    at_ns = month_after(start_ns)
    while at_ns < end_ns:
        cuts.add(at_ns)
        at_ns = month_after(at_ns)
    changes = [rate.start_ns for rate in version.hours if rate.accelerator == accelerator]
    if terms is not None:
        changes += [terms.start_ns, terms.end_ns, *(start for start, _ in terms.steps)]
    return sorted(cuts | {change for change in changes if start_ns < change < end_ns})


def _key(holder: Holder, at_ns: int, version: PriceVersion, terms: ContractTerms | None) -> HeldKey:
    billed = holder.purpose != Purpose.DOWN
    contract, currency = "", version.currency
    if terms is not None and terms.start_ns <= at_ns < terms.end_ns:
        contract, currency = terms.name, terms.currency
        since_ns, unit_pico = terms.step_at(at_ns)
    elif (rate := version.hour_rate_at(holder.accelerator, at_ns)) is not None:
        since_ns, unit_pico = rate.start_ns, rate.pico_per_hour
    elif billed:
        raise UnpricedHoursError(
            f"{holder.tenant} held {holder.accelerator} on {format_utc(at_ns)} without a contract, "
            "and it has no price; give it one under pricing.accelerator_hours"
        )
    else:
        since_ns = unit_pico = 0
    return HeldKey(
        tenant=holder.tenant,
        accelerator=holder.accelerator,
        model=holder.model,
        month=month_of(at_ns),
        emulated=holder.emulated,
        billed=billed,
        contract=contract,
        since_ns=since_ns,
        unit_pico=unit_pico if billed else 0,
        currency=currency,
    )
