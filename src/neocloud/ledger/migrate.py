"""Copying a ledger into another store, such as a SQLite file into PostgreSQL.

The source is only read. What was copied stays copied: rows go in batches, each with the place in
the source up to which it reaches, so that a second run goes on where the first was broken off. That
place counts in the source as it was, so it is kept under the hash of the source's contents: of a
source that has grown, the copy begins anew, and what is there already stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import chain, islice

import msgspec

from neocloud.ledger.contents import Contents, contents_of
from neocloud.ledger.errors import LedgerError
from neocloud.ledger.keys import keys_of
from neocloud.ledger.place import LedgerPlace
from neocloud.ledger.reader import RecordReader
from neocloud.ledger.store import Store, batch_of

ROWS = 5_000
"""In one transaction."""


class Migration(msgspec.Struct, frozen=True, kw_only=True):
    """What was copied.

    Attributes:
        contents: of both sides, at the end.
        resumed: events that an earlier run had copied.
        keys: API keys of the source.
        open_requests: requests of the source that have not ended; they are not copied.
    """

    contents: Contents
    resumed: int
    keys: int
    open_requests: int


class DifferentContentsError(LedgerError):
    """After the copy the two sides do not hold the same."""


def migrate(
    source: LedgerPlace, target: LedgerPlace, told: Callable[[int, int], None], rows: int = ROWS
) -> Migration:
    """Copy events and keys, and compare both sides.

    Args:
        source: where to read; its gateways should be stopped.
        target: where to write; a store that is empty, or was filled from this source before.
        told: is given the events copied so far, and of how many.
        rows: events in one transaction.

    Raises:
        LedgerError: one of them cannot be used, or they differ in the end.
    """
    if source == target or source.url == target.url:
        raise LedgerError(f"{source.name} is to be copied to itself; name another target")
    reader = RecordReader(source)
    before = contents_of(reader)
    with closing(target.connect()) as store:
        store.create()
        resumed = _copy(reader, before, store, told, rows)
        with store.view() as view:
            after = contents_of(view)
    if after != before:
        raise DifferentContentsError(_difference(source, before, target, after))
    return Migration(
        contents=after,
        resumed=resumed,
        keys=_copy_keys(source, target),
        open_requests=sum(1 for _ in reader.open_requests()),
    )


def _copy(
    reader: RecordReader,
    contents: Contents,
    store: Store,
    told: Callable[[int, int], None],
    rows: int,
) -> int:
    stream = f"copy of {contents.sha256}"
    resumed = done = store.position(stream)
    # One kind after the other, in the orders of the hash.
    records: Iterator[msgspec.Struct] = islice(
        chain(
            reader.usage(),
            reader.allocation(),
            reader.energy(),
            reader.attempts(),
            reader.corrections(),
        ),
        done,
        None,
    )
    while batch := list(islice(records, rows)):
        done += len(batch)
        store.apply(stream, done, batch_of(batch))
        told(done, contents.events)
    return resumed


def _copy_keys(source: LedgerPlace, target: LedgerPlace) -> int:
    with closing(keys_of(source)) as having, closing(keys_of(target)) as into:
        kept = having.keys()
        for key in kept:
            into.adopt(key)
    return len(kept)


def _difference(source: LedgerPlace, a: Contents, target: LedgerPlace, b: Contents) -> str:
    counts = ", ".join(
        f"{getattr(a, kind):,} and {getattr(b, kind):,} {kind}"
        for kind in ("usage", "allocation", "energy", "attempts", "corrections")
    )
    return (
        f"{source.name} and {target.name} differ after the copy ({counts} events). Either a "
        "gateway still writes to the first: stop it and run this again; or the second held other "
        "events before: name an empty database"
    )
