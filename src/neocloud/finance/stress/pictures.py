"""Tornado and fans as one picture. Needs the extra `plot`."""

from __future__ import annotations

from typing import Any, BinaryIO

from neocloud.finance.stress.records import Fan, StressReport, Swing
from neocloud.finance.stress.text import level_text, scale
from neocloud.planner.pictures.plot import figure_type

_WORSE, _BETTER, _LINE = "#b23a48", "#588157", "#33658a"


def draw_stress(report: StressReport, file: BinaryIO, form: str) -> None:
    """Draw into an open file.

    Args:
        report: the stress test.
        file: to write to.
        form: `png` or `svg`.

    Raises:
        MissingMatplotlibError: the extra `plot` is not installed.
    """
    fans = [] if report.monte_carlo is None else list(report.monte_carlo.fans)
    rows = 2 if fans else 1
    figure = figure_type()(figsize=(14, 5 * rows), layout="constrained")
    axes = figure.subplots(rows, 2, squeeze=False).flatten()
    _tornado(axes[0], report)
    if not fans:
        axes[1].set_visible(False)
    unit, size = scale(report)
    titles = {"dscr": "DSCR, trailing twelve months", "cash": f"cash, {unit}",
              "revenue": f"revenue of a month, {unit}"}  # fmt: skip
    for place, fan in zip(axes[1:], fans, strict=False):
        _fan(place, fan, report, 1.0 if fan.measure == "dscr" else size)
        place.set_title(titles[fan.measure])
    figure.suptitle(f"{report.cloud}: stress test")
    figure.savefig(file, format=form, dpi=110, metadata={"Date": None} if form == "svg" else None)


def _tornado(axis: Any, report: StressReport) -> None:
    base = report.base.min_dscr
    bars = [bar for bar in report.tornado if _ends(bar) is not None]
    axis.set_title("least DSCR, each factor alone over its range")
    if base is None or not bars:
        axis.text(0.5, 0.5, "no DSCR is tested", ha="center", transform=axis.transAxes)
        return
    for row, bar in enumerate(bars):
        for value in _ends(bar) or ():
            colour = _WORSE if value < base else _BETTER
            axis.barh(row, value - base, left=base, color=colour, height=0.6)
    axis.axvline(base, color="black", linewidth=1)
    axis.set_yticks(range(len(bars)), [_label(bar) for bar in bars])
    axis.invert_yaxis()


def _label(bar: Swing) -> str:
    return f"{bar.title}\n{level_text(bar.low, bar.unit)} to {level_text(bar.high, bar.unit)}"


def _ends(bar: Swing) -> tuple[float, float] | None:
    if bar.min_dscr_low is None or bar.min_dscr_high is None:
        return None
    return bar.min_dscr_low, bar.min_dscr_high


def _fan(axis: Any, fan: Fan, report: StressReport, size: float) -> None:
    there = [month for month, row in enumerate(fan.by_month) if None not in row]
    rows = [[(value or 0.0) / size for value in fan.by_month[month]] for month in there]
    last = len(fan.shares) - 1
    for depth in range(len(fan.shares) // 2):
        low, high = [row[depth] for row in rows], [row[last - depth] for row in rows]
        shares = f"{fan.shares[depth]:.0%} to {fan.shares[last - depth]:.0%} of paths"
        axis.fill_between(there, low, high, color=_LINE, alpha=0.25 + 0.2 * depth, label=shares)
    axis.plot(there, [row[last // 2] for row in rows], color=_LINE, label="median")
    base = [(month, value / size) for month, value in enumerate(fan.base) if value is not None]
    axis.plot([m for m, _ in base], [v for _, v in base], "k--", linewidth=1, label="base case")
    ticks = range(0, len(report.months), 12)
    axis.set_xticks(list(ticks), [report.months[month] for month in ticks])
    axis.legend(fontsize=8)
