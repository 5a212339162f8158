"""Names of the engines' metrics, family by family.

vLLM 0.33.0 (`v1/metrics/loggers.py`), SGLang 0.5.23 (`observability/metrics_collector.py`),
TensorRT-LLM (2026), llama.cpp (2026-10) and the frontend of Dynamo 1.6. Names change between
releases, so a quantity has several, of which the first that is present counts.
"""

from __future__ import annotations

from dataclasses import dataclass

Names = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """Names of one engine's metrics.

    Attributes:
        prefix: with which all its names begin.
        looked_up: prompt tokens that were looked up in the prefix cache; where there are no such
            names, all prompt tokens were.
        found: of them, found there.
        prompt_without_cached: its prompt tokens leave out the cached ones.
        running_with_waiting: its running requests include those that wait.
    """

    prefix: str
    running: Names
    waiting: Names
    kv_usage: Names
    prompt_tokens: Names
    cached_tokens: Names
    generated_tokens: Names
    looked_up: Names = ()
    found: Names = ()
    prompt_without_cached: bool = False
    running_with_waiting: bool = False


FAMILIES = (
    Family(
        prefix="vllm:",
        running=("vllm:num_requests_running",),
        waiting=("vllm:num_requests_waiting",),
        kv_usage=("vllm:kv_cache_usage_perc", "vllm:gpu_cache_usage_perc"),
        prompt_tokens=("vllm:prompt_tokens_total",),
        cached_tokens=("vllm:prompt_tokens_cached_total", "vllm:prefix_cache_hits_total"),
        generated_tokens=("vllm:generation_tokens_total",),
        looked_up=("vllm:prefix_cache_queries_total",),
        found=("vllm:prefix_cache_hits_total",),
    ),
    Family(
        prefix="sglang:",
        running=("sglang:num_running_reqs",),
        waiting=("sglang:num_queue_reqs",),
        kv_usage=("sglang:token_usage",),
        prompt_tokens=("sglang:prompt_tokens_total",),
        cached_tokens=("sglang:cached_tokens_total",),
        generated_tokens=("sglang:generation_tokens_total",),
    ),
    Family(
        prefix="trtllm_",
        running=("trtllm_num_requests_running",),
        waiting=("trtllm_num_requests_waiting",),
        kv_usage=("trtllm_kv_cache_utilization",),
        prompt_tokens=("trtllm_prompt_tokens_total",),
        cached_tokens=("trtllm_prompt_cached_tokens_total",),
        generated_tokens=("trtllm_generation_tokens_total",),
    ),
    Family(
        prefix="llamacpp:",
        running=("llamacpp:requests_processing",),
        waiting=("llamacpp:requests_deferred",),
        kv_usage=("llamacpp:kv_cache_usage_ratio",),
        prompt_tokens=("llamacpp:prompt_tokens_total",),
        cached_tokens=("llamacpp:prompt_tokens_cached_total",),
        generated_tokens=("llamacpp:tokens_predicted_total",),
        prompt_without_cached=True,
    ),
    # Last: a worker of Dynamo tells its engine's own names beside. Lengths are histograms, whose
    # sums are the tokens; a request in flight waits until its first token.
    Family(
        prefix="dynamo_frontend_",
        running=("dynamo_frontend_inflight_requests",),
        waiting=("dynamo_frontend_queued_requests",),
        kv_usage=(),
        prompt_tokens=("dynamo_frontend_input_sequence_tokens_sum",),
        cached_tokens=("dynamo_frontend_cached_tokens_sum",),
        generated_tokens=(
            "dynamo_frontend_output_tokens_total",
            "dynamo_frontend_output_sequence_tokens_sum",
        ),
        running_with_waiting=True,
    ),
)
"""In order: the first that is present counts."""
