"""A document as plain text."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

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

_WIDTH = 100
_RULE = "-" * _WIDTH
_LEAST = (18, 14, 15, 13)
"""Of quantity, price, exact amount and amount; wider where their numbers are longer."""


def invoice_text(invoice: Invoice) -> str:
    """Lay a document out in 100 columns."""
    mark = mark_of(invoice)
    edge = f"  {mark}  ".center(_WIDTH, "=") if mark else "=" * _WIDTH
    lines = [edge]
    if mark:
        lines += textwrap.wrap(not_an_invoice(invoice), _WIDTH)
    lines += ["", TITLES[invoice.kind].upper(), ""]
    lines += _parties(invoice.seller, invoice.buyer)
    lines.append("")
    lines += [f"{name:12}{value}" for name, value in facts_of(invoice)]
    lines += ["", *_lines(invoice), _RULE]
    for each in sums_of(invoice):
        lines.append(f"{each.text:>84}{each.amount:>16}")
    lines.append(_RULE)
    for said in payment_of(invoice):
        lines += textwrap.wrap(said, _WIDTH)
    lines += [""] if payment_of(invoice) else []
    lines += _tables(invoice)
    for sentence in sentences_of(invoice):
        lines += textwrap.wrap(sentence, _WIDTH)
    if invoice.carbon is not None:
        lines.append("")
        for sentence in carbon_sentences(invoice.carbon):
            lines += textwrap.wrap(sentence, _WIDTH)
    lines.append(edge)
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _parties(seller: Party, buyer: Party) -> Iterator[str]:
    left = [seller.name, *seller.address.splitlines(), seller.tax_id and f"Tax id {seller.tax_id}"]
    right = [buyer.name, *buyer.address.splitlines(), buyer.tax_id and f"Tax id {buyer.tax_id}"]
    shown = [[part for part in side if part] for side in (left, right)]
    for number in range(max(map(len, shown))):
        one, other = (side[number] if number < len(side) else "" for side in shown)
        yield f"{one[:48]:50}{other[:50]}"


def _lines(invoice: Invoice) -> Iterator[str]:
    """Lines under their headings, in columns as wide as their numbers ask for."""
    groups = [
        (heading, [(r.text, r.quantity, r.price, r.exact, r.amount) for r in rows])
        for heading, rows in groups_of(invoice)
    ]
    exact = exact_head(invoice).replace("Exact", "exact")
    heads = ("", "quantity", "price", exact, invoice.currency)
    cells = [heads, *(row for _, rows in groups for row in rows)]
    widths = [
        max(least, 2 + max(len(row[n]) for row in cells)) for n, least in enumerate(_LEAST, 1)
    ]
    room = max(24, _WIDTH - sum(widths))

    def numbers(row: Sequence[str]) -> str:
        return "".join(f"{cell:>{width}}" for cell, width in zip(row[1:], widths, strict=True))

    yield " " * room + numbers(heads)
    yield _RULE
    for heading, rows in groups:
        yield heading
        for row in rows:
            first, *rest = textwrap.wrap(row[0], room - 2)
            yield f"  {first:{room - 2}}{numbers(row)}"
            for part in rest:
                yield f"    {part}"
    if not invoice.lines:
        yield "  nothing was used that is charged"


def _tables(invoice: Invoice) -> Iterator[str]:
    for heads, rows in (
        (CONTRACT_HEADS, contract_rows(invoice)),
        (CREDIT_HEADS, credit_rows(invoice)),
    ):
        if rows:
            yield from _table(heads, rows)
            yield ""


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(len(row[n]) for row in (heads, *rows)) for n in range(len(heads))]
    if sum(widths) + 2 * len(widths) - 2 > _WIDTH:  # counts of tokens may have many digits
        for row in rows:
            said = ", ".join(
                f"{head} {cell}" for head, cell in zip(heads[1:], row[1:], strict=True)
            )
            yield from textwrap.wrap(f"{row[0]}: {said}", _WIDTH, subsequent_indent="  ")
        return
    for row in (heads, *rows):
        first = f"{row[0]:{widths[0]}}"
        rest = (f"{cell:>{width}}" for cell, width in zip(row[1:], widths[1:], strict=True))
        yield "  ".join([first, *rest])
