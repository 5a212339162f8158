"""What one replica of a placement takes within its objective, for lengths that may differ."""

from __future__ import annotations

import msgspec
import numpy as np

from neocloud.catalog import Catalog
from neocloud.perf import Load, Predictor, Situation, at_batch, scaled, step_numbers
from neocloud.planner.records import Placement
from neocloud.planner.search.grid import COARSE, FINE
from neocloud.planner.search.runs import slower_at
from neocloud.planner.search.states import in_time, leading
from neocloud.planner.steps import placement_correction
from neocloud.spec import Cloud

_BATCHES = np.geomspace(COARSE[0], COARSE[-1], FINE * (len(COARSE) - 1) + 1)
"""Mean batches of a rank: all that the search may end at."""


def capacity(
    cloud: Cloud,
    catalog: Catalog,
    placement: Placement,
    load: Load,
    predictor: Predictor | None = None,
) -> float:
    """Requests/s that one replica takes with the lengths of `load`; 0 if it misses the objective.

    The same rule as the search: the largest mean batch up to which the objective holds, at the
    plan's confidence. Steps are those of `placement_table`, corrected for the planned lengths. Of a
    replica whose prompts are worked on apart it is what was planned, whatever the lengths.
    """
    if placement.prefill is not None:
        return placement.max_requests_per_s
    model = cloud.models[placement.model]
    configuration = placement.configuration
    accelerator = cloud.seen(catalog).accelerator(placement.accelerator)
    correction = placement_correction(cloud, catalog, placement, predictor)
    ranks = configuration.attention_dp * configuration.pp
    asked = Situation(model.architecture, accelerator, configuration, load)
    slower = slower_at(cloud.planning.confidence, [asked], predictor)
    steady = at_batch(
        scaled(
            step_numbers(model.architecture, accelerator, configuration, predictor),
            correction.step_factor(_BATCHES / configuration.tp) * slower.step[0],
        ),
        load,
        _BATCHES * ranks,
        batch_tokens=float(configuration.batch_tokens),
        max_batch=float(configuration.max_batch),
        kv_tokens=float(placement.kv_tokens),
        percentile=model.objective.percentile,
    )
    later = slower.first[0] / slower.step[0]
    steady = msgspec.structs.replace(
        steady, ttft_s_at_percentile=steady.ttft_s_at_percentile * later
    )
    rate = np.asarray(steady.requests_per_s)
    holds = in_time(steady, model.objective, placement.max_rtt_ms)
    last = int(leading(holds[None, :], rate[None, :])[0])
    return float(rate[last]) if last >= 0 else 0.0
