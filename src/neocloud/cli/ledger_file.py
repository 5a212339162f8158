"""Opening a ledger for a verb, and what a verb may ask of it: a period, a tenant."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from neocloud.catalog import nearest
from neocloud.cli.failure import Failure
from neocloud.ledger import LedgerError, Reader, ledger_path
from neocloud.spec import Cloud
from neocloud.units import Period, TimeError, parse_period


@contextmanager
def ledger_failures() -> Iterator[None]:
    """Whatever is wrong with a ledger within becomes the failure's message: it is read lazily."""
    try:
        yield
    except LedgerError as error:
        raise Failure(str(error)) from None


def ledger_of(cloud: Cloud, cloud_file: Path) -> Path:
    """Path of the ledger that the cloud's file names."""
    return ledger_path(cloud.gateway.ledger, cloud_file.parent)


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
