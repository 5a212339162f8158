"""The books' store: what it must do, whichever database it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Protocol

import msgspec

from neocloud.books.accounts.records import (
    Account,
    Balance,
    ClosedPeriod,
    Document,
    Draft,
    Posting,
    Recorded,
)
from neocloud.books.prices import PriceVersion
from neocloud.books.rating import RatedLine
from neocloud.units import Period


class BooksError(Exception):
    """The books cannot be read or written, or are another version's."""


class RefusedError(ValueError):
    """A change that the books do not take; nothing of the call was written."""


class ConflictError(RefusedError):
    """The id is taken by something else, or what is asked contradicts what is there."""


class OverdraftError(RefusedError):
    """An account's limit would be broken."""


class HoldOverError(RefusedError):
    """The hold was settled or released already, or its time is over."""


class BooksContents(msgspec.Struct, frozen=True, kw_only=True):
    """Counts of what the books hold, and one hash of it.

    The hash leaves out when and in which order postings were written: the same changes, repeated
    or in another order, give the same hash.
    """

    accounts: int
    postings: int
    documents: int
    closed: int
    versions: int
    sha256: str


class Change(Protocol):
    """Writing within one transaction: all of it is there after the `with`, or nothing.

    Each method either does its whole work or raises `RefusedError` and does nothing of it; the
    change may go on after that, or leave by the exception and undo everything before it too. All
    are idempotent: what is there already, and equal, is no error and changes nothing.
    """

    def open_account(self, account: Account) -> None:
        """Open an account.

        Raises:
            ConflictError: there is another one of that id.
        """
        ...

    def post(self, *postings: Posting) -> None:
        """Write postings, all or none, in their order.

        Raises:
            ConflictError: an id is taken, an account is missing, currencies differ, or fields
                do not fit the kind.
            OverdraftError: a limit would be broken.
            HoldOverError: a hold has ended.
        """
        ...

    def issue(self, draft: Draft) -> Document:
        """Issue a document with the next number of its series, or return the one of its id.

        Raises:
            ConflictError: another document has that id.
        """
        ...

    def close_period(self, period: ClosedPeriod) -> None:
        """Close a tenant's period.

        Raises:
            ConflictError: it overlaps a closed one, and is not that very one.
        """
        ...

    def keep_version(self, version: PriceVersion) -> None:
        """Keep a price version."""
        ...


class Books(Protocol):
    """The books. One connection, used by one thread at a time; several processes may have one each.

    Reads within a change see it. Every method raises `BooksError` where the store does not answer.
    """

    def change(self, now_ns: int) -> AbstractContextManager[Change]:
        """Begin a change; changes of all processes follow each other. Durable when it ends.

        Args:
            now_ns: when it happens, by which holds end.
        """
        ...

    def begun(self) -> bool:
        """True if there are any: until the first change nothing can be read."""
        ...

    def account(self, account_id: str) -> Account | None:
        """An account; None if it was never opened."""
        ...

    def accounts(self) -> Iterator[Account]:
        """All accounts by id."""
        ...

    def balance(self, account_id: str, now_ns: int) -> Balance:
        """Sums of an account; holds whose time is over by `now_ns` are not in them.

        All zero of an account that was never opened.
        """
        ...

    def postings(
        self, *, account: str | None = None, document: str | None = None
    ) -> Iterator[Recorded]:
        """Postings in the order of writing: all, or of an account, or of a document."""
        ...

    def documents(self, tenant: str | None = None) -> Iterator[Document]:
        """Documents in the order of issuing."""
        ...

    def document(self, document_id: str) -> Document | None:
        """One document by its id."""
        ...

    def closed(self, tenant: str | None = None) -> Iterator[ClosedPeriod]:
        """Closed periods by tenant and start."""
        ...

    def billed(self, period: Period, tenant: str | None = None) -> Iterator[RatedLine]:
        """Lines of the documents that have a number and whose period lies within `period`."""
        ...

    def versions(self) -> Mapping[str, PriceVersion]:
        """Price versions that were kept, by id."""
        ...

    def contents(self) -> BooksContents:
        """Counts and hash of all of it."""
        ...

    def check(self) -> tuple[str, ...]:
        """What contradicts itself in the books, in words: nothing, unless the file was damaged."""
        ...

    def close(self) -> None:
        """Let go of the connection. Idempotent."""
        ...
