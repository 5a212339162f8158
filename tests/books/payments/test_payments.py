"""Payments: booked once, allotted the same in any order, never more than is owed."""

from __future__ import annotations

import json
import tempfile
from decimal import Decimal
from pathlib import Path

import jsonschema
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from neocloud.books.accounts import AccountKind, ConflictError, RefusedError, account_id
from neocloud.books.invoices import credit_invoice, preview
from neocloud.books.payments import (
    Payment,
    UnknownInvoiceError,
    receivables,
    record_payment,
)
from neocloud.cli.failure import Failure
from neocloud.cli.invoice import command as invoice
from neocloud.cli.payment import command
from neocloud.units import PICO, parse_period

from ..invoices.shop import PRICES, TEXT, Memory, Shop, at, cloud, usage  # noqa: TID252
from ..metering import write_ledger  # noqa: TID252

ONE = "{input: 1, output: 1}"
TODAY = "2027-06-01"
NOW = at(TODAY)
SCHEMA = Path(__file__).parents[3] / "schemas" / "receivables.schema.json"


def shop(folder: Path, *millions: int, tenant: str = "acme") -> Shop:
    """One that has invoiced so many dollars for August, September, ..."""
    months = ("2026-08", "2026-09", "2026-10", "2026-11")[: len(millions)]
    events = [
        usage(f"{month}-03", n, input_tokens=count * 1_000_000, tenant=tenant)
        for n, (month, count) in enumerate(zip(months, millions, strict=True))
    ]
    made = Shop(folder, cloud(prices=ONE), Memory(events))
    for month in months:
        made.close(month, tenant)
    return made


def paid(id_: str, amount: object, day: str = "2026-12-01", **more: str) -> Payment:
    values = {"id": id_, "tenant": "acme", "currency": "USD", "day": day, **more}
    return Payment(amount=Decimal(str(amount)), **values)


def pay(made: Shop, *payments: Payment) -> list[bool]:
    return [record_payment(made.books, payment, TODAY, NOW) for payment in payments]


def owed(made: Shop) -> Decimal:
    balance = made.books.balance(account_id(AccountKind.RECEIVABLE, "acme", "USD"), 0)
    return Decimal(balance.debits - balance.credits) / PICO


def test_the_named_invoice_then_the_oldest_then_on_account(tmp_path):
    made = shop(tmp_path, 100, 50, 30)
    pay(made, paid("B", 60), paid("A", 40, invoice="SHOP-000003"))
    found = receivables(made.books, "shop", TODAY)
    assert [(a.source, a.invoice, a.amount) for a in found.allotments] == [
        ("A", "SHOP-000003", 30), ("A", "SHOP-000001", 10), ("B", "SHOP-000001", 60),
    ]  # fmt: skip
    assert [(i.number, i.paid, i.open) for i in found.invoices] == [
        ("SHOP-000001", 70, 30), ("SHOP-000002", 50 - 50, 50), ("SHOP-000003", 30, 0),
    ]  # fmt: skip
    pay(made, paid("C", "100.50", "2026-12-02"))
    (ages,) = receivables(made.books, "shop", TODAY).ages
    assert (ages.on_account, ages.balance) == (Decimal("20.50"), Decimal("-20.50"))
    assert owed(made) == ages.balance
    assert made.books.check() == ()


def test_a_payment_is_booked_once_and_does_not_change(tmp_path):
    made = shop(tmp_path, 100)
    first = paid("BANK 1", "99.5")
    assert pay(made, first, first, paid("BANK 1", "99.50")) == [True, False, False]
    before = made.books.contents()
    with pytest.raises(ConflictError, match=r"booked as 99\.50 USD of acme on 2026-12-01; it does"):
        pay(made, paid("BANK 1", "99.51"))
    assert made.books.contents() == before
    cash = made.books.balance(account_id(AccountKind.CASH, "acme", "USD"), 0)
    assert (cash.debits, cash.credits) == (int(Decimal("99.5") * PICO), 0)


