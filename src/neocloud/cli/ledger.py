"""`neocloud ledger`: back up, verify, compact, migrate, fill afterwards and correct."""

from __future__ import annotations

import sys
import time
from contextlib import closing
from pathlib import Path

import click
import msgspec

from neocloud.books.accounts import BooksContents, BooksError, open_books
from neocloud.cli.backfill import backfill_verb
from neocloud.cli.cloud_file import open_cloud
from neocloud.cli.correct import correct_verb
from neocloud.cli.failure import WRONG_INPUT, Failure
from neocloud.cli.ledger_file import (
    cloud_file_argument,
    ledger_asked,
    ledger_failures,
    ledger_named,
    ledger_option,
    segments_option,
)
from neocloud.cli.tables import counted
from neocloud.ledger import LedgerPlace
from neocloud.ledger.backup import backup
from neocloud.ledger.compact import compact
from neocloud.ledger.contents import Contents
from neocloud.ledger.migrate import migrate
from neocloud.ledger.verify import verify

_JSON = click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON.")


class LedgerCheck(msgspec.Struct, frozen=True, kw_only=True):
    """What `neocloud ledger verify --json` prints.

    Attributes:
        schema: name and version of this form.
        ledger: which ledger, without secrets.
        contents: counts and hash; null if it cannot be read whole.
        open_requests: requests that have not ended, on this machine.
        segments: files of this machine that were read.
        unshipped: events in them that are not in the store yet.
        problems: what is wrong, and where; empty if nothing is.
    """

    schema: str = "neocloud.ledger-check/1"
    ledger: str
    contents: Contents | None
    open_requests: int
    segments: int
    unshipped: int
    problems: tuple[str, ...]


@click.group(name="ledger")
def command() -> None:
    """Back up, verify, compact, migrate a ledger, bring events into it afterwards, correct them.

    None of them removes an event: only billed ones may ever go, and this version marks none as
    billed.
    """


command.add_command(backfill_verb)
command.add_command(correct_verb)


def _place(
    cloud_file: Path | None, ledger: str | None, segments: Path | None, verb: str
) -> LedgerPlace:
    cloud = None if cloud_file is None else open_cloud(cloud_file)[0]
    return ledger_asked(cloud, cloud_file, ledger, segments, f"ledger {verb}")


@command.command(name="backup")
@cloud_file_argument
@ledger_option
@segments_option
@click.option(
    "--to",
    "folder",
    required=True,
    type=click.Path(path_type=Path),
    help="A new folder: database, books, segments and keys.",
)
def backup_verb(
    cloud_file: Path | None, ledger: str | None, segments: Path | None, folder: Path
) -> None:
    """Copy CLOUD_FILE's ledger, while gateways write, into a folder from which they can go on.

    Of a ledger in PostgreSQL, pg_dump makes the copy: --schema=neocloud --schema=neocloud_books.
    """
    with ledger_failures():
        copy, held = backup(_place(cloud_file, ledger, segments, "backup"), folder)
    click.echo(f"{folder}: {_counted(held)}.")
    click.echo(f"Read it, or go on from it, as sqlite:///{copy.path}")


@command.command(name="verify")
@cloud_file_argument
@ledger_option
@segments_option
@_JSON
def verify_verb(
    cloud_file: Path | None, ledger: str | None, segments: Path | None, as_json: bool
) -> int:
    """Read all of CLOUD_FILE's ledger and say what is wrong with it: exit status 2 if anything is.

    Looks at schema, checksums and positions, and that each event is there once and each request
    either open or ended. Two ledgers with the same hash hold the same.
    """
    with ledger_failures():
        place = _place(cloud_file, ledger, segments, "verify")
        found = verify(place)
    if as_json:
        check = LedgerCheck(
            ledger=place.name,
            contents=found.contents,
            open_requests=found.open_requests,
            segments=found.segments,
            unshipped=found.unshipped,
            problems=found.problems,
        )
        click.echo(msgspec.json.format(msgspec.json.encode(check), indent=2).decode())
        return WRONG_INPUT if found.problems else 0
    if found.problems:
        raise Failure("\n".join(found.problems))
    assert found.contents is not None, "it was read whole"
    click.echo(f"{place.name}: {_counted(found.contents)}.")
    click.echo(
        f"{_open(found.open_requests)}; {counted(found.segments, 'segment')} with "
        f"{counted(found.unshipped, 'event')} not shipped yet."
    )
    click.echo(f"sha256 {found.contents.sha256}")
    return 0


