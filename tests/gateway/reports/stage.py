"""A gateway before fake upstreams of any kind, with its ledger, all in one event loop.

The fakes (`tests/fakes`) share no code with neocloud and count what they give: what the ledger says
is compared with what they say.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.fakes.upstream import Upstream, running
from tests.gateway.scripted import Mock, Script
from tests.gateway.world import KEY, Taker, authorization, run, until

from neocloud.engines import Endpoint, endpoint_of_url
from neocloud.gateway import Callers, Fleet, Gateway, ModelRule, Rules, TenantRule
from neocloud.gateway import fleet_of_endpoints as fleet_of
from neocloud.gateway.apis.refusals import refusal
from neocloud.gateway.tenants.rules import TokenPrice
from neocloud.ledger import AttemptEvent, KeyRing, Ledger, Reader, UsageEvent, given_key
from neocloud.quotas import Quotas
from neocloud.wire import Address, Call, Client, ClientLimits, Pool, Response, Server, fetch, serve

PRICE = TokenPrice(input=3, cached_input=1, output=11)
PATHS = {
    "chat": "/v1/chat/completions",
    "completions": "/v1/completions",
    "embeddings": "/v1/embeddings",
    "responses": "/v1/responses",
    "messages": "/v1/messages",
}
"""Where each API is posted to."""
STREAMING = ("chat", "completions", "responses", "messages")
LIMIT = 400
"""Output tokens that a request asks for, where a test does not say."""


def body_of(api: str, text: str = "one two", model: str = "m", **fields: Any) -> bytes:
    """A request of an API that asks about a text; `stream` and whatever else in `fields`."""
    limit = fields.pop("limit", LIMIT)
    turns = [{"role": "user", "content": text}]
    said: dict[str, Any] = {
        "chat": {"messages": turns, "max_tokens": limit},
        "completions": {"prompt": text, "max_tokens": limit},
        "embeddings": {"input": text},
        "responses": {"input": text, "max_output_tokens": limit},
        "messages": {"messages": turns, "max_tokens": limit},
    }[api]
    said = {"model": model, **said, **fields}
    return json.dumps({name: value for name, value in said.items() if value is not None}).encode()


def rules_of(
    tenants: Mapping[str, TenantRule] | None = None,
    models: tuple[str, ...] = ("m",),
    price: TokenPrice = PRICE,
    sites: Callable[[str], dict[str, float] | None] = lambda _metro: {},
) -> Rules:
    rule = ModelRule(max_output_tokens=None, ttft_budget_s=60.0, price=price)
    return Rules(
        models=dict.fromkeys(models, rule),
        tenants=tenants or {"acme": TenantRule()},
        round_trips=sites,
        default_metro="",
        price_version="p1",
    )


@dataclass
class Stage:
    gateway: Gateway
    server: Server
    ledger: Ledger
    pool: Pool
    path: Path
    client: Client = field(repr=False)

    @property
    def fleet(self) -> Fleet:
        return self.gateway.fleet

    async def get(self, page: str, key: str = KEY) -> Response:
        return await fetch(self.pool, b"GET", page.encode(), authorization(key))

    async def post(self, api: str, body: bytes, key: str = KEY) -> Response:
        """The answer to a request that is posted to an API."""
        path = PATHS.get(api, api).encode()
        return await fetch(self.pool, b"POST", path, authorization(key), body, timeout_s=30)

    def send(self, api: str, body: bytes, taker: Taker, key: str = KEY) -> Call:
        return self.pool.request(b"POST", PATHS[api].encode(), taker, authorization(key), body)

    async def taken(self, api: str, body: bytes, key: str = KEY) -> Taker:
        taker = Taker()
        self.send(api, body, taker, key)
        await taker.ended.wait()
        return taker

    def usage(self) -> list[UsageEvent]:
        return list(Reader(self.path).usage())

    def attempts(self) -> list[AttemptEvent]:
        return list(Reader(self.path).attempts())

    async def settled(self, count: int) -> list[UsageEvent]:
        """All usage events, once there are so many and none is open."""
        await until(lambda: not self.ledger.open_requests and len(self.usage()) >= count)
        return self.usage()


def endpoints_of(
    upstreams: tuple[Upstream | str, ...],
    kind: str,
    models: tuple[str, ...],
    alike: bool,
    speaks: frozenset[str] | None,
) -> list[Endpoint]:
    """One replica an upstream and model; each on a site of its own unless they are alike."""
    return [
        endpoint_of_url(
            upstream if isinstance(upstream, str) else upstream.url,
            replica=f"{'here' if alike else f'site{number}'}/pool/{model}/{number}",
            model=model,
            kind=kind,
            key="engine",
            speaks=speaks,
        )
        for number, upstream in enumerate(upstreams)
        for model in models
    ]


@asynccontextmanager
async def stage(
    folder: Path,
    *upstreams: Upstream | str,
    rules: Rules | None = None,
    kind: str = "vllm",
    keys: Mapping[str, str] | None = None,
    alike: bool = True,
    worker: int = 0,
    speaks: frozenset[str] | None = None,
) -> AsyncIterator[Stage]:
    """A gateway before these upstreams. At the end nothing is open and nothing in flight.

    Args:
        folder: of its ledger.
        upstreams: fakes, or URLs.
        rules: one model `m` and one tenant `acme` unless given.
        kind: of the engines, as the gateway takes them.
        keys: tenant by key; one of the first tenant unless given.
        alike: the replicas are one pool; else each has a site of its own.
        worker: number of the process that it plays.
        speaks: APIs of the engines, where they are not those of the kind.
    """
    rules = rules or rules_of()
    keys = keys or {KEY: next(iter(rules.tenants))}
    path = folder / "ledger.db"
    loop = asyncio.get_running_loop()
    async with AsyncExitStack() as stack:
        deliver = loop.call_soon_threadsafe
        ledger = Ledger(path, worker=worker, now_ns=time.time_ns(), deliver=deliver)
        stack.push_async_callback(asyncio.to_thread, ledger.close)
        client = Client(ClientLimits(connect_timeout_s=20.0))  # a busy machine is no fault
        stack.push_async_callback(client.close)
        fleet = fleet_of(endpoints_of(upstreams, kind, tuple(rules.models), alike, speaks), client)
        limits = {name: rule.limit for name, rule in rules.tenants.items() if rule.limit}
        quotas = Quotas(limits)
        await quotas.start()
        ring = KeyRing(tuple(given_key(key, tenant) for key, tenant in keys.items()))
        gateway = Gateway(rules, fleet, ledger, quotas, Callers(rules, ring))
        server = await serve(gateway.handle, "127.0.0.1", 0, None, refusal)
        try:
            pool = client.pool(Address(*server.address))
            yield Stage(gateway, server, ledger, pool, path, client)
        finally:
            await server.close_gracefully(0)
    assert ledger.open_requests == 0
    assert [state.in_flight for state in fleet.states] == [0] * len(fleet.states)
    assert not list(Reader(path).open_requests())


@asynccontextmanager
async def scripted(script: Script) -> AsyncIterator[tuple[Mock, str]]:
    """An engine that speaks chat and does, piece by piece, what a script says; and its URL."""
    mock = Mock(script)
    server = await serve(mock.handle, "127.0.0.1", 0)
    try:
        yield mock, f"http://{Address(*server.address)}"
    finally:
        await server.close_gracefully(0)


def before(
    folder: Path,
    test: Callable[[Stage, Upstream], Any],
    words: str = "",
    within_s: float = 60,
    **settings: Any,
) -> None:
    """Run a test of a gateway before one fake upstream that behaves as the words say."""

    async def main() -> None:
        async with running(words) as upstream, stage(folder, upstream, **settings) as up:
            await test(up, upstream)

    run(main, within_s)
