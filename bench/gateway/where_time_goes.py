"""Where the gateway's time goes under load, by a sampling profiler.

    python bench/gateway/where_time_goes.py [--scenario whole-32] [--seconds 10]

Starts the mock and neocloud's gateway as run.py does, loads it, and lets py-spy look at the gateway
many times a second, held still for the moment; only samples in which it works count. Writes
profile.json and the table into docs/performance.md. Time in C (parsing, sockets, SQLite) counts for
the Python function above it.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import msgspec
from machine import cores, pinned, stop
from measure import PATH, build, mock, started
from peers import GATEWAYS, UnavailableError, install
from run import OUT, PAGE, put_between
from scenarios import KEY, SCENARIOS, Scenario

PROFILER = "py-spy==0.4.3"
RATE = 200
"""Samples a second."""
PROFILE = Path(__file__).resolve().parent / "profile.json"
MARK = "gateway-profile"
_FRAME = re.compile(r"(?P<name>[^()]+) \((?P<file>[^():]+)(?::\d+)?\)")


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """Shares of the samples in which the gateway worked.

    Attributes:
        scenario: the load.
        samples: how many there were.
        by_room: share by the innermost room of neocloud on the stack; `(loop)` where there is none.
        by_function: share by the innermost function, largest first, those of 1 % and more.
    """

    scenario: str
    samples: int
    by_room: dict[str, float]
    by_function: dict[str, float]


def _room(stack: list[str]) -> str:
    for frame in reversed(stack):
        if match := re.search(r"neocloud/(\w+)/", frame):
            return match[1]
    return "(loop)"


def _function(frame: str) -> str:
    match = _FRAME.fullmatch(frame.strip())
    if match is None:
        return frame.strip()
    file = match["file"]
    if "neocloud/" in file:
        file = file[file.rindex("neocloud/") + len("neocloud/") :]
    else:
        file = "/".join(file.split("/")[-2:])
    return f"{match['name']} ({file})"


def summarise(folded: str, scenario: str) -> Profile:
    """Shares out of folded stacks: `outer;inner count`, a line a stack."""
    rooms: Counter[str] = Counter()
    functions: Counter[str] = Counter()
    for line in folded.splitlines():
        text, _, number = line.rpartition(" ")
        stack = text.split(";")
        rooms[_room(stack)] += int(number)
        functions[_function(stack[-1])] += int(number)
    samples = rooms.total()
    if not samples:
        raise SystemExit("the profiler saw no work; is the load running?")
    return Profile(
        scenario=scenario,
        samples=samples,
        by_room={room: n / samples for room, n in rooms.most_common()},
        by_function={f: n / samples for f, n in functions.most_common() if n >= samples / 100},
    )


def table(profile: Profile) -> str:
    """Two Markdown tables and what they rest on."""
    lines = [f"{profile.samples:,} samples under `{profile.scenario}`.", ""]
    lines += ["| room | share of CPU time |", "| --- | ---: |"]
    lines += [f"| {room} | {100 * share:.0f} % |" for room, share in profile.by_room.items()]
    lines += ["", "| function | share of CPU time |", "| --- | ---: |"]
    lines += [f"| `{f}` | {100 * share:.1f} % |" for f, share in profile.by_function.items()]
    return "\n".join(lines) + "\n"


def record(scenario: Scenario, seconds: float) -> Profile:
    """Load the gateway and sample it."""
    build(OUT / "harness")
    where, folder = cores(), OUT / "run" / "profile"
    spy = install("py-spy", (PROFILER,), (), OUT / "venvs") / "py-spy"
    (ours,) = [g for g in GATEWAYS if g.name == "neocloud"]
    body = OUT / "harness" / "profile-body.json"
    body.write_bytes(scenario.body())
    load_s = seconds + scenario.warm_up_s + 4
    with (
        mock(OUT / "harness", where) as upstream,
        started(ours, Path(sys.executable).parent, upstream.port, where, folder) as up,
    ):
        command = [
            str(OUT / "harness" / "load"), "-P", str(up.port), "-p", PATH, "-b", str(body),
            "-k", KEY, "-c", str(scenario.connections), "-w", str(scenario.warm_up_s),
            "-d", str(load_s),
        ]  # fmt: skip
        load = subprocess.Popen(pinned(where.load, command), stdout=subprocess.DEVNULL)
        try:
            out = folder / "stacks.txt"
            subprocess.run(
                pinned(
                    where.load,
                    [
                        str(spy), "record", "--pid", str(up.pid), "--format", "raw",
                        "--output", str(out), "--rate", str(RATE),
                        "--duration", str(max(1, round(seconds))), "--full-filenames",
                    ],
                ),
                check=True,
                capture_output=True,
                timeout=seconds + 60,
            )  # fmt: skip
        finally:
            stop(load)
        return summarise(out.read_text(), scenario.name)


def main() -> int:
    """Read the arguments and do it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = [s.name for s in SCENARIOS]
    parser.add_argument("--scenario", choices=names, default="whole-32")
    parser.add_argument("--seconds", type=float, default=10)
    given = parser.parse_args()
    (scenario,) = [s for s in SCENARIOS if s.name == given.scenario]
    try:
        profile = record(replace(scenario, warm_up_s=1.0), given.seconds)
    except UnavailableError as error:
        print(f"no profile: {error}", file=sys.stderr)
        return 2
    PROFILE.write_bytes(msgspec.json.format(msgspec.json.encode(profile), indent=1) + b"\n")
    put_between(MARK, table(profile), PAGE)
    print(table(profile))
    return 0


if __name__ == "__main__":
    sys.exit(main())
