"""Starting what watches a gateway's requests, process and energy."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from neocloud.gateway.metering.energy import EnergyMeters, Kept
from neocloud.gateway.metering.holdings import Ground, undelivered
from neocloud.gateway.metering.observing import Observing
from neocloud.gateway.observability.logs import access_log
from neocloud.gateway.observability.metrics import Process
from neocloud.gateway.observability.spans import MissingTelemetryError
from neocloud.gateway.observability.tracing import Tracing, start_tracing
from neocloud.gateway.requests.gateway import Gateway
from neocloud.gateway.requests.observer import Observer
from neocloud.gateway.settings import SettingsError
from neocloud.ledger import Ledger

log = logging.getLogger(__name__)


def start_observing(
    gateway: Gateway, observing: Observing, worker: int, connections: Callable[[], int]
) -> Tracing | None:
    """Have a gateway tell of its requests: traces, access log, metrics of the process.

    Args:
        gateway: of this process.
        observing: what is asked for.
        worker: number of this process.
        connections: tells clients' open connections.

    Returns:
        What sends traces, to be closed (it blocks) after the last answer; None if nothing does.

    Raises:
        SettingsError: traces are asked for and OpenTelemetry is not installed.
    """
    tracing = None
    if observing.traces is not None:
        try:
            tracing = start_tracing(observing.traces, observing.trace_share, worker)
        except MissingTelemetryError as error:
            raise SettingsError(str(error)) from None
    access = access_log()
    if tracing is not None or access is not None:
        gateway.observer = Observer(tracing, access)
    gateway.process = Process(worker=worker, connections=connections, traces=tracing)
    return tracing


def energy_meters(observing: Observing, ledger: Ledger) -> EnergyMeters:
    """What reads the meters of sites, for the one worker of a gateway that writes holdings."""
    return EnergyMeters(observing.meters, ledger, Kept(ledger.folder.parent / "meters.json"))


def warn_of_undelivered(ground: Ground) -> None:
    """Tell which reservations have no room beside the plan: they are metered as far as they do."""
    for name, short in undelivered(ground, time.time_ns()).items():
        log.warning("contract %s: accelerators not free beside the plan: %d", name, short)
