"""What a step has to do, on paper: bytes, FLOPs and the data sheet's rates. No efficiencies.

A replica of g = tp x attention_dp accelerators a pipeline stage. Attention weights lie over tp, the
feed-forward weights over g. One rank of the attention holds n of the sequences; its step carries
M = n q + p tokens (q tokens a sequence, p of prompts), the whole stage N = M x attention_dp.

Pipeline stages: pp groups of sequences go round, one in each stage, so each group sees all layers
at a stage's tp and the stages together do pp steps at once. That is pp ranks of which each reads
all layers; only memory is a stage's own.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from neocloud.catalog import Accelerator, Architecture, AttentionKind, LayerGroup
from neocloud.catalog.costs import STATE_FLOPS
from neocloud.perf.formats import (
    BYTES_PER_KV,
    BYTES_PER_WEIGHT,
    STATE_BYTES,
    compute_format,
    layer_precisions,
)
from neocloud.perf.power import power_of
from neocloud.perf.records import Configuration
from neocloud.perf.values import Value

ASSUMED_SCALE_OUT = 50e9
"""Bytes/s one way of an accelerator to other nodes where its figure is not known: one port of
400 Gbit/s each, as in NVIDIA's and AMD's reference nodes."""


@dataclass(frozen=True, slots=True)
class StepWork:
    """Work of one rank (one accelerator) in one step. Bytes, FLOPs, bytes/s, FLOP/s.

    Attributes:
        dense_bytes: attention, dense and shared feed-forward weights that a step reads.
        dense_flops_per_token: FLOPs of these for a token of the rank, a linear layer's state
            included.
        dense_peak: FLOP/s at their number format.
        expert_bytes: of one routed expert in all its layers, this rank's share.
        expert_flops_per_row: FLOPs of one (token, expert) visit in all layers, this rank's share.
        expert_peak: FLOP/s at the experts' number format.
        experts: routed experts of a layer.
        experts_per_token: of them, how many a token visits.
        head_bytes: output projection.
        head_flops_per_row: for one token whose successor is sampled.
        kv_bytes_per_token: read for every past token.
        kv_window_bytes_per_token: read for at most `window` past tokens.
        window: the widest of sliding or sparse layers, tokens.
        kv_recent_bytes_per_token: read for at most `recent` past tokens.
        recent: the other window of models that have two: compressed attention keeps its last
            tokens whole.
        state_bytes: of linear layers, read and written for each sequence.
        kv_flops_per_token: FLOPs of one past token in decode attention.
        kv_window_flops_per_token: the same within the window.
        kv_recent_flops_per_token: the same within the other.
        pair_flops: of one (query, key) pair of a prompt in the layers that see all of it.
        pair_window_flops: of one in those with the widest window.
        pair_recent_flops: of one in those with the other.
        layers: number of layers.
        expert_layers: of them, those with routed experts.
        latent_layers: those whose heads share a latent (MLA) or keep a state: more kernels.
        tp: attention tensor parallelism.
        ranks: attention data parallelism.
        group: accelerators of a stage.
        stages: pipeline parallelism.
        reduces: all-reduces over `tp` in all layers.
        exchanges: dispatches and combines over `group` in all layers.
        hidden_bytes: of one token's hidden state in bf16.
        targets: accelerators that a token's state goes to in an exchange.
        tp_link: bytes/s one way within `tp`.
        group_link: bytes/s one way within `group`.
        bandwidth: bytes/s of memory.
        bf16_peak: dense bf16 FLOP/s.
        peak: the fastest dense FLOP/s of any format.
        drafts: tokens that are drafted for each sequence in a step.
        dense_size: weights of a layer's dense part on one accelerator.
        expert_size: weights of one expert on one accelerator.
        static_w: power of one accelerator in an empty step, its share of the host included.
        dynamic_w: what memory or compute that is busy all the time adds.
        idle_w: power between steps.
    """

    dense_bytes: Value
    dense_flops_per_token: Value
    dense_peak: Value
    expert_bytes: Value
    expert_flops_per_row: Value
    expert_peak: Value
    experts: Value
    experts_per_token: Value
    head_bytes: Value
    head_flops_per_row: Value
    kv_bytes_per_token: Value
    kv_window_bytes_per_token: Value
    window: Value
    kv_recent_bytes_per_token: Value
    recent: Value
    state_bytes: Value
    kv_flops_per_token: Value
    kv_window_flops_per_token: Value
    kv_recent_flops_per_token: Value
    pair_flops: Value
    pair_window_flops: Value
    pair_recent_flops: Value
    layers: Value
    expert_layers: Value
    latent_layers: Value
    tp: Value
    ranks: Value
    group: Value
    stages: Value
    reduces: Value
    exchanges: Value
    hidden_bytes: Value
    targets: Value
    tp_link: Value
    group_link: Value
    bandwidth: Value
    bf16_peak: Value
    peak: Value
    drafts: Value
    dense_size: Value
    expert_size: Value
    static_w: Value
    dynamic_w: Value
    idle_w: Value


WORK_FIELDS = tuple(f.name for f in fields(StepWork))


def step_work(
    architecture: Architecture, accelerator: Accelerator, configuration: Configuration
) -> StepWork:
    """Count the work of a checked configuration.

    Raises:
        MissingFigureError: a figure of the accelerator that is needed is not known.
    """
    tp, ranks = configuration.tp, configuration.attention_dp
    group = tp * ranks
    dense_format, expert_format = layer_precisions(architecture, configuration.precision)
    attention = sum(g.count * g.attention_parameters for g in architecture.layers)
    feed_forward = sum(g.count * g.dense_parameters for g in architecture.layers)
    expert_layers = sum(g.count for g in architecture.layers if g.experts)
    expert = sum(g.count * g.expert_parameters for g in architecture.layers if g.experts)
    bandwidth = accelerator.memory_bytes_per_s.known(f"memory bandwidth of {accelerator.key}")
    kv = BYTES_PER_KV[configuration.kv_precision]
    cache = _Cache(architecture, configuration.tp)
    dense_bytes = BYTES_PER_WEIGHT[dense_format]
    return StepWork(
        dense_bytes=attention * dense_bytes / tp + feed_forward * dense_bytes / group,
        dense_flops_per_token=2.0 * (attention + feed_forward) / tp + STATE_FLOPS * cache.state,
        dense_peak=peak_of(accelerator, dense_format),
        expert_bytes=expert * BYTES_PER_WEIGHT[expert_format] / group,
        expert_flops_per_row=2.0 * expert / group,
        expert_peak=peak_of(accelerator, expert_format),
        experts=float(max((g.experts for g in architecture.layers), default=0)),
        experts_per_token=float(max((g.experts_per_token for g in architecture.layers), default=0)),
        head_bytes=architecture.head_parameters * 2.0 / tp,
        head_flops_per_row=2.0 * architecture.head_parameters / tp,
        kv_bytes_per_token=cache.all.numbers * kv,
        kv_window_bytes_per_token=cache.window.numbers * kv,
        window=cache.window.tokens,
        kv_recent_bytes_per_token=cache.recent.numbers * kv,
        recent=cache.recent.tokens,
        state_bytes=cache.state * STATE_BYTES * 2.0,
        kv_flops_per_token=cache.all.decode_flops,
        kv_window_flops_per_token=cache.window.decode_flops,
        kv_recent_flops_per_token=cache.recent.decode_flops,
        pair_flops=cache.all.flops,
        pair_window_flops=cache.window.flops,
        pair_recent_flops=cache.recent.flops,
        layers=float(architecture.layer_count),
        expert_layers=float(expert_layers),
        latent_layers=float(sum(g.count for g in architecture.layers if _has_more_kernels(g))),
        tp=float(tp),
        ranks=float(ranks),
        group=float(group),
        stages=float(configuration.pp),
        reduces=float(architecture.layer_count * (2 if ranks == 1 else 1)) if tp > 1 else 0.0,
        exchanges=float(2 * architecture.layer_count) if ranks > 1 else 0.0,
        hidden_bytes=architecture.hidden * 2.0,
        targets=float(_targets(architecture, configuration)),
        tp_link=link_rate(accelerator, tp),
        group_link=link_rate(accelerator, group),
        bandwidth=bandwidth,
        bf16_peak=accelerator.flops["bf16"].known(f"bf16 FLOP/s of {accelerator.key}"),
        peak=max(f.value for f in accelerator.flops.values() if f.value is not None),
        drafts=float(configuration.drafts),
        dense_size=(attention + feed_forward) / architecture.layer_count / tp,
        expert_size=max((g.expert_parameters for g in architecture.layers), default=0)
        / (1 if configuration.ep > 1 else group),
        **power_of(accelerator),
    )


@dataclass(slots=True)
class _Reads:
    """What one rank reads and computes in all layers for a past token, if it is seen."""

    tokens: float = 0.0
    """How many of the last tokens are seen; 0 where all are or there is no such layer."""
    numbers: float = 0.0
    decode_flops: float = 0.0
    flops: float = 0.0

    def add(self, group: LayerGroup, tp: int, stride: int) -> None:
        # Heads are shared out over TP ranks and repeated where there are fewer than ranks.
        self.numbers += group.count * group.kv_elements / min(tp, group.kv_split) / stride
        self.decode_flops += group.count * group.decode_pair_flops / tp / stride
        self.flops += group.count * group.pair_flops / tp / stride


class _Cache:
    """Numbers kept and read a token, and FLOPs a pair, of one rank, all layers.

    As `neocloud.catalog.costs` counts them: a window counts kept entries, `kv_stride` tokens each;
    the last tokens that compressed attention keeps whole come on top; an indexer scores all.
    """

    def __init__(self, architecture: Architecture, tp: int) -> None:
        self.all, self.window, self.recent = _Reads(), _Reads(), _Reads()
        self.state = 0.0
        seen = sorted(set(windows(architecture)), reverse=True)
        self.window.tokens = float(seen[0]) if seen else 0.0
        self.recent.tokens = float(seen[1]) if len(seen) > 1 else 0.0
        for g in architecture.layers:
            self.state += g.count * g.state_elements / tp
            self.all.numbers += g.count * g.index_elements
            self.all.decode_flops += g.count * g.index_pair_flops / tp
            self.all.flops += g.count * g.index_pair_flops / tp
            if g.attention is AttentionKind.FULL:
                self.all.add(g, tp, g.kv_stride)
            elif g.attention is not AttentionKind.LINEAR:
                self._within(g.window * g.kv_stride).add(g, tp, g.kv_stride)
            if g.recent_tokens:
                self._within(g.recent_tokens).add(g, tp, 1)

    def _within(self, tokens: int) -> _Reads:
        """The window of so many tokens; of a third size, the wider of the two."""
        return self.recent if 0 < tokens <= self.recent.tokens else self.window


def windows(architecture: Architecture) -> list[int]:
    """How many of the last tokens its layers see, where that is not all, tokens."""
    found = []
    for g in architecture.layers:
        if g.attention in {AttentionKind.SLIDING, AttentionKind.SPARSE}:
            found.append(g.window * g.kv_stride)
        if g.recent_tokens:
            found.append(g.recent_tokens)
    return found


def _has_more_kernels(group: LayerGroup) -> bool:
    """True where heads share a latent, an indexer picks, or a state is kept."""
    latent = group.decode_pair_flops != group.pair_flops
    return latent or group.attention in {AttentionKind.LINEAR, AttentionKind.SPARSE}


def _targets(architecture: Architecture, configuration: Configuration) -> int:
    """Accelerators that a token's hidden state is sent to: its experts', or all that share each."""
    group = configuration.tp * configuration.attention_dp
    visited = max((g.experts_per_token for g in architecture.layers), default=0)
    return min(visited, group) if visited and configuration.ep > 1 else group


def peak_of(accelerator: Accelerator, precision: str) -> float:
    """Dense FLOP/s at which weights stored in `precision` are multiplied.

    A format that the accelerator has no unit for is computed in bf16 (fp4 on Hopper and CDNA 3).
    """
    figure = accelerator.flops.get(compute_format(precision))
    if figure is None or figure.value is None:
        figure = accelerator.flops["bf16"]
    return figure.known(f"FLOP/s of {accelerator.key}")


def link_rate(accelerator: Accelerator, members: int) -> float:
    """Bytes/s one way that one of `members` accelerators has to the others.

    Accelerators without a fabric of their own (PCIe cards) talk over the node's bus within it.
    """
    if members == 1:
        return 1.0  # never used: there is nobody to talk to
    domain = accelerator.scale_up_domain
    if domain == 1:
        domain = accelerator.node_accelerators
    if members > domain:
        return accelerator.scale_out_bytes_per_s.value or ASSUMED_SCALE_OUT
    rate = accelerator.scale_up_bytes_per_s.known(f"scale-up bandwidth of {accelerator.key}")
    # In a full mesh of 8 each accelerator has 7 links and uses only those to its peers.
    return rate * min(members - 1, 7) / 7.0 if accelerator.full_mesh else rate
