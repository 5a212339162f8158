"""Documents as JSON, text, HTML and PDF."""

from __future__ import annotations

import base64
import csv
import json
import re
import sys
import zlib
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path

import jsonschema
import msgspec
import pytest

from neocloud.books.invoices import (
    Invoice,
    MissingReportlabError,
    credit_invoice,
    invoice_csv,
    invoice_html,
    invoice_pdf,
    invoice_text,
)

from .shop import Memory, Shop, at, cloud, held, previewed, usage

SCHEMA = json.loads(
    (Path(__file__).parents[3] / "schemas" / "invoice.schema.json").read_text(encoding="utf-8")
)
CONTRACT = (
    "  - {name: half, tenant: acme, accelerators: 4, price: 2, take_or_pay: 0.5, "
    "start: 2026-08-01, term_months: 12, carry_over_months: 3, "
    "service_level: {availability: [{below: 0.9, credit_share: 0.1}]}}"
)
PREPAID = "prepaid_credits: [{name: top-up, amount: 2, date: 2026-08-01, expires: 2026-11-01}]"


@pytest.fixture
def documents(tmp_path) -> dict[str, Invoice]:
    """One of each kind, with all there can be on it."""
    source = Memory(
        [usage("2026-10-05", 1, output_tokens=3), usage("2026-10-05", 2, emulated=True)],
        [held("2026-10-05", 10, 3, "contract/half")],
    )
    shop = Shop(tmp_path, cloud(acme=f"tax_rate: 0.07, {PREPAID}", contracts=CONTRACT), source)
    preview = previewed(shop.cloud, source, "2026-10")
    invoice = shop.close("2026-10")
    note = credit_invoice(shop.books, "SHOP-000001", "Wrong address", at("2026-11-20"),
                          bill_again=True)  # fmt: skip
    specimen = previewed(cloud(), Memory([usage("2026-10-05", 1, emulated=True)]), "2026-10")
    return {"preview": preview, "invoice": invoice, "credit_note": note, "specimen": specimen}


def test_json_is_as_its_schema_says_and_reads_back(documents):
    for kind, made in documents.items():
        assert made.kind == kind
        data = msgspec.json.encode(made)
        jsonschema.validate(json.loads(data), SCHEMA)
        assert msgspec.json.decode(data, type=Invoice) == made


def test_all_amounts_add_up(documents):
    for made in documents.values():
        assert sum(line.amount for line in made.lines) == made.subtotal
        assert sum(credit.used for credit in made.credits) == made.credits_used
        assert made.subtotal - made.credits_used == made.net
        assert made.net + made.tax == made.total
        assert abs(made.tax - made.net * made.tax_rate) <= Decimal("0.005")
        assert sum(line.residue for line in made.lines) == made.residue
        exact = sum(line.exact for line in made.lines)
        assert made.subtotal - made.residue == exact


def test_each_form_says_what_it_is_and_shows_each_line(documents):
    for made in documents.values():
        for shown in (invoice_text(made), text_of_html(invoice_html(made))):
            for part in (made.buyer.name, made.seller.name, f"{made.total:,}", made.currency):
                assert part in shown
            assert ("SPECIMEN" in shown) is (made.kind == "specimen")
            assert ("PREVIEW" in shown) is (made.kind == "preview")
            assert ("Not an invoice" in shown) is (made.number is None)
            for line in made.lines:
                assert line.text.split(",")[0] in shown
                assert f"{line.amount:,}" in shown
            assert ("Please pay" in shown) is (made.kind == "invoice")
            for part in ("US-1", "US-2", "2026-10-01 to 2026-10-31 (UTC)"):
                assert part in shown
    for shown in (invoice_text, invoice_html):
        asked = shown(documents["invoice"])
        for part in ("by 2026-12-05, stating SHOP-000001.", "Bank of Examples", "Account 12-345"):
            assert part in asked
    note = invoice_text(documents["credit_note"])
    for part in ("SHOP-CN-000001", "SHOP-000001", "Wrong address", "charged again"):
        assert part in note
    text = invoice_text(documents["invoice"])
    for part in ("SHOP-000001", "2026-11-05", "top-up", "Tax 7 %", "half (h)", "available"):
        assert part in text
    assert max(map(len, text.splitlines())) <= 100


def test_text_keeps_within_its_columns_whatever_a_contract_counts():
    contract = (
        "  - {name: a-rate-of-tokens-for-all-of-ashburn, tenant: acme, kind: provisioned, "
        "model: llama, tokens_per_s: 50000000, price: 0.2, start: 2026-08-01, term_months: 12}"
    )
    shown = invoice_text(previewed(cloud(contracts=contract), Memory(), "2026-10"))
    assert "held 133,920,000,000,000, committed 133,920,000,000,000" in " ".join(shown.split())
    assert max(map(len, shown.splitlines())) <= 100


