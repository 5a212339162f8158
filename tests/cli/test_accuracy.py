"""`neocloud accuracy`: what it prints, what it lays down, and how it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from neocloud.cli.failure import WRONG_INPUT, Failure
from neocloud.cli.main import cli
from neocloud.perf.predictor import predictor_with, shipped

ROWS = Path(__file__).parents[1] / "calibration"
DEEPSEEK, NVIDIA, THROUGHPUT = (
    str(ROWS / f"{name}.csv") for name in ("deepseek_r1_serving", "nvidia_serving", "throughput")
)


def run(*words: str) -> str:
    found = CliRunner().invoke(cli, ["accuracy", *words], catch_exceptions=False)
    assert found.exit_code == 0, found.output
    return found.output


def refused(*words: str) -> str:
    with pytest.raises(Failure) as failure:
        CliRunner().invoke(cli, ["accuracy", *words], standalone_mode=False, catch_exceptions=False)
    assert failure.value.status == WRONG_INPUT
    return str(failure.value)


def test_it_tells_errors_apart_and_what_was_not_predicted():
    text = run(DEEPSEEK, NVIDIA, THROUGHPUT)
    for title in ("In all", "By table", "By mode", "By accelerator", "By engine", "By model"):
        assert f"\n{title}" in f"\n{text}"
    for name in ("h200-sxm", "dynamo-trtllm", "Qwen/Qwen3-32B", "disaggregated", "mxfp4"):
        assert name in text
    assert "18 rows predicted, 1 not." in text
    assert "isl is not given" in text
    assert "Rows inside their interval" in text
    assert "rows that the fit has seen" in text
    assert "…" not in text


def test_json_holds_the_same():
    found = json.loads(run(NVIDIA, "--json"))
    assert found["schema"] == "neocloud.accuracy/1"
    assert (found["predicted"], found["refused"]) == (6, {})
    assert found["parameters"] == shipped().digest
    (first, *_) = found["lines"]
    assert first["by"] == "all"
    assert first["throughput"]["rows"] == 6
    assert {c["output"] for c in found["coverage"]} == {"throughput", "tpot", "ttft"}


@pytest.mark.parametrize("first", [True, False])
def test_a_fit_in_either_order_of_its_words(tmp_path, first):
    rows = tmp_path / "rows.csv"
    lines = Path(NVIDIA).read_text().splitlines()
    head, line = lines[0], lines[2].split(",")
    slower = [*line[:-2], str(float(line[-2]) * 1.5), str(float(line[-1]) * 1.5)]
    rows.write_text("\n".join([head, ",".join(slower)]) + "\n")
    out = tmp_path / "calibration.json"
    words = ["--fit", str(rows)] if first else [str(rows), "--fit"]
    text = run(*words, "--out", str(out))
    assert "shipped" in text
    assert "calibrated" in text
    assert "time of a decode step" in text
    assert f"neocloud predict --calibration {out}" in text
    assert predictor_with(out).digest != shipped().digest
    before = json.loads(run(str(rows), "--json"))["lines"][0]["tpot"]["median"]
    after = json.loads(run(str(rows), "--calibration", str(out), "--json"))
    assert after["lines"][0]["tpot"]["median"] < before
    assert after["parameters"] == predictor_with(out).digest


def test_a_fit_as_json(tmp_path):
    found = json.loads(run("--fit", NVIDIA, "--out", str(tmp_path / "c.json"), "--json"))
    assert set(found) == {"calibration", "before", "after"}
    assert found["calibration"] == json.loads((tmp_path / "c.json").read_text())


def test_rows_that_fit_already_change_nothing(tmp_path):
    rows = tmp_path / "rows.csv"
    made = tmp_path / "made.csv"
    predicted = CliRunner().invoke(
        cli, ["predict", "--rows", NVIDIA, "--out", str(made)], catch_exceptions=False
    )
    assert predicted.exit_code == 0
    lines = [line.split(",") for line in made.read_text().splitlines()]
    head = lines[0]
    for line in lines[1:]:
        for name in ("ttft_ms", "tpot_ms"):
            line[head.index(name)] = line[head.index(f"pred_{name}")]
    rows.write_text("\n".join(",".join(line) for line in lines) + "\n")
    assert "Nothing changed" in run("--fit", str(rows), "--out", str(tmp_path / "c.json"))


def test_wrong_input_is_told_with_its_remedy(tmp_path):
    other = tmp_path / "other.csv"
    other.write_text("a,b\n1,2\n")
    told = refused(str(other))
    assert "other.csv: the columns fit no known layout" in told
    assert "docs/accuracy.md" in told
    assert "gone.csv cannot be read" in refused(str(tmp_path / "gone.csv"))
    assert "no CSV file" in refused(_binary(tmp_path))
    assert "--fit and --out go together" in refused(NVIDIA, "--fit")
    assert "--fit and --out go together" in refused(NVIDIA, "--out", "c.json")
    assert "cannot be read" in refused(NVIDIA, "--calibration", str(tmp_path / "gone.json"))
    assert "is no calibration" in refused(NVIDIA, "--calibration", str(other))
    assert "leave out --calibration" in refused(
        NVIDIA, "--fit", "--out", "c.json", "--calibration", "d.json"
    )
    assert "cannot be written" in refused(
        "--fit", NVIDIA, "--out", str(tmp_path / "no" / "folder.json")
    )


def test_rows_without_results_cannot_be_fitted(tmp_path):
    rows = tmp_path / "rows.csv"
    head, *lines = Path(NVIDIA).read_text().splitlines()
    rows.write_text("\n".join([head, *(f"{line.rsplit(',', 2)[0]},," for line in lines)]) + "\n")
    assert "nothing to fit" in refused("--fit", str(rows), "--out", str(tmp_path / "c.json"))
    assert "not measured" in run(str(rows))


def _binary(folder: Path) -> str:
    path = folder / "binary.csv"
    path.write_bytes(bytes(range(256)))
    return str(path)
