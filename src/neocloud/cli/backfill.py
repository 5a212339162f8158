"""`neocloud ledger backfill`: events from a file, afterwards; the difference is shown first."""

from __future__ import annotations

from contextlib import closing
from decimal import Decimal
from pathlib import Path

import click
import msgspec

from neocloud.books.accounts import BooksError, open_books
from neocloud.books.backfill import BackfillOutcome, Effect, effects_of, unfit
from neocloud.books.prices import PriceBook, contract_terms, price_version
from neocloud.books.rating import UnpricedHoursError, UnpricedModelError
from neocloud.cli.cloud_file import open_cloud
from neocloud.cli.failure import Failure
from neocloud.cli.ledger_file import ledger_asked, ledger_failures, ledger_option, segments_option
from neocloud.cli.tables import console, table
from neocloud.ledger import Reader
from neocloud.ledger.backfill import Staged, bring_in, staged
from neocloud.spec import Cloud

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command(name="backfill")
@click.argument("cloud_file", type=_FILE)
@click.argument("events", type=_FILE)
@ledger_option
@segments_option
@click.option("--dry-run", is_flag=True, help="Show what it would change, and write nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON.")
def backfill_verb(
    cloud_file: Path,
    events: Path,
    ledger: str | None,
    segments: Path | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Bring EVENTS, a file as `neocloud export` writes it, into CLOUD_FILE's ledger.

    What is on record already changes nothing, so the same file again does nothing; a row that says
    something else than the ledger under the same id is told, and nothing is written. Gateways may
    run meanwhile. Shown are tokens and money by tenant and month, without what contracts charge
    beside use. Of a closed month the difference is charged on the next invoice.
    """
    cloud, _ = open_cloud(cloud_file)
    with ledger_failures():
        reader = Reader(ledger_asked(cloud, cloud_file, ledger, segments, "ledger backfill"))
        with staged(events, reader, lambda event: unfit(cloud, event)) as found:
            outcome = _outcome(cloud, reader, events, found)
            if not dry_run:
                written = bring_in(reader.place, found)
                outcome = msgspec.structs.replace(outcome, written=written)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(outcome), indent=2).decode())
        return
    _show(outcome, dry_run=dry_run)


def _outcome(cloud: Cloud, reader: Reader, events: Path, found: Staged) -> BackfillOutcome:
    with closing(open_books(reader.place)) as known:
        try:
            books = known if known.begun() else None
            kept = {} if books is None else books.versions()
            book = PriceBook(current=price_version(cloud), kept=kept)
            effects = effects_of(reader, found.view, book, contract_terms(cloud), books)
        except (UnpricedModelError, UnpricedHoursError, BooksError) as error:
            raise Failure(f"{error}.") from None
    return BackfillOutcome(
        file=str(events),
        ledger=reader.name,
        records=found.table.name,
        rows=found.rows,
        repeated=found.repeated,
        known=found.known,
        new=found.new,
        written=0,
        effects=effects,
    )


def _show(outcome: BackfillOutcome, *, dry_run: bool) -> None:
    right = "right"
    if outcome.effects:
        columns = [
            ("tenant", ""), ("month", ""), ("requests", right), ("tokens in", right),
            ("tokens out", right), ("hours", right), ("before", right), ("after", right),
            ("difference", right), ("billed", right), ("charged", "wrap"),
        ]  # fmt: skip
        rows = [_row(effect) for effect in outcome.effects]
        console().print(table(f"What {outcome.file} brings", columns, rows))
    counts = f"{outcome.rows:,} rows of {outcome.records}, {outcome.new:,} of them new, "
    counts += f"{outcome.known:,} on record already"
    counts += f", {outcome.repeated:,} repeated" if outcome.repeated else ""
    done = "Nothing was written" if dry_run else f"{outcome.written:,} were written"
    click.echo(f"{counts}. {done}.")


def _row(effect: Effect) -> list[str]:
    charged = "on the next invoice, as a correction" if effect.closed else "on the month's invoice"
    return [
        effect.tenant,
        effect.month,
        f"{effect.requests:,}",
        f"{effect.input_tokens:,}",
        f"{effect.output_tokens:,}",
        f"{effect.accelerator_hours:,.3f}",
        _money(effect.before),
        _money(effect.after),
        f"{_money(effect.difference)} {effect.currency}",
        _money(effect.billed),
        "never: emulated" if effect.emulated else charged,
    ]


def _money(value: Decimal) -> str:
    return f"{value:,.6f}"
