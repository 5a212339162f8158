"""Sums over rows. Counts stay integers, so the sum of the parts is the whole exactly."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable
from typing import TypeVar

import msgspec

from neocloud.activity.records import Row

Key = TypeVar("Key", bound=Hashable)


class Totals(msgspec.Struct, frozen=True, kw_only=True):
    """Sums over some rows; fields as in `Row`."""

    requests: int = 0
    within_objective: int = 0
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    allocated_accelerator_s: float = 0.0
    busy_accelerator_s: float = 0.0
    energy_kwh: float = 0.0

    @property
    def tokens(self) -> int:
        """Input and output tokens."""
        return self.input_tokens + self.output_tokens


def total(rows: Iterable[Row]) -> Totals:
    """Sum all rows; sums of floats do not depend on their order."""
    listed = list(rows)
    return Totals(
        requests=sum(r.requests for r in listed),
        within_objective=sum(r.within_objective for r in listed),
        input_tokens=sum(r.input_tokens for r in listed),
        cached_tokens=sum(r.cached_tokens for r in listed),
        output_tokens=sum(r.output_tokens for r in listed),
        allocated_accelerator_s=math.fsum(r.allocated_accelerator_s for r in listed),
        busy_accelerator_s=math.fsum(r.busy_accelerator_s for r in listed),
        energy_kwh=math.fsum(r.energy_kwh for r in listed),
    )


def group(rows: Iterable[Row], key: Callable[[Row], Key]) -> dict[Key, Totals]:
    """Sum rows of equal `key`, in order of first appearance."""
    parts: dict[Key, list[Row]] = {}
    for row in rows:
        parts.setdefault(key(row), []).append(row)
    return {k: total(part) for k, part in parts.items()}
