"""A cloud of one site and two emulated replicas, served in this very process or in its own."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import msgspec
import uvloop

from neocloud.catalog import Catalog, load_catalog
from neocloud.engines import Endpoint, EngineMetrics, scrape
from neocloud.engines.emulated.answering import Engine
from neocloud.engines.emulated.building import build_engines, fingerprint
from neocloud.engines.emulated.service import Service
from neocloud.engines.emulated.wording import refusal
from neocloud.perf import StepTable
from neocloud.planner import Plan, make_plan, placement_table
from neocloud.spec import Cloud, load_cloud
from neocloud.wire import (
    Address,
    Client,
    InPieces,
    Pool,
    Response,
    Server,
    UpstreamError,
    fetch,
    serve,
)

CLOUD = Path(__file__).with_name("cloud.yaml")
CHAT = b"/v1/chat/completions"


@cache
def cloud() -> tuple[Cloud, Catalog]:
    catalog = load_catalog()
    return load_cloud(CLOUD, catalog), catalog


@cache
def plan() -> Plan:
    return make_plan(*cloud())


def plan_with(**configuration: int) -> Plan:
    """The plan, its replicas configured otherwise; `kv_tokens` is among the things to set."""
    (placement,) = plan().placements
    kv_tokens = configuration.pop("kv_tokens", placement.kv_tokens)
    changed = msgspec.structs.replace(
        placement,
        configuration=msgspec.structs.replace(placement.configuration, **configuration),
        kv_tokens=kv_tokens,
    )
    return msgspec.structs.replace(plan(), placements=(changed,))


def table() -> StepTable:
    return placement_table(*cloud(), plan().placements[0])


@dataclass
class World:
    server: Server
    engines: dict[str, Engine]
    pool: Pool
    endpoints: tuple[Endpoint, ...]
    service: Service

    @property
    def first(self) -> Endpoint:
        return self.endpoints[0]

    async def get(self, page: bytes) -> Response:
        return await fetch(self.pool, b"GET", self.first.prefix + page)

    async def post(self, body: object, page: bytes = CHAT) -> Response:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return await fetch(self.pool, b"POST", self.first.prefix + page, (), data, timeout_s=30)

    async def metrics(self) -> EngineMetrics:
        found = await scrape(self.pool, self.first)
        assert found is not None
        return found

    async def until(self, condition: Callable[[EngineMetrics], bool]) -> EngineMetrics:
        while not condition(found := await self.metrics()):
            await asyncio.sleep(0.005)
        return found


@asynccontextmanager
async def serving(
    of_plan: Plan | None = None,
    *,
    max_queue: int = 0,
    speed: float = 1.0,
    noise: float = 0.0,
    **settings: object,
) -> AsyncIterator[World]:
    """Serve the plan, each step `speed` times as fast as planned; `settings` are the service's."""
    used = of_plan or plan()
    engines = build_engines(*cloud(), used, max_queue=max_queue, speed=speed, noise=noise)
    service = Service(engines, fingerprint(used), **settings)
    server = await serve(service, "127.0.0.1", 0, None, refusal)
    client = Client()
    address = Address(*server.address)
    endpoints = tuple(
        Endpoint(
            replica=name,
            address=address,
            prefix=b"/replicas/" + name.encode(),
            kind="emulated",
            model="llama",
        )
        for name in engines
    )
    try:
        yield World(server, engines, client.pool(address), endpoints, service)
    finally:
        await client.close()
        await server.close_gracefully(0)
        for engine in engines.values():
            engine.replica.close()


def run(test: Callable[[], Awaitable[None]], within_s: float = 60) -> None:
    """Run a test in an event loop; it fails if it hangs."""

    async def main() -> None:
        async with asyncio.timeout(within_s):
            await test()

    uvloop.run(main())


def chat(text: str, **fields: object) -> dict[str, object]:
    return {"model": "llama", "messages": [{"role": "user", "content": text}], **fields}


class Stream(InPieces):
    """Takes a streamed answer; when each piece came is on record."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[bytes, bytes] = {}
        self.body = b""
        self.times: list[float] = []
        self.begun = asyncio.Event()
        self.some = asyncio.Event()
        self.ended = asyncio.Event()
        self.error: UpstreamError | None = None

    def on_head(self, head) -> None:
        self.status, self.headers = head.status, head.headers
        self.begun.set()

    def on_data(self, data: bytes) -> None:
        self.body += data
        self.times += [asyncio.get_running_loop().time()] * data.count(b'"content":"')
        self.some.set()

    def on_end(self) -> None:
        self.ended.set()

    def on_error(self, error: UpstreamError) -> None:
        self.error = error
        self.begun.set()
        self.some.set()
        self.ended.set()

    def events(self) -> list[dict]:
        *events, last, rest = self.body.decode().split("\n\n")
        assert (last, rest) == ("data: [DONE]", "")
        return [json.loads(event.removeprefix("data: ")) for event in events]

    def text(self) -> str:
        return "".join(
            choice["delta"].get("content", "") if "delta" in choice else choice["text"]
            for event in self.events()
            for choice in event["choices"]
        )


def stream(pool: Pool, endpoint: Endpoint, body: dict[str, object], page: bytes = CHAT):
    """Ask for a stream; the call under way and what takes it."""
    taker = Stream()
    data = json.dumps({"stream": True, **body}).encode()
    return pool.request(b"POST", endpoint.prefix + page, taker, (), data), taker


async def streamed(world: World, body: dict[str, object], page: bytes = CHAT) -> Stream:
    """A whole stream."""
    _, taker = stream(world.pool, world.first, body, page)
    await taker.ended.wait()
    assert taker.error is None
    return taker
