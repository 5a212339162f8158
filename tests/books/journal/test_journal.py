"""The journal: bean-check accepts it, and nothing else that looks like it."""

from __future__ import annotations

import re
import sqlite3
import tempfile
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from neocloud.books.accounts import AccountKind, SqliteBooks, account
from neocloud.books.invoices import issued_to
from neocloud.books.journal import (
    Journal,
    JournalError,
    account_name,
    component,
    gather,
    journal_text,
    make_journal,
)
from neocloud.books.journal.names import decimal_text, quoted
from neocloud.cli.export_beancount import beancount
from neocloud.cli.failure import Failure
from neocloud.cli.invoice import command as invoice
from neocloud.units import parse_period

from ..invoices import shop as shops  # noqa: TID252
from ..metering import write_ledger  # noqa: TID252
from .bean_check import bean_check
from .year import MONTHS, year


def journal_of(made, period: str | None = None, tenant: str | None = None) -> Journal:
    span = None if period is None else parse_period(period)
    material = gather(made.books, made.source, tenant)
    return make_journal(material, "shop", span, f"{period or 'all'}, {tenant or 'all'}")


def checked(folder: Path, journal: Journal) -> str:
    path = folder / "books.beancount"
    path.write_text("".join(journal_text(journal)))
    return bean_check(path)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return year(tmp_path_factory.mktemp("year"))


def test_bean_check_accepts_all_of_a_rich_case(made, tmp_path):
    journal = journal_of(made)
    assert checked(tmp_path, journal) == ""
    text = (tmp_path / "books.beancount").read_text()
    for document in made.books.documents():
        assert document.number is None or f"^{document.name}" in text
        assert quoted(document.draft.id) in text
    assert {leg.posting for t in journal.transactions for leg in t.legs if leg.posting} == {
        recorded.posting.id for recorded in made.books.postings()
    }
    opened = {o.account: o for o in journal.opened}
    assert opened["prepaid:acme/gift:USD"].closed == "2026-09-20"
    assert opened["prepaid:acme/short:USD"].closed == "2026-11-01"
    assert opened["prepaid:acme/top-up:USD"].closed == ""
    kinds = {each.account.split(":")[1] for each in journal.assertions}
    assert kinds == {"Receivable", "Prepaid", "Revenue", "Tax", "Rounding", "Cash", "Goodwill",
                     "Use"}  # fmt: skip


@pytest.mark.parametrize("tenant", [None, "acme", "rhein", "kyoto"])
@pytest.mark.parametrize("period", ["2026-09", "2026-11", "2026-08-20T00:00:00Z/2026-11-21"])
def test_a_period_of_a_tenant_stands_by_itself(made, tmp_path, period, tenant):
    journal = journal_of(made, period, tenant)
    assert checked(tmp_path, journal) == ""
    assert journal.assertions


def test_every_transaction_adds_up_in_each_commodity(made):
    for transaction in journal_of(made).transactions:
        sums = Counter()
        for leg in transaction.legs:
            sums[leg.commodity] += leg.count
        assert not any(sums.values()), transaction


def test_tokens_billed_are_those_of_the_ledger(made):
    billed = Counter()
    for transaction in journal_of(made).transactions:
        for leg in transaction.legs:
            if leg.account.startswith("Equity:Billed"):
                billed[leg.commodity] += leg.count
    real = [e for e in made.source.events if not e.emulated]
    again = (
        Counter()
    )  # of kyoto's first invoice, credited, all was billed twice and taken back once
    assert billed["OUTPUT-TOKEN"] - again["OUTPUT-TOKEN"] == sum(e.output_tokens for e in real)
    assert billed["CACHED-INPUT-TOKEN"] == sum(e.cached_tokens for e in real)
    assert billed["INPUT-TOKEN"] == sum(e.input_tokens - e.cached_tokens for e in real)
    assert billed["ACCELERATOR-NANOSECOND"] == sum(
        s.accelerators * (s.end_ns - s.start_ns) for s in made.source.spans
    )


def test_the_same_books_give_the_same_bytes(made, tmp_path_factory):
    other = year(tmp_path_factory.mktemp("again"))
    assert list(journal_text(journal_of(other))) == list(journal_text(journal_of(made)))


def lines(text: str, wanted: str) -> list[str]:
    return [line for line in text.splitlines(keepends=True) if re.match(wanted, line)]


