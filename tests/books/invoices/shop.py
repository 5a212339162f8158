"""A cloud with tenants of several kinds, a ledger in memory, and books beside it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

from neocloud.books.accounts import SqliteBooks
from neocloud.books.invoices import Invoice, Office, close_month, preview
from neocloud.catalog import load_catalog
from neocloud.ledger import (
    AllocationEvent,
    CorrectionEvent,
    EnergyEvent,
    Status,
    UsageEvent,
    corrected,
    in_order,
)
from neocloud.spec import Cloud
from neocloud.spec.load import parse_cloud
from neocloud.units import HOUR_NS, Period, new_request_id, parse_period, parse_utc

CATALOG = load_catalog()
TEXT = """\
name: shop
exchange_rates: {EUR: 1.25, JPY: 0.0064, KWD: 3.2}
sites:
  ashburn:
    metro: washington
    power: [{usd_per_mwh: 80, capacity_mw: 0.1}]
    pools: [{accelerator: h100-sxm, nodes: 2}]
models:
  llama:
    config: meta-llama/Meta-Llama-3.1-8B
    objective: {ttft_ms: 1000, tpot_ms: 40}
    price_per_mtok: PRICES
tenants:
  acme: {name: Acme Corporation, address: "1 Main Street\\nSpringfield", tax_id: US-2 ACME}
  rhein: {name: Rheingold GmbH, currency: EUR, tax_rate: 0.19}
  kyoto: {currency: JPY, tax_rate: 0.1}
  kuwait: {currency: KWD}
demand:
  - {model: llama, tenant: acme, metros: [new-york], requests_per_s: 6, lengths: azure-conv}
pricing:
  accelerator_hours: [{accelerator: h100-sxm, price: 3.2}]
billing: {seller: Shop Inc., address: 2 Main Street, tax_id: US-1, invoice_prefix: SHOP,
  payment: "Bank of Examples\nAccount 12-345"}
"""
PRICES = "{input: 0.26, cached_input: 0.05, output: 0.55}"


@cache
def cloud(acme: str = "", prices: str = PRICES, contracts: str = "", **changes: str) -> Cloud:
    """The cloud, with more said of the tenant acme, other prices, contracts."""
    text = TEXT.replace("ACME", f", {acme}" if acme else "").replace("PRICES", prices)
    for old, new in changes.items():
        text = text.replace(old, new)
    if contracts:
        text += f"contracts:\n{contracts}\n"
    return parse_cloud(text, "cloud.yaml", CATALOG)


def at(text: str) -> int:
    """A moment, ns."""
    return parse_utc(text)


def usage(when: str, number: int = 0, **changes: object) -> UsageEvent:
    """A completed request of acme with a million tokens in and none out."""
    admitted_ns = at(when) + number * 1_000_000
    values: dict[str, object] = {
        "request_id": new_request_id(admitted_ns, number), "tenant": "acme", "key_id": "k",
        "model": "llama", "site": "ashburn", "pool": "h100-sxm",
        "replica": "ashburn/h100-sxm/llama/0", "accelerator": "h100-sxm", "engine": "vllm",
        "user_metro": "new-york", "input_tokens": 1_000_000, "cached_tokens": 0,
        "output_tokens": 0, "admitted_ns": admitted_ns, "first_token_ns": admitted_ns + 10**8,
        "finished_ns": admitted_ns + 2 * 10**9, "status": Status.COMPLETED, "attempts": 1,
        "streamed": True, "estimated": False, "emulated": False,
    }  # fmt: skip
    return UsageEvent(**{**values, **changes})  # type: ignore[arg-type]


def held(
    start: str, hours: float, count: int, holder: str = "", **changes: object
) -> AllocationEvent:
    """Accelerators that acme held; under a contract where the holder is named after it."""
    start_ns = at(start)
    name = f"ashburn/h100-sxm/{holder or 'own/0'}"
    values: dict[str, object] = {
        "event_id": f"{name}@{start_ns}", "start_ns": start_ns,
        "end_ns": start_ns + round(hours * HOUR_NS), "site": "ashburn", "pool": "h100-sxm",
        "model": "", "tenant": "acme", "holder": name, "accelerator": "h100-sxm",
        "accelerators": count, "purpose": "training", "busy_s": None, "emulated": False,
    }  # fmt: skip
    return AllocationEvent(**{**values, **changes})  # type: ignore[arg-type]


class Memory:
    """Implements `Source` as `Reader` does: each event once, by its id, whatever came how often."""

    def __init__(
        self,
        events: Iterable[UsageEvent] = (),
        spans: Iterable[AllocationEvent] = (),
        energy: Iterable[EnergyEvent] = (),
        made: Iterable[CorrectionEvent] = (),
    ) -> None:
        self.made = list(made)
        self.events = list(events)
        self.spans = list(spans)
        self.joules = list(energy)

    def usage(self, period: Period) -> Iterator[UsageEvent]:
        return corrected(self.recorded(period), self.corrections(period))

    def corrections(self, period: Period) -> Iterator[CorrectionEvent]:
        asked = {e.request_id for e in self.recorded(period)}
        return iter(sorted((c for c in self.made if c.request_id in asked), key=in_order))

    def recorded(self, period: Period) -> Iterator[UsageEvent]:
        known = {e.request_id: e for e in self.events if e.admitted_ns in period}
        return iter([known[key] for key in sorted(known)])

    def allocation(self, period: Period) -> Iterator[AllocationEvent]:
        known = {
            s.event_id: s
            for s in self.spans
            if s.start_ns < period.end_ns and s.end_ns > period.start_ns
        }
        return iter(sorted(known.values(), key=lambda s: (s.start_ns, s.event_id)))

    def energy(self, period: Period) -> Iterator[EnergyEvent]:
        known = {
            s.event_id: s
            for s in self.joules
            if s.start_ns < period.end_ns and s.end_ns > period.start_ns
        }
        return iter(sorted(known.values(), key=lambda s: (s.start_ns, s.event_id)))

    def span(self) -> Period | None:
        starts = [e.admitted_ns for e in self.events] + [s.start_ns for s in self.spans]
        ends = [e.finished_ns for e in self.events] + [s.end_ns for s in self.spans]
        return Period(min(starts), max(ends) + 1) if starts else None


class Shop:
    """An office with its own books; time passes when a month is closed."""

    def __init__(self, folder: Path, cloud_: Cloud, source: Memory) -> None:
        self.source = source
        self.books = SqliteBooks(folder / "ledger.db.books")
        self.cloud = cloud_

    @property
    def office(self) -> Office:
        return Office(cloud=self.cloud, catalog=CATALOG, source=self.source, books=self.books)

    def close(self, month: str, tenant: str = "acme", days: int = 4) -> Invoice:
        """Close a month so many days after its end."""
        now_ns = parse_period(month).end_ns + days * 24 * HOUR_NS
        return close_month(self.office, tenant, month, now_ns)


def previewed(cloud_: Cloud, source: Memory, period: str, tenant: str = "acme") -> Invoice:
    """A preview before there were any books, made after the period."""
    office = Office(cloud=cloud_, catalog=CATALOG, source=source, books=None)
    span = parse_period(period)
    return preview(office, tenant, span, span.end_ns)
