"""Metrics pages of each family."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neocloud.engines import EngineMetrics, parse_metrics

VLLM = """\
# HELP vllm:num_requests_running Number of requests in model execution batches.
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{engine="0",model_name="a, {b} \\"c\\""} 3.0
vllm:num_requests_running{engine="1",model_name="a"} 1.0
vllm:num_requests_waiting{engine="0",model_name="a"} 2.0
vllm:num_requests_waiting_by_reason{engine="0",reason="capacity"} 9.0
vllm:kv_cache_usage_perc{engine="0",model_name="a"} 0.5
vllm:kv_cache_usage_perc{engine="1",model_name="a"} 0.25
vllm:prompt_tokens_total{engine="0",model_name="a"} 1.5e+03
vllm:prompt_tokens_created{engine="0",model_name="a"} 1.7e+09
vllm:prompt_tokens_cached_total{engine="0",model_name="a"} 400.0
vllm:prefix_cache_queries_total{engine="0",model_name="a"} 1600.0
vllm:prefix_cache_hits_total{engine="0",model_name="a"} 500.0
vllm:generation_tokens_total{engine="0",model_name="a"} 700.0 1700000000000
python_info{implementation="CPython"} 1.0
"""
SGLANG = """\
sglang:num_running_reqs{model_name="m"} 4.0
sglang:num_queue_reqs{model_name="m"} 5.0
sglang:token_usage{model_name="m"} 0.75
sglang:prompt_tokens_total{model_name="m"} 100.0
sglang:cached_tokens_total{model_name="m",cache_source="device"} 30.0
sglang:cached_tokens_total{model_name="m",cache_source="host"} 2.0
sglang:generation_tokens_total{model_name="m"} 50.0
"""
TRTLLM = """\
trtllm_num_requests_running{model_name="m",engine_type="pytorch"} 1.0
trtllm_num_requests_waiting{model_name="m"} 0.0
trtllm_kv_cache_utilization{model_name="m"} 0.125
trtllm_prompt_tokens_total{model_name="m"} 10.0
trtllm_prompt_cached_tokens_total{model_name="m"} 4.0
trtllm_generation_tokens_total{model_name="m"} 6.0
"""
LLAMACPP = """\
# TYPE llamacpp:prompt_tokens_total counter
llamacpp:prompt_tokens_total 80
llamacpp:prompt_tokens_cached_total 20
llamacpp:tokens_predicted_total 60
llamacpp:requests_processing 2
llamacpp:requests_deferred 1
"""


DYNAMO = """\
dynamo_frontend_inflight_requests{model="m"} 7
dynamo_frontend_queued_requests{model="m"} 3
dynamo_frontend_input_sequence_tokens_bucket{model="m",le="+Inf"} 9
dynamo_frontend_input_sequence_tokens_sum{model="m"} 900
dynamo_frontend_input_sequence_tokens_count{model="m"} 9
dynamo_frontend_cached_tokens_sum{model="m"} 300
dynamo_frontend_output_tokens_total{model="m"} 80
dynamo_frontend_output_sequence_tokens_sum{model="m"} 70
"""


def metrics(
    running: int, waiting: int, kv: float | None, prompt: int, cached: int, generated: int,
    *, looked_up: int | None = None, found: int | None = None,
) -> EngineMetrics:  # fmt: skip
    return EngineMetrics(
        running=running,
        waiting=waiting,
        kv_usage=kv,
        prompt_tokens=prompt,
        cached_tokens=cached,
        generated_tokens=generated,
        busy_s=None,
        joules=None,
        emulated=False,
        looked_up_tokens=prompt if looked_up is None else looked_up,
        found_tokens=cached if found is None else found,
    )


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        (VLLM, metrics(4, 2, 0.375, 1500, 400, 700, looked_up=1600, found=500)),
        (SGLANG, metrics(4, 5, 0.75, 100, 32, 50)),
        (TRTLLM, metrics(1, 0, 0.125, 10, 4, 6)),
        # llama.cpp counts cached prompt tokens apart.
        (LLAMACPP, metrics(2, 1, None, 100, 20, 60)),
        # Dynamo counts a request that waits as in flight too.
        (DYNAMO, metrics(4, 3, None, 900, 300, 80)),
    ],
    ids=["vllm", "sglang", "trtllm", "llamacpp", "dynamo"],
)
def test_each_family_is_read_by_its_names(page, expected):
    assert parse_metrics(page.encode()) == expected


def test_older_names_of_vllm_are_read_too():
    page = VLLM.replace("kv_cache_usage_perc", "gpu_cache_usage_perc").replace(
        "prompt_tokens_cached_total", "gone_total"
    )
    found = parse_metrics(page.encode())
    assert found is not None
    assert (found.kv_usage, found.cached_tokens) == (0.375, 500)


def test_a_page_of_two_families_is_read_by_the_engines_own():
    assert parse_metrics((DYNAMO + VLLM).encode()) == parse_metrics(VLLM.encode())


def test_the_share_of_hits_is_none_before_the_first_look_up():
    found = parse_metrics(VLLM.encode())
    assert found is not None
    assert found.hit_share == 500 / 1600
    empty = parse_metrics(b"vllm:num_requests_running 0\n")
    assert empty is not None
    assert empty.hit_share is None


def test_waiting_tokens_are_none_where_they_are_not_told():
    told = f"{VLLM}neocloud_emulated_waiting_tokens 12\n"
    assert [parse_metrics(page.encode()).waiting_tokens for page in (VLLM, told)] == [None, 12]


@pytest.mark.parametrize("page", ["", "up 1\n", "<html>vllm</html>", '{"vllm:": 1}', "\0\xff"])
def test_pages_of_no_known_family_are_none(page):
    assert parse_metrics(page.encode("latin-1")) is None


def test_values_that_are_no_numbers_are_left_out():
    page = "vllm:num_requests_running NaN\nvllm:num_requests_waiting x\nvllm:kv_cache_usage_perc\n"
    assert parse_metrics(page.encode()) == metrics(0, 0, None, 0, 0, 0)


@given(st.lists(st.sampled_from([*VLLM.splitlines(), "vllm:", "vllm:a{", 'vllm:a{b="'])), st.data())
def test_no_page_breaks_the_reader(lines, data):
    page = "\n".join(lines).encode()
    cut = data.draw(st.integers(0, len(page)))
    found = parse_metrics(page[:cut] + data.draw(st.binary(max_size=20)) + page[cut:])
    assert found is None or found.running >= 0
