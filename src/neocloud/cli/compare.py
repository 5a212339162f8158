"""`neocloud compare`: two clouds side by side, at equal objectives and at equal cost."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import click
import msgspec

from neocloud.catalog import Catalog, CatalogError
from neocloud.cli.cloud_file import open_cloud, plan_beside
from neocloud.cli.compare_tables import show_comparison
from neocloud.cli.failure import INFEASIBLE, Failure
from neocloud.cli.progress import progress_bar
from neocloud.perf import CalibrationFileError, NoParametersError, Predictor, predictor_with
from neocloud.planner import InfeasibleError, Plan, Progress, SolverError, make_plan
from neocloud.planner.comparing import ComparisonError, Contender, check_comparable, compare
from neocloud.planner.comparison import Comparison
from neocloud.planner.equal_cost import MAX_FACTOR
from neocloud.planner.pictures.pair import draw_comparison
from neocloud.planner.pictures.plot import MissingMatplotlibError, figure_type
from neocloud.planner.store import PlanFileError, read_plan
from neocloud.spec import Cloud

_FILE = click.Path(path_type=Path, dir_okay=False)


@dataclass(frozen=True, slots=True)
class _Opened:
    """A cloud before its plan."""

    name: str
    path: Path
    cloud: Cloud
    catalog: Catalog


@click.command(name="compare")
@click.argument("first", metavar="A", type=_FILE)
@click.argument("second", metavar="B", type=_FILE)
@click.option(
    "--plans",
    type=_FILE,
    nargs=2,
    metavar="PLAN_A PLAN_B",
    help="Plans of A and B as they stand. Unless given, plan.json beside each, where it was made "
    "from that very file; else it is planned.",
)
@click.option(
    "--max-factor",
    type=click.FloatRange(1, 100, min_open=True),
    default=MAX_FACTOR,
    show_default=True,
    help="Loosen objectives this many times at most.",
)
@click.option("--calibration", type=_FILE, help="What `neocloud accuracy --fit` made of own rows.")
@click.option("--png", type=_FILE, help="Draw it here, as PNG or SVG by the ending.")
@click.option("--json", "as_json", is_flag=True, help="Print the comparison as JSON.")
@click.option("--quiet", is_flag=True, help="No progress.")
def command(
    first: Path,
    second: Path,
    plans: tuple[Path, Path] | None,
    max_factor: float,
    calibration: Path | None,
    png: Path | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Set the clouds of two files, A and B, side by side.

    Once at equal objectives, as the files say: cost differs. Once at equal cost: all objectives of
    the dearer one are loosened by one factor until it costs no more than the other, and latency
    differs. Ends with whether A beats B. Exit status 3 if a cloud cannot serve its demand.
    """
    try:
        if png is not None:
            _check_drawable(png)
        predictor = predictor_with(calibration)
        both = _opened(first, second)
        check_comparable(both[0].cloud, both[1].cloud)
        with progress_bar(show=not quiet and not as_json) as told:
            contenders = _contenders(both, plans, predictor, told)
            comparison = compare(*contenders, predictor, max_factor, told)
    except InfeasibleError as error:
        told_why = "\n".join(f"  {reason}" for reason in error.reasons)
        raise Failure(
            f"infeasible with looser objectives, though not without.\n{told_why}", INFEASIBLE
        ) from None
    except (
        CalibrationFileError,
        CatalogError,
        ComparisonError,
        MissingMatplotlibError,
        SolverError,
    ) as error:
        raise Failure(str(error)) from None
    if png is not None:
        _draw(comparison, png)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(comparison), indent=2).decode())
        return
    show_comparison(comparison)
    if png is not None:
        click.echo(f"Picture: {png}")


def _opened(first: Path, second: Path) -> tuple[_Opened, _Opened]:
    """Both files, by the names of the clouds; where these are alike, by their order too."""
    clouds = open_cloud(first), open_cloud(second)
    names = [cloud.name for cloud, _ in clouds]
    if names[0] == names[1]:
        names = [f"{names[0]} (A)", f"{names[1]} (B)"]
    return (
        _Opened(names[0], first, *clouds[0]),
        _Opened(names[1], second, *clouds[1]),
    )


def _contenders(
    both: tuple[_Opened, _Opened],
    plans: tuple[Path, Path] | None,
    predictor: Predictor,
    told: Progress,
) -> tuple[Contender, Contender]:
    """Both with their plans; what cannot be planned is told of both at once."""
    found: list[Contender] = []
    infeasible: list[str] = []
    for place, opened in enumerate(both):
        named = plans[place] if plans else None
        try:
            plan = _plan(opened, named, predictor, told)
        except InfeasibleError as error:
            infeasible.append(_told(opened, error))
            continue
        except (CatalogError, NoParametersError, SolverError) as error:
            raise Failure(f"{opened.path}: {error}") from None
        found.append(
            Contender(name=opened.name, cloud=opened.cloud, catalog=opened.catalog, plan=plan)
        )
    if infeasible:
        raise Failure("\n".join(infeasible), INFEASIBLE)
    return found[0], found[1]


def _told(opened: _Opened, error: InfeasibleError) -> str:
    lines = [f"infeasible: {opened.name} ({opened.path}) cannot serve its demand."]
    lines += [f"  {reason}" for reason in error.reasons]
    if error.changes:
        lines.append("The least that makes it feasible, all of it:")
        lines += [f"  {c.path}: {c.value:g}  ({c.unit})" for c in error.changes]
    return "\n".join(lines)


def _plan(opened: _Opened, named: Path | None, predictor: Predictor, told: Progress) -> Plan:
    """The plan that was named, the one beside the file, or a new one."""
    if named is not None:
        try:
            plan = read_plan(named)
        except PlanFileError as error:
            raise Failure(str(error)) from None
        other = _made_from_other(plan, opened, predictor)
        if other is not None:
            raise Failure(
                f"{named} was made from another version of {other}. Plan again: neocloud plan "
                f"{opened.path}, or leave out --plans."
            )
        return plan
    try:
        plan = read_plan(plan_beside(opened.path, None))
    except PlanFileError:
        pass
    else:
        if _made_from_other(plan, opened, predictor) is None:
            return plan

    def prefixed(what: str, share: float | None) -> None:
        told(f"{opened.name}: {what}", share)

    return make_plan(opened.cloud, opened.catalog, prefixed, predictor)


def _made_from_other(plan: Plan, opened: _Opened, predictor: Predictor) -> str | None:
    """What the plan was made from another version of; None if it is what would be made now."""
    made_from = {
        "cloud": (opened.cloud.content_hash, str(opened.path)),
        "catalog": (opened.cloud.seen(opened.catalog).content_hash, "the catalog"),
        "parameters": (predictor.digest, "the performance model's parameters"),
    }
    for key, (now, name) in made_from.items():
        if plan.hashes.get(key) != now:
            return name
    return None


def _check_drawable(path: Path) -> None:
    """What would keep the picture from being drawn is told before plans are made."""
    figure_type()
    if path.suffix.lower() not in {".png", ".svg"}:
        raise Failure(f"{path}: the ending must be .png or .svg. Give another path with --png.")
    if not path.parent.is_dir():
        raise Failure(f"{path}: there is no folder {path.parent}. Give another path with --png.")


def _draw(comparison: Comparison, path: Path) -> None:
    try:
        draw_comparison(comparison, path)
    except OSError as error:
        raise Failure(
            f"{path}: cannot be written: {error.strerror}. Give another path with --png."
        ) from None
