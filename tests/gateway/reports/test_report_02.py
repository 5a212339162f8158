"""Report 2 (litellm 29292): a flush writes the first 100 rows, and drops the rest without a word.

Ours: thousands of distinct (tenant, key, model) are served before anything is shipped, then shipped
at once; each of them is in the store. Days differ in the ledger's own test of the same report.
"""

from __future__ import annotations

import asyncio
import itertools
import sqlite3

from tests.gateway.world import run, until

from neocloud.gateway import TenantRule
from neocloud.ledger import Shipper, UsageEvent
from neocloud.ledger.place import place_of

from .stage import Stage, body_of, rules_of, running, stage

TENANTS = tuple(f"tenant{n}" for n in range(40))
KEYS_EACH = 5
MODELS = tuple(f"model{n}" for n in range(10))
AT_ONCE = 64


def combination(event: UsageEvent) -> tuple[str, str, str]:
    return event.tenant, event.key_id, event.model


def test_report_02_two_thousand_rows_of_one_flush_are_all_written(tmp_path):
    # Fails if a flush is cut short anywhere: the store is read without the segments, which are
    # still there. Seen to fail with a shipper whose batch keeps its first 100 rows.
    keys = {f"{tenant}-{n}": tenant for tenant in TENANTS for n in range(KEYS_EACH)}

    async def ask(up: Stage, rows: list[tuple[str, str]]) -> None:
        for key, model in rows:
            answer = await up.post("embeddings", body_of("embeddings", model=model), key=key)
            assert answer.status == 200

    async def test() -> None:
        rules = rules_of({name: TenantRule() for name in TENANTS}, MODELS)
        async with (
            running(models=None) as upstream,
            stage(tmp_path, upstream, rules=rules, keys=keys) as up,
        ):
            rows = list(itertools.product(keys, MODELS))
            await asyncio.gather(*(ask(up, rows[n::AT_ONCE]) for n in range(AT_ONCE)))
            events = await up.settled(len(rows))
            assert len({combination(event) for event in events}) == len(rows) == 2000
            with sqlite3.connect(f"file:{up.path}?mode=ro", uri=True) as store:
                assert store.execute("select count(*) from usage").fetchone() == (0,)
                shipper = await Shipper.start(place_of(up.path), up.ledger.note_shipping)
                await until(lambda: shipper.report.shipped >= len(rows))
                await shipper.stop()
                stored = "select count(*), count(distinct tenant || key_id || model) from usage"
                assert store.execute(stored).fetchone() == (len(rows), len(rows))
            store.close()
            assert [event.request_id for event in up.usage()] == [e.request_id for e in events]

    run(test)
