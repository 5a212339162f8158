"""Who holds a site's accelerators beside the replicas that the gateway sends requests to.

Together with those replicas they are all accelerators of all pools of the cloud file, at any time:
planned replicas that nothing stands for, reservations by contract, and what is left idle. Where a
contract is delivered is settled here, since no plan says it: contracts in the order of the file,
each from the first pools in the order of the file that have what it asks for free beside the plan.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Collection, Iterator
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import msgspec

from neocloud.activity import Purpose
from neocloud.catalog import Catalog
from neocloud.spec import Cloud, Contract, Pool, Site

if TYPE_CHECKING:  # the planner loads numpy, and nothing of it is called here
    from neocloud.planner import Plan

_NEVER_NS = 2**62


class PoolStand(msgspec.Struct, frozen=True, kw_only=True):
    """A pool of the file.

    Attributes:
        site: site key.
        pool: pool key.
        accelerator: accelerator key.
        accelerators: all of its nodes.
        start_ns: since when they stand there.
        idle_watts: of one that nobody uses, facility included.
        busy_watts: of one that works, likewise.
        emulated: no accelerator stands behind it.
    """

    site: str
    pool: str
    accelerator: str
    accelerators: int
    start_ns: int
    idle_watts: float
    busy_watts: float
    emulated: bool


class Planned(msgspec.Struct, frozen=True, kw_only=True):
    """A replica of the plan, and what it holds of one pool."""

    replica: str
    site: str
    pool: str
    model: str
    accelerators: int


class Reservation(msgspec.Struct, frozen=True, kw_only=True):
    """A contract that takes accelerators from `start_ns` until `end_ns`."""

    name: str
    tenant: str
    purpose: str
    accelerator: str | None
    accelerators: int
    sites: tuple[str, ...] | None
    start_ns: int
    end_ns: int


class Ground(msgspec.Struct, frozen=True, kw_only=True):
    """All accelerators of a cloud, who plans on them and who has reserved them."""

    pools: tuple[PoolStand, ...] = ()
    planned: tuple[Planned, ...] = ()
    reservations: tuple[Reservation, ...] = ()


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """Accelerators of one pool with one holder, as of a moment.

    Attributes:
        holder: a replica's id, `SITE/POOL/contract/NAME` or `SITE/POOL/idle`.
        site: site key.
        pool: pool key.
        model: of a replica; else empty.
        tenant: of a reservation; else empty.
        purpose: what for.
        accelerator: accelerator key.
        accelerators: how many.
        watts: what they draw by the model, facility included.
        emulated: no accelerators stand behind it.
    """

    holder: str
    site: str
    pool: str
    model: str
    tenant: str
    purpose: Purpose
    accelerator: str
    accelerators: int
    watts: float
    emulated: bool


def ground_of(cloud: Cloud, catalog: Catalog, plan: Plan) -> Ground:
    """What the file says of pools and contracts, and the plan of replicas.

    Of contracts count those that are signed and take accelerators: `reserved` ones, then those of
    `last_resort`. `dedicated` and `provisioned` ones are served by the plan's replicas.
    """
    signed = [c for c in cloud.contracts if c.probability == 1.0 and c.accelerators]
    taking = [c for kind in ("reserved", "last_resort") for c in signed if c.kind == kind]
    return Ground(
        pools=tuple(
            _stand(site, pool, catalog) for site in cloud.sites.values() for pool in site.pools
        ),
        planned=tuple(
            Planned(
                replica=replica, site=p.site, pool=pool, model=p.model, accelerators=accelerators,
            )
            for p in plan.placements
            for replica in p.replica_ids()
            for pool, accelerators in p.held().items()
        ),
        reservations=tuple(_reservation(contract) for contract in taking),
    )  # fmt: skip


def held_at(ground: Ground, now_ns: int, served: Collection[str]) -> Iterator[Held]:
    """Who holds what beside the replicas that are `served`, at a moment."""
    planned: dict[tuple[str, str], int] = {}
    for each in ground.planned:
        place = (each.site, each.pool)
        planned[place] = planned.get(place, 0) + each.accelerators
    stands = [s for s in ground.pools if s.start_ns <= now_ns or planned.get((s.site, s.pool))]
    by_place = {(s.site, s.pool): s for s in stands}
    for each in ground.planned:
        stand = by_place.get((each.site, each.pool))
        if stand is not None and each.replica not in served:
            yield _held(stand, each.replica, Purpose.DOWN, each.accelerators, model=each.model)
    free = {
        place: max(0, stand.accelerators - planned.get(place, 0))
        for place, stand in by_place.items()
    }
    for reservation in ground.reservations:
        if reservation.start_ns <= now_ns < reservation.end_ns:
            yield from _delivered(reservation, stands, free)
    for place, left in free.items():
        if left:
            stand = by_place[place]
            yield _held(stand, f"{stand.site}/{stand.pool}/idle", Purpose.IDLE, left)


def undelivered(ground: Ground, now_ns: int) -> dict[str, int]:
    """Accelerators of reservations for which no pool has room beside the plan, by contract."""
    got: dict[str, int] = {}
    for held in held_at(ground, now_ns, ()):
        _, _, name = held.holder.partition("/contract/")
        got[name] = got.get(name, 0) + held.accelerators
    return {
        r.name: short
        for r in ground.reservations
        if r.start_ns <= now_ns < r.end_ns and (short := r.accelerators - got.get(r.name, 0)) > 0
    }


def _delivered(
    reservation: Reservation, stands: list[PoolStand], free: dict[tuple[str, str], int]
) -> Iterator[Held]:
    needed = reservation.accelerators
    for stand in stands:
        place = (stand.site, stand.pool)
        wrong = reservation.accelerator not in (None, stand.accelerator)
        if wrong or (reservation.sites is not None and stand.site not in reservation.sites):
            continue
        taken = min(needed, free[place])
        if taken:
            free[place] -= taken
            needed -= taken
            yield _held(
                stand,
                f"{stand.site}/{stand.pool}/contract/{reservation.name}",
                Purpose(reservation.purpose),
                taken,
                tenant=reservation.tenant,
            )


def _held(
    stand: PoolStand, holder: str, purpose: Purpose, accelerators: int, model: str = "",
    tenant: str = "",
) -> Held:  # fmt: skip
    works = purpose in (Purpose.TRAINING, Purpose.BACKFILL, Purpose.INFERENCE)
    return Held(
        holder=holder,
        site=stand.site,
        pool=stand.pool,
        model=model,
        tenant=tenant,
        purpose=purpose,
        accelerator=stand.accelerator,
        accelerators=accelerators,
        watts=accelerators * (stand.busy_watts if works else stand.idle_watts),
        emulated=stand.emulated,
    )


def _stand(site: Site, pool: Pool, catalog: Catalog) -> PoolStand:
    accelerator = catalog.accelerator(pool.accelerator)
    from neocloud.perf.power import power_of  # only where there is a plan: the room loads numpy

    watts = power_of(accelerator)
    return PoolStand(
        site=site.key,
        pool=pool.key,
        accelerator=pool.accelerator,
        accelerators=pool.nodes * accelerator.node_accelerators,
        start_ns=0 if pool.start is None else _midnight(pool.start),
        idle_watts=watts["idle_w"] * site.pue,
        # Assumption: who trains keeps memory or compute busy all the time.
        busy_watts=(watts["static_w"] + watts["dynamic_w"]) * site.pue,
        emulated=pool.engine == "emulated",
    )


def _reservation(contract: Contract) -> Reservation:
    return Reservation(
        name=contract.key,
        tenant=contract.tenant,
        purpose=contract.purpose,
        accelerator=contract.accelerator,
        accelerators=contract.accelerators,
        sites=contract.sites,
        start_ns=_midnight(contract.start),
        end_ns=_months_later(contract.start, contract.term_months),
    )


def _midnight(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 10**9


def _months_later(day: date, months: int) -> int:
    """Midnight of the same day so many months later; of the month's last if it has no such day."""
    years, month = divmod(day.month - 1 + months, 12)
    year, month = day.year + years, month + 1
    if year > 2200:
        return _NEVER_NS
    return _midnight(date(year, month, min(day.day, monthrange(year, month)[1])))
