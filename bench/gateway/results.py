"""What a comparison found: laid down as JSON, shown as tables."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from statistics import median

import msgspec

SCHEMA = "neocloud.bench.gateway/2"
DISTURBED = 0.15
"""Share of a core that others may have taken during a run; beyond it the run is repeated."""


class Quantiles(msgspec.Struct, frozen=True):
    """Of a time, microseconds."""

    n: int
    mean: float
    p50: float
    p90: float
    p99: float
    p999: float


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One scenario against one gateway.

    Attributes:
        round: in which round; runs of one round follow each other within minutes.
        target: gateway, or `direct`: the mock itself.
        scenario: see scenarios.py.
        requests_s: whole answers a second.
        tokens_s: streamed tokens a second.
        latency_us: from sending a request to the end of its answer.
        first_byte_us: from sending a request to the first byte of its answer.
        age_us: from when the mock sent a token to when it arrived.
        complete: whole answers in the measured time.
        failed: answers with another status, or cut.
        with_usage: streams that ended with the usage asked for.
        mock_requests: requests that the mock had, warm-up included.
        cpu: the gateway's, as a share of one core.
        memory_mb: of its process tree, shared pages by share.
        others: share of a core that neither gateway nor harness took.
    """

    round: int
    target: str
    scenario: str
    requests_s: float
    tokens_s: float
    latency_us: Quantiles
    first_byte_us: Quantiles
    age_us: Quantiles
    complete: int
    failed: int
    with_usage: int
    mock_requests: int
    cpu: float
    memory_mb: float
    others: float


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """A gateway that was measured."""

    name: str
    version: str
    what: str


class Skipped(msgspec.Struct, frozen=True, kw_only=True):
    """A gateway that was not, and why."""

    name: str
    reason: str


class Results(msgspec.Struct, frozen=True, kw_only=True):
    """One comparison."""

    schema: str = SCHEMA
    date: str
    machine: dict[str, str | int]
    cores: dict[str, int]
    durable_write_us: float
    """Median of a write and its `fdatasync`, on the disk that holds the ledger."""
    rounds: int
    targets: tuple[Target, ...]
    skipped: tuple[Skipped, ...]
    runs: tuple[Run, ...]


def write(results: Results, path: Path) -> None:
    """Lay down as JSON."""
    path.write_bytes(msgspec.json.format(msgspec.json.encode(results), indent=1) + b"\n")


def read(path: Path) -> Results:
    """Read what `write` wrote."""
    return msgspec.json.decode(path.read_bytes(), type=Results)


class Summary:
    """Medians over the rounds of each gateway and scenario."""

    def __init__(self, results: Results) -> None:
        self._runs = {(r.target, r.scenario, r.round): r for r in results.runs}

    def _of(self, target: str, scenario: str) -> list[Run]:
        return [r for (t, s, _), r in self._runs.items() if (t, s) == (target, scenario)]

    def value(self, target: str, scenario: str, of: Callable[[Run], float]) -> float | None:
        """Median of a figure; None where the scenario was not run or gave nothing."""
        found = [of(r) for r in self._of(target, scenario) if r.complete or r.tokens_s]
        return median(found) if found else None

    def added(self, target: str, scenario: str, of: Callable[[Run], float]) -> float | None:
        """Median of what a gateway adds to the direct way, each in its own round."""
        pairs = [
            (run, self._runs.get(("direct", scenario, run.round)))
            for run in self._of(target, scenario)
            if run.complete or run.tokens_s
        ]
        found = [of(run) - of(base) for run, base in pairs if base is not None]
        return max(0.0, median(found)) if found else None

    def total(self, target: str, of: Callable[[Run], float]) -> float:
        """Sum over all runs."""
        return sum(of(r) for (t, _, _), r in self._runs.items() if t == target)

    def largest(self, target: str, of: Callable[[Run], float]) -> float:
        """Largest over all runs."""
        return max(of(r) for (t, _, _), r in self._runs.items() if t == target)


def _show(value: float | None, digits: int = 0) -> str:
    return "" if value is None else f"{value:,.{digits}f}"


