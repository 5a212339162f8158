"""Files of rows get predictions; what was measured never has a say in these."""

from __future__ import annotations

import csv
import math
import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from neocloud.calibration import RowError, Table, predict_file
from neocloud.calibration.rows import BOUNDS, COLUMNS, LAST
from neocloud.perf.predictor import shipped

from .measured import CATALOG, OUTCOMES, TABLES, fields, read, write

ADDED = (*COLUMNS, *BOUNDS, *LAST)


def predicted(source, target):
    report = predict_file(shipped(), CATALOG, source, target)
    return report, read(target)


def only_added(rows):
    return [{name: row[name] for name in ADDED} for row in rows]


@pytest.mark.parametrize("table", list(Table))
def test_a_file_is_copied_and_predictions_added(table, tmp_path):
    report, rows = predicted(TABLES[table], tmp_path / "out.csv")
    before = read(TABLES[table])
    assert report.table is table
    assert [{name: row[name] for name in before[0]} for row in rows] == before
    assert report.predicted + sum(report.refused.values()) == len(before)
    for row in rows:
        if row["pred_error"]:
            assert {row[name] for name in (*COLUMNS, *BOUNDS)} == {""}
            assert report.refused[row["pred_error"]] >= 1
            continue
        values = [float(row[name]) for name in COLUMNS]
        assert all(0 < value < math.inf for value in values)
        for column in ("pred_total_tok_s_per_gpu", "pred_ttft_ms", "pred_tpot_ms"):
            bounds = [float(row[f"{column}_{b}"]) for b in ("p05", "p25", "p75", "p95")]
            assert bounds == sorted(bounds)
            assert bounds[0] > 0
    assert sum(not row["pred_error"] for row in rows) >= 6


def test_latency_and_throughput_agree_by_littles_law(tmp_path):
    row = fields(Table.THROUGHPUT, 3)  # a static batch of 16 on 8 accelerators, 2048 in and out
    _, (found,) = predicted(write(tmp_path / "in.csv", [row]), tmp_path / "out.csv")
    whole_s = (float(found["pred_ttft_ms"]) + float(found["pred_tpot_ms"]) * 2047) / 1e3
    assert float(found["pred_total_tok_s_per_gpu"]) == pytest.approx(
        16 / whole_s * 4096 / 8, rel=1e-4
    )
    assert float(found["pred_output_tok_s_per_gpu"]) == pytest.approx(
        float(found["pred_total_tok_s_per_gpu"]) / 2, rel=1e-4
    )


def test_output_of_disaggregated_rows_is_for_each_decode_accelerator(tmp_path):
    row = fields(Table.DEEPSEEK, 5)  # 20 accelerators, 8 of them decode; 8192 in, 1024 out
    _, (found,) = predicted(write(tmp_path / "in.csv", [row]), tmp_path / "out.csv")
    total = float(found["pred_total_tok_s_per_gpu"])
    assert float(found["pred_output_tok_s_per_gpu"]) == pytest.approx(total / 9 * 20 / 8, rel=1e-4)


@pytest.mark.parametrize("table", list(Table))
@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_measured_columns_never_change_a_prediction(table, tmp_path, data):
    _, clean = predicted(TABLES[table], tmp_path / "clean.csv")
    rows = read(TABLES[table])
    kind = data.draw(st.sampled_from(["shuffled", "garbage", "absent", "scaled"]))
    chance = random.Random(data.draw(st.integers(0, 99)))
    for name in OUTCOMES[table]:
        values = [row[name] for row in rows]
        chance.shuffle(values)
        for row, value in zip(rows, values, strict=True):
            if kind == "absent":
                del row[name]
            elif kind == "garbage":
                row[name] = chance.choice(["nan", "-1", "?", "1e400", "0", "", "\u2028", "=1+1"])
            else:
                row[name] = value if kind == "shuffled" else f"{value}000"
    _, found = predicted(write(tmp_path / "in.csv", rows), tmp_path / "out.csv")
    assert only_added(found) == only_added(clean)


def test_order_and_company_do_not_change_a_prediction(tmp_path):
    rows = read(TABLES[Table.NVIDIA])
    _, together = predicted(TABLES[Table.NVIDIA], tmp_path / "a.csv")
    _, back = predicted(write(tmp_path / "in.csv", rows[::-1]), tmp_path / "b.csv")
    _, alone = predicted(write(tmp_path / "in.csv", rows[2:3]), tmp_path / "c.csv")
    assert only_added(back[::-1]) == only_added(together)
    assert only_added(alone) == only_added(together[2:3])


