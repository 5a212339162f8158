"""A rich real case: two sites, tenants in three currencies, contracts of each kind, corrections.

October 2026 and November are closed, December is open; nothing of what is charged is emulated.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from neocloud.books.accounts import SqliteBooks, books_path
from neocloud.books.focus import FocusExport, make_export
from neocloud.books.invoices import Invoice, Office, close_month, credit_invoice
from neocloud.cli.cloud_file import open_cloud
from neocloud.cli.ledger_file import ledger_of
from neocloud.ledger import AllocationEvent, Reader, Status, UsageEvent
from neocloud.units import HOUR_NS, parse_period, parse_utc

from ..invoices.shop import held, usage  # noqa: TID252  (one way to make an event)
from ..metering import write_ledger  # noqa: TID252

TEXT = """\
name: cloud-one
exchange_rates: {EUR: 1.17, JPY: 0.0064}
sites:
  ashburn:
    metro: washington
    power: [{usd_per_mwh: 80, capacity_mw: 0.1}]
    pools: [{accelerator: h100-sxm, nodes: 4}]
  main:
    metro: frankfurt
    power: [{usd_per_mwh: 90, capacity_mw: 0.1}]
    pools: [{accelerator: h100-sxm, nodes: 4}]
models:
  llama:
    config: meta-llama/Meta-Llama-3.1-8B
    objective: {ttft_ms: 1000, tpot_ms: 40}
    price_per_mtok:
      {input: 0.26, cached_input: 0.05, output: 0.55,
       changes: [{from: 2026-11-15, input: 0.24, cached_input: 0.05, output: 0.5}]}
  gemma:
    config: meta-llama/Meta-Llama-3.1-8B
    objective: {ttft_ms: 1000, tpot_ms: 40}
    price_per_mtok: {input: 0.1, output: 0.2, tiers: [{above_mtok: 1, input: 0.08, output: 0.15}]}
tenants:
  acme:
    name: Acme, "Corporation"
    priority: high
    tax_rate: 0.0825
    prepaid_credits: [{name: welcome, amount: 5, date: 2026-10-01, kind: given}]
  rhein: {name: Rheingold GmbH, currency: EUR, tax_rate: 0.19, minimum_spend_per_month: 90}
  kyoto: {currency: JPY, tax_rate: 0.1}
demand:
  - {model: llama, tenant: acme, metros: [new-york], requests_per_s: 6, lengths: azure-conv}
pricing:
  accelerator_hours: [{accelerator: h100-sxm, price: 3.2}]
  adjustments:
    - {name: batch, change: -0.5, apis: [batch]}
    - {name: partner, change: -0.1, tenants: [rhein]}
    - {name: urgent, change: 0.25, priorities: [high], apis: [messages]}
contracts:
  - {name: acme-year, tenant: acme, accelerators: 4, accelerator: h100-sxm, price: 2.1,
     start: 2026-10-01, term_months: 12, take_or_pay: 0.9, carry_over_months: 2,
     prepayments: [{date: 2026-10-01, share: 0.2}],
     service_level: {availability: [{below: 0.999, credit_share: 0.1}]}}
  - {name: rhein-rate, tenant: rhein, kind: provisioned, model: llama, tokens_per_s: 20, price: 0.4,
     start: 2026-10-15, term_months: 6, take_or_pay: 0.5, true_up_months: 3, currency: EUR}
