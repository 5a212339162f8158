"""A document as PDF, by reportlab. The same document gives the same bytes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any
from xml.sax.saxutils import escape

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

_INK, _SOFT, _LINE = "#1c2430", "#5d6978", "#d8dee6"
_RED, _GREEN, _BLUE = "#c8452b", "#3c9d6b", "#1f5fbf"
_MARGIN = 52.0
_FRAME = 6.0
"""What reportlab leaves free within the margins."""
_WIDTH = 595.2756 - 2 * _MARGIN
"""Width of the text on A4, points."""


class MissingReportlabError(RuntimeError):
    """reportlab is not installed."""


def invoice_pdf(invoice: Invoice) -> bytes:
    """Lay a document out on A4 pages, each with number, page and, where it is none, its mark.

    Raises:
        MissingReportlabError: reportlab is not installed.
    """
    library = _library()
    title = TITLES[invoice.kind]
    name = f"{title} {invoice.number}" if invoice.number else title
    file = BytesIO()
    document = library.document(
        file, pagesize=(595.2756, 841.8898), leftMargin=_MARGIN - _FRAME,
        rightMargin=_MARGIN - _FRAME, topMargin=_MARGIN, bottomMargin=_MARGIN + 14, title=name,
        author=invoice.seller.name, invariant=1,
    )  # fmt: skip
    document.build(
        _Story(library, invoice).whole(title), canvasmaker=_pages(library, invoice, name)
    )
    return file.getvalue()


@dataclass(frozen=True, slots=True)
class _Library:
    """What is used of reportlab, which is imported when a PDF is asked for."""

    canvas: Any
    document: Any
    color: Any
    style: Any
    paragraph: Any
    table: Any
    spacer: Any
    together: Any


def _library() -> _Library:
    try:
        from reportlab.lib.colors import HexColor
        from reportlab.lib.styles import ParagraphStyle
        from reportlab.pdfgen.canvas import Canvas
        from reportlab.platypus import KeepTogether, Paragraph, SimpleDocTemplate, Spacer, Table
    except ImportError:
        raise MissingReportlabError("a PDF needs reportlab: pip install 'neocloud[pdf]'") from None
    return _Library(
        Canvas, SimpleDocTemplate, HexColor, ParagraphStyle, Paragraph, Table, Spacer, KeepTogether
    )


def _pages(library: _Library, invoice: Invoice, name: str) -> Any:
    """A canvas that writes `page of pages` at the end, when there are as many as there will be."""

    class Pages(library.canvas):  # type: ignore[misc, name-defined]
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self._kept: list[dict[str, Any]] = []

        def showPage(self) -> None:  # noqa: N802
            self._kept.append(dict(self.__dict__))
            self._startPage()

        def save(self) -> None:
            for kept in self._kept:
                self.__dict__.update(kept)
                _furnish(library, self, invoice, f"{name}, {invoice.seller.name}", len(self._kept))
                super().showPage()
            super().save()

    return Pages


def _furnish(library: _Library, canvas: Any, invoice: Invoice, foot: str, pages: int) -> None:
    """Foot of a page, and the mark."""
    canvas.saveState()
    canvas.setFont("Helvetica", 7.5)
    canvas.setFillColor(library.color(_SOFT))
    canvas.drawString(_MARGIN, 34, foot)
    canvas.drawRightString(_MARGIN + _WIDTH, 34, f"page {canvas.getPageNumber()} of {pages}")
    if mark := mark_of(invoice):
        canvas.setFillColor(library.color(_RED))
        canvas.setFont("Helvetica-Bold", 9)
        canvas.drawCentredString(_MARGIN + _WIDTH / 2, 34, mark)
        canvas.setFillAlpha(0.1)
        canvas.setFont("Helvetica-Bold", 92)
        canvas.translate(297.6, 421)
        canvas.rotate(52)
        canvas.drawCentredString(0, -32, mark)
    canvas.restoreState()


class _Story:
    """What stands on the pages, from top to bottom."""

    def __init__(self, library: _Library, invoice: Invoice) -> None:
        self._library = library
        self._invoice = invoice

    def whole(self, title: str) -> list[Any]:
        """All of it."""
        invoice, gap, together = self._invoice, self._library.spacer, self._library.together
        names = [
            [self._words(title, 19, bold=True), self._words(invoice.number or "", 15, align=2)]
        ]
        head = self._grid(names, (0.55, 0.45), [("VALIGN", (0, 0), (-1, -1), "BOTTOM")])
        story: list[Any] = [head, gap(0, 14)]
        if told := not_an_invoice(invoice):
            words = self._words(f"{mark_of(invoice)}. {told}", 9, _RED, bold=True)
            story += [words, gap(0, 10)]
        story += [self._top(), gap(0, 18), self._lines(), gap(0, 6), self._sums()]
        if said := [self._words(each) for each in payment_of(invoice)]:
            story.append(together([gap(0, 10), self._box(said, _BLUE)]))
        for heading, heads, rows in (
            ("Contracts", CONTRACT_HEADS, contract_rows(invoice)),
            ("Prepaid credits", CREDIT_HEADS, credit_rows(invoice)),
        ):
            if rows:
                story.append(together([self._heading(heading), self._table(heads, rows)]))
        if invoice.carbon is not None:
            said = [self._words(s, 8, _SOFT) for s in carbon_sentences(invoice.carbon)]
            box = self._box(said, _GREEN)
            story.append(together([self._heading("Energy and emissions"), box]))
        notes = [self._words(sentence, 8, _SOFT) for sentence in sentences_of(invoice)]
        return [*story, together([self._heading("Notes"), *notes[:2]]), *notes[2:]]

    def _words(
        self, text: str, size: float = 8.5, color: str = _INK, *, bold: bool = False, align: int = 0
    ) -> Any:
        style = self._library.style(
            f"{size}{color}{bold}{align}",
            fontName="Helvetica-Bold" if bold else "Helvetica",
            fontSize=size,
            leading=size * 1.35,
            textColor=self._library.color(color),
            alignment=align,
        )
        return self._library.paragraph(escape(text).replace("\n", "<br/>"), style)

    def _heading(self, text: str) -> Any:
        return self._grid(
            [[self._words(text, 9, bold=True)]], (1.0,), [("TOPPADDING", (0, 0), (0, 0), 16)]
        )

    def _top(self) -> Any:
        facts = self._grid(
            [[self._words(n, 8, _SOFT), self._words(v, 8)] for n, v in facts_of(self._invoice)],
            (0.1, 0.3),
            [("TOPPADDING", (0, 0), (-1, -1), 0), ("BOTTOMPADDING", (0, 0), (-1, -1), 2)],
        )
        parties = (("From", self._invoice.seller), ("To", self._invoice.buyer))
        return self._grid(
            [[*(self._party(heading, party) for heading, party in parties), facts]],
            (0.3, 0.3, 0.4),
            [("RIGHTPADDING", (0, 0), (1, 0), 10)],
        )

    def _party(self, heading: str, party: Party) -> list[Any]:
        parts = [party.address.strip(), party.tax_id and f"Tax id {party.tax_id}"]
        return [
            self._words(heading, 8, _SOFT),
            self._words(party.name, 9, bold=True),
            *(self._words(part, 8) for part in parts if part),
        ]

    def _lines(self) -> Any:
        heads = ("", "Quantity", "Price", exact_head(self._invoice), self._invoice.currency)
        rows: list[list[Any]] = [
            [self._words(head, 8, _SOFT, align=2 if n else 0) for n, head in enumerate(heads)]
        ]
        marks: list[tuple[Any, ...]] = [("LINEBELOW", (0, 0), (-1, 0), 0.8, _INK)]
        for heading, group in groups_of(self._invoice):
            here = len(rows)
            marks += [("SPAN", (0, here), (-1, here)), ("TOPPADDING", (0, here), (-1, here), 9)]
            rows.append([self._words(heading, bold=True), "", "", "", ""])
            for row in group:
                marks.append(("LINEBELOW", (0, len(rows)), (-1, len(rows)), 0.4, _LINE))
                rows.append([
                    self._words(row.text), self._words(row.quantity, align=2),
                    self._words(row.price, align=2), self._words(row.exact, 8, _SOFT, align=2),
                    self._words(row.amount, align=2),
                ])  # fmt: skip
        if not self._invoice.lines:
            rows.append([self._words("Nothing was used that is charged."), "", "", "", ""])
        return self._grid(rows, (0.3, 0.2, 0.16, 0.19, 0.15), marks, repeat=1)

    def _sums(self) -> Any:
        rows = []
        for each in sums_of(self._invoice):
            size = 11 if each.strong else 8.5
            rows.append([
                "", self._words(each.text, size, bold=each.strong),
                self._words(each.amount, size, bold=each.strong, align=2),
            ])  # fmt: skip
        last = len(rows) - 1
        marks = [("LINEABOVE", (1, last), (-1, last), 1, _INK),
                 ("TOPPADDING", (1, last), (-1, last), 5)]  # fmt: skip
        return self._library.together([self._grid(rows, (0.52, 0.3, 0.18), marks)])

    def _box(self, said: list[Any], color: str) -> Any:
        marks = [("LINEBEFORE", (0, 0), (0, -1), 2, color),
                 ("LEFTPADDING", (0, 0), (-1, -1), 8)]  # fmt: skip
        return self._grid([[said]], (1.0,), marks)

    def _table(self, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> Any:
        rows = list(rows)
        # As wide as what stands in it, so that no number is broken.
        lengths = [
            min(24, max(len(row[n]) for row in (heads, *rows)) + 3) for n in range(len(heads))
        ]
        shown = [[self._words(h, 7.5, _SOFT, align=2 if n else 0) for n, h in enumerate(heads)]]
        shown += [
            [self._words(cell, 7.5, align=2 if n else 0) for n, cell in enumerate(row)]
            for row in rows
        ]
        marks = [("LINEBELOW", (0, 0), (-1, 0), 0.6, _INK),
                 ("LINEBELOW", (0, 1), (-1, -1), 0.4, _LINE)]  # fmt: skip
        return self._grid(shown, [n / sum(lengths) for n in lengths], marks, repeat=1)

    def _grid(
        self, rows: Sequence[Sequence[Any]], widths: Sequence[float],
        marks: Sequence[tuple[Any, ...]], repeat: int = 0,
    ) -> Any:  # fmt: skip
        """A table; widths are shares of the page's, colours of `marks` are given as #rrggbb."""
        plain: list[tuple[Any, ...]] = [
            ("VALIGN", (0, 0), (-1, -1), "TOP"),
            ("LEFTPADDING", (0, 0), (-1, -1), 2),
            ("RIGHTPADDING", (0, 0), (-1, -1), 2),
            ("TOPPADDING", (0, 0), (-1, -1), 3),
            ("BOTTOMPADDING", (0, 0), (-1, -1), 3),
            ("LEFTPADDING", (0, 0), (0, -1), 0),
            ("RIGHTPADDING", (-1, 0), (-1, -1), 0),
        ]
        color = self._library.color
        styled = [
            tuple(color(p) if isinstance(p, str) and p.startswith("#") else p for p in mark)
            for mark in marks
        ]
        return self._library.table(
            [list(row) for row in rows],
            colWidths=[width * _WIDTH for width in widths],
            style=[*plain, *styled],
            repeatRows=repeat,
            hAlign="LEFT",
        )
