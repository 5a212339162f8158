"""Opening a ledger for a verb, and what a verb may ask of it: a period, a tenant."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from neocloud.catalog import nearest
from neocloud.cli.failure import Failure
from neocloud.ledger import LedgerError, LedgerPlace, Reader, ledger_place
from neocloud.spec import Cloud
from neocloud.units import Period, TimeError, parse_period


@contextmanager
def ledger_failures() -> Iterator[None]:
    """Whatever is wrong with a ledger within becomes the failure's message: it is read lazily."""
    try:
        yield
    except LedgerError as error:
        raise Failure(str(error)) from None


def ledger_of(cloud: Cloud, cloud_file: Path, segments: Path | None = None) -> LedgerPlace:
    """Place of the ledger that the cloud's file names; its segments may lie elsewhere."""
    if segments is not None:
        segments = segments.absolute()  # from the working folder, not from the file's
    elif cloud.gateway.segments:
        segments = Path(cloud.gateway.segments)
    return ledger_place(cloud.gateway.ledger, cloud_file.parent, segments)


def ledger_named(url: str, segments: Path | None) -> LedgerPlace:
    """Place of the ledger that `--ledger` names; paths start from the working folder."""
    return ledger_place(url, Path(), segments)


def ledger_asked(
    cloud: Cloud | None, cloud_file: Path | None, url: str | None, segments: Path | None, verb: str
) -> LedgerPlace:
    """Place of the ledger that `--ledger` names, or else the cloud's file."""
    if url is not None:
        return ledger_named(url, segments)
    if cloud is None or cloud_file is None:
        raise Failure(
            f"which ledger? Give the cloud's file: neocloud {verb} FILE, or the ledger: "
            f"neocloud {verb} --ledger sqlite:///ledger.db"
        )
    return ledger_of(cloud, cloud_file, segments)


cloud_file_argument = click.argument(
    "cloud_file", type=click.Path(path_type=Path, dir_okay=False), required=False
)
ledger_option = click.option(
    "--ledger",
    help="Ledger, as sqlite:///ledger.db or postgresql://user@host/name; the file's unless given.",
)
segments_option = click.option(
    "--segments",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the segments of this machine; the file's, or beside the ledger, or "
    "ledger-segments for PostgreSQL, unless given.",
)
period_option = click.option(
    "--period", help="Only this, UTC: 2026-10, 2026-10-05 or START/END; all unless given."
)


def read_period(text: str | None) -> Period | None:
    """The period that `--period` asks for; None where it is left out."""
    if text is None:
        return None
    try:
        return parse_period(text)
    except TimeError as error:
        raise Failure(f"--period: {error}.") from None


def period_or_all(text: str | None, reader: Reader) -> Period:
    """The period asked for, or from the first to the last thing on record."""
    period = read_period(text) or reader.span()
    if period is None:
        raise Failure(f"{reader.name} holds nothing yet: no request has ended.")
    return period


def check_tenant(tenant: str, known: Iterable[str], where: str) -> None:
    """Refuse a tenant that nobody knows, with the nearest names."""
    names = tuple(known)
    if tenant in names:
        return
    near = nearest(tenant, names)
    hint = f"Nearest: {', '.join(near)}" if near else f"Known: {', '.join(names) or 'none'}"
    raise Failure(f"{where} has no tenant {tenant!r}. {hint}.")
