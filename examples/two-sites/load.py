"""Requests as a cloud file foresees them, sent with OpenAI's client."""

from __future__ import annotations

import asyncio
import sys
import time
from collections import Counter
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from openai import AsyncOpenAI

from neocloud.catalog import load_catalog
from neocloud.spec import load_cloud

TOKEN_BYTES = 4
"""The emulated engines' tokenizer: four bytes of text are one token."""
TEMPLATE_TOKENS = 8
"""Their chat template around a single message."""
MAX_IN_FLIGHT = 256
TIMEOUT_S = 60.0
NOT_STREAMED = 4
"""One request in so many is sent without `stream`."""

_FILLER = "Tell me more about the harbour, the tide tables and the ships that are due today. "


@dataclass(frozen=True, slots=True)
class Request:
    """One request to come: when, from whom and where, how long."""

    at_s: float
    tenant: str
    model: str
    metro: str
    input_tokens: int
    output_tokens: int
    streamed: bool


@dataclass(frozen=True)
class Load:
    """All requests of a run, by time."""

    requests: tuple[Request, ...]
    seconds: float
    fraction: float
    per_s: float

    @property
    def tenants(self) -> tuple[str, ...]:
        """Who sends some, sorted."""
        return tuple(sorted({r.tenant for r in self.requests}))

    def summary(self) -> str:
        """What will be sent, in a few words."""
        metros = Counter(r.metro for r in self.requests)
        most = ", ".join(f"{metro} {count}" for metro, count in metros.most_common(4))
        streamed = sum(r.streamed for r in self.requests)
        return (
            f"{self.fraction:.3g} of the planned demand: {self.per_s:.3g} requests/s for "
            f"{self.seconds:g} s, {len(self.requests)} in all, {streamed} of them streamed, by "
            f"{len(self.tenants)} tenants from {len(metros)} metros ({most}, ...)."
        )


@dataclass
class Counts:
    """What was seen: answers and tokens by tenant and model, and what went wrong."""

    by_tenant_and_model: dict[tuple[str, str], tuple[int, int, int]] = field(default_factory=dict)
    sent: int = 0
    failed: int = 0
    reasons: list[str] = field(default_factory=list)
    first_token_s: list[float] = field(default_factory=list)

    def add(self, tenant: str, model: str, input_tokens: int, output_tokens: int) -> None:
        """Count one answer."""
        answers, tokens_in, tokens_out = self.by_tenant_and_model.get((tenant, model), (0, 0, 0))
        self.by_tenant_and_model[tenant, model] = (
            answers + 1, tokens_in + input_tokens, tokens_out + output_tokens,
        )  # fmt: skip

    def fail(self, reason: str) -> None:
        """Count one failure, and keep the first reasons."""
        self.failed += 1
        if len(self.reasons) < 5:
            self.reasons.append(reason)

    @property
    def answered(self) -> int:
        """Answers, whole."""
        return sum(answers for answers, _, _ in self.by_tenant_and_model.values())

    @property
    def input_tokens(self) -> int:
        """By the usage field of the answers."""
        return sum(tokens for _, tokens, _ in self.by_tenant_and_model.values())

    @property
    def output_tokens(self) -> int:
        """By the usage field of the answers."""
        return sum(tokens for _, _, tokens in self.by_tenant_and_model.values())

    def summary(self, seconds: float) -> str:
        """The whole in one line or two."""
        line = (
            f"Sent {self.sent}, answered {self.answered}, failed {self.failed}; "
            f"{self.input_tokens:,} tokens in, {self.output_tokens:,} out "
            f"({self.output_tokens / seconds:,.0f}/s)."
        )
        if self.first_token_s:
            median, high = np.quantile(self.first_token_s, (0.5, 0.9)) * 1e3
            line += (
                f"\nFirst token after {median:.0f} ms in the median, {high:.0f} ms at the 90th "
                "percentile, on this machine: no distance between client and site in it."
            )
        return line


def make_load(cloud_file: Path, *, seconds: float, fraction: float, seed: int) -> Load:
    """Draw Poisson arrivals at a fraction of the demand's daily mean.

    Tenant, model and metro come in the shares that the file gives, prompt and answer lengths from
    the trace that it names. The same seed gives the same requests.
    """
    catalog = load_catalog()
    demand = load_cloud(cloud_file, catalog).demand
    rng = np.random.default_rng(seed)
    rates = np.array([d.requests_per_s for d in demand])
    per_s = float(rates.sum() * fraction)
    arrivals = np.sort(rng.uniform(0.0, seconds, rng.poisson(per_s * seconds)))
    requests = []
    for number, at_s in enumerate(arrivals):
        asked = demand[rng.choice(len(demand), p=rates / rates.sum())]
        metros = list(asked.metros)
        trace = catalog.trace(str(asked.lengths))
        row = rng.integers(len(trace.input_tokens))
        requests.append(
            Request(
                at_s=float(at_s),
                tenant=asked.tenant,
                model=asked.model,
                metro=metros[rng.choice(len(metros), p=list(asked.metros.values()))],
                input_tokens=int(trace.input_tokens[row]),
                output_tokens=max(1, int(trace.output_tokens[row])),
                streamed=number % NOT_STREAMED != 0,
            )
        )
    return Load(tuple(requests), seconds, fraction, per_s)


