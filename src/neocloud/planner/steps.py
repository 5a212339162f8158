"""The step table behind a placement: what its replicas' steps were planned to cost."""

from __future__ import annotations

from neocloud.catalog import Catalog
from neocloud.perf import StepTable, step_table
from neocloud.planner.records import Placement
from neocloud.spec import Cloud


def placement_table(cloud: Cloud, catalog: Catalog, placement: Placement) -> StepTable:
    """Tabulate the steps of one replica of `placement`."""
    return step_table(
        cloud.models[placement.model].architecture,
        cloud.seen(catalog).accelerator(placement.accelerator),
        placement.configuration,
    )
