"""Engines that we start, tried with a fake that behaves like vLLM: no real one runs here."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from neocloud.engines import EngineStartError, MetricsReader, StartedEngine, started
from neocloud.engines.child import Child, Command
from neocloud.wire import Client, UpstreamError, fetch

from .asking import run, stream, until
from .starting import alive, fake_start

COMPLETIONS = b"/v1/completions"


def test_a_fake_vllm_is_started_watched_and_ended(tmp_path):
    worker = tmp_path / "worker"

    async def test() -> None:
        async with started(fake_start(worker=worker, start_s=0.2)) as engine:
            client = Client()
            pool = client.pool(engine.endpoint.address)
            assert (await engine.readiness(pool)).ready
            call, taker = stream(pool, engine.endpoint, {"max_tokens": 50}, COMPLETIONS)
            await taker.some.wait()
            metrics = await MetricsReader(engine.endpoint).read(pool)
            assert (metrics.running, metrics.kv_usage, metrics.looked_up_tokens) == (1, 0.25, 5)
            call.abort()
            assert alive(int(worker.read_text()))
            assert "the engine starts" in engine.tail
            await client.close()
        assert not engine.running
        assert engine.restarts == 0
        # What its first process left behind went with it.
        await until(lambda: not alive(int(worker.read_text())))

    run(test)


def test_sigterm_of_a_fake_vllm_lets_the_answer_under_way_end():
    async def test() -> None:
        async with started(fake_start()) as engine:
            client = Client()
            pool = client.pool(engine.endpoint.address)
            _, taker = stream(pool, engine.endpoint, {"max_tokens": 30}, COMPLETIONS)
            await taker.some.wait()
            stopping = asyncio.create_task(engine.stop())
            await asyncio.sleep(0.15)
            # Its health page says 200 all the while: that alone is no readiness.
            health = await fetch(pool, b"GET", b"/health")
            assert health.status == 200
            found = await engine.readiness(pool)
            assert (found.healthy, found.ready, found.reason) == (True, False, "draining")
            refused = await fetch(pool, b"POST", COMPLETIONS, (), b'{"max_tokens": 1}')
            assert refused.status == 500
            await taker.ended.wait()
            events = taker.events()
            assert len(events) == 31
            assert events[-1]["choices"][0]["finish_reason"] == "length"
            await stopping
            await client.close()

    run(test)


def test_a_fake_vllm_that_does_not_end_is_killed_with_its_workers(tmp_path, monkeypatch):
    monkeypatch.setattr("neocloud.engines.running._KILL_AFTER_S", 0.2)
    worker = tmp_path / "worker"

    async def test() -> None:
        async with started(fake_start(worker=worker, deaf=1, grace_s=0.2)) as engine:
            pass
        assert not engine.running
        await until(lambda: not alive(int(worker.read_text())))

    run(test)


def test_a_fake_vllm_that_never_serves_is_an_error_with_its_last_words():
    async def test() -> None:
        with pytest.raises(EngineStartError, match=r"status 3 before it served: CUDA out of"):
            async with started(fake_start(says="CUDA out of memory", status=3)):
                pytest.fail("it cannot be up")
        slow = fake_start(says="loading", start_s=60)
        with pytest.raises(EngineStartError, match=r"not up within 0\.3 s: loading"):
            async with started(msgspec.structs.replace(slow, ready_within_s=0.3)):
                pytest.fail("it cannot be up")

    run(test)


def test_a_program_that_is_not_there_is_an_error_that_names_it():
    async def test() -> None:
        wrong = msgspec.structs.replace(
            fake_start(), command=Command(arguments=("no-such-program", "serve"))
        )
        with pytest.raises(EngineStartError, match="cannot start no-such-program"):
            async with started(wrong):
                pytest.fail("it cannot be up")

    run(test)


def test_a_fake_vllm_that_dies_comes_again_at_the_same_address_after_longer_pauses(caplog):
    async def test() -> None:
        async with started(fake_start()) as engine:
            client = Client()
            pool = client.pool(engine.endpoint.address)
            address = engine.endpoint.address
            for death in range(1, 4):
                with pytest.raises(UpstreamError):
                    await fetch(pool, b"POST", b"/die", (), b"{}")
                await until(lambda death=death: engine.restarts == death)
                async with asyncio.timeout(8):
                    while not (await engine.readiness(pool)).ready:
                        await asyncio.sleep(0.02)
            assert engine.endpoint.address == address
            assert [r.args[1:] for r in caplog.records if "again in" in r.msg] == [
                (7, 0.05), (7, 0.1), (7, 0.2),
            ]  # fmt: skip
            await client.close()

    run(test)


def test_it_gets_no_variable_of_ours_and_all_others(tmp_path, monkeypatch):
    monkeypatch.setenv("NEOCLOUD_UPSTREAM_KEY", "sk-very-secret")
    monkeypatch.setenv("HF_HOME", "/models")
    told = tmp_path / "told"

    async def test() -> None:
        async with started(fake_start(env=told)):
            pass
        environment, _ = json.loads(told.read_text())
        assert environment["HF_HOME"] == "/models"
        assert environment["FAKE_ENV"] == str(told)
        assert not [name for name in environment if name.startswith("NEOCLOUD_")]

    run(test)


PARENT = """
import asyncio, sys
sys.path.insert(0, {tests!r})
from tests.engines.starting import fake_start
from neocloud.engines import started

