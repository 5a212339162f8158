"""The steps behind a placement: what its replicas' steps were planned to cost."""

from __future__ import annotations

from neocloud.catalog import Catalog
from neocloud.perf import Correction, Load, Predictor, StepTable, correction_of, step_table
from neocloud.planner.lengths import lengths_of
from neocloud.planner.records import Placement
from neocloud.spec import Cloud


def placement_table(
    cloud: Cloud, catalog: Catalog, placement: Placement, predictor: Predictor | None = None
) -> StepTable:
    """Tabulate the steps of one replica of `placement`.

    Args:
        cloud: the file that the plan was made from.
        catalog: where its keys lead.
        placement: the replica's place in the plan.
        predictor: what the plan rests on (`predictor_of(plan.calibration)`); None for the shipped.
    """
    seen = cloud.seen(catalog)
    return step_table(
        cloud.models[placement.model].architecture,
        seen.accelerator(placement.accelerator),
        placement.configuration,
        _planned_load(cloud, seen, placement),
        predictor,
    )


def placement_correction(
    cloud: Cloud, catalog: Catalog, placement: Placement, predictor: Predictor | None = None
) -> Correction:
    """What the learned part changes of these steps, for the lengths that were planned with."""
    seen = cloud.seen(catalog)
    return correction_of(
        cloud.models[placement.model].architecture,
        seen.accelerator(placement.accelerator),
        placement.configuration,
        _planned_load(cloud, seen, placement),
        predictor,
    )


def _planned_load(cloud: Cloud, catalog: Catalog, placement: Placement) -> Load:
    model = placement.model
    return lengths_of(cloud, catalog, model).load(cloud.models[model].objective.percentile)
