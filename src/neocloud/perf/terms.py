"""What is fitted: each constant's prior, where it comes from, and over what it may vary.

Sources of the medians and spreads:
- [A] operator timings that NVIDIA ships with AIConfigurator 0.12 (Apache-2.0; H100, H200, B200).
- [B] ranges that fits of the same terms to InferenceX rows (SemiAnalysis) gave.
- [C] assumed; the spread is wide.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import msgspec

_NONE: Mapping[str, float] = MappingProxyType({})


class Term(msgspec.Struct, frozen=True, kw_only=True):
    """Prior of one constant. Spreads are standard deviations of its logarithm.

    Attributes:
        median: prior median.
        spread: of the value that all configurations share.
        levels: spread of the factor of each level that it varies over.
        source: where median and spread come from.
        by_format: medians by number format, where they differ.
        most: a physical bound; fitted values stop there.
    """

    median: float
    spread: float
    source: str
    levels: Mapping[str, float] = _NONE
    by_format: Mapping[str, float] = _NONE
    most: float = float("inf")

    def within(self, value: float) -> float:
        """The value, at most the bound."""
        return min(value, self.most)


TERMS: Mapping[str, Term] = MappingProxyType(
    {
        "memory_efficiency": Term(
            median=0.80,
            spread=0.06,
            levels={"generation": 0.06},
            most=0.95,
            source="[A] 0.75 to 0.85 of bandwidth when weights are read",
        ),
        "compute_efficiency": Term(
            median=0.5,
            spread=0.10,
            most=0.95,
            by_format={"bf16": 0.62, "fp8": 0.50, "fp4": 0.38, "int8": 0.5},
            levels={"format": 0.10, "generation+format": 0.15, "engine+format": 0.10},
            source="[A] 0.77, 0.51 to 0.60, 0.41 in large products; [B] 0.6, 0.5, 0.3 to 0.45",
        ),
        "expert_ratio": Term(
            median=0.8,
            spread=0.3,
            levels={"maker": 0.2, "engine": 0.15},
            source="[A] grouped products reach 0.15 to 0.6 of the roofline at 2,048 tokens",
        ),
        "latent_efficiency": Term(
            median=0.55,
            spread=0.15,
            levels={"generation": 0.15},
            most=0.95,
            source="[A] compute share 0.58 to 0.64 of long latent reads",
        ),
        "kv_efficiency": Term(
            median=0.78,
            spread=0.08,
            levels={"generation": 0.08, "engine": 0.08},
            most=0.95,
            source="[A] 0.66 to 0.90 above 0.1 GB",
        ),
        "dense_half_size": Term(
            median=1e6, spread=0.7, source="[C] what floors leave of [A] 0.05 to 0.25 at 1 to 8 M"
        ),
        "expert_half_size": Term(
            median=4e6, spread=0.5, levels={"maker": 0.3}, source="[A] as dense, grouped"
        ),
        "half_rows": Term(median=80.0, spread=0.35, levels={"maker": 0.3}, source="[B] 40 to 140"),
        "expert_half_rows": Term(median=30.0, spread=0.4, levels={"maker": 0.3}, source="[B] 30"),
        "imbalance": Term(median=1.2, spread=0.1, source="[A] 1.0 to 2; [B] 1.1 to 1.3"),
        "prefill_peak": Term(
            median=0.62,
            spread=0.12,
            levels={"generation": 0.15, "engine": 0.1},
            most=0.95,
            source="[A] 0.54 to 0.64 of bf16 at 16k tokens",
        ),
        "prefill_half_tokens": Term(
            median=1800.0, spread=0.3, source="[A] .08, .25, .49, .62 at 256, 1k, 4k, 16k tokens"
        ),
        "collective_s": Term(
            median=7e-6,
            spread=0.3,
            levels={"maker": 0.3, "engine": 0.2},
            source="[A] 3 to 8 us; [B] 6 to 8",
        ),
        "link_efficiency": Term(
            median=0.55,
            spread=0.2,
            most=0.95,
            levels={"maker": 0.3, "generation": 0.15, "accelerator": 0.3},
            source="[A] 0.4 to 0.9 by size; [B] 0.4 to 0.7",
        ),
        "exchange_s": Term(
            median=15e-6, spread=0.4, levels={"maker": 0.3}, source="[C] two launches"
        ),
        "exchange_efficiency": Term(
            median=0.5,
            spread=0.4,
            levels={"maker": 0.3, "generation": 0.2},
            most=0.95,
            source="[C] as an all-reduce",
        ),
        "layer_floor_s": Term(
            median=35e-6,
            spread=0.4,
            by_format={"bf16": 25e-6, "fp8": 40e-6, "fp4": 40e-6, "int8": 40e-6},
            levels={
                "format": 0.15,
                "maker": 0.3,
                "engine": 0.3,
                "engine+format": 0.1,
                "generation": 0.2,
            },
            source="[A] 3 us a product in bf16, 5 to 15 quantised, 10 for attention; [B] 30 to 80",
        ),
        "expert_floor_s": Term(
            median=25e-6,
            spread=0.5,
            levels={"format": 0.1, "maker": 0.3, "engine": 0.2},
            source="[B] 25 us",
        ),
        "latent_floor_s": Term(
            median=20e-6,
            spread=0.5,
            levels={"maker": 0.3, "engine": 0.3},
            source="[C] as many kernels again",
        ),
        "host_s": Term(median=0.8e-3, spread=0.4, levels={"engine": 0.4}, source="[B] 0.5 to 1.5"),
        "host_sequence_s": Term(
            median=4e-6, spread=0.6, levels={"engine": 0.4}, source="[C] sampling, detokenizing"
        ),
        "host_prompt_s": Term(
            median=1e-3, spread=0.6, levels={"engine": 0.4}, source="[C] a prompt's admission"
        ),
        "draft_host": Term(median=1.5, spread=0.3, levels={"engine": 0.2}, source="[C]"),
        "first_token_s": Term(
            median=30e-3,
            spread=0.6,
            levels={
                "engine": 0.4,
                "maker": 0.2,
                "accelerator": 0.2,
                "engine+accelerator+format": 0.3,
                "release": 0.2,
            },
            source="[C] HTTP, tokenizer, scheduling",
        ),
        "acceptance": Term(
            median=0.4,
            spread=0.15,
            levels={"engine": 0.1},
            most=1.0,
            source="[B] 2.2 tokens a step with 3 drafts",
        ),
        "share": Term(
            median=0.5,
            spread=0.4,
            levels={"engine": 0.4},
            most=1.0,
            source="[C] share of decodes that run beside a prompt",
        ),
        "waiting": Term(median=0.6, spread=0.2, source="[B] 0.5 to 0.7"),
        "settle": Term(median=0.7, spread=0.3, most=0.95, source="[C] prompts wait for prompts"),
        "burst": Term(median=0.5, spread=0.6, levels={"engine": 0.3}, source="[B] waves"),
        "calm": Term(median=0.2, spread=0.6, levels={"engine": 0.3}, most=1.0, source="[C]"),
        "station": Term(
            median=1.0, spread=0.4, levels={"engine": 0.3}, source="[B] a queue's place"
        ),
        "transfer_s": Term(
            median=0.1,
            spread=0.5,
            levels={"engine+layer": 0.5, "accelerator": 0.3},
            source="[B] 0.1 s: copying and the router's hand-over",
        ),
        "wave": Term(
            median=0.2, spread=0.6, levels={"engine": 0.3}, source="[C] ten requests a client"
        ),
        "decode_factor": Term(
            median=1.0,
            spread=0.1,
            source="what the terms do not explain",
            levels={
                "maker": 0.2,
                "generation": 0.1,
                "generation+format": 0.1,
                "engine": 0.12,
                "kind": 0.08,
                "accelerator": 0.12,
                "engine+accelerator+format": 0.15,
                "model": 0.12,
                "model+engine": 0.12,
                "release": 0.1,
                "age:engine": 0.2,
            },
        ),
        "prefill_factor": Term(
            median=1.0,
            spread=0.1,
            source="what the terms do not explain",
            levels={
                "maker": 0.2,
                "generation": 0.15,
                "generation+format": 0.15,
                "engine": 0.15,
                "kind": 0.12,
                "accelerator": 0.12,
                "engine+accelerator+format": 0.2,
                "model": 0.15,
                "model+engine": 0.15,
                "release": 0.1,
                "age:engine": 0.2,
            },
        ),
    }
)
"""Every fitted constant by name."""
