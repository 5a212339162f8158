"""Processes and cores, read from Linux' own accounts."""

from __future__ import annotations

import contextlib
import os
import platform
import resource
import signal
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Cores:
    """Which core runs what. With two cores, mock and load share the second."""

    gateway: int
    load: int
    mock: int

    def others(self) -> tuple[int, ...]:
        """Cores of mock and load."""
        return tuple({self.load, self.mock})


def cores() -> Cores:
    """The first cores that this process may use.

    Raises:
        SystemExit: there are fewer than two.
    """
    free = sorted(os.sched_getaffinity(0))
    if len(free) < 2:
        raise SystemExit("the comparison needs two cores: one for the gateway, one for the rest")
    return Cores(gateway=free[0], load=free[1], mock=free[min(2, len(free) - 1)])


def pinned(core: int, command: list[str]) -> list[str]:
    """The command, held to one core with all that it starts."""
    return ["taskset", "-c", str(core), *command]


def tree(pid: int) -> list[int]:
    """A process and all below it that live."""
    found, todo = [], [pid]
    while todo:
        one = todo.pop()
        try:
            for task in Path(f"/proc/{one}/task").iterdir():
                todo += map(int, (task / "children").read_text().split())
        except OSError:
            continue
        found.append(one)
    return found


def cpu_seconds(pid: int) -> float:
    """CPU time of a process tree since it started, user and system."""
    ticks = 0
    for one in tree(pid):
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{one}/stat").read_text().rsplit(")", 1)[1].split()
            ticks += int(fields[11]) + int(fields[12])
    return ticks / TICKS


def memory_mb(pid: int) -> float:
    """Memory of a process tree, shared pages counted by their share (PSS), MB."""
    kib = 0
    for one in tree(pid):
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{one}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    kib += int(line.split()[1])
    return kib * 1024 / 1e6


def busy_seconds(core: int) -> float:
    """Time that a core worked for processes, or was taken by the machine's host, since the boot.

    Interrupts are left out: loopback traffic is handled in them, and nobody's process pays.
    """
    for line in Path("/proc/stat").read_text().splitlines():
        name, *fields = line.split()
        if name == f"cpu{core}":
            user, nice, system, _idle, _wait, _irq, _softirq, steal = map(int, fields[:8])
            return (user + nice + system + steal) / TICKS
    raise ValueError(f"no core {core}")


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a process and what it started, politely and then not."""
    below = tree(process.pid)
    for sign in (signal.SIGTERM, signal.SIGKILL):
        for one in reversed(below):
            with contextlib.suppress(ProcessLookupError):
                os.kill(one, sign)
        try:
            process.wait(8)
        except subprocess.TimeoutExpired:
            continue
        if not any(_lives(one) for one in below):
            return


def _lives(pid: int) -> bool:
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False


def free_port() -> int:
    """A port of the loopback address that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def description() -> dict[str, str | int]:
    """This machine in words, for whoever compares figures."""
    model = ""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    return {
        "processor": model or platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "kernel": platform.release(),
        "python": platform.python_version(),
    }


def durable_write_us(folder: Path, writes: int = 400) -> float:
    """Median time of a 4 KiB write to the end of a file and its `fdatasync`, microseconds.

    What a durable record costs at the least on the disk below `folder`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "durable-write"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    times = []
    try:
        for _ in range(writes):
            begin = time.perf_counter()
            os.write(descriptor, b"x" * 4096)
            os.fdatasync(descriptor)
            times.append(time.perf_counter() - begin)
    finally:
        os.close(descriptor)
        path.unlink()
    return median(times) * 1e6


def free_ports(count: int) -> int:
    """The first of `count` ports in a row that nobody listens on."""
    while True:
        first = free_port()
        if first + count < 60_000 and all(_is_free(first + n) for n in range(count)):
            return first


def _is_free(port: int) -> bool:
    with socket.socket() as found:
        try:
            found.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def more_files(wanted: int = 65_536) -> None:
    """Let this process and what it starts open more files; as many as it may, if not so many."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for most in (max(wanted, hard), hard):
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(most, wanted)), most))
        except (OSError, ValueError):
            continue
        return
