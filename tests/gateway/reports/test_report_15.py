"""Report 15 (litellm 12685, 27954, 38193, 13546, 21046; production-stack 687, 707): memory grows.

There a router's prefix tree and a proxy's logs grew until the process was killed. Ours: every table
that the gateway holds is counted, by walking all that it refers to; fresh prompts, users, keys,
models and connections leave none longer. The long soak is `make soak`.
"""

from __future__ import annotations

import gc
import types
from collections import Counter, deque
from collections.abc import Iterator

from tests.fakes.upstream import Upstream
from tests.gateway.world import authorization, fetch, until

from neocloud.gateway.tenants.callers import Ranges

from .stage import PATHS, STREAMING, Stage, before, body_of, rules_of

ROUND = 100
SLACK = 40
"""Entries that may come and go between two looks: connections, callbacks, a commit under way."""
_LEFT_OUT = (type, types.ModuleType, types.FunctionType, types.FrameType, types.CodeType)
_TABLES = (dict, list, set, deque)


def reachable(root: object) -> Iterator[object]:
    """All that an object of ours refers to, itself first; what is no object of ours is no way."""
    seen, waiting = {id(root)}, [root]
    while waiting:
        found = waiting.pop()
        yield found
        for each in gc.get_referents(found):
            ours = type(each).__module__.startswith(("neocloud", "builtins", "collections"))
            if id(each) not in seen and ours and not isinstance(each, _LEFT_OUT):
                seen.add(id(each))
                waiting.append(each)


def entries(root: object) -> Counter[str]:
    """Entries of all tables that an object refers to, by the kind of what is in them."""
    found: Counter[str] = Counter()
    for table in reachable(root):
        if isinstance(table, _TABLES) and table:
            kind = type(next(iter(table.values() if isinstance(table, dict) else table)))
            found[f"{type(table).__name__} of {kind.__module__}.{kind.__qualname__}"] += len(table)
    return found


async def fresh(up: Stage, first: int) -> None:
    """Requests of which no two have a prompt, a user, a key, a model or a field in common."""
    for number in range(first, first + ROUND):
        text = f"CHUNKS=2 {number} " + f"{number:09}" * 600
        for api in PATHS:
            fields: dict[str, object] = {"user": f"u{number}", f"field{number}": number}
            if api in STREAMING and number % 2:
                fields["stream"] = True
            body = body_of(api, text, **fields)
            path = f"{PATHS[api]}?q={number}".encode()
            headers = (*authorization(), (f"x-{number}".encode(), b"1"),
                       (b"x-request-id", b"%d" % number))  # fmt: skip
            answer = await fetch(up.pool, b"POST", path, headers, body)
            assert answer.status == 200
        for refused in (
            await up.post("chat", body_of("chat"), key=f"unknown{number}"),
            await up.post("chat", body_of("chat", model=f"model{number}")),
            await up.get(f"/page{number}"),
            await up.get(f"/v1/models/model{number}"),
            await fetch(
                up.pool, b"POST", PATHS["chat"].encode(),
                (*authorization(), (b"x-neocloud-metro", b"metro%d" % number)), body_of("chat"),
            ),
        ):  # fmt: skip
            assert refused.status in (400, 401, 404)
        await up.post("chat", body_of("chat", f"STATUS=400 {number}"))
        taken = await up.taken("chat", body_of("chat", f"FAULT=truncate {number}", stream=True))
        assert not taken.whole


def test_report_15_no_table_grows_with_what_clients_send(tmp_path):
    # Fails if anything is kept for each prompt, key or request: it would be 100 entries longer.
    # Seen to fail with a dictionary of prompts' hashes.
    async def test(up: Stage, upstream: Upstream) -> None:
        sizes = []
        for number in range(3):
            await fresh(up, number * ROUND)
            await up.settled(0)
            await until(lambda: up.gateway.ledger.committed >= len(up.usage()))
            gc.collect()
            sizes.append(entries(up.gateway))
        _, before_, after = sizes
        assert sum(before_.values()) > 100, "the walk has found no tables"
        grown = {kind: n - before_[kind] for kind, n in after.items() if n > before_[kind] + SLACK}
        assert not grown
        assert sum(after.values()) <= sum(before_.values()) + SLACK

    rules = rules_of(sites=lambda metro: None if metro else {})
    before(tmp_path, test, rules=rules, within_s=120)


def test_report_15_addresses_are_bounded():
    # The one table that is as long as there are callers, up to a bound.
    ranges = Ranges({"10.0.0.0/8": "frankfurt"})
    sizes = []
    for number in range(40_000):
        address = f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"
        assert ranges.metro(address) == "frankfurt"
        if number % 20_000 == 19_999:
            sizes.append(sum(entries(ranges).values()))
    assert sizes[0] == sizes[1] < 20_000
