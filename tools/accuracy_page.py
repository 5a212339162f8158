"""The tables of docs/accuracy.md: between two marks, made by `make fit`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from judged import ALL, Figure, Figures, Judged
from neocloud.calibration import GROUPINGS, Line, lines
from neocloud.calibration.accuracy import Error

BEGIN, END = "<!-- tables: begin -->", "<!-- tables: end -->"
TARGETS: Mapping[tuple[str, str], tuple[float, float | None]] = {
    ("groups", "DeepSeek-R1 aggregated"): (9.0, 16.0),
    ("groups", "DeepSeek-R1 disaggregated"): (16.0, 28.0),
    ("groups", "NVIDIA table"): (5.5, 14.0),
    ("groups", "offline TensorRT-LLM, dense"): (6.5, None),
    ("groups", "offline TensorRT-LLM, experts"): (9.5, None),
    ("architecture", ALL): (16.0, 26.0),
    ("accelerator", ALL): (19.0, 27.0),
}
"""Throughput errors to reach, per cent: median and mean."""
TTFT_TARGET = 30.0
_LEFT_OUT = {
    "groups": "groups",
    "architecture": "an architecture",
    "accelerator": "an accelerator",
}
_SHOWN = {"mode": "kind of load"}


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown."""
    parts = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in parts) + "\n"


def one(value: float) -> str:
    """A figure in per cent."""
    return f"{value:.1f}" if abs(value) < 100 else f"{value:,.0f}"


def error(found: Error | None) -> str:
    """Median, mean and 80th percentile."""
    if found is None:
        return ""
    return f"{one(found.median)} / {one(found.mean)} / {one(found.p80)}"


def against_targets(figures: Figures) -> str:
    """What the issue of this part asked for beside what was reached."""
    by_key = {(f.way, f.kind): f for f in figures.figures}
    rows = []
    for key, (median, mean) in TARGETS.items():
        if key not in by_key or (reached := by_key[key].throughput) is None:
            continue
        what = key[1] if key[0] == "groups" else "any row"
        rows.append(
            [
                what,
                _LEFT_OUT[key[0]],
                f"{reached.rows:,}",
                f"{one(median)} / {'' if mean is None else one(mean)}".rstrip(" /"),
                f"{one(reached.median)} / {one(reached.mean)}",
                _over(reached, median, mean),
                error(by_key[key].tpot),
            ]
        )
    everything = by_key.get(("groups", ALL))
    if everything is not None and everything.ttft is not None:
        ttft = everything.ttft
        off = ttft.median - TTFT_TARGET
        above = f"median by {one(off)}" if off > 0 else "reached"
        reached_text = f"{one(ttft.median)} / {one(ttft.mean)}"
        rows.append(
            [
                "TTFT of any row",
                "groups",
                f"{ttft.rows:,}",
                one(TTFT_TARGET),
                reached_text,
                above,
                "",
            ]
        )
    head = ["rows", "left out with", "number", "to reach", "reached", "above it", "TPOT"]
    return table(head, rows)


def _over(reached: Error, median: float, mean: float | None) -> str:
    over = []
    if reached.median > median:
        over.append(f"median by {one(reached.median - median)}")
    if mean is not None and reached.mean > mean:
        over.append(f"mean by {one(reached.mean - mean)}")
    return ", ".join(over) or "reached"


def _by_kind(figures: Figures, way: str) -> str:
    rows = [
        [f.kind, _number(f), *_errors(f), _bias(f.ttft)] for f in figures.figures if f.way == way
    ]
    return table(["rows", "number", "throughput", "bias", "TPOT", "TTFT", "bias"], rows)


def _errors(found: Figure | Line) -> list[str]:
    return [
        error(found.throughput),
        _bias(found.throughput),
        error(found.tpot),
        error(found.ttft),
    ]


def _bias(found: Error | None) -> str:
    return "" if found is None else f"{found.bias:+.1f}"


def _number(found: Figure | Line) -> str:
    counts = [e.rows for e in (found.throughput, found.tpot, found.ttft) if e is not None]
    return f"{max(counts, default=0):,}"


def _by(judged: Judged) -> str:
    parts = []
    found = lines(judged.cases, judged.ratios("groups"))
    for by in GROUPINGS:
        rows = [[x.name, _number(x), *_errors(x)] for x in found if x.by == by]
        head = [_SHOWN.get(by, by), "number", "throughput", "bias", "TPOT", "TTFT"]
        parts.append(f"#### By {head[0]}\n\n{table(head, rows)}")
    return "\n".join(parts)


def _coverage(figures: Figures) -> str:
    rows = [
        [
            _LEFT_OUT[way],
            c.output if c.output == "throughput" else c.output.upper(),
            c.mode,
            f"{c.rows:,}",
            f"{100 * c.inside_50:.0f}",
            f"{100 * c.inside_90:.0f}",
        ]
        for way, parts in figures.coverage.items()
        for c in parts
    ]
    return table(["left out with", "output", "load", "number", "in the 50%", "in the 90%"], rows)


def tables(judged: Judged, figures: Figures, refused: Mapping[str, int]) -> str:
    """Everything between the marks."""
    gone = [
        [f"{count:,}", reason] for reason, count in sorted(refused.items(), key=lambda x: -x[1])
    ]
    counted = f"{figures.rows:,} rows; {sum(refused.values()):,} more cannot be predicted."
    parts = [
        f"{counted} Parameters `{figures.parameters}`.\n",
        f"### To reach, and reached\n\n{against_targets(figures)}",
        "![predicted over measured](figures/predicted.png)\n",
        f"### Groups left out\n\n{_by_kind(figures, 'groups')}",
        _by(judged),
        "![error over concurrency](figures/concurrency.png)\n",
        f"### An architecture left out whole\n\n{_by_kind(figures, 'architecture')}",
        f"### An accelerator left out whole\n\n{_by_kind(figures, 'accelerator')}",
        f"### Rows inside their intervals\n\n{_coverage(figures)}",
        "![coverage](figures/coverage.png)\n",
        f"### Not predicted\n\n{table(['number', 'why'], gone)}",
    ]
    return "\n".join(parts)


def fill(page: Path, text: str) -> None:
    """Put a text between the marks of a page."""
    before = page.read_text(encoding="utf-8")
    head, rest = before.split(BEGIN)
    tail = rest.split(END)[1]
    page.write_text(f"{head}{BEGIN}\n\n{text}\n{END}{tail}", encoding="utf-8")
