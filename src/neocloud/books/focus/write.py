"""Writing an export: every file is whole and checked before any of them takes its name."""

from __future__ import annotations

import csv
import os
import secrets
from collections.abc import Iterable
from pathlib import Path

import msgspec

from neocloud.books.focus.check import problems_of
from neocloud.books.focus.columns import Dataset, datasets
from neocloud.books.focus.records import FocusExport, Version


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """A file that was written, and its rows."""

    path: Path
    rows: int


def write_export(export: FocusExport, version: Version, folder: Path) -> tuple[Written, ...]:
    """Write the files of an export into a folder, which is made if need be.

    Each file takes the place of one of its name. Killed or failed before the first has its name,
    nothing of it is there but files that begin with a dot.

    Raises:
        OSError: the folder or a file cannot be written; then no file has its name.
    """
    folder.mkdir(parents=True, exist_ok=True)
    token = secrets.token_hex(4)
    parts: list[tuple[Path, Path, int]] = []
    try:
        for dataset in datasets(export, version):
            path = folder / dataset.name
            part = folder / f".{token}.{dataset.name}"
            parts.append((part, path, len(dataset.rows)))
            _write(part, dataset)
        told = problems_of((part for part, _, _ in parts), export.totals)
        assert not told, "\n".join(told)
        for part, path, _ in parts:
            part.replace(path)
        _sync(folder)
    finally:
        _remove(part for part, _, _ in parts)
    return tuple(Written(path=path, rows=rows) for _, path, rows in parts)


def _write(part: Path, dataset: Dataset) -> None:
    with part.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(dataset.lines())
        file.flush()
        os.fsync(file.fileno())


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove(paths: Iterable[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)