@command.command(name="compact")
@cloud_file_argument
@ledger_option
@segments_option
def compact_verb(cloud_file: Path | None, ledger: str | None, segments: Path | None) -> None:
    """Ship what CLOUD_FILE's ledger has in segments only, delete them, and make the file small.

    Only while no gateway uses it: a running one ships by itself. No event is removed.
    """
    with ledger_failures():
        done = compact(_place(cloud_file, ledger, segments, "compact"))
    click.echo(
        f"{counted(done.shipped, 'event')} shipped, {counted(done.segments, 'segment')} deleted; "
        f"{done.bytes_before:,} bytes before, {done.bytes_after:,} after."
    )
    if done.open_requests:
        click.echo(
            f"{_open(done.open_requests)}, left by a gateway that died; the next one closes what "
            "is, and its segments stay until then."
        )
    click.echo(
        f"No event was removed: none is marked as billed. It holds {_counted(done.contents)}."
    )


@command.command(name="migrate")
@cloud_file_argument
@ledger_option
@segments_option
@click.option(
    "--to", "target", required=True, help="Ledger to fill, as postgresql://user@host/name."
)
def migrate_verb(
    cloud_file: Path | None, ledger: str | None, segments: Path | None, target: str
) -> None:
    """Copy events, keys and books of CLOUD_FILE's ledger into another one; compare both by hash.

    The books, with closed months, documents and their numbers, are copied whole or not at all. The
    source stays as it is. A run that was broken off goes on where it was. Stop the gateways
    first; what they add afterwards another run brings.
    """
    with ledger_failures():
        source = _place(cloud_file, ledger, segments, "migrate")
        into = ledger_named(target, None)
        done = migrate(source, into, _progress)
        books = _copy_books(source, into)
    resumed = f", {done.resumed:,} of them by an earlier run" if done.resumed else ""
    click.echo(f"{into.name}: {_counted(done.contents)}{resumed}, {counted(done.keys, 'key')}.")
    click.echo(f"Both hold the same: sha256 {done.contents.sha256}")
    if books is not None:
        click.echo(
            f"Books: {counted(books.documents, 'document')}, {books.closed:,} closed periods, "
            f"{counted(books.postings, 'posting')}, {counted(books.versions, 'price version')}. "
            f"Both hold the same: sha256 {books.sha256}"
        )
    if done.open_requests:
        click.echo(
            f"{_open(done.open_requests)} and not copied: let a gateway start and stop on the "
            "first ledger, which closes what is open, and run this again."
        )


def _copy_books(source: LedgerPlace, into: LedgerPlace) -> BooksContents | None:
    """Copy the books of a ledger; None where it has none."""
    try:
        with closing(open_books(source)) as books, closing(open_books(into)) as target:
            return books.copy_to(target, time.time_ns()) if books.begun() else None
    except BooksError as error:
        raise Failure(
            f"{into.name} has the events and keys, but not the books of {source.name}, so let no "
            f"gateway use it yet: {error}."
        ) from None


def _progress(done: int, of: int) -> None:
    if sys.stderr.isatty():
        click.echo(f"\r{done:,} of {of:,} events", nl=done >= of, err=True)


def _open(requests: int) -> str:
    return f"{counted(requests, 'request')} {'is' if requests == 1 else 'are'} open"


def _counted(held: Contents) -> str:
    return (
        f"{held.usage:,} usage events, {held.allocation:,} spans of allocation, {held.energy:,} of "
        f"energy, {held.attempts:,} failed attempts, {counted(held.corrections, 'correction')}"
    )
