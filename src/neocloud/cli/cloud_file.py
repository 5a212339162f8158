"""Opening a cloud file and its plan for a verb."""

from __future__ import annotations

from pathlib import Path

from neocloud.catalog import Catalog, load_catalog
from neocloud.cli.failure import Failure
from neocloud.planner.records import Plan
from neocloud.planner.store import PlanFileError, read_plan
from neocloud.spec import Cloud, SpecError, load_cloud


def open_cloud(path: Path) -> tuple[Cloud, Catalog]:
    """Load and check the file; its problems, all of them, are the failure's message."""
    if str(path).startswith(("sqlite:", "postgresql:")):
        raise Failure("a cloud's file goes here; name a ledger with --ledger")
    catalog = load_catalog()
    try:
        return load_cloud(path, catalog), catalog
    except SpecError as error:
        raise Failure("\n".join(str(problem) for problem in error.problems)) from None


def open_plan(path: Path, cloud: Cloud) -> Plan:
    """Read the plan and make sure that it was made from this very file."""
    try:
        plan = read_plan(path)
    except PlanFileError as error:
        raise Failure(str(error)) from None
    if plan.hashes.get("cloud") != cloud.content_hash:
        raise Failure(
            f"{path} was made from another version of {cloud.file}. "
            f"Plan again: neocloud plan {cloud.file}"
        )
    return plan


def plan_beside(cloud_path: Path, plan_path: Path | None) -> Path:
    """Where a cloud's plan lies unless told otherwise: `plan.json` beside it."""
    return plan_path if plan_path is not None else cloud_path.with_name("plan.json")