async def main():
    async with started(fake_start(worker={worker!r}, deaf=1)) as engine:
        print(engine._child._process.pid, flush=True)
        await asyncio.sleep(60)

asyncio.run(main())
"""


def test_a_fake_vllm_ends_with_a_parent_that_is_killed(tmp_path):
    worker = tmp_path / "worker"
    code = PARENT.format(tests=str(Path(__file__).parents[2]), worker=str(worker))
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as parent:
        guard = int(parent.stdout.readline())
        assert alive(guard)
        parent.kill()

    async def test() -> None:
        # It is deaf to SIGTERM: five seconds later its whole group is killed.
        await until(lambda: not alive(guard) and not alive(int(worker.read_text())), within_s=9)

    run(test)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_guard_passes_signals_on_and_tells_how_it_ended(number):
    async def test() -> None:
        code = (
            "import signal, sys, time\n"
            "signal.signal(signal.SIGTERM, lambda *_: sys.exit(9))\n"
            "print('set', flush=True)\ntime.sleep(60)"
        )
        child = await Child.spawn(Command(arguments=(sys.executable, "-c", code)))
        await until(lambda: "set" in child.tail)
        os.kill(child._process.pid, number)
        assert await child.wait() == 9

    run(test)


def test_the_status_of_one_that_a_signal_ended_is_that_of_a_shell():
    async def test() -> None:
        code = "import os; os.kill(os.getpid(), 11)"
        child = await Child.spawn(Command(arguments=(sys.executable, "-c", code)))
        assert await child.wait() == 128 + 11

    run(test)


def test_what_it_says_is_kept_bounded_in_memory_and_on_disk(tmp_path, monkeypatch):
    monkeypatch.setattr("neocloud.engines.child._LOG_BYTES", 20_000)
    log = tmp_path / "engine.log"

    async def test() -> None:
        code = (
            "import sys\n"
            "sys.stdout.write('x' * 3_000_000)\n"
            "[print('line', i) for i in range(20_000)]"
        )
        child = await Child.spawn(Command(arguments=(sys.executable, "-c", code), log_path=log))
        assert await child.wait() == 0
        lines = child.tail.splitlines()
        assert lines[-1] == "line 19999"
        assert len(lines) == 40
        assert all(len(line) <= 500 for line in lines)
        sizes = [path.stat().st_size for path in tmp_path.glob("engine.log*")]
        assert len(sizes) == 2
        assert sum(sizes) < 60_000

    run(test)


def test_an_engine_that_was_never_up_can_be_stopped():
    async def test() -> None:
        engine = StartedEngine(fake_start(start_s=60))
        async with engine:
            waiting = asyncio.create_task(engine.up())
            await asyncio.sleep(0.1)
        with pytest.raises(EngineStartError, match="was stopped"):
            await waiting
        assert not engine.running

    run(test)
