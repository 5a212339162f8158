"""Measure neocloud's gateway beside its peers on this machine.

    make bench-gateway
    python bench/gateway/run.py --only neocloud,nginx --rounds 1
    python bench/gateway/run.py --show                  the tables of the last results

Every round goes through all gateways, so that what the machine does meanwhile hits all alike.
Peers are installed on demand into out/bench/venvs; one that cannot be had is skipped and the
results say why. Writes results.json and, unless --only leaves some out, the tables into
docs/performance.md. Linux, two cores, a C compiler.
"""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, datetime
from pathlib import Path

from machine import cores, description, durable_write_us, more_files
from measure import Running, build, measured, mock, started
from peers import GATEWAYS, Gateway, UnavailableError, prepare
from results import Results, Run, Skipped, Target, ratios, read, remarks, section, table, write
from scenarios import SCENARIOS, Scenario

ROOT = Path(__file__).resolve().parents[2]
OUT = ROOT / "out" / "bench"
RESULTS = Path(__file__).resolve().parent / "results.json"
PAGE = ROOT / "docs" / "performance.md"
MARK = "bench-gateway"


def say(run: Run) -> None:
    """One line of progress."""
    print(
        f"{run.round} {run.target:12} {run.scenario:10} {run.requests_s:9,.0f} req/s "
        f"{run.tokens_s:9,.0f} tok/s  p50 {run.latency_us.p50:9,.0f} p99 {run.latency_us.p99:9,.0f}"
        f"  age p99 {run.age_us.p99:8,.0f} us  cpu {run.cpu:4.2f}  others {run.others:4.2f}"
        f"  failed {run.failed}",
        flush=True,
    )


def compare(chosen: list[Gateway], scenarios: list[Scenario], rounds: int) -> Results:
    """Run everything."""
    build(OUT / "harness")
    more_files()
    where = cores()
    versions: dict[str, str] = {}
    skipped: dict[str, str] = {}
    binaries: dict[str, Path] = {}
    for gateway in chosen:
        try:
            binaries[gateway.name] = prepare(gateway, OUT / "venvs")
            versions[gateway.name] = gateway.version(binaries[gateway.name])
        except UnavailableError as error:
            skipped[gateway.name] = str(error)
            print(f"{gateway.name}: skipped, {error}", flush=True)
    runs: list[Run] = []

    def all_of(target: Running, number: int, most: int = 20_000) -> None:
        for scenario in scenarios:
            if scenario.connections > most:
                continue
            runs.append(measured(number, target, direct, scenario, where, OUT / "harness"))
            say(runs[-1])

    with mock(OUT / "harness", where) as direct:
        for number in range(1, rounds + 1):
            all_of(direct, number)
            for gateway in chosen:
                if gateway.name in skipped:
                    continue
                folder = OUT / "run" / gateway.name
                try:
                    with started(gateway, binaries[gateway.name], direct.port, where, folder) as up:
                        all_of(up, number, gateway.most_connections)
                except UnavailableError as error:
                    skipped[gateway.name] = str(error)
                    print(f"{gateway.name}: skipped, {error}; see {folder}/log.txt", flush=True)
    named = {run.target for run in runs}
    return Results(
        date=datetime.now(UTC).date().isoformat(),
        machine=description(),
        cores={"gateway": where.gateway, "load": where.load, "mock": where.mock},
        durable_write_us=durable_write_us(OUT / "run"),
        rounds=rounds,
        targets=(
            Target(name="direct", version="", what="no gateway"),
            *(
                Target(name=g.name, version=versions[g.name], what=g.what)
                for g in chosen
                if g.name in named
            ),
        ),
        skipped=tuple(Skipped(name=n, reason=r) for n, r in skipped.items()),
        runs=tuple(run for run in runs if run.target not in skipped),
    )


def put_between(mark: str, text: str, page: Path) -> None:
    """Replace what stands between two marks of a page."""
    begin, end = f"<!-- {mark}: begin -->\n", f"<!-- {mark}: end -->\n"
    before, found, rest = page.read_text().partition(begin)
    _, ended, after = rest.partition(end)
    if not (found and ended):
        raise SystemExit(f"{page} lacks the lines {begin.strip()} and {end.strip()}")
    page.write_text(before + begin + text + end + after)


def main() -> int:
    """Read the arguments and do it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = [gateway.name for gateway in GATEWAYS]
    parser.add_argument(
        "--only", help=f"some of {', '.join(names)}, or direct, with commas between"
    )
    parser.add_argument("--scenarios", help="some of " + ", ".join(s.name for s in SCENARIOS))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--show", action="store_true", help="print the tables of --out and stop")
    given = parser.parse_args()
    if given.show:
        print(section(read(given.out)))
        return 0
    if sys.platform != "linux":
        parser.error("needs Linux: it holds processes to cores and reads their accounts in /proc")
    only = names if given.only is None else given.only.split(",")
    picked = [s.name for s in SCENARIOS] if given.scenarios is None else given.scenarios.split(",")
    if unknown := [n for n in only if n not in {*names, "direct"}]:
        parser.error(f"no gateway {', '.join(unknown)}")
    if unknown := [n for n in picked if n not in {s.name for s in SCENARIOS}]:
        parser.error(f"no scenario {', '.join(unknown)}")
    results = compare(
        [g for g in GATEWAYS if g.name in only],
        [s for s in SCENARIOS if s.name in picked],
        given.rounds,
    )
    write(results, given.out)
    if given.out == RESULTS and given.only is None and given.scenarios is None:
        put_between(MARK, section(results), PAGE)
    print("\n".join(["", remarks(results), table(results), ratios(results)]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
