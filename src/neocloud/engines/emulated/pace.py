"""How fast an emulated replica's steps pass: as the model says, quicker, or with noise."""

from __future__ import annotations

import math
import random
from typing import Protocol

from neocloud.replica import StepCost


class IdlingCost(StepCost, Protocol):
    """What steps take, and what the replica draws between them. `perf.StepTable` is one."""

    @property
    def idle_watts(self) -> float:
        """Power while no step runs."""
        ...


class Paced:
    """A step table whose steps take other times than the model says. Watts stay what they are.

    Args:
        table: what the model says.
        speed: steps pass so many times as fast; time stands for `speed` times itself then.
        noise: standard deviation of the logarithm of a step's time. The mean stays the model's.
        seed: of the noise: the same seed gives the same factors, step by step.
    """

    __slots__ = ("_draw", "_noise", "_shift", "_speed", "_table")

    def __init__(self, table: IdlingCost, speed: float, noise: float, seed: str) -> None:
        self._table = table
        self._speed = speed
        self._noise = noise
        self._shift = -noise * noise / 2.0  # the mean of exp(shift + noise * normal) is 1
        self._draw = random.Random(seed)  # noqa: S311  (of a model, not of a secret)

    @property
    def idle_watts(self) -> float:
        """Power while no step runs."""
        return self._table.idle_watts

    def cost(
        self, decodes: int, decode_context: int, prefill_tokens: int, prefill_pairs: int
    ) -> tuple[float, float]:
        """Seconds and joules of a step with this composition."""
        seconds, joules = self._table.cost(decodes, decode_context, prefill_tokens, prefill_pairs)
        factor = 1.0 / self._speed
        if self._noise:
            factor *= math.exp(self._shift + self._noise * self._draw.gauss(0.0, 1.0))
        return seconds * factor, joules * factor
