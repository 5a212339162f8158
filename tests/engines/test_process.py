"""The emulated engines' process: start, clients, drain, end, and no orphan."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest
from openai import AsyncOpenAI, BadRequestError, NotFoundError

from neocloud.engines import (
    EmulatedEngines,
    Endpoint,
    EngineStartError,
    is_healthy,
    list_models,
    scrape,
)
from neocloud.planner import write_plan
from neocloud.wire import Address, Client, Pool, fetch

from .world import CLOUD, chat, plan, run, stream


@pytest.fixture
def plan_path(tmp_path: Path) -> Path:
    path = tmp_path / "plan.json"
    write_plan(plan(), path)
    return path


@asynccontextmanager
async def started(
    plan_path: Path, **options: object
) -> AsyncIterator[tuple[EmulatedEngines, Pool]]:
    engines = await EmulatedEngines.start(CLOUD, plan_path, **options)
    client = Client()
    try:
        yield engines, client.pool(engines.endpoints[0].address)
    finally:
        await engines.stop()
        await client.close()


def test_it_starts_serves_and_stops_twice(plan_path):
    async def test() -> None:
        async with started(plan_path) as (engines, pool):
            assert engines.running
            ids = plan().placements[0].replica_ids()
            assert tuple(e.replica for e in engines.endpoints) == ids
            assert all(e.emulated and e.model == "llama" for e in engines.endpoints)
            for endpoint in engines.endpoints:
                assert await is_healthy(pool, endpoint)
                assert await list_models(pool, endpoint) == ("llama",)
                metrics = await scrape(pool, endpoint)
                assert metrics is not None
                assert metrics.emulated
            await engines.stop()
            assert not engines.running
            assert engines._process.returncode == 0
            await engines.stop()
            assert not await is_healthy(pool, engines.endpoints[0])

    run(test)


def test_openais_own_client_is_served(plan_path):
    async def test() -> None:
        async with started(plan_path) as (engines, pool):
            endpoint = engines.endpoints[1]
            base = f"http://{endpoint.address}{endpoint.prefix.decode()}/v1"
            async with AsyncOpenAI(base_url=base, api_key="none", max_retries=0) as client:
                asked = {
                    "model": "llama",
                    "messages": [{"role": "user", "content": "What is a replica?"}],
                    "max_completion_tokens": 21,
                    "extra_body": {"ignore_eos": True},
                }
                whole = await client.chat.completions.create(**asked)
                assert whole.system_fingerprint.startswith("emulated-")
                assert whole.usage.completion_tokens == 21
                assert whole.choices[0].finish_reason == "length"
                text, usage = "", None
                async for chunk in await client.chat.completions.create(
                    **asked, stream=True, stream_options={"include_usage": True}
                ):
                    usage = chunk.usage or usage
                    text += "".join(choice.delta.content or "" for choice in chunk.choices)
                assert text == whole.choices[0].message.content
                assert usage.completion_tokens == 21
                assert usage.prompt_tokens == whole.usage.prompt_tokens
                old = await client.completions.create(model="llama", prompt="Say", max_tokens=3)
                assert old.usage.completion_tokens == 3
                assert [model.id async for model in await client.models.list()] == ["llama"]
                with pytest.raises(NotFoundError, match="gpt-9"):
                    await client.chat.completions.create(**{**asked, "model": "gpt-9"})
                with pytest.raises(BadRequestError, match="at least 1"):
                    await client.chat.completions.create(**{**asked, "max_completion_tokens": 0})
            metrics = await scrape(pool, endpoint)
            assert metrics.generated_tokens == 21 + 21 + 3
            assert (await scrape(pool, engines.endpoints[0])).generated_tokens == 0

    run(test)


def test_sigterm_lets_a_running_answer_finish_and_takes_no_new_one(plan_path):
    async def test() -> None:
        async with started(plan_path) as (engines, pool):
            body = chat("hi", max_tokens=60, ignore_eos=True)
            _, taker = stream(pool, engines.endpoints[0], body)
            await taker.some.wait()
            stopping = asyncio.create_task(engines.stop())
            await taker.ended.wait()
            assert taker.error is None
            assert len(taker.text()) == 4 * 60
            await stopping
            assert engines._process.returncode == 0
            assert not await is_healthy(pool, engines.endpoints[0])

    run(test)


def test_what_takes_longer_than_the_grace_is_cut_off(plan_path):
    async def test() -> None:
        async with started(plan_path, grace_s=0.2) as (engines, pool):
            body = chat("hi", max_tokens=100_000, ignore_eos=True)
            _, taker = stream(pool, engines.endpoints[0], body)
            await taker.some.wait()
            await engines.stop()
            await taker.ended.wait()
            assert taker.error is not None
            assert engines._process.returncode == 0

    run(test)


def test_whoever_started_it_is_told_of_its_death(plan_path):
    async def test() -> None:
        told: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        async with started(plan_path, on_exit=told.set_result) as (engines, _):
            os.kill(engines._process.pid, signal.SIGKILL)
            assert await told == -signal.SIGKILL
            assert not engines.running

    run(test)


def test_stopping_is_no_death_to_be_told_of(plan_path):
    async def test() -> None:
        told: list[int] = []
        async with started(plan_path, on_exit=told.append) as (engines, _):
            await engines.stop()
        assert told == []

    run(test)


@asynccontextmanager
async def by_hand(plan_path: Path, *options: str):
    """The process alone, with options that its supervisor does not give; its pool and ids."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "neocloud.engines.emulated", "--cloud", str(CLOUD),
        "--plan", str(plan_path), *options,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    client = Client()
    try:
        told = json.loads(await process.stdout.readline() or b"{}")
        pool = client.pool(Address.of_url(f"http://{told['listen']}")) if told else None
        yield process, pool, told.get("replicas", ())
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()
        await client.close()