def table(results: Results) -> str:
    """The comparison as a Markdown table; medians over the rounds."""
    of = Summary(results)
    head = (
        "gateway", "req/s, 1 conn.", "req/s, 32", "req/s, 128", "CPU µs/req",
        "added p50, µs", "added p99, µs", "streamed tok/s, 32", "paced tok/s, 200",
        "token later p50, µs", "token later p99, µs", "CPU paced, %", "memory, MB",
        "memory, 9,000 streams, MB", "failed",
    )  # fmt: skip
    lines = [_row(head), _row(["---"] + ["---:"] * (len(head) - 1))]
    lines += [_row(_figures(of, target.name)) for target in results.targets]
    return "\n".join(lines) + "\n"


def _figures(of: Summary, t: str) -> list[str]:
    return [
        t,
        *(_show(of.value(t, f"whole-{n}", lambda r: r.requests_s)) for n in (1, 32, 128)),
        _show(of.value(t, "whole-32", lambda r: 1e6 * r.cpu / max(r.requests_s, 1e-9))),
        _show(of.added(t, "whole-1", lambda r: r.latency_us.p50)),
        _show(of.added(t, "whole-1", lambda r: r.latency_us.p99)),
        _show(of.value(t, "burst-32", lambda r: r.tokens_s)),
        _show(of.value(t, "paced-200", lambda r: r.tokens_s)),
        _show(of.added(t, "paced-200", lambda r: r.age_us.p50)),
        _show(of.added(t, "paced-200", lambda r: r.age_us.p99)),
        _show(of.value(t, "paced-200", lambda r: 100 * r.cpu)),
        _show(of.largest(t, lambda r: 0.0 if r.scenario == "open-9000" else r.memory_mb)),
        _show(of.value(t, "open-9000", lambda r: r.memory_mb)),
        _show(of.total(t, lambda r: float(r.failed))),
    ]


def _row(cells: list[str] | tuple[str, ...]) -> str:
    return "| " + " | ".join(cells) + " |"


def ratios(results: Results, ours: str = "neocloud") -> str:
    """What `ours` does as a multiple of each other gateway; empty if it was not measured."""
    of = Summary(results)
    names = [t.name for t in results.targets]
    if ours not in names:
        return ""
    figures: tuple[tuple[str, str, Callable[[Run], float]], ...] = (
        ("req/s, 32", "whole-32", lambda r: r.requests_s),
        ("req/s, 128", "whole-128", lambda r: r.requests_s),
        ("streamed tok/s, 32", "burst-32", lambda r: r.tokens_s),
        ("CPU of paced streams", "paced-200", lambda r: r.cpu),
    )
    lines = [_row(("neocloud against", *(f[0] for f in figures))), _row(["---", *["---:"] * 4])]
    for name in names:
        if name == ours:
            continue
        cells = []
        for _, scenario, pick in figures:
            mine, theirs = of.value(ours, scenario, pick), of.value(name, scenario, pick)
            cells.append(f"{mine / theirs:.2f} x" if mine is not None and theirs else "")
        lines.append(_row((name, *cells)))
    return "\n".join(lines) + "\n"


def remarks(results: Results) -> str:
    """What stands below the tables: where, when, how, and what is missing."""
    m, c = results.machine, results.cores
    shared = "mock and load" if c["mock"] == c["load"] else "mock, and load each"
    how_often = "one round" if results.rounds == 1 else f"medians of {results.rounds} rounds"
    first = (
        f"{results.date}, `{m['processor']}`, {m['cores']} cores, Linux {m['kernel']}, Python "
        f"{m['python']}; {how_often}. The gateway on one core, {shared} on another."
    )
    write = (
        f"A write and its fdatasync on this disk: {results.durable_write_us:,.0f} µs at the median."
    )
    lines = [first, write, ""]
    lines += [f"- {t.name} {t.version}: {t.what}." for t in results.targets if t.version]
    lines += [f"- {s.name}: not measured, {s.reason}." for s in results.skipped]
    disturbed = sum(r.others > DISTURBED for r in results.runs)
    if disturbed:
        lines.append(
            f"- In {disturbed} of {len(results.runs)} runs other processes took more than "
            f"{100 * DISTURBED:.0f} % of a core, in the least disturbed of three tries."
        )
    return "\n".join(lines) + "\n"


def section(results: Results) -> str:
    """All of it, as it stands in docs/performance.md."""
    parts = [remarks(results), table(results)]
    if compared := ratios(results):
        parts.append(compared)
    return "\n".join(parts)
