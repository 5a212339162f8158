"""A copy of the two-site example that is planned, run, sent requests and stopped."""

from __future__ import annotations

import asyncio
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from neocloud.ledger import KeyStore
from neocloud.wire import Address, Client, Lines, Response, fetch, header_lines

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "two-sites" / "cloud.yaml"
SLOWDOWN = Path(__file__).resolve().parent / "slowdown"
NEOCLOUD = (sys.executable, "-m", "neocloud.cli.main")
MODELS = ("llama-3.1-8b", "gpt-oss-120b")
METROS = {"acme": "new-york", "rheingold": "berlin"}


@dataclass(frozen=True)
class Sent:
    """What was asked for, and answered whole."""

    requests: int
    output_tokens: int


def neocloud(folder: Path, *arguments: str) -> str:
    """What a verb prints; it must end well."""
    done = subprocess.run(
        [*NEOCLOUD, *arguments], cwd=folder, capture_output=True, encoding="utf-8", timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def planned(folder: Path) -> Path:
    """The example's file in `folder`, its plan beside it."""
    cloud = Path(shutil.copy(EXAMPLE, folder / "cloud.yaml"))
    neocloud(folder, "plan", "cloud.yaml")
    return cloud


@contextmanager
def up(folder: Path, slowdown: float | None = None) -> Iterator[str]:
    """`neocloud up` in `folder`, its engines slowed; the address it listens on."""
    environment = dict(os.environ)
    environment.pop("NEOCLOUD_TEST_SLOWDOWN", None)
    if slowdown is not None:
        before = environment.get("PYTHONPATH")
        environment["PYTHONPATH"] = os.pathsep.join([str(SLOWDOWN), *([before] if before else [])])
        environment["NEOCLOUD_TEST_SLOWDOWN"] = str(slowdown)
    with (folder / "up.log").open("wb") as log:
        process = subprocess.Popen(
            [*NEOCLOUD, "up", "cloud.yaml", "--listen", "127.0.0.1:0"],
            cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=log, encoding="utf-8",
        )  # fmt: skip
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        assert line.startswith("listening on http://"), (folder / "up.log").read_text()
        yield line.removeprefix("listening on http://").strip()
        process.send_signal(signal.SIGTERM)
        assert process.wait(40) == 0, (folder / "up.log").read_text()
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        process.stdout.close()


def send(folder: Path, address: str, *, seconds: float, per_s: float, seed: int) -> Sent:
    """Stream answers to requests of both tenants for both models at random times."""
    keys = {
        tenant: KeyStore(folder / "ledger.db").create(tenant, "proof", time.time_ns())[0]
        for tenant in METROS
    }
    return asyncio.run(_send(Address.of_url(f"http://{address}"), keys, seconds, per_s, seed))


async def _send(
    address: Address, keys: dict[str, str], seconds: float, per_s: float, seed: int
) -> Sent:
    draw = random.Random(seed)
    client = Client()
    pool = client.pool(address)
    # The gateway looks for new keys from time to time.
    async with asyncio.timeout(30):
        while True:
            answers = [
                await fetch(pool, b"GET", b"/v1/models", _headers(key, METROS[tenant]))
                for tenant, key in keys.items()
            ]
            if all(answer.status == 200 for answer in answers):
                break
            await asyncio.sleep(0.1)
    times = sorted(draw.uniform(0.0, seconds) for _ in range(round(seconds * per_s)))
    start = time.monotonic()
    async with asyncio.TaskGroup() as group:
        tasks, output_tokens = [], 0
        for number, at_s in enumerate(times):
            await asyncio.sleep(start + at_s - time.monotonic())
            tenant = tuple(METROS)[number // 2 % 2]
            tokens = draw.randint(30, 120)
            output_tokens += tokens
            body = _body(number, draw.randint(200, 1000), tokens)
            headers = _headers(keys[tenant], METROS[tenant])
            tasks.append(
                group.create_task(
                    fetch(pool, b"POST", b"/v1/chat/completions", headers, body, timeout_s=60)
                )
            )
    await client.close()
    for task in tasks:
        answer: Response = task.result()
        assert answer.status == 200, answer.body
        assert answer.body.rstrip().endswith(b"data: [DONE]")
    return Sent(len(tasks), output_tokens)


def _body(number: int, input_tokens: int, output_tokens: int) -> bytes:
    """A prompt of about so many tokens that begins as no other, an answer of exactly so many."""
    return json.dumps(
        {
            "model": MODELS[number % 2],
            "messages": [
                {"role": "user", "content": f"{number:06d} " + "tide " * (4 * input_tokens // 5)}
            ],
            "max_tokens": output_tokens,
            "ignore_eos": True,
            "stream": True,
        }
    ).encode()


def _headers(key: str, metro: str) -> Lines:
    return header_lines(
        (
            (b"authorization", b"Bearer " + key.encode()),
            (b"content-type", b"application/json"),
            (b"x-neocloud-metro", metro.encode()),
        )
    )
