"""`make_report`: cost and margin by tier, and planned, simulated and metered side by side."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec
import numpy as np

from neocloud.activity import Origin, Row
from neocloud.books.gather import Metered, round_trip_of
from neocloud.books.side_by_side.drivers import (
    Drivers,
    activity_drivers,
    bridge_between,
    planned_drivers,
    planned_kw,
)
from neocloud.books.side_by_side.metered import (
    ModelActivity,
    expected_side,
    lengths_like,
    lengths_metered,
    metered_side,
    of_model,
    simulated_side,
)
from neocloud.books.side_by_side.rates import Place, rates_by_place, rates_now
from neocloud.books.side_by_side.records import Bridge, Comparison, Report, Side
from neocloud.books.side_by_side.step_factor import Replayed, replay_metered
from neocloud.books.side_by_side.words import findings
from neocloud.books.tiers import BY_DEFAULT, Documents, TierReport, billed, make_tiers
from neocloud.catalog import Catalog
from neocloud.perf import predictor_of
from neocloud.planner import ModelSummary, Placement, Plan, Rates, lengths_of, placement_table
from neocloud.spec import Cloud
from neocloud.units import HOUR_NS, Period


class NothingMeteredError(ValueError):
    """The ledger holds no usage in the period."""


class NothingSimulatedError(ValueError):
    """Activity was given that holds nothing simulated."""


class _Active(msgspec.Struct, frozen=True, kw_only=True):
    """Activity of one source, its period, and what its hours and energy came to."""

    rows: tuple[Row, ...]
    period: Period
    rates: Mapping[Place, Rates]


def make_report(
    cloud: Cloud,
    catalog: Catalog,
    plan: Plan,
    metered: Metered,
    simulated: Iterable[Row] | None = None,
    by: Sequence[str] = BY_DEFAULT,
    documents: Documents | None = None,
) -> Report:
    """Lay a period out by tier, and compare a plan with what was metered while it ran.

    Args:
        cloud: a checked cloud.
        catalog: the catalog.
        plan: the one that was running.
        metered: the period of the ledger.
        simulated: activity that holds rows of source `simulated`; others of it are left out.
        by: what the tiers' groups are told apart by.
        documents: invoices of the period; None where none were made.

    Raises:
        NothingMeteredError: nothing was used or held in the period.
        NothingSimulatedError: activity was given, and nothing of it is simulated.
        UnknownPlaceError: something ran where the plan has nothing.
        UnknownPoolError: something was held where the cloud has no pool and rents none.
    """
    planned = {m.model for m in plan.models}
    events = [e for e in metered.events if e.model in planned]
    if not events and not metered.rows:
        raise NothingMeteredError(f"the ledger holds no usage in {metered.period}")
    statuses: dict[str, int] = {}
    for event in events:
        statuses[event.status] = statuses.get(event.status, 0) + 1
    rates = rates_by_place(plan)
    now = _active(cloud, catalog, rates, metered.rows, metered.period)
    twin = None if simulated is None else _simulated(cloud, catalog, rates, simulated)
    models = tuple(
        _compare(cloud, catalog, plan, summary, metered, now, twin)
        for summary in plan.models
        if any(e.model == summary.model for e in events)
    )
    return Report(
        cloud=plan.cloud,
        currency=plan.currency,
        period=str(metered.period),
        seconds=metered.period.seconds,
        emulated=any(e.emulated for e in events) or any(r.emulated for r in metered.rows),
        energy_modelled=metered.energy_modelled,
        requests=len(events),
        requests_by_status=dict(sorted(statuses.items())),
        percentile={m.model: m.percentile for m in plan.models},
        tiers=_tiers(cloud, catalog, metered, by, documents),
        models=models,
    )


def _tiers(
    cloud: Cloud,
    catalog: Catalog,
    metered: Metered,
    by: Sequence[str],
    documents: Documents | None,
) -> TierReport:
    made = make_tiers(
        cloud,
        catalog,
        metered.rows,
        billed(metered.events, cloud.pricing.billed),
        metered.period,
        by,
        documents,
    )
    missing = () if documents is None else documents.missing
    return msgspec.structs.replace(made, notes=(*made.notes, *missing))


def _active(
    cloud: Cloud,
    catalog: Catalog,
    planned: Mapping[Place, Rates],
    rows: tuple[Row, ...],
    period: Period,
) -> _Active:
    return _Active(rows=rows, period=period, rates=rates_now(cloud, catalog, planned, rows, period))


def _simulated(
    cloud: Cloud, catalog: Catalog, planned: Mapping[Place, Rates], rows: Iterable[Row]
) -> _Active:
    """What is simulated of some activity; its period is that of its hours, whole."""
    own = tuple(row for row in rows if row.source is Origin.SIMULATED)
    if not own:
        raise NothingSimulatedError("it holds no activity of source `simulated`")
    hours = [row.hour_utc for row in own]
    return _active(cloud, catalog, planned, own, Period(min(hours), max(hours) + HOUR_NS))


def _compare(
    cloud: Cloud,
    catalog: Catalog,
    plan: Plan,
    summary: ModelSummary,
    metered: Metered,
    now: _Active,
    twin: _Active | None,
) -> Comparison:
    placements = [p for p in plan.placements if p.model == summary.model]
    predictor = predictor_of(plan.calibration)
    mine = of_model(now.rows, metered.events, now.rates, summary.model)
    replays = [
        replay_metered(
            {r: [e for e in mine.events if e.replica == r] for r in p.replica_ids()},
            p,
            placement_table(cloud, catalog, p, predictor),
        )
        for p in placements
    ]
    factor = _pooled(replays)
    before = planned_drivers(summary, placements, rates_by_place(plan))
    after = activity_drivers(
        cloud, catalog, summary, placements, now.rates, mine, lengths_metered(mine.events),
        factor, predictor,
    )  # fmt: skip
    simulated, between = None, None
    if twin is not None:
        theirs = of_model(twin.rows, (), twin.rates, summary.model)
        lengths = lengths_like(lengths_of(cloud, cloud.seen(catalog), summary.model), theirs)
        # A twin runs at the model's own step times.
        between = activity_drivers(
            cloud, catalog, summary, placements, twin.rates, theirs, lengths, 1.0, predictor
        )
        used = None if between is None else between.utilisation
        simulated = simulated_side(theirs, twin.period.seconds, used)
    planned = planned_side(summary, placements)
    expected = expected_side(mine, replays, summary.percentile)
    used = None if after is None else after.utilisation
    side = metered_side(mine, metered.period, summary.percentile, used)
    bridge = None if after is None else bridge_between("planned", "metered", before, after)
    as_planned, slow_adds = _at_planned_load(before, after)
    return Comparison(
        model=summary.model,
        planned=planned,
        simulated=simulated,
        expected=expected,
        metered=side,
        network_ms=_network_ms(cloud, catalog, mine),
        step_time_factor=factor,
        capacity_change=None if factor is None else 1.0 / factor - 1.0,
        cost_at_planned_load=as_planned,
        bridge=bridge,
        simulated_bridges=_by_way_of(before, between, after),
        findings=findings(plan.currency, planned, expected, side, bridge, factor, slow_adds),
    )


def _by_way_of(
    before: Drivers, between: Drivers | None, after: Drivers | None
) -> tuple[Bridge, ...]:
    if between is None:
        return ()
    found = [bridge_between("planned", "simulated", before, between)]
    if after is not None:
        found.append(bridge_between("simulated", "metered", between, after))
    return tuple(found)


def _at_planned_load(before: Drivers, after: Drivers | None) -> tuple[float | None, float | None]:
    """Cost of a million tokens had the load been as planned; what slow steps added to it."""
    if after is None:
        return None, None
    others = before.changed(after, ("price", "mix", "power"))
    reached = others.changed(after, ("efficiency",)).cost_per_mtok()
    return reached, reached - others.cost_per_mtok()


def _pooled(replays: Sequence[Replayed]) -> float | None:
    """One factor for the model: the placements' factors, each by its requests."""
    known = [(r.factor, r.requests) for r in replays if r.factor is not None and r.requests]
    requests = sum(count for _, count in known)
    if not requests:
        return None
    return sum(factor * count for factor, count in known) / requests


