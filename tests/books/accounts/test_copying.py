"""Books that move to another database go on there: same hash, next number, months stay closed."""

from __future__ import annotations

import random
from contextlib import ExitStack

import msgspec
import pytest

from neocloud.books.accounts import (
    AccountKind,
    BooksError,
    ClosedPeriod,
    ConflictError,
    Draft,
    Posting,
    PostingKind,
    account,
)

from .stores import KINDS, store
from .writing import CASH, DAY, REVENUE, write


def filled(books, changes: range) -> None:
    for number in changes:
        write(books, f"run-{number}", number, random.Random(number))


@pytest.fixture
def stores():
    with ExitStack() as stack:
        yield lambda kind: stack.enter_context(store(kind))


@pytest.mark.parametrize("of", KINDS)
@pytest.mark.parametrize("to", KINDS)
def test_all_of_it_goes_over_and_goes_on(stores, of, to):
    source, target = stores(of)(), stores(to)()
    filled(source, range(7))
    with source.change(8) as change:
        change.post(Posting(id="waits", kind=PostingKind.HOLD, debit=CASH.id,
                            credit=REVENUE.id, pico=7, day=DAY, timeout_s=60))  # fmt: skip
    held = source.copy_to(target, 9)
    assert held == source.contents() == target.contents()
    assert target.check() == ()
    assert list(target.postings()) == list(source.postings())
    assert list(target.documents()) == list(source.documents())
    assert list(target.closed()) == list(source.closed()) != []
    for each in source.accounts():
        assert target.balance(each.id, 9) == source.balance(each.id, 9)
    draft = Draft(id="next", kind="invoice", series="INV", tenant="acme", start_ns=8, end_ns=9,
                  body=msgspec.Raw(b"{}"))  # fmt: skip
    with target.change(10) as change:
        assert change.issue(draft).name == "INV-000008"
        with pytest.raises(ConflictError):
            change.close_period(ClosedPeriod(tenant="run-3", start_ns=3, end_ns=4, document="next"))


@pytest.mark.parametrize("to", KINDS)
def test_again_brings_what_is_new_and_other_books_are_refused(stores, to):
    source, target, other = stores("sqlite")(), stores(to)(), stores(to)()
    filled(source, range(3))
    source.copy_to(target, 5)
    assert source.copy_to(target, 6) == source.contents()
    filled(source, range(3, 5))
    assert source.copy_to(target, 7) == source.contents() == target.contents()
    assert target.check() == ()
    with other.change(1) as change:
        change.open_account(account(AccountKind.CASH, "somebody", "EUR"))
    before = other.contents()
    with pytest.raises(BooksError, match="nothing was copied: name a ledger without books"):
        source.copy_to(other, 8)
    assert other.contents() == before
    assert other.check() == ()


def test_without_books_nothing_is_made(stores):
    source, target = stores("sqlite")(), stores("sqlite")()
    with pytest.raises(BooksError, match="no books at"):
        source.copy_to(target, 1)
    assert not target.begun()
