"""Numbers and dates in the fields of a row."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import date

from neocloud.calibration.records import RowError

Fields = Mapping[str, str]
_MOST = 1e9
"""No length, load or result is larger, and none smaller than its inverse."""


def number(fields: Fields, name: str, default: float | None = None) -> float:
    """A number above 0 of a size that can be; `default` where the field is missing or empty.

    Raises:
        RowError: there is neither, or it is no such number.
    """
    text = (fields.get(name) or "").strip()
    if not text:
        if default is None:
            raise RowError(f"{name} is not given")
        return default
    try:
        value = float(text)
    except ValueError:
        raise RowError(f"{name} is {text[:40]!r}, not a number") from None
    if not math.isfinite(value) or value <= 0:
        raise RowError(f"{name} is {text[:40]!r}, not a number above 0")
    if not 1.0 / _MOST <= value <= _MOST:
        raise RowError(f"{name} is {text[:40]!r}, not a number from {1.0 / _MOST:g} to {_MOST:g}")
    return value


def whole(fields: Fields, name: str, default: int | None = None) -> int:
    """A whole number from 1 to a million; `default` where the field is missing, empty or 0."""
    text = (fields.get(name) or "").strip()
    if default is not None and text in {"", "0", "0.0"}:
        return default
    value = number(fields, name, None if default is None else float(default))
    if value != int(value) or value > 1e6:
        raise RowError(f"{name} is {text[:40]!r}, not a whole number up to a million")
    return int(value)


def flag(fields: Fields, name: str) -> bool:
    """True for 1 or true."""
    return (fields.get(name) or "").strip().lower() in {"1", "1.0", "true", "yes"}


def year(fields: Fields, name: str = "date") -> float | None:
    """A date as a year with its fraction; None where there is none, or no ISO date."""
    text = (fields.get(name) or "").strip()[:10]
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day.year + (day.timetuple().tm_yday - 1) / 365.25


def optional(fields: Fields, name: str) -> float | None:
    """A measured value, or None where it is missing or no positive number."""
    try:
        return number(fields, name)
    except RowError:
        return None
