"""A report as a picture. Needs the extra `plot`."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from neocloud.books.side_by_side.figures import time_span
from neocloud.books.side_by_side.records import Comparison, Report
from neocloud.books.side_by_side.tier_text import signed

_COLOURS = {"power": "#d9a441", "capital": "#33658a", "operations": "#86bbd8", "network": "#7d8491"}
_SIDES = {"planned": "#33658a", "expected": "#86bbd8", "metered": "#f26419"}
_LOG_FROM = 5.0
"""Highest over lowest level of a bridge beyond which its small steps need a logarithmic axis."""
_BELOW = {"loc": "upper center", "fontsize": 8, "frameon": False}
"""A legend beneath its axes: within, it would hide bars."""


class MissingMatplotlibError(RuntimeError):
    """matplotlib is not installed."""

    def __init__(self) -> None:
        super().__init__("A picture needs matplotlib: pip install 'neocloud[plot]'")


def draw_report(report: Report, path: Path) -> None:
    """Write a PNG or SVG, by the path's ending: a row a model, cost bridge and latencies.

    Raises:
        MissingMatplotlibError: the extra `plot` is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingMatplotlibError from None
    rows = len(report.models)
    figure = Figure(figsize=(13, 3.9 * rows + 0.9), layout="constrained")
    axes = figure.subplots(rows, 3, squeeze=False, width_ratios=(1.0, 1.9, 1.2))
    for row, comparison in enumerate(report.models):
        _tiers(axes[row][0], comparison, report)
        _bridge(axes[row][1], comparison, report)
        _latency(axes[row][2], comparison, report)
    span = time_span(report.period)
    note = "  EMULATED engines, modelled energy" if report.emulated else ""
    figure.suptitle(f"{report.cloud}: planned against metered, {span}{note}", fontsize=12)
    figure.savefig(path, dpi=110)


def _tiers(axes: Any, c: Comparison, report: Report) -> None:
    labels, costs = [], []
    for name, side in (("planned", c.planned), ("simulated", c.simulated), ("metered", c.metered)):
        cost = None if side is None else side.cost_per_mtok
        if cost is not None:
            labels.append(name)
            costs.append(cost)
    bottom = [0.0] * len(costs)
    for tier, colour in _COLOURS.items():
        values = [getattr(cost, tier) for cost in costs]
        axes.bar(labels, values, bottom=bottom, color=colour, label=tier, width=0.6)
        bottom = [b + v for b, v in zip(bottom, values, strict=True)]
    for x, value in enumerate(bottom):
        axes.annotate(f"{value:.3g}", (x, value), ha="center", va="bottom")
    axes.margins(y=0.12)
    axes.set_title(f"{c.model}\n{report.currency} per million tokens, by tier", fontsize=10)
    axes.legend(ncols=4, bbox_to_anchor=(0.5, -0.08), columnspacing=1.0, handlelength=1.2, **_BELOW)
    axes.spines[["top", "right"]].set_visible(False)


def _bridge(axes: Any, c: Comparison, report: Report) -> None:
    """Planned, each cause, metered; the order of the causes means nothing."""
    if c.bridge is None:
        axes.set_axis_off()
        return
    start = c.bridge.start_pico / 1e12
    levels = [start]
    for step in c.bridge.steps:
        levels.append(levels[-1] + step.adds)
    logarithmic = max(levels) > _LOG_FROM * min(levels) > 0.0
    floor = min(levels) / 2.0 if logarithmic else min(0.0, *levels)
    # As many decimals as give the planned cost three digits.
    decimals = max(0, 2 - math.floor(math.log10(start))) if start > 0.0 else 2
    _level(axes, 0, start, floor, _SIDES["planned"], f"{start:.{decimals}f}")
    pairs = zip(c.bridge.steps, levels[:-1], levels[1:], strict=True)
    for x, (step, before, reached) in enumerate(pairs, start=1):
        colour = "#b23a48" if step.adds > 0 else "#588157"
        _level(axes, x, reached, before, colour, signed(step.adds, decimals))
        axes.plot([x - 0.7, x + 0.3], [before, before], color="#7d8491", linewidth=0.8)
    _level(axes, len(levels), levels[-1], floor, _SIDES["metered"], f"{levels[-1]:.{decimals}f}")
    labels = ["planned", *(step.cause for step in c.bridge.steps), "metered"]
    axes.set_xticks(range(len(labels)), labels, fontsize=9)
    if logarithmic:
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter("")
        axes.set_ylim(floor, max(levels) * (max(levels) / floor) ** 0.08)
    else:
        axes.set_ylim(floor * 1.1, max(levels) * 1.1)
    factor = c.step_time_factor
    known = "not known" if factor is None else f"{factor:.3f} times the model's"
    scale = " (log)" if logarithmic else ""
    axes.set_title(
        f"from planned to metered, {report.currency} per million tokens{scale}\nstep time {known}",
        fontsize=10,
    )
    axes.spines[["top", "right"]].set_visible(False)


def _level(axes: Any, x: int, to: float, since: float, colour: str, label: str) -> None:
    """A bar from one level to another, its label above it."""
    axes.bar([x], [to - since], bottom=[since], color=colour, width=0.6)
    axes.annotate(
        label, (x, max(to, since)), xytext=(0, 2), textcoords="offset points", ha="center",
        va="bottom", fontsize=8,
    )  # fmt: skip


def _latency(axes: Any, c: Comparison, report: Report) -> None:
    percentile = f"p{report.percentile[c.model]:g}"
    kinds = {
        "ttft\nmean": "ttft_ms",
        f"ttft\n{percentile}": "ttft_ms_at_percentile",
        "tpot\nmean": "tpot_ms",
        f"tpot\n{percentile}": "tpot_ms_at_percentile",
    }
    width = 0.27
    for i, (name, colour) in enumerate(_SIDES.items()):
        side = getattr(c, name)
        values = [getattr(side, field) or 0.0 for field in kinds.values()]
        places = [x + (i - 1) * width for x in range(len(kinds))]
        bars = axes.bar(places, values, width=width, color=colour, label=name)
        axes.bar_label(bars, [f"{v:.0f}" for v in values], fontsize=7)
    axes.set_xticks(range(len(kinds)), list(kinds), fontsize=9)
    axes.set_yscale("log")
    axes.margins(y=0.15)
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter("")
    axes.set_title("latency without the network, ms (log)", fontsize=10)
    axes.legend(ncols=3, bbox_to_anchor=(0.5, -0.14), **_BELOW)
    axes.spines[["top", "right"]].set_visible(False)
