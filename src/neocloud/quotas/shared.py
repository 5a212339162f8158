"""The store of workers on several machines: Redis or Valkey, with one script for all it does.

`shared.lua` runs in the server as one step, so that there is nothing to lock and nothing to retry;
a call whose answer was lost is mended by the next one (see `bank`).
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from neocloud.quotas.bank import Answer, Ask, CountGrant, Grant, RateAsk, RateGrant, Worker
from neocloud.quotas.errors import BankError, SupersededError
from neocloud.quotas.months import before

if TYPE_CHECKING:
    from redis.asyncio import Redis

PASSWORD = "NEOCLOUD_QUOTAS_PASSWORD"  # noqa: S105  (the name of the variable that holds it)
_TIMEOUT_S = 2.0
"""For connecting and for each answer."""
_GRANT = 17
"""Values in the answer to one ask: three for each of four kinds, what is spent, four flags."""


class SharedBank:
    """A `Bank` in the Redis or Valkey at `url`, as `redis://host:6379/0` (`rediss` for TLS).

    The password comes from the environment variable `NEOCLOUD_QUOTAS_PASSWORD`. Times are the
    server's own; `now_s` takes their place in tests.

    Raises:
        BankError: the extra `redis` is not installed.
    """

    def __init__(self, url: str, *, prefix: str = "neocloud", now_s: str = "") -> None:
        try:
            from redis.asyncio import Redis
            from redis.asyncio.retry import Retry
            from redis.backoff import NoBackoff
            from redis.exceptions import NoScriptError, RedisError
        except ImportError:
            raise BankError(
                f"limits in {url} need the redis package: pip install 'neocloud[redis]'"
            ) from None
        parts = urlsplit(url)
        self.where = f"{parts.hostname}:{parts.port or 6379}"
        self.now_s = now_s
        self._prefix = f"{{{prefix}}}:quotas:"  # one slot of a cluster
        self._errors: tuple[type[Exception], ...] = (RedisError, OSError, TimeoutError)
        self._no_script = NoScriptError
        self._redis: Redis = Redis.from_url(
            url, password=os.environ.get(PASSWORD), decode_responses=True,
            socket_timeout=_TIMEOUT_S, socket_connect_timeout=_TIMEOUT_S,
            retry=Retry(NoBackoff(), 0), max_connections=2,
        )  # fmt: skip
        self._source = (resources.files("neocloud.quotas") / "shared.lua").read_text()
        self._script = ""

    async def open(
        self, worker: Worker, month: str, tenants: Sequence[str], spent: Mapping[str, int] | None
    ) -> None:
        """See `Bank.open`."""
        last = before(month)
        pairs = [(tenant, key) for tenant in tenants for key in (month, last)]
        told = [
            "" if spent is None or key != month else str(spent.get(tenant, 0))
            for tenant, key in pairs
        ]
        await self._run("open", worker.name, worker.run, pairs, told)

    async def exchange(self, worker: Worker, sequence: int, asks: Sequence[Ask]) -> Answer:
        """See `Bank.exchange`."""
        told: list[str] = [
            str(sequence), repr(worker.lease_s), repr(worker.short_s), str(worker.expected)
        ]  # fmt: skip
        for ask in asks:
            told += _words(ask)
        pairs = [(ask.tenant, ask.month) for ask in asks]
        reply = await self._run("exchange", worker.name, worker.run, pairs, told)
        if reply[0] == "superseded":
            raise SupersededError(f"{self.where}: worker {worker.name} was started again")
        if reply[0] != "ok":
            raise BankError(f"{self.where}: exchange {sequence} came too late")
        count = int(reply[3])
        values = [str(value) for value in reply[4 + count :]]
        grants = tuple(_grant(values[i : i + _GRANT]) for i in range(0, len(values), _GRANT))
        return Answer(grants, int(reply[1]), frozenset(reply[4 : 4 + count]), bool(int(reply[2])))

    async def reconcile(self, tenant: str, month: str, spent: int, dead_s: float) -> None:
        """See `Bank.reconcile`."""
        await self._run("reconcile", "", "", [(tenant, month)], [str(spent), repr(dead_s)])

    async def leave(self, worker: Worker) -> None:
        """See `Bank.leave`."""
        await self._run("leave", worker.name, worker.run, [], [])

    async def close(self) -> None:
        """See `Bank.close`."""
        await self._redis.aclose()

    async def _run(
        self,
        action: str,
        worker: str,
        run: str,
        pairs: Sequence[tuple[str, str]],
        told: Sequence[str],
    ) -> list[Any]:
        keys = [self._prefix + "workers", self._prefix + "short"]
        for tenant, month in pairs:
            keys += [f"{self._prefix}books:{tenant}", f"{self._prefix}purses:{month}:{tenant}"]
        words = [action, worker, run, self.now_s, *told]
        try:
            if not self._script:
                self._script = await self._redis.script_load(self._source)
            call = [*keys, *words]
            try:
                reply: list[Any] = await self._redis.evalsha(self._script, len(keys), *call)
            except self._no_script:  # the server was started again; nothing has run
                await self._redis.script_load(self._source)
                reply = await self._redis.evalsha(self._script, len(keys), *call)
        except self._errors as error:
            raise BankError(f"{self.where}: {error}") from error
        return reply


def _words(ask: Ask) -> list[str]:
    """An ask in the order in which the script reads it."""
    limit, requests, tokens = ask.limit, ask.requests, ask.tokens
    limits = (
        limit.requests_per_minute, limit.tokens_per_minute, limit.concurrent_requests, limit.budget
    )  # fmt: skip
    rates = (ask.touched_s, *_rate_words(requests), *_rate_words(tokens))
    slots, money = ask.slots, ask.money
    return [
        ask.tenant,
        *("" if value is None else str(value) for value in limits),
        *(repr(float(value)) for value in rates),
        *(str(value) for value in (slots.kept, slots.spare, slots.least, slots.most)),
        *(str(v) for v in (money.kept, money.used, money.spare, money.least, money.most)),
    ]


def _rate_words(rate: RateAsk) -> tuple[float, float, float, float]:
    return rate.kept, rate.back, rate.least, rate.most


def _grant(values: Sequence[str]) -> Grant:
    short = [flag == "1" for flag in values[13:17]]
    rates = [float(value) for value in values[:6]]
    slots = [int(float(value)) for value in values[6:9]]
    money = [int(value) for value in values[9:12]]
    return Grant(
        RateGrant(rates[0], rates[1], rates[2], short[0]),
        RateGrant(rates[3], rates[4], rates[5], short[1]),
        CountGrant(slots[0], slots[1], slots[2], short[2]),
        CountGrant(money[0], money[1], money[2], short[3]),
        int(values[12]),
    )
