"""What is to be watched beside requests and replicas, as the cloud file says."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from neocloud.catalog import Catalog
from neocloud.gateway.metering.energy import SiteMeter, meters_of
from neocloud.gateway.metering.holdings import Ground, ground_of
from neocloud.spec import Cloud

if TYPE_CHECKING:  # the planner loads numpy, and nothing of it is called here
    from neocloud.planner import Plan


class Observing(msgspec.Struct, frozen=True, kw_only=True):
    """What the file asks to be watched. Nothing, without a file.

    Attributes:
        traces: base URL of the collector of traces; None sends none.
        trace_share: of the traces that begin here, those that are sent.
        ground: all accelerators, and who holds them beside the replicas.
        meters: what measures the energy of sites.
    """

    traces: str | None = None
    trace_share: float = 1.0
    ground: Ground = Ground()
    meters: tuple[SiteMeter, ...] = ()


def observing_of(cloud: Cloud, catalog: Catalog, plan: Plan, folder: Path) -> Observing:
    """What a cloud file and its plan say; paths in the file start from `folder`."""
    return Observing(
        traces=cloud.gateway.traces,
        trace_share=cloud.gateway.trace_share,
        ground=ground_of(cloud, catalog, plan),
        meters=meters_of(cloud, folder),
    )
