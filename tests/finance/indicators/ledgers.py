"""A ledger of fourteen months by hand: who trains, who comes back, who pauses."""

from __future__ import annotations

from pathlib import Path

from tests.books.invoices.shop import at, held, usage
from tests.books.metering import write_ledger

from neocloud.finance.indicators import Metered, read_ledger
from neocloud.ledger import AllocationEvent, Reader, Status, UsageEvent

HOUR = 3600 * 10**9


def request(when: str, tenant: str, tokens: int = 1000, **changes: object) -> UsageEvent:
    return usage(when, tenant=tenant, input_tokens=tokens, output_tokens=tokens // 10, **changes)


def training(start: str, tenant: str, hours: float = 48, count: int = 8) -> AllocationEvent:
    return held(start, hours, count, holder=f"contract/{tenant}-{start}", tenant=tenant)


def serving(start: str, hours: float, count: int = 1, **changes: object) -> AllocationEvent:
    """A replica that serves everybody."""
    given = {"tenant": "", "model": "llama", "purpose": "inference"} | changes
    return held(start, hours, count, holder=f"llama/{start}", **given)


EVENTS = (
    # Returns, pauses in the summer, is back after a year.
    *(request(f"2024-{month:02d}-10", "anna", number=month) for month in (2, 3, 4)),
    request("2025-01-31T23:59:59", "anna", number=20),
    # Returns once, on the last second of the third month.
    request("2024-04-30T23:59:59", "bert", number=21),
    # Asked and was not answered: no token, so nothing bought.
    request("2024-07-05", "bert", tokens=0, number=22, status=Status.FAILED),
    # Buys inference and never trains.
    *(request(f"2024-{month:02d}-11", "dora", number=30 + month) for month in (1, 2, 6)),
    # The ledger goes on after February 2025, and not to the end of March.
    request("2025-03-02", "dora", number=50),
)
SPANS = (
    training("2024-01-15", "anna"),
    training("2024-01-30T12:00:00", "bert", hours=48),  # until 1 February, noon
    training("2024-03-01", "carl"),
    training("2024-09-01", "anna"),  # a second time is no first time
    # A dedicated deployment is inference, though its requests are not told apart here.
    held("2024-06-30T23:00:00", 2, 4, holder="contract/carl-d", tenant="carl",
         purpose="inference"),
    held("2024-09-10", 24, 4, holder="contract/carl-d", tenant="carl", purpose="inference"),
)  # fmt: skip


def metered(
    folder: Path, events: tuple[UsageEvent, ...], spans: tuple[AllocationEvent, ...]
) -> Metered:
    """What a real ledger gives that holds these."""
    path = folder / "ledger.db"
    write_ledger(path, events, spans)
    found = read_ledger(Reader(path))
    assert found is not None
    return found


__all__ = ["EVENTS", "HOUR", "SPANS", "at", "held", "metered", "request", "serving", "training"]
