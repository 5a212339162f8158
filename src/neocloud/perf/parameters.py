"""The constants of the performance model: physical, few, anchored to measured operators.

None of these is fitted to end-to-end results yet; docs/accuracy.md shows what they reach. Sources:

- [A] Operator timings that NVIDIA ships with AIConfigurator 0.12 (Apache-2.0; H100, H200, B200):
  the share of the roofline that matrix products, attention and collectives reach.
- [B] InferenceX (SemiAnalysis) end-to-end rows of nine accelerators: ranges that a fit of the same
  terms found.
- [C] The same rows' measured board power (MI355X, 18 rows): 0.25 to 0.36 of TDP where memory and
  compute idle most of the step, 0.56 to 0.66 under load.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Parameters:
    """Efficiencies are shares of the data sheet's dense peak; times are seconds."""

    memory_efficiency: float
    """Of bandwidth when weights are read. [A] 0.75 to 0.85 on NVIDIA."""
    compute_efficiency: dict[str, float]
    """Of dense FLOP/s in matrix products, by number format. [A] bf16 0.77, fp8 0.51 to 0.60 and
    fp4 0.41 in large products alone; [B] 0.6, 0.5 and 0.3 to 0.45 over a whole step."""
    smoothing: float
    """p of the p-norm that joins memory and compute time of a product. [B] 1 to 2."""
    half_rows: float
    """Rows at which a product runs at half its efficiency. [B] 40 to 140."""
    expert_half_rows: float
    """The same for one expert's rows. [B] 30."""
    kv_efficiency: float
    """Of bandwidth when the KV cache is read. [A] 0.74 to 0.90 over 0.1 GB."""
    kv_floor_s: float
    """A layer's decode attention, at the least. [A] 10 to 13 us; part overlaps in a graph."""
    prefill_peak: float
    """Share of dense bf16 FLOP/s of causal attention over a long prompt. [A] 0.58 to 0.64."""
    prefill_half_tokens: float
    """Attended length at half of that. [A] .08, .25, .49, .62 at 256, 1k, 4k, 16k tokens."""
    collective_s: float
    """An all-reduce of nothing between two. [A] 3 to 8 us; [B] 6 to 8."""
    link_efficiency: float
    """Of the scale-up link in an all-reduce. [A] 0.4 to 0.9 by size; [B] 0.4 to 0.7."""
    layer_floor_s: float
    """A layer's launches that nothing hides. [B] 30 to 80 us."""
    expert_floor_s: float
    """The same, more, for a layer with routed experts. [B] 25 us."""
    host_s: float
    """The engine's scheduler, sampling and output, a step. [B] 0.5 to 1.5 ms."""
    first_token_s: float
    """What a request spends outside of steps before its first token: HTTP, tokenizer. Assumed."""
    static_power: float
    """Share of TDP of an accelerator in a step that uses neither memory nor compute. [C]"""
    dynamic_power: float
    """Share of TDP added when memory or compute is busy all the time. [C]"""
    idle_power: float
    """Share of TDP between steps, model loaded. Assumed: H100 boards idle near 110 of 700 W."""
    host_power: float
    """Share of the node's own maximum (all but accelerators) that it draws. Assumed."""


_NVIDIA = Parameters(
    memory_efficiency=0.80,
    compute_efficiency={"bf16": 0.60, "fp8": 0.50, "fp4": 0.38},
    smoothing=2.0,
    half_rows=64.0,
    expert_half_rows=30.0,
    kv_efficiency=0.80,
    kv_floor_s=6e-6,
    prefill_peak=0.68,
    prefill_half_tokens=1800.0,
    collective_s=7e-6,
    link_efficiency=0.55,
    layer_floor_s=40e-6,
    expert_floor_s=25e-6,
    host_s=1.0e-3,
    first_token_s=8e-3,
    static_power=0.20,
    dynamic_power=0.65,
    idle_power=0.16,
    host_power=0.60,
)

# AMD's operators are not in [A]. [B] finds them below NVIDIA's at the same terms; the two
# efficiencies below are the low end of [B]'s ranges.
_AMD = Parameters(
    memory_efficiency=0.68,
    compute_efficiency={"bf16": 0.42, "fp8": 0.36, "fp4": 0.30},
    smoothing=2.0,
    half_rows=140.0,
    expert_half_rows=60.0,
    kv_efficiency=0.62,
    kv_floor_s=8e-6,
    prefill_peak=0.45,
    prefill_half_tokens=2400.0,
    collective_s=8e-6,
    link_efficiency=0.50,
    layer_floor_s=60e-6,
    expert_floor_s=25e-6,
    host_s=1.2e-3,
    first_token_s=8e-3,
    static_power=0.20,
    dynamic_power=0.65,
    idle_power=0.16,
    host_power=0.60,
)

_BY_MAKER = {"NVIDIA": _NVIDIA, "AMD": _AMD}


class NoParametersError(ValueError):
    """No parameters for an accelerator's maker: it stays out of predictions."""


def parameters_for(maker: str) -> Parameters:
    """The model's constants for accelerators of `maker`.

    Raises:
        NoParametersError: nothing measured stands behind this maker's accelerators.
    """
    if maker not in _BY_MAKER:
        known = ", ".join(sorted(_BY_MAKER))
        raise NoParametersError(
            f"no measured result stands behind accelerators by {maker}; "
            f"predictions exist for {known}"
        )
    return _BY_MAKER[maker]


def parameters_hash() -> str:
    """Short content hash of all constants, kept in plans."""
    text = repr(sorted(_BY_MAKER.items()))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
