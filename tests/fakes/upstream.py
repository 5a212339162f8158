"""A fake upstream that behaves as it is told and counts exactly what it gave.

It speaks `/v1/chat/completions`, `/v1/completions`, `/v1/embeddings`, `/v1/responses`,
`/v1/messages`, `/v1/models`, `/health` and `/metrics` (vLLM's names). It shares no code with
neocloud, so that a mistake of ours does not hide itself.

What it does with a request is told in words (`behaviour.py` explains each word and fault):

    FAULT=truncate AFTER=2 CHUNKS=5 TOKENS=12 PACE_MS=3 SPLIT=7 USAGE=last CACHED=3 TAG=r17

They may stand, the later beating the earlier,

- in the default: `--behaviour "CHUNKS=5"`, `Upstream(behaviour_of("CHUNKS=5"))`, or a POST of the
  words to `/behaviour`;
- in the queue for next requests, one behaviour a request: `upstream.next.append(...)`, or a POST to
  `/next`, a line for each request;
- anywhere in the body of the request itself, so in the prompt of any client or load tool.

In the loop of a test:

    async with running("CHUNKS=5") as upstream:
        upstream.url, upstream.count.totals, upstream.heard[-1].body

As a process of its own, which outlives whatever is killed beside it and ends with whoever started
it (it watches its standard input):

    with process("PACE_MS=3") as url: ...
    python -m tests.fakes.upstream --listen 127.0.0.1:0 --models m,other   # from the repository

The first line of its output is its URL. `GET /count` gives the totals, `GET /requests` a row for
each of the last requests, `GET /tags` how often each TAG was asked for and answered whole,
`GET /heard` the last request as it came.

- `POST /reset` starts counting anew;
- `POST /drain` makes it refuse with 500 while `/health` says 200, `/drain?kind=sglang` with 503;
- `POST /mute` makes it take everything and answer nothing, `/health` neither;
- `POST /resume` ends either;
- `POST /deaf` closes the listening socket: connections are refused, open ones live on;
- `POST /listen` opens it again, on the same port.

Counts: prompt tokens count once a request is taken, completion tokens once their event is written
(for an unstreamed answer, once they would have been generated). `whole_*` count only answers that
were written to their end. A client that leaves earlier is in `aborted`, with the moment at which
that was noticed in `aborts`.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import socket
import subprocess
import sys
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import msgspec
import uvloop

from .asking import APIS, Asked, NotServedError, amounts_of, read
from .behaviour import PLAIN, Behaviour, behaviour_of, behaviour_of_body
from .connection import Connection
from .counting import Count, metrics_page
from .script import JSON, Script, Step, head, length, refusal, script_of
from .wording import encode

ROOT = Path(__file__).resolve().parents[2]
HEARD = 1000
STEERING = (
    "/count", "/requests", "/tags", "/heard", "/behaviour", "/next", "/reset", "/drain", "/mute",
    "/resume", "/deaf", "/listen",
)  # fmt: skip


class Heard(msgspec.Struct, frozen=True):
    """A request to an API route as it came."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    def json(self) -> dict:
        """Its body."""
        return msgspec.json.decode(self.body)


