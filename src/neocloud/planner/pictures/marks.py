"""What both pictures share: colours and marks by place, logarithmic axes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from neocloud.planner.pictures.words import label
from neocloud.planner.search.front import Curve, Front, FrontPoint

COLOURS = (
    ("#2f6fb4", "#74ace8"), ("#c8690f", "#f0a552"), ("#2c8a57", "#5fc78f"), ("#8250b8", "#b892e8"),
    ("#b8383d", "#f0868a"), ("#11808a", "#4fc3cc"), ("#8a6038", "#cda67e"), ("#c04c8d", "#ee94c6"),
    ("#666d75", "#aab2bb"), ("#7c7a12", "#bfbb4e"),
)  # fmt: skip
"""On a light and on a dark ground; each has a contrast of 3 and more to its ground."""
SHAPES = ("circle", "square", "up", "diamond", "down")
"""Marks differ in shape too: colour alone does not reach everybody."""


@dataclass(frozen=True, slots=True)
class Measure:
    """One vertical axis.

    Attributes:
        key: short name.
        title: of the axis.
        of: its value of a point.
        along: its values of a curve.
    """

    key: str
    title: str
    of: Callable[[FrontPoint], float]
    along: Callable[[Curve], Sequence[float]]


def measures(front: Front) -> tuple[Measure, Measure]:
    """Cost and energy."""
    return (
        Measure(
            key="cost",
            title=f"{front.currency} per million tokens",
            of=lambda p: p.cost_per_mtok,
            along=lambda c: c.cost_per_mtok,
        ),
        Measure(
            key="energy",
            title="joules per token, at the meter",
            of=lambda p: p.joules_per_token,
            along=lambda c: c.joules_per_token,
        ),
    )


@dataclass(frozen=True, slots=True)
class Place:
    """A place that the model runs at, and how it is drawn.

    Attributes:
        key: `site/pool`.
        label: what it is called.
        colour: its place in `COLOURS`.
        shape: its place in `SHAPES`.
    """

    key: str
    label: str
    colour: int
    shape: int


def places(front: Front) -> tuple[Place, ...]:
    """Places that have a curve. The same accelerators look the same for every model."""
    held = {curve.place for curve in front.curves}
    return tuple(
        Place(p.place, label(front, p.place), number % len(COLOURS), number % len(SHAPES))
        for number, p in enumerate(front.prices)
        if p.place in held
    )


def lower_edge(curve: Curve, measure: Measure) -> list[tuple[float, float]]:
    """Of a curve the least of a measure at each interactivity or above it, falling speed."""
    edge: list[tuple[float, float]] = []
    pairs = zip(curve.tokens_per_s_per_user, measure.along(curve), strict=True)
    for speed, value in sorted(pairs, key=lambda pair: (-pair[0], pair[1])):
        if not edge or value < edge[-1][1]:
            edge.append((speed, value))
    return edge


@dataclass(frozen=True, slots=True)
class Axis:
    """A logarithmic axis from `low` to `high`, laid over pixels from `start` to `end`."""

    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        """Where a value lies; one beyond an end lies on it."""
        share = math.log(value / self.low) / math.log(self.high / self.low)
        return self.start + min(max(share, 0.0), 1.0) * (self.end - self.start)

    def ticks(self) -> list[float]:
        """1, 2 and 5 of each power of ten; of long axes the powers alone."""
        steps = (1.0,) if self.high > 2e3 * self.low else (1.0, 2.0, 5.0)
        first = math.floor(math.log10(self.low))
        found = [
            step * 10.0**power
            for power in range(first, math.ceil(math.log10(self.high)) + 1)
            for step in steps
        ]
        return [t for t in found if self.low <= t <= self.high]


def axis_over(values: Sequence[float], start: float, end: float) -> Axis:
    """An axis that holds all values with some air beside them."""
    return Axis(min(values) / 1.15, max(values) * 1.15, start, end)
