"""Opening a cloud file and its plan for a verb."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from neocloud.catalog import Catalog, load_catalog
from neocloud.cli.failure import Failure
from neocloud.spec import Cloud, SpecError, load_cloud

if TYPE_CHECKING:  # the planner loads numpy, and nothing of it is called here
    from neocloud.planner.records import Plan


def open_cloud(path: Path) -> tuple[Cloud, Catalog]:
    """Load and check the file of a cloud that serves models.

    Its problems, all of them, are the failure's message. A company in figures, without models or
    pools, is refused: see `open_figures`.
    """
    cloud, catalog = open_figures(path)
    pools = [pool for site in cloud.sites.values() for pool in site.pools]
    there = {"sites": cloud.sites, "pools": pools, "models": cloud.models, "demand": cloud.demand}
    missing = [name for name, found in there.items() if not found]
    if missing:
        raise Failure(
            f"{cloud.where('name')}: the cloud has no {', '.join(missing)}: it is a company in "
            f"figures, for report and stress alone. Add {', '.join(missing)}."
        )
    return cloud, catalog


def open_figures(path: Path) -> tuple[Cloud, Catalog]:
    """Load and check the file of a cloud, or of a company in figures.

    Its problems, all of them, are the failure's message. What a company in figures may lack: sites,
    pools, models, demand.
    """
    if str(path).startswith(("sqlite:", "postgresql:")):
        raise Failure("a cloud's file goes here; name a ledger with --ledger")
    catalog = load_catalog()
    try:
        return load_cloud(path, catalog), catalog
    except SpecError as error:
        raise Failure("\n".join(str(problem) for problem in error.problems)) from None


def open_plan(path: Path, cloud: Cloud) -> Plan:
    """Read the plan and make sure that it was made from this very file."""
    from neocloud.planner.store import PlanFileError, read_plan  # only with a plan: it loads numpy

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
