"""Traces of requests and daily shapes of demand."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import writing

TRACES = {"azure-conv": "azure_2023_conv.csv.gz", "azure-code": "azure_2023_code.csv.gz"}
SHAPES = {
    "servegen-large": "language-large",
    "servegen-mid": "language-mid",
    "servegen-small": "language-small",
}
QUIETEST_HOUR = 4
"""Local hour to which a shape's minimum is turned, as the recording states no time zone."""


def _fold(rows: list[dict[str, str]], model: str) -> tuple[list[float], int]:
    """Mean rate by hour of day over the recording, mean 1, and the windows left out.

    Windows without any traffic are gaps of the recording.
    """
    by_hour: dict[int, list[float]] = defaultdict(list)
    gaps = 0
    for row in rows:
        if row["model"] != model:
            continue
        rate = float(row["rate_rps"])
        if rate == 0:
            gaps += 1
            continue
        by_hour[int(float(row["window_start_s"])) // 3600 % 24].append(rate)
    means = [sum(by_hour[h]) / len(by_hour[h]) for h in range(24)]
    overall = sum(means) / 24
    return [m / overall for m in means], gaps


def _turned(shape: list[float]) -> list[float]:
    quietest = min(range(24), key=shape.__getitem__)
    return [shape[(hour - QUIETEST_HOUR + quietest) % 24] for hour in range(24)]


def make(shared: Path, data: Path) -> None:
    """Write `traces/*.csv.gz` and `shapes.csv`."""
    folder = shared / "traces"
    for key, name in TRACES.items():
        rows = writing.read(folder / name)
        lines = (f"{r['arrival_s']},{r['input_tokens']},{r['output_tokens']}" for r in rows)
        text = "arrival_s,input_tokens,output_tokens\n" + "\n".join(lines) + "\n"
        writing.write_gz(data / "traces" / f"{key}.csv.gz", text)
    rates = writing.read(folder / "servegen_rates.csv.gz")
    shapes = [["flat", "none", "the same in every hour", *["1"] * 24]]
    for key, model in SHAPES.items():
        shape, gaps = _fold(rates, model)
        note = (
            f"{model}, seven days folded by hour, {gaps} windows of no traffic left out; the "
            "recording's time zone is unknown: the quietest hour is assumed to be 04:00 local"
        )
        shapes.append([key, "servegen", note, *(f"{v:.5f}" for v in _turned(shape))])
    writing.write(data / "shapes.csv", ["key", "source", "note", *map(str, range(24))], shapes)
