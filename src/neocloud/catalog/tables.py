"""Reading the catalog's tables: CSV rows, and figures in the long form that all tables share."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType

from neocloud.catalog.records import CatalogError, Figure, Grade

DATA = Path(__file__).parent / "data"


def read_text(name: str) -> str:
    """Text of a data file; names that end in `.gz` are unpacked."""
    raw = (DATA / name).read_bytes()
    return (gzip.decompress(raw) if name.endswith(".gz") else raw).decode("utf-8")


def read_rows(name: str) -> Iterator[dict[str, str]]:
    """Rows of a CSV file by column name."""
    return csv.DictReader(read_text(name).splitlines())


@cache
def read_figures(name: str) -> Mapping[str, Mapping[str, Figure]]:
    """Figures of a long-form file, by key and field. An empty value is an unknown figure."""
    table: dict[str, dict[str, Figure]] = {}
    for row in read_rows(name):
        table.setdefault(row["key"], {})[row["field"]] = Figure(
            value=float(row["value"]) if row["value"] else None,
            unit=row["unit"],
            source=row["source"],
            date=row["date"],
            grade=Grade(row["grade"]),
            note=row["note"],
        )
    return MappingProxyType(table)


def unknown_key(kind: str, key: str, known: Mapping[str, object] | tuple[str, ...]) -> CatalogError:
    """The error for a `key` that is not among the `known` ones, with the nearest that are."""
    near = nearest(key, known)
    hint = f"nearest: {', '.join(near)}" if near else f"known: {', '.join(list(known)[:12])}"
    return CatalogError(f"the catalog has no {kind} {key!r}; {hint}", near)


def nearest(
    key: str, known: Mapping[str, object] | tuple[str, ...], count: int = 3
) -> tuple[str, ...]:
    """Up to `count` names closest to `key`: those that contain it, then those spelt alike."""
    import difflib

    wanted = key.lower()
    folded = {name.lower(): name for name in known}
    held = [name for name in folded if len(wanted) >= 3 and wanted in name]
    held.sort(key=lambda name: (not name.startswith(wanted), len(name)))
    close = difflib.get_close_matches(wanted, folded, n=count, cutoff=0.65)
    best = [name for name in close if name == wanted] + held
    best += [name for name in close if name not in best]
    return tuple(folded[name] for name in best[:count])
