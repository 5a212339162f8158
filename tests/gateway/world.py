"""A gateway before engines that are scripted, with its ledger, all in one event loop."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import uvloop

from neocloud.engines import Endpoint
from neocloud.gateway import (
    Callers,
    Fleet,
    Gateway,
    ModelRule,
    Rules,
    TenantRule,
    fleet_of_endpoints,
)
from neocloud.gateway.apis.refusals import refusal
from neocloud.ledger import KeyRing, Ledger, Reader, UsageEvent, given_key
from neocloud.quotas import Quotas
from neocloud.wire import (
    Address,
    Call,
    Client,
    InPieces,
    Limits,
    Pool,
    Response,
    ResponseHead,
    Server,
    UpstreamError,
    fetch,
    serve,
)

from .scripted import Mock, Script

CHAT = b"/v1/chat/completions"
KEY = "the-key"
SITES = ("near", "far", "farther", "farthest")
METROS = ("frankfurt",)


def rules_with(**tenant: frozenset[str]) -> Rules:
    """Two models, one tenant; sites stand the further away the later they are named."""
    budget = ModelRule(max_output_tokens=50, ttft_budget_s=60.0)
    return Rules(
        models={"m": budget, "other": budget},
        tenants={"acme": TenantRule(**tenant)},
        round_trips=lambda metro: (
            {site: 0.2 * number for number, site in enumerate(SITES)} if metro in METROS else None
        ),
        default_metro=METROS[0],
        price_version="p1",
    )


def ask(text: str = "hello", **fields: object) -> dict[str, object]:
    return {"model": "m", "messages": [{"role": "user", "content": text}], **fields}


def authorization(key: str = KEY) -> tuple[tuple[bytes, bytes], ...]:
    return ((b"authorization", b"Bearer " + key.encode()),)


class Taker(InPieces):
    """Takes an answer as it comes."""

    def __init__(self, on_end: Callable[[Taker], None] = lambda _: None) -> None:
        self.status = 0
        self.headers: dict[bytes, bytes] = {}
        self.body = b""
        self.some = asyncio.Event()
        self.ended = asyncio.Event()
        self.error: UpstreamError | None = None
        self._on_end = on_end

    @property
    def whole(self) -> bool:
        return self.ended.is_set() and self.error is None

    @property
    def request_id(self) -> str:
        return self.headers.get(b"x-request-id", b"").decode()

    def on_head(self, head: ResponseHead) -> None:
        self.status, self.headers = head.status, head.headers

    def on_data(self, data: bytes) -> None:
        self.body += data
        self.some.set()

    def on_end(self) -> None:
        self._on_end(self)
        self._over()

    def on_error(self, error: UpstreamError) -> None:
        self.error = error
        self._over()

    def _over(self) -> None:
        self.some.set()
        self.ended.set()


@dataclass
class World:
    gateway: Gateway
    server: Server
    ledger: Ledger
    pool: Pool
    path: Path
    mocks: list[Mock]
    client: Client = field(repr=False)
    servers: list[Server] = field(repr=False)

    @property
    def fleet(self) -> Fleet:
        return self.gateway.fleet

    async def get(self, page: str, key: str | None = KEY) -> Response:
        headers = () if key is None else authorization(key)
        return await fetch(self.pool, b"GET", page.encode(), headers)

    async def post(
        self, body: object, headers: tuple[tuple[bytes, bytes], ...] = authorization()
    ) -> Response:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return await fetch(self.pool, b"POST", CHAT, headers, data, timeout_s=20)

    def send(self, body: object, taker: Taker) -> Call:
        return self.pool.request(b"POST", CHAT, taker, authorization(), json.dumps(body).encode())

    async def taken(self, body: object) -> Taker:
        taker = Taker()
        self.send(body, taker)
        await taker.ended.wait()
        return taker

    def usage(self) -> list[UsageEvent]:
        return list(Reader(self.path).usage())

    async def event(self) -> UsageEvent:
        """The one usage event, once it is there."""
        await until(lambda: bool(self.usage()))
        (event,) = self.usage()
        return event


async def until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0.005)


def refused_address() -> Address:
    """Where nobody listens."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return Address(*found.getsockname())


@asynccontextmanager
async def before(
    folder: Path,
    *scripts: Script | Address,
    rules: Rules | None = None,
    limits: Limits | None = None,
    model: str = "m",
) -> AsyncIterator[World]:
    """A gateway before one engine a script, each on a site of its own.

    At the end no request is open and none is counted at a replica.
    """
    mocks, servers, endpoints = [], [], []
    for number, script in enumerate(scripts):
        address = script
        if not isinstance(address, Address):
            mocks.append(Mock(script))
            servers.append(await serve(mocks[-1].handle, "127.0.0.1", 0))
            address = Address(*servers[-1].address)
        endpoints.append(
            Endpoint(
                replica=f"{SITES[number]}/pool/m/0",
                address=address,
                prefix=b"",
                kind="remote",
                model=model,
                authorization=b"Bearer engine",
            )
        )
    path = folder / "ledger.db"
    loop = asyncio.get_running_loop()
    ledger = Ledger(path, worker=0, now_ns=time.time_ns(), deliver=loop.call_soon_threadsafe)
    client = Client()
    fleet = fleet_of_endpoints(endpoints, client)
    for state in fleet.states:
        state.model = "m"
    fleet = Fleet(fleet.backends)
    rules = rules or rules_with()
    quotas = Quotas({name: rule.limit for name, rule in rules.tenants.items() if rule.limit})
    await quotas.start()
    callers = Callers(rules, KeyRing((given_key(KEY, "acme"),)))
    gateway = Gateway(rules, fleet, ledger, quotas, callers)
    server = await serve(gateway.handle, "127.0.0.1", 0, limits, refusal)
    try:
        pool = client.pool(Address(*server.address))
        yield World(gateway, server, ledger, pool, path, mocks, client, servers)
    finally:
        await server.close_gracefully(0)
        await client.close()
        for mock_server in servers:
            await mock_server.close_gracefully(0)
        await asyncio.to_thread(ledger.close)
    assert ledger.open_requests == 0
    assert [state.in_flight for state in gateway.fleet.states] == [0] * len(endpoints)
    assert not list(Reader(path).open_requests())


def run(test: Callable[[], Awaitable[None]], within_s: float = 60) -> None:
    """Run a test in an event loop; it fails if it hangs."""

    async def main() -> None:
        async with asyncio.timeout(within_s):
            await test()

    uvloop.run(main())
