"""Seals: two of them tell which events differ, and their sums how much."""

from __future__ import annotations

import random
import sqlite3

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neocloud.books.accounts import (
    BooksError,
    Draft,
    Seal,
    SealMaker,
    SqliteBooks,
    seal_difference,
)
from neocloud.ledger import Status
from neocloud.units import HOUR_NS, parse_period

from ..invoices.shop import held, usage  # noqa: TID252  (one way to make an event)

OCTOBER = parse_period("2026-10")


def seal_of(events=(), spans=()) -> Seal:
    maker = SealMaker(OCTOBER)
    for event in events:
        maker.note(event)
    for span in spans:
        maker.hold(span)
    return maker.seal("2026-10")


def many(count: int, start: int = 0) -> list:
    return [
        usage("2026-10-05", start + n, input_tokens=100 + n, cached_tokens=n % 90, output_tokens=n)
        for n in range(count)
    ]


@settings(max_examples=60)
@given(st.integers(0, 400), st.integers(0, 60), st.integers(0, 60), st.randoms())
def test_what_went_and_what_came_is_named_whatever_the_order(kept, gone, come, rng):
    events = many(kept + gone + come)
    before, now = events[: kept + gone], [*events[:kept], *events[kept + gone :]]
    rng.shuffle(now)
    found = seal_difference(seal_of(before), seal_of(now))
    assert found.all_named
    assert {e.request_id for e in found.gone} == {e.request_id for e in before[kept:]}
    assert [(e.request_id, e.model, e.input_tokens, e.output_tokens) for e in found.come] == sorted(
        (e.request_id, e.model, e.input_tokens, e.output_tokens) for e in events[kept + gone :]
    )


@pytest.mark.parametrize(
    "change",
    [{"output_tokens": 7}, {"cached_tokens": 3}, {"status": Status.FAILED}, {"pool": "other"},
     {"reasoning_tokens": 1}, {"key_id": "other"}, {"price_version": "0a"}, {"model": "gemma"}],
)  # fmt: skip
def test_an_event_that_changed_is_named_on_both_sides(change):
    events = many(1000)
    other = msgspec.structs.replace(events[500], **change)
    found = seal_difference(seal_of(events), seal_of([*events[:500], other, *events[501:]]))
    assert [e.request_id for e in (*found.gone, *found.come)] == [other.request_id] * 2
    assert found.gone != found.come
    assert found.all_named


def test_more_than_a_seal_can_tell_is_said():
    found = seal_difference(seal_of(many(10)), seal_of(many(2000)))
    assert not found.all_named


def test_an_id_that_is_no_uuid_is_told_by_its_hash():
    odd = [usage("2026-10-05", n, request_id=f"request {n}") for n in range(5)]
    (gone,) = seal_difference(seal_of(odd), seal_of(odd[1:])).gone
    assert gone.request_id.startswith("#")
    assert len(gone.request_id) == 33


def test_sums_stand_beside_and_a_span_is_cut_to_the_month():
    seal = seal_of(many(3), [held("2026-09-30T22:00:00Z", 4, 8, "contract/half")])
    (tokens,) = seal.tokens
    assert (tokens.model, tokens.requests, tokens.cached_input, tokens.output) == ("llama", 3, 3, 3)
    assert tokens.input == 100 + 101 + 102 - 3
    assert [t.held_ns for t in seal.held] == [2 * 8 * HOUR_NS]


def test_a_seal_of_many_is_no_larger_than_one_of_some():
    few, lots = (len(msgspec.json.encode(seal_of(many(n)))) for n in (400, 20_000))
    assert lots < few * 1.1


def test_books_keep_seals_and_those_of_the_first_schema_are_brought_along(tmp_path):
    path = tmp_path / "ledger.db.books"
    books = SqliteBooks(path)
    with books.change(1) as change:
        change.issue(draft("first"))
    books.close()
    with sqlite3.connect(path, isolation_level=None) as connection:
        connection.execute("DROP TABLE seals")
        connection.execute("UPDATE meta SET schema = 'neocloud.books/1'")
    connection.close()
    seal = seal_of(many(4))
    books = SqliteBooks(path)
    assert [d.draft.seals for d in books.documents()] == [()]
    with books.change(2) as change:
        change.issue(draft("second", seal))
    assert [d.draft.seals for d in books.documents()] == [(), (seal,)]
    before = books.contents().sha256
    books.close()
    with sqlite3.connect(path) as connection, pytest.raises(sqlite3.IntegrityError):
        connection.execute("DELETE FROM seals")
    connection.close()
    other = SqliteBooks(tmp_path / "other.books")
    with other.change(2) as change:
        change.issue(draft("first"))
        change.issue(draft("second", seal_of(many(5))))
    assert other.contents().sha256 != before
    other.close()
    with sqlite3.connect(path, isolation_level=None) as connection:
        connection.execute("UPDATE meta SET schema = 'neocloud.books/9'")
    connection.close()
    with pytest.raises(BooksError, match="has schema neocloud"):
        SqliteBooks(path).contents()


def draft(name: str, *seals: Seal) -> Draft:
    return Draft(
        id=name, kind="invoice", series="INV", tenant="acme", start_ns=OCTOBER.start_ns,
        end_ns=OCTOBER.end_ns, body=msgspec.Raw(b"{}"), seals=seals,
    )  # fmt: skip


def test_random_bytes_in_a_seal_name_nothing():
    rng = random.Random(1)
    seal = seal_of(many(5))
    cells = tuple(
        msgspec.structs.replace(c, mixed="A" * 4 + c.mixed[4:]) if rng.random() < 0.5 else c
        for c in seal.cells
    )
    broken = msgspec.structs.replace(seal, cells=cells)
    assert not seal_difference(broken, seal_of(many(5))).all_named
