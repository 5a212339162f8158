"""`plan.json`: writing, reading, and its published schema."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from neocloud.perf import CalibrationFileError, predictor_of
from neocloud.planner.records import SCHEMA, Plan


class PlanFileError(ValueError):
    """A plan file that cannot be used; the message says why and what to do."""


def write_plan(plan: Plan, path: Path) -> None:
    """Lay a plan down: whole or not at all.

    Raises:
        PlanFileError: nothing can be written there.
    """
    data = msgspec.json.format(msgspec.json.encode(plan), indent=1)
    scratch = path.with_name(path.name + ".part")
    try:
        scratch.write_bytes(data + b"\n")
        scratch.replace(path)
    except OSError as error:
        raise PlanFileError(
            f"{path}: cannot be written: {error.strerror}. Give another path with --out."
        ) from None


def read_plan(path: Path) -> Plan:
    """Read a plan.

    Raises:
        PlanFileError: no such file, another schema version, not a plan, or one made with a
            calibration of another fit.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise PlanFileError(f"{path}: {error.strerror}. Make it with `neocloud plan`.") from None
    try:
        plan = msgspec.json.decode(data, type=Plan)
    except msgspec.MsgspecError as error:
        raise PlanFileError(
            f"{path}: not a plan of schema {SCHEMA}: {error}. Make it again with `neocloud plan`."
        ) from None
    if plan.schema != SCHEMA:
        raise PlanFileError(
            f"{path}: schema {plan.schema}, this version reads {SCHEMA}. Make it again with "
            "`neocloud plan`."
        )
    try:
        predictor_of(plan.calibration)
    except CalibrationFileError as error:
        raise PlanFileError(f"{path}: {error}, and plan again.") from None
    return plan


def plan_schema() -> dict[str, Any]:
    """JSON Schema of `plan.json`."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": SCHEMA,
        **msgspec.json.schema(Plan),
    }
