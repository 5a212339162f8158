"""The tool behind docs/accuracy.md, on rows made here: predictions set beside themselves."""

from __future__ import annotations

import csv
import importlib.util
import sys
from pathlib import Path

import pytest

from neocloud.perf import Load, predict

from .cases import CATALOG, LLAMA_8B, case

TOOL = Path(__file__).parents[2] / "tools" / "accuracy.py"
SERVING = {
    "model": "meta-llama/Llama-3.1-8B-Instruct", "accelerator": "h100-sxm", "engine": "vllm",
    "precision": "", "isl": "1000", "osl": "200", "concurrency": "32", "batch_size": "32",
    "tp": "1", "pp": "1", "attention_dp": "", "moe_tp": "1", "moe_ep": "1",
}  # fmt: skip
THROUGHPUT = {
    "config": "meta-llama__Meta-Llama-3.1-8B", "accelerator": "h100-sxm", "engine": "trtllm",
    "n_gpus": "1", "tp": "1", "pp": "", "dp": "", "precision": "bf16", "mode": "offline",
    "isl": "1000", "osl": "200", "concurrency": "", "request_rate": "",
    "output_tok_s_per_gpu": "4000", "ttft_ms": "", "tpot_ms": "",
}  # fmt: skip


@pytest.fixture(scope="module")
def tool():
    spec = importlib.util.spec_from_file_location("accuracy_tool", TOOL)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


def predicted(concurrency: int = 32):
    c = case(LLAMA_8B, "h100-sxm", max_batch=concurrency)
    load = Load(input_tokens=1000.0, output_tokens=200.0)
    return predict(c.architecture, c.accelerator, c.configuration, load, concurrency)


def write(folder: Path, serving: list[dict], throughput: list[dict]) -> None:
    for name, rows in (("nvidia_serving.csv", serving), ("throughput.csv", throughput)):
        with (folder / name).open("w", newline="") as file:
            writer = csv.DictWriter(file, fieldnames=list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)


def test_what_is_as_predicted_has_no_error_and_twice_as_slow_has_half(tool):
    p = predicted()
    row = SERVING | {"ttft_ms": str(p.ttft_ms), "tpot_ms": str(2 * p.tpot_ms)}
    point = tool._Serving()(CATALOG, row)
    assert point.ttft == pytest.approx(1.0)
    assert point.tpot == pytest.approx(0.5)
    assert point.throughput == pytest.approx(2.0, rel=0.05)
    assert (point.model, point.mode) == ("Llama-3.1-8B", "serving")


def test_offline_rows_are_judged_by_throughput_alone(tool):
    point = tool._Throughput()(CATALOG, THROUGHPUT)
    most = predicted(tool.MOST_OFFLINE).output_tok_s_per_accelerator
    assert point.throughput == pytest.approx(most / 4000)
    assert (point.tpot, point.ttft, point.mode) == (None, None, "offline")


def test_nominal_lengths_of_inferencex_are_nine_tenths(tool):
    assert tool.load_of(1024.0, 8192.0).input_tokens == pytest.approx(921.6)
    assert tool.load_of(1024.0, 8192.0).input_cv2 == pytest.approx((0.2**2 / 12) / 0.81)
    assert tool.load_of(1000.0, 100.0).input_tokens == 1000.0


@pytest.mark.parametrize(
    ("tp", "moe_tp", "moe_ep", "count"),
    [("4", "1", "1", 4), ("16", "4", "4", 4), ("4", "2", "2", 2), ("1", "2", "1", 2),
     ("4", "1", "4", 4), ("2", "0", "0", 2)],
)  # fmt: skip
def test_accelerators_where_rows_state_their_square(tool, tp, moe_tp, moe_ep, count):
    assert tool.accelerators({"tp": tp, "moe_tp": moe_tp, "moe_ep": moe_ep}) == count


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"model": "nobody/Unheard-Of-7B"}, "catalog does not hold"),
        ({"attention_dp": "8"}, "data-parallel attention"),
        ({"precision": "int4"}, "int4"),
        ({"accelerator": "gaudi-3"}, "does not know"),
        ({"model": "meta-llama/Llama-3.1-70B"}, "does not fit"),
        ({"tp": "3"}, "does not allow"),
    ],
)
def test_what_cannot_be_predicted_says_why(tool, changes, why):
    row = SERVING | {"ttft_ms": "100", "tpot_ms": "10"} | changes
    with pytest.raises(tool.SkippedError, match=why):
        tool._Serving()(CATALOG, row)


def test_gpt_oss_is_mxfp4_under_any_label(tool):
    for label in ("fp8", "fp4", ""):
        row = SERVING | {"model": "openai/gpt-oss-120b", "precision": label, "tp": "2"}
        chosen = tool.configuration(CATALOG, "openai/gpt-oss-120b", row, 2, 8)
        assert chosen.precision == "mxfp4"


def test_the_page_is_filled_between_its_marks(tool, tmp_path, monkeypatch):
    page = tmp_path / "accuracy.md"
    page.write_text(f"before\n{tool.BEGIN}\nold\n{tool.END}\nafter\n")
    monkeypatch.setattr(tool, "PAGE", page)
    p = predicted()
    rows = [
        SERVING | {"ttft_ms": str(p.ttft_ms), "tpot_ms": str(p.tpot_ms)},
        SERVING | {"ttft_ms": "1", "tpot_ms": "1", "attention_dp": "8"},
    ]
    write(tmp_path, rows, [THROUGHPUT])
    assert tool.main([str(tmp_path)]) == 0
    text = page.read_text()
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "old" not in text
    assert "2 rows: 1 at a fixed concurrency, 1 offline." in text
    assert "| h100-sxm | vllm | Llama-3.1-8B | 1 | " in text
    assert "| data-parallel attention, which the model does not know yet | 1 |" in text
    once = text
    assert tool.main([str(tmp_path)]) == 0
    assert page.read_text() == once


def test_without_rows_it_says_what_to_give(tool, monkeypatch, capsys):
    monkeypatch.delenv("NEOCLOUD_MEASURED", raising=False)
    assert tool.main([]) == 2
    assert "MEASURED=FOLDER" in capsys.readouterr().err
