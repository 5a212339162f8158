"""`search` as a user meets it: what it prints, what it leaves, how it ends."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest

from neocloud.cli.search_tables import show_front
from neocloud.planner.search.front import Front

LLAMA = "meta-llama/Meta-Llama-3.1-8B"
QUICK = ("--accelerator", "h100-sxm", "--tp", "1", "--pp", "1")
CLOUD = """\
name: small
currency: EUR
exchange_rates: {USD: 0.9}
sites:
  ashburn:
    metro: washington
    power: [{usd_per_mwh: 80, capacity_mw: 0.1}]
    pools:
      - {accelerator: h100-sxm, nodes: 1}
      - {accelerator: mi300x, nodes: 1}
models:
  llama:
    config: meta-llama/Meta-Llama-3.1-8B
    objective: {ttft_ms: 1000, tpot_ms: 40, percentile: 95}
    price_per_mtok: {input: 0.1, output: 0.1}
    precisions: [fp8]
demand:
  - {model: llama, metros: [new-york], requests_per_s: 20, lengths: azure-conv}
planning: {tp: [1], pp: [1], batch: [256], serving: [aggregated]}
"""


def neocloud(folder: Path, *arguments: str, path: str = "") -> subprocess.CompletedProcess[str]:
    """Run a verb as a user does; whatever happens, no traceback."""
    environment = {**os.environ, "PYTHONIOENCODING": "utf-8", "COLUMNS": "120"}
    if path:
        environment["PYTHONPATH"] = path
    done = subprocess.run(
        [sys.executable, "-m", "neocloud.cli.main", *arguments],
        cwd=folder, capture_output=True, text=True, timeout=120, env=environment,
    )  # fmt: skip
    assert "Traceback" not in done.stderr, done.stderr
    return done


@pytest.fixture
def cloud(tmp_path: Path) -> Path:
    path = tmp_path / "cloud.yaml"
    path.write_text(CLOUD)
    return path


def test_it_shows_the_cheapest_first_and_where_figures_are_from(tmp_path: Path) -> None:
    done = neocloud(tmp_path, "search", LLAMA, *QUICK, "--accelerator", "mi300x")
    assert (done.returncode, done.stderr) == (0, "")
    first = next(line for line in done.stdout.splitlines() if line.lstrip().startswith("* "))
    assert re.match(r" *\* 1 (h100-sxm|mi300x) +tp1 bf16 +0/\d+/\d+", first)
    assert done.stdout.index("Cheapest within the objective, by accelerator") < done.stdout.index(
        "The front: what no other way to run it beats"
    )
    assert len(re.findall(r"^  [*+ ] [\dx]+ (?:h100-sxm|mi300x) ", done.stdout, re.MULTILINE)) <= 22
    for part in ("points (configurations at batches)", "have no room", "USD/MWh", "predictions"):
        assert part in done.stdout
    # A table that fits the terminal has nothing cut off.
    assert "…" not in done.stdout


def test_the_json_is_the_published_record(tmp_path: Path) -> None:
    done = neocloud(tmp_path, "search", LLAMA, *QUICK, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    said = json.loads(done.stdout)
    schema = Path(__file__).parents[2] / "schemas" / "front.schema.json"
    jsonschema.Draft202012Validator(json.loads(schema.read_text())).validate(said)
    front = msgspec.json.decode(done.stdout, type=Front)
    assert json.loads(msgspec.json.encode(front)) == said
    assert (front.model, front.currency, front.schema) == (LLAMA, "USD", "neocloud.front/1")
    assert front.cheapest[0].cost_per_mtok == min(
        p.cost_per_mtok for p in front.points if p.meets_objective
    )


def test_options_change_what_is_searched(tmp_path: Path) -> None:
    def front(*more: str) -> Front:
        done = neocloud(tmp_path, "search", LLAMA, *QUICK, "--json", *more)
        assert done.returncode == 0, done.stderr
        return msgspec.json.decode(done.stdout, type=Front)

    plain = front()
    power = front("--usd-per-mwh", "0", "--pue", "1")
    assert {p.power_cost_per_mtok for p in power.points} == {0.0}
    assert power.prices[0].pue == 1.0
    asked = front(
        "--lengths", "azure-code", "--precision", "fp8", "--kv-precision", "fp8", "--tpot-ms",
        "9", "--percentile", "95", "--engine", "sglang", "--max-accelerators", "1",
    )  # fmt: skip
    assert asked.load.input_tokens != plain.load.input_tokens
    assert (asked.tpot_ms, asked.percentile) == (9.0, 95.0)
    ways = {
        (c.precision, c.kv_precision, c.engine, c.accelerators)
        for c in (p.decode.configuration for p in asked.points)
    }
    assert ways == {("fp8", "fp8", "sglang", 1)}
    assert {p.meets_objective for p in asked.points} == {True, False}
    careful = front("--confidence", "0.8")
    assert careful.confidence == 0.8
    assert careful.cheapest[0].cost_per_mtok > plain.cheapest[0].cost_per_mtok


def test_workers_apart_take_two_rows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done = neocloud(tmp_path, "search", LLAMA, *QUICK, "--json")
    front = msgspec.json.decode(done.stdout, type=Front)
    best = front.cheapest[0]
    replace = msgspec.structs.replace
    apart = replace(
        best, prefill=replace(best.decode, workers=2), decode=replace(best.decode, workers=3)
    )
    show_front(replace(front, points=(apart,), cheapest=(apart,)))
    shown = capsys.readouterr().out
    assert re.search(r"\* 2x1 h100-sxm prefill +tp1 bf16 +0/\d+/\d+ *\n", shown)
    assert re.search(r"\+ 3x1 decode +tp1 bf16 +0/\d+/\d+ +\d", shown)


def test_pictures_are_written(tmp_path: Path) -> None:
    done = neocloud(tmp_path, "search", LLAMA, *QUICK, "--png", "a.png", "--html", "a.html")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "a.html").read_text().startswith("<!doctype html>")
    assert "Picture: a.png" in done.stdout
    assert "Picture: a.html" in done.stdout


def test_a_cloud_file_says_all_but_the_model(cloud: Path) -> None:
    done = neocloud(cloud.parent, "search", "llama", "--cloud", cloud.name, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    front = msgspec.json.decode(done.stdout, type=Front)
    assert (front.currency, front.tpot_ms, front.percentile) == ("EUR", 40.0, 95.0)
    assert {p.place for p in front.prices} == {"ashburn/h100-sxm", "ashburn/mi300x"}
    assert {p.decode.configuration.precision for p in front.points} == {"fp8"}
    assert front.prices[0].per_kwh == pytest.approx(0.08 * 0.9)
    assert front.prices[0].rtt_ms > 10.0
    one = neocloud(
        cloud.parent, "search", "llama", "--cloud", cloud.name, "--accelerator", "mi300x"
    )
    assert one.returncode == 0
    assert "h100-sxm" not in one.stdout
    assert "network included" in one.stdout


def _no_matplotlib(folder: Path) -> str:
    """A folder in which matplotlib cannot be imported, ahead of all others."""
    (folder / "without").mkdir()
    (folder / "without" / "matplotlib.py").write_text("raise ImportError('not here')\n")
    return str(folder / "without")


def test_without_matplotlib_it_says_what_to_install(tmp_path: Path) -> None:
    path = _no_matplotlib(tmp_path)
    done = neocloud(tmp_path, "search", LLAMA, *QUICK, "--png", "a.png", path=path)
    assert done.returncode == 2
    assert "pip install 'neocloud[plot]'" in done.stderr
    page = neocloud(tmp_path, "search", LLAMA, *QUICK, "--html", "a.html", path=path)
    assert page.returncode == 0, page.stderr


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("meta-llama/Meta-Lama-3.1-8B",), ["no model", "nearest: ", LLAMA, "config.json"]),
        ((LLAMA, "--accelerator", "h100"), ["no accelerator 'h100'", "h100-sxm"]),
        ((LLAMA, "--accelerator", "tpu-v6e"), ["cannot be predicted", "tpu-v6e"]),
        ((LLAMA, "--accelerator", "rtx-a6000"), ["rtx-a6000", "capex_usd"]),
        ((LLAMA, *QUICK, "--precision", "fp7"), ["'fp7' cannot be served", "fp8"]),
        ((LLAMA, *QUICK, "--lengths", "azure-cov"), ["azure-cov", "azure-conv"]),
        ((LLAMA, *QUICK, "--png", "no/where.png"), ["no/where.png", "No such file", "--png"]),
        ((LLAMA, *QUICK, "--png", "a.bmq"), ["a.bmq", ".png or .svg"]),
        ((LLAMA, *QUICK, "--html", "no/where.html"), ["no/where.html", "No such file", "--html"]),
        ((LLAMA, "--confidence", "2"), ["--confidence"]),
        (("llama", "--cloud", "cloud.yaml", "--ttft-ms", "5"), ["--ttft-ms", "leave out"]),
        (("lama", "--cloud", "cloud.yaml"), ["no model 'lama'", "llama"]),
        (("llama", "--cloud", "cloud.yaml", "--accelerator", "l4"), ["no pool of 'l4'", "mi300x"]),
        (("llama", "--cloud", "gone.yaml"), ["gone.yaml", "cannot be read"]),
    ],
)
def test_wrong_input_is_told_with_a_remedy(
    cloud: Path, arguments: tuple[str, ...], told: list[str]
) -> None:
    done = neocloud(cloud.parent, "search", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    for part in told:
        assert part in done.stderr


def test_a_model_that_nothing_serves_ends_with_status_3(tmp_path: Path) -> None:
    done = neocloud(
        tmp_path, "search", "meta-llama/Meta-Llama-3.1-405B", "--max-accelerators", "1",
        "--accelerator", "h100-sxm",
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (3, "")
    assert "no accelerator serves meta-llama/Meta-Llama-3.1-405B" in done.stderr
    assert "h100-sxm: nothing: its weights fit no configuration" in done.stderr
    assert "--max-accelerators" in done.stderr


def test_a_config_of_ones_own_is_a_model(tmp_path: Path) -> None:
    config: dict[str, Any] = {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 2048,
        "intermediate_size": 8192, "num_hidden_layers": 16, "num_attention_heads": 32,
        "num_key_value_heads": 8, "vocab_size": 32000, "max_position_embeddings": 8192,
        "torch_dtype": "bfloat16",
    }  # fmt: skip
    (tmp_path / "config.json").write_text(json.dumps(config))
    done = neocloud(tmp_path, "search", "config.json", *QUICK)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("config.json: ")
