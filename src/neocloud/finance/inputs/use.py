"""A typical day of use, from a plan's rows or from metered ones: what months are made of."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import msgspec

from neocloud.activity import Origin, Purpose, Row
from neocloud.books.tiers.cells import REMOTE, WORKING
from neocloud.finance.inputs.spans import HOURS
from neocloud.planner import Plan, planned_activity
from neocloud.units import HOUR_NS, Period

Place = tuple[str, str]
"""(site, pool)."""
Sale = tuple[str, str]
"""(tenant, model)."""


class Tokens(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens a day; fields as in `Row`. Means, so not whole."""

    input_tokens: float = 0.0
    cached_tokens: float = 0.0
    output_tokens: float = 0.0

    def plus(self, row: Row, days: float) -> Tokens:
        """With those of a row, spread over some days."""
        return Tokens(
            input_tokens=self.input_tokens + row.input_tokens / days,
            cached_tokens=self.cached_tokens + row.cached_tokens / days,
            output_tokens=self.output_tokens + row.output_tokens / days,
        )

    @property
    def computed(self) -> float:
        """Tokens that an engine worked on."""
        return self.input_tokens - self.cached_tokens + self.output_tokens


class Use(msgspec.Struct, frozen=True, kw_only=True):
    """A typical day.

    Attributes:
        planned: True of a plan, which knows the demand for tokens alone; metered rows hold all that
            accelerators did.
        kwh: energy by place, model and UTC hour of the day, PUE included.
        held: accelerator-hours by place and model, of inference.
        other: accelerator-hours by place, of everything else that is work.
        hired: of those, the ones that a tenant held, by tenant, purpose and place.
        sold: tokens by tenant and model.
        moved: tokens by site and model, for traffic.
        bought: tokens by remote and model, served by others.
    """

    planned: bool
    kwh: Mapping[tuple[str, str, str], tuple[float, ...]]
    held: Mapping[tuple[str, str, str], float]
    other: Mapping[Place, float]
    hired: Mapping[tuple[str, str, str, str], float]
    sold: Mapping[Sale, Tokens]
    moved: Mapping[tuple[str, str], Tokens]
    bought: Mapping[tuple[str, str], Tokens]


def use_of_plan(plan: Plan) -> Use:
    """The plan's representative day."""
    return use_of(planned_activity(plan), 1.0)


def use_of_metered(rows: Iterable[Row], period: Period) -> Use:
    """The mean day of a period.

    Args:
        rows: metered activity of the period.
        period: how long was metered; at least an hour.
    """
    return use_of(rows, (period.end_ns - period.start_ns) / HOUR_NS / HOURS)


def use_of(rows: Iterable[Row], days: float) -> Use:
    """The mean of some days."""
    listed = sorted(rows, key=lambda r: (r.hour_utc, r.site, r.pool, r.model, r.tenant))
    kwh: dict[tuple[str, str, str], list[float]] = {}
    held: dict[tuple[str, str, str], float] = {}
    other: dict[Place, float] = {}
    hired: dict[tuple[str, str, str, str], float] = {}
    sold: dict[Sale, Tokens] = {}
    moved: dict[tuple[str, str], Tokens] = {}
    bought: dict[tuple[str, str], Tokens] = {}
    for row in listed:
        place = (row.site, row.pool, row.model)
        if row.energy_kwh:
            hours = kwh.setdefault(place, [0.0] * HOURS)
            hours[row.hour_utc // HOUR_NS % HOURS] += row.energy_kwh / days
        hours_held = row.allocated_accelerator_s / 3600.0 / days
        if hours_held and row.purpose is Purpose.INFERENCE:
            held[place] = held.get(place, 0.0) + hours_held
        elif hours_held and row.purpose in WORKING:
            other[place[:2]] = other.get(place[:2], 0.0) + hours_held
            if row.tenant:
                by = (row.tenant, row.purpose.value, *place[:2])
                hired[by] = hired.get(by, 0.0) + hours_held
        if not row.input_tokens and not row.output_tokens:
            continue
        sale = (row.tenant, row.model)
        sold[sale] = sold.get(sale, Tokens()).plus(row, days)
        table = bought if row.site == REMOTE else moved
        where = (row.pool if row.site == REMOTE else row.site, row.model)
        if row.site:
            table[where] = table.get(where, Tokens()).plus(row, days)
    return Use(
        planned=all(row.source is Origin.PLANNED for row in listed),
        kwh={place: tuple(hours) for place, hours in kwh.items()},
        held=held,
        other=other,
        hired=hired,
        sold=sold,
        moved=moved,
        bought=bought,
    )


def held_by_model(use: Use) -> dict[str, float]:
    """Accelerator-hours a day that serve each model."""
    found: dict[str, float] = {}
    for (_, _, model), hours in sorted(use.held.items()):
        found[model] = found.get(model, 0.0) + hours
    return found


def tokens_by_model(use: Use) -> dict[str, float]:
    """Tokens a day that engines work on, by model."""
    found: dict[str, list[float]] = {}
    for (_, model), tokens in sorted(use.sold.items()):
        found.setdefault(model, []).append(tokens.computed)
    return {model: math.fsum(parts) for model, parts in found.items()}
