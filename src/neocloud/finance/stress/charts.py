"""Tornado and fan as SVG within a page. Each mark carries its own colour."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape

from neocloud.books.board.charts import WIDTH, ticks
from neocloud.finance.stress.records import Fan, Swing
from neocloud.finance.stress.text import level_text, times

_INK, _SOFT = "#1c2126", "#7d8791"
_WORSE, _BETTER, _BAND, _INNER, _LINE = "#b23a48", "#588157", "#c4d8e8", "#86aed0", "#33658a"
_NAMES = 300.0
_ROW = 30.0
_LEFT, _TOP, _HEIGHT = 80.0, 24.0, 220.0


def tornado_svg(tornado: Sequence[Swing], base: float | None) -> str:
    """Bars of least DSCR around the base case, the widest on top; empty where there is none."""
    drawn = [
        bar for bar in tornado if bar.min_dscr_low is not None and bar.min_dscr_high is not None
    ]
    if base is None or not drawn:
        return ""
    ends = [
        value
        for bar in drawn
        for value in (bar.min_dscr_low, bar.min_dscr_high)
        if value is not None
    ]
    low, high = _widened(min([*ends, base]), max([*ends, base]))

    def at(value: float) -> float:
        return _NAMES + (WIDTH - _NAMES - 60.0) * (value - low) / (high - low)

    height = _ROW * len(drawn)
    parts = []
    for tick in ticks(low, high, logarithmic=False):
        parts.append(_line(at(tick), 0.0, at(tick), height, _SOFT, 0.35))
        parts.append(_text(f"{tick:.6g}", at(tick), height + 16.0, "middle"))
    for row, bar in enumerate(drawn):
        parts += _bar(bar, base, row * _ROW + 4.0, at)
    parts.append(_line(at(base), 0.0, at(base), height, _INK, 1.0))
    return _picture(height + 24.0, "Least DSCR, each factor alone over its range", parts)


def _bar(bar: Swing, base: float, y: float, at: Callable[[float], float]) -> list[str]:
    assert bar.min_dscr_low is not None and bar.min_dscr_high is not None, "such are not drawn"
    span = f"{level_text(bar.low, bar.unit)} to {level_text(bar.high, bar.unit)}"
    found = [
        _text(bar.title, _NAMES - 8.0, y + 10.0, "end"),
        _text(span, _NAMES - 8.0, y + 23.0, "end", 10),
    ]
    for value in (bar.min_dscr_low, bar.min_dscr_high):
        left, right = sorted((at(value), at(base)))
        colour = _WORSE if value < base else _BETTER
        found.append(
            f'<rect fill="{colour}" x="{left:.1f}" y="{y:.1f}" width="{right - left:.2f}" '
            f'height="{_ROW - 8.0:.0f}"><title>{times(value)}</title></rect>'
        )
    return found


def fan_svg(fan: Fan, months: Sequence[str], title: str, size: float = 1.0) -> str:
    """Bands between quantiles, the median and the base case, by month.

    Args:
        fan: the quantiles.
        months: labels.
        title: what it shows.
        size: of one on the axis.
    """
    points = [
        (month, [value / size for value in row if value is not None])
        for month, row in enumerate(fan.by_month)
        if None not in row
    ]
    if not points:
        return ""
    base = [(m, value / size) for m, value in enumerate(fan.base) if value is not None]
    values = [value for _, row in points for value in row] + [value for _, value in base]
    low, high = _widened(min(values), max(values))
    steps = max(len(months) - 1, 1)

    def x_at(month: int) -> float:
        return _LEFT + (WIDTH - _LEFT - 10.0) * month / steps

    def y_at(value: float) -> float:
        return _TOP + _HEIGHT * (1.0 - (value - low) / (high - low))

    drawn = []
    for tick in ticks(low, high, logarithmic=False):
        drawn.append(_line(_LEFT, y_at(tick), WIDTH, y_at(tick), _SOFT, 0.35))
        drawn.append(_text(f"{tick:,.6g}", _LEFT - 6.0, y_at(tick) + 4.0, "end"))
    last = len(fan.shares) - 1
    for depth in range(len(fan.shares) // 2):
        upper = [(x_at(m), y_at(row[last - depth])) for m, row in points]
        lower = [(x_at(m), y_at(row[depth])) for m, row in reversed(points)]
        colour = _BAND if depth == 0 else _INNER
        drawn.append(f'<polygon fill="{colour}" points="{_points(upper + lower)}"/>')
    middle = [(x_at(m), y_at(row[last // 2])) for m, row in points]
    drawn.append(_path(middle, _LINE, ""))
    drawn.append(_path([(x_at(m), y_at(value)) for m, value in base], _INK, "4 3"))
    drawn += [
        _text(months[month], x_at(month), _TOP + _HEIGHT + 16.0, "middle")
        for month in range(0, len(months), 12)
    ]
    return _picture(_TOP + _HEIGHT + 26.0, title, drawn)


def _widened(low: float, high: float) -> tuple[float, float]:
    room = 0.05 * (high - low) or max(abs(high), 1.0) * 0.05
    return low - room, high + room


def _points(points: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)


def _path(points: Sequence[tuple[float, float]], colour: str, dashes: str) -> str:
    style = f' stroke-dasharray="{dashes}"' if dashes else ""
    drawn = f'stroke="{colour}" stroke-width="2"{style} points="{_points(points)}"'
    return f'<polyline fill="none" {drawn}/>'


def _line(x1: float, y1: float, x2: float, y2: float, colour: str, opacity: float) -> str:
    ends = f'x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"'
    return f'<line stroke="{colour}" stroke-opacity="{opacity}" {ends}/>'


def _text(text: str, x: float, y: float, anchor: str, size: int = 12) -> str:
    return (
        f'<text fill="{_INK}" font-size="{size}" text-anchor="{anchor}" x="{x:.1f}" y="{y:.1f}">'
        f"{escape(text)}</text>"
    )


def _picture(height: float, title: str, parts: Sequence[str]) -> str:
    inside = "\n".join(parts)
    return (
        f'<svg class="chart" viewBox="0 0 {WIDTH:.0f} {height:.0f}" role="img" '
        f'aria-label="{escape(title)}">\n{inside}\n</svg>'
    )
