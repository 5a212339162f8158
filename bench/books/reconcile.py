"""What reconciling costs: processor time and memory of the verb over a closed month.

    python bench/books/reconcile.py [EVENTS] [FOLDER]

Ledger and books of a hundred tenants are made in FOLDER (the present one by default) and removed
at the end. Months are closed from ledgers of each tenant alone, which takes less time.
"""

from __future__ import annotations

import random
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from month import BATCH, MODELS, event

from neocloud.books.accounts import SqliteBooks, books_path
from neocloud.books.invoices import Office, close_month
from neocloud.catalog import load_catalog
from neocloud.ledger import LedgerPlace, Reader, UsageEvent, ledger_place
from neocloud.ledger.sqlite import SqliteStore
from neocloud.ledger.store import Batch
from neocloud.spec.load import load_cloud
from neocloud.units import parse_utc

TENANTS = 100
CLOUD = """\
name: bench
gateway: {ledger: "sqlite:///ledger.db"}
sites:
  ashburn:
    metro: washington
    power: [{usd_per_mwh: 80, capacity_mw: 0.1}]
    pools: [{accelerator: h100-sxm, nodes: 1}]
models:
"""
MODEL = """\
  KEY:
    config: meta-llama/Meta-Llama-3.1-8B
    objective: {ttft_ms: 1000, tpot_ms: 40}
    price_per_mtok: {input: 0.26, cached_input: 0.05, output: 0.55}
"""

# The peak of its own memory: what `getrusage` tells of a child begins with that of its parent.
VERB = """
import sys, time
from pathlib import Path
from neocloud.cli.reconcile import command
command.main(sys.argv[1:], standalone_mode=False)
peak = next(x for x in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in x)
print(f"{time.process_time():.1f} s of processor time, {int(peak.split()[1]) // 1024} MiB at most")
"""


def cloud_text() -> str:
    """A cloud with the tenants and models of the events."""
    models = "".join(MODEL.replace("KEY", model) for model in MODELS)
    tenants = "".join(f"  tenant-{n}: {{tax_rate: 0.19}}\n" for n in range(TENANTS))
    demand = (
        f"demand:\n  - {{model: {MODELS[0]}, tenant: tenant-0, metros: [new-york], "
        "requests_per_s: 1, lengths: azure-conv}\n"
    )
    return f"{CLOUD}{models}tenants:\n{tenants}{demand}"


def write(store: SqliteStore, events: Sequence[UsageEvent], position: int) -> None:
    """Bring events into a ledger."""
    store.apply("bench", position, Batch(usage=events))


def make(folder: Path, count: int) -> None:
    """A cloud file, its ledger, and books in which every tenant's month is closed."""
    file = folder / "cloud.yaml"
    file.write_text(cloud_text())
    chance, whole = random.Random(1), SqliteStore(folder / "ledger.db")
    whole.create()
    parts = {f"tenant-{n}": SqliteStore(folder / f"{n}.db") for n in range(TENANTS)}
    for part in parts.values():
        part.create()
    for start in range(0, count, BATCH):
        events = [event(n, count, chance) for n in range(start, min(start + BATCH, count))]
        write(whole, events, start + 1)
        for tenant, part in parts.items():
            write(part, [e for e in events if e.tenant == tenant], start + 1)
    for store in (whole, *parts.values()):
        store.close()
    catalog = load_catalog()
    cloud = load_cloud(file, catalog)
    place: LedgerPlace = ledger_place(cloud.gateway.ledger, folder)
    books = SqliteBooks(books_path(place))
    for tenant, part in parts.items():
        office = Office(cloud=cloud, catalog=catalog, source=Reader(part.path), books=books)
        close_month(office, tenant, "2026-10", parse_utc("2026-11-05"))
    books.close()


def main() -> None:
    """Make it, reconcile it, and print what that took."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    where = sys.argv[2] if len(sys.argv) > 2 else "."
    with tempfile.TemporaryDirectory(dir=where) as name:
        folder = Path(name)
        make(folder, count)
        size = (folder / "ledger.db.books").stat().st_size / 2**20
        print(f"books of {TENANTS} invoices over {count:,} events: {size:.1f} MiB")
        done = subprocess.run(
            [sys.executable, "-c", VERB, folder / "cloud.yaml"],
            check=False, capture_output=True, text=True,
        )  # fmt: skip
        print(done.stdout + done.stderr, end="")


if __name__ == "__main__":
    main()
