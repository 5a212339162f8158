"""Accelerators that tenants held without a contract, at the file's hourly prices."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date
from fractions import Fraction

from neocloud.finance.inputs.contracts import lab_of
from neocloud.finance.inputs.ground import Ground
from neocloud.finance.inputs.growth import Growth
from neocloud.finance.inputs.hours import Hours, take
from neocloud.finance.inputs.spans import days_within, end_of, pieces
from neocloud.finance.records import Contract, Merchant
from neocloud.spec import HourPrice


def hired_hours(
    ground: Ground, growth: Growth, contracts: Iterable[Contract], left: Hours
) -> Iterator[Merchant]:
    """What tenants hold beyond their contracts, day by day as it was metered; taken from `left`.

    Hours count for a tenant's signed contracts of the purpose first. Kinds of accelerators without
    an hourly price in the file earn nothing here, and their hours are taken all the same.
    """
    signed = [c for c in contracts if c.weight == 1 and c.kind == "reserved"]
    covered: dict[tuple[str, str], list[Fraction]] = {}
    for contract in signed:
        named = covered.setdefault(
            (contract.customer, contract.purpose), [Fraction(0)] * ground.months.count
        )
        for month, hours in enumerate(contract.hours):
            named[month] += hours
    for (tenant, purpose, site, pool), day in sorted(growth.use.hired.items()):
        standing = ground.pools.get(f"{site}/{pool}")
        if standing is None or tenant not in ground.cloud.tenants:
            continue
        earned, held = [], []
        for month in range(ground.months.count):
            hours = Fraction(day) * ground.pool_days(standing, month)
            own = covered.get((tenant, purpose))
            if own is not None:
                within = min(hours, own[month])
                own[month] -= within
                hours -= within
            hours = take(left, standing.accelerator, month, hours)
            held.append(hours)
            earned.append(ground.pico(hours * _price(ground, standing.accelerator, month)))
        if any(held):
            yield Merchant(
                key=f"hours/{tenant}/{purpose}/{site}/{pool}",
                source="hours",
                earned=tuple(earned),
                customer=tenant,
                credit=ground.cloud.tenants[tenant].credit,
                lab=lab_of(ground, tenant, None),
                accelerator=standing.accelerator,
                purpose=purpose,
                hours=tuple(held),
                first=next((m for m, value in enumerate(earned) if value), 0),
            )


def _price(ground: Ground, accelerator: str, month: int) -> Fraction:
    """The file's hourly price, mean of the month's days; 0 before the first and without one."""
    months = ground.months
    prices: list[HourPrice] = [
        price
        for price in ground.cloud.pricing.accelerator_hours
        if price.accelerator == accelerator
    ]
    whole = Fraction(0)
    cuts = [price.start for price in prices if price.start is not None]
    for start, end in pieces(months.start(month), months.start(month + 1), cuts):
        reached = [price.price for price in prices if (price.start or date.min) <= start]
        if reached:
            days = days_within(months, month, start, min(end, end_of(months)))
            whole += days * Fraction(reached[-1])
    return whole / months.days(month)
