"""The numbers of a configuration under a predictor's fit: the physics, without the learned part."""

from __future__ import annotations

from neocloud.catalog import Accelerator, Architecture
from neocloud.perf.checks import check
from neocloud.perf.levels import levels_of
from neocloud.perf.numbers import StepNumbers, numbers_of
from neocloud.perf.predictor import Predictor, shipped
from neocloud.perf.records import Configuration
from neocloud.perf.work import step_work


class NoParametersError(ValueError):
    """Nothing measured stands behind a kind of accelerator: it stays out of predictions."""


def require_measured(accelerator: Accelerator, predictor: Predictor | None = None) -> None:
    """Raise `NoParametersError` where neither the kind nor its generation was measured."""
    known = (predictor or shipped()).generations
    if not accelerator.measured and accelerator.generation not in known:
        raise NoParametersError(
            f"{accelerator.key} cannot be predicted: no measured result stands behind it or any "
            f"accelerator of its generation ({accelerator.generation}). Predictions exist for "
            f"{', '.join(sorted(known))}."
        )


def step_numbers(
    architecture: Architecture,
    accelerator: Accelerator,
    configuration: Configuration,
    predictor: Predictor | None = None,
    *,
    layer: str = "",
) -> StepNumbers:
    """Derive the kernels' numbers, as engines were at their newest rows.

    Workers of prefill apart from decode have the same numbers but for `transfer_s`, which goes by
    the layer between them.

    Args:
        architecture: the model.
        accelerator: what it runs on.
        configuration: how it runs.
        predictor: what it rests on; None for the shipped one.
        layer: what splits prefill from generation, see `layer_of`; empty in one engine.

    Raises:
        NoParametersError: nothing measured stands behind the accelerator.
        ConfigurationError: the configuration cannot exist on this accelerator.
        MissingFigureError: a figure of the accelerator that is needed is not known.
    """
    used = predictor or shipped()
    require_measured(accelerator, used)
    check(architecture, accelerator, configuration)
    age = used.age(configuration.engine)
    levels = levels_of(architecture, accelerator, configuration, layer=layer, age=age)
    return numbers_of(step_work(architecture, accelerator, configuration), used.constants(levels))
