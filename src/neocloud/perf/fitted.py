"""The fit that the package carries, and the numbers of a configuration under it."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

import msgspec

from neocloud.catalog import Accelerator, Architecture
from neocloud.perf.checks import check
from neocloud.perf.constants import Fit, constants_of
from neocloud.perf.levels import levels_of
from neocloud.perf.numbers import StepNumbers, numbers_of
from neocloud.perf.records import Configuration
from neocloud.perf.work import step_work

_PATH = Path(__file__).parent / "data" / "fit.json"


@cache
def shipped_fit() -> Fit:
    """The parameters that `make fit` made from published results."""
    return msgspec.json.decode(_PATH.read_bytes(), type=Fit)


@cache
def shipped_hash() -> str:
    """Sixteen hex digits over the shipped parameters, kept in plans."""
    return hashlib.sha256(_PATH.read_bytes()).hexdigest()[:16]


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
        ConfigurationError: the configuration cannot exist on this accelerator.
        MissingFigureError: a figure of the accelerator that is needed is not known.
    """
    check(architecture, accelerator, configuration)
    constants = constants_of(
        fit or shipped_fit(), levels_of(architecture, accelerator, configuration)
    )
    return numbers_of(step_work(architecture, accelerator, configuration), constants)
