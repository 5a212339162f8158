"""Judge the catalog's round trips, as docs/catalog.md states them.

    python tools/data/judge_network.py --from DIR

Two tests. The first leaves each measured pair out of its own answer: what would the catalog have
said had it not been measured? The second compares with round trips between Google's own regions,
which nothing here was made from.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
from collections.abc import Sequence
from pathlib import Path

import writing

from neocloud.catalog import load_catalog
from neocloud.catalog.network import NEIGHBOUR_KM, RoundTripTable, distance_km, read_round_trips

CATALOG = load_catalog()


def quantile(values: Sequence[float], share: float) -> float:
    """Empirical quantile, to the nearest rank."""
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, int(share * len(ranked)))]


def corrected(table: RoundTripTable, one: str, other: str) -> float | None:
    """What the pair's nearest other measured metros give, each end replaced by its neighbour."""
    ends = []
    for key in (one, other):
        away = ((distance_km(CATALOG.metro(key), CATALOG.metro(k)), k) for k in table.order)
        ends.append(min(pair for pair in away if pair[1] != key))
    (km_one, near_one), (km_other, near_other) = ends
    there = table.measured(near_one, near_other)
    if there is None or km_one + km_other > NEIGHBOUR_KM:
        return None
    a, b, x, y = map(CATALOG.metro, (one, other, near_one, near_other))
    regions = "-".join(sorted((x.region, y.region)))
    slope_ms = table.model.get(regions, table.model["global"])[1]
    return there + slope_ms * (distance_km(a, b) - distance_km(x, y)) / 1000


def show(name: str, pairs: list[tuple[float, float]]) -> None:
    """One line: how far predictions are off measurements."""
    errors = [abs(predicted / measured - 1) for predicted, measured in pairs]
    off_ms = [abs(predicted - measured) for predicted, measured in pairs]
    print(
        f"{name}: {len(pairs):,} pairs, error median {statistics.median(errors):.1%}, mean "
        f"{statistics.mean(errors):.1%}, 90th percentile {quantile(errors, 0.9):.1%}, median "
        f"{statistics.median(off_ms):.1f} ms"
    )


def leave_out(table: RoundTripTable) -> None:
    """Neighbours and model on the pairs that were measured."""
    neighbours, model = [], []
    for one, other in itertools.combinations(table.order, 2):
        measured = table.measured(one, other)
        if measured is None:
            continue
        modelled = table.modelled(CATALOG.metro(one), CATALOG.metro(other)).ms
        model.append((modelled, measured))
        by_neighbours = corrected(table, one, other)
        if by_neighbours is not None:
            neighbours.append((by_neighbours, measured))
    show("neighbours, the pair itself left out", neighbours)
    show("model, on the pairs that it was fitted to", model)


def against_google(shared: Path) -> None:
    """The catalog's answers over Google's own."""
    ratios: dict[str, list[float]] = {}
    for row in writing.read(shared / "network" / "rtt_gcp_regions.csv"):
        if row["from_metro"] == row["to_metro"]:
            continue
        found = CATALOG.round_trip(row["from_metro"], row["to_metro"])
        ratios.setdefault(found.how, []).append(found.ms / float(row["rtt_ms"]))
    ratios["all"] = [ratio for group in list(ratios.values()) for ratio in group]
    for how, group in ratios.items():
        print(
            f"over Google's, {how}: {len(group):,} pairs, median {statistics.median(group):.2f}, "
            f"10th to 90th percentile {quantile(group, 0.1):.2f} to {quantile(group, 0.9):.2f}"
        )


def main() -> None:
    """Read the arguments and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--from", dest="shared", type=Path, required=True)
    arguments = parser.parse_args()
    leave_out(read_round_trips(CATALOG.metros))
    against_google(arguments.shared)


if __name__ == "__main__":
    main()
