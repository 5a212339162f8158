"""`make fit` on a few groups: leaves out, fits, lays down, writes; again from what it kept."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys

import msgspec
import pytest

from neocloud.calibration import Table
from neocloud.perf.predictor import read_predictor

from .measured import ROOT, TABLES, read, write
from .test_accuracy import Figures

TOOL = [sys.executable, str(ROOT / "tools" / "fit.py")]
ENVIRONMENT = {
    "PATH": os.environ.get("PATH", ""),
    "PYTHONPATH": str(ROOT / "src"),
    "OMP_NUM_THREADS": "1",
    "MPLBACKEND": "Agg",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The few rows of this folder, and those of NVIDIA once more with other lengths."""
    made = tmp_path_factory.mktemp("measured")
    for table, path in TABLES.items():
        shutil.copy(path, made / f"{table}.csv")
    other = [row | {"isl": "500", "osl": "300"} for row in read(TABLES[Table.NVIDIA])]
    write(made / f"{Table.NVIDIA}.csv", [*read(TABLES[Table.NVIDIA]), *other])
    (made / "docs").mkdir()
    (made / "docs" / "accuracy.md").write_text(
        "before\n<!-- tables: begin -->\nold\n<!-- tables: end -->\nafter\n"
    )
    return made


def fit(folder, *more):
    return subprocess.run(
        [*TOOL, str(folder), "--rounds", "1", "--sample", "13", "--docs", str(folder / "docs"),
         "--data", str(folder / "data"), "--keep", str(folder / "kept"), *more],
        env=ENVIRONMENT, capture_output=True, text=True, timeout=300,
    )  # fmt: skip


def test_the_whole_run_and_again_from_what_it_kept(folder):
    ran = fit(folder)
    assert ran.returncode == 0, ran.stderr
    for way in ("groups", "architecture", "accelerator"):
        done = re.findall(rf"^{way} left out: (\d+)/(\d+)$", ran.stderr, re.MULTILINE)
        assert done
        assert done[-1][0] == done[-1][1]
    predictor = read_predictor(folder / "data")
    page = (folder / "docs" / "accuracy.md").read_text()
    assert page.startswith("before\n")
    assert page.endswith("after\n")
    assert "old" not in page
    assert f"Parameters `{predictor.digest}`" in page
    assert "| 1 | isl is not given |" in page
    for name in re.findall(r"\]\((figures/[^)]+)\)", page):
        assert (folder / "docs" / name).stat().st_size > 2000
    text = (folder / "docs" / "accuracy.json").read_bytes()
    figures = msgspec.json.decode(text, type=Figures)
    assert figures.parameters == predictor.digest
    assert {f.way for f in figures.figures} == {"groups", "architecture", "accelerator", "seen"}
    assert ran.stdout in page

    again = fit(folder, "--from", str(folder / "kept"))
    assert again.returncode == 0, again.stderr
    assert "left out" not in again.stderr
    assert (folder / "docs" / "accuracy.md").read_text() == page
    assert (folder / "docs" / "accuracy.json").read_bytes() == text


def test_predictions_kept_of_other_rows_are_refused(folder):
    ran = fit(folder, "--from", str(folder / "kept"), "--sample", "2")
    assert ran.returncode == 2
    assert "was made of other rows" in ran.stderr


@pytest.mark.parametrize(
    ("words", "told"),
    [([], "make fit MEASURED=FOLDER"), (["nowhere"], "make fit"), (["."], Table.DEEPSEEK)],
)
def test_a_folder_without_rows_is_told(tmp_path, words, told):
    ran = subprocess.run(
        [*TOOL, *words], cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True, timeout=60
    )
    assert ran.returncode == 2
    assert told in ran.stderr
