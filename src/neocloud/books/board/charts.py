"""Bars as SVG within a page, in its pixels.

Each mark carries its own colour and anchor, so that it looks the same where a page's style does not
reach into its pictures, as in some mail and PDF programs; the style turns text for a dark ground.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from html import escape

import msgspec

WIDTH = 900.0
"""Of every picture, so that all have letters of one size."""
_HEIGHT = 230.0
_TOP = 40.0
_LEFT = 66.0
_WIDEST = 110.0
"""A bar and the space to the next, at most."""
_FILLED = 0.6
"""Share of that which the bar takes."""
_BELOW = 60.0
_LETTER = 6.6
"""Width of a letter at the size of the labels, about."""
_LEAST = 1e-300
"""An axis shorter than this has no steps: they would be lost in the last bits of a float."""
_LOG_FROM = 5.0
"""Highest over lowest level beyond which small steps need a logarithmic axis."""


COLOURS = {
    "power": "#d9a441", "accelerator_hour": "#33658a", "token": "#7d8491", "capital": "#33658a",
    "operations": "#86bbd8", "network": "#7d8491", "earned": "#588157", "lost": "#b23a48",
    "more": "#b23a48", "less": "#588157", "level": "#5a6b7b", "inference": "#33658a",
    "training": "#8250b8", "other": "#86bbd8", "spare": "#e0b25c", "idle": "#aab2bb",
}  # fmt: skip
"""What things are drawn in, by name."""
_INK, _SOFT = "#1c2126", "#7d8791"


class Bar(msgspec.Struct, frozen=True, kw_only=True):
    """A bar from one level to another.

    Attributes:
        label: below it.
        since: level where it begins.
        to: level where it ends.
        colour: a name of `COLOURS`.
        text: above it.
    """

    label: str
    since: float
    to: float
    colour: str
    text: str


class Column(msgspec.Struct, frozen=True, kw_only=True):
    """A bar of parts, and another beside it.

    Attributes:
        label: below both.
        parts: (name of `COLOURS`, size), from below; not negative.
        beside: the other.
    """

    label: str
    parts: tuple[tuple[str, float], ...]
    beside: tuple[str, float]


def paired(columns: Sequence[Column], title: str, unit: str) -> str:
    """Columns along time on one axis; of many, some are named."""
    wholes = [sum(size for _, size in column.parts) for column in columns]
    ends = [*wholes, *(column.beside[1] for column in columns), 0.0]
    low, high = min(ends), max(ends)
    at = _scale(low, high if high > low else low + 1.0, logarithmic=False)
    step = min(_WIDEST, (WIDTH - _LEFT - 8.0) / len(columns))
    wide = step * _FILLED / 2.0
    letters = max(len(column.label) for column in columns)
    every = max(1, math.ceil((letters + 1) * _LETTER / step))
    drawn = [_text(unit, 4.0, 14.0, "start")]
    drawn += _axis(low, high if high > low else low + 1.0, at, logarithmic=False)
    for number, column in enumerate(columns):
        x = _LEFT + step * (number + (1.0 - _FILLED) / 2.0)
        level = 0.0
        for colour, size in column.parts:
            drawn += _block(x, wide, at(level + size), at(level), colour)
            level += size
        colour, size = column.beside
        top, bottom = sorted((at(size), at(0.0)))
        drawn += _block(x + wide, wide, top, bottom, colour)
        if number % every == 0:
            drawn.append(_text(column.label, x + wide, _TOP + _HEIGHT + 16.0, "middle"))
    return _picture(_TOP + _HEIGHT + 28.0, title, drawn)


def _block(x: float, width: float, top: float, bottom: float, colour: str) -> list[str]:
    if bottom <= top:
        return []
    size = f'width="{width:.2f}" height="{bottom - top:.2f}"'
    return [f'<rect fill="{COLOURS[colour]}" x="{x:.2f}" y="{top:.2f}" {size}/>']


def stepped(start: Bar, steps: Sequence[Bar], end: Bar, title: str, unit: str) -> str:
    """A waterfall: a whole bar, steps up and down, a whole bar; logarithmic where it must be."""
    levels = [start.to, *(step.to for step in steps), end.to]
    floor = 0.0
    if min(levels) > 0.0 and max(levels) > _LOG_FROM * min(levels):
        floor = min(levels) / 2.0
    whole = [msgspec.structs.replace(bar, since=floor) for bar in (start, end)]
    return bars([whole[0], *steps, whole[1]], title, unit, logarithmic=floor > 0.0)


def bars(drawn: Sequence[Bar], title: str, unit: str, *, logarithmic: bool = False) -> str:
    """Bars side by side on one axis.

    Args:
        drawn: from left to right.
        title: what the picture shows, for those who do not see it.
        unit: of the axis.
        logarithmic: every level must then be above 0.
    """
    ends = [level for bar in drawn for level in (bar.since, bar.to)]
    low, high = min(ends), max(ends)
    if not logarithmic:
        low, high = min(low, 0.0), max(high, 0.0)
    if low == high:
        high = low + 1.0
    at = _scale(low, high, logarithmic)
    step = min(_WIDEST, (WIDTH - _LEFT - 8.0) / max(len(drawn), 1))
    height = _TOP + _HEIGHT + _BELOW
    axis = f"{unit}, logarithmic" if logarithmic else unit
    parts = [_text(axis, 4.0, 14.0, "start"), *_axis(low, high, at, logarithmic)]
    for number, bar in enumerate(drawn):
        x = _LEFT + step * (number + (1.0 - _FILLED) / 2.0)
        parts += _bar(bar, x, step, at)
        if number + 1 < len(drawn) and bar.to in (drawn[number + 1].since, drawn[number + 1].to):
            y = at(bar.to)
            across = f'x1="{x + _FILLED * step:.1f}" x2="{x + step:.1f}"'
            place = f'{across} y1="{y:.1f}" y2="{y:.1f}"'
            parts.append(f'<line stroke="{_SOFT}" stroke-dasharray="2 2" {place}/>')
    return _picture(height, title, parts)


def stacks(
    rows: Sequence[tuple[str, Sequence[tuple[str, str, float]]]], title: str, whole: float = 0.0
) -> str:
    """Horizontal bars of parts, each row as long as its share of the longest.

    Args:
        rows: name, and parts as (name, colour, size); sizes not negative.
        title: what the picture shows.
        whole: what fills the picture's width, where rows are less.
    """
    most = max(whole, *(sum(size for _, _, size in parts) for _, parts in rows), 0.0) or 1.0
    left, step = 230.0, 28.0
    drawn = []
    for number, (name, parts) in enumerate(rows):
        y = 6.0 + step * number
        drawn.append(_text(name, left - 8.0, y + 15.0, "end"))
        x = left
        for label, colour, size in parts:
            length = (WIDTH - left - 150.0) * size / most
            if length <= 0.0:
                continue
            drawn.append(
                f'<rect fill="{COLOURS[colour]}" x="{x:.1f}" y="{y:.1f}" width="{length:.2f}" '
                f'height="19"><title>{escape(label)}</title></rect>'
            )
            x += length
        drawn.append(_text(_told(parts), x + 6.0, y + 15.0, "start"))
    return _picture(12.0 + step * len(rows), title, drawn)


def _told(parts: Sequence[tuple[str, str, float]]) -> str:
    """What stands behind a row: the label of its only part, or nothing."""
    return parts[0][0] if len(parts) == 1 else ""


def _scale(low: float, high: float, logarithmic: bool) -> Callable[[float], float]:
    if logarithmic:
        low, high = math.log(low), math.log(high)

    def at(level: float) -> float:
        value = math.log(level) if logarithmic else level
        return _TOP + _HEIGHT * (1.0 - (value - low) / (high - low))

    return at


def ticks(low: float, high: float, logarithmic: bool) -> list[float]:
    """Round numbers within an axis, some four of them; powers of ten where it is logarithmic."""
    if logarithmic:
        first, last = math.ceil(math.log10(low)), math.floor(math.log10(high))
        return [10.0**exponent for exponent in range(first, last + 1)]
    raw = (high - low) / 4.0
    if raw < _LEAST:
        return [low]
    size = 10.0 ** math.floor(math.log10(raw))
    step = next(size * m for m in (1.0, 2.0, 5.0, 10.0) if size * m >= raw)
    return [n * step for n in range(math.ceil(low / step), math.floor(high / step) + 1)]


def _axis(low: float, high: float, at: Callable[[float], float], logarithmic: bool) -> list[str]:
    found = []
    for tick in ticks(low, high, logarithmic):
        y = at(tick)
        ends = f'x1="{_LEFT:.1f}" x2="{WIDTH:.1f}" y1="{y:.1f}" y2="{y:.1f}"'
        found.append(f'<line stroke="{_SOFT}" stroke-opacity="0.35" {ends}/>')
        found.append(_text(_short(tick), _LEFT - 6.0, y + 4.0, "end"))
    return found


def _short(value: float) -> str:
    """A round number of an axis, thousands as k and millions as M."""
    for least, size, letter in ((1e9, 1e9, "G"), (1e6, 1e6, "M"), (1e4, 1e3, "k")):
        if abs(value) >= least:
            return f"{value / size:.6g}{letter}"
    return f"{value:.6f}".rstrip("0").rstrip(".") if value else "0"


def _bar(bar: Bar, x: float, step: float, at: Callable[[float], float]) -> list[str]:
    top, bottom = sorted((at(bar.since), at(bar.to)))
    middle = x + _FILLED * step / 2.0
    size = f'y="{top:.2f}" width="{_FILLED * step:.1f}" height="{max(bottom - top, 1.0):.2f}"'
    return [
        f'<rect fill="{COLOURS[bar.colour]}" x="{x:.1f}" {size}/>',
        _text(bar.text, middle, top - 5.0, "middle"),
        *(
            _text(line, middle, _TOP + _HEIGHT + 16.0 + 13.0 * number, "middle")
            for number, line in enumerate(_broken(bar.label, int(step / _LETTER) - 1))
        ),
    ]


def _text(text: str, x: float, y: float, anchor: str) -> str:
    return (
        f'<text fill="{_INK}" font-size="12" text-anchor="{anchor}" x="{x:.1f}" y="{y:.1f}">'
        f"{escape(text)}</text>"
    )


def key(entries: Sequence[tuple[str, str]]) -> str:
    """Names and the colours that stand for them, in a line."""
    return "".join(
        '<svg class="key" viewBox="0 0 8 8" width="11" height="11">'
        f'<rect fill="{COLOURS[colour]}" width="8" height="8"/></svg>{escape(name)}'
        for name, colour in entries
    )


def _broken(label: str, letters: int) -> list[str]:
    """A label in up to four lines of so many letters, broken at spaces and hyphens."""
    lines = [""]
    for word in label.replace("-", "- ").split():
        glue = "" if not lines[-1] or lines[-1].endswith("-") else " "
        if lines[-1] and len(lines[-1]) + len(glue) + len(word) > letters:
            lines.append(word)
        else:
            lines[-1] += glue + word
    return lines[:4]


def _picture(height: float, title: str, parts: Sequence[str]) -> str:
    inside = "\n".join(parts)
    return (
        f'<svg class="chart" viewBox="0 0 {WIDTH:.0f} {height:.0f}" role="img" '
        f'aria-label="{escape(title)}">\n{inside}\n</svg>'
    )