@pytest.mark.parametrize(
    ("payment", "error", "told"),
    [
        (paid("x", 0), RefusedError, "must be above 0"),
        (paid("x", -5), RefusedError, "must be above 0"),
        (paid("x", "NaN"), RefusedError, "must be above 0"),
        (paid("x", "1.001"), RefusedError, "more than 2 decimals"),
        (paid("x", 1, "2027-06-02"), RefusedError, "yet to come"),
        (paid(" ", 1), RefusedError, "printable"),
        (paid("a\nb", 1), RefusedError, "printable"),
        (paid("x", 1, invoice="SHOP-000009"), UnknownInvoiceError, "its last is SHOP-000001"),
        (paid("x", 1, currency="EUR"), UnknownInvoiceError, "in USD, the payment in EUR"),
        (paid("x", 1, tenant="rhein"), UnknownInvoiceError, "rhein has no invoice; what is paid"),
    ],
)
def test_what_is_no_payment_is_refused_and_nothing_written(tmp_path, payment, error, told):
    made = shop(tmp_path, 100)
    before = made.books.contents()
    with pytest.raises(error, match=told):
        pay(made, payment)
    assert made.books.contents() == before


def test_a_specimen_takes_no_payment(tmp_path):
    made = shop(tmp_path, 100)
    made.source.events.append(usage("2026-10-05", 9, tenant="kyoto", emulated=True))
    assert preview(made.office, "kyoto", parse_period("2026-10"), NOW).kind == "specimen"
    with pytest.raises(UnknownInvoiceError, match="specimens are not paid"):
        pay(made, paid("x", 1, tenant="kyoto", currency="JPY"))


def test_what_was_paid_and_then_credited_pays_the_next_invoice(tmp_path):
    made = shop(tmp_path, 100, 50)
    pay(made, paid("A", 100, invoice="SHOP-000001"))
    credit_invoice(made.books, "SHOP-000001", "wrong", at("2026-12-05"), bill_again=False)
    found = receivables(made.books, "shop", TODAY)
    assert [(a.invoice, a.amount) for a in found.allotments] == [("SHOP-000002", 50)]
    assert [(i.credited, i.open) for i in found.invoices] == [(100, 0), (0, 0)]
    assert found.ages[0].on_account == 50
    assert owed(made) == -50


def test_an_invoice_below_zero_pays_others(tmp_path):
    made = shop(tmp_path, 100)
    made.source.events[0] = usage("2026-08-03", 0, input_tokens=30_000_000)
    made.close("2026-09")
    found = receivables(made.books, "shop", TODAY)
    assert [(i.total, i.paid, i.open) for i in found.invoices] == [(100, 70, 30), (-70, -70, 0)]
    assert [(a.source, a.is_payment) for a in found.allotments] == [("SHOP-000002", False)]
    assert found.ages[0].balance == owed(made) == 30


@pytest.mark.parametrize(
    ("as_of", "where"),
    [("2026-10-05", "not_due"), ("2026-10-06", "late_30"), ("2026-11-04", "late_30"),
     ("2026-11-05", "late_60"), ("2026-12-05", "late_90"), ("2027-01-04", "late_more")],
)  # fmt: skip
def test_ages_are_days_since_it_was_due(tmp_path, as_of, where):
    made = shop(tmp_path, 100)
    pay(made, paid("A", 40, "2026-10-01"), paid("B", 5, "2027-05-01"))
    found = receivables(made.books, "shop", as_of)
    assert found.invoices[0].due == "2026-10-05"
    assert {name: getattr(found.ages[0], name) for name in
            ("not_due", "late_30", "late_60", "late_90", "late_more")} == {
        "not_due": 0, "late_30": 0, "late_60": 0, "late_90": 0, "late_more": 0, where: 60,
    }  # fmt: skip


def test_nothing_was_invoiced_or_paid_before_its_day(tmp_path):
    made = shop(tmp_path, 100)
    pay(made, paid("A", 40, "2026-10-01"))
    assert receivables(made.books, "shop", "2026-09-03").ages == ()
    assert receivables(made.books, "shop", "2026-09-30").ages[0].balance == 100
    assert receivables(None, "shop", TODAY).ages == ()


payments = st.lists(
    st.tuples(
        st.integers(1, 20_000),
        st.sampled_from(["2026-12-01", "2026-12-02", "2027-01-01"]),
        st.sampled_from(["", "", "SHOP-000001", "SHOP-000002", "SHOP-000003"]),
    ),
    max_size=8,
)