class Upstream:
    """What one fake upstream is told and has done.

    Args:
        behaviour: with requests that say nothing else.
        models: that it serves; others get 404. None: any.
        context: tokens of prompt and answer together; more gets 400. 0: no bound.
        max_open: requests at once; more get 503. 0: no bound.

    Attributes:
        next: behaviours of the next requests, one each.
        heard: the last requests to API routes.
        drain: empty; `vllm` or `sglang` while it drains as they do.
        mute: nothing is answered, on any page but those that steer it.
    """

    def __init__(
        self,
        behaviour: Behaviour = PLAIN,
        *,
        models: tuple[str, ...] | None = ("m",),
        context: int = 0,
        max_open: int = 0,
    ) -> None:
        self.behaviour = behaviour
        self.models = models
        self.context = context
        self.max_open = max_open
        self.count = Count()
        self.next: deque[Behaviour] = deque()
        self.heard: deque[Heard] = deque(maxlen=HEARD)
        self.drain = ""
        self.mute = False
        self.connections: set[Connection] = set()
        self._server: asyncio.Server | None = None
        self._address = ("127.0.0.1", 0)

    @property
    def url(self) -> str:
        """Where it listens, or listened before it went deaf."""
        host, port = self._address
        return f"http://{host}:{port}"

    @property
    def address(self) -> tuple[str, int]:
        """The same as host and port."""
        return self._address

    async def listen(self, host: str | None = None, port: int | None = None) -> None:
        """Listen; again on the same port after `deaf`."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: Connection(self),
            self._address[0] if host is None else host,
            self._address[1] if port is None else port,
            backlog=4096,
        )
        self._address = self._server.sockets[0].getsockname()[:2]

    async def deaf(self) -> None:
        """Refuse connections from now on; those that are open live on."""
        if self._server is not None:
            self._server.close()
            self._server = None
            await asyncio.sleep(0)

    async def close(self) -> None:
        """Cut everything."""
        await self.deaf()
        for connection in list(self.connections):
            connection.cut()
        while self.connections:
            await asyncio.sleep(0)

    # for connections

    def answer(self, connection: Connection) -> None:
        """Say what goes back for the request that the connection holds."""
        path = connection.target.partition("?")[0]
        if self.mute and path not in STEERING:
            connection.play(Script(steps=(), end="hang"))
            return
        api = APIS.get(path)
        if api is None or connection.method != "POST":
            connection.play(self._page(connection, path))
            return
        body = connection.body
        fields = {name.decode("latin-1"): value.decode("latin-1") for name, value in
                  connection.headers.items()}  # fmt: skip
        self.heard.append(Heard(connection.method, connection.target, fields, body))
        behaviour = self.next.popleft() if self.next else self.behaviour
        try:
            behaviour = behaviour_of_body(body, behaviour)
            row = self.count.begin(api, behaviour.tag)
        except ValueError as error:  # msgspec's too
            row = self.count.begin(api, "")
            refused = NotServedError(400, f"words of the fake upstream: {error}")
            connection.play(refusal(api, refused, PLAIN), row)
            return
        try:
            asked = read(api, body)
            self._admit(asked)
            amounts = amounts_of(asked, behaviour)
            self._fit(amounts.prompt, asked.max_tokens or 1)
        except NotServedError as refused:
            connection.play(refusal(api, refused, behaviour), row)
            return
        script = script_of(asked, amounts, behaviour)
        if script.taken:
            told = (amounts.prompt, max(0, amounts.cached), max(0, amounts.reasoning))
            self.count.prompt(row, *told)
        connection.play(script, row, behaviour)

    def _admit(self, asked: Asked) -> None:
        if self.drain:
            raise NotServedError(500, "the engine is shutting down")
        if self.models is not None and asked.model not in self.models:
            message = f"The model `{asked.model}` does not exist."
            raise NotServedError(404, message, "model_not_found", "model")
        if self.max_open and self.count.totals.open > self.max_open:
            raise NotServedError(503, f"{self.max_open} requests are open already")

    def _fit(self, prompt: int, most: int) -> None:
        if self.context and prompt + most > self.context:
            said = f"{prompt} prompt tokens and {most} more exceed {self.context}"
            raise NotServedError(400, said, "context_length_exceeded", "max_tokens")

    def _page(self, connection: Connection, path: str) -> Script:
        """Pages about the upstream, and the routes that steer it."""
        loop, say = asyncio.get_running_loop(), connection.body.decode()
        query = connection.target.partition("?")[2]
        count = self.count
        status, kind, body = 200, JSON, b"{}"
        if path == "/health":
            status, body = (503 if self.drain == "sglang" else 200), b""
        elif path == "/metrics":
            kind = b"content-type: text/plain; version=0.0.4\r\n"
            body = metrics_page(count, (self.models or ("m",))[0])
        elif path == "/v1/models":
            models = [{"id": m, "object": "model"} for m in self.models or ("m",)]
            body = encode({"object": "list", "data": models})
        elif path == "/count":
            body = encode(count.totals)
        elif path == "/requests":
            body = encode(list(count.rows))
        elif path == "/tags":
            tags = {t: {"asked": n, "whole": count.whole[t]} for t, n in count.asked.items()}
            body = encode(tags)
        elif path == "/heard":
            last = self.heard[-1] if self.heard else Heard("", "", {}, b"")
            body = encode({**msgspec.structs.asdict(last), "body": last.body.decode()})
        elif path == "/behaviour":
            self.behaviour = behaviour_of(say)
        elif path == "/next":
            self.next += [behaviour_of(line, self.behaviour) for line in say.splitlines()]
        elif path == "/reset":
            self.count = Count()
        elif path in ("/drain", "/resume"):
            self.drain = "" if path == "/resume" else query.removeprefix("kind=") or "vllm"
            self.mute = False
        elif path == "/mute":
            self.mute = True
        elif path in ("/deaf", "/listen"):
            loop.create_task(self.deaf() if path == "/deaf" else self.listen())
        else:
            status, body = 404, encode({"error": {"message": f"no page {path}", "code": 404}})
        return Script(steps=(Step(head(status, kind, length(body)) + body),))


@asynccontextmanager
async def running(words: str = "", **settings: object) -> AsyncIterator[Upstream]:
    """A fake upstream in this event loop; `settings` are those of `Upstream`."""
    upstream = Upstream(behaviour_of(words), **settings)
    await upstream.listen()
    try:
        yield upstream
    finally:
        await upstream.close()


@contextmanager
def process(words: str = "", *options: str) -> Iterator[str]:
    """A fake upstream in a process of its own; its URL. It ends with the context."""
    command = [sys.executable, "-m", "tests.fakes.upstream", "--behaviour", words, *options]
    child = subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8"
    )
    try:
        url = child.stdout.readline().strip()
        assert url.startswith("http://"), f"the fake upstream did not start: {url!r}"
        yield url
    finally:
        child.stdin.close()  # it ends with it
        try:
            child.wait(5)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        child.stdout.close()


def refused_address() -> tuple[str, int]:
    """Host and port where nobody listens."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()