def endpoint_of(pool: Pool, replica: str) -> Endpoint:
    return Endpoint(
        replica=replica,
        address=pool.address,
        prefix=b"/replicas/" + replica.encode(),
        kind="emulated",
        model="llama",
    )


def test_told_to_abort_it_says_an_error_into_each_stream(plan_path):
    async def test() -> None:
        async with by_hand(plan_path, "--on-sigterm", "abort") as (process, pool, replicas):
            endpoint = endpoint_of(pool, replicas[0])
            body = chat("hi", max_tokens=100_000, ignore_eos=True)
            _, taker = stream(pool, endpoint, body)
            _, whole = stream(pool, endpoint, {**body, "stream": False})
            await taker.some.wait()
            while (await scrape(pool, endpoint)).running < 2:
                await asyncio.sleep(0.01)
            process.send_signal(signal.SIGTERM)
            await asyncio.gather(taker.ended.wait(), whole.ended.wait())
            assert taker.error is None
            assert taker.events()[-1]["error"]["code"] == 500
            assert whole.status == 500
            assert await process.wait() == 0

    run(test)


def test_told_to_refuse_it_answers_500_until_the_last_answer_is_out(plan_path):
    async def test() -> None:
        async with by_hand(plan_path, "--on-sigterm", "refuse") as (process, pool, replicas):
            endpoint = endpoint_of(pool, replicas[0])
            _, taker = stream(pool, endpoint, chat("hi", max_tokens=150, ignore_eos=True))
            await taker.some.wait()
            process.send_signal(signal.SIGTERM)
            _, refused = stream(pool, endpoint, chat("hi", max_tokens=1))
            await refused.ended.wait()
            while refused.status == 200:  # it came before the signal was heard
                _, refused = stream(pool, endpoint, chat("hi", max_tokens=1))
                await refused.ended.wait()
            assert refused.status == 500
            assert await is_healthy(pool, endpoint)
            await taker.ended.wait()
            assert len(taker.text()) == 4 * 150
            assert await process.wait() == 0

    run(test)


