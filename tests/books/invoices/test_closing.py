"""Closing: once, in order, after the grace; what comes later is corrected on the next invoice."""

from __future__ import annotations

import tempfile
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neocloud.books.accounts import AccountKind, RefusedError, account_id
from neocloud.books.invoices import (
    Kind,
    NoInvoiceError,
    NotClosableError,
    credit_invoice,
    issued_to,
    preview,
)
from neocloud.books.prices import PriceBook, price_version
from neocloud.books.rating import rate
from neocloud.ledger import UsageEvent
from neocloud.units import HOUR_NS, PICO, parse_period

from .shop import Memory, Shop, at, cloud, held, usage

ONE_A_MILLION = "{input: 1, output: 1}"


def owed(shop: Shop, tenant: str = "acme", currency: str = "USD") -> Decimal:
    """What the books say that a tenant owes."""
    place = account_id(AccountKind.RECEIVABLE, tenant, currency)
    balance = shop.books.balance(place, 0)
    return Decimal(balance.debits - balance.credits) / PICO


def test_closing_issues_one_invoice_however_often(tmp_path):
    shop = Shop(tmp_path, cloud(), Memory([usage("2026-10-03")]))
    made = shop.close("2026-10")
    assert (made.kind, made.number, made.why_not) == (Kind.INVOICE, "SHOP-000001", "")
    assert (made.issued, made.due) == ("2026-11-05", "2026-12-05")
    before = shop.books.contents()
    shop.source.events.append(usage("2026-10-09", 2))
    assert shop.close("2026-10", days=40) == made
    assert shop.books.contents() == before
    assert owed(shop) == made.total == Decimal("0.26")
    assert shop.books.check() == ()


def test_a_month_closes_after_its_grace_and_after_the_one_before(tmp_path):
    shop = Shop(tmp_path, cloud(), Memory([usage("2026-09-03")]))
    with pytest.raises(NotClosableError, match="from 2026-10-04T00:00:00Z on: late events count"):
        shop.close("2026-09", days=2)
    assert shop.close("2026-09", days=3).number == "SHOP-000001"
    with pytest.raises(
        NotClosableError, match="last closed month of acme is 2026-09: close 2026-1"
    ):
        shop.close("2026-11")
    with pytest.raises(NotClosableError, match="close 2026-10 next"):
        shop.close("2026-08")
    assert shop.close("2026-10").number == "SHOP-000002"


def test_numbers_have_no_gaps_over_tenants_and_a_specimen_takes_none(tmp_path):
    source = Memory([usage("2026-10-03", 1), usage("2026-10-03", 2, tenant="rhein"),
                     usage("2026-10-03", 3, tenant="kyoto", emulated=True)])  # fmt: skip
    shop = Shop(tmp_path, cloud(), source)
    assert shop.close("2026-10").number == "SHOP-000001"
    specimen = shop.close("2026-10", "kyoto")
    assert (specimen.kind, specimen.number) == (Kind.SPECIMEN, None)
    assert shop.close("2026-10", "rhein").number == "SHOP-000002"
    assert [p.tenant for p in shop.books.closed()] == ["acme", "rhein"]
    assert shop.books.contents().documents == 2


def test_a_month_of_emulated_use_alone_is_passed_over_and_late_real_use_is_not_lost(tmp_path):
    tests = [usage("2026-10-03", 2, emulated=True), usage("2026-11-03", 3, emulated=True)]
    shop = Shop(tmp_path, cloud(acme="minimum_spend_per_month: 5", prices=ONE_A_MILLION),
                Memory([usage("2026-09-03", 1), *tests, usage("2026-12-03", 4)]))  # fmt: skip
    assert shop.close("2026-09").total == 5
    assert shop.close("2026-10").kind is Kind.SPECIMEN
    december = shop.close("2026-12")
    assert (december.number, december.total) == ("SHOP-000002", 5)
    span = parse_period("2026-11")
    notes = preview(shop.office, "acme", span, span.end_ns).notes
    assert "charged with the month that is closed next" in " ".join(notes)
    shop.source.events.append(usage("2026-11-04", 5))  # real use of a month that was passed over
    january = shop.close("2027-01")
    (late,) = [line for line in january.lines if line.group == "corrections"]
    assert (late.month, late.quantity, late.amount) == ("2026-11", 1_000_000, 1)
    shop.source.events.append(usage("2027-02-04", 6))
    with pytest.raises(NotClosableError, match="close 2027-02 next"):
        shop.close("2027-03")
    assert shop.close("2027-02").number == "SHOP-000004"


