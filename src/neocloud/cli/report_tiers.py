"""The tiers part of `neocloud report`: cost and margin by tier, planned against metered."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import msgspec

from neocloud.activity import MissingPyarrowError, Row, read_parquet
from neocloud.books import (
    Metered,
    NothingMeteredError,
    NothingSimulatedError,
    Report,
    UnknownPlaceError,
    gather,
    make_report,
)
from neocloud.books.accounts import BooksError, open_books
from neocloud.books.invoices import Office
from neocloud.books.tiers import DIMENSIONS, Documents, UnknownPoolError, documents_of
from neocloud.catalog import Catalog, nearest
from neocloud.cli.failure import Failure
from neocloud.cli.ledger_file import ledger_failures, ledger_of, period_or_all
from neocloud.ledger import LedgerError, Reader
from neocloud.planner import Plan
from neocloud.spec import Cloud


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What of the tiers is asked for.

    Attributes:
        period: as `--period` has it; None for all.
        by: what costs are told apart by.
        activity: Parquet with simulated activity; None for none.
    """

    period: str | None
    by: tuple[str, ...]
    activity: Path | None


class Tiers(msgspec.Struct, frozen=True, kw_only=True):
    """The part, and the documents that it counts."""

    report: Report
    documents: Documents


def tiers_part(cloud: Cloud, catalog: Catalog, cloud_file: Path, plan: Plan, asked: Asked) -> Tiers:
    """The part from file, plan and ledger.

    Raises:
        Failure: the ledger or the activity cannot be read, or holds nothing of this.
    """
    simulated = None if asked.activity is None else _simulated(asked.activity)
    with ledger_failures():
        reader = Reader(ledger_of(cloud, cloud_file))
        metered = gather(reader, cloud, catalog, period_or_all(asked.period, reader))
        documents = _documents(cloud, catalog, reader, metered)
    try:
        report = make_report(cloud, catalog, plan, metered, simulated, asked.by, documents)
    except NothingSimulatedError as error:
        raise Failure(f"{asked.activity}: {error}.") from None
    except (NothingMeteredError, UnknownPlaceError, UnknownPoolError) as error:
        raise Failure(f"{reader.name}: {error}.") from None
    return Tiers(report=report, documents=documents)


def no_ground(cloud: Cloud, cloud_file: Path, plan: Path) -> str:
    """Why there can be no tiers, in words; empty where there can."""
    pools = [pool for site in cloud.sites.values() for pool in site.pools]
    if not pools or not cloud.models:
        return "the file has no pools or no models, so nothing can be metered"
    if not plan.exists():
        return f"no plan at {plan}; `neocloud plan {cloud_file}` makes one"
    try:
        reader = Reader(ledger_of(cloud, cloud_file))
        if reader.span() is None:
            return f"{reader.name} holds nothing yet: no request has ended"
    except LedgerError as error:
        return str(error)
    return ""


def read_by(text: str) -> tuple[str, ...]:
    """What `--by` names.

    Raises:
        Failure: there is no such dimension, or one is named twice.
    """
    names = tuple(name.strip() for name in text.split(","))
    for name in names:
        if name not in DIMENSIONS:
            near = nearest(name, DIMENSIONS)
            hint = f"Nearest: {', '.join(near)}. " if near else ""
            raise Failure(f"--by {text}: no {name!r}. {hint}All: {', '.join(DIMENSIONS)}.")
    if len(set(names)) < len(names):
        raise Failure(f"--by {text}: name each once.")
    return names


def exclusive(names: Sequence[str]) -> None:
    """Refuse options that each print the report in another form.

    Raises:
        Failure: more than one is given.
    """
    if len(names) > 1:
        raise Failure(f"{' and '.join(names)}: give one of them.")


def _documents(cloud: Cloud, catalog: Catalog, reader: Reader, metered: Metered) -> Documents:
    """Invoices of the period from the books, or what they would say."""
    try:
        with closing(open_books(reader.place)) as books:
            known = books if books.begun() else None
            office = Office(cloud=cloud, catalog=catalog, source=reader, books=known)
            return documents_of(office, metered, time.time_ns())
    except BooksError as error:
        raise Failure(f"{error}.") from None


def _simulated(path: Path) -> tuple[Row, ...]:
    try:
        return read_parquet(path)
    except MissingPyarrowError as error:
        raise Failure(f"{error}.") from None
    except OSError as error:
        raise Failure(f"{path}: {error.strerror or error}.") from None
    except (ValueError, msgspec.ValidationError) as error:
        raise Failure(f"{path} is no activity: {error}.") from None
