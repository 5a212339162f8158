"""One load against one gateway, and what it cost the machine."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from machine import (
    Cores,
    busy_seconds,
    cpu_seconds,
    free_port,
    free_ports,
    memory_mb,
    pinned,
    stop,
)
from peers import Gateway, Setting, UnavailableError
from results import DISTURBED, Quantiles, Run
from scenarios import KEY, REPLICAS, SCENARIOS, Scenario

HARNESS = Path(__file__).resolve().parent / "harness"
PATH = "/v1/chat/completions"
TRIES = 3
_EARLY_S = 0.2
"""How long before the load's end CPU time is read: its process must still be there."""


@dataclass(frozen=True)
class Running:
    """A gateway that is up, or the mock itself (`direct`)."""

    name: str
    pid: int
    port: int


def build(folder: Path) -> None:
    """Compile mock and load.

    Raises:
        SystemExit: there is no C compiler.
    """
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise SystemExit("mock and load are in C; install a compiler (on Debian: apt install gcc)")
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("mock", "load"):
        source, made = HARNESS / f"{name}.c", folder / name
        if not made.exists() or made.stat().st_mtime < source.stat().st_mtime:
            subprocess.run([compiler, "-O2", "-o", str(made), str(source)], check=True)


@contextlib.contextmanager
def mock(folder: Path, cores: Cores) -> Iterator[Running]:
    """The mock upstream on a port of its own."""
    port = free_ports(REPLICAS)
    command = pinned(cores.mock, [str(folder / "mock"), str(port), str(REPLICAS)])
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        wait_ready(process, port, 10)
        yield Running("direct", process.pid, port)
    finally:
        stop(process)


@contextlib.contextmanager
def started(
    gateway: Gateway, binaries: Path, upstream: int, cores: Cores, folder: Path
) -> Iterator[Running]:
    """One gateway before the mock, until the end of the block.

    Raises:
        UnavailableError: it does not come up.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    setting = Setting(binaries, folder, upstream, free_port(), free_port())
    command = pinned(cores.gateway, gateway.command(setting))
    environment = os.environ | gateway.environment
    with (folder / "log.txt").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
        try:
            wait_ready(process, setting.port, gateway.ready_s)
            yield Running(gateway.name, process.pid, setting.port)
        finally:
            stop(process)


def wait_ready(process: subprocess.Popen[bytes], port: int, seconds: float) -> None:
    """Ask until a whole answer with its usage comes back.

    Raises:
        UnavailableError: none comes in time, or the process ends.
    """
    headers = {"content-type": "application/json", "authorization": f"Bearer {KEY}"}
    url = f"http://127.0.0.1:{port}{PATH}"
    request = urllib.request.Request(url, SCENARIOS[0].body(), headers)
    until, last = time.monotonic() + seconds, "no answer"
    while time.monotonic() < until:
        if process.poll() is not None:
            raise UnavailableError(f"it ended with status {process.returncode} at its start")
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:
                if b'"usage"' in answer.read():
                    return
            last = "an answer without usage"
        except urllib.error.HTTPError as error:
            last = f"status {error.code}"
        except OSError as error:
            last = str(error)
        time.sleep(0.2)
    raise UnavailableError(f"it did not come up within {seconds:g} s: {last}")


def count(port: int) -> int:
    """Requests that the mock has had, by its own account."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/count", timeout=5) as answer:
        requests: int = json.load(answer)["requests"]
        return requests


def once(
    number: int, target: Running, upstream: Running, scenario: Scenario, cores: Cores, folder: Path
) -> Run:
    """Run one scenario and read the accounts of its measured part."""
    body = folder / f"{scenario.name}.json"
    body.write_bytes(scenario.body())
    command = [
        str(folder / "load"), "-P", str(target.port), "-p", PATH, "-b", str(body), "-k", KEY,
        "-c", str(scenario.connections),
        "-w", str(scenario.warm_up_s), "-d", str(scenario.seconds),
    ]  # fmt: skip
    before = count(upstream.port)
    load = subprocess.Popen(pinned(cores.load, command), stdout=subprocess.PIPE)
    try:
        time.sleep(scenario.warm_up_s)
        first = _accounts(target, upstream, load.pid, cores)
        time.sleep(scenario.seconds - _EARLY_S)
        last = _accounts(target, upstream, load.pid, cores)
        output, _ = load.communicate(timeout=60)
    finally:
        stop(load)
    seconds, own, harness, first_core, other_cores = (
        b - a for a, b in zip(first, last, strict=True)
    )
    found = json.loads(output)
    if target.pid == upstream.pid:  # nobody of ours is on the first core
        first_core += own
    return Run(
        round=number,
        target=target.name,
        scenario=scenario.name,
        requests_s=found["requests_s"],
        # A chunk with content is a token, and only those have an age.
        tokens_s=found["age"]["n"] / scenario.seconds,
        latency_us=Quantiles(**found["latency"]),
        first_byte_us=Quantiles(**found["ttfb"]),
        age_us=Quantiles(**found["age"]),
        complete=found["complete"],
        failed=found["bad"],
        with_usage=found["usage"],
        mock_requests=count(upstream.port) - before,
        cpu=own / seconds,
        memory_mb=memory_mb(target.pid),
        others=max(0.0, first_core - own, other_cores - harness) / seconds,
    )


def _accounts(target: Running, upstream: Running, load: int, cores: Cores) -> tuple[float, ...]:
    """Now; CPU seconds of the target, of mock and load; busy seconds of the cores."""
    return (
        time.monotonic(),
        cpu_seconds(target.pid),
        cpu_seconds(upstream.pid) + cpu_seconds(load),
        busy_seconds(cores.gateway),
        sum(busy_seconds(core) for core in cores.others()),
    )


def measured(
    number: int, target: Running, upstream: Running, scenario: Scenario, cores: Cores, folder: Path
) -> Run:
    """Run until others leave the cores alone, at most `TRIES` times; else the least disturbed."""
    tried: list[Run] = []
    while len(tried) < TRIES and (not tried or tried[-1].others > DISTURBED):
        tried.append(once(number, target, upstream, scenario, cores, folder))
    return min(tried, key=lambda run: run.others)