def test_a_late_event_and_a_corrected_one_come_on_the_next_invoice_and_only_there(tmp_path):
    wrong = usage("2026-09-03", 1, input_tokens=3_000_000)
    shop = Shop(tmp_path, cloud(prices=ONE_A_MILLION), Memory([wrong]))
    september = shop.close("2026-09")
    shop.source.events = [
        msgspec.structs.replace(wrong, input_tokens=1_000_000),
        usage("2026-09-30T23:59:59Z", 2, input_tokens=0, output_tokens=500_000),
        usage("2026-10-01", 3),
    ]
    october = shop.close("2026-10")
    assert [(c.group, c.month, c.meter, c.quantity, c.amount) for c in october.lines] == [
        ("tokens", "2026-10", "input", 1_000_000, 1),
        ("corrections", "2026-09", "input", -2_000_000, -2),
        ("corrections", "2026-09", "output", 500_000, Decimal("0.50")),
    ]
    assert shop.close("2026-09") == september
    assert shop.close("2026-11").lines == ()
    assert owed(shop) == Decimal("2.50")


def test_what_the_file_says_later_changes_nothing_about_closed_months(tmp_path):
    half = "  - {name: half, tenant: acme, accelerators: 1, price: 2, start: 2026-09-01, MORE}"
    before = cloud(acme="minimum_spend_per_month: 2000", prices=ONE_A_MILLION,
                   contracts=half.replace("MORE", "term_months: 12"))  # fmt: skip
    source = Memory([usage("2026-09-03", 1), usage("2026-09-04", 2, tenant="rhein")])
    shop = Shop(tmp_path, before, source)
    september = shop.close("2026-09")
    assert september.subtotal == 2000
    shop.close("2026-09", "rhein")
    shop.cloud = cloud(acme="minimum_spend_per_month: 0", prices="{input: 9, output: 9}",
                       contracts=half.replace("MORE", "term_months: 1"))  # fmt: skip
    assert shop.close("2026-10").lines == ()
    source.events.append(usage("2026-09-05", 3, tenant="rhein"))
    (late,) = shop.close("2026-10", "rhein").lines
    # At the dollar that held then; a euro is 1.25 dollars.
    assert (late.month, late.exact, late.amount) == ("2026-09", 1, Decimal("0.80"))


