"""A worker that spends as fast as it can: `worker.py STORE NAME LIMITS LEDGER SEED [SPENT]`.

STORE is a path or a Redis URL, LIMITS a `TenantLimit` as JSON. Before it settles a request it
writes its time and cost to LEDGER, as the gateway does; it ends when the budget is used up, or when
its standard input closes. It begins with the first line of its standard input.
"""

from __future__ import annotations

import asyncio
import os
import random
import sys
import time
from pathlib import Path

import msgspec

from neocloud.quotas import (
    EmbeddedBank,
    Hold,
    Limited,
    NeedsLease,
    Patience,
    Quotas,
    Refusal,
    SharedBank,
    TenantLimit,
)

TENANT = "acme"
COST = 1000
"""The most that a request costs; it ends up costing between none and all of it."""
CLIENTS = 12


async def client(quotas: Quotas, chance: random.Random, ledger: int, over: asyncio.Event) -> None:
    while not over.is_set():
        outcome = quotas.admit(TENANT, COST, COST, time.monotonic())
        if isinstance(outcome, NeedsLease):
            outcome = await quotas.acquire(TENANT, COST, COST)
        if isinstance(outcome, Hold):
            begun = time.time()
            await asyncio.sleep(chance.random() * 0.01)
            cost = chance.randint(0, COST)
            os.write(ledger, b"%.6f %d\n" % (begun, cost))
            quotas.settle(outcome, cost, cost)
        elif isinstance(outcome, Refusal):
            if outcome.kind is Limited.BUDGET and outcome.retry_after_s > 3600:
                over.set()
            await asyncio.sleep(0.02)


async def until_closed(over: asyncio.Event) -> None:
    """The test closes our standard input when it has seen enough."""
    await asyncio.to_thread(sys.stdin.read)
    over.set()


async def main() -> None:
    store, name, limits, path, seed, *spent = sys.argv[1:]
    bank = SharedBank(store) if store.startswith("redis://") else EmbeddedBank(Path(store))
    quotas = Quotas(
        {TENANT: msgspec.json.decode(limits, type=TenantLimit)}, bank, worker=name,
        patience=Patience(period_s=0.1, wait_s=0.5),
    )  # fmt: skip
    await quotas.start({TENANT: int(spent[0])} if spent else None)
    ledger = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    over = asyncio.Event()
    running = asyncio.ensure_future(quotas.run())
    print("started", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    closing = asyncio.ensure_future(until_closed(over))
    chances = [random.Random(f"{seed} {number}") for number in range(CLIENTS)]
    await asyncio.gather(*(client(quotas, chance, ledger, over) for chance in chances))
    running.cancel()
    await quotas.close()
    print("done", flush=True)
    if not closing.done():
        os._exit(0)  # the thread that reads standard input has nothing to wait for


if __name__ == "__main__":
    asyncio.run(main())