@pytest.mark.parametrize(
    ("table", "changes", "told"),
    [
        (Table.NVIDIA, {"accelerator": "unheard-of"}, "unheard-of"),
        (Table.NVIDIA, {"model": "nobody/knows"}, "no model 'nobody/knows'"),
        (Table.NVIDIA, {"accelerator": "tpu-v5e"}, "no measured result stands behind it"),
        (Table.NVIDIA, {"model": "Qwen/Qwen3-32B", "pp": "65"}, "pp 65 is more than the 64"),
        (Table.THROUGHPUT, {"n_gpus": "1", "tp": "1", "accelerator": "l40s"}, "does not fit"),
        (Table.NVIDIA, {"osl": "0.5"}, "less than one token"),
        (Table.DEEPSEEK, {"gpus": ""}, "gpus is not given"),
    ],
)
def test_a_row_that_cannot_be_predicted_is_left_empty_with_its_reason(
    tmp_path, table, changes, told
):
    rows = [fields(table), fields(table, 0, **changes), fields(table)]
    report, found = predicted(write(tmp_path / "in.csv", rows), tmp_path / "out.csv")
    assert report.predicted == 2
    assert [bool(row["pred_error"]) for row in found] == [False, True, False]
    assert told in found[1]["pred_error"]
    assert found[1]["pred_tpot_ms"] == found[1]["pred_ttft_ms_p05"] == ""
    assert only_added(found[:1]) == only_added(found[2:])


def test_what_was_chosen_is_said_and_no_more_than_that(tmp_path):
    rows = [fields(Table.THROUGHPUT, 0, tp=""), fields(Table.THROUGHPUT, 0)]
    _, found = predicted(write(tmp_path / "in.csv", rows), tmp_path / "out.csv")
    assert [row["pred_chosen"] for row in found] == ["tp 8: not stated", ""]


NUMBERS = st.sampled_from(
    ["", "0", "1", "2", "3", "7", "8", "64", "1e3", "999999", "1000000", "1e9", "1e18", "1e300",
     "0.001", "1e-300", "-1", "nan", "inf", "x", "1,5", "\u00bd", "8.0"]
)  # fmt: skip


@pytest.mark.parametrize("table", list(Table))
@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_field_crashes(table, tmp_path, data):
    row = fields(table, data.draw(st.integers(0, 5)))
    for name in data.draw(st.sets(st.sampled_from(sorted(row)), max_size=4)):
        row[name] = data.draw(NUMBERS)
    _, (found,) = predicted(write(tmp_path / "in.csv", [row]), tmp_path / "out.csv")
    if found["pred_error"]:
        assert found["pred_tpot_ms"] == ""
    else:
        assert all(0 < float(found[name]) < math.inf for name in COLUMNS)


def test_lines_too_long_or_too_short_are_read_as_far_as_they_go(tmp_path):
    path = write(tmp_path / "in.csv", [fields(Table.NVIDIA)])
    head, line = path.read_text().splitlines()
    path.write_text("\n".join([head, f"{line},more,and more", line.rpartition(",")[0]]) + "\n")
    report, found = predicted(path, tmp_path / "out.csv")
    assert report.predicted == 2
    assert only_added(found[:1]) == only_added(found[1:])


def test_predicting_again_replaces_the_columns(tmp_path):
    _, once = predicted(TABLES[Table.NVIDIA], tmp_path / "once.csv")
    _, twice = predicted(tmp_path / "once.csv", tmp_path / "twice.csv")
    assert twice == once


def test_a_file_without_rows_gives_one_without_rows(tmp_path):
    path = tmp_path / "in.csv"
    path.write_text(TABLES[Table.NVIDIA].read_text().splitlines()[0] + "\n")
    report, rows = predicted(path, tmp_path / "out.csv")
    assert (report.predicted, rows) == (0, [])


def test_a_wrong_file_leaves_the_target_alone(tmp_path):
    target = tmp_path / "out.csv"
    target.write_text("kept")
    source = tmp_path / "in.csv"
    with source.open("w", newline="") as file:
        csv.writer(file).writerows([["a", "b"], [1, 2]])
    with pytest.raises(RowError, match="fit no known layout"):
        predict_file(shipped(), CATALOG, source, target)
    assert target.read_text() == "kept"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in.csv", "out.csv"]
