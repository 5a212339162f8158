"""Activity by who used what where: the cells that costs are shared out to.

Accelerators that tenants share are shared out to them by the tokens that were computed: input
without what the prefix cache gave, and output, of the whole period alike. A tenant that holds
accelerators of its own there takes no part in what the others share.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from neocloud.activity import Purpose, Row

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


class Served(msgspec.Struct, frozen=True, kw_only=True):
    """Requests and tokens of a cell; fields as in `Row`."""

    requests: int = 0
    within_objective: int = 0
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0

    def plus(self, row: Row) -> Served:
        """With those of a row."""
        return Served(
            requests=self.requests + row.requests,
            within_objective=self.within_objective + row.within_objective,
            input_tokens=self.input_tokens + row.input_tokens,
            cached_tokens=self.cached_tokens + row.cached_tokens,
            output_tokens=self.output_tokens + row.output_tokens,
        )


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """Activity of a period, summed.

    Attributes:
        served: by cell; of all sites, `remote` and none (requests that nobody served) included.
        held_hours: accelerator-hours, by cell; idle ones are not here, they are what is left.
        busy_hours: of them, those in which an engine ran steps.
        kwh: energy by site, hour and cell, PUE included.
    """

    served: Mapping[Cell, Served]
    held_hours: Mapping[Cell, float]
    busy_hours: Mapping[Cell, float]
    kwh: Mapping[str, Mapping[int, Mapping[Cell, float]]]


def usage_of(rows: Iterable[Row]) -> Usage:
    """Sum rows into cells, in whatever order they come."""
    listed = sorted(rows, key=lambda r: (r.hour_utc, r.site, r.pool, r.model, r.tenant, r.purpose))
    served: dict[Cell, Served] = {}
    held: dict[Cell, float] = {}
    busy: dict[Cell, float] = {}
    kwh: dict[str, dict[int, dict[Cell, float]]] = {}
    for row in listed:
        cell = _cell(row)
        if row.requests or row.input_tokens or row.output_tokens:
            served[cell] = served.get(cell, Served()).plus(row)
        if row.allocated_accelerator_s and row.purpose is not Purpose.IDLE:
            held[cell] = held.get(cell, 0.0) + row.allocated_accelerator_s / 3600.0
            busy[cell] = busy.get(cell, 0.0) + row.busy_accelerator_s / 3600.0
        if row.energy_kwh:
            hour = kwh.setdefault(row.site, {}).setdefault(row.hour_utc, {})
            hour[cell] = hour.get(cell, 0.0) + row.energy_kwh
    sharers = _sharers(served, held)
    return Usage(
        served=served,
        held_hours=_shared(held, sharers),
        busy_hours=_shared(busy, sharers),
        kwh={
            site: {hour: _shared(cells, sharers) for hour, cells in hours.items()}
            for site, hours in kwh.items()
        },
    )


def _cell(row: Row) -> Cell:
    return Cell(row.site, row.pool, row.model, row.tenant, row.purpose.value)


def _sharers(
    served: Mapping[Cell, Served], held: Mapping[Cell, float]
) -> dict[Cell, Sequence[tuple[str, float]]]:
    """By shared cell: the tenants that share it and their parts, which sum to 1."""
    computed: dict[Cell, dict[str, int]] = {}
    for cell, what in served.items():
        tokens = what.input_tokens - what.cached_tokens + what.output_tokens
        if cell.tenant and tokens > 0:
            computed.setdefault(cell._replace(tenant=""), {})[cell.tenant] = tokens
    found: dict[Cell, Sequence[tuple[str, float]]] = {}
    for cell, by_tenant in computed.items():
        others = {t: n for t, n in by_tenant.items() if not held.get(cell._replace(tenant=t))}
        counted = others or by_tenant
        whole = sum(counted.values())
        found[cell] = [(tenant, tokens / whole) for tenant, tokens in sorted(counted.items())]
    return found


def _shared(
    amounts: Mapping[Cell, float], sharers: Mapping[Cell, Sequence[tuple[str, float]]]
) -> dict[Cell, float]:
    found: dict[Cell, float] = {}
    for cell, amount in amounts.items():
        for tenant, share in sharers.get(cell, ((cell.tenant, 1.0),)):
            own = cell._replace(tenant=tenant)
            found[own] = found.get(own, 0.0) + amount * share
    return found
