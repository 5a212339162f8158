"""Where the books of a ledger are."""

from __future__ import annotations

from neocloud.books.accounts.postgresql import PostgresqlBooks
from neocloud.books.accounts.reading import SqlBooks
from neocloud.books.accounts.sqlite import SqliteBooks, books_path
from neocloud.books.prices import PriceVersion
from neocloud.ledger import LedgerPlace


def open_books(place: LedgerPlace) -> SqlBooks:
    """The books of a ledger: a file beside it, or in its database where that is a server.

    Nothing is opened or made before their first use.

    Raises:
        LedgerError: the URL of the server cannot be read, or its driver is not installed.
    """
    return PostgresqlBooks(place.url) if place.path is None else SqliteBooks(books_path(place))


def keep_version(place: LedgerPlace, version: PriceVersion, now_ns: int) -> None:
    """Keep a price version beside a ledger, before anything is admitted under it.

    Raises:
        BooksError: the books cannot be written.
    """
    books = open_books(place)
    try:
        with books.change(now_ns) as change:
            change.keep_version(version)
    finally:
        books.close()
