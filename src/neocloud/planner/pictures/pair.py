"""Two clouds side by side as a PNG or SVG. Needs the extra `plot`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from neocloud.planner.comparison import Comparison, Pair
from neocloud.planner.latency import Latency
from neocloud.planner.pictures.marks import COLOURS
from neocloud.planner.pictures.plot import figure_type

_SIDES = (COLOURS[0][0], COLOURS[1][0])
_BAR = 0.38
_ROW_INCHES = 0.27
_LEAST_INCHES = 2.2


def draw_comparison(comparison: Comparison, path: Path) -> None:
    """Write a PNG or SVG, by the path's ending: a row a condition, latency by metro and cost.

    Raises:
        MissingMatplotlibError: the extra `plot` is not installed.
        OSError: nothing can be written there.
        ValueError: another ending.
    """
    equal = comparison.at_equal_cost
    rows = [("at equal objectives", comparison.at_equal_objectives)]
    if equal.factor != 1.0:
        condition = (
            "at equal cost" if equal.reached else f"at most loosened ({equal.loosened} costs more)"
        )
        rows.append(
            (f"{condition}: objectives of {equal.loosened} times {equal.factor:.3g}", equal.pair)
        )
    metros = len({m.metro for f in (rows[0][1].first, rows[0][1].second) for m in f.metros})
    inches = max(_LEAST_INCHES, _ROW_INCHES * metros) + 0.8
    figure = figure_type()(figsize=(14, inches * len(rows) + 0.9), layout="constrained")
    axes = figure.subplots(len(rows), 3, squeeze=False, width_ratios=(1.25, 1.25, 1.0))
    for row, (condition, pair) in zip(axes, rows, strict=True):
        _latency(row[0], pair, lambda found: found.ttft_ms, 1.0)
        _network(row[0], pair)
        row[0].set_title(
            f"{condition}\nmean time to the first token, ms; network dark", fontsize=10
        )
        _latency(row[1], pair, lambda found: found.answer_ms, 1e-3)
        row[1].set_title("mean time of a whole answer, s", fontsize=10)
        _cost(row[2], pair)
        row[2].set_title(f"{comparison.currency} per million tokens", fontsize=10)
    figure.legend(
        axes[0][2].containers, (comparison.first, comparison.second), loc="outside lower center",
        ncols=2, fontsize=9, frameon=False,
    )  # fmt: skip
    figure.suptitle(f"{comparison.first} against {comparison.second}", fontsize=13)
    # Without the version of matplotlib the same comparison gives the same bytes.
    bare = {"Software": None} if path.suffix.lower() == ".png" else {"Date": None}
    figure.savefig(path, dpi=110, metadata=bare)


def _latency(axes: Any, pair: Pair, of: Callable[[Latency], float], scale: float) -> None:
    names = _metros(pair)
    for side, figures in enumerate((pair.first, pair.second)):
        found = {m.metro: of(m.latency) * scale for m in figures.metros}
        found["all users"] = of(figures.latency) * scale
        bars = _bars(axes, names, found, side)
        axes.bar_label(
            bars, [f"{found[n]:.3g}" for n in names if n in found], padding=2, fontsize=7
        )
    _finish(axes, names)


def _network(axes: Any, pair: Pair) -> None:
    """The network's part of the first token, over the bars."""
    names = _metros(pair)
    for side, figures in enumerate((pair.first, pair.second)):
        found = {m.metro: m.latency.network_ms for m in figures.metros}
        found["all users"] = figures.latency.network_ms
        for bar in _bars(axes, names, found, side):
            bar.set_facecolor((0.0, 0.0, 0.0, 0.35))


def _cost(axes: Any, pair: Pair) -> None:
    names = list(dict.fromkeys(m.model for f in (pair.first, pair.second) for m in f.models))
    names.append("all tokens")
    for side, figures in enumerate((pair.first, pair.second)):
        found = {m.model: m.cost_per_mtok.total for m in figures.models}
        found["all tokens"] = figures.cost_per_mtok
        bars = _bars(axes, names, found, side)
        axes.bar_label(
            bars, [f"{found[n]:.3g}" for n in names if n in found], padding=2, fontsize=8
        )
    _finish(axes, names)


def _metros(pair: Pair) -> list[str]:
    """Metros with most requests first, and all users last."""
    found = dict.fromkeys(m.metro for f in (pair.first, pair.second) for m in f.metros)
    return [*found, "all users"]


def _bars(axes: Any, names: Sequence[str], found: dict[str, float], side: int) -> Any:
    places = [place + (side - 0.5) * _BAR for place, name in enumerate(names) if name in found]
    values = [found[name] for name in names if name in found]
    return axes.barh(places, values, height=_BAR, color=_SIDES[side])


def _finish(axes: Any, names: Sequence[str]) -> None:
    axes.set_yticks(range(len(names)), names, fontsize=8)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.margins(x=0.1)
    axes.locator_params(axis="x", nbins=6)
    axes.tick_params(axis="x", labelsize=8.5)
    axes.grid(axis="x", color="#e3e6e9", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
