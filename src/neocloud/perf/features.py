"""How alike two measured configurations are: the features that the learned part compares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import msgspec
import numpy as np
from numpy.typing import NDArray

from neocloud.catalog import Accelerator, Architecture
from neocloud.perf.levels import shape_of
from neocloud.perf.records import Configuration

Vector = NDArray[np.float64]
UNDATED = -99.0
"""Year of a row without a date: near to others without one, far from all that have one."""


class Features(msgspec.Struct, frozen=True, kw_only=True):
    """One configuration under one load. Sizes are logarithms to base 2.

    Attributes:
        accelerator: catalog key.
        generation: of the accelerator.
        engine: with the layer that splits prefill from generation, if there is one.
        precision: number format of the weights.
        model: shape of the model.
        release: engine and version where known.
        mode: closed, offline or disaggregated.
        drafting: whether tokens are drafted.
        inputs: prompt length.
        outputs: answer length.
        tp: tensor parallelism of the attention.
        ranks: attention data parallelism.
        stages: pipeline parallelism.
        expert_parallel: 1 where experts are spread whole.
        year: date as a year with its fraction, or `UNDATED`.
        load: requests in flight for each accelerator.
    """

    accelerator: str
    generation: str
    engine: str
    precision: str
    model: str
    release: str
    mode: str
    drafting: str
    inputs: float
    outputs: float
    tp: float
    ranks: float
    stages: float
    expert_parallel: float
    year: float
    load: float


NAMES = ("accelerator", "generation", "engine", "precision", "model", "release", "mode", "drafting")
SIZES = ("inputs", "outputs", "tp", "ranks", "stages", "expert_parallel", "year", "load")
OFFLINE_LOAD = 8.0
"""`load` of rows that say only that all requests were queued: 256 for each accelerator."""


def features_of(
    architecture: Architecture,
    accelerator: Accelerator,
    configuration: Configuration,
    *,
    inputs: float,
    outputs: float,
    load: float,
    mode: str = "closed",
    layer: str = "",
    release: str = "",
    year: float = UNDATED,
) -> Features:
    """Features of a configuration under `load` requests in flight for each accelerator."""
    c = configuration
    return Features(
        accelerator=accelerator.key,
        generation=accelerator.generation,
        engine=f"{c.engine}/{layer}" if layer else c.engine,
        precision=c.precision,
        model=shape_of(architecture),
        release=release,
        mode=mode,
        drafting="yes" if c.drafts else "no",
        inputs=float(np.log2(max(inputs, 1.0))),
        outputs=float(np.log2(max(outputs, 1.0))),
        tp=float(np.log2(c.tp)),
        ranks=float(np.log2(c.attention_dp)),
        stages=float(np.log2(c.pp)),
        expert_parallel=float(c.ep > 1),
        year=year,
        load=float(np.log2(max(load, 1e-3))),
    )


@dataclass(frozen=True, slots=True)
class Points:
    """Features of many configurations: names as codes, sizes as numbers."""

    accelerator: NDArray[np.int32]
    generation: NDArray[np.int32]
    engine: NDArray[np.int32]
    precision: NDArray[np.int32]
    model: NDArray[np.int32]
    release: NDArray[np.int32]
    mode: NDArray[np.int32]
    drafting: NDArray[np.int32]
    inputs: Vector
    outputs: Vector
    tp: Vector
    ranks: Vector
    stages: Vector
    expert_parallel: Vector
    year: Vector
    load: Vector

    def at_loads(self, loads: Vector) -> Points:
        """The same with other loads."""
        return replace(self, load=loads)

    def take(self, index: NDArray[np.int64]) -> Points:
        """Some of the points."""
        return Points(**{f.name: getattr(self, f.name)[index] for f in fields(Points)})


class Codes:
    """Codes of names; a name not among the known ones has a code of its own that equals none."""

    def __init__(self, known: dict[str, list[str]]) -> None:
        self.known = known
        self._codes = {kind: {n: i for i, n in enumerate(names)} for kind, names in known.items()}

    def points(self, features: Sequence[Features]) -> Points:
        """Arrays of features. An empty release equals no other."""
        arrays: dict[str, NDArray[np.int32] | Vector] = {}
        for kind in NAMES:
            codes = self._codes[kind]
            arrays[kind] = np.array(
                [codes.get(getattr(f, kind), -1) if getattr(f, kind) else -1 for f in features],
                dtype=np.int32,
            )
        for size in SIZES:
            arrays[size] = np.array([getattr(f, size) for f in features])
        return Points(**arrays)  # type: ignore[arg-type]


class Scales(msgspec.Struct, frozen=True, kw_only=True):
    """How errors of the physics go together: standard deviations and lengths of likeness.

    Each `of_*` is the standard deviation (of a logarithm) of an error that all configurations
    alike in that way share.
    """

    of_all: float
    of_configuration: float
    of_accelerator: float
    of_model_engine: float
    of_generation: float
    of_model: float
    of_release: float
    of_sweep: float
    lengths: float
    """Octaves of prompt and answer length over which an error changes."""
    loads: float
    """Octaves of load."""
    layouts: float
    """Octaves of parallelism."""
    years: float
    precisions: float
    """Correlation between two precisions."""
    models: float
    """Correlation between two models."""
    noise: float
    """Standard deviation of what a repeat changes."""


def likeness(a: Points, b: Points, s: Scales) -> tuple[Vector, Vector]:
    """Covariance of the errors of all pairs, in two parts of shape (a, b).

    The first part still is to be multiplied with `load_likeness`, the second stands as it is: the
    split lets many loads of one configuration share the work. Points may be rows of several sets,
    of shape (n, a) and (n, b): then so are the pairs, each set's with its own.
    """
    p = parts_of_likeness(a, b, s)
    return p.anywhere + p.laid_out_alike * layout_likeness(a, b, s), p.whatever_the_load


@dataclass(frozen=True, slots=True)
class Parts:
    """Covariance before layouts and loads are compared, shape (a, b).

    Attributes:
        anywhere: to be multiplied with `load_likeness`.
        laid_out_alike: to be multiplied with that and with `layout_likeness`.
        whatever_the_load: to be multiplied with neither.
    """

    anywhere: Vector
    laid_out_alike: Vector
    whatever_the_load: Vector


def parts_of_likeness(a: Points, b: Points, s: Scales) -> Parts:
    """What configurations have in common that differ in layout and load alone."""

    def same(kind: str) -> Vector:
        left, right = getattr(a, kind)[..., :, None], getattr(b, kind)[..., None, :]
        found: Vector = ((left == right) & (left >= 0)).astype(np.float64)
        return found

    lengths = _near(a, b, "inputs", s.lengths) + _near(a, b, "outputs", s.lengths)
    lengths = np.exp(-0.5 * lengths)
    engine, accelerator, model = same("engine"), same("accelerator"), same("model")
    precision = same("precision")
    across_precisions = s.precisions + (1.0 - s.precisions) * precision
    across_models = s.models + (1.0 - s.models) * model
    mode = 0.4 + 0.6 * same("mode")
    drafting = 0.4 + 0.6 * same("drafting")
    exact = accelerator * engine * precision * model * mode * drafting
    alike = s.of_configuration**2 * exact
    alike += s.of_model_engine**2 * model * engine * across_precisions * mode
    anywhere = s.of_accelerator**2 * accelerator * engine * across_precisions * across_models * mode
    anywhere += s.of_generation**2 * same("generation") * engine * across_precisions * mode
    anywhere += s.of_model**2 * model * mode
    anywhere += s.of_release**2 * same("release") * engine * across_models
    anywhere += s.of_all**2
    years = np.exp(-np.abs(a.year[..., :, None] - b.year[..., None, :]) / s.years)
    return Parts(anywhere * lengths, alike * lengths, s.of_sweep**2 * exact * years)


def layout_likeness(a: Points, b: Points, s: Scales) -> Vector:
    """What layouts keep of an error, shape (a, b)."""
    apart = sum(_near(a, b, kind, s.layouts) for kind in ("tp", "ranks", "stages"))
    found: Vector = np.exp(-0.5 * apart) * (1.0 - 0.3 * _near(a, b, "expert_parallel", 1.0))
    return found


def _near(a: Points, b: Points, kind: str, scale: float) -> Vector:
    apart = (getattr(a, kind)[..., :, None] - getattr(b, kind)[..., None, :]) / scale
    squared: Vector = np.square(apart)
    return squared


def load_likeness(a: Vector, b: Vector, s: Scales) -> Vector:
    """What loads keep of an error; logarithms to base 2, shape (a, b)."""
    found: Vector = np.exp(-0.5 * np.square((a[..., :, None] - b[..., None, :]) / s.loads))
    return found


def prior_variance(s: Scales) -> float:
    """Variance of the error of a configuration far from all others."""
    names = ("all", "configuration", "accelerator", "model_engine", "generation", "model")
    return float(sum(getattr(s, f"of_{n}") ** 2 for n in (*names, "sweep")))
