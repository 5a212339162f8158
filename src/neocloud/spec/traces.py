"""Traces that a cloud file points to: requests as CSV or JSON lines, read within limits."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import math
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from neocloud.catalog import DailyShape, Trace

MAX_BYTES: Final = 128_000_000
"""Size of a trace, unpacked."""
MAX_REQUESTS: Final = 2_000_000
MAX_TOKENS: Final = 10_000_000
SUFFIXES: Final = (".csv", ".csv.gz", ".jsonl", ".jsonl.gz")

_COLUMNS: Final = {
    "arrival_s": (("arrival_s", 1.0), ("timestamp", 1e-3)),
    "input_tokens": (("input_tokens", 1.0), ("input_length", 1.0)),
    "output_tokens": (("output_tokens", 1.0), ("output_length", 1.0)),
}
"""Names that a column may have, each with what one of its units is: Mooncake's traces have
`timestamp` in milliseconds."""
_DAY_S: Final = 86_400.0
_LONGEST_S: Final = 366 * _DAY_S
_NEARLY_A_DAY_S: Final = 23 * 3600.0


class TraceFileError(ValueError):
    """A trace that cannot be used: says the file, the line and what is wrong there."""


@dataclass(frozen=True, slots=True, eq=False)
class TraceFile:
    """A trace that was read.

    Attributes:
        trace: its requests; `key` is the path as the cloud file writes it.
        timed: true where it says when each request arrived.
        content_hash: of its bytes.
        shape: rate by hour of its own clock, mean 1; None where it is shorter than 23 hours.
    """

    trace: Trace
    timed: bool
    content_hash: str
    shape: DailyShape | None

    @property
    def requests(self) -> int:
        """Requests in it."""
        return len(self.trace.arrival_s)

    @property
    def span_s(self) -> float:
        """Time from the first arrival to the last, s."""
        return float(self.trace.arrival_s[-1] - self.trace.arrival_s[0])

    @property
    def requests_per_s(self) -> float:
        """Mean rate: intervals between arrivals over the span; 0 where all come at once."""
        return (self.requests - 1) / self.span_s if self.span_s > 0 else 0.0


def is_trace_path(text: str) -> bool:
    """True for a text that names a trace file rather than a trace of the catalog."""
    return text.endswith(SUFFIXES)


def read_trace_file(name: str, base: Path | None) -> TraceFile:
    """Read a trace.

    Args:
        name: path as the cloud file writes it.
        base: folder that a relative path starts from; None for the current one.

    Raises:
        TraceFileError: it is not there, too large, or a row is wrong.
    """
    raw = _read_bytes(name, Path(name) if base is None else base / name)
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise TraceFileError(f"{name} is not UTF-8 text (byte {error.start})") from None
    rows = _json_rows if ".jsonl" in name else _csv_rows
    columns = _columns(name, rows(name, text))
    return _trace_file(name, columns, hashlib.sha256(raw).hexdigest()[:16])


def _read_bytes(name: str, path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            source = gzip.GzipFile(fileobj=file) if name.endswith(".gz") else file
            raw = source.read(MAX_BYTES + 1)
    except (OSError, EOFError, ValueError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise TraceFileError(f"{name} cannot be read: {reason}") from None
    if len(raw) > MAX_BYTES:
        raise TraceFileError(f"{name} is over {MAX_BYTES:,} bytes, unpacked")
    return raw


Row = tuple[int, Mapping[str, object]]


def _csv_rows(name: str, text: str) -> Iterator[Row]:
    reader = csv.DictReader(io.StringIO(text))
    try:
        for row in reader:
            yield reader.line_num, row
    except csv.Error as error:
        raise TraceFileError(f"{name}:{reader.line_num}: {error}") from None


def _json_rows(name: str, text: str) -> Iterator[Row]:
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            raise TraceFileError(f"{name}:{number}: no JSON") from None
        if not isinstance(row, dict):
            raise TraceFileError(f"{name}:{number}: no JSON object")
        yield number, row


def _columns(name: str, rows: Iterator[Row]) -> dict[str, list[float]]:
    """Values by column; arrivals are left out where the first row has none."""
    found: dict[str, list[float]] = {}
    used: dict[str, tuple[str, float]] = {}
    count = 0
    for number, row in rows:
        if not used:
            used = _names(name, row)
            found = {column: [] for column in used}
        count += 1
        if count > MAX_REQUESTS:
            raise TraceFileError(f"{name} has over {MAX_REQUESTS:,} requests")
        for column, (given, unit) in used.items():
            least = 0.0 if column == "arrival_s" else 1.0
            value = _number(row.get(given))
            most = math.inf if column == "arrival_s" else MAX_TOKENS
            whole = value is None or column == "arrival_s" or value.is_integer()
            if value is None or not least <= value <= most or not whole:
                told = f"{given} is {str(row.get(given))[:40]!r}"
                expected = "seconds from 0 on" if column == "arrival_s" else (
                    f"a whole number from 1 to {MAX_TOKENS:,}"
                )  # fmt: skip
                raise TraceFileError(f"{name}:{number}: {told}, expected {expected}")
            values = found[column]
            if column == "arrival_s" and values and value * unit < values[-1]:
                raise TraceFileError(f"{name}:{number}: {given} goes back in time")
            values.append(value * unit)
    if not count:
        raise TraceFileError(f"{name} has no requests")
    return found


def _names(name: str, row: Mapping[str, object]) -> dict[str, tuple[str, float]]:
    used = {}
    for column, choices in _COLUMNS.items():
        given = next((choice for choice in choices if choice[0] in row), None)
        if given is not None:
            used[column] = given
        elif column != "arrival_s":
            has = ", ".join(str(key)[:40] for key in list(row)[:8])
            raise TraceFileError(f"{name} has no {column}; its columns are {has}")
    return used


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _trace_file(name: str, columns: Mapping[str, list[float]], digest: str) -> TraceFile:
    import numpy as np  # only a file that names a trace pays for loading it

    inputs = np.array(columns["input_tokens"], dtype=np.float64).astype(np.int64)
    outputs = np.array(columns["output_tokens"], dtype=np.float64).astype(np.int64)
    timed = "arrival_s" in columns
    arrivals = np.array(columns.get("arrival_s", [0.0] * len(inputs)), dtype=np.float64)
    if arrivals[-1] - arrivals[0] > _LONGEST_S:
        raise TraceFileError(f"{name} covers over 366 days; are its arrivals in seconds?")
    for column in (arrivals, inputs, outputs):
        column.setflags(write=False)
    trace = Trace(
        key=name, arrival_s=arrivals, input_tokens=inputs, output_tokens=outputs, source=name
    )
    return TraceFile(trace, timed, digest, _shape(trace) if timed else None)


def _shape(trace: Trace) -> DailyShape | None:
    """Arrivals by hour of the trace's clock, each over the time that it covers of that hour."""
    arrivals = trace.arrival_s
    first, last = float(arrivals[0]), float(arrivals[-1])
    if last - first < _NEARLY_A_DAY_S:
        return None
    covered = [0.0] * 24
    start = first
    while start < last:
        end = min(last, (start // 3600.0 + 1.0) * 3600.0)
        covered[int(start % _DAY_S // 3600.0)] += end - start
        start = end
    counts = [0] * 24
    for hour in (arrivals % _DAY_S // 3600.0).astype(int).tolist():
        counts[hour] += 1
    rates = [n / s if s > 0 else 0.0 for n, s in zip(counts, covered, strict=True)]
    mean = sum(rates) / 24
    return DailyShape(
        trace.key, tuple(rate / mean for rate in rates), trace.key, "arrivals of the file's trace"
    )
