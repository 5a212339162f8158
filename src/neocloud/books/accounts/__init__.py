"""The books' store: accounts and immutable postings, documents, closed periods, price versions."""

from neocloud.books.accounts.records import (
    SCHEMA,
    Account,
    AccountKind,
    Balance,
    ClosedPeriod,
    Document,
    Draft,
    Limit,
    Posting,
    PostingKind,
    Recorded,
    account,
    account_id,
)
from neocloud.books.accounts.sqlite import SqliteBooks, books_path
from neocloud.books.accounts.store import (
    Books,
    BooksContents,
    BooksError,
    Change,
    ConflictError,
    HoldOverError,
    OverdraftError,
    RefusedError,
)

__all__ = [
    "SCHEMA",
    "Account",
    "AccountKind",
    "Balance",
    "Books",
    "BooksContents",
    "BooksError",
    "Change",
    "ClosedPeriod",
    "ConflictError",
    "Document",
    "Draft",
    "HoldOverError",
    "Limit",
    "OverdraftError",
    "Posting",
    "PostingKind",
    "Recorded",
    "RefusedError",
    "SqliteBooks",
    "account",
    "account_id",
    "books_path",
]
