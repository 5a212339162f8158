"""What one replica of a placement takes within its objective, for lengths that may differ."""

from __future__ import annotations

import numpy as np

from neocloud.catalog import Catalog
from neocloud.perf import Load, at_batch, step_numbers
from neocloud.planner.candidates import BATCH_GRID
from neocloud.planner.records import Placement
from neocloud.spec import Cloud


def capacity(cloud: Cloud, catalog: Catalog, placement: Placement, load: Load) -> float:
    """Requests/s that one replica takes with the lengths of `load`; 0 if it misses the objective.

    The same rule as the search: the largest mean batch up to which the objective holds.
    """
    model = cloud.models[placement.model]
    objective, configuration = model.objective, placement.configuration
    numbers = step_numbers(
        model.architecture, cloud.seen(catalog).accelerator(placement.accelerator), configuration
    )
    steady = at_batch(
        numbers,
        load,
        BATCH_GRID,
        batch_tokens=float(configuration.batch_tokens),
        max_batch=float(configuration.max_batch),
        kv_tokens=float(placement.kv_tokens),
        percentile=objective.percentile,
    )
    holds = (
        np.asarray(steady.fits)
        & (steady.tpot_s_at_percentile * 1e3 <= objective.tpot_ms)
        & (steady.ttft_s_at_percentile * 1e3 + placement.max_rtt_ms <= objective.ttft_ms)
    )
    last = int(np.logical_and.accumulate(holds).sum()) - 1
    return float(steady.requests_per_s[last]) if last >= 0 else 0.0
