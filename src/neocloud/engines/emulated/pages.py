"""The Prometheus page of one emulated replica, in vLLM's or SGLang's names, and a few of ours."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from neocloud.engines.emulated.counters import Counters, Histogram
from neocloud.engines.metrics import BUSY_SECONDS, JOULES
from neocloud.replica import Limits, Snapshot

Sample = tuple[str, str, str, float]
"""Name, kind, what it means, value."""


class _Page:
    """Lines of a page whose samples all bear the same labels."""

    def __init__(self, labels: str) -> None:
        self.labels = labels
        self._lines: list[str] = []

    def family(self, name: str, kind: str, what: str, lines: Iterable[str]) -> None:
        """A metric with samples of its own."""
        self._lines += (f"# HELP {name} {what}", f"# TYPE {name} {kind}", *lines)

    def samples(self, samples: Sequence[Sample]) -> None:
        """Metrics of one sample each."""
        for name, kind, what, value in samples:
            self.family(name, kind, what, (f"{name}{{{self.labels}}} {value!r}",))

    def split(self, name: str, what: str, label: str, counts: Iterable[tuple[str, int]]) -> None:
        """A counter by the values of one more label."""
        lines = [f'{name}{{{self.labels},{label}="{value}"}} {n}' for value, n in counts]
        self.family(name, "counter", what, lines)

    def histogram(self, name: str, what: str, histogram: Histogram) -> None:
        """A histogram."""
        self.family(name, "histogram", what, histogram.lines(name, self.labels))

    def text(self) -> bytes:
        """The page."""
        return ("\n".join(self._lines) + "\n").encode("ascii")


def _ours(busy_s: float, joules: float, lag_s: float) -> tuple[Sample, ...]:
    return (
        (BUSY_SECONDS, "counter", "Seconds in which a step ran.", busy_s),
        (
            JOULES,
            "counter",
            "Modelled energy of the replica with its share of the host, idling included.",
            joules,
        ),
        (
            "neocloud_emulated_lag_seconds",
            "gauge",
            "How late the last step was told; more than some milliseconds: machine overloaded.",
            lag_s,
        ),
    )


def _vllm_counts(counts: Snapshot, own: Counters) -> tuple[Sample, ...]:
    return (
        ("vllm:num_requests_running", "gauge", "Requests in the batch.", counts.running),
        ("vllm:num_requests_waiting", "gauge", "Requests in the queue.", counts.waiting),
        ("vllm:kv_cache_usage_perc", "gauge", "KV cache in use; 1 is full.", counts.kv_usage),
        (
            "vllm:prefix_cache_queries_total",
            "counter",
            "Prompt tokens looked up in the prefix cache.",
            counts.prefix_queries,
        ),
        ("vllm:prefix_cache_hits_total", "counter", "Of them, found.", counts.prefix_hits),
        (
            "vllm:prompt_tokens_total",
            "counter",
            "Prompt tokens of requests that got their first token, cached ones included.",
            counts.prompt_tokens,
        ),
        (
            "vllm:prompt_tokens_cached_total",
            "counter",
            "Of them, found in the prefix cache.",
            own.cached_tokens,
        ),
        (
            "vllm:generation_tokens_total",
            "counter",
            "Generated tokens, of aborted requests too.",
            counts.generated_tokens - own.pooled,
        ),
        (
            "vllm:num_preemptions_total",
            "counter",
            "Requests thrown back to the queue for want of KV blocks.",
            counts.preemptions,
        ),
    )


def vllm_page(
    model: str,
    limits: Limits,
    counts: Snapshot,
    own: Counters,
    *,
    busy_s: float,
    joules: float,
    lag_s: float,
) -> bytes:
    """The page in vLLM's names.

    Args:
        model: its name.
        limits: its scheduler's.
        counts: what the scheduler counts.
        own: what is counted around it.
        busy_s: seconds in which steps ran, up to now.
        joules: energy of the replica up to now, idling included.
        lag_s: how late the last step was told.
    """
    page = _Page(f'engine="0",model_name="{model}",emulated="true"')
    page.samples(_vllm_counts(counts, own))
    page.samples(_ours(busy_s, joules, lag_s))
    name = "vllm:admission_rejections_total"
    page.split(name, "Requests not taken, by reason.", "reason", (("requests", own.rejections),))
    ends = own.finished.items()
    page.split(
        "vllm:request_success_total", "Requests that ended, by reason.", "finished_reason", ends
    )
    page.histogram("vllm:time_to_first_token_seconds", "From arrival to first token.", own.ttft)
    page.histogram("vllm:inter_token_latency_seconds", "From token to token.", own.itl)
    page.histogram("vllm:e2e_request_latency_seconds", "From arrival to last token.", own.e2e)
    page.histogram("vllm:iteration_tokens_total", "Tokens of a step.", own.iteration)
    name = "vllm:cache_config_info"
    sample = (
        f'{name}{{{page.labels},block_size="{limits.block_tokens}",'
        f'enable_prefix_caching="{limits.prefix_cache}",num_gpu_blocks="{limits.kv_blocks}",'
        f'kv_cache_size_tokens="{limits.kv_blocks * limits.block_tokens}"}} 1'
    )
    page.family(name, "gauge", "The KV cache.", (sample,))
    return page.text()


def sglang_page(
    model: str,
    limits: Limits,
    counts: Snapshot,
    own: Counters,
    *,
    busy_s: float,
    joules: float,
    lag_s: float,
) -> bytes:
    """The page in SGLang's names; arguments as of `vllm_page`."""
    page = _Page(f'model_name="{model}",emulated="true"')
    held = limits.kv_blocks * limits.block_tokens
    rate = counts.prefix_hits / counts.prefix_queries if counts.prefix_queries else 0.0
    generated = counts.generated_tokens - own.pooled
    page.samples(
        (
            ("sglang:num_running_reqs", "gauge", "Requests in the batch.", counts.running),
            ("sglang:num_queue_reqs", "gauge", "Requests in the queue.", counts.waiting),
            ("sglang:token_usage", "gauge", "KV cache in use; 1 is full.", counts.kv_usage),
            (
                "sglang:num_used_tokens",
                "gauge",
                "The same in tokens.",
                round(counts.kv_usage * held),
            ),
            ("sglang:max_total_num_tokens", "gauge", "Tokens of the KV cache.", held),
            ("sglang:page_size", "gauge", "Tokens of a block.", limits.block_tokens),
            ("sglang:cache_hit_rate", "gauge", "Prompt tokens found, of those asked for.", rate),
            (
                "sglang:prompt_tokens_total",
                "counter",
                "Prompt tokens of requests that got their first token, cached ones included.",
                counts.prompt_tokens,
            ),
            (
                "sglang:generation_tokens_total",
                "counter",
                "Generated tokens, of aborted requests too.",
                generated,
            ),
            (
                "sglang:num_retracted_requests_total",
                "counter",
                "Requests thrown back to the queue for want of KV blocks.",
                counts.preemptions,
            ),
            (
                "sglang:num_requests_total",
                "counter",
                "Requests that ended.",
                sum(own.finished.values()),
            ),
            (
                "sglang:num_aborted_requests_total",
                "counter",
                "Of them, aborted.",
                own.finished["abort"],
            ),
        )
    )
    page.samples(_ours(busy_s, joules, lag_s))
    name = "sglang:cached_tokens_total"
    sources = (("device", own.cached_tokens),)
    page.split(name, "Prompt tokens found in the prefix cache.", "cache_source", sources)
    page.histogram("sglang:time_to_first_token_seconds", "From arrival to first token.", own.ttft)
    page.histogram("sglang:inter_token_latency_seconds", "From token to token.", own.itl)
    page.histogram("sglang:e2e_request_latency_seconds", "From arrival to last token.", own.e2e)
    return page.text()
