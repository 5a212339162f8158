"""The reconstructed companies know nothing of the quarter that they forecast, and type in nothing.

Each number of their files comes from published figures by a formula that stands beside it, or says
that it is an assumption; each figure is about what was before, or was told in time.
"""

from __future__ import annotations

import re
import sys
from datetime import timedelta
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
sys.path.append(str(ROOT / "tools" / "public"))

from clouds import files  # noqa: E402
from cut_off import late, used, wrong  # noqa: E402
from figure_formulas import evaluate  # noqa: E402
from figures import PUBLIC, read_figures  # noqa: E402
from quarter import Quarter  # noqa: E402
from quarters import QUARTERS  # noqa: E402
from relations import numbers  # noqa: E402
from written import stated  # noqa: E402

from neocloud.catalog import load_catalog  # noqa: E402
from neocloud.spec import load_cloud  # noqa: E402

FIGURES = read_figures()
FILES = files(FIGURES)
quarters = pytest.mark.parametrize("quarter", QUARTERS, ids=lambda quarter: quarter.file)


def text_of(quarter: Quarter) -> str:
    return (PUBLIC / quarter.file).read_text()


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_what_the_tool_makes_of_the_figures(name: str) -> None:
    assert (PUBLIC / name).read_text() == FILES[name], "run python tools/public/clouds.py"


@pytest.mark.parametrize("name", FILES)
def test_each_number_says_where_it_is_from_and_is_what_that_gives(name: str) -> None:
    text = (PUBLIC / name).read_text()
    assert wrong(text, FIGURES) == []
    assert len(stated(text)) > 5
    for key in used(text, FIGURES):
        assert f"#   {key}: " in text, "its head lists each figure with source, date and quality"


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_a_cloud(name: str) -> None:
    cloud = load_cloud(PUBLIC / name, load_catalog())
    assert cloud.contracts


def test_all_files_are_known() -> None:
    assert {path.name for path in PUBLIC.glob("*.yaml")} == set(FILES)


@quarters
def test_nothing_is_known_of_the_quarter(quarter: Quarter) -> None:
    assert late(text_of(quarter), FIGURES, quarter.first, quarter.cut_off) == []


@quarters
def test_what_came_out_is_used_nowhere(quarter: Quarter) -> None:
    inputs = set(used(text_of(quarter), FIGURES))
    values = numbers(FIGURES)
    for measure, formula in quarter.published.items():
        about = {
            key
            for key in evaluate(formula, values)[1]
            if (day := FIGURES[key].about) is not None and day >= quarter.first
        }
        assert about, f"{measure} names nothing of the quarter"
        assert not about & inputs, measure


@quarters
def test_the_cut_off_is_about_the_day_of_the_results(quarter: Quarter) -> None:
    """No later than two thirds of the quarter, long before its own results."""
    assert quarter.first < quarter.cut_off < quarter.first + timedelta(days=66)


@pytest.mark.parametrize("key", ["cw_rev_q3_25", "cw_mw_2025-09-30", "cw_capexg_25"])
def test_a_figure_from_after_the_cut_off_is_told(key: str) -> None:
    (quarter,) = [one for one in QUARTERS if one.file == "coreweave-like.yaml"]
    text = text_of(quarter).replace("# let revenue = cw_rev_q2_25", f"# let revenue = {key}")
    (told,) = late(text, FIGURES, quarter.first, quarter.cut_off)
    assert told.startswith(f"{key} is about ")


def test_a_number_without_a_source_or_with_another_value_is_told() -> None:
    text = text_of(QUARTERS[0])
    bare = re.sub(r"(receivable_days: 0)  #.*", r"\1", text)
    assert [line.split(": ")[1] for line in wrong(bare, FIGURES)] == [
        "receivable_days does not say where it is from"
    ]
    other = re.sub(r"opening_cash: \d+", "opening_cash: 1", text)
    (told,) = wrong(other, FIGURES)
    assert "opening_cash is 1, its formula gives 1300000000" in told
