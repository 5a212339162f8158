"""What TigerBeetle promises of accounts, held against a plain model of it, whatever is asked."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neocloud.books.accounts import (
    AccountKind,
    Balance,
    Limit,
    Posting,
    PostingKind,
    RefusedError,
    account,
)

from .plain import Plain
from .stores import KINDS, Opened, store

SECOND = 10**9
ACCOUNTS = (
    account(AccountKind.CASH, "", "USD"),
    account(AccountKind.PREPAID, "acme", "USD"),
    account(AccountKind.REVENUE, "llama", "USD"),
    account(AccountKind.RECEIVABLE, "acme", "USD", Limit.CREDITS_WITHIN_DEBITS),
    account(AccountKind.CASH, "", "EUR"),
)
IDS = [a.id for a in ACCOUNTS]
names = st.sampled_from([f"p{n}" for n in range(12)])
debits = st.sampled_from([*IDS, *[IDS[1]] * 6, IDS[0], "cash:nobody:USD"])
credits_ = st.sampled_from([*IDS, *[IDS[3]] * 4, IDS[2], IDS[2], "cash:nobody:USD"])
amounts = st.sampled_from([0, 1, 30, 50, 100, 10**30])

moves = st.builds(
    lambda id_, kind, debit, credit, pico, timeout: Posting(
        id=id_, kind=kind, debit=debit, credit=credit, pico=pico, day="2026-10-31",
        timeout_s=timeout if kind is PostingKind.HOLD else 0,
    ),
    names, st.sampled_from([PostingKind.POST, PostingKind.HOLD]), debits, credits_, amounts,
    st.sampled_from([0, 0, 2, 5]),
)  # fmt: skip
ends = st.builds(
    lambda id_, kind, hold, pico: Posting(
        id=id_, kind=kind, hold=hold, pico=pico if kind is PostingKind.SETTLE else 0,
        day="2026-10-31",
    ),
    names, st.sampled_from([PostingKind.SETTLE, PostingKind.RELEASE]), names,
    st.sampled_from([0, 0, 1, 30]),
)  # fmt: skip
first = [
    Posting(id="paid", debit=IDS[0], credit=IDS[1], pico=120, day="2026-10-01"),
    Posting(id="owed", debit=IDS[3], credit=IDS[2], pico=90, day="2026-10-01"),
]
calls = st.lists(
    st.tuples(st.integers(0, 2), st.lists(st.one_of(moves, moves, ends), min_size=1, max_size=3)),
    max_size=14,
)


@contextmanager
def books(kind: str = "sqlite") -> Iterator[Opened]:
    with store(kind) as connect:
        made = connect()
        with made.change(0) as change:
            for each in ACCOUNTS:
                change.open_account(each)
            change.post(*first)
        yield made


def tried(call) -> str:
    """How a call ended."""
    try:
        call()
    except RefusedError as error:
        return type(error).__name__
    return ""


def post(made: Opened, now_s: int, postings) -> None:
    """Post in a change that goes on after what was refused, so that nothing else undoes it."""
    refused = None
    with made.change(now_s * SECOND) as change:
        try:
            change.post(*postings)
        except RefusedError as error:
            refused = error
    if refused is not None:
        raise refused


@settings(max_examples=120)
@given(calls)
def test_the_books_do_what_the_plain_ones_do(asked):
    as_the_plain_ones("sqlite", asked)


@settings(max_examples=15)
@given(calls)
def test_the_books_in_a_server_do_what_the_plain_ones_do(asked):
    as_the_plain_ones("postgresql", asked)


def as_the_plain_ones(kind: str, asked) -> None:
    plain = Plain({a.id: a for a in ACCOUNTS})
    plain.post(0, *first)
    now_s, before = 0, {}
    with books(kind) as made:
        for passes, postings in asked:
            now_s += passes
            expected = tried(lambda: plain.post(now_s, *postings))  # noqa: B023 - called at once
            assert tried(lambda: post(made, now_s, postings)) == expected  # noqa: B023
            for each in ACCOUNTS:
                found = made.balance(each.id, now_s * SECOND)
                assert found == plain.balance(each.id)
                no_less(before.get(each.id, Balance()), found)
                before[each.id] = found
                kept_within(each.limit, found)
            for currency in ("USD", "EUR"):
                of = [before[a.id] for a in ACCOUNTS if a.currency == currency]
                assert sum(b.debits for b in of) == sum(b.credits for b in of)
                assert sum(b.pending_debits for b in of) == sum(b.pending_credits for b in of)
        assert {r.posting.id for r in made.postings()} == plain.written.keys()
        assert made.check() == ()


def no_less(before: Balance, now: Balance) -> None:
    """Posted sums only grow."""
    assert now.debits >= before.debits
    assert now.credits >= before.credits


def kept_within(limit: Limit, now: Balance) -> None:
    if limit is Limit.DEBITS_WITHIN_CREDITS:
        assert now.debits + now.pending_debits <= now.credits
    if limit is Limit.CREDITS_WITHIN_DEBITS:
        assert now.credits + now.pending_credits <= now.debits


@settings(max_examples=30)
@given(calls, st.integers(1, 3), st.randoms(use_true_random=False))
def test_what_is_asked_again_changes_nothing(asked, times, chance):
    with books() as made:
        good = []
        for number, (_, postings) in enumerate(asked):
            if not tried(lambda: post(made, number, postings)):  # noqa: B023
                good.append(postings)
                chance.shuffle(good)
                for _ in range(times):
                    post(made, number, chance.choice(good))
        contents = made.contents()
        for postings in good:
            post(made, 10**6, postings)
        assert made.contents() == contents
        assert made.contents().postings == len({p.id for postings in good for p in postings}) + 2


@settings(max_examples=20)
@given(st.lists(st.integers(1, 50), max_size=15), st.integers(0, 2**32))
def test_the_hash_does_not_know_the_order(amounts_, seed):
    postings = [
        Posting(id=f"p{n}", debit=IDS[0], credit=IDS[2], pico=amount, day="2026-10-31")
        for n, amount in enumerate(amounts_)
    ]
    shuffled = [*postings, *postings]
    random.Random(seed).shuffle(shuffled)
    with books() as one, books() as other:
        post(one, 1, postings)
        for posting in shuffled:
            post(other, 5, [posting])
        assert one.contents() == other.contents()
        post(other, 6, [Posting(id="more", debit=IDS[0], credit=IDS[2], pico=1, day="2026-10-31")])
        assert one.contents().sha256 != other.contents().sha256


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_held_cannot_be_spent_and_a_chain_is_all_or_none(kind):
    def spend(id_: str, pico: int, kind: PostingKind = PostingKind.POST) -> Posting:
        return Posting(id=id_, kind=kind, debit=IDS[1], credit=IDS[2], pico=pico, day="2026-10-31")

    with books(kind) as made:
        post(made, 1, [spend("h", 100, PostingKind.HOLD)])
        assert tried(lambda: post(made, 1, [spend("a", 21)])) == "OverdraftError"
        assert tried(lambda: post(made, 1, [spend("b", 15), spend("c", 6)])) == "OverdraftError"
        assert made.balance(IDS[1], SECOND) == Balance(credits=120, pending_debits=100)
        post(made, 1, [spend("b", 15), spend("c", 5)])
        assert made.balance(IDS[1], SECOND) == Balance(debits=20, credits=120, pending_debits=100)


@pytest.mark.parametrize("kind", KINDS)
def test_no_more_is_paid_than_is_owed_holds_included(kind):
    def pay(id_: str, pico: int, kind: PostingKind = PostingKind.POST) -> Posting:
        return Posting(id=id_, kind=kind, debit=IDS[0], credit=IDS[3], pico=pico, day="2026-10-31")

    with books(kind) as made:
        post(made, 1, [pay("h", 60, PostingKind.HOLD)])
        assert tried(lambda: post(made, 1, [pay("a", 31)])) == "OverdraftError"
        post(made, 1, [pay("b", 30)])
        assert made.balance(IDS[3], SECOND) == Balance(debits=90, credits=30, pending_credits=60)


@pytest.mark.parametrize("kind", KINDS)
def test_a_hold_is_settled_in_part_and_ends_once(kind):
    hold = Posting(
        id="h", kind=PostingKind.HOLD, debit=IDS[1], credit=IDS[2], pico=100, day="2026-10-31"
    )
    settle = Posting(id="s", kind=PostingKind.SETTLE, hold="h", pico=70, day="2026-10-31")
    with books(kind) as made:
        post(made, 1, [hold])
        assert made.balance(IDS[1], SECOND).pending_debits == 100
        post(made, 1, [settle])
        assert made.balance(IDS[1], SECOND) == Balance(debits=70, credits=120)
        (recorded,) = [r for r in made.postings(account=IDS[2]) if r.posting.id == "s"]
        assert (recorded.posting.debit, recorded.posting.pico) == (IDS[1], 70)
        release = Posting(id="r", kind=PostingKind.RELEASE, hold="h", day="2026-10-31")
        assert tried(lambda: post(made, 1, [release])) == "HoldOverError"
        post(made, 1, [settle])


@pytest.mark.parametrize("kind", KINDS)
def test_a_hold_whose_time_is_over_is_free_for_readers_before_any_change(kind):
    hold = Posting(
        id="h", kind=PostingKind.HOLD, debit=IDS[1], credit=IDS[2], pico=100, day="2026-10-31",
        timeout_s=5,
    )  # fmt: skip
    settle = Posting(id="s", kind=PostingKind.SETTLE, hold="h", day="2026-10-31")
    with books(kind) as made:
        post(made, 1, [hold])
        assert made.balance(IDS[1], 6 * SECOND - 1).pending_debits == 100
        assert made.balance(IDS[1], 6 * SECOND).pending_debits == 0
        assert tried(lambda: post(made, 6, [settle])) == "HoldOverError"
        post(made, 7, [hold])
        assert made.balance(IDS[1], 7 * SECOND).pending_debits == 0, "again is not anew"