def test_any_faulty_line_is_refused(made, tmp_path):
    """A cent more, a missing leg or assertion of another amount: bean-check fails each time."""
    text = "".join(journal_text(journal_of(made)))
    path = tmp_path / "books.beancount"
    legs = lines(text, r"  Income:Revenue:.* USD")
    assert len(legs) > 5
    whole = re.search(r"(?m)^2026-09-30 \* .*(\n .*)+", text)
    assert whole is not None
    quantity = lines(text, r"  Equity:Billed:.* INPUT-TOKEN")[0]
    balance = lines(text, r"2026-\d\d-\d\d balance Income:Rounding:USD")[-1]
    last = lines(text, r"2026-.* balance Assets:Receivable:Acme:USD")[-1]
    faults = {
        "a leg is gone": text.replace(legs[0], "", 1),
        "a cent more": text.replace(legs[3], _more(legs[3], "0.010000000000"), 1),
        "the least that there is": text.replace(legs[3], _more(legs[3], "0.000000000001"), 1),
        "a transaction is gone": text.replace(whole[0], "", 1),
        "a token more": text.replace(quantity, _more(quantity, "1"), 1),
        "an assertion differs": text.replace(balance, _more(balance, "0.000000000001"), 1),
        "what is owed differs": text.replace(last, _more(last, "0.000000000001"), 1),
    }
    for what, faulty in faults.items():
        assert faulty != text, what
        path.write_text(faulty)
        assert bean_check(path), what


def _more(line: str, much: str) -> str:
    from decimal import Decimal

    def add(found: re.Match[str]) -> str:
        return f" {Decimal(found[1]) + Decimal(much)} "

    return re.sub(r" (-?\d+(?:\.\d{12})?) ", add, line, count=1)


FAULTS = {
    "a posting is gone": "DELETE FROM postings WHERE id = 'invoice/acme/2026-09/line/1'",
    "a posting differs": (
        "UPDATE postings SET pico = '10000000000' WHERE id = 'invoice/acme/2026-09/line/2'"
    ),
    "a document is gone": "DELETE FROM documents WHERE id = 'invoice/rhein/2026-10'",
    "a total differs by a cent": (
        'UPDATE documents SET body = CAST(replace(CAST(body AS TEXT), \'"total":"\', '
        "'\"total\":\"1') AS BLOB) WHERE id = 'invoice/acme/2026-10'"
    ),
    "a rated line is gone": (
        "DELETE FROM billed WHERE document = 'invoice/acme/2026-09' AND place = 0"
    ),
    "a payment's posting is gone": "DELETE FROM postings WHERE id = 'payment/B-1'",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_wrong_in_the_books_fails_an_assertion(tmp_path, fault):
    made = year(tmp_path)
    made.books.close()
    damage(tmp_path / "ledger.db.books", FAULTS[fault])
    assert "Balance failed" in checked(tmp_path, journal_of(made))


def damage(path: Path, statement: str) -> None:
    """What no program of ours does: triggers are dropped first."""
    with sqlite3.connect(path, isolation_level=None) as connection:
        names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")
        for (name,) in names.fetchall():
            connection.execute(f"DROP TRIGGER {name}")
        assert connection.execute(statement).rowcount == 1, statement
    connection.close()


def test_what_comes_after_closing_waits_to_be_billed(tmp_path):
    made = year(tmp_path)
    late = shops.usage("2026-09-29", 901, tenant="kyoto", input_tokens=5_000, output_tokens=70)
    made.source.events.append(late)
    journal = journal_of(made)
    assert checked(tmp_path, journal) == ""
    waits = {(a.account, a.commodity): a.count for a in journal.assertions if a.count
             and a.account.startswith("Assets:Use")}  # fmt: skip
    assert waits == {
        ("Assets:Use:Kyoto:Llama", "INPUT-TOKEN"): 5_000,
        ("Assets:Use:Kyoto:Llama", "OUTPUT-TOKEN"): 70,
    }
    made.close("2026-11", "kyoto")
    journal = journal_of(made)
    assert checked(tmp_path, journal) == ""
    assert not any(a.count for a in journal.assertions if a.account.startswith("Assets:Use"))


cuts = st.lists(st.integers(1, 120), min_size=1, max_size=4, unique=True)


@settings(max_examples=25)
@given(cuts)
def test_splitting_a_period_changes_nothing(made, days):
    material = gather(made.books, made.source)
    start, whole = (
        parse_period("2026-08-01").start_ns,
        parse_period("2026-08-01T00:00:00Z/2027-02-01"),
    )
    bounds = [start, *(start + day * 86_400 * 10**9 for day in sorted(days)), whole.end_ns]
    parts = [make_journal(material, "shop", type(whole)(a, b), "") for a, b in pairwise(bounds)]
    at_once = make_journal(material, "shop", whole, "")
    apart = [t for part in parts for t in part.transactions if t.tag != "opening"]
    assert apart == list(at_once.transactions)
    held: Counter = Counter()
    for part in parts:
        opening = Counter()
        for transaction in part.transactions:
            for leg in transaction.legs:
                if transaction.tag == "opening":
                    opening[leg.account, leg.commodity] += leg.count
                else:
                    held[leg.account, leg.commodity] += leg.count
        before = held.copy()
        for transaction in part.transactions:
            if transaction.tag != "opening":
                for leg in transaction.legs:
                    before[leg.account, leg.commodity] -= leg.count
        assert {k: v for k, v in before.items() if v} == {k: v for k, v in opening.items() if v}
        for each in part.assertions:
            if each.day == max(a.day for a in part.assertions):
                assert held[each.account, each.commodity] == each.count, each


months = st.lists(
    st.tuples(
        st.sampled_from(MONTHS), st.integers(1, 28), st.integers(0, 10**6), st.integers(0, 10**5),
        st.sampled_from(["acme", "rhein", "kyoto"]), st.booleans(),
    ),
    min_size=1, max_size=12,
)  # fmt: skip


@settings(max_examples=12)
@given(months)
def test_debits_are_credits_in_any_month_and_assertions_hold(told):
    with tempfile.TemporaryDirectory() as folder:
        made = shops.Shop(Path(folder), shops.cloud(acme="tax_rate: 0.0825"), shops.Memory())
        for number, (month, day, read, written, tenant, emulated) in enumerate(told):
            made.source.events.append(
                shops.usage(f"{month}-{day:02d}", number, tenant=tenant, input_tokens=read,
                            cached_tokens=read // 3, output_tokens=written, emulated=emulated)
            )  # fmt: skip
        for month in MONTHS:
            for tenant in ("acme", "rhein", "kyoto"):
                made.close(month, tenant)  # one of emulated use alone stays open
        journal = journal_of(made)
        issued = len(issued_to(made.books, "acme"))
        made.books.close()
    held: Counter = Counter()
    for transaction in journal.transactions:
        for commodity in {leg.commodity for leg in transaction.legs}:
            of = [leg.count for leg in transaction.legs if leg.commodity == commodity]
            assert sum(of) == 0
        for leg in transaction.legs:
            held[leg.account, leg.commodity] += leg.count
    last = max((a.day for a in journal.assertions), default="")
    assert all(held[a.account, a.commodity] == a.count for a in journal.assertions if a.day == last)
    assert sum(t.tag == "invoice" and t.tenant == "acme" for t in journal.transactions) == issued


@given(st.text(min_size=1, max_size=20), st.text(min_size=1, max_size=20))
def test_two_names_never_are_one_component(a, b):
    assert re.fullmatch(r"[A-Z0-9][A-Za-z0-9-]*", component(a)), component(a)
    assert (component(a) == component(b)) == (a == b)


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        ("acme", "Assets:Cash:Acme:USD"),
        ("acme/contract/half", "Assets:Cash:Acme:Contract:Half:USD"),
        ("llama-3.1-8b", "Assets:Cash:Llama-3-1-8b--77c79b4f2b:USD"),
    ],
)
def test_names_of_accounts(owner, name):
    found = account_name(account(AccountKind.CASH, owner, "USD"))
    assert found.split("--")[0] == name.split("--")[0]
    assert ("--" in found) == ("--" in name)