def planned_side(summary: ModelSummary, placements: Sequence[Placement]) -> Side:
    """The planned column, the mean of the representative day."""
    held = busy = 0.0
    for p in placements:
        loads = [point.requests_per_s for point in p.curve]
        shares = [point.busy for point in p.curve]
        for hour, rate in enumerate(p.requests_per_s_by_hour):
            replicas = p.replicas_by_hour[hour]
            held += replicas * p.accelerators_per_replica
            share = float(np.interp(rate / max(replicas, 1), loads, shares))
            busy += replicas * p.accelerators_per_replica * share
    kw = sum(planned_kw(p) for p in placements)
    return Side(
        requests_per_s=summary.requests_per_day / 86_400.0,
        input_tokens_per_request=summary.input_tokens_per_request,
        output_tokens_per_request=summary.output_tokens_per_request,
        cost_per_mtok=summary.cost_per_mtok,
        utilisation=summary.utilisation,
        busy=busy / held,
        watts_per_accelerator=kw * 1e3 * 24.0 / held,
        ttft_ms=summary.ttft_ms - summary.network_ms,
        ttft_ms_at_percentile=max(p.curve[-1].ttft_ms_at_percentile for p in placements),
        tpot_ms=summary.tpot_ms,
        tpot_ms_at_percentile=summary.tpot_ms_at_percentile,
    )


def _network_ms(cloud: Cloud, catalog: Catalog, mine: ModelActivity) -> float:
    round_trip_ms = round_trip_of(cloud, catalog)
    known = [ms for e in mine.events if (ms := round_trip_ms(e)) is not None]
    return float(np.mean(known)) if known else 0.0
