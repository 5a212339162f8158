"""Writing to the books: what is within one transaction, whichever database it is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec

from neocloud.books.accounts.copying import copy_all
from neocloud.books.accounts.records import (
    Account,
    Balance,
    ClosedPeriod,
    Document,
    Draft,
    Limit,
    Posting,
    PostingKind,
)
from neocloud.books.accounts.seal import Seal
from neocloud.books.accounts.sql import Sql
from neocloud.books.accounts.store import (
    BooksContents,
    ConflictError,
    HoldOverError,
    OverdraftError,
)
from neocloud.books.accounts.tables import (
    DOCUMENT,
    POSTING,
    account_of,
    asked_of,
    balance_of,
    closed_of,
    document_of,
    encoded,
    line_of,
    recorded_of,
    seal_of,
)
from neocloud.books.prices import PriceVersion
from neocloud.books.rating import RatedLine
from neocloud.units import SECOND_NS


class SqlChange:
    """Implements `Change` on a connection that has begun a transaction."""

    def __init__(self, connection: Sql, now_ns: int) -> None:
        self._connection = connection
        self._now_ns = now_ns
        self._end_holds()

    def take_over(self, source: Sql) -> BooksContents:
        """Copy all that other books hold, see `copy_all`."""
        return copy_all(source, self._connection)

    def open_account(self, account: Account) -> None:
        """See `Change`."""
        known = self._account(account.id)
        if known is None:
            self._connection.execute(
                "INSERT INTO accounts VALUES (?, ?, ?, ?, ?)", msgspec.structs.astuple(account)
            )
            self._connection.execute(
                "INSERT INTO balances VALUES (?, '0', '0', '0', '0')", (account.id,)
            )
        elif known != account:
            raise ConflictError(f"account {account.id} is open and is another one")

    def post(self, *postings: Posting) -> None:
        """See `Change`."""
        with self._all_or_none():
            for posting in postings:
                self._post(posting)

    def issue(self, draft: Draft) -> Document:
        """See `Change`."""
        known = read_document(self._connection, draft.id)
        if known is not None:
            if encoded(known.draft) != encoded(draft):
                raise ConflictError(f"document {draft.id} was issued and is another one")
            return known
        with self._all_or_none():
            number = self._next_number(draft.series) if draft.series else None
            self._connection.execute(
                f"INSERT INTO documents (place, {DOCUMENT}) VALUES "  # noqa: S608
                "((SELECT coalesce(max(place), 0) + 1 FROM documents), ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (number, self._now_ns, draft.id, draft.kind, draft.series, draft.tenant,
                 draft.start_ns, draft.end_ns, bytes(draft.body)),
            )  # fmt: skip
            self._connection.executemany(
                "INSERT INTO billed VALUES (?, ?, ?)",
                [(draft.id, place, encoded(line)) for place, line in enumerate(draft.lines)],
            )
            self._connection.executemany(
                "INSERT INTO seals VALUES (?, ?, ?)",
                [(draft.id, seal.month, encoded(seal)) for seal in draft.seals],
            )
        return Document(draft=draft, number=number, issued_ns=self._now_ns)

    def close_period(self, period: ClosedPeriod) -> None:
        """See `Change`."""
        overlapping = self._connection.execute(
            "SELECT tenant, start_ns, end_ns, document FROM closed "
            "WHERE tenant = ? AND start_ns < ? AND end_ns > ?",
            (period.tenant, period.end_ns, period.start_ns),
        ).fetchall()
        if not overlapping:
            self._connection.execute(
                "INSERT INTO closed VALUES (?, ?, ?, ?)", msgspec.structs.astuple(period)
            )
        elif [closed_of(row) for row in overlapping] != [period]:
            raise ConflictError(f"{period.tenant}: the period overlaps one that is closed")

    def keep_version(self, version: PriceVersion) -> None:
        """See `Change`."""
        self._connection.execute(
            "INSERT INTO versions VALUES (?, ?) ON CONFLICT (id) DO NOTHING",
            (version.id, version.encoded()),
        )

    def _next_number(self, series: str) -> int:
        """The number after the last of a series, which is then the last."""
        row = self._connection.execute(
            "INSERT INTO series VALUES (?, 1) "
            "ON CONFLICT (name) DO UPDATE SET last = series.last + 1 RETURNING last",
            (series,),
        ).fetchone()
        return int(row[0])

    @contextmanager
    def _all_or_none(self) -> Iterator[None]:
        self._connection.execute("SAVEPOINT call")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK TO call")
            raise
        finally:
            self._connection.execute("RELEASE call")

    def _account(self, account_id: str) -> Account | None:
        row = self._connection.execute(
            "SELECT * FROM accounts WHERE id = ?", (account_id,)
        ).fetchone()
        return None if row is None else account_of(row)

    def _row(self, posting_id: str) -> tuple[Any, ...] | None:
        row: tuple[Any, ...] | None = self._connection.execute(
            f"SELECT {POSTING} FROM postings WHERE id = ?",  # noqa: S608 - names of ours
            (posting_id,),
        ).fetchone()
        return row

    def _post(self, posting: Posting) -> None:
        known = self._row(posting.id)
        if known is not None:
            if asked_of(known) != posting:
                raise ConflictError(f"posting {posting.id} was written and is another one")
            return
        match posting.kind:
            case PostingKind.POST:
                self._move(posting)
                self._add(posting.debit, debits=posting.pico)
                self._add(posting.credit, credits_=posting.pico)
                self._write(posting, posting.pico)
            case PostingKind.HOLD:
                self._move(posting)
                self._add(posting.debit, pending_debits=posting.pico)
                self._add(posting.credit, pending_credits=posting.pico)
                self._write(posting, posting.pico)
                expires_ns = self._now_ns + posting.timeout_s * SECOND_NS
                self._connection.execute(
                    "INSERT INTO holds VALUES (?, ?, 'open')",
                    (posting.id, expires_ns if posting.timeout_s else None),
                )
            case PostingKind.SETTLE | PostingKind.RELEASE:
                self._end(posting)

    def _move(self, posting: Posting) -> None:
        """Check a posting that moves or reserves an amount by itself."""
        debit, credit = self._account(posting.debit), self._account(posting.credit)
        if debit is None or credit is None:
            name = posting.debit if debit is None else posting.credit
            raise ConflictError(f"posting {posting.id}: no account {name!r}")
        if debit.id == credit.id or debit.currency != credit.currency:
            raise ConflictError(
                f"posting {posting.id} goes from {credit.id} to {debit.id}; it needs two accounts "
                "of one currency"
            )
        held = posting.kind is PostingKind.HOLD
        if posting.pico <= 0 or posting.hold or posting.timeout_s < 0:
            raise ConflictError(f"posting {posting.id} needs an amount above 0, and names no hold")
        if posting.timeout_s and not held:
            raise ConflictError(f"posting {posting.id}: only a hold has a timeout")
        for account, side in ((debit, Limit.DEBITS_WITHIN_CREDITS),
                              (credit, Limit.CREDITS_WITHIN_DEBITS)):  # fmt: skip
            if account.limit is not side:
                continue
            room = _room(read_balance(self._connection, account.id), side)
            if posting.pico > room:
                raise OverdraftError(
                    f"posting {posting.id} of {posting.pico} is above the {room} left in "
                    f"{account.id} (1e-12 {account.currency})"
                )

    def _end(self, posting: Posting) -> None:
        """Settle or release a hold."""
        row = self._row(posting.hold)
        state = self._connection.execute(
            "SELECT state FROM holds WHERE id = ?", (posting.hold,)
        ).fetchone()
        if row is None or state is None:
            raise ConflictError(f"posting {posting.id}: no hold {posting.hold!r}")
        hold = recorded_of(row).posting
        settles = posting.kind is PostingKind.SETTLE
        if posting.debit or posting.credit or posting.timeout_s:
            raise ConflictError(f"posting {posting.id} takes its accounts from the hold")
        if not 0 <= posting.pico <= (hold.pico if settles else 0):
            raise ConflictError(f"posting {posting.id} is above the hold's {hold.pico}")
        if state[0] != "open":
            raise HoldOverError(f"posting {posting.id}: hold {hold.id} is {state[0]}")
        pico = (posting.pico or hold.pico) if settles else 0
        self._add(hold.debit, debits=pico, pending_debits=-hold.pico)
        self._add(hold.credit, credits_=pico, pending_credits=-hold.pico)
        self._connection.execute(
            "UPDATE holds SET state = ? WHERE id = ?",
            ("settled" if settles else "released", hold.id),
        )
        filled = msgspec.structs.replace(posting, debit=hold.debit, credit=hold.credit, pico=pico)
        self._write(filled, posting.pico)

    def _write(self, posting: Posting, asked: int) -> None:
        self._connection.execute(
            f"INSERT INTO postings ({POSTING}) VALUES "  # noqa: S608 - names of ours
            "((SELECT coalesce(max(sequence), 0) + 1 FROM postings), "
            "?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (self._now_ns, posting.id, posting.kind.value, posting.debit, posting.credit,
             str(posting.pico), posting.hold, posting.timeout_s, posting.day, posting.document,
             posting.note, str(asked)),
        )  # fmt: skip

    def _add(
        self,
        account_id: str,
        debits: int = 0,
        credits_: int = 0,
        pending_debits: int = 0,
        pending_credits: int = 0,
    ) -> None:
        now = read_balance(self._connection, account_id)
        self._connection.execute(
            "UPDATE balances SET debits = ?, credits = ?, pending_debits = ?, pending_credits = ? "
            "WHERE account = ?",
            (str(now.debits + debits), str(now.credits + credits_),
             str(now.pending_debits + pending_debits), str(now.pending_credits + pending_credits),
             account_id),
        )  # fmt: skip

    def _end_holds(self) -> None:
        """Free what holds keep whose time is over."""
        for posting in overdue(self._connection, self._now_ns):
            self._add(posting.debit, pending_debits=-posting.pico)
            self._add(posting.credit, pending_credits=-posting.pico)
            self._connection.execute("UPDATE holds SET state = 'over' WHERE id = ?", (posting.id,))


def overdue(connection: Sql, now_ns: int) -> list[Posting]:
    """Holds that are open and whose time is over."""
    columns = ", ".join(f"p.{name}" for name in POSTING.split(", "))
    rows = connection.execute(
        f"SELECT {columns} FROM holds h JOIN postings p ON p.id = h.id "  # noqa: S608 - ours
        "WHERE h.state = 'open' AND h.expires_ns <= ?",
        (now_ns,),
    ).fetchall()
    return [recorded_of(row).posting for row in rows]


def read_balance(connection: Sql, account_id: str) -> Balance:
    """Sums of an account as they are written."""
    return balance_of(
        connection.execute(
            "SELECT debits, credits, pending_debits, pending_credits FROM balances "
            "WHERE account = ?",
            (account_id,),
        ).fetchone()
    )


def read_document(connection: Sql, document_id: str) -> Document | None:
    """A document by its id."""
    row = connection.execute(
        f"SELECT {DOCUMENT} FROM documents WHERE id = ?",  # noqa: S608 - names of ours
        (document_id,),
    ).fetchone()
    if row is None:
        return None
    return document_of(
        row, read_lines(connection, document_id), read_seals(connection, document_id)
    )


def read_lines(connection: Sql, document_id: str) -> tuple[RatedLine, ...]:
    """Lines of a document."""
    rows = connection.execute(
        "SELECT line FROM billed WHERE document = ? ORDER BY place", (document_id,)
    )
    return tuple(line_of(line) for (line,) in rows)


def read_seals(connection: Sql, document_id: str) -> tuple[Seal, ...]:
    """Seals of a document."""
    rows = connection.execute(
        "SELECT seal FROM seals WHERE document = ? ORDER BY month", (document_id,)
    )
    return tuple(seal_of(seal) for (seal,) in rows)


def _room(balance: Balance, side: Limit) -> int:
    """What a limited account may still take on its limited side."""
    if side is Limit.DEBITS_WITHIN_CREDITS:
        return balance.credits - balance.debits - balance.pending_debits
    return balance.debits - balance.credits - balance.pending_credits
