"""A plan's representative day as `Activity` rows."""

from __future__ import annotations

from neocloud.activity import Origin, Purpose, Row
from neocloud.planner.records import Plan
from neocloud.planner.summary import point_at
from neocloud.units import HOUR_NS


def planned_activity(plan: Plan) -> tuple[Row, ...]:
    """Rows of flows (requests and tokens) and of placements (what is held and used), by hour.

    Requests are rounded to whole ones an hour; planned requests count as within the objective,
    since the plan keeps it at its percentile.
    """
    by_model = {m.model: m for m in plan.models}
    rows: list[Row] = []
    for flow in plan.flows:
        model = by_model[flow.model]
        for hour, rate in enumerate(flow.requests_per_s_by_hour):
            requests = round(rate * 3600.0)
            if requests == 0:
                continue
            rows.append(
                Row(
                    source=Origin.PLANNED,
                    hour_utc=hour * HOUR_NS,
                    site=flow.site,
                    pool=flow.pool,
                    model=flow.model,
                    tenant=flow.tenant,
                    requests=requests,
                    within_objective=round(requests * model.percentile / 100.0),
                    input_tokens=round(requests * model.input_tokens_per_request),
                    output_tokens=round(requests * model.output_tokens_per_request),
                )
            )
    for p in plan.placements:
        for hour, replicas in enumerate(p.replicas_by_hour):
            point = point_at(p.curve, p.requests_per_s_by_hour[hour] / max(replicas, 1))
            energy = replicas * point.watts / 1e3 * p.pue
            rows += [
                Row(
                    source=Origin.PLANNED,
                    hour_utc=hour * HOUR_NS,
                    site=p.site,
                    pool=pool,
                    model=p.model,
                    purpose=Purpose.INFERENCE,
                    allocated_accelerator_s=replicas * held * 3600.0,
                    busy_accelerator_s=replicas * held * 3600.0 * point.busy,
                    # Of a replica on two pools all energy stands with the one that answers.
                    energy_kwh=energy if pool == p.pool else 0.0,
                )
                for pool, held in p.held().items()
            ]
    return tuple(rows)
