"""`neocloud report`: what a cloud cost, earned and owes; each part for which there is ground."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click
import msgspec

from neocloud.books import MissingMatplotlibError, draw_report, report_text
from neocloud.books.tiers import BY_DEFAULT, DIMENSIONS, groups_csv
from neocloud.cli.failure import Failure
from neocloud.cli.report_parts import PARTS, Made, Pack, choose, ground_of, make_document
from neocloud.cli.report_tiers import Asked, exclusive, read_by
from neocloud.finance.board import (
    GRAINS,
    Document,
    Grain,
    finance_csv,
    finance_text,
    indicator_csv,
    indicator_text,
    page_of,
    reconstruction_lines,
)
from neocloud.finance.board.workbook import MissingXlsxError, write_workbook
from neocloud.finance.lender import pack_text, tape_csv

_PICTURES = (".png", ".svg")


@click.command(name="report")
@click.argument("cloud_file", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--part",
    "parts",
    multiple=True,
    type=click.Choice(PARTS),
    help="Only this part; may be given again. Unless given: tiers where the ledger holds "
    "something, finance and indicators where the file has contracts, assets, debt or equity.",
)
@click.option(
    "--plan",
    "plan_path",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The plan that was running; plan.json beside the file unless given.",
)
@click.option(
    "--period",
    help="What of the ledger to report in tiers, UTC: 2026-10, 2026-10-05 or START/END; all unless "
    "given.",
)
@click.option(
    "--by",
    "by_text",
    default=",".join(BY_DEFAULT),
    show_default=True,
    help=f"What costs are told apart by, in this order: any of {', '.join(DIMENSIONS)}.",
)
@click.option(
    "--activity",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Parquet with activity of source `simulated`, set beside plan and ledger. Needs the extra "
    "`parquet`.",
)
@click.option(
    "--every",
    "grain",
    type=click.Choice(GRAINS),
    default="year",
    show_default=True,
    help="What statements are told by.",
)
@click.option("--facility", help="Of the lender's packs only this facility's.")
@click.option(
    "--month",
    help="Month at whose end the lender's packs stand; that of the first interest or principal "
    "unless given.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@click.option(
    "--csv",
    "as_csv",
    is_flag=True,
    help="Print one part as CSV: tiers by --by; finance by month, statement and line, exact.",
)
@click.option(
    "--html",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write it as one page with charts, too: a file that needs no other and no network.",
)
@click.option(
    "--xlsx",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the statements as a workbook with live formulas, too. Needs the extra `xlsx`.",
)
@click.option(
    "--picture",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Draw planned against metered, too: a file that ends in .png or .svg. Needs the extra "
    "`plot`.",
)
def command(
    cloud_file: Path,
    parts: tuple[str, ...],
    plan_path: Path | None,
    period: str | None,
    by_text: str,
    activity: Path | None,
    grain: Grain,
    facility: str | None,
    month: str | None,
    as_json: bool,
    as_csv: bool,
    html: Path | None,
    xlsx: Path | None,
    picture: Path | None,
) -> None:
    """Show what CLOUD_FILE cost, earned and owes.

    Tiers: cost and margin of a period by power, accelerator-hours and tokens; the plan is compared
    with what the ledger holds, and the metered requests are replayed at the plan's step times: so a
    slow engine is told from heavy traffic.

    Finance: the three statements month by month over the life of contracts and debt, cover,
    covenants, runway, returns. Indicators: component cost, whom the cloud depends on, inference,
    returning customers, pipeline. Lender: certificate, borrowing base and collateral of each
    facility.
    """
    if picture is not None and picture.suffix not in _PICTURES:
        raise Failure(f"--picture {picture}: write a name that ends in {' or '.join(_PICTURES)}.")
    exclusive([name for name, given in (("--json", as_json), ("--csv", as_csv)) if given])
    asked = Asked(period=period, by=read_by(by_text), activity=activity)
    needed = {
        "tiers": (period, activity, picture), "finance": (xlsx,), "lender": (facility, month),
    }  # fmt: skip
    ground = ground_of(cloud_file, plan_path)
    chosen = choose(ground, parts, [part for part, given in needed.items() if any(given)])
    made = make_document(ground, chosen, asked, Pack(facility=facility, month=month))
    document = made.document
    if html is not None:
        page = page_of(document)
        _written(lambda path: path.write_text(page, encoding="utf-8"), html)
    if picture is not None:
        tiers = document.tiers
        assert tiers is not None, "a picture needs the part"
        _written(lambda path: draw_report(tiers, path), picture)
    if xlsx is not None:
        _workbook(made, xlsx)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(document), indent=2).decode())
        return
    if as_csv:
        click.echo(_table(document), nl=False)
        return
    click.echo(_text(document, grain), nl=False)
    for name, path in (("Page", html), ("Workbook", xlsx), ("Picture", picture)):
        if path is not None:
            click.echo(f"{name}: {path}")


def _text(document: Document, grain: Grain) -> str:
    """All parts, one after the other."""
    blocks = []
    if document.tiers is not None:
        blocks.append(report_text(document.tiers))
    if document.finance is not None:
        blocks.append(finance_text(document.finance, document, grain))
    if document.indicators is not None:
        blocks.append(indicator_text(document.indicators, document.cloud))
    blocks += [pack_text(pack) for pack in document.lender]
    marked = "\n".join(reconstruction_lines(document))
    left = "".join(f"Left out: {item.part}: {item.reason}.\n" for item in document.left_out)
    return "\n".join([*([marked] if marked else []), *blocks, *([left] if left else [])])


def _table(document: Document) -> str:
    """The one part that is there, as CSV."""
    tables: dict[str, Callable[[], str]] = {}
    if (tiers := document.tiers) is not None:
        tables["tiers"] = lambda: groups_csv(tiers.tiers)
    if (finance := document.finance) is not None:
        tables["finance"] = lambda: finance_csv(finance, document.reconstruction)
    if (indicators := document.indicators) is not None:
        tables["indicators"] = lambda: indicator_csv(indicators, document.reconstruction)
    if document.lender:
        tables["lender"] = lambda: tape_csv(document.lender)
    if len(tables) > 1:
        told = " or ".join(f"--part {part}" for part in tables)
        raise Failure(f"--csv prints one part, and there are {len(tables)}: add {told}.")
    return next(iter(tables.values()))()


def _workbook(made: Made, path: Path) -> None:
    done = made.ran
    assert done is not None, "a workbook needs the part"

    def write(to: Path) -> None:
        with to.open("wb") as file:
            write_workbook(done.inputs, done.outcome, made.document.reconstruction, file)

    _written(write, path)


def _written(write: Callable[[Path], object], path: Path) -> None:
    try:
        write(path)
    except (MissingMatplotlibError, MissingXlsxError) as error:
        raise Failure(f"{error}.") from None
    except OSError as error:
        raise Failure(f"{path} cannot be written: {error.strerror}.") from None
