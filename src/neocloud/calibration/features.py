"""Features of a measured case for the learned part."""

from __future__ import annotations

from neocloud.calibration.records import Case, Mode
from neocloud.catalog import Catalog
from neocloud.perf.features import OFFLINE_LOAD, UNDATED, Features, features_of


def features_of_case(catalog: Catalog, case: Case) -> Features:
    """Features of a case for the learned part."""
    offline = case.mode in {Mode.OFFLINE, Mode.RATE}
    load = 2.0**OFFLINE_LOAD if offline else case.concurrency / case.accelerators
    return features_of(
        catalog.architecture(case.model),
        catalog.accelerator(case.decode.accelerator),
        case.decode,
        inputs=case.inputs,
        outputs=case.outputs,
        load=load,
        mode=str(case.mode),
        layer=case.engine_layer,
        release=case.release,
        year=UNDATED if case.year is None else case.year,
    )
