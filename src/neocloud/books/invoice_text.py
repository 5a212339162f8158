"""An invoice as plain text."""

from __future__ import annotations

from neocloud.books.invoice import Invoice

_WIDTH = 88


def invoice_text(invoice: Invoice) -> str:
    """Lay an invoice out in 88 columns."""
    rule = "-" * _WIDTH
    mark = "  SPECIMEN  ".center(_WIDTH, "=")
    lines = [
        mark,
        f"Not an invoice: {invoice.specimen_reason}.",
        "",
        f"{invoice.cloud}".ljust(44) + f"for {invoice.tenant_name} ({invoice.tenant})",
    ]
    lines += [" " * 44 + part for part in invoice.tenant_address.splitlines()]
    lines += [
        f"Period  {invoice.period}",
        f"Prices  version {invoice.price_version}, {invoice.price_currency} per million tokens",
        rule,
        f"{'model':24}{'tokens':>22}{'price':>12}{'exact':>16}{invoice.currency:>14}",
        rule,
    ]
    for line in invoice.lines:
        label = f"{line.model} {line.kind.replace('_', ' ')}"
        lines.append(
            f"{label[:34]:34}{line.tokens:>12,}{line.price_per_mtok.normalize():>12f}"
            f"{line.exact:>16.9f}{line.amount:>14}"
        )
    lines += [
        rule,
        f"{'Subtotal':74}{invoice.subtotal:>14}",
        f"{f'Tax {invoice.tax_rate:.2%}':74}{invoice.tax:>14}",
        f"{f'Total {invoice.currency}':74}{invoice.total:>14}",
        rule,
        f"{invoice.requests} requests: "
        + ", ".join(f"{count} {status}" for status, count in invoice.requests_by_status.items()),
        f"Rounding of the lines added {invoice.residue:f} {invoice.currency} to the exact amount.",
    ]
    if invoice.currency != invoice.price_currency:
        lines.append(
            f"1 {invoice.currency} = {invoice.exchange_rate} {invoice.price_currency}, the rate of "
            "the cloud's file."
        )
    if invoice.estimated_requests:
        lines.append(
            f"Tokens of {invoice.estimated_requests} requests are our estimate, not the engine's."
        )
    if invoice.repriced_requests:
        lines.append(
            f"{invoice.repriced_requests} requests were admitted under another price list; they "
            "are rated at this one."
        )
    lines.append(mark)
    return "\n".join(lines) + "\n"
