"""A front as a PNG or SVG. Needs the extra `plot`."""

from __future__ import annotations

from pathlib import Path
from textwrap import wrap
from typing import Any

from neocloud.planner.pictures.marks import (
    COLOURS,
    SHAPES,
    Axis,
    Measure,
    lower_edge,
    measures,
    places,
)
from neocloud.planner.pictures.words import asked, described
from neocloud.planner.search.front import Front, FrontPoint

_MARKERS = {"circle": "o", "square": "s", "up": "^", "diamond": "D", "down": "v"}


class MissingMatplotlibError(RuntimeError):
    """matplotlib is not installed."""

    def __init__(self) -> None:
        super().__init__("A picture needs matplotlib: pip install 'neocloud[plot]'")


def figure_type() -> Any:
    """The figure of matplotlib; a verb asks for it before it does what the picture would show.

    Raises:
        MissingMatplotlibError: the extra `plot` is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingMatplotlibError from None
    return Figure


_LINE = 150
"""Characters of a line under the title."""
_LINE_HEIGHT = 0.022
"""Of such a line, as a share of the picture's height."""


def draw_front(front: Front, path: Path) -> None:
    """Write a PNG or SVG, by the path's ending: cost and energy over interactivity.

    Raises:
        MissingMatplotlibError: the extra `plot` is not installed.
        OSError: nothing can be written there.
        ValueError: another ending.
    """
    figure = figure_type()(figsize=(12.5, 6.3), layout="constrained")
    axes = figure.subplots(1, 2)
    for axis, measure in zip(axes, measures(front), strict=True):
        _panel(axis, front, measure)
    handles, names = axes[0].get_legend_handles_labels()
    figure.legend(
        handles, names, loc="outside lower center", ncols=min(6, max(1, len(names))),
        fontsize=8.5, frameon=False,
    )  # fmt: skip
    figure.suptitle(f"{front.model}: the front of cost, energy and interactivity", fontsize=13)
    best = front.cheapest[0] if front.cheapest else None
    told = "nothing meets it" if best is None else f"cheapest (ringed): {described(front, best)}"
    lines = [asked(front), *wrap(f"hollow marks miss it; {told}", _LINE)]
    figure.text(0.5, 0.955, "\n".join(lines), ha="center", va="top", fontsize=8.5, color="#555555")
    top = 0.945 - _LINE_HEIGHT * (len(lines) - 2)
    figure.get_layout_engine().set(rect=(0.0, 0.0, 1.0, top))
    # Without the version of matplotlib the same front gives the same bytes.
    bare = {"Software": None} if path.suffix.lower() == ".png" else {"Date": None}
    figure.savefig(path, dpi=110, metadata=bare)


def _panel(axes: Any, front: Front, measure: Measure) -> None:
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.grid(which="major", color="#e3e6e9", linewidth=0.8)
    axes.set_axisbelow(True)
    curves = {curve.place: curve for curve in front.curves}
    for place in places(front):
        colour, marker = COLOURS[place.colour][0], _MARKERS[SHAPES[place.shape]]
        edge = lower_edge(curves[place.key], measure)
        axes.plot(
            [x for x, _ in edge], [y for _, y in edge], color=colour, linewidth=1.0, alpha=0.55,
            zorder=2,
        )  # fmt: skip
        own = [p for p in front.points if p.place == place.key]
        _scatter(axes, own, measure, colour, marker)
        axes.plot(
            [], [], color=colour, marker=marker, markersize=5, linewidth=1.0,
            label=place.label + ("" if own else " (beaten)"),
        )  # fmt: skip
    _objective(axes, front, measure)
    for axis, (low, high) in ((axes.xaxis, axes.get_xlim()), (axes.yaxis, axes.get_ylim())):
        axis.set_ticks(Axis(low, high, 0.0, 1.0).ticks())
        axis.set_major_formatter("{x:g}")
        axis.set_minor_formatter("")
    axes.set_xlabel("tokens a second for each user")
    axes.set_ylabel(measure.title)
    axes.spines[["top", "right"]].set_visible(False)


def _scatter(
    axes: Any, points: list[FrontPoint], measure: Measure, colour: str, marker: str
) -> None:
    for met in (False, True):
        some = [p for p in points if p.meets_objective is met]
        axes.scatter(
            [p.tokens_per_s_per_user for p in some], [measure.of(p) for p in some],
            s=26, marker=marker, linewidths=1.1, edgecolors=colour,
            facecolors=colour if met else "white", zorder=3,
        )  # fmt: skip


def _objective(axes: Any, front: Front, measure: Measure) -> None:
    """The line that no mean may be left of, and a ring around the cheapest within the objective."""
    least = 1e3 / front.tpot_ms
    axes.axvline(least, color="#555555", linewidth=1.0, linestyle=(0, (4, 3)), zorder=1)
    axes.annotate(
        f"objective {least:g}/s", (least, 1.0), xycoords=("data", "axes fraction"),
        xytext=(4, -3), textcoords="offset points", va="top", fontsize=8, color="#555555",
    )  # fmt: skip
    if not front.cheapest:
        return
    best = front.cheapest[0]
    axes.scatter(
        [best.tokens_per_s_per_user], [measure.of(best)], s=170, marker="o", facecolors="none",
        edgecolors="#111111", linewidths=1.4, zorder=4,
    )  # fmt: skip
    axes.annotate(
        f"{measure.of(best):.3g}", (best.tokens_per_s_per_user, measure.of(best)),
        xytext=(9, -12), textcoords="offset points", fontsize=9, zorder=5,
        bbox={"boxstyle": "round,pad=0.15", "facecolor": "white", "edgecolor": "none"},
    )  # fmt: skip
