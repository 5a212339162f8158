"""What rating costs: processor time and memory for events of a month, read from a ledger.

    python bench/books/rating.py [EVENTS] [FOLDER]

The ledger is made in FOLDER (the present one by default) and removed at the end.
"""

from __future__ import annotations

import random
import resource
import sys
import tempfile
import time
from decimal import Decimal
from pathlib import Path

from neocloud.books.prices import (
    Adjustment,
    Meter,
    ModelRates,
    PriceBook,
    PriceVersion,
    Tier,
    Tiering,
)
from neocloud.books.rating import rate
from neocloud.ledger import Reader, Status, UsageEvent
from neocloud.ledger.sqlite import SqliteStore
from neocloud.ledger.store import Batch
from neocloud.units import new_request_id, parse_utc

START_NS = parse_utc("2026-10-01")
MONTH_NS = 31 * 86_400 * 10**9
MODELS = ("llama-3.3-70b", "gpt-oss-120b", "qwen3-32b")
BATCH = 4096


def event(number: int, of: int, chance: random.Random) -> UsageEvent:
    admitted_ns = START_NS + number * MONTH_NS // of
    site = chance.choice(("ashburn", "frankfurt"))
    return UsageEvent(
        request_id=new_request_id(admitted_ns, chance.getrandbits(74)),
        tenant=f"tenant-{chance.randrange(100)}", key_id="0a1b2c3d4e5f",
        model=chance.choice(MODELS), site=site, pool="h100", replica=f"{site}/h100/model/0",
        accelerator="h100-sxm", engine="vllm", user_metro="frankfurt",
        input_tokens=chance.randint(100, 4000), cached_tokens=chance.randint(0, 100),
        output_tokens=chance.randint(1, 800), admitted_ns=admitted_ns,
        first_token_ns=admitted_ns + 10**8, finished_ns=admitted_ns + 10**9,
        status=chance.choice((*[Status.COMPLETED] * 9, Status.ABORTED, Status.FAILED)), attempts=1,
        streamed=True, estimated=False, emulated=False, price_version="b1946ac92492d234",
    )  # fmt: skip


def version(rich: bool) -> PriceVersion:
    first = {Meter.INPUT: 260_000, Meter.CACHED_INPUT: 50_000, Meter.OUTPUT: 550_000}
    tiers = [Tier(above=0, pico_per_token=first)]
    if rich:
        tiers.append(Tier(above=10**6, pico_per_token={m: p // 2 for m, p in first.items()}))
    return PriceVersion(
        currency="USD",
        billed=(Status.COMPLETED, Status.ABORTED),
        models=tuple(
            ModelRates(model=m, start_ns=0, tiering=Tiering.GRADUATED, tiers=tuple(tiers))
            for m in MODELS
        ),
        adjustments=tuple(
            Adjustment(name=f"a{hour}", change=-hour * Decimal("0.05"), hours=(hour, hour + 1))
            for hour in range(0, 6, 2)
        )
        if rich
        else (),
    )


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    where = sys.argv[2] if len(sys.argv) > 2 else "."
    with tempfile.TemporaryDirectory(dir=where) as folder:
        path = Path(folder) / "ledger.db"
        chance, store = random.Random(1), SqliteStore(path)
        store.create()
        for start in range(0, count, BATCH):
            numbers = range(start, min(start + BATCH, count))
            usage = [event(number, count, chance) for number in numbers]
            store.apply("bench", start + 1, Batch(usage=usage))
        store.close()
        before_s = time.process_time()
        read = sum(1 for _ in Reader(path).usage())
        print(f"reading {read:,} events alone: {time.process_time() - before_s:.1f} s")
        for rich in (False, True):
            book = PriceBook(current=version(rich))
            before_s = time.process_time()
            rated = rate(book, Reader(path).usage())
            took_s = time.process_time() - before_s
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
            print(
                f"{'tiers and off-peak' if rich else 'plain prices'}: {took_s:.1f} s with reading, "
                f"{len(rated.lines):,} lines, {peak} MiB at most"
            )


if __name__ == "__main__":
    main()
