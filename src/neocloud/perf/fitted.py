"""The fit that the package carries, and the numbers of a configuration under it."""

from __future__ import annotations

from functools import cache, lru_cache
from pathlib import Path

from neocloud.catalog import Accelerator, Architecture
from neocloud.perf.checks import check
from neocloud.perf.constants import Constants, Fit, Levels, constants_of
from neocloud.perf.levels import levels_of
from neocloud.perf.numbers import StepNumbers, numbers_of
from neocloud.perf.predictor import shipped
from neocloud.perf.records import Configuration
from neocloud.perf.work import step_work

_PATH = Path(__file__).parent / "data" / "fit.json"


@cache
def shipped_fit() -> Fit:
    """The parameters that `make fit` made from published results."""
    return shipped().fit


class NoParametersError(ValueError):
    """Nothing measured stands behind a kind of accelerator: it stays out of predictions."""


@cache
def _shipped_generations() -> frozenset[str]:
    return measured_generations(shipped_fit())


def measured_generations(fit: Fit) -> frozenset[str]:
    """Generations of accelerators that rows of the fit were measured on."""
    return frozenset(
        generation for levels in fit.factors.values() for generation in levels.get("generation", ())
    )


def require_measured(accelerator: Accelerator, fit: Fit | None = None) -> None:
    """Raise `NoParametersError` where neither the kind nor its generation was measured."""
    known = measured_generations(fit) if fit else _shipped_generations()
    if not accelerator.measured and accelerator.generation not in known:
        raise NoParametersError(
            f"{accelerator.key} cannot be predicted: no measured result stands behind it or any "
            f"accelerator of its generation ({accelerator.generation}). Predictions exist for "
            f"{', '.join(sorted(known))}."
        )


@cache
def shipped_hash() -> str:
    """Sixteen hex digits over the shipped parameters, kept in plans."""
    return shipped().digest


@lru_cache(maxsize=1024)
def _shipped_constants(levels: Levels) -> Constants:
    # A search looks at many configurations that differ in nothing that constants vary with.
    return constants_of(shipped_fit(), levels)


def step_numbers(
    architecture: Architecture,
    accelerator: Accelerator,
    configuration: Configuration,
    fit: Fit | None = None,
) -> StepNumbers:
    """Derive the kernels' numbers.

    Args:
        architecture: the model.
        accelerator: what it runs on.
        configuration: how it runs.
        fit: fitted parameters; None for the shipped ones.

    Raises:
        NoParametersError: nothing measured stands behind the accelerator.
        ConfigurationError: the configuration cannot exist on this accelerator.
        MissingFigureError: a figure of the accelerator that is needed is not known.
    """
    require_measured(accelerator, fit)
    check(architecture, accelerator, configuration)
    levels = levels_of(architecture, accelerator, configuration)
    constants = constants_of(fit, levels) if fit else _shipped_constants(levels)
    return numbers_of(step_work(architecture, accelerator, configuration), constants)
