"""`neocloud accuracy`: predicted against measured, and a fit to a user's own rows."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from pathlib import Path

import click
import msgspec

from neocloud.calibration import (
    Accuracy,
    CalibrationError,
    Case,
    Line,
    Measured,
    Outcome,
    RowError,
    accuracy_of,
    calibrate,
    pairs_of_files,
    write_calibration,
)
from neocloud.calibration import Error as RowsError
from neocloud.catalog import Catalog, load_catalog
from neocloud.cli.failure import Failure
from neocloud.cli.tables import console, table
from neocloud.perf.predictor import CalibrationFileError, Change, predictor_with, shipped

_NOTE = (
    "Errors are |predicted / measured - 1| in per cent: median / mean / 80th percentile, then the "
    "bias (median of predicted / measured - 1). These may be rows that the fit has seen; "
    "docs/accuracy.md has the errors of rows that were left out."
)
_MEANS = {
    "decode_factor": "time of a decode step",
    "prefill_factor": "time of a prompt",
    "first_token_s": "constant of the first token",
}
_LAYOUTS = "docs/accuracy.md says which columns the three layouts have."
_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command(name="accuracy")
@click.argument("rows", nargs=-1, required=True, type=_FILE, metavar="ROWS.csv...")
@click.option("--calibration", type=_FILE, help="Use this calibration of your own.")
@click.option(
    "--fit", "fitting", is_flag=True, help="Fit factors to these rows and lay them down in --out."
)
@click.option("--out", type=_FILE, help="The calibration to write; only with --fit.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
def command(
    rows: tuple[Path, ...],
    calibration: Path | None,
    fitting: bool,
    out: Path | None,
    as_json: bool,
) -> None:
    """Compare predictions with the measured rows of ROWS.csv, in any of the three layouts.

    With --fit, the shipped parameters are moved towards these rows: `predict` and `plan` take the
    result as --calibration.
    """
    if fitting != (out is not None):
        raise Failure("--fit and --out go together: --fit ROWS.csv --out calibration.json.")
    if fitting and calibration is not None:
        raise Failure(
            "--fit starts from the shipped parameters: leave out --calibration and give all rows."
        )
    catalog = load_catalog()
    try:
        pairs, refused = pairs_of_files(catalog, rows)
        predictor = predictor_with(calibration)
    except RowError as error:
        raise Failure(f"{error}. {_LAYOUTS}") from None
    except OSError as error:
        raise Failure(f"{error.filename} cannot be read: {error.strerror}.") from None
    except CalibrationFileError as error:
        raise Failure(f"{error}.") from None
    if out is None:
        found = accuracy_of(predictor, catalog, pairs, refused)
        _print_json(found) if as_json else _show(found)
        return
    outcome = _fitted(catalog, pairs, rows)
    try:
        write_calibration(outcome.calibration, out)
    except OSError as error:
        raise Failure(f"{out} cannot be written: {error.strerror}.") from None
    _print_json(outcome) if as_json else _show_outcome(outcome, refused, out)


def _print_json(value: msgspec.Struct) -> None:
    click.echo(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())


def _fitted(
    catalog: Catalog, pairs: Sequence[tuple[Case, Measured]], rows: tuple[Path, ...]
) -> Outcome:
    shown = sys.stderr.isatty()

    def progress(step: int) -> None:
        if shown:
            click.echo(f"\rfitting, step {step}", nl=False, err=True)

    try:
        found = calibrate(
            shipped(), catalog, pairs, ", ".join(path.name for path in rows), progress
        )
    except CalibrationError as error:
        names = ", ".join(str(path) for path in rows)
        raise Failure(f"{names}: {error}; without that there is nothing to fit.") from None
    if shown:
        click.echo("", err=True)
    return found


def _show(found: Accuracy) -> None:
    for by in dict.fromkeys(line.by for line in found.lines):
        _show_lines(f"By {by}" if by != "all" else "In all", by, found.lines)
    _show_refused(found.predicted, found.refused)
    if found.coverage:
        console().print(
            table(
                "Rows inside their interval, per cent",
                [("output", ""), ("load", ""), *((n, "right") for n in ("rows", "50%", "90%"))],
                [
                    [c.output, c.mode, f"{c.rows:,}", _share(c.inside_50), _share(c.inside_90)]
                    for c in found.coverage
                ],
            )
        )
    click.echo(_NOTE)


def _share(value: float) -> str:
    return f"{100.0 * value:.0f}"


def _show_lines(title: str, by: str, lines: list[Line]) -> None:
    console().print(
        table(
            title,
            [("", ""), *((name, "right") for name in ("rows", "throughput", "TPOT", "TTFT"))],
            [
                [line.name, _rows(line), _cell(line.throughput), _cell(line.tpot), _cell(line.ttft)]
                for line in lines
                if line.by == by
            ],
        )
    )


def _rows(line: Line) -> str:
    counts = [e.rows for e in (line.throughput, line.tpot, line.ttft) if e is not None]
    return f"{max(counts, default=0):,}"


def _cell(error: RowsError | None) -> str:
    if error is None:
        return "not measured"
    parts = [_plain(v) for v in (error.median, error.mean, error.p80)]
    sign = "+" if error.bias >= 0 else ""
    return f"{' / '.join(parts)} / {sign}{_plain(error.bias)}"


def _plain(value: float) -> str:
    return f"{value:.1f}" if abs(value) < 10 else f"{value:,.0f}"


def _show_refused(predicted: int, refused: dict[str, int]) -> None:
    click.echo(f"{predicted:,} rows predicted, {sum(refused.values()):,} not.")
    if refused:
        console().print(
            table(
                "Not predicted",
                [("rows", "right"), ("why", "")],
                [[f"{count:,}", reason] for reason, count in refused.items()],
            )
        )


def _show_outcome(outcome: Outcome, refused: dict[str, int], out: Path) -> None:
    _show_refused(outcome.calibration.rows, refused)
    named = [
        msgspec.structs.replace(line, by="", name=name)
        for name, line in (("shipped", outcome.before), ("calibrated", outcome.after))
    ]
    _show_lines("Errors on these rows, which the calibration has now seen", "", named)
    changes = outcome.calibration.changes
    if changes:
        console().print(
            table(
                "What changed, per cent of time",
                [("what", ""), ("for", ""), ("", ""), ("change", "right")],
                [[_MEANS[c.term], c.level, c.key, _per_cent(c)] for c in changes],
            )
        )
    else:
        click.echo("Nothing changed by half a per cent or more: the shipped parameters fit.")
    click.echo(f"Wrote {out}. Use it: neocloud predict --calibration {out} ...")


def _per_cent(change: Change) -> str:
    return f"{100.0 * math.expm1(change.calibrated - change.shipped):+.1f}"
