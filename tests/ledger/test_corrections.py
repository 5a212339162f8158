"""Corrections: the latest holds, whatever came in which order, and what was recorded stays."""

from __future__ import annotations

from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neocloud.ledger import LedgerError, Reader, RecordReader, Status, corrected, in_order
from neocloud.ledger.backup import backup
from neocloud.ledger.compact import compact
from neocloud.ledger.contents import contents_of
from neocloud.ledger.correct import propose, record
from neocloud.ledger.migrate import migrate
from neocloud.ledger.place import LedgerPlace, ledger_place
from neocloud.ledger.records import CorrectionEvent
from neocloud.ledger.store import batch_of
from neocloud.ledger.verify import verify
from neocloud.units import Period

from ..servers.postgresql import shared  # noqa: TID252  (a real server)
from .events import START_NS, Desk, correction, opened, request_id, usage
from .filling import place_in, ship, write

NOW_NS = START_NS + 10**15


def put(place: LedgerPlace, *made: CorrectionEvent) -> None:
    """Write into the store, one delivery each."""
    with closing(place.connect()) as store:
        store.create()
        for number, each in enumerate(made):
            store.apply("corrections", number + 1, batch_of([each]))


_made = st.lists(
    st.builds(
        correction, st.integers(0, 4), st.integers(0, 3), correction_id=st.sampled_from("abcdefgh")
    ),
    max_size=8,
    unique_by=lambda c: c.correction_id,
)


@given(made=_made, data=st.data())
def test_order_and_repetition_change_nothing_beyond_the_latest(tmp_path_factory, made, data):
    place = place_in(tmp_path_factory.mktemp("corrected"))
    told = data.draw(st.permutations([*made, *made[:3]]))
    inside = data.draw(st.integers(0, len(told)))
    write(place, 0, 4)
    if data.draw(st.booleans()):
        ship(place)
    put(place, *told[:inside])
    with opened(place.path, Desk(), worker=3) as ledger:  # the rest lies in a segment
        for each in told[inside:]:
            ledger.record_correction(each)
    held = {}
    for each in sorted(made, key=lambda c: (c.made_ns, c.correction_id)):
        held[each.request_id] = each
    reader = Reader(place)
    recorded = list(reader.recorded())
    for event, before in zip(reader.usage(), recorded, strict=True):
        holds = held.get(event.request_id)
        assert event.correction == (holds.correction_id if holds else "")
        assert event.output_tokens == (holds.output_tokens if holds else before.output_tokens)
        assert before.correction == ""
    assert list(reader.corrections()) == sorted(made, key=in_order)
    assert list(RecordReader(place).usage()) == recorded


def test_a_correction_changes_what_it_says_and_nothing_else():
    event, made = usage(1, reasoning_tokens=1), correction(1, status=Status.FAILED)
    (found,) = corrected([event], [correction(0), correction(1, 0), made, correction(2)])
    assert (found.input_tokens, found.cached_tokens, found.output_tokens) == (900, 0, 10)
    assert (found.reasoning_tokens, found.status, found.correction) == (0, "failed", "c1-1")
    same = ("tenant", "admitted_ns", "finished_ns", "emulated", "estimated", "price_version")
    assert all(getattr(found, name) == getattr(event, name) for name in same)


def corrected_place(folder) -> LedgerPlace:
    """Events shipped and not, corrections in the store and in a segment."""
    place = place_in(folder)
    write(place, 0, 20)
    ship(place)
    write(place, 20, 10)
    put(place, correction(3), correction(25))
    with opened(place.path, Desk(), worker=3) as ledger:
        ledger.record_correction(correction(3, 2))
    return place


def test_copies_hold_events_as_recorded_and_their_corrections(tmp_path):
    place = corrected_place(tmp_path)
    now = [(e.request_id, e.output_tokens, e.correction) for e in Reader(place).usage()]
    assert (request_id(3), 20, "c3-2") in now
    held = contents_of(RecordReader(place))
    assert (held.usage, held.corrections, held.events) == (30, 3, 30 + 3 * 3 + 3)
    checked = verify(place)
    assert (checked.problems, checked.contents) == ((), held)
    copy, contents = backup(place, tmp_path / "copy")
    server = ledger_place(shared().database(), tmp_path / "server")
    assert migrate(place, server, lambda *_: None, rows=7).contents == held == contents
    for each in (copy, server):
        found = [(e.request_id, e.output_tokens, e.correction) for e in Reader(each).usage()]
        assert found == now
    assert compact(place).contents == held
    assert [(e.request_id, e.output_tokens, e.correction) for e in Reader(place).usage()] == now


