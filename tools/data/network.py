"""Metros and round trips: the table of what was measured, and the model for the rest."""

from __future__ import annotations

from pathlib import Path

import writing


def make(shared: Path, data: Path, zones: Path) -> None:
    """Write `metros.csv`, `rtt.csv.gz` and `rtt_model.csv`.

    `zones` is a table of the metros' IANA time zones (`tools/data/metro_zones.csv`).
    """
    folder = shared / "network"
    metros = writing.read(folder / "metros.csv")
    zone = {r["metro"]: r["zone"] for r in writing.read(zones)}
    writing.write(
        data / "metros.csv",
        ["key", "name", "country", "latitude", "longitude", "region", "internet_users",
         "dc_market", "zone"],
        (
            [r["metro"], r["name"], r["country"], r["lat"], r["lon"], r["region"],
             r["internet_users_nearest"], r["dc_market"], zone[r["metro"]]]
            for r in metros
        ),
    )  # fmt: skip
    _round_trips(folder, data, [r["metro"] for r in metros if r["measured"] == "1"])
    writing.write(
        data / "rtt_model.csv",
        ["region_pair", "intercept_ms", "slope_ms_per_1000km"],
        (
            [r["region_pair"], r["intercept_ms"], r["slope_ms_per_1000km"]]
            for r in writing.read(folder / "rtt_model.csv")
        ),
    )


def _round_trips(folder: Path, data: Path, measured: list[str]) -> None:
    """One line a measured metro: whole milliseconds to those before it, empty where unknown."""
    cells = {
        frozenset((r["metro_a"], r["metro_b"])): str(max(1, round(float(r["rtt_avg_ms"]))))
        for r in writing.read(folder / "rtt_measured.csv.gz")
    }
    lines = []
    for place, metro in enumerate(measured):
        before = (cells.get(frozenset((metro, other)), "") for other in measured[:place])
        lines.append(",".join([metro, *before]))
    writing.write_gz(data / "rtt.csv.gz", "\n".join(lines) + "\n")
