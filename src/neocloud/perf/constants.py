"""The constants of a configuration, made from the fitted parameters level by level.

Each constant is a prior median times a factor for every level that it varies over (generation,
engine, accelerator, ...). What a level has no fitted value for counts as 1: a new accelerator falls
back to its generation, a new engine to all engines.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import msgspec
import numpy as np

from neocloud.perf.terms import TERMS
from neocloud.perf.values import Value


@dataclass(frozen=True, slots=True)
class Constants:
    """Efficiencies are shares of the data sheet's dense peak; times are seconds. See `TERMS`."""

    memory_efficiency: Value
    dense_efficiency: Value
    expert_efficiency: Value
    expert_ratio: Value
    head_efficiency: Value
    latent_efficiency: Value
    kv_efficiency: Value
    dense_half_size: Value
    expert_half_size: Value
    half_rows: Value
    expert_half_rows: Value
    imbalance: Value
    prefill_peak: Value
    prefill_half_tokens: Value
    collective_s: Value
    link_efficiency: Value
    exchange_s: Value
    exchange_efficiency: Value
    layer_floor_s: Value
    expert_floor_s: Value
    latent_floor_s: Value
    host_s: Value
    host_sequence_s: Value
    host_prompt_s: Value
    draft_host: Value
    first_token_s: Value
    decode_factor: Value
    prefill_factor: Value
    acceptance: Value
    share: Value
    waiting: Value
    settle: Value
    burst: Value
    calm: Value
    station: Value
    transfer_s: Value
    wave: Value


CONSTANTS = tuple(f.name for f in fields(Constants))


class Levels(msgspec.Struct, frozen=True, kw_only=True):
    """What a configuration is, as far as constants vary with it. Texts are keys of the fit."""

    maker: str
    generation: str
    accelerator: str
    engine: str
    release: str
    """Engine and its version; empty where it is not known."""
    layer: str
    """What splits prefill from generation (`dynamo`, `mori`), or nothing."""
    dense_format: str
    """Number format that dense products are computed in."""
    expert_format: str
    model: str
    kind: str
    """`dense`, `moe`, `latent` (MLA) or `linear`."""
    age: float = 0.0
    """Years since the date at which the fit's engines stand; negative before."""

    def key(self, level: str, part: str) -> str:
        """Key of a level, joined by `|`; `part` names the number format a constant is for."""
        number_format = {"dense": self.dense_format, "expert": self.expert_format}.get(part, "bf16")
        if not part:
            number_format = self.expert_format or self.dense_format
        return "|".join(
            number_format if name == "format" else getattr(self, name) for name in level.split("+")
        )


class Fit(msgspec.Struct, frozen=True, kw_only=True):
    """Fitted parameters: logarithms of factors by term, level and key, and slopes over time.

    `factors["memory_efficiency"]["generation"]["hopper"]` = -0.03 means 3 per cent less than the
    prior median. The level `all` has the one key `all`.
    """

    factors: Mapping[str, Mapping[str, Mapping[str, float]]]

    def log_factor(self, term: str, levels: Levels, part: str = "") -> float:
        """Sum over the term's levels."""
        total = 0.0
        for level, by_key in self.factors.get(term, {}).items():
            if level == "all":
                total += by_key["all"]
            elif level.startswith("age:"):
                total += by_key.get(levels.key(level[4:], part), 0.0) * levels.age
            else:
                total += by_key.get(levels.key(level, part), 0.0)
        return total


PARTS = {
    "dense_efficiency": ("compute_efficiency", "dense"),
    "expert_efficiency": ("compute_efficiency", "expert"),
    "head_efficiency": ("compute_efficiency", "head"),
    "layer_floor_s": ("layer_floor_s", "dense"),
    "expert_floor_s": ("expert_floor_s", "expert"),
}
"""Constants that read another term, for the number format of a part of the model."""


def constants_of(fit: Fit, levels: Levels) -> Constants:
    """Constants of one configuration."""
    values = {}
    for name in CONSTANTS:
        term, part = PARTS.get(name, (name, ""))
        prior = TERMS[term]
        median = prior.by_format.get(levels.key("format", part), prior.median)
        values[name] = prior.within(median * math.exp(fit.log_factor(term, levels, part)))
    return Constants(**values)


def stack_constants(constants: Sequence[Constants]) -> Constants:
    """Join the constants of n configurations as vectors of n."""
    return Constants(
        **{name: np.array([getattr(c, name) for c in constants]) for name in CONSTANTS}
    )
