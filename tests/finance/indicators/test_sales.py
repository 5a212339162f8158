"""Revenue of documents and of rated use, in the cloud's currency, by the month of its use."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

from tests.books.invoices.shop import Memory, Shop, cloud, held, previewed, usage
from tests.finance.model.cases import money

from neocloud.books.invoices import credit_invoice
from neocloud.books.prices import PriceBook, price_version
from neocloud.books.rating import rate
from neocloud.finance.indicators import Sale, invoiced_sales, rated_sales
from neocloud.units import parse_period

USD = {"USD": Fraction(1), "EUR": Fraction(5, 4)}
CONTRACT = """\
  - {name: held, tenant: acme, accelerator: h100-sxm, accelerators: 2, purpose: training,
     start: 2026-10-01, term_months: 2, price: 2, currency: EUR,
     prepayments: [{date: 2026-10-01, amount: 1000}]}
"""


def test_a_document_gives_revenue_by_model_and_month():
    source = Memory([usage("2026-10-05", input_tokens=10**9)], [held("2026-10-01", 100, 1)])
    sales = invoiced_sales([previewed(cloud(), source, "2026-10")], USD)
    # 1,000 million tokens at 0.26, and 100 hours at 3.2.
    assert sales == (
        Sale(month="2026-10", customer="acme", pico=money(320), origin="rated"),
        Sale(month="2026-10", customer="acme", pico=money(260), origin="rated", model="llama"),
    )


def test_a_prepayment_and_its_release_are_no_revenue():
    spans = [held("2026-10-01", 31 * 24, 2, holder="contract/held")]
    document = previewed(cloud(contracts=CONTRACT), Memory([], spans), "2026-10")
    assert {line.charge.value for line in document.lines if line.charge} == {
        "prepayment",
        "release",
    }
    # 2 accelerators through October at 2 EUR an hour, 1.25 USD each.
    (sale,) = invoiced_sales([document], USD)
    assert sale.pico == money(2 * 31 * 24 * 2) * 5 // 4


def test_a_credit_note_takes_back_what_it_names(tmp_path):
    shop = Shop(tmp_path, cloud(), Memory([usage("2026-10-05", input_tokens=10**9)]))
    invoice = shop.close("2026-10")
    assert invoice.number is not None
    now_ns = parse_period("2026-11").end_ns
    note = credit_invoice(shop.books, invoice.number, "wrong", now_ns, bill_again=False)
    (sale,) = invoiced_sales([invoice], USD)
    assert (sale.origin, sale.pico) == ("invoiced", money(260))
    (sale,) = invoiced_sales([invoice, note], USD)
    assert sale.pico == 0


def test_rated_use_gives_the_same_as_the_document_of_a_month_without_contracts():
    shop = cloud()
    events = [usage("2026-10-05", input_tokens=123), usage("2026-10-06", 1, tenant="rhein")]
    documents = [previewed(shop, Memory(events), "2026-10", t) for t in ("acme", "rhein")]
    lines = rate(PriceBook(current=price_version(shop)), events).lines
    rates = {"USD": Fraction(1), "EUR": Fraction(Decimal("1.25"))}
    rated = rated_sales(lines, rates)
    assert {sale.origin for sale in rated} == {"rated"}
    invoiced = invoiced_sales(documents, rates)
    assert [(s.customer, s.pico) for s in rated] == [(s.customer, s.pico) for s in invoiced]
