"""Activity by who used what where: the cells that costs are shared out to.

Accelerators that tenants share are shared out to them by the tokens that were computed: input
without what the prefix cache gave, and output, of each calendar month alike. A tenant that holds
accelerators of its own there takes no part in what the others share.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from typing import NamedTuple

import msgspec

from neocloud.activity import Purpose, Row
from neocloud.books.tiers.spans import Grain

REMOTE = "remote"
"""Site under which the gateway keeps what others served for it; nothing is held there."""
SPARE = "spare"
"""Use of nodes that stand ready for others that fail."""
WORKING = (Purpose.INFERENCE, Purpose.TRAINING, Purpose.BACKFILL, Purpose.TEST)
"""Uses that count as used; the others are idle, spare and down."""


class Cell(NamedTuple):
    """One tenant's use of one model on one pool; empty where it belongs to none."""

    site: str
    pool: str
    model: str
    tenant: str
    use: str
    """A purpose of `Activity`, or `spare`."""
    time: str = ""
    """Month, day or hour, UTC, as its `Grain` names it."""

    @property
    def shared(self) -> Cell:
        """What tenants share out among them: the same of nobody in particular, by month."""
        return self._replace(tenant="", time=self.time[: Grain.MONTH.letters])


class Served(msgspec.Struct, frozen=True, kw_only=True):
    """Requests and tokens of a cell; fields as in `Row`."""

    requests: int = 0
    within_objective: int = 0
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0

    def plus(self, other: Row | Served) -> Served:
        """With those of a row or of another cell."""
        return Served(
            requests=self.requests + other.requests,
            within_objective=self.within_objective + other.within_objective,
            input_tokens=self.input_tokens + other.input_tokens,
            cached_tokens=self.cached_tokens + other.cached_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
        )


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """Activity of a period, summed.

    Attributes:
        grain: how finely cells tell time apart.
        served: by cell; of all sites, `remote` and none (requests that nobody served) included.
        held_hours: accelerator-hours, by cell; idle ones are not here, they are what is left. Exact
            sums of what each row says, so that no total depends on the grain.
        busy_hours: of them, those in which an engine ran steps.
        kwh: energy by site, hour and cell, PUE included.
    """

    grain: Grain
    served: Mapping[Cell, Served]
    held_hours: Mapping[Cell, Fraction]
    busy_hours: Mapping[Cell, float]
    kwh: Mapping[str, Mapping[int, Mapping[Cell, float]]]


def usage_of(rows: Iterable[Row], grain: Grain = Grain.MONTH) -> Usage:
    """Sum rows into cells, in whatever order they come."""
    listed = sorted(rows, key=lambda r: (r.hour_utc, r.site, r.pool, r.model, r.tenant, r.purpose))
    served: dict[Cell, Served] = {}
    held: list[tuple[Cell, float]] = []
    busy: dict[Cell, float] = {}
    kwh: dict[str, dict[int, dict[Cell, float]]] = {}
    for row in listed:
        cell = _cell(row, grain)
        if row.requests or row.input_tokens or row.output_tokens:
            served[cell] = served.get(cell, Served()).plus(row)
        if row.allocated_accelerator_s and row.purpose is not Purpose.IDLE:
            held.append((cell, row.allocated_accelerator_s / 3600.0))
            busy[cell] = busy.get(cell, 0.0) + row.busy_accelerator_s / 3600.0
        if row.energy_kwh:
            hour = kwh.setdefault(row.site, {}).setdefault(row.hour_utc, {})
            hour[cell] = hour.get(cell, 0.0) + row.energy_kwh
    sharers = _sharers(served, held)
    return Usage(
        grain=grain,
        served=served,
        held_hours=_exact(held, sharers),
        busy_hours=_shared(busy, sharers),
        kwh={
            site: {hour: _shared(cells, sharers) for hour, cells in hours.items()}
            for site, hours in kwh.items()
        },
    )


def coarser(sold: Mapping[Cell, Served], grain: Grain) -> dict[Cell, Served]:
    """The same, time told apart no finer than by `grain`."""
    found: dict[Cell, Served] = {}
    for cell, what in sold.items():
        wider = cell._replace(time=cell.time[: grain.letters])
        found[wider] = found.get(wider, Served()).plus(what)
    return found


def _cell(row: Row, grain: Grain) -> Cell:
    time = grain.named(row.hour_utc)
    return Cell(row.site, row.pool, row.model, row.tenant, row.purpose.value, time)


def _sharers(
    served: Mapping[Cell, Served], held: Iterable[tuple[Cell, float]]
) -> dict[Cell, Sequence[tuple[str, float]]]:
    """By what is shared: the tenants that share it and their parts, which sum to 1."""
    apart = {(cell.shared, cell.tenant) for cell, hours in held if hours}
    computed: dict[Cell, dict[str, int]] = {}
    for cell, what in served.items():
        tokens = what.input_tokens - what.cached_tokens + what.output_tokens
        if cell.tenant and tokens > 0:
            own = computed.setdefault(cell.shared, {})
            own[cell.tenant] = own.get(cell.tenant, 0) + tokens
    found: dict[Cell, Sequence[tuple[str, float]]] = {}
    for cell, by_tenant in computed.items():
        others = {t: n for t, n in by_tenant.items() if (cell, t) not in apart}
        counted = others or by_tenant
        whole = sum(counted.values())
        found[cell] = [(tenant, tokens / whole) for tenant, tokens in sorted(counted.items())]
    return found


def _shared(
    amounts: Mapping[Cell, float], sharers: Mapping[Cell, Sequence[tuple[str, float]]]
) -> dict[Cell, float]:
    found: dict[Cell, float] = {}
    for cell, amount in _parts(amounts.items(), sharers):
        found[cell] = found.get(cell, 0.0) + amount
    return found


def _exact(
    amounts: Iterable[tuple[Cell, float]], sharers: Mapping[Cell, Sequence[tuple[str, float]]]
) -> dict[Cell, Fraction]:
    """Shared out one by one and summed exactly: in whatever groups, all come to the same."""
    found: dict[Cell, Fraction] = {}
    for cell, amount in _parts(amounts, sharers):
        found[cell] = found.get(cell, Fraction(0)) + Fraction(amount)
    return found


def _parts(
    amounts: Iterable[tuple[Cell, float]], sharers: Mapping[Cell, Sequence[tuple[str, float]]]
) -> Iterator[tuple[Cell, float]]:
    for cell, amount in amounts:
        alone = ((cell.tenant, 1.0),)
        for tenant, share in alone if cell.tenant else sharers.get(cell.shared, alone):
            yield cell._replace(tenant=tenant), amount * share
