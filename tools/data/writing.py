"""How the catalog's files are written: the same bytes from the same input."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path


@dataclass(frozen=True, slots=True)
class FigureRow:
    """One figure in the long form that all tables of the catalog share."""

    key: str
    field: str
    value: float | None
    unit: str
    source: str
    date: str
    grade: str
    note: str = ""


def read(path: Path) -> list[dict[str, str]]:
    """Rows of a CSV file, gzip or not."""
    raw = path.read_bytes()
    text = (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode("utf-8")
    return list(csv.DictReader(io.StringIO(text)))


def number(value: float | None) -> str:
    """Shortest text that reads back as the same number; empty for unknown."""
    if value is None:
        return ""
    if float(value).is_integer() and abs(value) < 1e18:
        return str(int(value))
    return repr(float(f"{value:.12g}"))


def csv_text(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A CSV text with Unix line ends."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return out.getvalue()


def write(path: Path, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Write a CSV file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(csv_text(header, rows), encoding="utf-8")


def write_gz(path: Path, text: str) -> None:
    """Write a gzip file without a time stamp, so that it is the same each time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as raw, gzip.GzipFile("", "wb", 9, raw, mtime=0) as packed:
        packed.write(text.encode("utf-8"))


def write_figures(path: Path, rows: Iterable[FigureRow]) -> None:
    """Write figures in the long form."""
    header = [f.name for f in fields(FigureRow)]
    write(
        path,
        header,
        (
            [number(v) if v is None or isinstance(v, float | int) else v for v in astuple(row)]
            for row in rows
        ),
    )
