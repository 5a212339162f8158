"""Columns and lines along months as SVG within a page, in its pixels.

As in `books.board.charts`, each mark carries its own colour and anchor, so that it looks the same
where a page's style does not reach into its pictures.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from html import escape

import msgspec

from neocloud.books.board.charts import WIDTH, ticks

_TOP, _HEIGHT, _LEFT, _BELOW = 34.0, 220.0, 66.0, 28.0
_RIGHT = 8.0
_FILLED = 0.72
_LETTER = 7.0
_INK, _SOFT = "#1c2126", "#7d8791"
PALETTE = (
    "#33658a", "#d9a441", "#588157", "#8250b8", "#86bbd8", "#b23a48", "#7d8491", "#e0b25c",
    "#2a9d8f", "#c08497",
)  # fmt: skip
"""Colours of series, in this order and over again."""
GOOD, BAD, LEVEL = "#588157", "#b23a48", "#5a6b7b"


class Trace(msgspec.Struct, frozen=True, kw_only=True):
    """A series of a chart.

    Attributes:
        name: in the legend.
        colour: as `#33658a`.
        values: one a label; None where there is none.
        dashed: of a line.
    """

    name: str
    colour: str
    values: tuple[float | None, ...]
    dashed: bool = False


def traces(named: Sequence[tuple[str, Sequence[float | None]]]) -> list[Trace]:
    """Series in the colours of `PALETTE`."""
    return [
        Trace(name=name, colour=PALETTE[place % len(PALETTE)], values=tuple(values))
        for place, (name, values) in enumerate(named)
    ]


def chart(
    labels: Sequence[str],
    title: str,
    unit: str,
    stacked: Sequence[Trace] = (),
    over: Sequence[Trace] = (),
) -> str:
    """Columns of stacked parts, what is negative downwards, and lines over them on one axis."""
    low, high = _range(labels, stacked, over)
    at = _scale(low, high)
    step = (WIDTH - _LEFT - _RIGHT) / max(len(labels), 1)
    drawn = [_text(unit, 4.0, 14.0, "start"), *_axis(low, high, at)]
    for place in range(len(labels)):
        drawn += _column(place, step, at, stacked)
    for trace in over:
        drawn += _line(trace, step, at)
    every = max(1, math.ceil((max(map(len, labels), default=1) + 1) * _LETTER / step))
    drawn += [
        _text(label, _LEFT + step * (place + 0.5), _TOP + _HEIGHT + 17.0, "middle")
        for place, label in enumerate(labels)
        if place % every == 0
    ]
    return _figure(title, drawn, [*stacked, *over])


def _range(
    labels: Sequence[str], stacked: Sequence[Trace], over: Sequence[Trace]
) -> tuple[float, float]:
    ends = [0.0]
    for place in range(len(labels)):
        sizes = [trace.values[place] or 0.0 for trace in stacked]
        ends += [sum(s for s in sizes if s > 0.0), sum(s for s in sizes if s < 0.0)]
    ends += [value for trace in over for value in trace.values if value is not None]
    low, high = min(ends), max(ends)
    return low, high if high > low else low + 1.0


def _scale(low: float, high: float) -> Callable[[float], float]:
    def at(level: float) -> float:
        return _TOP + _HEIGHT * (1.0 - (level - low) / (high - low))

    return at


def _column(
    place: int, step: float, at: Callable[[float], float], stacked: Sequence[Trace]
) -> list[str]:
    x, width = _LEFT + step * (place + (1.0 - _FILLED) / 2.0), step * _FILLED
    up = down = 0.0
    drawn = []
    for trace in stacked:
        size = trace.values[place] or 0.0
        if not size:
            continue
        base = up if size > 0.0 else down
        top, bottom = sorted((at(base), at(base + size)))
        if size > 0.0:
            up += size
        else:
            down += size
        if bottom - top >= 0.05:
            drawn.append(
                f'<rect fill="{trace.colour}" x="{x:.1f}" y="{top:.1f}" width="{width:.1f}" '
                f'height="{bottom - top:.1f}"/>'
            )
    return drawn


def _line(trace: Trace, step: float, at: Callable[[float], float]) -> list[str]:
    """A line that is broken where values are missing for more than a year of months."""
    points = [
        (_LEFT + step * (place + 0.5), at(value))
        for place, value in enumerate(trace.values)
        if value is not None
    ]
    if not points:
        return []
    dash = ' stroke-dasharray="5 4"' if trace.dashed else ""
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    drawn = [
        f'<polyline fill="none" stroke="{trace.colour}" stroke-width="2.2"{dash} points="{path}"/>'
    ]
    if not trace.dashed and len(points) <= 40:
        drawn += [
            f'<circle fill="{trace.colour}" cx="{x:.1f}" cy="{y:.1f}" r="2.6"/>' for x, y in points
        ]
    return drawn


def _axis(low: float, high: float, at: Callable[[float], float]) -> list[str]:
    drawn = []
    for tick in ticks(low, high, logarithmic=False):
        y = at(tick)
        ends = f'x1="{_LEFT:.0f}" x2="{WIDTH:.0f}" y1="{y:.1f}" y2="{y:.1f}"'
        strong = "0.9" if tick == 0.0 else "0.3"
        drawn.append(f'<line stroke="{_SOFT}" stroke-opacity="{strong}" {ends}/>')
        drawn.append(_text(_short(tick), _LEFT - 6.0, y + 4.0, "end"))
    return drawn


def _short(value: float) -> str:
    return f"{value:,.4f}".rstrip("0").rstrip(".") if value % 1 else f"{value:,.0f}"


def _text(text: str, x: float, y: float, anchor: str) -> str:
    return (
        f'<text fill="{_INK}" font-size="12" text-anchor="{anchor}" x="{x:.1f}" y="{y:.1f}">'
        f"{escape(text)}</text>"
    )


def _figure(title: str, drawn: Sequence[str], named: Sequence[Trace]) -> str:
    """A picture under its title, with the names of its series."""
    names = "".join(
        '<svg class="key" viewBox="0 0 8 8" width="11" height="11">'
        f'<rect fill="{trace.colour}" width="8" height="8"/></svg>{escape(trace.name)}'
        for trace in named
    )
    height = _TOP + _HEIGHT + _BELOW
    inside = "\n".join(drawn)
    return (
        f'<figure>\n<figcaption>{escape(title)}</figcaption>\n<div class="scroll">'
        f'<svg class="chart" viewBox="0 0 {WIDTH:.0f} {height:.0f}" role="img" '
        f'aria-label="{escape(title)}">\n{inside}\n</svg></div>\n<p>{names}</p>\n</figure>'
    )
