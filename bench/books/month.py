"""A month of a hundred tenants in a ledger, the same each time, and prices for it."""

from __future__ import annotations

import random
from decimal import Decimal
from pathlib import Path

from neocloud.books.prices import (
    Adjustment,
    Meter,
    ModelRates,
    PriceVersion,
    Tier,
    Tiering,
)
from neocloud.ledger import Status, UsageEvent
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


def fill(path: Path, count: int) -> None:
    """Make a ledger of so many events."""
    chance, store = random.Random(1), SqliteStore(path)
    store.create()
    for start in range(0, count, BATCH):
        numbers = range(start, min(start + BATCH, count))
        usage = [event(number, count, chance) for number in numbers]
        store.apply("bench", start + 1, Batch(usage=usage))
    store.close()
