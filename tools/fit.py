"""Fit the performance model to measured rows, judge it, and write what follows.

    python tools/fit.py FOLDER [--from out/fit]

FOLDER (or NEOCLOUD_MEASURED) holds the three tables of measured rows; they are no part of the
project. Written are the parameters in src/neocloud/perf/data, the tables and pictures of
docs/accuracy.md, and docs/accuracy.json. On two cores it takes about a quarter of an hour.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

import accuracy_page
import accuracy_plots
import judged as judging
from neocloud.calibration import Case, Measured, RowError, predict_cases, ratios, read_pairs
from neocloud.calibration.judge import Recipe, make
from neocloud.calibration.laying import lay_down
from neocloud.calibration.scales import FIRST, STEP
from neocloud.catalog import Catalog, load_catalog
from neocloud.perf.predictor import read_predictor

ROOT = Path(__file__).resolve().parents[1]
TABLES = ("deepseek_r1_serving.csv", "nvidia_serving.csv", "throughput.csv")
"""The same order always: rows are told by their place."""
Pair = tuple[Case, Measured]


def arguments_of(words: Sequence[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("measured", nargs="?", default=os.environ.get("NEOCLOUD_MEASURED"))
    parser.add_argument("--from", dest="kept", type=Path, help="predictions kept by a run before")
    parser.add_argument("--keep", type=Path, default=ROOT / "out" / "fit")
    parser.add_argument("--data", type=Path, default=ROOT / "src" / "neocloud" / "perf" / "data")
    parser.add_argument("--docs", type=Path, default=ROOT / "docs")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=Recipe(STEP, FIRST).rounds)
    parser.add_argument("--sample", type=int, help=argparse.SUPPRESS)
    return parser.parse_args(words)


def say(text: str) -> None:
    """Progress, at once."""
    print(text, file=sys.stderr, flush=True)


def sampled(pairs: list[Pair], groups: int | None) -> list[Pair]:
    """All pairs, or those of so many groups, spread evenly."""
    if groups is None:
        return pairs
    names = sorted({case.group for case, _ in pairs})
    kept = set(names[:: max(1, len(names) // groups)])
    return [pair for pair in pairs if pair[0].group in kept]


def run(catalog: Catalog, folder: Path, a: argparse.Namespace) -> None:
    """Judge, fit, lay down, and write pages."""
    pairs, refused = read_pairs(catalog, [folder / name for name in TABLES])
    pairs = sampled(pairs, a.sample)
    say(f"{len(pairs):,} rows, {sum(refused.values()):,} cannot be predicted")
    recipe = Recipe(STEP, FIRST, a.rounds)
    if a.kept is not None:
        found = judging.load(catalog, pairs, a.kept)
    else:
        found = judging.judge(
            catalog, pairs, recipe, a.workers, lambda way, n, of: say(f"{way} left out: {n}/{of}")
        )
        judging.save(found, a.keep)
        say("fitting all rows")
        a.data.mkdir(parents=True, exist_ok=True)
        lay_down(make(catalog, pairs, recipe), judging.bands(found), len(pairs), a.data)
    predictor = read_predictor(a.data)
    cases, measured = [case for case, _ in pairs], [m for _, m in pairs]
    seen = ratios(cases, measured, predict_cases(predictor, catalog, cases))
    figures = judging.figures(found, predictor, seen)
    text = msgspec.json.format(msgspec.json.encode(figures), indent=1)
    (a.docs / "accuracy.json").write_bytes(text + b"\n")
    accuracy_plots.draw(found, figures, a.docs / "figures")
    page = a.docs / "accuracy.md"
    accuracy_page.fill(page, accuracy_page.tables(found, figures, refused))
    print(accuracy_page.against_targets(figures), end="")


def main(words: Sequence[str]) -> int:
    """Run; status 2 where something is missing."""
    a = arguments_of(words)
    if not a.measured or not Path(a.measured).is_dir():
        say("Give the folder of measured rows: make fit MEASURED=FOLDER")
        return 2
    try:
        run(load_catalog(), Path(a.measured), a)
    except (OSError, RowError) as error:
        say(f"{a.measured}: {error}")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
