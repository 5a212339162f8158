"""Rows predicted by models that have not seen them, and what follows from that."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from neocloud.calibration import Case, Measured, Predicted, Ratios, ratios
from neocloud.calibration.accuracy import Error, error_of
from neocloud.calibration.bands import Coverage, Errors, bands_of, coverage, errors_of
from neocloud.calibration.judge import Recipe, fold_labels, kind_of_row, left_out
from neocloud.calibration.records import Mode, RowError
from neocloud.catalog import Catalog
from neocloud.perf.intervals import Bands
from neocloud.perf.levels import shape_of
from neocloud.perf.predictor import Predictor

Pair = tuple[Case, Measured]
WAYS = ("groups", "architecture", "accelerator")
"""What is left out together."""
OTHER_WEIGHT = 0.5
"""Weight in the intervals of rows whose architecture or accelerator was left out: most who ask are
nearer to what was measured, and those who are not shall be told of wide intervals all the same."""
EVERY = 7
"""One row of so many is predicted by the tests with the shipped parameters."""


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """Errors of rows of one kind; `way` says what was left out, or `seen` that nothing was."""

    way: str
    kind: str
    throughput: Error | None
    tpot: Error | None
    ttft: Error | None


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """`docs/accuracy.json`: what was reached, for the tests."""

    parameters: str
    """Digest of the shipped predictor that the figures belong to."""
    rows: int
    every: int
    figures: list[Figure]
    coverage: dict[str, list[Coverage]]


@dataclass(frozen=True)
class Judged:
    """The measured rows and, for each way of leaving out, their predictions."""

    pairs: list[Pair]
    kinds: list[str]
    by_way: dict[str, Predicted]

    @property
    def cases(self) -> list[Case]:
        """The rows' cases."""
        return [case for case, _ in self.pairs]

    def ratios(self, way: str) -> Ratios:
        """Predicted over measured."""
        return ratios(self.cases, [m for _, m in self.pairs], self.by_way[way])


def labels(catalog: Catalog, pairs: Sequence[Pair], way: str) -> list[str]:
    """What each row is left out with. DeepSeek V3 and R1 have one architecture."""
    if way == "architecture":
        return [shape_of(catalog.architecture(case.model)) for case, _ in pairs]
    if way == "accelerator":
        return [case.decode.accelerator for case, _ in pairs]
    return fold_labels(pairs)


def judge(
    catalog: Catalog,
    pairs: list[Pair],
    recipe: Recipe,
    workers: int,
    progress: Callable[[str, int, int], None],
) -> Judged:
    """Leave out groups, then each architecture, then each accelerator."""
    by_way = {}
    for way in WAYS:

        def told(done: int, of: int, way: str = way) -> None:
            progress(way, done, of)

        names = labels(catalog, pairs, way)
        by_way[way] = left_out(pairs, names, recipe, workers=workers, progress=told)
    return Judged(pairs, [kind_of_row(catalog, case) for case, _ in pairs], by_way)


_FIELDS = ("throughput", "ttft_s", "tpot_s", "watts", "explained")


def save(judged: Judged, folder: Path) -> None:
    """Keep predictions, so that pages and plots can be made again without the fits."""
    folder.mkdir(parents=True, exist_ok=True)
    for way, found in judged.by_way.items():
        arrays = np.stack([getattr(found, name) for name in _FIELDS])
        ids = np.array([case.id for case in judged.cases])
        np.savez_compressed(folder / f"{way}.npz", predicted=arrays, ids=ids)


def load(catalog: Catalog, pairs: list[Pair], folder: Path) -> Judged:
    """Read what `save` kept.

    Raises:
        RowError: it is of other rows than these.
    """
    by_way = {}
    for way in WAYS:
        with np.load(folder / f"{way}.npz") as kept:
            if kept["ids"].tolist() != [case.id for case, _ in pairs]:
                raise RowError(f"{folder / way}.npz was made of other rows: leave out --from")
            by_way[way] = Predicted(*kept["predicted"])
    return Judged(pairs, [kind_of_row(catalog, case) for case, _ in pairs], by_way)


def bands(judged: Judged, mask: NDArray[np.bool_] | None = None) -> Bands:
    """Intervals from rows left out in every way; from those of the mask where one is given."""
    parts: list[Errors] = []
    for way, found in judged.by_way.items():
        weight = 1.0 if way == "groups" else OTHER_WEIGHT
        errors = errors_of(judged.pairs, found, weight)
        parts.append(errors if mask is None else errors.take(mask))
    return bands_of(reduce(Errors.joined, parts))


def halves(judged: Judged, seed: int = 1) -> NDArray[np.bool_]:
    """True for the rows of a random half of the groups."""
    groups = sorted({case.group for case in judged.cases})
    order = np.random.default_rng(seed).permutation(len(groups))
    chosen = {groups[i] for i in order[: len(groups) // 2]}
    return np.array([case.group in chosen for case in judged.cases])


def covered(judged: Judged) -> dict[str, list[Coverage]]:
    """By way: rows inside intervals that the other half of the groups gave."""
    half = halves(judged)
    made = {True: bands(judged, half), False: bands(judged, ~half)}
    found = {}
    for way, predicted in judged.by_way.items():
        errors = errors_of(judged.pairs, predicted)
        parts = [
            part
            for first in (True, False)
            for part in coverage(made[first], errors.take(~half if first else half))
        ]
        found[way] = [
            _joined([p for p in parts if (p.output, p.mode) == key])
            for key in sorted({(p.output, p.mode) for p in parts})
        ]
    return found


def _joined(parts: list[Coverage]) -> Coverage:
    rows = sum(p.rows for p in parts)
    return Coverage(
        output=parts[0].output,
        mode=parts[0].mode,
        rows=rows,
        inside_50=sum(p.inside_50 * p.rows for p in parts) / rows,
        inside_90=sum(p.inside_90 * p.rows for p in parts) / rows,
    )


def figure(way: str, kind: str, some: Ratios) -> Figure:
    """Errors of some rows."""
    return Figure(
        way=way,
        kind=kind,
        throughput=error_of(some.throughput),
        tpot=error_of(some.tpot),
        ttft=error_of(some.ttft),
    )


ALL = "all but loads at a rate"
"""Throughput at a rate below what is possible is that rate: no prediction at all."""


def figures_of(way: str, kinds: Sequence[str], cases: Sequence[Case], all_: Ratios) -> list[Figure]:
    """Errors by kind of row, then of all."""
    at_rate = np.array([case.mode is Mode.RATE for case in cases])
    names = np.array(kinds)
    found = [figure(way, kind, all_.take(names == kind)) for kind in sorted(set(kinds))]
    return [*found, figure(way, ALL, all_.take(~at_rate))]


def figures(judged: Judged, predictor: Predictor, shipped: Ratios) -> Figures:
    """All figures: of rows left out, and of every so many rows that the shipped fit has seen."""
    found = []
    for way in WAYS:
        found += figures_of(way, judged.kinds, judged.cases, judged.ratios(way))
    some = np.arange(len(judged.pairs)) % EVERY == 0
    kinds = [kind for kind, taken in zip(judged.kinds, some, strict=True) if taken]
    cases = [case for case, taken in zip(judged.cases, some, strict=True) if taken]
    found += figures_of("seen", kinds, cases, shipped.take(some))
    return Figures(
        parameters=predictor.digest,
        rows=len(judged.pairs),
        every=EVERY,
        figures=found,
        coverage=covered(judged),
    )
