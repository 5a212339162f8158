"""Traces of requests and daily shapes of demand."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from neocloud.catalog.records import DailyShape, Trace
from neocloud.catalog.tables import DATA, read_rows, read_text

_TRACE_SOURCES = {"azure-conv": "azure-trace", "azure-code": "azure-trace"}


def trace_names() -> tuple[str, ...]:
    """Keys of the traces, sorted."""
    names = (path.name for path in (DATA / "traces").glob("*.csv.gz"))
    return tuple(sorted(name.removesuffix(".csv.gz") for name in names))


def read_trace(key: str) -> Trace:
    """Read the trace `key`: some ten thousand rows, so numpy parses them."""
    import numpy as np

    text = read_text(f"traces/{key}.csv.gz")
    table = np.loadtxt(text.splitlines(), delimiter=",", skiprows=1, dtype=np.float64)
    trace = Trace(
        key=key,
        arrival_s=table[:, 0].copy(),
        input_tokens=table[:, 1].astype(np.int64),
        output_tokens=table[:, 2].astype(np.int64),
        source=_TRACE_SOURCES[key],
    )
    for column in (trace.arrival_s, trace.input_tokens, trace.output_tokens):
        column.setflags(write=False)  # the catalog hands the same arrays to everyone
    return trace


def read_shapes() -> Mapping[str, DailyShape]:
    """All daily shapes by key; each is scaled to a mean of exactly 1 but for rounding."""
    shapes = {}
    for row in read_rows("shapes.csv"):
        values = [float(row[str(hour)]) for hour in range(24)]
        mean = sum(values) / 24
        shapes[row["key"]] = DailyShape(
            row["key"], tuple(v / mean for v in values), row["source"], row["note"]
        )
    return MappingProxyType(shapes)
