"""`neocloud report`: what was planned beside what was metered."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from neocloud.books import (
    MissingMatplotlibError,
    NothingMeteredError,
    Report,
    UnknownPlaceError,
    draw_report,
    gather,
    make_report,
    report_text,
)
from neocloud.cli.cloud_file import open_cloud, open_plan, plan_beside
from neocloud.cli.failure import Failure
from neocloud.cli.ledger_file import ledger_failures, ledger_of, period_or_all
from neocloud.ledger import Reader

_PICTURES = (".png", ".svg")


@click.command(name="report")
@click.argument("cloud_file", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--plan",
    "plan_path",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The plan that was running; plan.json beside the file unless given.",
)
@click.option(
    "--period", help="What to compare, UTC: 2026-10, 2026-10-05 or START/END; all unless given."
)
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@click.option(
    "--picture",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Draw it, too: a file that ends in .png or .svg. Needs the extra `plot`.",
)
def command(
    cloud_file: Path,
    plan_path: Path | None,
    period: str | None,
    as_json: bool,
    picture: Path | None,
) -> None:
    """Compare CLOUD_FILE's plan with what its ledger holds, and say why they differ.

    The metered requests are replayed at the plan's step times: so a slow engine is told from heavy
    traffic.
    """
    if picture is not None and picture.suffix not in _PICTURES:
        raise Failure(f"--picture {picture}: write a name that ends in {' or '.join(_PICTURES)}.")
    cloud, catalog = open_cloud(cloud_file)
    plan = open_plan(plan_beside(cloud_file, plan_path), cloud)
    with ledger_failures():
        reader = Reader(ledger_of(cloud, cloud_file))
        metered = gather(reader, cloud, catalog, period_or_all(period, reader))
    try:
        report = make_report(cloud, catalog, plan, metered)
    except (NothingMeteredError, UnknownPlaceError) as error:
        raise Failure(f"{reader.name}: {error}.") from None
    if picture is not None:
        _draw(report, picture)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(report), indent=2).decode())
        return
    click.echo(report_text(report), nl=False)
    if picture is not None:
        click.echo(f"Picture: {picture}")


def _draw(report: Report, path: Path) -> None:
    try:
        draw_report(report, path)
    except MissingMatplotlibError as error:
        raise Failure(f"{error}.") from None
    except OSError as error:
        raise Failure(f"{path} cannot be written: {error.strerror}.") from None
