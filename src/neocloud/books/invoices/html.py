"""A document as one HTML page that needs nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from html import escape

from neocloud.books.invoices.records import Invoice, Party
from neocloud.books.invoices.wording import (
    CONTRACT_HEADS,
    CREDIT_HEADS,
    TITLES,
    carbon_sentences,
    contract_rows,
    credit_rows,
    exact_head,
    facts_of,
    groups_of,
    mark_of,
    not_an_invoice,
    payment_of,
    sentences_of,
    sums_of,
)

# The mark is part of every printed page: what is fixed is repeated on each.
_STYLE = """
:root { --ink: #1c2430; --soft: #5d6978; --line: #d8dee6; --tint: #f4f6f9; --accent: #1f5fbf; }
* { box-sizing: border-box; }
body { margin: 0; background: #e9edf2; color: var(--ink);
  font: 14px/1.45 system-ui, "Segoe UI", "Helvetica Neue", Arial, sans-serif; }
main { position: relative; max-width: 60rem; margin: 2rem auto; padding: 3rem;
  background: #fff; box-shadow: 0 1px 6px #0002; overflow: hidden; }
header { display: flex; justify-content: space-between; gap: 2rem; align-items: flex-start; }
h1 { margin: 0; white-space: nowrap; font-size: 1.9rem; font-weight: 600; letter-spacing: -.01em; }
h2 { margin: 2rem 0 .5rem; font-size: .8rem; font-weight: 600; color: var(--soft);
  text-transform: uppercase; letter-spacing: .06em; }
.parties { display: grid; grid-template-columns: 1fr 1fr 1.2fr; gap: 2rem; margin: 2rem 0; }
.parties h2 { margin-top: 0; }
address { font-style: normal; white-space: pre-line; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1rem; margin: 0; }
dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; }
.wide { overflow-x: auto; }
table { width: 100%; border-collapse: collapse; font-variant-numeric: tabular-nums; }
th { padding: .4rem .5rem; text-align: right; font-weight: 500; color: var(--soft);
  border-bottom: 1px solid var(--ink); white-space: nowrap; }
td { padding: .35rem .5rem; text-align: right; border-bottom: 1px solid var(--line);
  white-space: nowrap; }
th:first-child, td:first-child { text-align: left; white-space: normal; }
th:first-child, td:first-child { padding-left: 0; }
th:last-child, td:last-child { padding-right: 0; }
tr.group td { padding-top: 1rem; font-weight: 600; }
td.exact { color: var(--soft); }
.sums { break-inside: avoid; width: auto; min-width: 22rem; margin: 1rem 0 0 auto; }
.sums td { border: 0; }
.sums tr.strong td { font-size: 1.2rem; font-weight: 600; border-top: 2px solid var(--ink); }
.pay { margin: 1.5rem 0 0; padding: .8rem 1.25rem; background: var(--tint);
  border-left: 3px solid var(--accent); break-inside: avoid; }
.notes, .carbon { margin: 0; color: var(--soft); }
.carbon { padding: 1rem 1.25rem; background: var(--tint); border-left: 3px solid #3c9d6b; }
.none { margin: 1rem 0 0; padding: .6rem 1rem; background: #fff3f0; border-left: 3px solid #c8452b;
  color: #8f2a15; font-weight: 600; }
.mark { position: fixed; inset: 0; display: flex; align-items: center; justify-content: center;
  pointer-events: none; z-index: 1; }
.mark span { font-size: 9rem; font-weight: 700; letter-spacing: .08em; color: #c8452b1f;
  transform: rotate(-32deg); }
@media (max-width: 44rem) { main { margin: 0; padding: 1.25rem; }
  .parties { grid-template-columns: 1fr; gap: 1.25rem; } .mark span { font-size: 4rem; }
  .sums { min-width: 0; width: 100%; } }
@media print { body { background: #fff; font-size: 11px; }
  .mark span { font-size: 7rem; }
  main { margin: 0; padding: 0; box-shadow: none;
  max-width: none; overflow: visible; } tr { break-inside: avoid; } thead { display:
  table-header-group; } @page { margin: 18mm; } }
"""


def invoice_html(invoice: Invoice) -> str:
    """The page: styles within, no script, nothing fetched."""
    title = TITLES[invoice.kind]
    name = f"{title} {invoice.number}" if invoice.number else title
    return "\n".join(
        [
            "<!DOCTYPE html>",
            '<html lang="en">',
            '<head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{escape(name)}: {escape(invoice.buyer.name)}</title>",
            f"<style>{_STYLE}</style></head>",
            "<body>",
            *_mark(invoice),
            "<main>",
            *_body(invoice, title),
            "</main>",
            "</body>",
            "</html>",
            "",
        ]
    )


def _mark(invoice: Invoice) -> Iterator[str]:
    if mark := mark_of(invoice):
        yield f'<div class="mark" aria-hidden="true"><span>{mark}</span></div>'


def _body(invoice: Invoice, title: str) -> Iterator[str]:
    number = f"<h1>{escape(invoice.number)}</h1>" if invoice.number else ""
    yield f"<header><h1>{escape(title)}</h1>{number}</header>"
    if told := not_an_invoice(invoice):
        yield f'<p class="none">{mark_of(invoice)}. {escape(told)}</p>'
    yield '<div class="parties">'
    yield from _party("From", invoice.seller)
    yield from _party("To", invoice.buyer)
    facts = "".join(f"<dt>{escape(n)}</dt><dd>{escape(v)}</dd>" for n, v in facts_of(invoice))
    yield f"<section><h2>Document</h2><dl>{facts}</dl></section>"
    yield "</div>"
    yield from _lines(invoice)
    yield '<table class="sums"><tbody>'
    for each in sums_of(invoice):
        strong = ' class="strong"' if each.strong else ""
        yield f"<tr{strong}><td>{escape(each.text)}</td><td>{each.amount}</td></tr>"
    yield "</tbody></table>"
    if said := payment_of(invoice):
        yield f'<p class="pay">{_joined(said)}</p>'
    yield from _table("Contracts", CONTRACT_HEADS, contract_rows(invoice))
    yield from _table("Prepaid credits", CREDIT_HEADS, credit_rows(invoice))
    if invoice.carbon is not None:
        yield "<h2>Energy and emissions</h2>"
        yield f'<p class="carbon">{_joined(carbon_sentences(invoice.carbon))}</p>'
    yield "<h2>Notes</h2>"
    yield f'<p class="notes">{_joined(sentences_of(invoice))}</p>'


def _party(heading: str, party: Party) -> Iterator[str]:
    parts = [party.name, party.address.strip(), party.tax_id and f"Tax id {party.tax_id}"]
    text = "\n".join(part for part in parts if part)
    yield f"<section><h2>{heading}</h2><address>{escape(text)}</address></section>"


def _lines(invoice: Invoice) -> Iterator[str]:
    heads = ("", "Quantity", "Price", exact_head(invoice), invoice.currency)
    yield '<div class="wide"><table><thead><tr>'
    yield from (f'<th scope="col">{escape(head)}</th>' for head in heads)
    yield "</tr></thead><tbody>"
    for heading, rows in groups_of(invoice):
        yield f'<tr class="group"><td colspan="5">{escape(heading)}</td></tr>'
        for row in rows:
            yield (
                f"<tr><td>{escape(row.text)}</td><td>{row.quantity}</td>"
                f'<td>{row.price}</td><td class="exact">{row.exact}</td><td>{row.amount}</td></tr>'
            )
    if not invoice.lines:
        yield '<tr><td colspan="5">Nothing was used that is charged.</td></tr>'
    yield "</tbody></table></div>"


def _table(heading: str, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    if not rows:
        return
    yield f'<h2>{heading}</h2><div class="wide"><table><thead><tr>'
    yield from (f'<th scope="col">{escape(head)}</th>' for head in heads)
    yield "</tr></thead><tbody>"
    for row in rows:
        yield "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>"
    yield "</tbody></table></div>"


def _joined(sentences: Iterable[str]) -> str:
    return "<br>".join(map(escape, sentences))