def test_amounts_keep_twelve_decimals_and_what_beancount_would_round_is_refused():
    assert decimal_text(-1) == "-0.000000000001"
    assert decimal_text(12 * 10**12) == "12.000000000000"
    assert decimal_text(10**28 - 1) == "9999999999999999.999999999999"
    with pytest.raises(JournalError, match="more digits than"):
        decimal_text(10**28)


def test_the_verb_writes_what_bean_check_accepts(tmp_path, monkeypatch):
    text = shops.TEXT.replace("ACME", ", tax_rate: 0.2").replace("PRICES", shops.PRICES)
    (tmp_path / "cloud.yaml").write_text(text)
    write_ledger(tmp_path / "ledger.db", [shops.usage("2026-01-05", n) for n in range(9)])
    monkeypatch.chdir(tmp_path)
    asked = ["cloud.yaml", "--out", "books.beancount"]
    done = CliRunner().invoke(beancount, asked)
    assert isinstance(done.exception, Failure)
    assert "the first invoice makes them" in str(done.exception)
    closing = ["cloud.yaml", "--tenant", "acme", "--period", "2026-01", "--close"]
    assert CliRunner().invoke(invoice, closing).exit_code == 0
    done = CliRunner().invoke(beancount, [*asked, "--period", "2026-01", "--tenant", "acme"])
    assert done.stdout == "books.beancount: 2 transactions, 4 assertions.\n"
    assert bean_check(tmp_path / "books.beancount") == ""
    books = SqliteBooks(tmp_path / "ledger.db.books")
    assert len(list(books.postings())) == 2
    books.close()
