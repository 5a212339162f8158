"""Quantities in the journal: what the ledger metered, and what documents billed of it."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence

from neocloud.books.accounts import Document, Seal
from neocloud.books.invoices import Kind
from neocloud.books.journal.names import COMMODITIES, use_name
from neocloud.books.journal.records import Leg, Transaction
from neocloud.books.prices import Meter
from neocloud.units import format_utc, parse_period

USE, METERED, BILLED = "Assets:Use", "Equity:Metered", "Equity:Billed"
Amounts = dict[tuple[str, str], int]
"""Quantities by (model or accelerator, commodity)."""


def of_seal(seal: Seal) -> Amounts:
    """Quantities of a seal."""
    found: Amounts = {}
    for s in seal.tokens:
        for meter, count in (
            (Meter.INPUT, s.input), (Meter.CACHED_INPUT, s.cached_input), (Meter.OUTPUT, s.output),
        ):  # fmt: skip
            found[s.model, COMMODITIES[meter]] = count
    for held in seal.held:
        key = held.accelerator, COMMODITIES[Meter.ACCELERATOR_HOUR]
        found[key] = found.get(key, 0) + held.held_ns
    return found


def of_lines(document: Document, months: Container[str] | None = None) -> Amounts:
    """Quantities that a document's rated lines bill, those of a status at no price included.

    Args:
        document: the document.
        months: only of these; None for all.
    """
    found: Amounts = {}
    for line in document.draft.lines:
        if months is not None and line.month not in months:
            continue
        owner = line.model if line.meter.is_tokens else line.accelerator
        key = owner, COMMODITIES[line.meter]
        found[key] = found.get(key, 0) + line.quantity
    return found


def added(into: Amounts, more: Mapping[tuple[str, str], int], sign: int = 1) -> Amounts:
    """Add quantities, or take them away, in place."""
    for key, count in more.items():
        into[key] = into.get(key, 0) + sign * count
    return into


def metered_transaction(tenant: str, month: str, seal: Seal) -> Transaction:
    """Use of a month as the ledger has it: it waits to be billed."""
    return Transaction(
        day=format_utc(parse_period(month).end_ns - 1)[:10],
        rank=0,
        id=f"metered/{tenant}/{month}",
        tag="metered",
        tenant=tenant,
        text=f"Use of {month} in the ledger",
        legs=tuple(_legs(tenant, of_seal(seal), USE, METERED)),
    )


def billed_legs(document: Document) -> tuple[Leg, ...]:
    """Use that a document bills; of a credit note that lets it be billed again, less than none."""
    return tuple(_legs(document.draft.tenant, of_lines(document), BILLED, USE))


def _legs(tenant: str, amounts: Amounts, to: str, from_: str) -> Iterator[Leg]:
    for (owner, commodity), count in sorted(amounts.items()):
        if count:
            for root, signed in ((to, count), (from_, -count)):
                yield Leg(account=use_name(root, tenant, owner), commodity=commodity, count=signed)


def unbilled(documents: Sequence[Document], now: Mapping[str, Seal]) -> Amounts | None:
    """What of closed months of a tenant must wait to be billed, not by the lines.

    It is what the ledger has today and the last document over the month had not seen, and what a
    credit note has given back to be billed again since the last invoice.

    Args:
        documents: of the tenant, in the order of issuing.
        now: seals of today, by month.

    Returns:
        None where a document has no seal, as those of early books.
    """
    last = {seal.month: seal for document in documents for seal in document.draft.seals}
    found: Amounts = {}
    for month, seal in now.items():
        if month not in last:
            return None
        added(added(found, of_seal(seal)), of_seal(last[month]), -1)
    for document in reversed(documents):
        if document.draft.kind == Kind.INVOICE:
            break
        if document.draft.kind == Kind.CREDIT_NOTE:
            added(found, of_lines(document, now), -1)
    return found
