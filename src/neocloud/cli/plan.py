"""`neocloud plan`: find the cheapest way to serve the demand."""

from __future__ import annotations

import sys
from pathlib import Path

import click
import msgspec

from neocloud.catalog import CatalogError
from neocloud.cli.cloud_file import open_cloud, plan_beside
from neocloud.cli.failure import INFEASIBLE, Failure
from neocloud.cli.tables import console, significant, table
from neocloud.perf import CalibrationFileError, NoParametersError, predictor_with
from neocloud.planner import (
    CostByTier,
    InfeasibleError,
    Plan,
    PlanFileError,
    SolverError,
    make_plan,
    write_plan,
)


@click.command(name="plan")
@click.argument("cloud_file", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Where to write the plan; plan.json beside the file unless given.",
)
@click.option(
    "--calibration",
    type=click.Path(path_type=Path, dir_okay=False),
    help="What `neocloud accuracy --fit` made of rows of your own.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the plan itself instead of tables.")
@click.option("--quiet", is_flag=True, help="No progress.")
def command(
    cloud_file: Path, out: Path | None, calibration: Path | None, as_json: bool, quiet: bool
) -> None:
    """Find the cheapest way to serve CLOUD_FILE's demand within its objectives.

    Says which configuration serves each model, how many replicas stand where, and what a million
    tokens cost by tier. Writes plan.json. Exit status 3 if nothing serves the demand.
    """
    cloud, catalog = open_cloud(cloud_file)
    try:
        predictor = predictor_with(calibration)
    except CalibrationFileError as error:
        raise Failure(str(error)) from None
    show = not quiet and not as_json and sys.stderr.isatty()
    with console_status(show) as told:
        try:
            plan = make_plan(cloud, catalog, told, predictor)
        except InfeasibleError as error:
            lines = "\n".join(f"  {reason}" for reason in error.reasons)
            raise Failure(
                f"infeasible: the demand cannot be served.\n{lines}", INFEASIBLE
            ) from None
        except (CatalogError, NoParametersError, SolverError) as error:
            raise Failure(f"{cloud.file}: {error}") from None
    path = plan_beside(cloud_file, out)
    try:
        write_plan(plan, path)
    except PlanFileError as error:
        raise Failure(str(error)) from None
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(plan), indent=2).decode())
        return
    show_plan(plan)
    click.echo(f"Plan: {path}")


class console_status:  # noqa: N801  (used like a function)
    """A line on standard error that says what is being done, if anyone looks."""

    def __init__(self, show: bool) -> None:
        self._show = show

    def __enter__(self) -> console_status:
        return self

    def __call__(self, line: str, share: float | None) -> None:
        """Replace the line."""
        if self._show:
            done = "" if share is None else f"{share:4.0%} "
            sys.stderr.write(f"\r\033[K{done}{line}")
            sys.stderr.flush()

    def __exit__(self, *_: object) -> None:
        if self._show:
            sys.stderr.write("\r\033[K")


def _tiers(cost: CostByTier) -> list[str]:
    return [
        significant(value)
        for value in (cost.total, cost.power, cost.capital, cost.operations, cost.network)
    ]


def show_plan(plan: Plan) -> None:
    """Print a plan as tables."""
    out = console()
    right = "right"
    out.print(
        table(
            f"{plan.cloud}: what stands where",
            [
                ("site", ""), ("pool", ""), ("model", ""), ("replicas", right), ("tp", right),
                ("precision", ""), ("max batch", right), ("req/s each", right),
                ("busiest hour", right), ("kW", right),
            ],
            [
                [
                    p.site, p.pool, p.model, str(p.replicas), str(p.configuration.tp),
                    p.configuration.precision, str(p.configuration.max_batch),
                    significant(p.max_requests_per_s),
                    f"{max(p.requests_per_s_by_hour) / p.max_requests_per_s / p.replicas:.0%}",
                    significant(p.curve[-1].watts * p.replicas * p.pue / 1e3),
                ]
                for p in plan.placements
            ],
        )
    )  # fmt: skip
    out.print(
        table(
            f"Cost per million tokens, {plan.currency} (input and output tokens counted alike)",
            [
                ("model", ""), ("total", right), ("power", right), ("capital", right),
                ("operations", right), ("network", right), ("utilisation", right),
                ("Mtok/day", right),
            ],
            [
                [
                    m.model, *_tiers(m.cost_per_mtok), f"{m.utilisation:.0%}",
                    significant(m.tokens_per_day / 1e6, 4),
                ]
                for m in plan.models
            ],
        )
    )  # fmt: skip
    out.print(
        table(
            "Latency, ms, network included: predicted at the percentile, against the objective",
            [
                ("model", ""), ("percentile", right), ("ttft", right), ("objective", right),
                ("tpot", right), ("objective", right), ("of it network", right),
            ],
            [
                [
                    m.model, f"{m.percentile:g}", f"{m.ttft_ms_at_percentile:.0f}",
                    f"{m.objective_ttft_ms:g}", f"{m.tpot_ms_at_percentile:.1f}",
                    f"{m.objective_tpot_ms:g}", f"{m.network_ms:.0f}",
                ]
                for m in plan.models
            ],
        )
    )  # fmt: skip
    _show_rest(plan)


def _show_rest(plan: Plan) -> None:
    s = plan.search
    click.echo(
        f"All in {significant(plan.cost_per_hour.total, 4)} {plan.currency} an hour: power "
        f"{significant(plan.cost_per_hour.power)}, capital "
        f"{significant(plan.cost_per_hour.capital)}, operations "
        f"{significant(plan.cost_per_hour.operations)}, network "
        f"{significant(plan.cost_per_hour.network)}."
    )
    idle = sum(u.cost_per_hour for u in plan.unallocated)
    if idle > 0:
        where = ", ".join(f"{u.accelerators} in {u.site}/{u.pool}" for u in plan.unallocated)
        click.echo(
            f"Not used: {where}. They cost {significant(idle)} {plan.currency} an hour "
            "all the same."
        )
    for skipped in plan.skipped:
        click.echo(f"Left out: {skipped.site}/{skipped.pool}. {skipped.reason}")
    for b in plan.binding:
        click.echo(
            f"Binds: {b.limit} at {b.where}, {b.used:.4g} of {b.available:.4g} {b.unit} used."
        )
    click.echo(
        f"Searched {s.examined:,} points: {s.no_room:,} without room in memory or batch, "
        f"{s.too_slow:,} too slow, {s.dominated:,} dominated, {s.kept} kept. {s.solver} proved "
        f"the placement within {s.gap:.2%} of the best."
    )