@settings(max_examples=25)
@given(payments, st.lists(st.integers(0, 100), min_size=3, max_size=3), st.booleans(), st.randoms())
def test_order_and_repetition_change_nothing_and_nothing_is_paid_twice(told, sums, credited, rng):
    all_ = [
        paid(f"p{n}", Decimal(cents) / 100, day, invoice=number)
        for n, (cents, day, number) in enumerate(told)
    ]
    again = [*all_, *all_]
    rng.shuffle(again)
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for name, booked in (("a", all_), ("b", again)):
            place = Path(folder) / name
            place.mkdir()
            made = shop(place, *sums)
            if credited:
                credit_invoice(made.books, "SHOP-000002", "x", at("2026-12-01"), bill_again=False)
            pay(made, *booked)
            found.append((receivables(made.books, "shop", TODAY), made.books.contents()))
            balance = owed(made)
            made.books.close()
    assert found[0] == found[1]
    stands = found[0][0]
    for payment in all_:
        used = sum(a.amount for a in stands.allotments if a.source == payment.id)
        assert used <= payment.amount
    for each in stands.invoices:
        to = sum((a.amount for a in stands.allotments if a.invoice == each.number), Decimal(0))
        assert 0 <= to == each.paid <= max(0, each.total - each.credited)
        assert each.open == each.total - each.credited - each.paid
    assert sum((a.balance for a in stands.ages), Decimal(0)) == balance
    left = sum((a.on_account for a in stands.ages), Decimal(0))
    assert left >= 0
    assert not left or not any(each.open for each in stands.invoices)


def run(*arguments: str) -> str:
    done = CliRunner().invoke(command, arguments)
    if isinstance(done.exception, Failure):
        raise done.exception
    assert done.exit_code == 0, done
    return done.stdout


def test_the_verb_books_and_lists(tmp_path, monkeypatch):
    (tmp_path / "cloud.yaml").write_text(TEXT.replace("ACME", "").replace("PRICES", PRICES))
    write_ledger(tmp_path / "ledger.db", [usage("2026-01-05", input_tokens=500_000_000)])
    monkeypatch.chdir(tmp_path)
    booking = ("record", "cloud.yaml", "--tenant", "acme", "--amount", "30", "--date",
               "2026-02-10", "--id", "REF/1")  # fmt: skip
    with pytest.raises(Failure, match="nothing was invoiced yet"):
        run(*booking)
    asked = ("list", "cloud.yaml", "--as-of", "2026-01-31")
    assert run(*asked) == "Nothing was invoiced or paid by 2026-01-31.\n"
    closing = ["cloud.yaml", "--tenant", "acme", "--period", "2026-01", "--close"]
    assert CliRunner().invoke(invoice, closing).exit_code == 0
    assert run(*booking) == "payment REF/1 of acme is booked.\n30.00 USD pays SHOP-000001.\n"
    assert run(*booking).endswith(
        "was booked already; nothing was changed.\n30.00 USD pays SHOP-000001.\n"
    )
    with pytest.raises(Failure, match="does not change"):
        run(*booking[:5], "31", *booking[6:])
    with pytest.raises(Failure, match="--amount: 'much' is not a number"):
        run(*booking[:5], "much", *booking[6:])
    with pytest.raises(Failure, match="--date: '2026-02' is not a day"):
        run(*booking[:7], "2026-02", *booking[8:])
    with pytest.raises(Failure, match="Nearest: acme"):
        run(*booking[:3], "acm", *booking[4:])
    shown = run("list", "cloud.yaml")
    assert "REF/1" in shown
    assert "SHOP-000001 30.00" in shown
    found = json.loads(run("list", "cloud.yaml", "--json", "--tenant", "acme"))
    jsonschema.validate(found, json.loads(SCHEMA.read_text()))
    assert found["ages"][0]["balance"] == "100.00"
    more = run(*booking[:5], "130", *booking[6:-1], "REF/2").splitlines()[1]
    assert more == "100.00 USD pays SHOP-000001; 30.00 USD stays on account."
    last = run(*booking[:5], "5", *booking[6:-1], "REF/3").splitlines()[1]
    assert last == "5.00 USD stays on account."
