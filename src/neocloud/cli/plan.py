"""`neocloud plan`: find the cheapest way to serve the demand."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from neocloud.catalog import CatalogError
from neocloud.cli.cloud_file import open_cloud, plan_beside
from neocloud.cli.explain_tables import show_explanation
from neocloud.cli.failure import INFEASIBLE, Failure
from neocloud.cli.plan_tables import show_plan
from neocloud.cli.progress import progress_bar
from neocloud.perf import CalibrationFileError, NoParametersError, predictor_with
from neocloud.planner import (
    Explanation,
    InfeasibleError,
    Plan,
    PlanFileError,
    SolverError,
    assemble,
    explain_model,
    ground_of,
    placed_on,
    read_plan,
    with_baselines,
    with_worth,
    write_plan,
)
from neocloud.spec import Cloud


@click.command(name="plan")
@click.argument("cloud_file", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Where to write the plan; plan.json beside the file unless given.",
)
@click.option(
    "--explain",
    "explained",
    metavar="MODEL",
    help="Say what else could serve this model, why it lost, and what the market asks.",
)
@click.option(
    "--quick",
    is_flag=True,
    help="Leave out what one more node, pool or megawatt is worth: that is found by placing again.",
)
@click.option(
    "--calibration",
    type=click.Path(path_type=Path, dir_okay=False),
    help="What `neocloud accuracy --fit` made of rows of your own.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the plan itself instead of tables.")
@click.option("--quiet", is_flag=True, help="No progress.")
def command(
    cloud_file: Path,
    out: Path | None,
    explained: str | None,
    quick: bool,
    calibration: Path | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Find the cheapest way to serve CLOUD_FILE's demand within its objectives.

    Says which configuration serves each model, how many replicas stand where, and what a million
    tokens cost by tier. Writes plan.json. Exit status 3 if nothing serves the demand.
    """
    cloud, catalog = open_cloud(cloud_file)
    if explained is not None and explained not in cloud.models:
        known = ", ".join(cloud.models)
        raise Failure(f"{cloud.file}: no model {explained!r} to explain. Its models: {known}.")
    today = _today(cloud, cloud_file)
    explanation: Explanation | None = None
    try:
        predictor = predictor_with(calibration)
        with progress_bar(show=not quiet and not as_json) as told:
            ground = ground_of(cloud, catalog, told, predictor)
            placed = placed_on(ground, told)
            plan = with_baselines(ground, assemble(ground, placed), today, told)
            if not quick and explained is None:
                plan = with_worth(ground, placed, plan, told)
            if explained is not None and any(m.model == explained for m in plan.models):
                explanation = explain_model(ground, plan, explained, placed, told)
    except CalibrationFileError as error:
        raise Failure(str(error)) from None
    except InfeasibleError as error:
        lines = "\n".join(f"  {reason}" for reason in error.reasons)
        least = "".join(f"\n  {c.path}: {c.value:g}  ({c.unit})" for c in error.changes)
        told_least = f"\nThe least that makes it feasible, all of it:{least}" if least else ""
        raise Failure(
            f"infeasible: the demand cannot be served.\n{lines}{told_least}", INFEASIBLE
        ) from None
    except (CatalogError, NoParametersError, SolverError) as error:
        raise Failure(f"{cloud.file}: {error}") from None
    path = plan_beside(cloud_file, out)
    try:
        write_plan(plan, path)
    except PlanFileError as error:
        raise Failure(str(error)) from None
    if as_json:
        shown = plan if explanation is None else explanation
        click.echo(msgspec.json.format(msgspec.json.encode(shown), indent=2).decode())
        return
    if explanation is not None:
        show_explanation(explanation)
    else:
        show_plan(plan)
    click.echo(f"Plan: {path}")


def _today(cloud: Cloud, cloud_file: Path) -> tuple[str, Plan] | None:
    """The plan that the file says runs now."""
    name = cloud.planning.today
    if name is None:
        return None
    try:
        return name, read_plan(cloud_file.parent / name)
    except PlanFileError as error:
        raise Failure(f"{cloud.where('planning.today')}: {error}") from None
