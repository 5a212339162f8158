"""What one emulated replica counts, and how it tells it: vLLM's own metrics, and a few of ours."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

from neocloud.engines.metrics import BUSY_SECONDS, JOULES
from neocloud.replica import Limits, Snapshot

# vLLM's own bounds, seconds.
_TTFT_BOUNDS = (
    0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
    20.0, 40.0, 80.0, 160.0, 640.0, 2560.0,
)  # fmt: skip
_E2E_BOUNDS = (
    0.3, 0.5, 0.8, 1.0, 1.5, 2.0, 2.5, 5.0, 10.0, 15.0, 20.0, 30.0, 40.0, 50.0, 60.0, 120.0,
    240.0, 480.0, 960.0, 1920.0, 7680.0,
)  # fmt: skip

FINISHED_REASONS = ("stop", "length", "abort")


class Histogram:
    """Counts of observations up to each bound, and their sum."""

    __slots__ = ("_bounds", "_counts", "_sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def observe(self, value: float) -> None:
        """Count one observation."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value

    def lines(self, name: str, labels: str) -> list[str]:
        """Samples of the histogram; `labels` without braces."""
        told, total = [], 0
        for bound, count in zip((*self._bounds, None), self._counts, strict=True):
            total += count
            text = "+Inf" if bound is None else f"{bound}"
            told.append(f'{name}_bucket{{{labels},le="{text}"}} {total}')
        told.append(f"{name}_count{{{labels}}} {total}")
        told.append(f"{name}_sum{{{labels}}} {self._sum!r}")
        return told


class Counters:
    """What a replica's own counters do not hold."""

    __slots__ = ("cached_tokens", "e2e", "finished", "ttft")

    def __init__(self) -> None:
        self.cached_tokens = 0
        """Prompt tokens from the prefix cache, of requests that got their first token."""
        self.finished = dict.fromkeys(FINISHED_REASONS, 0)
        self.ttft = Histogram(_TTFT_BOUNDS)
        self.e2e = Histogram(_E2E_BOUNDS)


def metrics_page(
    model: str,
    limits: Limits,
    counts: Snapshot,
    own: Counters,
    *,
    busy_s: float,
    joules: float,
    lag_s: float,
) -> bytes:
    """The Prometheus page of one replica.

    Args:
        model: its name.
        limits: its scheduler's.
        counts: what the scheduler counts.
        own: what is counted around it.
        busy_s: seconds in which steps ran, up to now.
        joules: energy of the replica up to now, idling included.
        lag_s: how late the last step was told.
    """
    labels = f'engine="0",model_name="{model}",emulated="true"'
    lines: list[str] = []

    def tell(name: str, kind: str, what: str, value: float) -> None:
        lines.append(f"# HELP {name} {what}")
        lines.append(f"# TYPE {name} {kind}")
        lines.append(f"{name}{{{labels}}} {value!r}")

    for name, kind, what, value in _samples(counts, own, busy_s, joules, lag_s):
        tell(name, kind, what, value)
    name = "vllm:request_success_total"
    lines += (f"# HELP {name} Requests that ended, by reason.", f"# TYPE {name} counter")
    lines += [
        f'{name}{{{labels},finished_reason="{reason}"}} {count}'
        for reason, count in own.finished.items()
    ]
    for name, what, histogram in (
        ("vllm:time_to_first_token_seconds", "From arrival to first token.", own.ttft),
        ("vllm:e2e_request_latency_seconds", "From arrival to last token.", own.e2e),
    ):
        lines += (f"# HELP {name} {what}", f"# TYPE {name} histogram")
        lines += histogram.lines(name, labels)
    name = "vllm:cache_config_info"
    lines += (f"# HELP {name} The KV cache.", f"# TYPE {name} gauge")
    lines.append(
        f'{name}{{{labels},block_size="{limits.block_tokens}",'
        f'enable_prefix_caching="{limits.prefix_cache}",num_gpu_blocks="{limits.kv_blocks}",'
        f'kv_cache_size_tokens="{limits.kv_blocks * limits.block_tokens}"}} 1'
    )
    return ("\n".join(lines) + "\n").encode("ascii")


def _samples(
    counts: Snapshot, own: Counters, busy_s: float, joules: float, lag_s: float
) -> tuple[tuple[str, str, str, float], ...]:
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
        (
            "vllm:prefix_cache_hits_total",
            "counter",
            "Of them, found.",
            counts.prefix_hits,
        ),
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
            counts.generated_tokens,
        ),
        (
            "vllm:num_preemptions_total",
            "counter",
            "Requests thrown back to the queue for want of KV blocks.",
            counts.preemptions,
        ),
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
