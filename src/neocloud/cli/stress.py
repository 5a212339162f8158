"""`neocloud stress`: what a shock does to cover, cash and owners' return, and what breaks first."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec
import numpy as np

from neocloud.cli.cloud_file import open_figures, open_plan, plan_beside
from neocloud.cli.failure import Failure
from neocloud.cli.progress import progress_bar
from neocloud.cli.report_finance import no_ground, reconstruction
from neocloud.finance.inputs import Use, inputs_of, use_of_plan
from neocloud.finance.stress import (
    NAMES,
    Asked,
    Chance,
    Scenario,
    StressReport,
    UnknownScenarioError,
    draw_stress,
    scenario_of,
    stress_csv,
    stress_page,
    stress_report,
    stress_text,
)
from neocloud.planner.pictures.plot import MissingMatplotlibError, figure_type
from neocloud.spec import Cloud

_FILE = click.Path(path_type=Path, dir_okay=False)
_MOST_PATHS = 1_000_000


@click.command(name="stress")
@click.argument("cloud_file", type=_FILE)
@click.option(
    "--scenario",
    "names",
    multiple=True,
    metavar="NAME[+NAME]",
    help="Run this one, or several at once; may be given again. All unless given: "
    f"{', '.join(NAMES)}.",
)
@click.option(
    "--paths",
    type=click.IntRange(0, _MOST_PATHS),
    default=10_000,
    show_default=True,
    help="Paths of chance; 0 for none.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**31 - 1),
    default=1,
    show_default=True,
    help="Of chance: the same seed gives the same paths.",
)
@click.option("--reverse", is_flag=True, help="Find the smallest shocks that take DSCR to 1.00.")
@click.option(
    "--plan",
    "plan_path",
    type=_FILE,
    help="The plan whose tokens are sold; plan.json beside the file, if it is there, unless given.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the stress test as JSON.")
@click.option("--csv", "as_csv", is_flag=True, help="Print base case and scenarios as CSV.")
@click.option(
    "--html",
    type=_FILE,
    help="Write it as one page with charts, too: a file that needs no other and no network.",
)
@click.option(
    "--picture",
    type=_FILE,
    help="Draw tornado and fans, too: a file that ends in .png or .svg. Needs the extra `plot`.",
)
@click.option("--quiet", is_flag=True, help="No progress.")
def command(
    cloud_file: Path,
    names: tuple[str, ...],
    paths: int,
    seed: int,
    reverse: bool,
    plan_path: Path | None,
    as_json: bool,
    as_csv: bool,
    html: Path | None,
    picture: Path | None,
    quiet: bool,
) -> None:
    """Show what shocks do to the debt, the cash and the owners of CLOUD_FILE.

    Scenarios by name, each factor alone over a range, paths of chance with one common factor, and
    with --reverse the smallest shocks that take cover to 1.
    """
    if as_json and as_csv:
        raise Failure("--json and --csv: give one of them.")
    _check_writable(html, picture)
    scenarios = tuple(_scenario(name) for name in names or NAMES)
    cloud, catalog = open_figures(cloud_file)
    use = _use(cloud, cloud_file, plan_path)
    missing = no_ground(cloud)
    if use is None and missing:
        raise Failure(f"{cloud_file}: nothing to stress: no plan, and {missing}.")
    inputs = inputs_of(cloud, catalog, use)
    asked = Asked(scenarios=scenarios, paths=paths, seed=seed, reverse=reverse)

    def chances(part: int) -> Chance:
        return np.random.Generator(np.random.Philox(key=[seed, part]))

    with progress_bar(show=not quiet and not as_json and not as_csv) as told:
        report = stress_report(inputs, asked, chances, told)
    report = msgspec.structs.replace(report, reconstruction=reconstruction(cloud_file))
    _write(report, html, picture)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(report), indent=2).decode())
        return
    if as_csv:
        click.echo(stress_csv(report), nl=False)
        return
    click.echo(stress_text(report), nl=False)
    if html is not None:
        click.echo(f"Page: {html}")
    if picture is not None:
        click.echo(f"Picture: {picture}")


def _scenario(name: str) -> Scenario:
    try:
        return scenario_of(name)
    except UnknownScenarioError as error:
        raise Failure(f"--scenario {name}: {error}.") from None


def _use(cloud: Cloud, cloud_file: Path, plan_path: Path | None) -> Use | None:
    """A typical day of the plan, if there is one; a company in figures has none."""
    place = plan_beside(cloud_file, plan_path)
    if plan_path is None and not place.exists():
        if cloud.models:
            click.echo(
                f"No plan at {place}, so no token is sold here. Make one: neocloud plan "
                f"{cloud_file}",
                err=True,
            )
        return None
    return use_of_plan(open_plan(place, cloud))


def _check_writable(html: Path | None, picture: Path | None) -> None:
    """What would keep a file from being written is told before anything is run."""
    if picture is not None:
        if picture.suffix not in {".png", ".svg"}:
            raise Failure(f"--picture {picture}: write a name that ends in .png or .svg.")
        try:
            figure_type()
        except MissingMatplotlibError as error:
            raise Failure(f"{error}.") from None
    for option, path in (("--html", html), ("--picture", picture)):
        if path is not None and not path.parent.is_dir():
            raise Failure(f"{option} {path}: there is no folder {path.parent}. Make it, or give "
                          "another path.")  # fmt: skip


def _write(report: StressReport, html: Path | None, picture: Path | None) -> None:
    path = html
    try:
        if html is not None:
            html.write_text(stress_page(report), encoding="utf-8")
        if picture is not None:
            path = picture
            with picture.open("wb") as file:
                draw_stress(report, file, picture.suffix[1:])
    except OSError as error:
        raise Failure(f"{path} cannot be written: {error.strerror}. Give another path.") from None
