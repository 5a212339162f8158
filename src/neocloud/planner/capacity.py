"""What one replica of a placement takes within its objective, for lengths that may differ."""

from __future__ import annotations

import numpy as np

from neocloud.catalog import Catalog
from neocloud.perf import Load, Predictor, at_batch, scaled, step_numbers
from neocloud.planner.candidates import BATCH_GRID, in_time
from neocloud.planner.records import Placement
from neocloud.planner.steps import placement_correction
from neocloud.spec import Cloud


def capacity(
    cloud: Cloud,
    catalog: Catalog,
    placement: Placement,
    load: Load,
    predictor: Predictor | None = None,
) -> float:
    """Requests/s that one replica takes with the lengths of `load`; 0 if it misses the objective.

    The same rule as the search: the largest mean batch up to which the objective holds. Steps are
    those of `placement_table`, corrected for the planned lengths.
    """
    model = cloud.models[placement.model]
    configuration = placement.configuration
    accelerator = cloud.seen(catalog).accelerator(placement.accelerator)
    correction = placement_correction(cloud, catalog, placement, predictor)
    steady = at_batch(
        scaled(
            step_numbers(model.architecture, accelerator, configuration, predictor),
            correction.step_factor(BATCH_GRID / configuration.accelerators),
        ),
        load,
        BATCH_GRID,
        batch_tokens=float(configuration.batch_tokens),
        max_batch=float(configuration.max_batch),
        kv_tokens=float(placement.kv_tokens),
        percentile=model.objective.percentile,
    )
    holds = in_time(steady, model.objective, placement.max_rtt_ms)
    last = int(np.logical_and.accumulate(holds).sum()) - 1
    return float(steady.requests_per_s[last]) if last >= 0 else 0.0
