"""Rows of the three layouts become cases; each trap of the published tables is walked into."""

from __future__ import annotations

import pytest

from neocloud.calibration import Mode, RowError, Table
from neocloud.calibration.deepseek import DRAFTS
from neocloud.calibration.layouts import detect, measured, read_rows
from neocloud.calibration.names import engine_of, model_of, plain_name, precision_of
from neocloud.calibration.nvidia import parallelism
from neocloud.calibration.throughput import MOST_OFFLINE

from .measured import CATALOG, OUTCOMES, TABLES, case_of, fields, rows_of


@pytest.mark.parametrize("table", list(Table))
def test_layouts_are_told_by_their_columns_whatever_came_out(table):
    columns = list(fields(table))
    assert detect(columns) is table
    assert detect([c for c in columns if c not in OUTCOMES[table]]) is table
    assert detect(columns[::-1]) is table


@pytest.mark.parametrize("columns", [[], ["a", "b"], ["model", "accelerator", "tp"]])
def test_other_columns_are_told_what_is_missing(columns):
    with pytest.raises(RowError, match=r"fit no known layout; the nearest, .*, also has"):
        detect(columns)


@pytest.mark.parametrize(
    ("content", "told"),
    [(b"", "fit no known layout"), (b"\xff\xfe\x00", "no CSV file"), (b'"a,b\n1,2\n', "no CSV")],
)
def test_what_is_no_table_is_told(tmp_path, content, told):
    path = tmp_path / "rows.csv"
    path.write_bytes(content)
    with pytest.raises(RowError, match=told):
        read_rows(path, CATALOG)


