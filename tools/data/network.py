"""Metros and round trips: the table of users by data-center metros, and the model for the rest."""

from __future__ import annotations

from pathlib import Path

import writing

# One letter a cell: how its round trip is known.
HOW = {"measured": "m", "neighbour": "n", "model": "f", "assumed": "a"}


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
    _round_trips(folder, data, [r["metro"] for r in metros],
                 [r["metro"] for r in metros if r["dc_market"] == "1"])  # fmt: skip
    writing.write(
        data / "rtt_model.csv",
        ["region_pair", "intercept_ms", "slope_ms_per_1000km"],
        (
            [r["region_pair"], r["intercept_ms"], r["slope_ms_per_1000km"]]
            for r in writing.read(folder / "rtt_model.csv")
        ),
    )


def _round_trips(folder: Path, data: Path, users: list[str], sites: list[str]) -> None:
    """One line a user metro, one cell a data-center metro: whole milliseconds and a letter."""
    cells = {
        (r["user_metro"], r["dc_metro"]): f"{max(1, round(float(r['rtt_ms'])))}{HOW[r['how']]}"
        for r in writing.read(folder / "rtt_user_to_dc.csv.gz")
    }
    lines = [",".join(["metro", *sites])]
    lines += [",".join([user, *(cells[user, site] for site in sites)]) for user in users]
    writing.write_gz(data / "rtt.csv.gz", "\n".join(lines) + "\n")
