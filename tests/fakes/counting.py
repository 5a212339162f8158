"""What a fake upstream has given, counted by itself."""

from __future__ import annotations

import time
from collections import Counter, deque

import msgspec

KEPT = 20_000
"""Rows of single requests that are kept; totals count all."""


class Row(msgspec.Struct, kw_only=True):
    """One request that reached an API route.

    Attributes:
        number: counted from 1.
        api: `chat`, `completions`, `embeddings`, `responses` or `messages`.
        tag: the request's TAG word.
        begun: Unix time, seconds.
        prompt_tokens: of the prompt; 0 where it was refused.
        completion_tokens: generated so far: written, or for an unstreamed answer, reckoned.
        outcome: `open`; `whole`: written to its end; `fault`: ended by a fault of ours; `refused`:
            by an error status; `aborted`: the client left first.
        ended: Unix time, seconds; when an abort was noticed. 0 while open.
    """

    number: int
    api: str
    tag: str
    begun: float
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    reasoning_tokens: int = 0
    outcome: str = "open"
    ended: float = 0.0


class Totals(msgspec.Struct, kw_only=True):
    """All requests so far; `whole_*` those alone that were answered to their end."""

    requests: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    reasoning_tokens: int = 0
    whole: int = 0
    whole_prompt_tokens: int = 0
    whole_completion_tokens: int = 0
    aborted: int = 0
    refused: int = 0
    faulted: int = 0
    open: int = 0
    by_api: dict[str, int] = {}
    aborts: list[float] = []
    """Unix times at which a client was found gone, the last 20,000."""


class Count:
    """Counts one upstream's requests."""

    def __init__(self) -> None:
        self.totals = Totals(by_api=Counter(), aborts=[])
        self.rows: deque[Row] = deque(maxlen=KEPT)
        self.asked: Counter[str] = Counter()
        self.whole: Counter[str] = Counter()

    def begin(self, api: str, tag: str) -> Row:
        """A request came."""
        totals = self.totals
        totals.requests += 1
        totals.open += 1
        totals.by_api[api] = totals.by_api.get(api, 0) + 1
        row = Row(number=totals.requests, api=api, tag=tag, begun=time.time())
        self.rows.append(row)
        if tag:
            self.asked[tag] += 1
        return row

    def prompt(self, row: Row, tokens: int, cached: int, reasoning: int) -> None:
        """It was taken: its prompt counts from now on."""
        row.prompt_tokens, row.cached_tokens, row.reasoning_tokens = tokens, cached, reasoning
        self.totals.prompt_tokens += tokens
        self.totals.cached_tokens += cached
        self.totals.reasoning_tokens += reasoning

    def gave(self, row: Row, tokens: int) -> None:
        """So many more tokens were generated for it."""
        row.completion_tokens += tokens
        self.totals.completion_tokens += tokens

    def end(self, row: Row, outcome: str) -> None:
        """It is over."""
        if row.outcome != "open":
            return
        row.outcome, row.ended = outcome, time.time()
        totals = self.totals
        totals.open -= 1
        if outcome == "whole":
            totals.whole += 1
            totals.whole_prompt_tokens += row.prompt_tokens
            totals.whole_completion_tokens += row.completion_tokens
            if row.tag:
                self.whole[row.tag] += 1
        elif outcome == "aborted":
            totals.aborted += 1
            totals.aborts.append(row.ended)
            del totals.aborts[:-KEPT]
        elif outcome == "refused":
            totals.refused += 1
        else:
            totals.faulted += 1


def metrics_page(count: Count, model: str) -> bytes:
    """The count under vLLM's names. An aborted request is in no counter of ends, as with vLLM."""
    totals, labels = count.totals, f'engine="0",model_name="{model}"'
    samples = (
        ("vllm:num_requests_running", "gauge", "", totals.open),
        ("vllm:num_requests_waiting", "gauge", "", 0),
        ("vllm:kv_cache_usage_perc", "gauge", "", min(1.0, totals.open / 1000)),
        ("vllm:prefix_cache_queries_total", "counter", "", totals.prompt_tokens),
        ("vllm:prefix_cache_hits_total", "counter", "", totals.cached_tokens),
        ("vllm:prompt_tokens_total", "counter", "", totals.prompt_tokens),
        ("vllm:prompt_tokens_cached_total", "counter", "", totals.cached_tokens),
        ("vllm:generation_tokens_total", "counter", "", totals.completion_tokens),
        ("vllm:num_preemptions_total", "counter", "", 0),
        ("vllm:request_success_total", "counter", ',finished_reason="stop"', totals.whole),
        ("vllm:request_success_total", "counter", ',finished_reason="abort"', 0),
        ("vllm:admission_rejections_total", "counter", ',reason="requests"', totals.refused),
    )
    lines: list[str] = []
    for name, kind, more, value in samples:
        if f"# TYPE {name} {kind}" not in lines:
            lines += (f"# HELP {name} As vLLM counts it.", f"# TYPE {name} {kind}")
        lines.append(f"{name}{{{labels}{more}}} {float(value)}")
    return ("\n".join(lines) + "\n").encode()