@given(st.lists(st.integers(1, 400_000), max_size=4), st.lists(st.integers(1, 400_000), max_size=4))
@settings(deadline=None, max_examples=25)
def test_a_month_keeps_to_its_minimum_whatever_becomes_known_later(early, late):
    """Of a month that falls short, invoice and corrections together come to the minimum."""
    plan = cloud(**{"{currency: JPY, ": "{currency: JPY, minimum_spend_per_month: 1000, "})

    def told(day: str, tokens: list[int]) -> list[UsageEvent]:
        return [
            usage(day, n, tenant="kyoto", input_tokens=each, output_tokens=each // 3)
            for n, each in enumerate(tokens, 1)
        ]

    with tempfile.TemporaryDirectory() as folder:
        shop = Shop(Path(folder), plan, Memory(told("2026-09-03", early)))
        assert shop.close("2026-09", "kyoto").subtotal == 1000
        shop.source.events += told("2026-09-04", late)
        october = shop.close("2026-10", "kyoto")
    assert sum(line.amount for line in october.lines if line.month == "2026-09") == 0
    assert sum(line.amount for line in october.lines if line.month == "2026-10") == 1000


def test_a_credit_note_takes_all_of_an_invoice_back_and_its_credits_are_there_again(tmp_path):
    prepaid = "tax_rate: 0.1, prepaid_credits: [{name: top-up, amount: 2, date: 2026-09-01}]"
    shop = Shop(
        tmp_path, cloud(acme=prepaid, prices=ONE_A_MILLION),
        Memory([usage("2026-09-03", 1, input_tokens=5_000_000), usage("2026-10-03", 2)]),
    )  # fmt: skip
    made = shop.close("2026-09")
    assert (made.credits_used, made.total) == (2, Decimal("3.30"))
    now_ns = at("2026-10-20T12:00:00Z")
    note = credit_invoice(shop.books, "SHOP-000001", "double", now_ns, bill_again=False)
    assert (note.kind, note.number, note.refers_to, note.reason) == (
        Kind.CREDIT_NOTE, "SHOP-CN-000001", "SHOP-000001", "double",
    )  # fmt: skip
    assert (note.total, note.issued, note.due) == (-made.total, "2026-10-20", "")
    assert owed(shop) == 0
    again = credit_invoice(shop.books, "SHOP-000001", "double", now_ns + 1, bill_again=False)
    assert again == note
    october = shop.close("2026-10")
    assert [(c.month, c.amount) for c in october.lines] == [("2026-10", 1)]
    assert (october.number, october.credits_used) == ("SHOP-000002", 1)
    assert shop.books.check() == ()
    with pytest.raises(NoInvoiceError, match="no invoice SHOP-000009: the last is SHOP-000002"):
        credit_invoice(shop.books, "SHOP-000009", "x", now_ns, bill_again=False)


def test_what_is_to_be_billed_again_is_a_correction_of_the_next_invoice(tmp_path):
    contract = ("  - {name: one, tenant: acme, accelerators: 1, price: 2, start: 2026-09-01, "
                "term_months: 12}")  # fmt: skip
    shop = Shop(tmp_path, cloud(contracts=contract), Memory([usage("2026-09-03")]))
    made = shop.close("2026-09")
    note = credit_invoice(shop.books, made.number or "", "address", at("2026-10-20"),
                          bill_again=True)  # fmt: skip
    assert "will be charged again" in note.notes[0]
    october = shop.close("2026-10")
    back = {(c.month, c.text): c.amount for c in october.lines}
    assert sum(a for (month, _), a in back.items() if month == "2026-09") == made.subtotal
    assert owed(shop) == october.total
    assert shop.close("2026-11").subtotal == 720 * 2


def test_a_credit_that_was_granted_does_not_change(tmp_path):
    prepaid = "prepaid_credits: [{name: top-up, amount: AMOUNT, date: 2026-09-01}]"
    source = Memory([usage("2026-09-03")])
    shop = Shop(tmp_path, cloud(acme=prepaid.replace("AMOUNT", "2")), source)
    shop.close("2026-09")
    shop.cloud = cloud(acme=prepaid.replace("AMOUNT", "3"))
    before = shop.books.contents()
    with pytest.raises(RefusedError, match="give a new credit another name"):
        shop.close("2026-10")
    assert shop.books.contents() == before


def test_the_books_hold_each_line_and_its_residue_apart(tmp_path):
    shop = Shop(tmp_path, cloud(), Memory([usage("2026-10-03", tenant="rhein", input_tokens=10)]))
    made = shop.close("2026-10", "rhein")
    posted = {(r.posting.debit, r.posting.credit): r.posting.pico for r in shop.books.postings()}
    exact = Fraction(10 * 26, 10**8) * PICO / Fraction(5, 4)
    assert exact == 2_080_000
    assert posted == {
        ("receivable:rhein:EUR", "revenue:llama:EUR"): exact,
        ("rounding::EUR", "receivable:rhein:EUR"): exact,
    }
    assert (made.total, made.residue) == (0, Decimal("-0.00000208"))


MONTHS = ("2026-08", "2026-09", "2026-10", "2026-11")
TIERS = "{input: 0.26, output: 0.55, tiers: [{above_mtok: 2, input: 0.2, output: 0.5}]}"
happened = st.lists(
    st.tuples(
        st.integers(0, 3),  # month of admission
        st.integers(0, 27),  # day
        st.integers(0, 2_500_000),  # tokens in
        st.integers(0, 2_500_000),  # tokens out
        st.integers(0, 3),  # month after which it became known
        st.integers(1, 3),  # how often it was told
    ),
    max_size=12,
)


@given(happened, st.randoms())
@settings(deadline=None, max_examples=25)
def test_nobody_is_billed_twice_or_not_at_all(events, rng):
    """Whenever and however often events come, all invoices together charge each once, exactly."""
    contract = ("  - {name: half, tenant: acme, accelerators: 4, price: 2, take_or_pay: 0.5, "
                "carry_over_months: 2, start: 2026-08-01, term_months: 12}")  # fmt: skip
    known = cloud(prices=TIERS, contracts=contract)
    told, held_, whole = {}, {}, {}
    for number, (month, day, read, written, late, often) in enumerate(events):
        start = f"{MONTHS[month]}-{day + 1:02d}"
        event = usage(start, number, input_tokens=read, output_tokens=written)
        span = held(start, 1 + read / 10**6, 1 + number % 3, "contract/half")
        own = f"ashburn/{number}/contract/half"  # of one holder the hours would count once
        span = msgspec.structs.replace(span, event_id=str(number), holder=own)
        whole.setdefault(MONTHS[month], []).append((event, span))
        when = max(month, late)
        told.setdefault(when, []).extend([event] * often)
        held_.setdefault(when, []).extend(pieces_of(span, often))
    with tempfile.TemporaryDirectory() as folder:
        shop = Shop(Path(folder), known, Memory())
        for number, month in enumerate(MONTHS):
            shop.source.events += told.get(number, [])
            shop.source.spans += held_.get(number, [])
            rng.shuffle(shop.source.events)
            rng.shuffle(shop.source.spans)
            made = shop.close(month)
            assert made.number == f"SHOP-{number + 1:06d}"
        issued = issued_to(shop.books, "acme")
        assert [document.number for document, _ in issued] == [1, 2, 3, 4]
        lines = [line for document, _ in issued for line in document.draft.lines]
        once = Shop(Path(folder) / "once", known, shop.source)
        (Path(folder) / "once").mkdir()
        at_once = [once.close(month) for month in MONTHS]
        total = owed(shop)
        assert shop.books.check() == ()
        shop.books.close()
        once.books.close()
    for month in MONTHS:
        tokens = [e for e, _ in whole.get(month, ())]
        rated = rate(PriceBook(current=price_version(known)), tokens)
        mine = [line for line in lines if line.month == month and line.meter.is_tokens]
        assert sum(line.pico for line in mine) == sum(line.pico for line in rated.lines)
        assert sum(line.quantity for line in mine) == sum(
            e.input_tokens + e.output_tokens for e in tokens
        )
        period = parse_period(month)
        hours = sum(line.quantity for line in lines if line.month == month and line.accelerator)
        assert hours == sum(
            s.accelerators * (min(s.end_ns, period.end_ns) - max(s.start_ns, period.start_ns))
            for pairs in whole.values()
            for _, s in pairs
            if s.start_ns < period.end_ns and s.end_ns > period.start_ns
        )
    # What is known from the start comes to the same, but for the cents of more lines.
    apart = abs(total - sum((each.total for each in at_once), Decimal(0)))
    assert apart <= Decimal("0.01") * sum(len(each.lines) for _, each in issued)


def pieces_of(span, count):
    """A span as several that join: as a gateway writes it that was started again."""
    cuts = [span.start_ns + (span.end_ns - span.start_ns) * n // count for n in range(count + 1)]
    return [
        msgspec.structs.replace(span, event_id=f"{span.event_id}/{n}", start_ns=a, end_ns=b)
        for n, (a, b) in enumerate(pairwise(cuts))
        if a < b
    ]


def test_grace_is_counted_in_hours_from_the_months_end(tmp_path):
    exact = cloud(**{"invoice_prefix: SHOP": "invoice_prefix: SHOP, grace_hours: 0"})
    shop = Shop(tmp_path, exact, Memory([usage("2026-02-03")]))
    assert shop.close("2026-02", days=0).issued == "2026-03-01"
    assert HOUR_NS > 0
