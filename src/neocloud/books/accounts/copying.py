"""Taking over all that other books hold, from one kind of database into another."""

from __future__ import annotations

from itertools import islice

from neocloud.books.accounts.checking import check_books, contents_of
from neocloud.books.accounts.sql import Sql
from neocloud.books.accounts.store import BooksContents, BooksError
from neocloud.books.accounts.tables import FIXED

_KEPT = ("balances", "holds", "series")
"""Tables that follow from the others and change with them."""
_ROWS = 500
"""Held in memory at a time."""


def copy_all(source: Sql, into: Sql) -> BooksContents:
    """Copy every row, order and times of writing too; what is there and equal stays.

    Args:
        source: books as of one moment.
        into: books within a change, which is to be undone if this raises.

    Returns:
        What both hold then.

    Raises:
        BooksError: the other books hold something else, so that they differ after the copy.
    """
    for table in _KEPT:
        into.execute(f"DELETE FROM {table}")  # noqa: S608 - names of ours
    for table in (*FIXED, *_KEPT):
        rows = iter(source.execute(f"SELECT * FROM {table}"))  # noqa: S608 - names of ours
        while batch := list(islice(rows, _ROWS)):
            marks = ", ".join("?" * len(batch[0]))
            into.executemany(
                f"INSERT INTO {table} VALUES ({marks}) ON CONFLICT DO NOTHING",  # noqa: S608
                batch,
            )
    held = contents_of(source)
    if contents_of(into) != held or tuple(check_books(into)) != tuple(check_books(source)):
        raise BooksError(
            "the books to copy into hold other documents or postings, and nothing was copied: name "
            "a ledger without books, or one into which only these were copied before"
        )
    return held
