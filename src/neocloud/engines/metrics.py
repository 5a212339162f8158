"""What engines tell of themselves on their Prometheus page, whatever family of names they use.

Names as read in vLLM 0.33, SGLang 0.5, TensorRT-LLM (2026) and llama.cpp (2026-10). They change
between releases, so a quantity has several names, and the family present is found at each scrape.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

import msgspec


class EngineMetrics(msgspec.Struct, frozen=True, kw_only=True):
    """One engine's gauges now and counters since its start, summed over its series.

    Attributes:
        running: requests in the batch.
        waiting: requests in its queue.
        kv_usage: share of the KV cache in use, 0 to 1, the mean over its data-parallel ranks; None
            where it is not told.
        prompt_tokens: prompt tokens served, cached ones included.
        cached_tokens: of them, found in the prefix cache; 0 where it is not told.
        generated_tokens: tokens generated, those of aborted requests included.
        busy_s: seconds in which a step ran; None where it is not told.
        joules: energy that the replica took since its start; None where it is not told.
        emulated: True if the engine says that it is emulated.
    """

    running: int
    waiting: int
    kv_usage: float | None
    prompt_tokens: int
    cached_tokens: int
    generated_tokens: int
    busy_s: float | None
    joules: float | None
    emulated: bool


@dataclass(frozen=True, slots=True)
class _Family:
    """Names of one engine's metrics; of several, the first that is present counts."""

    prefix: str
    running: tuple[str, ...]
    waiting: tuple[str, ...]
    kv_usage: tuple[str, ...]
    prompt_tokens: tuple[str, ...]
    cached_tokens: tuple[str, ...]
    generated_tokens: tuple[str, ...]
    prompt_without_cached: bool = False


_FAMILIES = (
    _Family(
        prefix="vllm:",
        running=("vllm:num_requests_running",),
        waiting=("vllm:num_requests_waiting",),
        kv_usage=("vllm:kv_cache_usage_perc", "vllm:gpu_cache_usage_perc"),
        prompt_tokens=("vllm:prompt_tokens_total",),
        cached_tokens=("vllm:prompt_tokens_cached_total", "vllm:prefix_cache_hits_total"),
        generated_tokens=("vllm:generation_tokens_total",),
    ),
    _Family(
        prefix="sglang:",
        running=("sglang:num_running_reqs",),
        waiting=("sglang:num_queue_reqs",),
        kv_usage=("sglang:token_usage",),
        prompt_tokens=("sglang:prompt_tokens_total",),
        cached_tokens=("sglang:cached_tokens_total",),
        generated_tokens=("sglang:generation_tokens_total",),
    ),
    _Family(
        prefix="trtllm_",
        running=("trtllm_num_requests_running",),
        waiting=("trtllm_num_requests_waiting",),
        kv_usage=("trtllm_kv_cache_utilization",),
        prompt_tokens=("trtllm_prompt_tokens_total",),
        cached_tokens=("trtllm_prompt_cached_tokens_total",),
        generated_tokens=("trtllm_generation_tokens_total",),
    ),
    _Family(
        prefix="llamacpp:",
        running=("llamacpp:requests_processing",),
        waiting=("llamacpp:requests_deferred",),
        kv_usage=("llamacpp:kv_cache_usage_ratio",),
        prompt_tokens=("llamacpp:prompt_tokens_total",),
        cached_tokens=("llamacpp:prompt_tokens_cached_total",),
        generated_tokens=("llamacpp:tokens_predicted_total",),
        prompt_without_cached=True,
    ),
)

BUSY_SECONDS = "neocloud_emulated_busy_seconds_total"
JOULES = "neocloud_emulated_energy_joules_total"

# name, labels, value; a label's value may hold anything between quotes.
_SAMPLE = re.compile(r'([A-Za-z_:][\w:]*)[ \t]*(\{(?:[^"{}]|"(?:[^"\\]|\\.)*")*\})?[ \t]+([^ \t]+)')
_EMULATED = re.compile(r'[{,]\s*emulated="true"')


def parse_metrics(text: bytes) -> EngineMetrics | None:
    """Read a Prometheus page; None if it holds no family of names known here."""
    lines = text.decode("utf-8", "replace").splitlines()
    for family in _FAMILIES:
        if any(line.startswith(family.prefix) for line in lines):
            return _read(lines, family)
    return None


def _read(lines: list[str], family: _Family) -> EngineMetrics:
    series: dict[str, list[float]] = {}
    emulated = False
    for line in lines:
        if not line.startswith((family.prefix, "neocloud_emulated_")):
            continue
        sample = _SAMPLE.match(line)
        if sample is None:
            continue
        name, labels, value = sample.groups()
        try:
            number = float(value)
        except ValueError:
            continue
        if math.isfinite(number):
            series.setdefault(name, []).append(number)
            emulated = emulated or (labels is not None and _EMULATED.search(labels) is not None)

    def first(names: tuple[str, ...]) -> list[float]:
        return next((series[name] for name in names if name in series), [])

    usage = first(family.kv_usage)
    cached = round(sum(first(family.cached_tokens)))
    prompt = round(sum(first(family.prompt_tokens)))
    busy, joules = series.get(BUSY_SECONDS), series.get(JOULES)
    return EngineMetrics(
        running=round(sum(first(family.running))),
        waiting=round(sum(first(family.waiting))),
        kv_usage=sum(usage) / len(usage) if usage else None,
        prompt_tokens=prompt + cached if family.prompt_without_cached else prompt,
        cached_tokens=cached,
        generated_tokens=round(sum(first(family.generated_tokens))),
        busy_s=sum(busy) if busy else None,
        joules=sum(joules) if joules else None,
        emulated=emulated,
    )
