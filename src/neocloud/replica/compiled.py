"""The kernels as a door takes them: plain, or the same source compiled."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import FunctionType
from typing import Any

import numpy as np

from neocloud.replica import cache, kernels
from neocloud.replica.state import Column, MakeColumn, State


@dataclass(frozen=True, slots=True)
class Kernels:
    """One way to run the scheduler; both ways give the same numbers (R15).

    Attributes:
        column: makes the columns that these functions take.
        submit: see `kernels.submit`; so the others.
    """

    column: MakeColumn
    submit: Callable[[State, int, int, int, int, int], int]
    abort: Callable[[State, int], None]
    begin_step: Callable[[State], int]
    end_step: Callable[[State], None]
    held_blocks: Callable[[State], int]


def _list(length: int, value: int) -> Column:
    return [value] * length


def _array(length: int, value: int) -> Column:
    return np.full(length, value, dtype=np.int64)


PLAIN = Kernels(
    column=_list,
    submit=kernels.submit,
    abort=kernels.abort,
    begin_step=kernels.begin_step,
    end_step=kernels.end_step,
    held_blocks=cache.held_blocks,
)
"""Plain Python on lists: starts at once, for the emulated engine."""


def compiled_functions(jit: Callable[[FunctionType], Any]) -> dict[str, Any]:
    """Every kernel passed through `jit`, each calling the others' compiled form, by name.

    Args:
        jit: for example `numba.njit`. It must look globals up no sooner than at the first call.
    """
    functions = {
        name: value
        for module in (cache, kernels)
        for name, value in vars(module).items()
        if isinstance(value, FunctionType) and value.__module__ == module.__name__
    }
    world: dict[str, Any] = {**vars(cache), **vars(kernels)}
    for name, function in functions.items():
        world[name] = jit(FunctionType(function.__code__, world, name))
    return {name: world[name] for name in functions}


def compiled(jit: Callable[[FunctionType], Any]) -> Kernels:
    """The kernels compiled by `jit`, on arrays: for many replicas in virtual time."""
    functions = compiled_functions(jit)
    return Kernels(
        column=_array,
        submit=functions["submit"],
        abort=functions["abort"],
        begin_step=functions["begin_step"],
        end_step=functions["end_step"],
        held_blocks=functions["held_blocks"],
    )