billing: {seller: Cloud One Inc., address: 2 Main Street, tax_id: US-1, invoice_prefix: ONE}
""".replace('Acme, "Corporation"', "'Acme, \"Corporation\"'")
OCTOBER, NOVEMBER, DECEMBER = "2026-10", "2026-11", "2026-12"
MONTHS = (OCTOBER, NOVEMBER, DECEMBER)


def at_main(when: str, number: int, **changes: object) -> UsageEvent:
    """A request that the other site answered."""
    replica = "main/h100-sxm/llama/0"
    return usage(when, number, site="main", replica=replica, **changes)


def events() -> list[UsageEvent]:
    """Requests of three months, those that come late not among them."""
    made = []
    for month in (10, 11, 12):
        day = f"2026-{month:02d}-20"
        made += [
            usage(day, 1, input_tokens=8_123_456, cached_tokens=3_000_001, output_tokens=765_432),
            at_main(day, 2, input_tokens=1_500_001, output_tokens=20),
            usage(day, 3, api="batch", input_tokens=999_999, output_tokens=333_333),
            usage(day, 4, api="messages", input_tokens=777_777, output_tokens=77_777),
            usage(day, 5, model="gemma", input_tokens=2_400_000, output_tokens=1_700_000),
            at_main(day, 6, model="gemma", input_tokens=123_457, output_tokens=5),
            usage(day, 7, status=Status.FAILED, input_tokens=5_000_000),
            usage(day, 8, tenant="rhein", input_tokens=1_999_999, output_tokens=1_000_003),
            at_main(f"2026-{month:02d}-05", 9, tenant="rhein", input_tokens=3_333_333),
            usage(day, 10, tenant="kyoto", input_tokens=1_000_000, output_tokens=9_999_999),
            usage(day, 11, tenant="kyoto", emulated=True, input_tokens=10**9),
        ]  # fmt: skip
    made.append(usage("2026-11-03", 12, input_tokens=4_321_000, output_tokens=123))
    return made


LATE = (
    at_main("2026-10-21", 20, input_tokens=600_000, output_tokens=100_000),
    usage("2026-10-21", 21, tenant="rhein", input_tokens=50_000),
)
"""Requests of October that are told in November."""


def spans() -> list[AllocationEvent]:
    """Accelerators: under the contract of acme, and on demand for kyoto, of odd lengths."""
    return [
        held("2026-10-01", 700.123456789, 3, "contract/acme-year"),
        held("2026-11-01", 719, 4, "contract/acme-year"),
        held("2026-12-01", 100, 4, "contract/acme-year"),
        held("2026-10-10", 5.000000123, 2, tenant="kyoto", site="main"),
    ]


class Case:
    """The case in a folder, with its months closed.

    Attributes:
        folder: with `cloud.yaml`, `ledger.db` and the books.
        issued: documents, in the order of issuing.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "cloud.yaml"
        self.issued: list[Invoice] = []
        self.file.write_text(TEXT)
        write_ledger(folder / "ledger.db", events(), spans())
        self._close(OCTOBER, "acme", "rhein", "kyoto")
        write_ledger(folder / "ledger.db", LATE)
        with self.office() as office:
            assert office.books is not None
            taken_back = self.issued[2].number or ""
            at_ns = parse_utc("2026-11-20T12:00:00Z")
            self.issued.append(
                credit_invoice(office.books, taken_back, "Wrong name", at_ns, bill_again=True)
            )
        self._close(NOVEMBER, "acme", "rhein", "kyoto")

    def _close(self, month: str, *tenants: str) -> None:
        now_ns = parse_period(month).end_ns + 4 * 24 * HOUR_NS
        with self.office() as office:
            for number, tenant in enumerate(tenants):
                self.issued.append(close_month(office, tenant, month, now_ns + number * 10**9))

    @contextmanager
    def office(self) -> Iterator[Office]:
        """The office of the folder's file."""
        cloud, catalog = open_cloud(self.file)
        reader = Reader(ledger_of(cloud, self.file))
        with closing(SqliteBooks(books_path(reader.place))) as books:
            yield Office(cloud=cloud, catalog=catalog, source=reader, books=books)

    def export(self, month: str, tenant: str = "") -> FocusExport:
        """A month as it is ten days after its end."""
        now_ns = parse_period(month).end_ns + 10 * 24 * HOUR_NS
        with self.office() as office:
            return make_export(office, month, now_ns, tenant)