def test_faults_speed_and_names_are_options(plan_path):
    async def test() -> None:
        ids = plan().placements[0].replica_ids()
        options = ("--fault", "all", '{"refuse": true}', "--fault", ids[1], '{"loading_s": 1e6}')
        more = ("--names", "sglang", "--speed", "50", "--noise", "0.1", "--control")
        async with by_hand(plan_path, *options, *more) as (_, pool, replicas):
            first, second = (endpoint_of(pool, one) for one in replicas[:2])
            _, taker = stream(pool, first, chat("hi"))
            await taker.ended.wait()
            assert taker.status == 500
            assert not await is_healthy(pool, second)
            assert (await fetch(pool, b"PUT", b"/control/faults", (), b"{}")).status == 200
            _, taker = stream(pool, second, chat("hi", max_tokens=30, ignore_eos=True))
            await taker.ended.wait()
            assert len(taker.text()) == 4 * 30
            page = await fetch(pool, b"GET", second.prefix + b"/metrics")
            assert b"sglang:generation_tokens_total" in page.body

    run(test)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--fault", "nowhere", "{}"), "there are"),
        (("--fault", "all", '{"explode": 1}'), "explode"),
        (("--control", "--listen", "0.0.0.0:0"), "loopback"),
        (("--speed", "0"), "--speed"),
        (("--noise", "1"), "--noise"),
        (("--stream-interval", "0"), "--stream-interval"),
    ],
)
def test_options_that_cannot_be_are_told(options, said, plan_path):
    async def test() -> None:
        async with by_hand(plan_path, *options) as (process, _, replicas):
            assert not replicas
            _, errors = await process.communicate()
            assert said in errors.decode()
            assert "Traceback" not in errors.decode()
            assert process.returncode == 2

    run(test)


PARENT = """
import asyncio, sys
from pathlib import Path
from neocloud.engines import EmulatedEngines

async def main():
    engines = await EmulatedEngines.start(Path(sys.argv[1]), Path(sys.argv[2]))
    print(engines.endpoints[0].address, flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""


def test_it_does_not_outlive_a_parent_that_is_killed(plan_path):
    async def test() -> None:
        parent = subprocess.Popen(
            [sys.executable, "-c", PARENT, str(CLOUD), str(plan_path)], stdout=subprocess.PIPE
        )
        try:
            line = await asyncio.to_thread(parent.stdout.readline)
            host, port = line.decode().strip().rsplit(":", 1)
            reader, writer = await asyncio.open_connection(host, int(port))
            # A long answer under way does not keep it either.
            path = f"/replicas/{plan().placements[0].replica_ids()[0]}/v1/chat/completions"
            body = json.dumps(chat("hi", max_tokens=100_000, ignore_eos=True, stream=True))
            head = f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\n\r\n"
            writer.write((head + body).encode())
            await reader.readuntil(b"data: ")
        finally:
            parent.kill()
            parent.wait()
            parent.stdout.close()
        with contextlib.suppress(ConnectionError):
            while await reader.read(2**20):  # ends only with the process
                pass
        writer.close()
        with pytest.raises(OSError):
            await asyncio.open_connection(host, int(port))

    run(test)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("no plan", "neocloud plan"),
        ("another cloud", "another version"),
        ("broken cloud", "cloud.yaml:"),
        ("no emulated pool", "no emulated replica"),
    ],
)
def test_a_failed_start_says_why(wrong, said, plan_path, tmp_path):
    cloud_path = tmp_path / "cloud.yaml"
    text = CLOUD.read_text()
    if wrong == "no plan":
        plan_path.unlink()
    elif wrong == "another cloud":
        text = text.replace("requests_per_s: 60", "requests_per_s: 59")
    elif wrong == "broken cloud":
        text = text.replace("metro: frankfurt", "metro: atlantis")
    else:
        placement = plan().placements[0]
        engine = msgspec.structs.replace(placement.engine, kind="vllm")
        real = msgspec.structs.replace(placement, engine=engine)
        write_plan(msgspec.structs.replace(plan(), placements=(real,)), plan_path)
    cloud_path.write_text(text)

    async def test() -> None:
        with pytest.raises(EngineStartError, match=said) as raised:
            await EmulatedEngines.start(cloud_path, plan_path)
        assert "status 2" in str(raised.value)
        assert "Traceback" not in str(raised.value)

    run(test)
