"""How much of a tranche of last resort its buyer must take: what nobody else has bought."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise

import msgspec

from neocloud.activity import Purpose
from neocloud.books.contracts.records import Terms
from neocloud.books.contracts.spans import joined
from neocloud.books.prices import midnight_ns
from neocloud.books.rating import Holder, Step
from neocloud.catalog import Catalog
from neocloud.ledger import AllocationEvent
from neocloud.spec import Cloud

_UNSOLD = frozenset({Purpose.IDLE, Purpose.DOWN, Purpose.TEST})
"""Purposes for which accelerators are held and not sold."""


class PoolSize(msgspec.Struct, frozen=True, kw_only=True):
    """Accelerators that stand in a pool from a moment on."""

    site: str
    accelerator: str
    accelerators: int
    since_ns: int


def pool_sizes(cloud: Cloud, catalog: Catalog) -> tuple[PoolSize, ...]:
    """All pools of the file."""
    seen = cloud.seen(catalog)
    return tuple(
        PoolSize(
            site=site.key,
            accelerator=pool.accelerator,
            accelerators=pool.nodes * seen.accelerator(pool.accelerator).node_accelerators,
            since_ns=midnight_ns(pool.start),
        )
        for site in cloud.sites.values()
        for pool in site.pools
    )


def left_by_others(
    tranche: Terms,
    allocation: Iterable[AllocationEvent],
    span: tuple[int, int],
    others: Sequence[Terms],
    pools: Sequence[PoolSize],
) -> tuple[Step, ...]:
    """Accelerators of a tranche that its buyer must take, as steps over time.

    At each moment: what stands in the pools where it may be delivered, less what others have
    bought, at most the tranche. Others have bought what they hold for work, the shared replicas
    included, and what they have reserved and do not hold. Accelerators that are idle, down or held
    for tests are not sold.

    Args:
        tranche: the contract.
        allocation: spans of all holders.
        span: start and end, ns.
        others: terms of all contracts of the cloud.
        pools: all of the cloud.
    """
    prices = tranche.prices
    first, last = max(span[0], prices.start_ns), min(span[1], prices.end_ns)
    if first >= last:
        return ()
    holders = {
        holder: steps
        for holder, steps in joined(allocation, first, last).items()
        if holder.tenant != prices.tenant
        and holder.purpose not in _UNSOLD
        and tranche.may_be(holder.accelerator, holder.site)
    }
    stands = [p for p in pools if tranche.may_be(p.accelerator, p.site)]
    reserved = [t for t in others if _competes(t, tranche)]
    cuts = {first, last, *(t for steps in holders.values() for a, b, _ in steps for t in (a, b))}
    cuts |= {t for r in reserved for t in (r.prices.start_ns, r.prices.end_ns) if first < t < last}
    cuts |= {p.since_ns for p in stands if first < p.since_ns < last}
    found: list[Step] = []
    for at, until, held in _moments(sorted(cuts), holders):
        there = sum(pool.accelerators for pool in stands if pool.since_ns <= at)
        left = there - sum(held.values()) - _not_held(reserved, at, held)
        _grow(found, at, until, min(tranche.accelerators, max(0, left)))
    return tuple(found)


def _competes(other: Terms, tranche: Terms) -> bool:
    """True of a contract of another tenant that reserves accelerators of the tranche's pools."""
    a, b = other.prices, tranche.prices
    return (
        a.tenant != b.tenant
        and a.kind in ("reserved", "dedicated")
        and (not a.accelerator or b.accelerator in ("", a.accelerator))
        and (not a.sites or not b.sites or bool(set(a.sites) & set(b.sites)))
    )


def _not_held(reserved: Sequence[Terms], at: int, held: Mapping[Holder, int]) -> int:
    """What others have reserved and nobody holds for them at a moment."""
    under: dict[str, int] = {}
    for holder, count in held.items():
        under[holder.contract] = under.get(holder.contract, 0) + count
    return sum(max(0, t.accelerators - under.get(t.name, 0)) for t in reserved if t.runs_at(at))


def _moments(
    cuts: Sequence[int], holders: Mapping[Holder, tuple[Step, ...]]
) -> Iterator[tuple[int, int, dict[Holder, int]]]:
    """Spans between the cuts, and how many accelerators each holder holds throughout each."""
    position = dict.fromkeys(holders, 0)
    for at, until in pairwise(cuts):
        held = {}
        for holder, steps in holders.items():
            number = position[holder]
            while number < len(steps) and steps[number][1] <= at:
                number += 1
            position[holder] = number
            if number < len(steps) and steps[number][0] <= at:
                held[holder] = steps[number][2]
        yield at, until, held


def _grow(steps: list[Step], at: int, until: int, count: int) -> None:
    if not count:
        return
    if steps and steps[-1][1] == at and steps[-1][2] == count:
        steps[-1] = (steps[-1][0], until, count)
    else:
        steps.append((at, until, count))
