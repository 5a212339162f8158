"""Documents in themselves: sums, lines beside rated lines, credit notes beside invoices."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from fractions import Fraction

import msgspec

from neocloud.books.accounts import Document
from neocloud.books.contracts import month_at
from neocloud.books.invoices import Invoice, Kind, Line, difference
from neocloud.books.invoices.lines import lines_of
from neocloud.books.invoices.money import Exchange, exact, pico_of
from neocloud.books.reconcile.records import Difference, Finding, Level

_NUMBERS = ("quantity", "exact", "amount", "residue")


class _Apart(msgspec.Struct, frozen=True, kw_only=True):
    """How far off something is: tokens, and money of a currency."""

    tokens: int = 0
    currency: str = ""
    amount: Decimal | None = None


def document_differences(document: Document, body: Invoice) -> Iterator[Difference]:
    """An invoice's sums, its lines beside its rated lines, and each line's rounding."""
    exchange = _exchange(body)
    yield from _sums(document, body, exchange)
    if body.kind is Kind.INVOICE:
        yield from _rounding(document, body, exchange)
        made = lines_of(document.draft.lines, body.basis.charges, exchange, body.period[:7])
        yield from _lines(document, body.currency, made, body.lines)


def note_differences(
    document: Document, body: Invoice, taken_back: Document | None
) -> Iterator[Difference]:
    """A credit note beside the invoice that it takes back."""
    name = document.name
    if taken_back is None:
        text = f"{name} takes back {body.refers_to}, which is not there"
        yield told(document, body.refers_to, text, finding=Finding.MISSING)
        return
    invoice = msgspec.json.decode(taken_back.draft.body, type=Invoice)
    for field in ("subtotal", "credits_used", "net", "tax", "total", "residue"):
        mine, its = getattr(body, field), getattr(invoice, field)
        if mine + its:
            text = f"{name}, {field}: {mine} does not take back the {its} of {body.refers_to}"
            apart = _Apart(currency=body.currency, amount=mine + its)
            yield told(document, f"{name}/{field}", text, apart)
    back = tuple(
        msgspec.structs.replace(line, **{f: _negative(getattr(line, f)) for f in _NUMBERS})
        for line in invoice.lines
    )
    yield from _lines(document, body.currency, back, body.lines)
    if document.draft.lines:  # what it took back is billed again
        yield from _rated_back(document, taken_back, body.refers_to)


def told(
    document: Document,
    subject: str,
    text: str,
    apart: _Apart | None = None,
    *,
    finding: Finding = Finding.DIFFERENT,
) -> Difference:
    """A difference of a document."""
    apart = apart or _Apart()
    return Difference(
        level=Level.DOCUMENTS,
        finding=finding,
        subject=subject,
        tenant=document.draft.tenant,
        month=month_at(document.draft.start_ns),
        text=text,
        tokens=apart.tokens,
        currency=apart.currency,
        amount=apart.amount,
    )


def _exchange(body: Invoice) -> Exchange:
    rates = {each.currency: each.rate for each in body.basis.exchange_rates}
    return Exchange(currency=body.currency, rates=rates)


def _sums(document: Document, body: Invoice, exchange: Exchange) -> Iterator[Difference]:
    net, name = pico_of(body.net), document.name
    should = {
        "subtotal": sum(pico_of(line.amount) for line in body.lines),
        "credits_used": sum(pico_of(credit.used) for credit in body.credits),
        "net": pico_of(body.subtotal) - pico_of(body.credits_used),
        "tax": exchange.rounded(net * Fraction(body.tax_rate)),
        "total": net + pico_of(body.tax),
        "residue": sum(pico_of(line.residue) for line in body.lines),
    }
    for field, pico in should.items():
        apart = exact(pico_of(getattr(body, field)) - pico)
        if apart:
            text = f"{name}, {field}: {getattr(body, field)} is {apart:+f} beside what makes it up"
            off = _Apart(currency=body.currency, amount=apart)
            yield told(document, f"{name}/{field}", text, off)


def _rounding(document: Document, body: Invoice, exchange: Exchange) -> Iterator[Difference]:
    for number, line in enumerate(body.lines, 1):
        pico = exchange.rounded(exchange.pico(pico_of(line.exact), line.price_currency))
        apart = exact(pico_of(line.amount) - pico)
        if apart:
            yield told(
                document,
                f"{document.name}/line/{number}",
                f"{document.name}, line {number} ({line.text}, {line.month}): {line.exact} "
                f"{line.price_currency} rounds to {exchange.shown(pico)}, not to {line.amount}",
                _Apart(currency=body.currency, amount=apart),
            )


def _lines(
    document: Document, currency: str, made: Sequence[Line], stated: Sequence[Line]
) -> Iterator[Difference]:
    """Lines that the rated lines make, beside those on the document."""
    name = document.name
    should = dict(zip(_keys(made), made, strict=True))
    has = dict(zip(_keys(stated), enumerate(stated, 1), strict=True))
    for key, line in should.items():
        if key not in has:
            text = f"{name} lacks the line {line.text}, {line.month}, of {line.amount} {currency}"
            apart = _Apart(tokens=-_tokens(line), currency=currency, amount=-line.amount)
            yield told(document, f"{name}/{line.text}", text, apart, finding=Finding.MISSING)
    for key, (number, line) in has.items():
        subject = f"{name}/line/{number}"
        if key in should:
            yield from _line(document, subject, line, should[key])
        else:
            text = (
                f"{name}, line {number} ({line.text}, {line.month}) of {line.amount} {currency} "
                "has no rated line or charge"
            )
            apart = _Apart(tokens=_tokens(line), currency=currency, amount=line.amount)
            yield told(document, subject, text, apart, finding=Finding.EXTRA)


def _line(document: Document, subject: str, line: Line, should: Line) -> Iterator[Difference]:
    wrong = [f for f in _NUMBERS if getattr(line, f) != getattr(should, f)]
    if wrong:
        said = ", ".join(f"{f} {getattr(line, f)} for {getattr(should, f)}" for f in wrong)
        yield told(
            document,
            subject,
            f"{subject} ({line.text}, {line.month}): {said}, by its rated lines",
            _Apart(
                tokens=_tokens(line) - _tokens(should),
                currency=line.price_currency,
                amount=line.exact - should.exact,
            ),
        )


def _rated_back(document: Document, taken_back: Document, number: str) -> Iterator[Difference]:
    """A note that lets an invoice be billed again takes back each of its rated lines."""
    back = [
        msgspec.structs.replace(line, quantity=-line.quantity, pico=-line.pico)
        for line in taken_back.draft.lines
    ]
    for line in difference(document.draft.lines, back):
        kind = line.meter.value.replace("_", " ")
        what = f"{line.model or line.accelerator}, {kind}, {line.month}"
        yield told(
            document,
            f"{document.name}/{what}",
            f"{document.name}: its rated line {what} is {line.quantity:+,} beside that of {number}",
            _Apart(
                tokens=line.quantity if line.meter.is_tokens else 0,
                currency=line.currency,
                amount=exact(line.pico),
            ),
        )


def _keys(lines: Sequence[Line]) -> Iterator[tuple[object, ...]]:
    """What tells lines apart; those that differ in nothing of it are counted."""
    seen: dict[tuple[object, ...], int] = {}
    for line in lines:
        key = (
            line.group, line.month, line.model, line.meter, line.accelerator, line.contract,
            line.charge, line.adjustments, line.tier, line.price_version, line.unit_price,
            line.price_currency,
        )  # fmt: skip
        seen[key] = seen.get(key, 0) + 1
        yield key, seen[key]


def _tokens(line: Line) -> int:
    return int(line.quantity or 0) if line.unit == "token" and line.charge is None else 0


def _negative(value: Decimal | None) -> Decimal | None:
    return None if value is None else -value