async def _serve(given: argparse.Namespace) -> None:
    upstream = Upstream(
        behaviour_of(given.behaviour),
        models=tuple(given.models.split(",")) if given.models else None,
        context=given.context,
        max_open=given.max_open,
    )
    host, _, port = given.listen.rpartition(":")
    await upstream.listen(host, int(port))
    print(upstream.url, flush=True)
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()

    def look() -> None:
        if not os.read(sys.stdin.fileno(), 4096):
            loop.remove_reader(sys.stdin.fileno())
            ended.set()

    if not sys.stdin.isatty() and not given.forever:
        loop.add_reader(sys.stdin.fileno(), look)
    await ended.wait()
    await upstream.close()


def main() -> None:
    """Serve until standard input ends."""
    parser = argparse.ArgumentParser(description="A fake upstream; see its module's docstring.")
    parser.add_argument("--listen", default="127.0.0.1:0")
    parser.add_argument("--behaviour", default="", help="words, as CHUNKS=5 PACE_MS=3")
    parser.add_argument("--models", default="m", help="names, by comma; empty takes any")
    parser.add_argument("--context", type=int, default=0)
    parser.add_argument("--max-open", type=int, default=0)
    parser.add_argument("--forever", action="store_true", help="do not watch standard input")
    uvloop.run(_serve(parser.parse_args()))


if __name__ == "__main__":
    main()