def send(load: Load, base_url: str, keys: dict[str, str]) -> Counts:
    """Send all requests at their times, and wait for all answers."""
    counts = Counts()
    asyncio.run(_send(load, base_url, keys, counts))
    return counts


async def _send(load: Load, base_url: str, keys: dict[str, str], counts: Counts) -> None:
    room = asyncio.Semaphore(MAX_IN_FLIGHT)
    async with AsyncExitStack() as stack:
        clients = {
            tenant: await stack.enter_async_context(
                # No second tries: each request is to be one record.
                AsyncOpenAI(base_url=base_url, api_key=key, max_retries=0, timeout=TIMEOUT_S)
            )
            for tenant, key in keys.items()
        }
        progress = asyncio.create_task(_progress(counts))
        try:
            start = time.monotonic()
            async with asyncio.TaskGroup() as group:
                for number, request in enumerate(load.requests):
                    await asyncio.sleep(start + request.at_s - time.monotonic())
                    await room.acquire()
                    task = group.create_task(_one(clients[request.tenant], number, request, counts))
                    task.add_done_callback(lambda _: room.release())
        finally:
            progress.cancel()


async def _progress(counts: Counts) -> None:
    """A line a second on standard error; on a terminal always the same line."""
    start, before = time.monotonic(), 0
    first, last = ("\r\033[K", "") if sys.stderr.isatty() else ("", "\n")
    try:
        while True:
            await asyncio.sleep(1.0)
            tokens = counts.output_tokens
            sys.stderr.write(
                f"{first}{time.monotonic() - start:4.0f} s: sent {counts.sent}, answered "
                f"{counts.answered}, failed {counts.failed}, {tokens - before:,} tokens/s{last}"
            )
            sys.stderr.flush()
            before = tokens
    finally:
        sys.stderr.write(first)
        sys.stderr.flush()


async def _one(client: AsyncOpenAI, number: int, request: Request, counts: Counts) -> None:
    counts.sent += 1
    try:
        if request.streamed:
            await _streamed(client, number, request, counts)
        else:
            await _whole(client, number, request, counts)
    except Exception as error:  # noqa: BLE001  (in mid-stream also those of its HTTP library)
        what = f"{type(error).__name__}: {error}"
        counts.fail(f"request {number} ({request.tenant}, {request.model}): {what}")


async def _streamed(client: AsyncOpenAI, number: int, request: Request, counts: Counts) -> None:
    start = time.monotonic()
    first: float | None = None
    usage = None
    stream = await client.chat.completions.create(
        model=request.model,
        messages=[{"role": "user", "content": _prompt(number, request.input_tokens)}],
        max_tokens=request.output_tokens,
        stream=True,
        stream_options={"include_usage": True},
        extra_headers={"x-neocloud-metro": request.metro},
        extra_body={"ignore_eos": True},
    )
    async for chunk in stream:
        if first is None and chunk.choices and chunk.choices[0].delta.content:
            first = time.monotonic() - start
        usage = chunk.usage or usage
    if usage is None or first is None:
        counts.fail(f"request {number}: the stream ended without a token or without its usage")
        return
    counts.first_token_s.append(first)
    counts.add(request.tenant, request.model, usage.prompt_tokens, usage.completion_tokens)


async def _whole(client: AsyncOpenAI, number: int, request: Request, counts: Counts) -> None:
    answer = await client.chat.completions.create(
        model=request.model,
        messages=[{"role": "user", "content": _prompt(number, request.input_tokens)}],
        max_tokens=request.output_tokens,
        extra_headers={"x-neocloud-metro": request.metro},
        extra_body={"ignore_eos": True},
    )
    if answer.usage is None:
        counts.fail(f"request {number}: the answer has no usage")
        return
    usage = answer.usage
    counts.add(request.tenant, request.model, usage.prompt_tokens, usage.completion_tokens)


def _prompt(number: int, tokens: int) -> str:
    """Text of a prompt of so many tokens, template included; no two begin alike."""
    size = max(1, tokens - TEMPLATE_TOKENS) * TOKEN_BYTES
    text = f"{number:06d} "
    return (text + _FILLER * (size // len(_FILLER) + 1))[:size]
