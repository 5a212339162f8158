"""Many cases as arrays: their work, where their constants come from, and the loops they run in.

A constant's logarithm is its prior's plus a sum of slots, one for each level that has a key for the
case. So constants of all cases follow from one vector by look-ups, and since a case has one key a
level, all slots of a level can be shaken at once: the Jacobian needs as many evaluations as there
are levels, not slots.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import msgspec
import numpy as np
from numpy.typing import NDArray

from neocloud.calibration.records import Case, Mode, RowError
from neocloud.catalog import Accelerator, Architecture, Catalog
from neocloud.perf.closed_loop import Loop, aggregated, disaggregated
from neocloud.perf.constants import CONSTANTS, PARTS, Constants, Fit, Levels
from neocloud.perf.correction import scaled
from neocloud.perf.levels import EPOCH, levels_of
from neocloud.perf.memory import memory
from neocloud.perf.numbers import numbers_of
from neocloud.perf.records import Configuration, Memory
from neocloud.perf.terms import TERMS
from neocloud.perf.work import StepWork, step_work

Vector = NDArray[np.float64]
KEPT_OF_OUTPUT = 0.75
"""Share of its answer that a running sequence holds in the cache at the limit: between the half
that it holds on average and the whole that engines without eviction set aside."""
TIGHT_SHARE = 0.98
"""Share of memory given to the engine where the default one leaves no room: what operators do."""


@dataclass(frozen=True, slots=True)
class Part:
    """One configuration of every case: aggregated or decode ones, or prefill ones."""

    works: StepWork
    levels: tuple[Levels, ...]
    room: Vector
    """Sequences that a rank can run at once."""
    batch_tokens: Vector
    ranks: Vector
    """Ranks of all replicas, stages counted."""


@dataclass(frozen=True, slots=True)
class Cases:
    """Cases of one kind of loop as arrays."""

    cases: tuple[Case, ...]
    decode: Part
    prefill: Part | None
    inputs: Vector
    outputs: Vector
    concurrency: Vector
    accelerators: Vector


def part_of(
    catalog: Catalog,
    cases: Sequence[Case],
    configurations: Sequence[Configuration],
    replicas: Vector,
) -> Part:
    """Count the work of each configuration.

    Raises:
        ConfigurationError, MissingFigureError: see `step_work`.
        RowError: a configuration leaves no room for a KV cache.
    """
    works, levels, room = [], [], []
    for case, c in zip(cases, configurations, strict=True):
        architecture = catalog.architecture(case.model)
        accelerator = catalog.accelerator(c.accelerator)
        held = held_memory(architecture, accelerator, c)
        works.append(step_work(architecture, accelerator, c))
        age = 0.0 if case.year is None else case.year - EPOCH
        levels.append(
            levels_of(
                architecture,
                accelerator,
                c,
                layer=case.engine_layer,
                release=case.release,
                age=age,
            )
        )
        length = case.inputs + case.outputs * KEPT_OF_OUTPUT
        kept = held.kv_tokens / length / c.pp
        room.append(max(1.0, min(c.max_batch / (c.attention_dp * c.pp), kept)))
    stacked = StepWork(
        **{f.name: np.array([getattr(w, f.name) for w in works]) for f in fields(StepWork)}
    )
    return Part(
        works=stacked,
        levels=tuple(levels),
        room=np.array(room),
        batch_tokens=np.array([float(c.batch_tokens) for c in configurations]),
        ranks=replicas * stacked.ranks * stacked.stages,
    )


def held_memory(
    architecture: Architecture, accelerator: Accelerator, configuration: Configuration
) -> Memory:
    """Memory of a configuration that was run: where the default share leaves nothing, nearly all.

    Raises:
        RowError: not even then.
    """
    held = memory(architecture, accelerator, configuration)
    if held.fits:
        return held
    tight = memory(
        architecture,
        accelerator,
        msgspec.structs.replace(configuration, memory_share=TIGHT_SHARE, batch_tokens=2048),
    )
    if not tight.fits:
        giga = 1e-9
        raise RowError(
            f"{architecture.name} in {configuration.precision} does not fit: of "
            f"{tight.capacity * giga:.0f} GB weights need {tight.weights * giga:.1f}, activations "
            f"{tight.activations * giga:.1f}, reserve {tight.reserve * giga:.1f}"
        )
    return tight


def cases_of(catalog: Catalog, cases: Sequence[Case]) -> Cases:
    """Arrays of cases, all aggregated or all disaggregated."""
    apart = bool(cases) and cases[0].mode is Mode.DISAGGREGATED
    decode = part_of(
        catalog, cases, [c.decode for c in cases], np.array([float(c.replicas) for c in cases])
    )
    prefill = None
    if apart:
        stations = [c.prefill for c in cases if c.prefill is not None]
        counts = np.array([float(c.prefill_replicas) for c in cases])
        prefill = part_of(catalog, cases, stations, counts)
    return Cases(
        cases=tuple(cases),
        decode=decode,
        prefill=prefill,
        inputs=np.array([c.inputs for c in cases]),
        outputs=np.array([c.outputs for c in cases]),
        concurrency=np.array([c.concurrency for c in cases]),
        accelerators=np.array([float(c.accelerators) for c in cases]),
    )


def solve(
    cases: Cases,
    decode: Constants,
    prefill: Constants | None,
    step: Vector | float = 1.0,
    concurrency: Vector | None = None,
) -> Loop:
    """Closed loops of all cases under the given constants.

    Args:
        cases: the cases.
        decode: constants of their aggregated or decode configurations.
        prefill: constants of their prefill configurations.
        step: factor on all step times: the learned part's.
        concurrency: requests in flight instead of the cases' own.
    """
    flight = cases.concurrency if concurrency is None else concurrency
    numbers = scaled(numbers_of(cases.decode.works, decode), step)
    if cases.prefill is None or prefill is None:
        return aggregated(
            numbers,
            inputs=cases.inputs,
            outputs=cases.outputs,
            concurrency=flight / cases.decode.ranks,
            room=cases.decode.room,
            batch_tokens=cases.decode.batch_tokens,
        )
    return disaggregated(
        numbers,
        scaled(numbers_of(cases.prefill.works, prefill), step),
        inputs=cases.inputs,
        outputs=cases.outputs,
        concurrency=flight,
        decode_ranks=cases.decode.ranks,
        prefill_ranks=cases.prefill.ranks,
        room=cases.decode.room,
        batch_tokens=cases.prefill.batch_tokens,
    )


def without_waves(decode: Constants, cases: Sequence[Case]) -> Constants:
    """The same, but cases at a rate have no waves: their requests come one by one."""
    driven = np.array([case.rate > 0 for case in cases])
    return replace(
        decode,
        wave=np.where(driven, 0.0, decode.wave),
        burst=np.where(driven, 0.0, decode.burst),
    )


def throughput(cases: Cases, loop: Loop) -> Vector:
    """Tokens in and out a second and accelerator."""
    rate = cases.concurrency / (loop.ttft_s + loop.tpot_s * (cases.outputs - 1.0))
    found: Vector = rate * (cases.inputs + cases.outputs) / cases.accelerators
    return found


class Slots:
    """The vector of fitted parameters: which slot stands for which term, level and key."""

    @classmethod
    def of(cls, fit: Fit) -> tuple[Slots, Vector]:
        """Slots of a fit, and the vector with its values."""
        slots, values = cls(), []
        for term, levels in fit.factors.items():
            for level, keys in levels.items():
                for key, value in keys.items():
                    slots.slot(term, level, key)
                    values.append(value)
        return slots, np.array(values)

    def fit(self, theta: Vector) -> Fit:
        """The fit that a vector stands for; what is next to nothing is left out."""
        factors: dict[str, dict[str, dict[str, float]]] = {}
        for (term, level, key), value in sorted(zip(self.names, theta.tolist(), strict=True)):
            if abs(value) > 5e-4 or level == "all":
                factors.setdefault(term, {}).setdefault(level, {})[key] = round(value, 4)
        return Fit(factors=factors)

    def __init__(self) -> None:
        self.names: list[tuple[str, str, str]] = []
        self._index: dict[tuple[str, str, str], int] = {}

    def slot(self, term: str, level: str, key: str) -> int:
        """Index of a slot, new where there is none yet."""
        name = (term, level, key)
        if name not in self._index:
            self._index[name] = len(self.names)
            self.names.append(name)
        return self._index[name]

    def known(self, term: str, level: str, key: str) -> int:
        """Index of a slot, or -1."""
        return self._index.get((term, level, key), -1)

    def spreads(self) -> Vector:
        """Prior standard deviation of each slot."""
        found = [
            TERMS[term].spread if level == "all" else TERMS[term].levels[level]
            for term, level, _ in self.names
        ]
        return np.array(found)


@dataclass(frozen=True, slots=True)
class Lookup:
    """For each constant: prior logarithms, and (slots, weight, colour) of each level."""

    priors: dict[str, Vector]
    bounds: dict[str, float]
    reads: dict[str, list[tuple[NDArray[np.int64], Vector, str]]]


def lookup(part: Part, slots: Slots, *, grow: bool) -> Lookup:
    """Where the constants of a part come from; `grow` adds slots for keys not seen before."""
    priors, bounds, reads = {}, {}, {}
    find = slots.slot if grow else slots.known
    for constant in CONSTANTS:
        term, piece = PARTS.get(constant, (constant, ""))
        prior = TERMS[term]
        formats = [levels.key("format", piece) for levels in part.levels]
        priors[constant] = np.log([prior.by_format.get(f, prior.median) for f in formats])
        bounds[constant] = prior.most
        found = [
            (np.full(len(formats), find(term, "all", "all")), np.ones(len(formats)), f"{term}:all")
        ]
        for level in prior.levels:
            name = level.removeprefix("age:")
            keys = [levels.key(name, piece) for levels in part.levels]
            index = np.array(
                [find(term, level, key) if usable(key) else -1 for key in keys], dtype=np.int64
            )
            weight = np.ones(len(keys))
            if level.startswith("age:"):
                weight = np.array([levels.age for levels in part.levels])
            if "format" in level:
                for number_format in sorted(set(formats)):
                    mask = np.array([f == number_format for f in formats])
                    found.append(
                        (np.where(mask, index, -1), weight, f"{term}:{level}:{number_format}")
                    )
            else:
                found.append((index, weight, f"{term}:{level}"))
        reads[constant] = found
    return Lookup(priors, bounds, reads)


def usable(key: str) -> bool:
    """False where a part of a key is not known."""
    return all(key.split("|"))


def constants(table: Lookup, theta: Vector) -> Constants:
    """Constants of all cases of a part."""
    padded = np.append(theta, 0.0)  # index -1 reads this: no factor
    values = {}
    for name, prior in table.priors.items():
        total = prior.copy()
        for index, weight, _ in table.reads[name]:
            total += padded[index] * weight
        values[name] = np.minimum(np.exp(total), table.bounds[name])
    return Constants(**values)
