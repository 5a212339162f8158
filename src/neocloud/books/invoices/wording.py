"""How a document reads, the same in text, HTML and PDF: headings, rows, sentences."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import ROUND_HALF_EVEN, Decimal

import msgspec

from neocloud.books.contracts import ContractMonth
from neocloud.books.invoices.records import Carbon, CreditUse, Invoice, Kind, Line, LineGroup
from neocloud.units import HOUR_NS, minor_digits

HEADINGS = {
    LineGroup.TOKENS: "Tokens",
    LineGroup.ACCELERATORS: "Accelerators",
    LineGroup.CONTRACTS: "Contracts",
    LineGroup.MINIMUM: "Minimum spend",
    LineGroup.CORRECTIONS: "Corrections of earlier months",
}
TITLES = {
    Kind.INVOICE: "Invoice",
    Kind.CREDIT_NOTE: "Credit note",
    Kind.PREVIEW: "Invoice preview",
    Kind.SPECIMEN: "Specimen invoice",
}
MARKS = {Kind.PREVIEW: "PREVIEW", Kind.SPECIMEN: "SPECIMEN"}
"""What stands on every page of a document that is none."""


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A line as it is shown."""

    text: str
    quantity: str
    price: str
    exact: str
    amount: str


class Sum(msgspec.Struct, frozen=True, kw_only=True):
    """A line of the sums; `strong` for the last of them."""

    text: str
    amount: str
    strong: bool = False


def mark_of(invoice: Invoice) -> str:
    """The mark on every page; empty for an issued document."""
    return "" if invoice.is_issued else MARKS.get(invoice.kind, MARKS[Kind.PREVIEW])


def not_an_invoice(invoice: Invoice) -> str:
    """The sentence that says so; empty for an issued document."""
    return "" if invoice.is_issued else f"Not an invoice: {invoice.why_not}."


def facts_of(invoice: Invoice) -> tuple[tuple[str, str], ...]:
    """What stands at the top: number, days, period."""
    found = [
        ("Number", invoice.number or "none"),
        ("Issued", invoice.issued),
        ("Due", invoice.due),
        ("To invoice", invoice.refers_to),
        ("Reason", invoice.reason),
        ("Period", _period(invoice.period)),
        ("Tenant", invoice.tenant),
    ]
    return tuple((name, value) for name, value in found if value)


def exact_head(invoice: Invoice) -> str:
    """Head of the exact amounts, with their currency where it is one."""
    one = _one_currency(invoice)
    return f"Exact, {one}" if one else "Exact"


def _one_currency(invoice: Invoice) -> str:
    """Currency of all prices; empty where there are several, and each amount names its own."""
    used = {line.price_currency for line in invoice.lines} or {invoice.cloud_currency}
    return used.pop() if len(used) == 1 else ""


def groups_of(invoice: Invoice) -> Iterator[tuple[str, tuple[Row, ...]]]:
    """Lines under their headings."""
    for group, heading in HEADINGS.items():
        rows = tuple(_row(line, invoice) for line in invoice.lines if line.group is group)
        if rows:
            yield heading, rows


def sums_of(invoice: Invoice) -> tuple[Sum, ...]:
    """From the subtotal to the total."""
    found = [Sum(text="Subtotal", amount=money(invoice.subtotal))]
    for credit in invoice.credits:
        if credit.used:
            taken = -credit.used
            found.append(Sum(text=f"Prepaid credit {credit.name}", amount=money(taken)))
    if invoice.credits_used:
        found.append(Sum(text="Net", amount=money(invoice.net)))
    rate = (invoice.tax_rate * 100).normalize()
    found.append(Sum(text=f"Tax {rate:f} %", amount=money(invoice.tax)))
    found.append(Sum(text=f"Total {invoice.currency}", amount=money(invoice.total), strong=True))
    return tuple(found)


def money(amount: Decimal) -> str:
    """An amount with its own decimals and separators of thousands."""
    return f"{amount:,}"


def payment_of(invoice: Invoice) -> tuple[str, ...]:
    """What is to be paid, by when and how; nothing where nothing is."""
    if not invoice.due:
        return ()
    asked = f"Please pay {money(invoice.total)} {invoice.currency} by {invoice.due}, stating "
    return (f"{asked}{invoice.number}.", *invoice.payment.splitlines())


