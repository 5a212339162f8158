"""Shocks together: one upon another, and many side by side as paths."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from neocloud.finance.arithmetic import Array
from neocloud.finance.shocks import NONE, Series, Shocks

_FACTORS = ("rental", "token", "power", "utilisation", "delivered", "refinancing")
"""Series whose factors multiply."""
_BY_KEY = ("component", "alive")
"""The same by key."""


def combined(one: Shocks, other: Shocks) -> Shocks:
    """Both at once.

    Factors multiply, what is added to rates and months of delay add up; of what is let again and of
    fees that are paid the lesser counts.
    """
    fields: dict[str, Any] = {
        name: _joined(getattr(one, name), getattr(other, name), _product) for name in _FACTORS
    }
    for name in _BY_KEY:
        fields[name] = _by_key(getattr(one, name), getattr(other, name), _product)
    fields["base_rate"] = _joined(one.base_rate, other.base_rate, _sum)
    fields["relet"] = _by_key(one.relet, other.relet, _lesser)
    fields["delay"] = _numbers(one.delay, other.delay, _sum)
    fields["residual"] = _numbers(one.residual, other.residual, _product)
    fields["fee_collected"] = _lesser(one.fee_collected, other.fee_collected)
    fields["life"] = one.life * other.life
    return Shocks(**fields)


def all_combined(shocks: Iterable[Shocks]) -> Shocks:
    """All at once; of none the base case."""
    found = NONE
    for one in shocks:
        found = one if found is NONE else combined(found, one)
    return found


def stacked(shocks: Sequence[Shocks], months: int) -> Shocks:
    """Side by side: the first path has the first ones, and so on. Each is of numbers alone.

    Args:
        shocks: one a path.
        months: of the model.
    """
    fields: dict[str, Any] = {
        name: _series([getattr(one, name) for one in shocks], months, 1.0) for name in _FACTORS
    }
    fields["base_rate"] = _series([one.base_rate for one in shocks], months, 0.0)
    for name, still in (("component", 1.0), ("alive", 1.0), ("relet", 0.0)):
        maps = [getattr(one, name) for one in shocks]
        fields[name] = {
            key: _series([each.get(key) for each in maps], months, still) for key in _keys(maps)
        }
    delays = [one.delay for one in shocks]
    fields["delay"] = {
        key: np.array([int(each.get(key, 0)) for each in delays]) for key in _keys(delays)
    }
    residuals = [one.residual for one in shocks]
    fields["residual"] = {
        key: np.array([float(each.get(key, 1)) for each in residuals]) for key in _keys(residuals)
    }
    fields["fee_collected"] = np.array([float(one.fee_collected) for one in shocks])
    fields["life"] = np.array([float(one.life) for one in shocks])
    return Shocks(**fields)


def _joined(one: Series | None, other: Series | None, join: Callable[[Any, Any], Any]) -> Any:
    if one is None or other is None:
        return other if one is None else one
    return tuple(join(left, right) for left, right in zip(one, other, strict=True))


def _by_key(
    one: Mapping[str, Series], other: Mapping[str, Series], join: Callable[[Any, Any], Any]
) -> dict[str, Any]:
    return {key: _joined(one.get(key), other.get(key), join) for key in _keys([one, other])}


def _numbers(
    one: Mapping[str, Any], other: Mapping[str, Any], join: Callable[[Any, Any], Any]
) -> dict[str, Any]:
    return {
        key: join(one[key], other[key])
        if key in one and key in other
        else one.get(key, other.get(key))
        for key in _keys([one, other])
    }


def _keys(maps: Sequence[Mapping[str, Any]]) -> list[str]:
    return list(dict.fromkeys(key for each in maps for key in each))


def _series(given: Sequence[Series | None], months: int, still: float) -> Array | None:
    """Shape (months, paths); None where no path has one."""
    if all(one is None for one in given):
        return None
    columns = [[still] * months if one is None else [float(item) for item in one] for one in given]
    return np.array(columns).T.copy()


def _product(one: Any, other: Any) -> Any:
    return one * other


def _sum(one: Any, other: Any) -> Any:
    return one + other


def _lesser(one: Any, other: Any) -> Any:
    if isinstance(one, np.ndarray) or isinstance(other, np.ndarray):
        return np.minimum(one, other)
    return min(one, other)
