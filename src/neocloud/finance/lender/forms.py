"""A lender's pack as text and as tables for other programs."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from neocloud.finance.lender.records import BaseLine, CovenantLine, LenderPack, TapeLine


def pack_text(pack: LenderPack) -> str:
    """Certificate, borrowing base and tape as tables."""
    base, currency = pack.base, pack.currency
    lines = [f"{pack.cloud}: {pack.facility}, end of {pack.month}, {currency}", ""]
    demanded = "complies" if pack.certificate.complies else "BREACH"
    lines.append(f"Compliance: {demanded if pack.certificate.lines else 'nothing to comply with'}")
    lines += _table(
        ("covenant", "demand", "value", "headroom", "result", "first missed"),
        [_certificate_row(line) for line in pack.certificate.lines],
        pack.certificate.note,
    )
    if pack.certificate.lines:
        lines += ["", *(f"{line.measure}: {line.definition}" for line in pack.certificate.lines)]
    lines += ["", "Borrowing base"]
    lines += _table(
        ("asset", "credit", "age", "value", "eligible", "rate", "available", ""),
        [_base_row(line) for line in base.lines],
        base.note,
    )
    sums = (
        ("base", base.base), ("drawn", base.drawn), ("drawn by others", base.drawn_by_others),
        ("availability", base.availability), ("can be drawn", base.can_be_drawn),
    )  # fmt: skip
    shown = sums if pack.tape else (sums[1], sums[4])
    lines += [f"  {name:16}{value:>24,.2f}" for name, value in shown]
    if pack.tape:
        lines += ["", "Collateral"]
        lines += _table(
            ("asset", "kind", "site", "in service", "cost", "book", "appraised", "held",
             "customers"),
            [_tape_row(line) for line in pack.tape],
            "",
        )  # fmt: skip
    return "\n".join(line.rstrip() for line in lines) + "\n"


def certificate_csv(packs: Iterable[LenderPack]) -> str:
    """One line a facility, month and covenant."""
    return _csv(CovenantLine, ((p, line) for p in packs for line in p.certificate.lines))


def borrowing_base_csv(packs: Iterable[LenderPack]) -> str:
    """One line a facility, month, asset and class of credit; amounts exact."""
    return _csv(BaseLine, ((p, line) for p in packs for line in p.base.lines))


def tape_csv(packs: Iterable[LenderPack]) -> str:
    """One line a facility, month and asset; amounts exact."""
    return _csv(TapeLine, ((p, line) for p in packs for line in p.tape))


def _certificate_row(line: CovenantLine) -> tuple[str, ...]:
    return (
        line.measure,
        f"{line.demand} {line.level.normalize():,f}",
        "-" if line.value is None else f"{line.value:,.3f}",
        "-" if line.headroom is None else f"{100 * line.headroom:,.1f} %",
        f"{line.result}: {line.reason}" if line.reason else line.result,
        line.first_breach or "never",
    )


def _base_row(line: BaseLine) -> tuple[str, ...]:
    return (
        line.asset,
        line.credit or "-",
        f"{line.age_months}",
        f"{line.value:,.2f}",
        f"{line.eligible:,.2f}",
        f"{100 * line.advance_rate:.0f} %",
        f"{line.available:,.2f}",
        line.reason,
    )


def _tape_row(line: TapeLine) -> tuple[str, ...]:
    who = [f"{name} ({credit})" for name, credit in zip(line.customers, line.credits, strict=True)]
    return (
        line.asset,
        line.kind,
        line.site or "-",
        line.in_service if line.status == "in service" else f"{line.in_service}, {line.status}",
        f"{line.cost:,.2f}",
        f"{line.book:,.2f}",
        f"{line.appraised:,.2f}",
        f"{100 * line.contracted:.0f} %",
        ", ".join(dict.fromkeys(who)),
    )


def _table(head: Sequence[str], rows: Sequence[tuple[str, ...]], note: str) -> list[str]:
    """Columns as wide as they must be; those of numbers to the right."""
    if not rows:
        return [f"  {note}"] if note else []
    widths = [max(len(row[at]) for row in (head, *rows)) for at in range(len(head))]
    right = [all(row[at][:1] in "-0123456789" for row in rows) for at in range(len(head))]
    return [
        "  "
        + "  ".join(
            cell.rjust(width) if to_right else cell.ljust(width)
            for cell, width, to_right in zip(row, widths, right, strict=True)
        )
        for row in (head, *rows)
    ]


def _csv(kind: type[msgspec.Struct], rows: Iterable[tuple[LenderPack, msgspec.Struct]]) -> str:
    names = [field.name for field in msgspec.structs.fields(kind)]
    text = _Text()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["facility", "month", "currency", *names])
    for pack, line in rows:
        cells = [_cell(getattr(line, name)) for name in names]
        writer.writerow([pack.facility, pack.month, pack.currency, *cells])
    return "".join(text.pieces)


class _Text:
    """What `csv` writes into, for nothing here touches a file."""

    def __init__(self) -> None:
        self.pieces: list[str] = []

    def write(self, piece: str) -> None:
        self.pieces.append(piece)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, tuple):
        return " ".join(value)
    return str(value)
