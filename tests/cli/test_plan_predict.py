"""`plan` and `predict` as a user meets them: what they print, what they leave, how they end."""

from __future__ import annotations

import csv
import json
import math
import os
import subprocess
import sys
from pathlib import Path

import jsonschema
import msgspec
import pytest

from neocloud.perf import Calibration, shipped
from neocloud.perf.predictor import Change
from neocloud.planner import plan_schema, read_plan

EXAMPLE = Path(__file__).parents[2] / "examples" / "two-sites" / "cloud.yaml"
TERMINAL = {**os.environ, "PYTHONIOENCODING": "utf-8", "COLUMNS": "160"}
SMALL = """\
name: small
sites:
  ashburn:
    metro: washington
    power: [{usd_per_mwh: 80, capacity_mw: 0.1}]
    pools: [{accelerator: h100-sxm, nodes: 1}]
models:
  llama:
    config: meta-llama/Meta-Llama-3.1-8B
    objective: {ttft_ms: 1000, tpot_ms: 40}
    price_per_mtok: {input: 0.1, output: 0.1}
demand:
  - {model: llama, metros: [new-york], requests_per_s: 20, lengths: azure-conv}
planning: {tp: [1], batch: [256]}
"""


def neocloud(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a verb as a user does; whatever happens, no traceback."""
    done = subprocess.run(
        [sys.executable, "-m", "neocloud.cli.main", *arguments],
        cwd=folder, capture_output=True, text=True, timeout=120, env=TERMINAL,
    )  # fmt: skip
    assert "Traceback" not in done.stderr, done.stderr
    return done


@pytest.fixture
def cloud(tmp_path: Path) -> Path:
    path = tmp_path / "cloud.yaml"
    path.write_text(SMALL)
    return path


def test_plan_shows_what_stands_where_and_what_it_costs(cloud: Path):
    done = neocloud(cloud.parent, "plan", "cloud.yaml")
    assert (done.returncode, done.stderr) == (0, "")
    for part in (
        "small: how models run",
        "What stands where",
        "Cost per million tokens, USD",
        "power",
        "capital",
        "operations",
        "network",
        "Latency, ms, network included",
        "HiGHS proved the placement within",
        "Plan: plan.json",
    ):
        assert part in done.stdout
    plan = read_plan(cloud.with_name("plan.json"))
    assert plan.cloud == "small"
    (placement,) = plan.placements
    row = next(line.split() for line in done.stdout.splitlines() if "h100-sxm   llama" in line)
    assert row[:5] == ["ashburn", "h100-sxm", "llama", "A", str(placement.replicas)]
    assert "The naive plan (nearest site" in done.stdout


def test_plan_prints_the_plan_itself(cloud: Path):
    done = neocloud(cloud.parent, "plan", "cloud.yaml", "--json", "--out", "other.json")
    assert (done.returncode, done.stderr) == (0, "")
    document = json.loads(done.stdout)
    jsonschema.validate(document, plan_schema())
    assert document == json.loads((cloud.parent / "other.json").read_bytes())
    assert not cloud.with_name("plan.json").exists()


def test_the_example_plans(tmp_path: Path):
    done = neocloud(tmp_path, "plan", str(EXAMPLE), "--out", str(tmp_path / "p.json"), "--quiet")
    assert (done.returncode, done.stderr) == (0, "")
    for part in ("two-sites", "mi300x", "h100-sxm", "gpt-oss-120b", "llama-3.1-8b"):
        assert part in done.stdout


def test_no_power_at_a_site_is_infeasible(cloud: Path):
    """Exit status 3; it names the limit, the site, the line and the remedy."""
    cloud.write_text(SMALL.replace("capacity_mw: 0.1", "capacity_mw: 0"))
    done = neocloud(cloud.parent, "plan", "cloud.yaml")
    assert done.returncode == 3
    assert done.stdout == ""
    first, reason, least, change = done.stderr.splitlines()
    assert least == "The least that makes it feasible, all of it:"
    assert change.strip().startswith("sites.ashburn.power.0.capacity_mw: ")
    assert first == "infeasible: the demand cannot be served."
    assert reason.strip().startswith("cloud.yaml:5: power at ashburn binds: ")
    assert reason.endswith("Raise capacity_mw, or lower the demand.")
    assert not cloud.with_name("plan.json").exists()


def test_the_example_without_power_at_frankfurt_is_infeasible(tmp_path: Path):
    """The tenant that may use no other site is what makes it so."""
    text = EXAMPLE.read_text()
    assert "capacity_mw: 0.02, eur_per_mwh" in text
    path = tmp_path / "cloud.yaml"
    path.write_text(text.replace("capacity_mw: 0.02, eur_per_mwh", "capacity_mw: 0, eur_per_mwh"))
    line = 1 + next(i for i, row in enumerate(text.splitlines()) if row.strip() == "power:")
    done = neocloud(tmp_path, "plan", "cloud.yaml")
    assert done.returncode == 3
    assert f"cloud.yaml:{line}: power at frankfurt binds: its contracts give 0 MW" in done.stderr


def test_a_failed_plan_leaves_the_last_one_alone(cloud: Path):
    assert neocloud(cloud.parent, "plan", "cloud.yaml", "--quiet").returncode == 0
    kept = cloud.with_name("plan.json").read_bytes()
    cloud.write_text(SMALL.replace("requests_per_s: 20", "requests_per_s: 20000"))
    assert neocloud(cloud.parent, "plan", "cloud.yaml").returncode == 3
    assert cloud.with_name("plan.json").read_bytes() == kept


def test_mistakes_in_the_file_are_told_all_at_once(cloud: Path):
    cloud.write_text(
        SMALL.replace("metro: washington", "metro: washingtn").replace(
            "llama, metros", "lama, metros"
        )
    )
    done = neocloud(cloud.parent, "plan", "cloud.yaml")
    assert (done.returncode, done.stdout) == (2, "")
    assert "cloud.yaml:4:" in done.stderr
    assert "washington" in done.stderr
    assert "cloud.yaml:13:" in done.stderr


def test_an_accelerator_that_nothing_was_measured_on_is_left_out(cloud: Path):
    own = "{accelerator: h100-sxm, nodes: 1}"
    other = "{accelerator: gaudi-3, nodes: 1, capex_usd: 9000}"
    cloud.write_text(SMALL.replace(own, f"{own}, {other}"))
    done = neocloud(cloud.parent, "plan", "cloud.yaml")
    assert done.returncode == 0, done.stderr
    assert "Left out: ashburn/gaudi-3. gaudi-3 cannot be predicted: no measured" in done.stdout
    plan = json.loads((cloud.parent / "plan.json").read_text())
    assert [s["pool"] for s in plan["skipped"]] == ["gaudi-3"]
    assert {p["accelerator"] for p in plan["placements"]} == {"h100-sxm"}


def test_with_no_other_choice_the_plan_is_infeasible_and_says_why(cloud: Path):
    cloud.write_text(SMALL.replace("h100-sxm, nodes: 1", "gaudi-3, nodes: 1, capex_usd: 9000"))
    done = neocloud(cloud.parent, "plan", "cloud.yaml")
    assert (done.returncode, done.stdout) == (3, "")
    assert "pool ashburn/gaudi-3 is left out: gaudi-3 cannot be predicted" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("plan",), "Missing argument"),
        (("plan", "missing.yaml"), "missing.yaml"),
        (("plan", "cloud.yaml", "--nonsense"), "--nonsense"),
        (("plan", "cloud.yaml", "--out", "nowhere/plan.json"), "nowhere"),
    ],
)
def test_wrong_use_of_plan_ends_with_2(cloud: Path, arguments, message):
    done = neocloud(cloud.parent, *arguments)
    assert done.returncode == 2
    assert message in done.stderr


LLAMA = ("--model", "meta-llama/Meta-Llama-3.1-8B", "--accelerator", "h100-sxm")


def test_predict_shows_throughput_latency_memory_and_energy(tmp_path: Path):
    done = neocloud(tmp_path, "predict", *LLAMA, "--concurrency", "64")
    assert (done.returncode, done.stderr) == (0, "")
    for part in (
        "meta-llama/Meta-Llama-3.1-8B on 1 x h100-sxm,",
        "bf16, 64 at once, 1024 in, 1024 out",
        "output tokens/s per accelerator",
        "time to first token",
        "time per output token",
        "One decode step",
        "One prompt alone",
        "Memory of one accelerator, GB",
        "energy per output token, modelled",
        "half within",
        "nine in ten within",
        "physics alone",
        "What stands behind it: ",
        "docs/accuracy.md",
    ):
        assert part in done.stdout


def test_predict_as_json_adds_up(tmp_path: Path):
    done = neocloud(tmp_path, "predict", *LLAMA, "--isl", "2000", "--osl", "500", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    p = json.loads(done.stdout)
    assert p["configuration"]["max_batch"] == p["concurrency"] == 64
    stay = p["ttft_ms"] / 1e3 + 500 * p["tpot_ms"] / 1e3
    assert p["requests_per_s"] * stay == pytest.approx(64, rel=0.01)
    assert p["output_tok_s_per_accelerator"] == pytest.approx(500 * p["requests_per_s"])
    assert sum(p["decode_step"].values()) * 1e3 >= p["roofline_decode_ms"]
    for name, bounds in p["intervals"].items():
        assert bounds["low_90"] < bounds["low_50"] < bounds["high_50"] < bounds["high_90"], name
        assert bounds["low_90"] < p[name] < bounds["high_90"], name
        assert p["physics"][name] == pytest.approx(p[name], rel=0.5)
    assert p["nearness"].split(":")[0] in {"near", "between", "far"}


def test_predict_reads_a_config_of_ones_own(tmp_path: Path):
    data = Path(__file__).parents[2] / "src/neocloud/catalog/data/configs"
    (tmp_path / "mine.json").write_bytes((data / "Qwen__Qwen3-8B.json").read_bytes())
    own, known = (
        neocloud(tmp_path, "predict", "--model", m, "--accelerator", "mi300x", "--json")
        for m in ("mine.json", "Qwen/Qwen3-8B")
    )
    assert own.returncode == 0, own.stderr
    assert json.loads(own.stdout)["tpot_ms"] == json.loads(known.stdout)["tpot_ms"]


def test_predict_of_what_does_not_fit_ends_with_3(tmp_path: Path):
    done = neocloud(
        tmp_path, "predict", "--model", "meta-llama/Meta-Llama-3.1-70B", "--accelerator", "h100-sxm"
    )
    assert (done.returncode, done.stdout) == (3, "")
    assert "does not fit 1 x h100-sxm" in done.stderr
    assert "larger tp" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--model", "llama-8b", "--accelerator", "h100-sxm"), "llama-8b"),
        ((*LLAMA[:2], "--accelerator", "h100"), "h100-sxm"),
        ((*LLAMA, "--tp", "3"), "tp 3 does not divide the 32 attention heads"),
        ((*LLAMA, "--pp", "33"), "more than the 32 layers"),
        ((*LLAMA, "--precision", "int3"), "int3 is not one of"),
        ((*LLAMA, "--kv-precision", "fp3"), "KV precision fp3 is not one of"),
        ((*LLAMA, "--engine", "llamacpp"), "--engine"),
        ((*LLAMA, "--drafts", "2"), "has no layers that draft tokens"),
        ((*LLAMA, "--pp", "64"), "more than the 32 layers"),
        ((*LLAMA, "--calibration", "none.json"), "none.json: cannot be read"),
        ((*LLAMA, "--cloud", "none.yaml"), "none.yaml"),
        ((), "Give --model and --accelerator, or --rows and --out"),
        (("--rows", "in.csv"), "--rows and --out go together"),
        ((*LLAMA, "--out", "out.csv"), "--rows and --out go together"),
        (("--rows", "in.csv", "--out", "o.csv", "--tp", "2", "--json"), "leave out --json, --tp"),
        (("--rows", "in.csv", "--out", "out.csv"), "in.csv: No such file"),
        ((*LLAMA, "--isl", "0"), "--isl"),
        ((*LLAMA, "--concurrency", "many"), "--concurrency"),
        (LLAMA[:2], "--accelerator"),
        ((*LLAMA[:2], "--accelerator", "gaudi-3"), "no measured result stands behind it"),
        (("--model", "missing.json", "--accelerator", "h100-sxm"), "missing.json"),
    ],
)
def test_wrong_use_of_predict_ends_with_2(tmp_path: Path, arguments, message):
    done = neocloud(tmp_path, "predict", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr


ROWS = """\
model,accelerator,engine,precision,isl,osl,concurrency,tp,pp,attention_dp,moe_tp,moe_ep,tpot_ms
meta-llama/Llama-3.1-8B-Instruct,h100-sxm,trtllm,fp8,1000,200,32,1,1,1,1,1,wrong
nobody/unheard-of,h100-sxm,trtllm,fp8,1000,200,32,1,1,1,1,1,
nobody/unheard-of,h100-sxm,trtllm,fp8,1000,200,64,1,1,1,1,1,
"""


def test_predict_rows_of_a_file(tmp_path: Path):
    (tmp_path / "in.csv").write_text(ROWS)
    done = neocloud(tmp_path, "predict", "--rows", "in.csv", "--out", "out.csv")
    assert (done.returncode, done.stderr) == (0, "")
    first, refused, last = done.stdout.splitlines()
    assert first == "in.csv: layout nvidia_serving; 1 rows predicted, 2 refused."
    assert refused.startswith("  2: ")
    assert last == "Predictions: out.csv"
    with (tmp_path / "out.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert 1000 < float(rows[0]["pred_total_tok_s_per_gpu"]) < 100_000
    assert rows[0]["tpot_ms"] == "wrong"
    assert [bool(r["pred_error"]) for r in rows] == [False, True, True]


def test_a_file_of_another_layout_is_refused(tmp_path: Path):
    (tmp_path / "in.csv").write_text("a,b\n1,2\n")
    done = neocloud(tmp_path, "predict", "--rows", "in.csv", "--out", "out.csv")
    assert (done.returncode, done.stdout) == (2, "")
    assert "in.csv: the columns fit no known layout" in done.stderr
    (tmp_path / "in.csv").write_bytes(b"\xff\xfe\x00\x81")
    done = neocloud(tmp_path, "predict", "--rows", "in.csv", "--out", "out.csv")
    assert done.returncode == 2
    assert "in.csv: this is no CSV file in UTF-8" in done.stderr
    assert not (tmp_path / "out.csv").exists()


def test_an_accelerator_of_a_cloud_file_is_predicted_by_its_figures(cloud: Path):
    cloud.write_text(
        "accelerators: {own: {like: h100-sxm, memory_gb_per_s: 1675}}\n"
        + SMALL.replace("h100-sxm", "own")
    )
    own, plain = (
        neocloud(cloud.parent, "predict", *LLAMA[:2], "--accelerator", key, "--json", *more)
        for key, more in (("own", ("--cloud", "cloud.yaml")), ("h100-sxm", ()))
    )
    assert own.returncode == 0, own.stderr
    slow, fast = (json.loads(d.stdout)["physics"]["tpot_ms"] for d in (own, plain))
    assert slow > 1.3 * fast


def test_layouts_of_a_replica_count(tmp_path: Path):
    """Sixteen accelerators: two stages of eight ranks that share experts."""
    done = neocloud(
        tmp_path, "predict", "--model", "deepseek-ai/DeepSeek-R1", "--accelerator", "h200-sxm",
        "--attention-dp", "8", "--pp", "2", "--ep", "8", "--engine", "sglang", "--drafts", "1",
        "--kv-precision", "fp8", "--precision", "fp8",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "on 16 x h200-sxm, fp8" in done.stdout
    assert "sglang, tp 1, pp 2, attention dp 8, ep 8, drafts 1, KV cache in fp8" in done.stdout


def calibration(folder: Path, base: str) -> Path:
    """Every step twice as long as the fit has it, under vLLM."""
    shipped_ = shipped().fit.factors["decode_factor"]["engine"].get("vllm", 0.0)
    made = Calibration(
        base=base,
        source="rows.csv",
        rows=9,
        changes=[
            Change(
                term="decode_factor",
                level="engine",
                key="vllm",
                shipped=shipped_,
                calibrated=shipped_ + math.log(2.0),
            )
        ],
    )
    path = folder / "calibration.json"
    path.write_bytes(msgspec.json.encode(made))
    return path


def test_a_calibration_reaches_predictions_and_plans(cloud: Path):
    """And what runs a plan later: the plan carries it."""
    folder = cloud.parent
    calibration(folder, shipped().digest)
    before, after = (
        json.loads(neocloud(folder, "predict", *LLAMA, "--json", *more).stdout)["tpot_ms"]
        for more in ((), ("--calibration", "calibration.json"))
    )
    assert 1.4 * before < after < 2.1 * before
    assert neocloud(folder, "plan", "cloud.yaml").returncode == 0
    plain = read_plan(folder / "plan.json")
    done = neocloud(folder, "plan", "cloud.yaml", "--calibration", "calibration.json")
    assert done.returncode == 0, done.stderr
    mine = read_plan(folder / "plan.json")
    assert mine.calibration is not None
    assert plain.calibration is None
    assert mine.hashes["parameters"] != plain.hashes["parameters"]
    rate = [p.placements[0].max_requests_per_s for p in (plain, mine)]
    assert rate[1] < 0.8 * rate[0]


def test_a_calibration_of_another_fit_is_refused(cloud: Path):
    folder = cloud.parent
    calibration(folder, "0" * 16)
    for verb in (("plan", "cloud.yaml"), ("predict", *LLAMA)):
        done = neocloud(folder, *verb, "--calibration", "calibration.json")
        assert (done.returncode, done.stdout) == (2, "")
        assert "calibration.json: the calibration was made on another fit" in done.stderr
        assert "neocloud accuracy --fit" in done.stderr
