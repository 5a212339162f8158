"""The books as tables: every record once, to the last decimal, in both forms alike."""

from __future__ import annotations

import csv
from collections import Counter
from decimal import Decimal

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from neocloud.books.accounts import BooksError, SqliteBooks
from neocloud.books.invoices import presented
from neocloud.books.rows import SCHEMA, TABLES, Selection, write_rows
from neocloud.books.rows.tables import plain
from neocloud.cli.export_books import books as command
from neocloud.cli.failure import Failure
from neocloud.cli.invoice import command as invoice
from neocloud.units import PICO, parse_period

from ..invoices.shop import PRICES, TEXT, usage  # noqa: TID252
from ..journal.year import year  # noqa: TID252
from ..metering import write_ledger  # noqa: TID252


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return year(tmp_path_factory.mktemp("year"))


@pytest.fixture(scope="module")
def tables(made, tmp_path_factory):
    folder = tmp_path_factory.mktemp("parquet")
    write_rows(Selection(books=made.books), "parquet", folder)
    return {t.name: pq.read_table(folder / f"{t.name}.parquet") for t in TABLES}


def test_every_document_line_and_posting_is_there_once(made, tables):
    documents = list(made.books.documents())
    issued = [d for d in documents if d.number is not None]
    assert tables["documents"]["document"].to_pylist() == [d.draft.id for d in documents]
    assert tables["document-lines"].num_rows == sum(len(presented(d).lines) for d in issued)
    assert tables["rated-lines"].num_rows == sum(len(d.draft.lines) for d in documents)
    postings = [r.posting for r in made.books.postings()]
    rows = tables["postings"].to_pylist()
    assert [row["posting"] for row in rows] == [p.id for p in postings]
    assert [row["amount"] * PICO for row in rows] == [p.pico for p in postings]
    for table in tables.values():
        assert table.schema.metadata[b"schema"] == SCHEMA.encode()


def test_what_is_owed_is_the_same_by_documents_lines_and_postings(tables):
    owed, billed, posted = Counter(), Counter(), Counter()
    for row in tables["documents"].to_pylist():
        owed[row["tenant"], row["currency"]] += row["total"]
        if row["kind"] != "payment":
            billed[row["document"]] = row["subtotal"]
    for row in tables["document-lines"].to_pylist():
        billed[row["document"]] -= row["amount"]
    for row in tables["postings"].to_pylist():
        for place, sign in ((row["debit"], 1), (row["credit"], -1)):
            kind, owner, currency = place.split(":")
            if kind == "receivable":
                posted[owner, currency] += sign * row["amount"]
    assert not any(billed.values())
    assert posted == owed


def test_tokens_are_those_of_the_ledger_and_cost_what_their_price_says(made, tables):
    rows = [r for r in tables["rated-lines"].to_pylist() if r["meter"] != "accelerator_hour"]
    assert sum(r["quantity"] for r in rows) == sum(
        e.input_tokens + e.output_tokens for e in made.source.events if not e.emulated
    )
    assert all(r["quantity"] * r["unit_price"] == r["amount"] * 10**6 for r in rows)
    assert {(r["price_unit"], r["unit"]) for r in rows} == {("million tokens", "token")}


def test_a_unit_price_means_the_same_in_lines_and_rated_lines(tables):
    found = {
        name: {
            (r["document"], r["model"], r["meter"], r["accelerator"], r["contract"], r["tier"],
             r["price_version"], r["unit_price"], r["price_unit"])
            for r in tables[name].to_pylist()
            if r["meter"] and r.get("billed", True)
        }
        for name in ("rated-lines", "document-lines")
    }  # fmt: skip
    issued = {row[0] for row in found["document-lines"]}
    rated = {row for row in found["rated-lines"] if row[0] in issued}
    invoices = {row for row in found["document-lines"] if row[0].startswith("invoice/")}
    assert invoices == {row for row in rated if row[0].startswith("invoice/")}
    assert {row[-1] for row in invoices} == {"million tokens", "accelerator-hour"}


def test_csv_says_the_same(made, tables, tmp_path):
    write_rows(Selection(books=made.books), "csv", tmp_path)
    for name, table in tables.items():
        with (tmp_path / f"{name}.csv").open(newline="") as file:
            head, *rows = csv.reader(file)
        assert head == table.column_names
        for row, other in zip(rows, table.to_pylist(), strict=True):
            for value, told in zip(row, other.values(), strict=True):
                if isinstance(told, Decimal):
                    assert Decimal(value) == told
                else:
                    assert value == plain(told)


@pytest.mark.parametrize(("period", "tenant"), [("2026-09", None), (None, "rhein")])
def test_period_and_tenant_pick_by_accounting_date_and_owner(
    made, tables, tmp_path, period, tenant
):
    span = None if period is None else parse_period(period)
    write_rows(Selection(books=made.books, period=span, tenant=tenant), "parquet", tmp_path)
    for name in ("documents", "postings"):
        found = pq.read_table(tmp_path / f"{name}.parquet").to_pylist()
        every = tables[name].to_pylist()
        wanted = [
            row for row in every
            if (period is None or str(row["day"]).startswith(period))
            and (tenant is None or tenant in (row.get("tenant"), *"/".join(
                str(row.get(k)) for k in ("debit", "credit")).replace(":", "/").split("/")))
        ]  # fmt: skip
        assert 0 < len(found) < len(every)
        assert found == wanted


def test_a_failure_leaves_what_was_there(made, tmp_path):
    write_rows(Selection(books=made.books), "csv", tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(BooksError):
        write_rows(Selection(books=SqliteBooks(tmp_path / "none")), "csv", tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_the_verb_writes_a_file_each(tmp_path, monkeypatch):
    (tmp_path / "cloud.yaml").write_text(TEXT.replace("ACME", "").replace("PRICES", PRICES))
    write_ledger(tmp_path / "ledger.db", [usage("2026-01-05", n) for n in range(3)])
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(command, ["cloud.yaml", "--out", "out"])
    assert isinstance(done.exception, Failure)
    assert not (tmp_path / "out").exists()
    closing = ["cloud.yaml", "--tenant", "acme", "--period", "2026-01", "--close"]
    assert CliRunner().invoke(invoice, closing).exit_code == 0
    done = CliRunner().invoke(command, ["cloud.yaml", "--out", "out"])
    assert done.stdout.splitlines() == [
        "out/documents.parquet: 1 rows.", "out/document-lines.parquet: 1 rows.",
        "out/rated-lines.parquet: 1 rows.", "out/postings.parquet: 1 rows.",
    ]  # fmt: skip
