"""Indicators for other programs: values that JSON knows, and a table of all series."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from fractions import Fraction
from typing import Any

import msgspec

from neocloud.finance.indicators.records import Series


def plain(record: msgspec.Struct) -> Any:
    """A record of this package as dicts, lists, numbers and texts, ready for JSON.

    Exact quotients become the nearest float; money in pico-units stays a whole number.
    """
    return msgspec.to_builtins(record, enc_hook=_encoded)


def indicators_csv(series: Iterable[Series]) -> str:
    """One line a series and month; what is not known is empty, with the reason beside it."""
    lines: list[str] = []
    writer = csv.writer(_Lines(lines), lineterminator="\n")
    writer.writerow(["series", "month", "origin", "unit", "value", "change", "unknown"])
    for one in series:
        for point in one.points:
            writer.writerow(
                [
                    one.key, point.month, point.origin, one.unit, _number(point.value),
                    _number(point.change), point.unknown,
                ]
            )  # fmt: skip
    return "".join(lines)


class _Lines:
    """What `csv` writes into: a list, for nothing here touches a file."""

    def __init__(self, lines: list[str]) -> None:
        self._lines = lines

    def write(self, text: str) -> None:
        self._lines.append(text)


def _number(value: Fraction | None) -> str:
    return "" if value is None else repr(float(value))


def _encoded(value: object) -> object:
    if isinstance(value, Fraction):
        return float(value)
    raise TypeError(f"no form for {type(value)}")
