"""Clients that ask one thing after the other, in every API, and note what they saw."""

from __future__ import annotations

import asyncio
import json
import random
import re
from collections.abc import Callable
from typing import Any

import msgspec
from tests.gateway.crash.front import Front
from tests.gateway.world import KEY, Taker, authorization

from neocloud.wire import Client, UpstreamError, fetch

PATHS = {
    "chat": b"/v1/chat/completions",
    "completions": b"/v1/completions",
    "embeddings": b"/v1/embeddings",
    "responses": b"/v1/responses",
    "messages": b"/v1/messages",
}
COUNTED = frozenset({"chat", "completions", "responses", "messages"})
"""APIs in which vLLM tells its count in each event of a stream, if it is asked to; responses and
messages are put to it as chat."""
PACE_MS = 25
"""Between two tokens of a stream that is killed in its middle: so long that a gateway on a busy
machine takes one event at a time."""
_TOKEN = re.compile(rb"\bt(\d+) ")
_ENDS = {
    "chat": (b"data: [DONE]\n\n",),
    "completions": (b"data: [DONE]\n\n",),
    "responses": (b"response.completed", b"response.incomplete"),
    "messages": (b'"message_stop"',),
}
"""One of these stands at the end of a stream that a client takes as whole."""


def body_of(api: str, text: str, limit: int, **fields: Any) -> bytes:
    """A request about a text."""
    turns = [{"role": "user", "content": text}]
    said: dict[str, Any] = {
        "chat": {"messages": turns, "max_tokens": limit},
        "completions": {"prompt": text, "max_tokens": limit},
        "embeddings": {"input": text},
        "responses": {"input": text, "max_output_tokens": limit},
        "messages": {"messages": turns, "max_tokens": limit},
    }[api]
    return json.dumps({"model": "m", **said, **fields}).encode()


class Asked:
    """One request of a client, and what it saw of the answer.

    Attributes:
        tag: under which the upstream counts it.
        limit: `max_tokens`.
        told: the upstream tells its count in each event.
    """

    def __init__(
        self, api: str, tag: str, words: str, limit: int, taker: Taker, *, stream: bool, told: bool
    ) -> None:
        self.api = api
        self.tag = tag
        self.limit = limit
        self.taker = taker
        self.stream = stream
        self.told = told
        fields = {"stream": True} if stream else {}
        self.body = body_of(api, f"{words} TAG={tag}", limit, **fields)

    @property
    def whole(self) -> bool:
        """True if the client saw an answer to its end, by its API's own rules."""
        taker = self.taker
        if not taker.whole or taker.status != 200:
            return False
        if self.stream:
            return any(end in taker.body for end in _ENDS[self.api])
        return isinstance(json.loads(taker.body), dict)

    @property
    def seen(self) -> int:
        """Tokens of which the client saw the event."""
        return len(set(_TOKEN.findall(self.taker.body)))


def asked_at_random(chance: random.Random, tag: str, taker: Taker) -> Asked:
    """A request of any API, streamed or not, quick or slow."""
    api = chance.choice(tuple(PATHS))
    stream = api != "embeddings" and chance.random() < 0.7
    told = stream and api in COUNTED and chance.random() < 0.7
    pace = chance.choice((0, 3, PACE_MS))
    tokens = chance.randint(1, 12 if pace else 40)
    words = f"TOKENS={tokens} PACE_MS={PACE_MS if told else pace}"
    if api != "embeddings":  # whose usage tells of no cache
        words += " CACHED=1"
    if stream and api in COUNTED and not told:
        words += " USAGE=last"
    limit = tokens + chance.randint(0, 3)
    return Asked(api, tag, words, limit, taker, stream=stream, told=told)


class Load:
    """Clients of a gateway that comes and goes.

    Attributes:
        asked: all that was asked.
        in_flight: requests that were sent and not answered.
        answers_left: after so many answers, `at_answer` is called with the last byte; None: never.
        refused: answers that said 503.
        over: set to let the clients end.
    """

    def __init__(self, front: Front, seed: int) -> None:
        self._front = front
        self._seed = seed
        self.asked: list[Asked] = []
        self.in_flight = 0
        self.answers_left: int | None = None
        self.at_answer: Callable[[], None] = lambda: None
        self.answered = 0
        self.refused: list[Taker] = []
        self.over = False
        self.choose = asked_at_random

    def _over(self, _: Taker) -> None:
        """The last byte of an answer has come: the moment at which its event must be durable."""
        self.answered += 1
        if self.answers_left is not None:
            self.answers_left -= 1
            if self.answers_left <= 0:
                self.answers_left = None
                self.at_answer()

    async def client(self, number: int) -> None:
        """Ask one thing after the other until it is over."""
        chance = random.Random(f"{self._seed}/{number}")
        client = Client()
        try:
            while not self.over:
                address = self._front.address
                if address is None:
                    await asyncio.sleep(0.005)
                    continue
                taker = Taker(self._over)
                asked = self.choose(chance, f"r{number}-{len(self.asked)}", taker)
                self.asked.append(asked)
                self.in_flight += 1
                client.pool(address).request(
                    b"POST", PATHS[asked.api], taker, authorization(KEY), asked.body
                )
                await taker.ended.wait()
                self.in_flight -= 1
                if taker.status == 503:
                    self.refused.append(taker)
                    await asyncio.sleep(0.05)
        finally:
            await client.close()

    def clients(self, count: int) -> list[asyncio.Task[None]]:
        return [asyncio.create_task(self.client(number)) for number in range(count)]


class Row(msgspec.Struct):
    """What the upstream says of one request."""

    tag: str
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    outcome: str


class Given(msgspec.Struct, frozen=True):
    """What the upstream says it was asked and gave."""

    requests: int
    rows: dict[str, Row]
    times: dict[str, int]
    """How often it was asked, by tag."""


async def given_by(url: str) -> Given:
    """The upstream's own count."""
    from neocloud.wire import Address

    client = Client()
    try:
        pool = client.pool(Address.of_url(url))
        total = json.loads((await fetch(pool, b"GET", b"/count")).body)["requests"]
        rows = msgspec.json.decode((await fetch(pool, b"GET", b"/requests")).body, type=list[Row])
        tags = json.loads((await fetch(pool, b"GET", b"/tags")).body)
    finally:
        await client.close()
    assert len(rows) == total, "the upstream keeps no row for each request"
    return Given(total, {row.tag: row for row in rows}, {t: n["asked"] for t, n in tags.items()})


async def page(front: Front, path: bytes) -> int:
    """Status of one of the gateway's pages; 0 if it cannot be had."""
    assert front.address is not None
    client = Client()
    try:
        return (await fetch(client.pool(front.address), b"GET", path)).status
    except UpstreamError:
        return 0
    finally:
        await client.close()