def test_what_is_wrong_with_a_correction_is_found(tmp_path):
    place = corrected_place(tmp_path)
    put(place, correction(99), correction(4, output_tokens=-1))
    first, second = verify(place).problems
    assert "the correction c4-1 has a negative count of tokens" in first
    assert "the correction c99-1 is of a request that is not on record" in second


def test_a_period_holds_its_requests_with_corrections_made_whenever(tmp_path):
    place = corrected_place(tmp_path)
    put(place, correction(7, made_ns=NOW_NS))
    period = Period(START_NS, START_NS + 1_000_000)
    marks = [e.correction for e in Reader(place).usage(period)]
    assert [mark for mark in marks if mark] == ["c3-2", "c7-1", "c25-1"]
    assert list(Reader(place).usage(Period(START_NS + 10**9, NOW_NS))) == []


HEAD = "request_id,output_tokens,reason"


def proposed(place: LedgerPlace, text: str, folder):
    path = folder / "wrong.csv"
    path.write_text(text)
    return propose(path, Reader(place), NOW_NS, "me")


def test_a_file_says_what_changes_against_the_record_and_the_same_again_does_nothing(tmp_path):
    place = corrected_place(tmp_path)
    text = f"{HEAD}\n{request_id(3)},7,twice\n{request_id(5)},8,twice\n{request_id(5)},8,twice\n"
    found = proposed(place, text, tmp_path)
    assert (found.rows, found.repeated, found.known, found.superseded) == (3, 1, 0, 0)
    assert [(c.input_tokens, c.output_tokens, c.made_by) for c in found.new] == [
        (1003, 7, "me"), (1005, 8, "me"),
    ]  # fmt: skip
    assert record(place, found) == 2
    put(place, correction(5, 9, made_ns=NOW_NS + 1))
    again = proposed(place, text, tmp_path)
    assert (again.known, again.new, again.superseded) == (2, (), 1)
    assert record(place, again) == 0


@pytest.mark.parametrize(
    ("row", "told"),
    [
        (f"{request_id(99)},1,x,,,", "is not on record, or has not ended yet"),
        ("no-id,1,x,,,", "is not on record"),
        (f"{request_id(3)},-1,x,,,", "output_tokens -1: from 0 to"),
        (f"{request_id(3)},1.5,x,,,", "output_tokens: '1.5' is no whole number"),
        (f"{request_id(3)},,x,,,", "it changes nothing"),
        (f"{request_id(3)},1,,,,", "reason is missing"),
        (f"{request_id(3)},1,x,done,,", "status 'done': one of completed"),
        (f"{request_id(3)},1,x,,false,", "was emulated and stays so"),
        (f"{request_id(3)},1,x,,,c25-1", "correction c25-1 is on record and says something else"),
        (f"{request_id(3)},1,x,,,,", "7 fields, where the head has 6"),
        (f"{request_id(1)},1,y,,,", "line 2 corrects the same request"),
        (f"{request_id(2)},1,x,,,mine", "correction mine stands in line 2 with other content"),
    ],
)
def test_a_row_that_cannot_be_is_told_with_its_line(tmp_path, row, told):
    place = corrected_place(tmp_path)
    text = f"{HEAD},status,emulated,correction_id\n{request_id(1)},1,x,,true,mine\n{row}\n"
    before = contents_of(RecordReader(place))
    with pytest.raises(LedgerError) as failure:
        proposed(place, text, tmp_path)
    assert "wrong.csv, line 3: " in str(failure.value)
    assert told in str(failure.value)
    assert contents_of(RecordReader(place)) == before


@pytest.mark.parametrize(
    ("head", "told"),
    [
        ("request_id,output_tokens", "needs request_id, reason"),
        ("request_id,reason", "what changes"),
        (f"{HEAD},tenant", "tenant cannot be corrected"),
        (f"{HEAD},reason", "is there twice"),
    ],
)
def test_a_head_that_is_none_is_told(tmp_path, head, told):
    with pytest.raises(LedgerError, match=told):
        proposed(corrected_place(tmp_path), f"{head}\n", tmp_path)


def test_times_may_be_said_and_lie_between_the_request_and_now(tmp_path):
    place = corrected_place(tmp_path)
    rows = [f"{request_id(1)},1,x,{START_NS + 5}", f"{request_id(1)},2,x,{START_NS + 4}"]
    text = "\n".join([f"{HEAD},made_ns", *rows])
    record(place, proposed(place, text, tmp_path))
    by_id = {e.request_id: e.output_tokens for e in Reader(place).usage()}
    assert by_id[request_id(1)] == 1
    for time_ns in (START_NS - 1, NOW_NS + 1):
        with pytest.raises(LedgerError, match="from the admission of the request until now"):
            proposed(place, f"{HEAD},made_ns\n{request_id(2)},1,x,{time_ns}", tmp_path)
