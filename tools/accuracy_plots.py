"""The pictures of docs/accuracy.md."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib import pyplot as plt

from judged import WAYS, Figures, Judged
from neocloud.calibration.records import Mode

_SIZE = 100
"""Dots an inch."""
_FEWEST = 20
"""Rows that a panel or bar needs."""
_MOST_ERROR = 120.0
"""Per cent at which the scale of errors ends."""


def draw(judged: Judged, figures: Figures, folder: Path) -> None:
    """Draw all; the same figures give the same bytes."""
    mpl.use("Agg")
    folder.mkdir(parents=True, exist_ok=True)
    with plt.rc_context({"font.size": 8, "axes.spines.top": False, "axes.spines.right": False}):
        _predicted(judged, folder / "predicted.png")
        _concurrency(judged, folder / "concurrency.png")
        _coverage(figures, folder / "coverage.png")


def _save(figure: plt.Figure, path: Path) -> None:
    figure.tight_layout()
    figure.savefig(path, dpi=_SIZE, metadata={"Software": None})
    plt.close(figure)


def _predicted(judged: Judged, path: Path) -> None:
    """Throughput predicted over measured, a panel for each kind of row."""
    names = np.array(judged.kinds)
    across = 4
    measured = np.array([m.throughput or np.nan for _, m in judged.pairs])
    ratio = judged.ratios("groups").throughput
    judged_names = names[~np.isnan(ratio)]
    kinds = sorted(k for k in set(names.tolist()) if (judged_names == k).sum() >= _FEWEST)
    kinds = kinds or sorted(set(judged_names.tolist()))
    down = -(-len(kinds) // across)
    figure, axes = plt.subplots(
        down, across, figsize=(2.3 * across, 2.1 * down), sharey=True, squeeze=False
    )
    for axis, kind in zip(axes.flat, kinds, strict=False):
        some = (names == kind) & ~np.isnan(ratio)
        axis.scatter(measured[some], ratio[some], s=2, alpha=0.5, linewidths=0)
        axis.axhline(1.0, color="black", linewidth=0.6)
        axis.set(xscale="log", yscale="log", ylim=(0.3, 3.3), title=kind)
        axis.set_yticks([0.5, 1, 2], ["0.5", "1", "2"])
        axis.set_yticks([], minor=True)
    for axis in axes.flat[len(kinds) :]:
        axis.set_visible(False)
    figure.supxlabel("measured tokens in and out a second and accelerator")
    figure.supylabel("predicted over measured")
    _save(figure, path)


def _concurrency(judged: Judged, path: Path) -> None:
    """Median and 80th percentile of the error over requests in flight for each accelerator."""
    figure, axes = plt.subplots(1, 3, figsize=(9.2, 2.6))
    flight = np.array([np.log2(case.concurrency or np.nan) for case in judged.cases])
    load = flight - np.log2([float(case.accelerators) for case in judged.cases])
    modes = np.array([str(case.mode) for case in judged.cases])
    found = judged.ratios("groups")
    for axis, output in zip(axes, ("throughput", "tpot", "ttft"), strict=True):
        off = 100.0 * np.abs(getattr(found, output) - 1.0)
        for mode in (Mode.CLOSED, Mode.DISAGGREGATED):
            some = (modes == str(mode)) & ~np.isnan(off) & np.isfinite(load)
            steps = np.round(load[some])
            at = [x for x in np.unique(steps) if (steps == x).sum() >= 10]
            if not at:
                continue
            for level, style in ((50, "-"), (80, ":")):
                values = [np.percentile(off[some][steps == x], level) for x in at]
                name = f"{mode}, {'median' if level == 50 else '80th percentile'}"
                colour = "C0" if mode is Mode.CLOSED else "C1"
                axis.plot(np.exp2(at), values, style, color=colour, label=name)
        if axis.lines:
            axis.set_xscale("log", base=2)
            axis.legend(fontsize=6)
        title = output if output == "throughput" else output.upper()
        axis.set(title=title, xlabel="requests in flight an accelerator")
        axis.set_ylim(0, min(axis.get_ylim()[1], _MOST_ERROR))
    axes[0].set_ylabel("error, %")
    _save(figure, path)


def _coverage(figures: Figures, path: Path) -> None:
    """Shares of rows inside their intervals, a panel for each way of leaving out."""
    figure, axes = plt.subplots(1, len(WAYS), figsize=(9.2, 2.8), sharey=True)
    for axis, way in zip(axes, WAYS, strict=True):
        bars = [c for c in figures.coverage[way] if c.rows >= _FEWEST]
        place = np.arange(len(bars))
        axis.bar(place - 0.2, [100 * c.inside_50 for c in bars], 0.4, label="50% interval")
        axis.bar(place + 0.2, [100 * c.inside_90 for c in bars], 0.4, label="90% interval")
        for level in (50, 90):
            axis.axhline(level, color="black", linewidth=0.6, linestyle=":")
        names = [f"{c.output}, {c.mode}" for c in bars]
        axis.set_xticks(place, names, fontsize=6, rotation=60, ha="right")
        axis.set(ylim=(0, 100), title=f"left out: {way}")
    axes[0].set_ylabel("rows inside, %")
    axes[0].legend(fontsize=6, loc="lower right")
    _save(figure, path)
