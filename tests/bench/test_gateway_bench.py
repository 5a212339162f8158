"""The gateway's comparison: medians, tables, profile, and one short run without a gateway."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
BENCH = ROOT / "bench" / "gateway"
NAMES = ("machine", "measure", "peers", "results", "run", "scenarios", "where_time_goes")


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, ModuleType]]:
    """The scripts as modules, under the plain names by which they import each other."""
    monkeypatch.syspath_prepend(str(BENCH))
    yield {name: import_module(name) for name in NAMES}
    for name in NAMES:
        sys.modules.pop(name, None)


def run_of(
    results: ModuleType, target: str, number: int, scenario: str, **figures: float
) -> object:
    p50 = figures.get("p50", 0.0)
    times = results.Quantiles(n=9, mean=p50, p50=p50, p90=p50, p99=2 * p50, p999=3 * p50)
    return results.Run(
        round=number,
        target=target,
        scenario=scenario,
        requests_s=figures.get("requests_s", 0.0),
        tokens_s=figures.get("tokens_s", 0.0),
        latency_us=times,
        first_byte_us=times,
        age_us=times,
        complete=int(figures.get("complete", 9)),
        failed=int(figures.get("failed", 0)),
        with_usage=0,
        mock_requests=9,
        cpu=figures.get("cpu", 0.5),
        memory_mb=figures.get("memory_mb", 10.0),
        others=figures.get("others", 0.0),
    )


def compared(results: ModuleType) -> object:
    runs = []
    for number, (base, ours) in enumerate([(10, 110), (20, 130), (90, 150)], start=1):
        runs += [
            run_of(results, "direct", number, "whole-1", p50=base),
            run_of(results, "neocloud", number, "whole-1", p50=ours, failed=number),
            run_of(results, "neocloud", number, "whole-32", requests_s=1000.0 * number),
            run_of(results, "nginx", number, "whole-32", requests_s=4000.0, others=0.2),
        ]
    names = ("direct", "neocloud", "nginx")
    return results.Results(
        durable_write_us=200.0,
        date="2026-11-25",
        machine={"processor": "P", "cores": 2, "kernel": "6", "python": "3.11"},
        cores={"gateway": 0, "load": 1, "mock": 1},
        rounds=3,
        targets=tuple(results.Target(name=n, version="1", what=f"does {n}") for n in names),
        skipped=(results.Skipped(name="smg", reason="not installable"),),
        runs=tuple(runs),
    )


def test_figures_are_medians_and_additions_are_of_the_same_round(
    bench: dict[str, ModuleType],
) -> None:
    results = bench["results"]
    of = results.Summary(compared(results))
    assert of.value("neocloud", "whole-32", lambda r: r.requests_s) == 2000
    # 100, 110 and 60 more than direct in their rounds; the medians apart would give 110.
    assert of.added("neocloud", "whole-1", lambda r: r.latency_us.p50) == 100
    assert of.value("neocloud", "burst-32", lambda r: r.tokens_s) is None
    assert of.total("neocloud", lambda r: r.failed) == 6


def test_tables_say_what_was_found(bench: dict[str, ModuleType]) -> None:
    results = bench["results"]
    found = compared(results)
    (row,) = [x for x in results.table(found).splitlines() if x.startswith("| neocloud ")]
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[2] == "2,000"
    assert cells[5:7] == ["100", "200"]
    assert cells[-1] == "6"
    assert "| nginx | 0.50 x |  |  |  |" in results.ratios(found)
    text = results.remarks(found)
    assert "smg: not measured, not installable" in text
    assert "In 3 of 12 runs other processes took more than 15 %" in text


def test_results_are_read_as_written(bench: dict[str, ModuleType], tmp_path: Path) -> None:
    results = bench["results"]
    found = compared(results)
    results.write(found, tmp_path / "r.json")
    assert results.read(tmp_path / "r.json") == found


def test_the_page_shows_the_results_that_lie_beside(bench: dict[str, ModuleType]) -> None:
    page = (ROOT / "docs" / "performance.md").read_text()
    assert bench["results"].section(bench["results"].read(BENCH / "results.json")) in page


def test_text_goes_between_its_marks(bench: dict[str, ModuleType], tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("a\n<!-- m: begin -->\nold\n<!-- m: end -->\nz\n")
    bench["run"].put_between("m", "new\n", page)
    bench["run"].put_between("m", "newer\n", page)
    assert page.read_text() == "a\n<!-- m: begin -->\nnewer\n<!-- m: end -->\nz\n"
    with pytest.raises(SystemExit, match="lacks the lines"):
        bench["run"].put_between("other", "new\n", page)


def test_a_profile_is_summed_by_room_and_function(bench: dict[str, ModuleType]) -> None:
    folded = (
        "main (/x/neocloud/cli/up.py:1);run (/y/asyncio/runners.py:9) 20\n"
        "main (/x/neocloud/cli/up.py:1);f (/x/neocloud/gateway/relay.py:5) 50\n"
        "f (/x/neocloud/gateway/relay.py:7);g (/x/neocloud/wire/heads.py:5) 25\n"
        "run (/y/asyncio/runners.py:3) 4\n"
        "f (/x/neocloud/gateway/relay.py:8);dumps (/y/json/__init__.py:3) 1\n"
    )
    profile = bench["where_time_goes"].summarise(folded, "whole-32")
    assert profile.samples == 100
    assert profile.by_room == {"gateway": 0.51, "wire": 0.25, "cli": 0.2, "(loop)": 0.04}
    assert profile.by_function["f (gateway/relay.py)"] == 0.5
    assert profile.by_function["run (asyncio/runners.py)"] == 0.24
    assert profile.by_function["dumps (json/__init__.py)"] == 0.01
    with pytest.raises(SystemExit, match="saw no work"):
        bench["where_time_goes"].summarise("", "whole-32")


def test_what_cannot_be_had_says_why(bench: dict[str, ModuleType], tmp_path: Path) -> None:
    peers = bench["peers"]
    absent = peers.Gateway(
        "absent", "nothing", list, str, program="no-such-program", hint="build it"
    )
    with pytest.raises(peers.UnavailableError, match=r"not on the path \(build it\)"):
        peers.prepare(absent, tmp_path)
    with pytest.raises(peers.UnavailableError, match="not installable: ERROR"):
        peers.install("odd", ("./no-such-folder/x.whl",), (), tmp_path)


@pytest.mark.skipif(
    sys.platform != "linux"
    or shutil.which("cc") is None
    or shutil.which("taskset") is None
    or len(os.sched_getaffinity(0)) < 2,
    reason="needs Linux, a C compiler, taskset and two cores",
)
def test_mock_and_load_agree(tmp_path: Path) -> None:
    """Without a gateway: what the load saw is what the mock gave."""
    out = tmp_path / "r.json"
    command = [sys.executable, BENCH / "run.py", "--only", "direct", "--rounds", "1"]
    command += ["--scenarios", "burst-32", "--out", out]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    (run,) = json.loads(out.read_text())["runs"]
    assert run["failed"] == 0
    assert 0 < run["with_usage"] == run["complete"] <= run["mock_requests"]
    # Each answer has 128 tokens; those under way at either end make up for one answer a connection.
    tokens = run["tokens_s"] * 3.0
    assert abs(tokens - 128 * run["complete"]) <= 128 * 32
    assert run["age_us"]["p50"] > 0
