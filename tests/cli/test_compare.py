"""`compare` as a user meets it: what it prints, which plans it takes, how it ends."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from neocloud.planner import read_plan, write_plan
from neocloud.planner.comparison import Comparison

CHEAP = """\
name: cheap
sites:
  ashburn:
    metro: washington
    power: [{usd_per_mwh: 80, capacity_mw: 0.1}]
    pools: [{accelerator: h100-sxm, nodes: 1}]
models:
  llama:
    config: meta-llama/Meta-Llama-3.1-8B
    objective: {ttft_ms: 600, tpot_ms: 15}
    price_per_mtok: {input: 0.1, output: 0.1}
demand:
  - {model: llama, metros: [new-york, chicago], requests_per_s: 40, lengths: azure-conv}
planning: {tp: [1], batch: [256]}
"""
DEAR = CHEAP.replace("name: cheap", "name: dear").replace("usd_per_mwh: 80", "usd_per_mwh: 120")


def neocloud(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a verb as a user does; whatever happens, no traceback."""
    done = subprocess.run(
        [sys.executable, "-m", "neocloud.cli.main", *arguments],
        cwd=folder, capture_output=True, text=True, timeout=120,
        env={**os.environ, "PYTHONIOENCODING": "utf-8", "COLUMNS": "120"},
    )  # fmt: skip
    assert "Traceback" not in done.stderr, done.stderr
    return done


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in (("a", CHEAP), ("b", DEAR)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "cloud.yaml").write_text(text)
    return tmp_path


BOTH = ("compare", "a/cloud.yaml", "b/cloud.yaml")


def test_it_shows_both_conditions_and_ends_with_the_answer(folder: Path):
    done = neocloud(folder, *BOTH, "--png", "both.png")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0] == "A is cheap, B is dear."
    assert lines[-1] == "Picture: both.png"
    assert lines[-2].startswith("Does cheap beat dear? ")
    for part in (
        "At equal objectives",
        "At equal cost: with the objectives of all its models times ",
        "USD an hour, in all",
        "USD per million tokens",
        "utilisation",
        "t of CO2 a year",
        "new-york",
        "chicago",
        "all users",
        "Whole answer sooner at A for ",
    ):
        assert part in done.stdout
    assert (folder / "both.png").read_bytes().startswith(b"\x89PNG")
    # It leaves nothing else, and no table is cut off.
    assert sorted(p.name for p in folder.rglob("*") if p.is_file()) == [
        "both.png", "cloud.yaml", "cloud.yaml",
    ]  # fmt: skip
    assert "…" not in done.stdout


def test_the_json_is_the_published_record(folder: Path):
    done = neocloud(folder, *BOTH, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    found = msgspec.json.decode(done.stdout, type=Comparison)
    assert (found.schema, found.first, found.second) == ("neocloud.comparison/1", "cheap", "dear")
    equal = found.at_equal_cost
    assert equal.loosened == "dear"
    assert equal.reached
    assert equal.pair.second.total_per_hour <= equal.pair.first.total_per_hour
    assert {m.metro for m in equal.pair.first.metros} == {"new-york", "chicago"}


def test_a_cloud_beside_itself_is_told_apart_by_letter(folder: Path):
    done = neocloud(folder, "compare", "a/cloud.yaml", "a/cloud.yaml")
    assert done.returncode == 0
    assert "A is cheap (A), B is cheap (B)." in done.stdout
    assert "both cost alike as they are" in done.stdout


def marked(path: Path, gap: float) -> None:
    """The plan with a gap by which it is known again."""
    plan = read_plan(path)
    search = msgspec.structs.replace(plan.search, gap=gap)
    write_plan(msgspec.structs.replace(plan, search=search), path)


def gaps(folder: Path, *more: str) -> list[float]:
    done = neocloud(folder, *BOTH, "--json", *more)
    assert done.returncode == 0, done.stderr
    both = json.loads(done.stdout)["at_equal_objectives"]
    return [both["first"]["gap"], both["second"]["gap"]]


def test_plans_of_these_very_files_are_read_and_others_made_again(folder: Path):
    for name in ("a", "b"):
        assert neocloud(folder, "plan", f"{name}/cloud.yaml", "--quick").returncode == 0
    marked(folder / "a/plan.json", 0.25)
    marked(folder / "b/plan.json", 0.5)
    assert gaps(folder) == [0.25, 0.5]
    (folder / "a/plan.json").rename(folder / "mine.json")
    assert gaps(folder)[0] < 0.01
    assert gaps(folder, "--plans", "mine.json", "b/plan.json") == [0.25, 0.5]
    (folder / "b/cloud.yaml").write_text(DEAR.replace("usd_per_mwh: 120", "usd_per_mwh: 130"))
    assert gaps(folder)[1] < 0.01
    done = neocloud(folder, *BOTH, "--plans", "mine.json", "b/plan.json")
    assert (done.returncode, done.stdout) == (2, "")
    assert "b/plan.json was made from another version of b/cloud.yaml." in done.stderr


def test_what_cannot_be_planned_is_named_with_its_reason(folder: Path):
    (folder / "b/cloud.yaml").write_text(DEAR.replace("capacity_mw: 0.1", "capacity_mw: 0"))
    done = neocloud(folder, *BOTH)
    assert (done.returncode, done.stdout) == (3, "")
    first, reason, *_ = done.stderr.splitlines()
    assert first == "infeasible: dear (b/cloud.yaml) cannot serve its demand."
    assert "power at ashburn binds" in reason
    assert "cheap" not in done.stderr
    (folder / "a/cloud.yaml").write_text(CHEAP.replace("capacity_mw: 0.1", "capacity_mw: 0"))
    done = neocloud(folder, *BOTH)
    assert done.returncode == 3
    assert done.stderr.count("infeasible: ") == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("compare", "a/cloud.yaml"), "Missing argument"),
        (("compare", "a/cloud.yaml", "none.yaml"), "none.yaml"),
        ((*BOTH, "--plans", "none.json", "none.json"), "none.json: No such file"),
        ((*BOTH, "--plans", "a/cloud.yaml", "b/cloud.yaml"), "not a plan"),
        ((*BOTH, "--max-factor", "1"), "--max-factor"),
        ((*BOTH, "--calibration", "none.json"), "none.json: cannot be read"),
        ((*BOTH, "--png", "nowhere/both.png"), "nowhere/both.png: there is no folder nowhere"),
        ((*BOTH, "--png", "both.nothing"), "both.nothing: the ending must be .png or .svg"),
    ],
)
def test_wrong_use_ends_with_2(folder: Path, arguments: tuple[str, ...], message: str):
    done = neocloud(folder, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr


def test_two_currencies_end_with_2(folder: Path):
    euros = DEAR.replace("sites:", "currency: EUR\nexchange_rates: {USD: 0.9}\nsites:")
    (folder / "b/cloud.yaml").write_text(euros)
    done = neocloud(folder, *BOTH)
    assert (done.returncode, done.stdout) == (2, "")
    assert "their costs cannot be compared" in done.stderr