def test_exact_amounts_of_several_currencies_each_name_theirs():
    """A price list in dollars and a contract in euros on an invoice in euros."""
    contract = (
        "  - {name: rate, tenant: rhein, kind: provisioned, model: llama, tokens_per_s: 100, "
        "price: 0.2, currency: EUR, start: 2026-08-01, term_months: 12}"
    )
    source = Memory([usage("2026-10-05", tenant="rhein")])  # of which an hour's rate covers 0.36
    mixed = previewed(cloud(contracts=contract), source, "2026-10", "rhein")
    for shown in (invoice_text(mixed), text_of_html(invoice_html(mixed))):
        for part in ("0.166400 USD", "0.072000 EUR"):
            assert part in shown
    one = previewed(cloud(), source, "2026-10", "rhein")
    for shown in (invoice_text(one), text_of_html(invoice_html(one))):
        assert "xact, USD" in shown
        assert "0.260000 USD" not in shown


@pytest.mark.parametrize(
    ("period", "shown"),
    [
        ("2028-02", "2028-02-01 to 2028-02-29 (UTC)"),
        ("2026-12", "2026-12-01 to 2026-12-31 (UTC)"),
        ("2026-10-05", "2026-10-05 (UTC)"),
        ("2026-10-05T06:00:00Z/2026-10-06", "2026-10-05 06:00:00 up to 2026-10-06 00:00:00 (UTC)"),
    ],
)
def test_a_period_of_whole_days_ends_with_its_last(period, shown):
    assert f"Period      {shown}\n" in invoice_text(previewed(cloud(), Memory(), period))


def test_rows_of_csv_sum_to_the_total(documents):
    for made in documents.values():
        rows = list(csv.DictReader(invoice_csv(made).splitlines()))
        assert sum(Decimal(row["amount"]) for row in rows) == made.total
        lines = rows[: len(made.lines)]
        for row, line in zip(lines, made.lines, strict=True):
            assert (row["number"], row["currency"]) == (made.number or "", made.currency)
            assert (row["text"], Decimal(row["exact"])) == (line.text, line.exact)
            assert row["quantity"] == ("" if line.quantity is None else f"{line.quantity:f}")
    groups = [
        row["group"] for row in csv.DictReader(invoice_csv(documents["invoice"]).splitlines())
    ]
    assert groups[-2:] == ["prepaid_credit", "tax"]


class _Html(HTMLParser):
    """Text of a page; every tag that is opened must be closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag, attrs):
        if tag not in {"meta", "br"}:
            self.open.append(tag)
        self.links += [value for name, value in attrs if name in {"src", "href"}]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.text.append(data)


def text_of_html(page: str) -> str:
    parser = _Html()
    parser.feed(page)
    assert (parser.open, parser.links) == ([], [])
    assert "<script" not in page
    assert "url(" not in page
    return " ".join(parser.text)


def test_what_tenants_are_called_is_text_in_every_form():
    rude = "<script>alert(1)</script> & Söhne"
    known = cloud(**{"Acme Corporation": f'"{rude}"'})
    made = previewed(known, Memory([usage("2026-10-05")]), "2026-10")
    assert rude in text_of_html(invoice_html(made))
    assert invoice_pdf(made).startswith(b"%PDF")


def pages_of(pdf: bytes) -> list[bytes]:
    """Content of each page, unpacked."""
    packed = re.findall(rb"stream\r?\n(.*?)endstream", pdf, re.DOTALL)
    return [zlib.decompress(base64.a85decode(b"<~" + p.strip(), adobe=True)) for p in packed]


def test_a_pdf_is_the_same_bytes_and_marks_every_page(documents):
    specimen = documents["specimen"]
    many = msgspec.structs.replace(specimen, lines=specimen.lines * 90)
    data = invoice_pdf(many)
    assert data == invoice_pdf(many)
    pages = pages_of(data)
    assert len(pages) >= 3
    assert data.count(b"/Type /Page\n") == len(pages)
    for number, page in enumerate(pages, 1):
        assert page.count(b"(SPECIMEN) Tj") == 2
        assert f"(page {number} of {len(pages)}) Tj".encode() in page
    issued = pages_of(invoice_pdf(documents["invoice"]))
    assert not any(b"SPECIMEN" in page or b"PREVIEW" in page for page in issued)
    assert b"SHOP-000001" in issued[0]
    assert b"Account 12-345" in b"".join(issued)


def test_without_reportlab_it_says_what_to_install(documents, monkeypatch):
    for name in [name for name in sys.modules if name.startswith("reportlab")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "reportlab", None)
    with pytest.raises(MissingReportlabError, match=r"neocloud\[pdf\]"):
        invoice_pdf(documents["invoice"])