def test_a_quote_left_open_further_down_is_told_with_its_line(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text('model,accelerator,n_gpus,mode\na,b,1,offline\n"a,b\n')
    with pytest.raises(RowError, match="after line 2: unexpected end"):
        list(read_rows(path, CATALOG)[2])


def test_every_row_at_hand_reads(tmp_path):
    reasons = {
        row.reason
        for path in TABLES.values()
        for row in read_rows(path, CATALOG)[2]
        if row.case is None
    }
    assert reasons == {"isl is not given"}


# DeepSeek-R1


def test_lengths_of_inferencex_are_nine_tenths(tmp_path):
    case = case_of(tmp_path, fields(Table.DEEPSEEK, isl=8192, osl=1024))
    assert (case.inputs, case.outputs) == pytest.approx((7372.8, 921.6))


def test_accelerators_of_aggregated_expert_parallel_rows_are_in_gpus(tmp_path):
    row = fields(Table.DEEPSEEK, 2)  # H200, TP8 EP8: decode_gpus says 64, gpus 8
    assert (row["gpus"], row["decode_gpus"]) == ("8", "64")
    case = case_of(tmp_path, row)
    assert (case.accelerators, case.replicas, case.decode.tp, case.decode.ep) == (8, 1, 8, 8)
    assert case_of(tmp_path, row | {"gpus": "16"}).replicas == 2


def test_parts_of_disaggregated_rows_count_their_accelerators_a_worker(tmp_path):
    row = fields(Table.DEEPSEEK, 5)  # B300: 6 prefill workers on 12, 1 decode worker on 8
    assert (row["prefill_workers"], row["prefill_gpus"], row["decode_gpus"]) == ("6", "12", "8")
    case = case_of(tmp_path, row)
    assert case.mode is Mode.DISAGGREGATED
    assert (case.prefill_replicas, case.prefill.accelerators) == (6, 2)
    assert (case.replicas, case.decode.accelerators, case.decode.attention_dp) == (1, 8, 8)
    assert case.accelerators == 20
    assert (case.decode.engine, case.engine_layer) == ("trtllm", "dynamo")


def test_disaggregated_workers_are_settled_by_the_whole_or_refused(tmp_path):
    row = fields(Table.DEEPSEEK, 5)
    assert case_of(tmp_path, row | {"gpus": "28"}).replicas == 2
    (refused,) = rows_of(tmp_path, row | {"gpus": "21"})
    assert refused.case is None
    assert "gpus 21 is not 6 prefill workers of 2" in refused.reason


def test_multi_token_prediction_drafts_and_says_how_much_it_chose(tmp_path):
    case = case_of(tmp_path, fields(Table.DEEPSEEK, 4))
    assert case.decode.drafts == DRAFTS
    assert "drafted" in case.chosen
    assert case_of(tmp_path, fields(Table.DEEPSEEK, 0)).decode.drafts == 0


def test_data_parallel_attention_splits_no_heads(tmp_path):
    case = case_of(tmp_path, fields(Table.DEEPSEEK, 4))
    assert (case.decode.tp, case.decode.attention_dp) == (1, 8)


# NVIDIA


@pytest.mark.parametrize(
    ("row", "found"),
    [
        ({"tp": 16, "attention_dp": 1, "moe_tp": 4, "moe_ep": 4}, (4, 1, 4)),
        ({"tp": 1, "attention_dp": 64, "moe_tp": 8, "moe_ep": 8}, (1, 8, 8)),
        ({"tp": 2, "attention_dp": 2, "moe_tp": 1, "moe_ep": 4}, (1, 2, 2)),
        ({"tp": 1, "attention_dp": "", "moe_tp": 2, "moe_ep": 1}, (2, 1, 1)),
        (
            {"tp": 4, "attention_dp": "", "moe_tp": 1, "moe_ep": 4, "concurrency": 64,
             "batch_size": 16},
            (1, 4, 4),
        ),
        ({"tp": 8, "attention_dp": "", "moe_tp": 1, "moe_ep": 1}, (8, 1, 1)),
        ({"tp": 4, "attention_dp": 1, "moe_tp": 1, "moe_ep": 4}, (4, 1, 4)),
        ({"tp": 4, "attention_dp": 1, "moe_tp": 2, "moe_ep": 2}, (2, 1, 2)),
        ({"tp": 2, "attention_dp": 4, "moe_tp": 1, "moe_ep": 8}, (2, 4, 8)),
    ],
)  # fmt: skip
def test_squares_and_groups_of_the_nvidia_table(row, found):
    assert parallelism({name: str(value) for name, value in row.items()}) == found


def test_a_square_is_as_many_accelerators_as_its_side(tmp_path):
    row = fields(Table.NVIDIA, 3)  # DeepSeek on B200: tp 16, experts over 4 x 4
    assert (row["tp"], row["moe_tp"], row["moe_ep"]) == ("16", "4", "4")
    assert case_of(tmp_path, row).accelerators == 4


def test_a_tp_that_does_not_divide_the_heads_is_data_parallel_and_said(tmp_path):
    row = fields(Table.NVIDIA, 3, accelerator="gb200-nvl72", tp=36, moe_tp=36, moe_ep=1)
    case = case_of(tmp_path, row)
    assert (case.decode.tp, case.decode.attention_dp, case.decode.ep) == (1, 36, 36)
    assert "does not divide the heads" in case.chosen


def test_nominal_lengths_alone_are_nine_tenths(tmp_path):
    assert case_of(tmp_path, fields(Table.NVIDIA, isl=1024, osl=8192)).inputs == 1024 * 0.9
    assert case_of(tmp_path, fields(Table.NVIDIA, isl=2048, osl=128)).inputs == 2048
    assert case_of(tmp_path, fields(Table.NVIDIA, isl=1024, osl=128)).inputs == 1024


def test_empty_precision_is_bf16_and_concurrency_follows_from_the_batch(tmp_path):
    row = fields(Table.NVIDIA, 4, precision="", concurrency="")
    case = case_of(tmp_path, row)
    assert case.decode.precision == "bf16"
    assert case.concurrency == 256 * 2


def test_throughput_of_a_closed_loop_follows_from_its_latencies(tmp_path):
    (row,) = rows_of(tmp_path, fields(Table.NVIDIA, 1))  # Qwen3-32B, 2048 in, 128 out, 16 at once
    found = measured(row)
    whole_s = (214.457 + 10.9986 * 127) / 1e3
    assert found.throughput == pytest.approx(16 / whole_s * 2176 / 8)
    assert (found.ttft_s, found.tpot_s) == pytest.approx((0.214457, 0.0109986))


def test_rows_without_both_latencies_have_nothing_measured(tmp_path):
    (row,) = rows_of(tmp_path, fields(Table.NVIDIA, 1, tpot_ms="nan"))
    assert measured(row).throughput is None


# throughput.csv


def test_rows_of_mlperf_say_that_their_prompt_length_is_missing(tmp_path):
    (row,) = rows_of(tmp_path, fields(Table.THROUGHPUT, 6))
    assert row.case is None
    assert row.reason == "isl is not given"


def test_the_note_splits_a_disaggregated_row(tmp_path):
    row = fields(Table.THROUGHPUT, 4)
    case = case_of(tmp_path, row)
    assert "2P2D of TP2 workers" in row["notes"]
    assert (case.prefill_replicas, case.replicas, case.decode.tp) == (2, 2, 2)
    assert case.accelerators == 8
    case = case_of(tmp_path, row | {"notes": "3P1D of TP2 workers, nixl"})
    assert (case.prefill_replicas, case.replicas) == (3, 1)
    (refused,) = rows_of(tmp_path, row | {"notes": "nixl"})
    assert "without its split" in refused.reason


def test_offline_rows_queue_what_the_engine_admits(tmp_path):
    case = case_of(tmp_path, fields(Table.THROUGHPUT, 0))
    assert (case.mode, case.concurrency) == (Mode.OFFLINE, MOST_OFFLINE)
    static = case_of(tmp_path, fields(Table.THROUGHPUT, 3))  # a static batch of 16
    assert (static.mode, static.concurrency) == (Mode.CLOSED, 16)


def test_loads_at_a_rate(tmp_path):
    row = fields(Table.THROUGHPUT, 2, concurrency="", request_rate=2.5)
    case = case_of(tmp_path, row)
    assert (case.mode, case.rate) == (Mode.RATE, 2.5)
    assert case_of(tmp_path, row | {"request_rate": "inf"}).mode is Mode.OFFLINE


def test_an_answer_limit_stands_for_a_mean_and_says_so(tmp_path):
    row = fields(Table.THROUGHPUT, 5, osl="", notes="medians; output at most 512")
    case = case_of(tmp_path, row)
    assert case.outputs == pytest.approx(348.7, rel=0.01)
    assert "only its limit is given" in case.chosen


def test_parallelism_that_is_not_stated_is_chosen_and_said(tmp_path):
    case = case_of(tmp_path, fields(Table.THROUGHPUT, 0, tp="", pp="", dp=""))
    assert (case.decode.tp, case.chosen) == (8, "tp 8: not stated")
    assert case_of(tmp_path, fields(Table.THROUGHPUT, 0)).chosen == ""
    spread = case_of(tmp_path, fields(Table.THROUGHPUT, 0, tp=8, dp=8))
    assert (spread.decode.tp, spread.decode.attention_dp, spread.replicas) == (1, 8, 1)


# Names and fields


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("meta-llama/Meta-Llama-3.1-70B-Instruct", "llama-3.1-70b"),
        ("nvidia/Llama-3.3-70B-Instruct-FP8", "llama-3.1-70b"),
        ("meta-llama__Meta-Llama-3.1-8B", "llama-3.1-8b"),
        ("deepseek-ai/DeepSeek-R1-0528", "deepseek-r1"),
        ("Qwen/Qwen3-235B-A22B-FP8", "qwen3-235b-a22b"),
    ],
)
def test_plain_names(name, plain):
    assert plain_name(name) == plain


