"""Reconciliation: all agrees, or each thing that was done to it is named, and nothing else."""

# ruff: noqa: S608 - statements of ours

from __future__ import annotations

import json
import shutil
import sqlite3
import tempfile
from decimal import Decimal
from pathlib import Path

import jsonschema
import msgspec
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from neocloud.books.accounts import AccountKind, BooksError, Posting, SqliteBooks, account_id
from neocloud.books.invoices import credit_invoice
from neocloud.books.reconcile import (
    Difference,
    Finding,
    Level,
    Reconciliation,
    Scope,
    reconcile,
    reconciliation_text,
)
from neocloud.cli.failure import Failure
from neocloud.cli.invoice import command as invoice
from neocloud.cli.reconcile import command
from neocloud.ledger import Status
from neocloud.units import parse_period

from ..invoices.shop import PRICES, TEXT, Memory, Shop, at, cloud, held, usage  # noqa: TID252
from ..journal.year import LATE, MONTHS, opened, use, year  # noqa: TID252
from ..metering import write_ledger  # noqa: TID252

SCHEMA = Path(__file__).parents[3] / "schemas" / "reconciliation.schema.json"


@pytest.fixture(scope="module")
def template(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("year")
    year(folder).books.close()
    return folder


@pytest.fixture
def made(template, tmp_path) -> Shop:
    """The months of `year`, with books of the test's own."""
    for path in template.iterdir():
        shutil.copy(path, tmp_path / path.name)
    source = use()
    source.events.append(LATE)
    found = opened(tmp_path, source)
    yield found
    found.books.close()


def found_in(made: Shop, **scope) -> Reconciliation:
    return reconcile(made.books, made.source, "shop", Scope(**scope))


def damage(made: Shop, *statements: str) -> None:
    """What no program of ours does: triggers are dropped first."""
    made.books.close()
    with sqlite3.connect(made.books.path, isolation_level=None) as connection:
        names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")
        for (name,) in names.fetchall():
            connection.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            assert connection.execute(statement).rowcount == 1, statement
    connection.close()


def faults(made: Shop, level: Level | None = None, **scope) -> list[Difference]:
    found = found_in(made, **scope)
    return [d for d in found.differences if d.is_fault and level in (None, d.level)]


def test_all_agrees_step_by_step(made):
    found = found_in(made)
    assert found.differences == ()
    assert found.agrees
    assert len(found.months) == 9
    for month in found.months:
        assert month.requests == month.sealed_requests > 0
        assert month.tokens == month.rated_tokens == month.billed_tokens > 0
        assert all(money.rated == money.billed for money in month.money)
    assert sum(m.tokens for m in found.months) == sum(
        e.input_tokens + e.output_tokens for e in made.source.events if not e.emulated
    )
    assert found.events == sum(not e.emulated for e in made.source.events)
    assert [c.total for c in found.chains] == [c.posted for c in found.chains]
    assert {c.document for c in found.chains} >= {"SHOP-000009", "SHOP-CN-000002", "payment/B-1"}
    assert reconciliation_text(found).startswith("Events, rated lines, documents, postings and j")


def test_a_row_of_the_ledger_that_is_gone_is_named(made):
    gone = next(e for e in made.source.events if e.tenant == "kyoto" and not e.emulated)
    made.source.events.remove(gone)
    event, *more = found_in(made).differences
    assert (event.level, event.finding, event.is_fault) == (Level.EVENTS, Finding.MISSING, True)
    assert (event.subject, event.tenant, event.month) == (gone.request_id, "kyoto", "2026-08")
    assert event.tokens == -(gone.input_tokens + gone.output_tokens)
    assert f"{gone.input_tokens:,} tokens in" in event.text
    assert {d.level for d in more} == {Level.LINES}
    assert sum(d.tokens for d in more) == gone.input_tokens + gone.output_tokens
    price = (gone.input_tokens - gone.cached_tokens) * Decimal("0.2")  # of its second tier
    price += gone.cached_tokens * Decimal("0.05") + gone.reasoning_tokens * Decimal("0.6")
    price += (gone.output_tokens - gone.reasoning_tokens) * Decimal("0.55")
    assert sum(d.amount for d in more) == price / 10**6


@pytest.mark.parametrize(
    "change", [{"output_tokens": 1}, {"cached_tokens": 0}, {"status": "failed"}, {"pool": "x"}]
)
def test_a_row_of_the_ledger_that_was_changed_is_named(made, change):
    place, old = next(
        (n, e) for n, e in enumerate(made.source.events)
        if e.tenant == "acme" and e.cached_tokens and e.status == "completed" and not e.emulated
    )  # fmt: skip
    change = {k: Status(v) if k == "status" else v for k, v in change.items()}
    made.source.events[place] = msgspec.structs.replace(old, **change)
    (fault,) = faults(made)
    assert (fault.level, fault.finding) == (Level.EVENTS, Finding.DIFFERENT)
    assert fault.subject == old.request_id
    assert fault.tokens == (1 - old.output_tokens if "output_tokens" in change else 0)


def test_what_comes_after_closing_will_be_a_correction_and_is_no_fault(made):
    late = usage("2026-09-29", 901, tenant="kyoto", input_tokens=5_000, output_tokens=70)
    made.source.events.append(late)
    made.source.spans.append(held("2026-10-07", 2, 1))
    found = found_in(made)
    assert found.agrees
    assert [(d.level, d.finding, d.subject, d.tokens) for d in found.differences
            if d.level is Level.EVENTS] == [
        ("events", "late", "ashburn/h100-sxm/own/0", 0),
        ("events", "late", late.request_id, 5_070),
    ]  # fmt: skip
    text = reconciliation_text(found)
    assert "it will be a correction" in text
    assert "to be corrected on next invoices." in text
    made.close("2026-11", "kyoto")
    made.close("2026-11", "acme")
    assert found_in(made).differences == ()


def test_many_late_events_are_summed_where_they_cannot_be_named(made):
    made.source.events += [usage("2026-09-29", n, tenant="kyoto") for n in range(1000, 1600)]
    found = found_in(made)
    assert found.agrees
    (told,) = [d for d in found.differences if d.level is Level.EVENTS and "can be named" in d.text]
    assert (told.finding, told.tokens) == (Finding.LATE, 600 * 10**6)
    assert "+600 requests" in told.text


def test_what_is_to_be_billed_again_waits_and_is_no_fault(made):
    credit_invoice(made.books, "SHOP-000007", "x", at("2026-11-25"), bill_again=True)
    found = found_in(made)
    assert found.agrees
    assert {d.level for d in found.differences} == {Level.LINES}
    damage(made, "DELETE FROM billed WHERE place = 1 AND document = 'credit/invoice/acme/2026-10'")
    assert any(d.subject.startswith("SHOP-CN-000003/llama") for d in faults(made, Level.DOCUMENTS))


A9 = "invoice/acme/2026-09"
BODY = "UPDATE documents SET body = CAST(replace(CAST(body AS TEXT), {}, {}) AS BLOB) WHERE id = '"


@pytest.mark.parametrize(
    ("statement", "level", "finding", "subject"),
    [
        (f"DELETE FROM postings WHERE id = '{A9}/line/1'", "postings", "missing", f"{A9}/line/1"),
        (f"UPDATE postings SET pico = pico + 10000000000 WHERE id = '{A9}/line/2'",
         "postings", "different", f"{A9}/line/2"),
        ("UPDATE postings SET day = '2026-09-29' WHERE id = 'invoice/rhein/2026-08/tax'",
         "postings", "different", "invoice/rhein/2026-08/tax"),
        ("DELETE FROM postings WHERE id = 'grant/acme/top-up'",
         "postings", "missing", "grant/acme/top-up"),
        ("DELETE FROM postings WHERE id = 'payment/B-2'", "postings", "missing", "payment/B-2"),
        ("DELETE FROM accounts WHERE id = 'tax::USD'", "accounts", "missing", "tax::USD"),
        (f"DELETE FROM billed WHERE document = '{A9}' AND place = 1",
         "documents", "extra", "SHOP-000004/line/3"),
        (BODY.format("'\"total\":\"'", "'\"total\":\"1'") + f"{A9}'",
         "documents", "different", "SHOP-000004/total"),
        (BODY.format("'\"tax\":\"'", "'\"tax\":\"1'") + "invoice/kyoto/2026-09'",
         "documents", "different", "SHOP-000006/tax"),
        (f"DELETE FROM documents WHERE id = '{A9}'", "documents", "missing", "SHOP-000004"),
        (f"DELETE FROM documents WHERE id = '{A9}'", "documents", "missing", A9),
        (f"DELETE FROM closed WHERE document = '{A9}'", "documents", "missing", "SHOP-000004"),
        ("DELETE FROM documents WHERE id = 'invoice/kyoto/2026-08'",
         "documents", "missing", "SHOP-000003"),
        ("UPDATE documents SET number = 12 WHERE id = 'invoice/kyoto/2026-10'",
         "documents", "missing", "SHOP-000009"),
        (f"UPDATE documents SET body = '{{}}' WHERE id = '{A9}'", "documents", "different", A9),
        ("UPDATE balances SET debits = '1' WHERE account = 'cash:acme:USD'",
         "accounts", "different", "books"),
    ],
)  # fmt: skip
def test_each_fault_is_named(made, statement, level, finding, subject):
    damage(made, statement)
    found = [(d.level, d.finding, d.subject) for d in faults(made)]
    assert (level, finding, subject) in found, found
    assert not found_in(made).agrees


def test_a_price_version_that_is_gone_is_named(made):
    kept = set(made.books.versions())
    made.books.close()
    with sqlite3.connect(made.books.path, isolation_level=None) as connection:
        connection.execute("DROP TRIGGER versions_delete")
        connection.execute("DELETE FROM versions")
    connection.close()
    gone = next(e for e in made.source.events if e.tenant == "kyoto" and not e.emulated)
    made.source.events.remove(gone)
    found = found_in(made)
    versions = [d for d in found.differences if d.level is Level.LINES]
    assert {d.subject for d in versions} == kept
    assert {d.finding for d in versions} == {Finding.MISSING}
    (first,) = [d for d in versions if (d.tenant, d.month) == ("acme", "2026-09")]
    assert f"price version {first.subject} of month 2026-09 is gone from the books" in first.text
    assert not found.agrees
    assert found.months == ()  # nothing is rated with other prices
    assert [d.subject for d in faults(made, Level.EVENTS)] == [gone.request_id]
    with pytest.raises(BooksError, match="of month 2026-08 is gone from the books; put the books"):
        made.close("2026-11", "kyoto")


def test_a_cent_is_told_to_the_cent_in_each_step(made):
    damage(made, f"UPDATE postings SET pico = pico + 10000000000 WHERE id = '{A9}/line/2'")
    found = faults(made)
    cents = {d.level: d.amount for d in found if d.amount is not None}
    assert cents[Level.POSTINGS] == Decimal("0.01")
    assert abs(cents[Level.JOURNAL]) == Decimal("0.01")
    receivable = account_id(AccountKind.RECEIVABLE, "acme", "USD")
    assert receivable in {d.subject for d in found if d.level is Level.JOURNAL}
    (chain,) = [c for c in found_in(made).chains if c.document == "SHOP-000004"]
    assert chain.posted - chain.total == Decimal("0.01")


def test_a_rated_line_of_another_quantity_is_told_by_line_and_document(made):
    made.books.close()
    with sqlite3.connect(made.books.path) as connection:
        (blob,) = connection.execute(
            "SELECT line FROM billed WHERE document = ? AND place = 2", (A9,)
        ).fetchone()
    connection.close()
    line = json.loads(blob)
    changed = json.dumps({**line, "quantity": line["quantity"] + 7,
                          "pico": line["pico"] + 7 * line["unit_pico"]})  # fmt: skip
    damage(made, f"UPDATE billed SET line = '{changed}' WHERE document = '{A9}' AND place = 2")
    found = faults(made)
    assert [(d.level, d.tokens, d.amount) for d in found if d.level is Level.LINES] == [
        ("lines", 7, Decimal(7 * line["unit_pico"]).scaleb(-12))
    ]
    (told,) = [d.text for d in found if d.level is Level.LINES]
    money = f"{Decimal(7 * line['unit_pico']).scaleb(-12):,f} {line['currency']}"
    assert told.endswith(
        f": 7 tokens more and {money} more were billed than the ledger asks for"
    ), told
    (paper,) = [d for d in found if d.level is Level.DOCUMENTS]
    assert paper.tokens == -7
    assert paper.subject.startswith("SHOP-000004/line/")


def test_a_posting_that_no_document_tells_of_is_extra(made):
    with made.books.change(at("2026-12-01")) as change:
        change.post(
            Posting(id="by-hand", debit="cash:acme:USD", credit="revenue:llama:USD", pico=5,
                    day="2026-11-30")
        )  # fmt: skip
    found = faults(made)
    assert ("postings", "extra", "by-hand") in [(d.level, d.finding, d.subject) for d in found]
    assert all(abs(d.amount) == Decimal("0.000000000005") for d in found)


def test_a_month_that_was_invoiced_twice_and_a_number_given_twice_are_named(made):
    columns = "issued_ns, number, id, kind, series, tenant, start_ns, end_ns, body"
    damage(
        made,
        f"INSERT INTO documents ({columns}) SELECT issued_ns, 10, 'again', kind, series, tenant, "
        f"start_ns, end_ns, body FROM documents WHERE id = '{A9}'",
    )
    found = [d for d in faults(made) if d.finding is Finding.EXTRA]
    assert "SHOP-000010" in {d.subject for d in found}
    assert any("bills 2026-09 of acme again, as SHOP-000004 does" in d.text for d in found)


@pytest.mark.parametrize(
    ("scope", "seen"),
    [({"tenant": "acme"}, True), ({"tenant": "rhein"}, False),
     ({"period": parse_period("2026-09")}, True), ({"period": parse_period("2026-10")}, False)],
)  # fmt: skip
def test_what_is_asked_for_is_looked_at(made, scope, seen):
    assert found_in(made, **scope).differences == ()
    damage(made, f"UPDATE postings SET note = 'x' WHERE id = '{A9}/line/2'")
    found = [d.subject for d in faults(made, Level.POSTINGS, **scope)]
    assert found == [f"{A9}/line/2"] * seen


happened = st.lists(
    st.tuples(
        st.sampled_from(MONTHS), st.integers(1, 28), st.integers(0, 10**6), st.integers(0, 10**5),
        st.sampled_from(["acme", "rhein"]), st.integers(0, 2),
    ),
    min_size=1, max_size=10,
)  # fmt: skip


@settings(max_examples=12)
@given(happened, st.data())
def test_any_use_agrees_and_any_event_that_goes_is_named(told, data):
    with tempfile.TemporaryDirectory() as folder:
        made = Shop(Path(folder), cloud(), Memory())
        for place, month in enumerate(MONTHS):
            for number, (when, day, read, written, tenant, late) in enumerate(told):
                if MONTHS.index(when) + late == place or (place == 2 and late and when == month):
                    made.source.events.append(
                        usage(f"{when}-{day:02d}", number, tenant=tenant, input_tokens=read,
                              cached_tokens=read // 2, output_tokens=written)
                    )  # fmt: skip
            for tenant in ("acme", "rhein"):
                made.close(month, tenant)
        assert found_in(made).differences == ()
        if made.source.events:
            known = {e.request_id: e for e in made.source.events}
            gone = data.draw(st.sampled_from(sorted(known)))
            made.source.events = [e for e in known.values() if e.request_id != gone]
            (fault,) = faults(made)
            assert (fault.subject, fault.finding) == (gone, Finding.MISSING)
        made.books.close()


def test_the_verb_says_so_by_its_exit_status(tmp_path, monkeypatch):
    (tmp_path / "cloud.yaml").write_text(TEXT.replace("ACME", "").replace("PRICES", PRICES))
    events = [usage("2026-01-05", n) for n in range(9)]
    write_ledger(tmp_path / "ledger.db", events)
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(command, ["cloud.yaml"])
    assert isinstance(done.exception, Failure)
    closing = ["cloud.yaml", "--tenant", "acme", "--period", "2026-01", "--close"]
    assert CliRunner().invoke(invoice, closing).exit_code == 0
    done = CliRunner().invoke(command, ["cloud.yaml"])
    assert done.exit_code == 0, done
    assert done.stdout == (
        "Events, rated lines, documents, postings and journal agree: 9 events of 1 closed months, "
        "1 documents, 1 postings.\n"
    )
    shutil.rmtree("ledger.db.segments")
    with sqlite3.connect("ledger.db") as connection:
        connection.execute("DELETE FROM usage WHERE request_id = ?", (events[3].request_id,))
        assert connection.total_changes in (0, 1)
        shipped = connection.execute("SELECT count(*) FROM usage").fetchone()[0]
    connection.close()
    done = CliRunner().invoke(command, ["cloud.yaml", "--json", "--tenant", "acme"])
    assert done.exit_code == 1, done
    told = json.loads(done.stdout)
    jsonschema.validate(told, json.loads(SCHEMA.read_text()))
    missing = [d["subject"] for d in told["differences"] if d["level"] == "events"]
    kept = {e.request_id for e in events} if not shipped else {events[3].request_id}
    assert set(missing) == kept
    books = SqliteBooks(tmp_path / "ledger.db.books")
    assert books.check() == ()
    books.close()
