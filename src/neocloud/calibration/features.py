"""Features of a measured case for the learned part."""

from __future__ import annotations

from neocloud.calibration.records import Case, Mode
from neocloud.catalog import Catalog
from neocloud.perf.features import OFFLINE_LOAD, UNDATED, Features, features_of


def features_of_case(catalog: Catalog, case: Case, flight: float | None = None) -> Features:
    """Features of a case for the learned part; `flight` requests, where not the case's own.

    A load at a rate is like a fixed one with as many requests in flight.
    """
    load = (case.concurrency if flight is None else flight) / case.accelerators
    if case.mode is Mode.OFFLINE:
        load = 2.0**OFFLINE_LOAD
    mode = Mode.CLOSED if case.mode is Mode.RATE else case.mode
    return features_of(
        catalog.architecture(case.model),
        catalog.accelerator(case.decode.accelerator),
        case.decode,
        inputs=case.inputs,
        outputs=case.outputs,
        load=load,
        mode=str(mode),
        layer=case.engine_layer,
        release=case.release,
        year=UNDATED if case.year is None else case.year,
    )
