"""Errors are counted right, and the shipped parameters keep what they reached."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest

from neocloud.calibration import (
    GROUPINGS,
    Measured,
    Mode,
    Predicted,
    RowError,
    accuracy_of,
    lines,
    pairs_of_files,
    predict_cases,
    ratios,
    read_pairs,
)
from neocloud.calibration.accuracy import error_of
from neocloud.calibration.judge import kind_of_row
from neocloud.perf.predictor import shipped

from .measured import CATALOG, ROOT, TABLES, all_measured
from .test_fit import closed

sys.path.append(str(ROOT / "tools"))
from judged import EVERY, Figures, figures_of

MARGIN = 1.25
"""On what was reached: the last bits of arithmetic differ by machine, medians with them."""
FEWEST = 15
"""Rows whose median says something."""


def reached() -> Figures:
    text = (ROOT / "docs" / "accuracy.json").read_bytes()
    return msgspec.json.decode(text, type=Figures)


def test_errors_of_known_ratios():
    found = error_of(np.array([0.8, 1.0, 1.1, np.nan, 1.5]))
    assert found is not None
    assert found.rows == 4
    assert found.median == pytest.approx(15.0)
    assert found.mean == pytest.approx(20.0)
    assert found.p80 == pytest.approx(32.0)
    assert found.bias == pytest.approx(5.0)
    assert error_of(np.array([np.nan])) is None


def test_latencies_of_offline_rows_are_nobodys():
    cases = [closed(), closed(mode=Mode.OFFLINE)]
    measured = [Measured(throughput=10.0, ttft_s=1.0, tpot_s=0.1)] * 2
    values = np.array([5.0, 20.0])
    found = ratios(cases, measured, Predicted(values, values, values, values, values))
    assert found.throughput == pytest.approx([0.5, 2.0])
    assert found.tpot == pytest.approx([50.0, np.nan], nan_ok=True)
    assert found.ttft == pytest.approx([5.0, np.nan], nan_ok=True)


def test_lines_tell_rows_apart_most_first():
    mtp = replace(closed(), decode=msgspec.structs.replace(closed().decode, drafts=3))
    cases = [closed("h200-sxm"), closed("h200-sxm"), closed(mode=Mode.RATE), mtp]
    ones = np.ones(4)
    found = lines(cases, ratios(cases, [Measured(throughput=1.0)] * 4, Predicted(*[ones] * 5)))
    assert [line.by for line in found if line.name == "all rows"] == ["all"]
    assert {line.by for line in found} == {"all", *GROUPINGS}

    def names(by):
        return [(x.name, x.throughput.rows) for x in found if x.by == by]

    assert names("accelerator") == [("h100-sxm", 2), ("h200-sxm", 2)]
    assert names("mode") == [("aggregated", 3), ("at a rate", 1)]
    assert names("MTP") == [("off or unknown", 3), ("on", 1)]
    assert all(x.tpot is None for x in found)


def test_files_are_joined_and_reasons_counted():
    pairs, refused = pairs_of_files(CATALOG, list(TABLES.values()))
    assert len(pairs) == 18
    assert refused == {"isl is not given": 1}
    found = accuracy_of(shipped(), CATALOG, pairs, refused)
    assert (found.predicted, found.refused) == (18, refused)
    assert found.lines[0].throughput.rows == 18
    assert {c.output for c in found.coverage} == {"throughput", "tpot", "ttft"}


def test_a_file_of_which_no_row_can_be_predicted_is_told(tmp_path):
    path = tmp_path / "rows.csv"
    head = TABLES["nvidia_serving"].read_text().splitlines()[0]
    path.write_text(f"{head}\n")
    with pytest.raises(RowError, match=r"rows\.csv: no row can be predicted: it has none"):
        pairs_of_files(CATALOG, [path])
    path.write_text(f"{head}\n,,nobody/knows\n")
    with pytest.raises(RowError, match=r"no model 'nobody/knows'.*\(1 rows\)"):
        pairs_of_files(CATALOG, [path])


def test_the_figures_belong_to_the_shipped_parameters():
    assert reached().parameters == shipped().digest, "run make fit: docs/accuracy.json is of others"


def held(paths: list[Path], every: int) -> list[str]:
    """What errs by more than was reached, of one row of so many."""
    pairs = read_pairs(CATALOG, paths)[0]
    pairs = [pair for i, pair in enumerate(pairs) if i % every == 0]
    cases, measured = [case for case, _ in pairs], [m for _, m in pairs]
    found = ratios(cases, measured, predict_cases(shipped(), CATALOG, cases))
    now = figures_of("seen", [kind_of_row(CATALOG, case) for case in cases], cases, found)
    known = {(f.way, f.kind): f for f in reached().figures}
    told, compared = [], 0
    for figure in now:
        for output in ("throughput", "tpot", "ttft"):
            error = getattr(figure, output)
            if error is None or error.rows < FEWEST:
                continue
            for way in ("seen", "groups"):
                then = getattr(known.get((way, figure.kind)), output, None)
                if then is None:
                    continue
                compared += 1
                if error.median > MARGIN * then.median:
                    told.append(f"{figure.kind}, {output}: {error.median}, {way} {then.median}")
    assert compared >= 3
    return told


def test_shipped_predictions_stay_as_near_as_was_reached():
    paths = all_measured()
    if paths == list(TABLES.values()):
        pairs = read_pairs(CATALOG, paths)[0]
        cases, measured = [case for case, _ in pairs], [m for _, m in pairs]
        found = ratios(cases, measured, predict_cases(shipped(), CATALOG, cases))
        worst = max(f.throughput.median for f in reached().figures if f.way == "seen")
        error = error_of(found.throughput)
        assert error is not None
        assert error.median < MARGIN * worst
    else:
        assert held(paths, EVERY) == []
