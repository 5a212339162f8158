"""A process that writes to the books until it is killed, and says what is done once it is.

    python -m tests.books.accounts.writing PATH RUN

Each change is three postings, a document and, now and then, a period; its number is written to
standard output after the change has ended.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

import msgspec

from neocloud.books.accounts import (
    AccountKind,
    ClosedPeriod,
    Draft,
    OverdraftError,
    Posting,
    PostingKind,
    SqliteBooks,
    account,
)

CASH = account(AccountKind.CASH, "", "USD")
PREPAID = account(AccountKind.PREPAID, "acme", "USD")
REVENUE = account(AccountKind.REVENUE, "llama", "USD")
DAY = "2026-10-31"
HOLD, SETTLE = PostingKind.HOLD, PostingKind.SETTLE


def write(books: SqliteBooks, name: str, number: int, chance: random.Random) -> None:
    """One change, the same whenever it is done again."""
    pico = chance.randrange(1, 10**15)
    with books.change(number) as change:
        for each in (CASH, PREPAID, REVENUE):
            change.open_account(each)
        change.post(
            Posting(id=f"{name}/paid", debit=CASH.id, credit=PREPAID.id, pico=pico, day=DAY),
            Posting(
                id=f"{name}/held", kind=HOLD, debit=PREPAID.id, credit=REVENUE.id, pico=pico,
                day=DAY, document=name,
            ),
        )  # fmt: skip
        change.issue(
            Draft(
                id=name, kind="invoice", series="INV", tenant="acme", start_ns=number,
                end_ns=number + 1, body=msgspec.Raw(b"{}"),
            )
        )  # fmt: skip
        if number % 3 == 0:
            change.close_period(
                ClosedPeriod(tenant=name, start_ns=number, end_ns=number + 1, document=name)
            )
        change.post(Posting(id=f"{name}/used", kind=SETTLE, hold=f"{name}/held", day=DAY))
        try:
            change.post(
                Posting(id=f"{name}/kept", debit=CASH.id, credit=REVENUE.id, pico=1, day=DAY),
                Posting(id=f"{name}/no", debit=PREPAID.id, credit=CASH.id, pico=1, day=DAY),
            )
        except OverdraftError:
            pass
        else:
            raise AssertionError(name)


def main(path: Path, run: str) -> None:
    """Do what an earlier run may have done, then more."""
    books = SqliteBooks(path)
    for number in range(10**9):
        name = f"{run}-{number}"
        write(books, name, number, random.Random(name))
        sys.stdout.write(f"{name}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
