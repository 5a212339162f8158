"""What lies in a ledger's folder and store, as tests look at it."""

from __future__ import annotations

from pathlib import Path

from neocloud.ledger import Ledger
from neocloud.ledger.store import Store

from .events import admission, usage


def folder_of(path: Path) -> Path:
    """Where the segments of a SQLite ledger lie."""
    return path.with_name(path.name + ".segments")


def segments(path: Path, worker: int = 0) -> list[Path]:
    return sorted((folder_of(path) / f"worker-{worker}").glob("*.log"))


def ids(events: object) -> list[str]:
    return [event.request_id for event in events]  # type: ignore[attr-defined]


def stored(store: Store) -> list[str]:
    """Requests whose events are in the store."""
    with store.view() as view:
        return ids(view.usage())


def write(ledger: Ledger, first: int, count: int) -> None:
    """Requests that come and go."""
    for number in range(first, first + count):
        ledger.admit(admission(number))
        ledger.settle(usage(number), None)
