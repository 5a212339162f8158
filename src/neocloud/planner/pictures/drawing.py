"""The SVG within the page: both vertical axes, of which one shows."""

from __future__ import annotations

from html import escape

from neocloud.planner.pictures.marks import (
    SHAPES,
    Axis,
    Measure,
    Place,
    axis_over,
    lower_edge,
    measures,
    places,
)
from neocloud.planner.pictures.words import asked, described
from neocloud.planner.search.front import Curve, Front, FrontPoint

_WIDTH, _HEIGHT = 1000.0, 560.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 74.0, 984.0, 22.0, 508.0
_PATHS = {
    "circle": "M-4.5 0a4.5 4.5 0 1 0 9 0a4.5 4.5 0 1 0-9 0z",
    "square": "M-4-4h8v8h-8z",
    "up": "M0-5.2L5 4H-5z",
    "diamond": "M0-5.6L5.2 0L0 5.6L-5.2 0z",
    "down": "M0 5.2L5-4H-5z",
}


def drawing(front: Front) -> str:
    """The drawing; without any point a sentence in its place."""
    if not front.points:
        return "<p>No accelerator serves the model.</p>"
    speeds = [s for c in front.curves for s in c.tokens_per_s_per_user]
    across = axis_over([*speeds, 1e3 / front.tpot_ms], _LEFT, _RIGHT)
    both = measures(front)
    axes = {
        m.key: axis_over([v for c in front.curves for v in m.along(c)], _BOTTOM, _TOP) for m in both
    }
    parts = [
        _across(across),
        *(_upwards(m, axes[m.key], shown=m is both[0]) for m in both),
        _objective(front, across),
        *_lines(front, across, axes),
        *_points(front, across, axes),
        _ring(front, across, axes),
    ]
    inside = "\n".join(part for part in parts if part)
    told = f"{len(front.points)} points. {asked(front)}. The table below has all figures."
    return f"""<svg viewBox="0 0 {_WIDTH:g} {_HEIGHT:g}" role="group" aria-labelledby="t d">
<title id="t">{escape(front.model)}: cost or energy over tokens a second for each user</title>
<desc id="d">{escape(told)}</desc>
{inside}
</svg>"""


def swatch(place: Place) -> str:
    """The mark of a place, for a legend."""
    return (
        f'<svg viewBox="-7 -7 14 14" class="c{place.colour}" aria-hidden="true">'
        f'<path class="mark" d="{_PATHS[SHAPES[place.shape]]}"/></svg>'
    )


def _across(axis: Axis) -> str:
    parts = []
    for tick in axis.ticks():
        x = axis.at(tick)
        parts.append(f'<path class="grid" d="M{x:.1f} {_TOP:g}V{_BOTTOM:g}"/>')
        parts.append(f'<text x="{x:.1f}" y="{_BOTTOM + 19:g}" text-anchor="middle">{tick:g}</text>')
    parts.append(f'<path class="axis" d="M{_LEFT:g} {_BOTTOM:g}H{_RIGHT:g}"/>')
    middle = (_LEFT + _RIGHT) / 2.0
    parts.append(
        f'<text class="title" x="{middle:g}" y="{_HEIGHT - 8:g}" text-anchor="middle">'
        "tokens a second for each user</text>"
    )
    return "\n".join(parts)


def _upwards(measure: Measure, axis: Axis, *, shown: bool) -> str:
    parts = []
    for tick in axis.ticks():
        y = axis.at(tick)
        parts.append(f'<path class="grid" d="M{_LEFT:g} {y:.1f}H{_RIGHT:g}"/>')
        parts.append(f'<text x="{_LEFT - 8:g}" y="{y + 4.5:.1f}" text-anchor="end">{tick:g}</text>')
    middle = (_TOP + _BOTTOM) / 2.0
    parts.append(
        f'<text class="title" transform="translate(17 {middle:g}) rotate(-90)" '
        f'text-anchor="middle">{escape(measure.title)}</text>'
    )
    hidden = "" if shown else " hidden"
    inside = "\n".join(parts)
    return f'<g data-measure="{measure.key}"{hidden}>\n{inside}\n</g>'


def _objective(front: Front, across: Axis) -> str:
    least = 1e3 / front.tpot_ms
    x = across.at(least)
    return (
        f'<path class="objective" d="M{x:.1f} {_TOP:g}V{_BOTTOM:g}"/>\n'
        f'<text x="{x + 6:.1f}" y="{_TOP + 12:g}">objective {least:g}/s</text>'
    )


def _lines(front: Front, across: Axis, axes: dict[str, Axis]) -> list[str]:
    curves = {curve.place: curve for curve in front.curves}
    found = []
    for place in places(front):
        both = {m.key: _line(curves[place.key], m, across, axes[m.key]) for m in measures(front)}
        found.append(
            f'<path class="line c{place.colour}" data-of="{escape(place.key)}" d="{both["cost"]}" '
            f'data-cost="{both["cost"]}" data-energy="{both["energy"]}"/>'
        )
    return found


def _line(curve: Curve, measure: Measure, across: Axis, axis: Axis) -> str:
    edge = lower_edge(curve, measure)
    return "M" + "L".join(f"{across.at(x):.1f} {axis.at(y):.1f}" for x, y in edge)


def _moves(p: FrontPoint, front: Front, across: Axis, axes: dict[str, Axis]) -> str:
    x = across.at(p.tokens_per_s_per_user)
    both = {m.key: f"translate({x:.1f} {axes[m.key].at(m.of(p)):.1f})" for m in measures(front)}
    return f'transform="{both["cost"]}" data-cost="{both["cost"]}" data-energy="{both["energy"]}"'


def _points(front: Front, across: Axis, axes: dict[str, Axis]) -> list[str]:
    held = {place.key: place for place in places(front)}
    found = []
    for number, p in enumerate(front.points):
        place = held[p.place]
        met = "" if p.meets_objective else " missed"
        found.append(
            f'<g class="point c{place.colour}{met}" data-i="{number}" '
            f'data-of="{escape(place.key)}" {_moves(p, front, across, axes)} tabindex="0" '
            f'role="img" aria-label="{escape(_told(front, p))}">'
            f'<path class="mark" d="{_PATHS[SHAPES[place.shape]]}"/></g>'
        )
    return found


def _told(front: Front, p: FrontPoint) -> str:
    """What a point's note says; a semicolon and a space end each line of it."""
    head, _, how = described(front, p).partition(": ")
    cost = f"{p.cost_per_mtok:.3g} {front.currency} per million tokens"
    percentile = f"p{front.percentile:g}"
    lines = (
        head,
        how,
        f"{cost}, of it power {p.power_cost_per_mtok:.2g}",
        f"{p.joules_per_token:.3g} J a token",
        f"{p.tokens_per_s_per_user:.3g} tokens/s for each user",
        f"{p.tokens_per_s_per_accelerator:,.0f} tokens/s for each accelerator",
        f"first token {p.ttft_ms_at_percentile:,.0f} ms ({percentile})",
        f"each further one {p.tpot_ms_at_percentile:.1f} ms ({percentile})",
        "objective holds" if p.meets_objective else "objective missed",
    )
    return "; ".join(line.replace("; ", ", ") for line in lines)


def _ring(front: Front, across: Axis, axes: dict[str, Axis]) -> str:
    if not front.cheapest:
        return ""
    best = front.cheapest[0]
    return (
        f'<g data-of="{escape(best.place)}" {_moves(best, front, across, axes)} '
        'pointer-events="none"><circle class="ring" r="11"/></g>'
    )
