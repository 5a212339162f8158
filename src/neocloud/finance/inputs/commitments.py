"""What is promised: bookings, backlog, and what must be delivered beside what can be."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

import msgspec

from neocloud.catalog import Catalog
from neocloud.finance.inputs.service import node_mw
from neocloud.finance.records import ByMonth, Contract, Inputs
from neocloud.spec import Cloud


class Backlog(msgspec.Struct, frozen=True, kw_only=True):
    """What customers have signed and what of it is still to come, by month, pico-units.

    Attributes:
        booked: value signed in the month; signings before the first month are not in it.
        firm: of what is signed by the end of the month, what will be paid later whether used or
            not: the remaining performance obligations (RPO, IFRS 15.120, ASC 606-10-50-13).
        expected: the same at the use that is expected.
        annualised: of `expected`, each contract's by its remaining months, times twelve.
        pipeline: value of what is not signed, each part by its probability, until it is to be.
    """

    booked: ByMonth
    firm: ByMonth
    expected: ByMonth
    annualised: ByMonth
    pipeline: ByMonth


def backlog_of(inputs: Inputs) -> Backlog:
    """Bookings and backlog. Values beyond the last month are not known, and do not count."""
    months = range(inputs.months.count)
    signed = [c for c in inputs.contracts if c.probability == 1]
    open_ = [c for c in inputs.contracts if c.probability < 1]
    return Backlog(
        booked=tuple(sum(sum(c.earned) for c in signed if c.signed == month) for month in months),
        firm=tuple(_left(signed, month, firm=True) for month in months),
        expected=tuple(_left(signed, month, firm=False) for month in months),
        annualised=tuple(_annualised(signed, month) for month in months),
        pipeline=tuple(
            sum(round(sum(c.earned) * c.probability) for c in open_ if c.signed > month)
            for month in months
        ),
    )


def _left(contracts: Iterable[Contract], month: int, *, firm: bool) -> int:
    return sum(
        sum((c.committed if firm else c.earned)[month + 1 :])
        for c in contracts
        if c.signed <= month
    )


def _annualised(contracts: Iterable[Contract], month: int) -> int:
    """Remaining value over remaining months of delivery, times twelve."""
    total = Fraction(0)
    for contract in contracts:
        left = contract.earned[month + 1 :]
        running = sum(1 for value in left if value)
        if contract.signed <= month and running:
            total += Fraction(12 * sum(left), running)
    return round(total)


class Obligation(msgspec.Struct, frozen=True, kw_only=True):
    """Accelerators of a kind that signed contracts hold, beside those that can be delivered.

    Attributes:
        accelerator: key; empty for contracts that take any kind, beside all that stand there.
        owed: by month, accelerators.
        deliverable: by month: in service, without spare ones; for any kind, of what other
            contracts leave.
        short: by month, what is missing.
        megawatts: by month, what the nodes of those owed may draw, without cooling; 0 for any kind.
    """

    accelerator: str
    owed: tuple[int, ...]
    deliverable: tuple[int, ...]
    short: tuple[int, ...]
    megawatts: tuple[Fraction, ...]


class PowerObligation(msgspec.Struct, frozen=True, kw_only=True):
    """Megawatts that accelerators under contract need, beside those that are active.

    Attributes:
        needed: by month, of all kinds that are named, times the mean PUE of the sites.
        active: by month, of all sites; empty where no site tells.
        short: by month, what is missing.
    """

    needed: tuple[Fraction, ...]
    active: tuple[Fraction, ...]
    short: tuple[Fraction, ...]


class Obligations(msgspec.Struct, frozen=True, kw_only=True):
    """What must be delivered beside what can be, by month."""

    accelerators: tuple[Obligation, ...]
    power: PowerObligation


def obligations_of(cloud: Cloud, catalog: Catalog, inputs: Inputs) -> Obligations:
    """Obligations of signed contracts, tranches of last resort apart: these take what is left.

    Args:
        cloud: the cloud that the inputs are made from.
        catalog: the catalog.
        inputs: its inputs.
    """
    catalog = cloud.seen(catalog)
    count = inputs.months.count
    signed = [
        c for c in inputs.contracts
        if c.probability == 1 and c.accelerators and c.kind != "last_resort"
    ]  # fmt: skip
    there = {
        item.accelerator: [a - b for a, b in zip(item.installed, item.spare, strict=True)]
        for item in inputs.installed
    }
    named = sorted({c.accelerator for c in signed if c.accelerator is not None})
    found = []
    for kind in named:
        owed = _owed([c for c in signed if c.accelerator == kind], count)
        mw = node_mw(catalog, kind)
        found.append(_beside(kind, owed, there.get(kind, [0] * count), mw))
    others = _owed([c for c in signed if c.accelerator is None], count)
    if any(others):
        left = [
            sum(max(0, line[m]) for line in there.values())
            - sum(min(o.owed[m], o.deliverable[m]) for o in found)
            for m in range(count)
        ]
        found.append(_beside("", others, left, Fraction(0)))
    return Obligations(accelerators=tuple(found), power=_power(cloud, inputs, found))


def _owed(contracts: Iterable[Contract], count: int) -> list[int]:
    listed = list(contracts)
    return [sum(c.accelerators[month] for c in listed) for month in range(count)]


def _beside(kind: str, owed: list[int], there: list[int], mw: Fraction) -> Obligation:
    return Obligation(
        accelerator=kind,
        owed=tuple(owed),
        deliverable=tuple(there),
        short=tuple(max(0, a - b) for a, b in zip(owed, there, strict=True)),
        megawatts=tuple(a * mw for a in owed),
    )


def _power(cloud: Cloud, inputs: Inputs, found: Iterable[Obligation]) -> PowerObligation:
    listed = list(found)
    sites = list(cloud.sites.values())
    pue = sum((Fraction(str(s.pue)) for s in sites), Fraction(0)) / len(sites) if sites else 1
    months = range(inputs.months.count)
    needed = tuple(sum((o.megawatts[m] for o in listed), Fraction(0)) * pue for m in months)
    rungs = [item.megawatts for item in inputs.power if item.rung == "active"]
    active = tuple(sum((line[m] for line in rungs), Fraction(0)) for m in months) if rungs else ()
    short = tuple(max(Fraction(0), a - b) for a, b in zip(needed, active, strict=True)) if (
        active
    ) else (Fraction(0),) * len(needed)  # fmt: skip
    return PowerObligation(needed=needed, active=active, short=short)