def test_the_first_name_that_is_known_counts():
    assert model_of(CATALOG, "", "nobody/knows", "Qwen/Qwen3-32B-FP8") == "Qwen/Qwen3-32B"
    with pytest.raises(RowError, match="no model 'nobody/knows'"):
        model_of(CATALOG, "nobody/knows")


@pytest.mark.parametrize(
    ("name", "found"),
    [("trt", ("trtllm", "")), ("dynamo-trt", ("trtllm", "dynamo")),
     ("mori-sglang", ("sglang", "mori")), ("vLLM", ("vllm", "")), ("unheard-of", ("other", ""))],
)  # fmt: skip
def test_engines(name, found):
    assert engine_of(name) == found


def test_gpt_oss_is_mxfp4_under_any_label():
    assert precision_of("fp8", "openai/gpt-oss-120b") == "mxfp4"
    assert precision_of("fp16", "Qwen/Qwen3-32B") == "bf16"
    with pytest.raises(RowError, match="precision 'fp7' is not one of"):
        precision_of("fp7", "Qwen/Qwen3-32B")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"gpus": "0"}, "gpus is '0', not a number above 0"),
        ({"gpus": "2.5"}, "gpus is '2.5', not a whole number"),
        ({"gpus": "1e9"}, "not a whole number up to a million"),
        ({"isl": "-1"}, "isl is '-1', not a number above 0"),
        ({"isl": "nan"}, "isl is 'nan', not a number above 0"),
        ({"isl": "1e300"}, "isl is '1e300', not a number from 1e-09 to 1e+09"),
        ({"osl": "many"}, "osl is 'many', not a number"),
        ({"concurrency": ""}, "concurrency is not given"),
        ({"precision": "fp7"}, "precision 'fp7'"),
    ],
)
def test_fields_that_make_no_sense_are_told(tmp_path, changes, told):
    (row,) = rows_of(tmp_path, fields(Table.DEEPSEEK) | changes)
    assert row.case is None
    assert told in row.reason


def test_dates_become_years(tmp_path):
    assert case_of(tmp_path, fields(Table.DEEPSEEK, date="2026-07-02")).year == pytest.approx(
        2026.5, abs=0.01
    )
    assert case_of(tmp_path, fields(Table.DEEPSEEK, date="2024-11")).year is None
