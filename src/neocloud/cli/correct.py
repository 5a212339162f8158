"""`neocloud ledger correct`: what was metered wrongly, put right by a record beside the event."""

from __future__ import annotations

import getpass
import time
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import click
import msgspec

from neocloud.books.accounts import BooksError, open_books
from neocloud.books.backfill import CorrectionEffect, CorrectionOutcome, correction_effects
from neocloud.books.prices import PriceBook, contract_terms, price_version
from neocloud.books.rating import UnpricedHoursError, UnpricedModelError
from neocloud.cli.cloud_file import open_cloud
from neocloud.cli.failure import Failure
from neocloud.cli.ledger_file import ledger_asked, ledger_failures, ledger_option, segments_option
from neocloud.cli.tables import console, table
from neocloud.ledger import Reader
from neocloud.ledger.correct import Proposal, propose, record
from neocloud.spec import Cloud

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command(name="correct")
@click.argument("cloud_file", type=_FILE)
@click.argument("corrections", type=_FILE)
@ledger_option
@segments_option
@click.option("--by", "made_by", help="Who corrects; the user of this machine unless given.")
@click.option("--dry-run", is_flag=True, help="Show what it would change, and write nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON.")
def correct_verb(
    cloud_file: Path,
    corrections: Path,
    ledger: str | None,
    segments: Path | None,
    made_by: str | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Correct events of CLOUD_FILE's ledger by CORRECTIONS, CSV or Parquet: a row a request.

    Columns are request_id, reason, and what was metered wrongly: input_tokens, cached_tokens,
    output_tokens, reasoning_tokens, status; what a row leaves out stays as first recorded. The
    event itself stays, the correction stands beside it, and of several the latest holds. The same
    file again does nothing. Shown are tokens and money by tenant and month. Of a closed month the
    difference is charged or credited on the next invoice.
    """
    cloud, _ = open_cloud(cloud_file)
    with ledger_failures():
        reader = Reader(ledger_asked(cloud, cloud_file, ledger, segments, "ledger correct"))
        found = propose(corrections, reader, time.time_ns(), made_by or _user())
        outcome = _outcome(cloud, reader, corrections, found)
        if not dry_run:
            outcome = msgspec.structs.replace(outcome, written=record(reader.place, found))
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(outcome), indent=2).decode())
        return
    _show(outcome, dry_run=dry_run)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # of a user without a name
        return ""


def _outcome(cloud: Cloud, reader: Reader, file: Path, found: Proposal) -> CorrectionOutcome:
    with closing(open_books(reader.place)) as known:
        try:
            books = known if known.begun() else None
            kept = {} if books is None else books.versions()
            prices = PriceBook(current=price_version(cloud), kept=kept), contract_terms(cloud)
            effects = correction_effects(reader, found.new, found.events, prices, books)
        except (UnpricedModelError, UnpricedHoursError, BooksError) as error:
            raise Failure(f"{error}.") from None
    return CorrectionOutcome(
        file=str(file),
        ledger=reader.name,
        rows=found.rows,
        repeated=found.repeated,
        known=found.known,
        new=len(found.new),
        superseded=found.superseded,
        written=0,
        effects=effects,
    )


def _show(outcome: CorrectionOutcome, *, dry_run: bool) -> None:
    right = "right"
    if outcome.effects:
        columns = [
            ("tenant", ""), ("month", ""), ("requests", right), ("tokens in", right),
            ("tokens out", right), ("before", right), ("after", right), ("difference", right),
            ("billed", right), ("charged", "wrap"),
        ]  # fmt: skip
        rows = [_row(effect) for effect in outcome.effects]
        console().print(table(f"What {outcome.file} corrects", columns, rows))
    counts = f"{outcome.rows:,} rows, {outcome.new:,} of them new corrections, "
    counts += f"{outcome.known:,} on record already"
    counts += f", {outcome.repeated:,} repeated" if outcome.repeated else ""
    counts += f", {outcome.superseded:,} overruled by later ones" if outcome.superseded else ""
    done = "Nothing was written" if dry_run else f"{outcome.written:,} were written"
    click.echo(f"{counts}. {done}.")


def _row(effect: CorrectionEffect) -> list[str]:
    charged = "on the next invoice, as a correction" if effect.closed else "on the month's invoice"
    return [
        effect.tenant,
        effect.month,
        f"{effect.requests:,}",
        f"{effect.input_tokens:+,}",
        f"{effect.output_tokens:+,}",
        _money(effect.before),
        _money(effect.after),
        f"{_money(effect.difference)} {effect.currency}",
        _money(effect.billed),
        "never: emulated" if effect.emulated else charged,
    ]


def _money(value: Decimal) -> str:
    return f"{value:,.6f}"
