"""Some months of a cloud with everything in them: what journal and reconciliation are tested on."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

from neocloud.books.invoices import credit_invoice
from neocloud.books.payments import Payment, record_payment
from neocloud.ledger import Status

from ..invoices.shop import Memory, Shop, at, cloud, held, usage  # noqa: TID252

PRICES = (
    "{input: 0.26, cached_input: 0.05, output: 0.55, reasoning: 0.6, "
    "tiers: [{above_mtok: 2, input: 0.2, cached_input: 0.04, output: 0.5, reasoning: 0.5}]}"
)
ACME = (
    "tax_rate: 0.0825, prepaid_credits: ["
    "{name: top-up, amount: 0.3, date: 2026-08-10}, "
    "{name: gift, kind: given, amount: 0.5, date: 2026-08-01, expires: 2026-09-20}, "
    "{name: short, amount: 5000, date: 2026-09-01, expires: 2026-10-10}]"
)
CONTRACTS = """\
  - {name: half, tenant: rhein, accelerators: 4, price: 2, take_or_pay: 0.5, start: 2026-08-01,
     carry_over_months: 2, term_months: 12, prepayments: [{date: 2026-08-01, amount: 3000}]}"""
MONTHS = ("2026-08", "2026-09", "2026-10")
TODAY = "2027-01-31"


def use() -> Memory:
    """Use of three tenants in three months, real and emulated, billed and not."""
    source = Memory()
    number = 0
    for month in MONTHS:
        for day in range(1, 28, 3):
            for tenant in ("acme", "rhein", "kyoto"):
                number += 1
                source.events.append(
                    usage(
                        f"{month}-{day:02d}", number, tenant=tenant,
                        input_tokens=317_041 + 1_000 * number, cached_tokens=1_003 * number,
                        output_tokens=77_003 + number, reasoning_tokens=number,
                        status=Status.FAILED if number % 11 == 0 else Status.COMPLETED,
                        emulated=number % 13 == 0,
                    )
                )  # fmt: skip
    source.spans = [
        held("2026-08-30T11:00:00Z", 71.3, 3, "contract/half", tenant="rhein"),
        held("2026-09-05", 1.234567, 2),
        held("2026-10-05", 12, 2, purpose="down"),
    ]
    return source


LATE = usage("2026-08-29", 900, tenant="acme", input_tokens=12_345, output_tokens=678)


def opened(folder: Path, source: Memory) -> Shop:
    """The shop over books that lie in a folder."""
    return Shop(folder, cloud(acme=ACME, prices=PRICES, contracts=CONTRACTS), source)


def year(folder: Path) -> Shop:
    """All of it closed: with a late event, credit notes of both kinds, and payments."""
    made = opened(folder, use())
    for month in MONTHS:
        for tenant in ("acme", "rhein", "kyoto"):
            made.close(month, tenant)
        if month == "2026-08":
            made.source.events.append(LATE)
            credit_invoice(made.books, "SHOP-000003", "address", at("2026-09-10"), bill_again=True)
    credit_invoice(made.books, "SHOP-000006", "given", at("2026-11-20"), bill_again=False)
    for id_, tenant, amount, currency, day, number in (
        ("B-1", "acme", "10.25", "USD", "2026-09-30", ""),
        ("B-2", "rhein", "900", "EUR", "2026-11-02", "SHOP-000002"),
        ("B-3", "kyoto", "100", "JPY", "2026-12-02", ""),
    ):
        payment = Payment(id=id_, tenant=tenant, amount=Decimal(amount), currency=currency,
                          day=day, invoice=number)  # fmt: skip
        record_payment(made.books, payment, TODAY, at(TODAY))
    return made