def sentences_of(invoice: Invoice) -> tuple[str, ...]:
    """What the reader should know, in sentences."""
    found = []
    if invoice.requests.total:
        ended = ", ".join(f"{n:,} {status}" for status, n in invoice.requests.by_status.items())
        many = "request" if invoice.requests.total == 1 else "requests"
        found.append(f"{invoice.requests.total:,} {many}: {ended}.")
    digits = minor_digits(invoice.currency)
    found.append(
        f"Each line is rounded once to {digits} decimals; this added "
        f"{invoice.residue.normalize():f} {invoice.currency} to the exact amount."
    )
    used = {line.price_currency for line in invoice.lines} | {invoice.cloud_currency}
    rates = {r.currency: r.rate for r in invoice.basis.exchange_rates}
    found += [
        f"1 {code} = {rates[code].normalize():f} {invoice.cloud_currency}."
        for code in sorted({*used, invoice.currency} - {invoice.cloud_currency})
        if used != {invoice.currency} and code in rates
    ]
    versions = sorted({line.price_version for line in invoice.lines if line.price_version})
    if versions:
        found.append(f"Prices of version {', '.join(versions)}.")
    return (*found, *invoice.notes)


def contract_rows(invoice: Invoice) -> tuple[tuple[str, ...], ...]:
    """How contracts stand: name, held, committed, used, not used, carried over, levels."""
    return tuple(_contract(each) for each in invoice.contracts)


CONTRACT_HEADS = ("contract", "held", "committed", "used", "short", "to be used later", "levels")


def credit_rows(invoice: Invoice) -> tuple[tuple[str, ...], ...]:
    """Prepaid credits: name, expiry, before, used, left."""
    return tuple(_credit(each) for each in invoice.credits)


CREDIT_HEADS = ("prepaid credit", "expires", "before", "used", "left")


def carbon_sentences(carbon: Carbon) -> tuple[str, ...]:
    """The carbon statement."""
    how = _how(carbon.metered_share)
    by_grid, by_contract = f"{carbon.location_kg:,f} kg", f"{carbon.market_kg:,f} kg"
    found = [f"{carbon.kwh:,f} kWh were drawn for this use, facility included: {how}."]
    found.append(
        f"They emitted {by_grid} CO2 by the grids of the sites' metros (location-based), "
        f"{by_contract} by the sites' power contracts (market-based)."
    )
    return tuple(found)


def _how(metered: Decimal) -> str:
    if metered >= 1:
        return "metered"
    return "modelled, not metered" if metered <= 0 else f"{metered:.0%} metered, the rest modelled"


def _period(text: str) -> str:
    """Of whole days the first and the last, else the moments from which and up to which."""
    start, _, end = text.partition("/")
    midnight = "T00:00:00Z"
    if start.endswith(midnight) and end.endswith(midnight):
        first, after = (part.removesuffix(midnight) for part in (start, end))
        last = (date.fromisoformat(after) - timedelta(days=1)).isoformat()
        return f"{first} (UTC)" if first == last else f"{first} to {last} (UTC)"
    first, after = (part.removesuffix("Z").replace("T", " ") for part in (start, end))
    return f"{first} up to {after} (UTC)"


def _row(line: Line, invoice: Invoice) -> Row:
    label = line.text
    if line.group is LineGroup.CORRECTIONS:
        label = f"{line.month}: {label}"
    price = ""
    if line.unit_price is not None:
        each = "Mtok" if line.unit == "token" else "h"
        price = f"{_plain(line.unit_price)}/{each}"
    exact = f"{line.exact.quantize(Decimal(1).scaleb(-6), ROUND_HALF_EVEN):,f}"
    if not _one_currency(invoice):
        exact += f" {line.price_currency}"
    return Row(
        text=label,
        quantity="" if line.quantity is None else _quantity(line.quantity),
        price=price,
        exact=exact,
        amount=money(line.amount),
    )


def _plain(value: Decimal) -> str:
    """At least two decimals, no zeros behind them."""
    short = value.normalize()
    exponent = short.as_tuple().exponent
    assert isinstance(exponent, int)
    return f"{value:,.2f}" if exponent > -2 else f"{short:,f}"


def _quantity(value: Decimal) -> str:
    """Whole numbers whole, others to three decimals."""
    return f"{value:,f}" if value == value.to_integral_value() else f"{value:,.3f}"


def _contract(each: ContractMonth) -> tuple[str, ...]:
    def shown(quantity: int) -> str:
        if each.tokens:
            return f"{quantity:,}"
        return _quantity(Decimal(quantity) / HOUR_NS)

    levels = [
        f"{name} {share:.3%}"
        for name, share in (("available", each.availability), ("in time", each.latency))
        if share is not None
    ]
    unit = "tokens" if each.tokens else "h"
    return (
        f"{each.contract} ({unit})", shown(each.held), shown(each.committed), shown(each.used),
        shown(each.shortfall), shown(each.carried_out), ", ".join(levels) or "none",
    )  # fmt: skip


def _credit(each: CreditUse) -> tuple[str, ...]:
    expires = each.expires or "never"
    if each.expired:
        expires += f", {money(each.expired)} lost"
    return (each.name, expires, money(each.before), money(each.used), money(each.left))
