"""Sites' energy meters: a table that grows, or a Prometheus server, read while the gateway runs.

What a meter tells goes into the ledger as it is, for the site as a whole; `ledger.shared_energy`
shares it out. A line is known by its time, so that it counts once, however often it is read, after
a restart too; a line that comes late counts as well, up to `LATE_S`.
"""

from __future__ import annotations

import asyncio
import csv
import json
import logging
import math
import os
import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec

from neocloud.ledger import EnergyEvent, Ledger
from neocloud.spec import Cloud
from neocloud.units import SECOND_NS
from neocloud.wire import Address, Client, UpstreamError, fetch

log = logging.getLogger(__name__)

POLL_S = 30.0
STEP_S = 60
"""Of the power that a Prometheus server is asked for."""
SETTLE_S = 120
"""A span counts once it is so old: lines and samples of the time before may still be on their way.
Assumption: twice a usual interval of scraping or writing."""
LATE_S = 7 * 86_400
"""How late a line may come and still count."""
GAP_S = 3 * 3600
"""After a longer pause of a table of powers nothing is known of the time between: it broke."""
_TAIL_BYTES = 4 * 2**20
"""Of a table that are read: a week of lines every six seconds."""
_TIMEOUT_S = 10.0
_MAX_POINTS = 10_000
"""A server gives 11,000 points of a series at the most."""
_TOO_LARGE_KWH = 1e7
"""Above it a line is a slip: ten gigawatts for an hour."""


class CsvMeter(msgspec.Struct, frozen=True, kw_only=True):
    """A table that the site's meter appends to."""

    site: str
    path: Path


class PrometheusMeter(msgspec.Struct, frozen=True, kw_only=True):
    """A server that is asked for the site's power in watts."""

    site: str
    url: str
    query: str


SiteMeter = CsvMeter | PrometheusMeter


class Line(msgspec.Struct, frozen=True, order=True):
    """What a table's line says: when, and kWh since the line before or mean watts since then."""

    time_ns: int
    kwh: float | None
    watts: float | None


class Used(msgspec.Struct, frozen=True, order=True):
    """Energy of a site over a span."""

    end_ns: int
    start_ns: int
    kwh: float


def meters_of(cloud: Cloud, folder: Path) -> tuple[SiteMeter, ...]:
    """The meters that the cloud file names; paths start from its folder."""
    found: list[SiteMeter] = []
    for site in cloud.sites.values():
        meter = site.meter
        if meter is None:
            continue
        if meter.csv:
            found.append(CsvMeter(site=site.key, path=folder / meter.csv))
        else:
            found.append(PrometheusMeter(site=site.key, url=meter.prometheus, query=meter.query))
    return tuple(found)


def read_lines(text: str) -> tuple[list[Line], int]:
    """Lines of a table by time, each time once (the last one told holds), and how many are none.

    A header names the columns; `time` is ISO 8601 (UTC unless it says otherwise) or seconds since
    the epoch, `kWh` or `W` a number of at least 0. Other columns are passed over.

    Raises:
        ValueError: there is no such header.
    """
    rows = csv.reader(text.splitlines())
    header = [name.strip().lower() for name in next(rows, [])]
    if "time" not in header or not {"kwh", "w"} & set(header):
        raise ValueError("its first line must name the columns time, and kWh or W")
    found: dict[int, Line] = {}
    wrong = 0
    for row in rows:
        if not row:
            continue
        line = _line(dict(zip(header, (cell.strip() for cell in row), strict=False)))
        if line is None:
            wrong += 1
        else:
            found[line.time_ns] = line
    return sorted(found.values(), key=lambda line: line.time_ns), wrong


def spans_of(lines: Sequence[Line]) -> list[Used]:
    """Energy from line to line. The first says only when the meter begins."""
    spans = []
    for before, line in pairwise(lines):
        length_s = (line.time_ns - before.time_ns) / 1e9
        if line.kwh is not None:
            kwh = line.kwh
        elif line.watts is not None and length_s <= GAP_S:
            kwh = line.watts * length_s / 3.6e6
        else:
            continue
        spans.append(Used(line.time_ns, before.time_ns, kwh))
    return spans


class Kept:
    """Up to when each site's meter was read, beside the segments: where to go on after a restart.

    Losing it does no harm but one: powers that a late line tells of may then count twice.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._upto: dict[str, int] = {}
        try:
            self._upto = msgspec.json.decode(path.read_bytes(), type=dict[str, int])
        except FileNotFoundError:
            pass
        except (OSError, msgspec.MsgspecError) as error:
            log.warning("%s cannot be read, meters are read anew: %s", path, error)

    def upto(self, site: str) -> int | None:
        """End of the last span that was written; None if there is none."""
        return self._upto.get(site)

    def move(self, site: str, end_ns: int) -> None:
        """Note that all up to then is written."""
        if end_ns <= self._upto.get(site, 0):
            return
        self._upto[site] = end_ns
        made = self._path.with_suffix(".new")
        try:
            made.write_bytes(msgspec.json.encode(self._upto))
            made.replace(self._path)
        except OSError as error:
            log.warning("%s cannot be written: %s", self._path, error)


class EnergyMeters:
    """Reads all meters and writes what they tell. For one worker of a gateway only.

    Args:
        meters: which there are.
        ledger: where events go.
        kept: up to where they were read.
    """

    def __init__(self, meters: Iterable[SiteMeter], ledger: Ledger, kept: Kept) -> None:
        self.change(meters)
        self._ledger = ledger
        self._kept = kept
        self._written: dict[str, set[int]] = {}

    def change(self, meters: Iterable[SiteMeter]) -> None:
        """Read other meters from now on."""
        self._meters = tuple(meters)
        self._looked: dict[str, tuple[int, int]] = {}

    async def run(self) -> None:
        """Read again and again, until cancelled."""
        client = Client()
        try:
            while True:
                await self.look(client, time.time_ns())
                await asyncio.sleep(POLL_S)
        finally:
            await client.close()

    async def look(self, client: Client, now_ns: int) -> None:
        """Read each meter once. One that cannot be read leaves its site modelled for that time."""
        for meter in self._meters:
            try:
                if isinstance(meter, CsvMeter):
                    await self._table(meter, now_ns)
                else:
                    await self._server(meter, client, now_ns)
            except (OSError, ValueError, UpstreamError) as error:
                log.warning("the meter of %s cannot be read: %s", meter.site, error)

    async def _table(self, meter: CsvMeter, now_ns: int) -> None:
        status = await asyncio.to_thread(meter.path.stat)
        # Whatever is too young to count yet must be looked at again, though no line came.
        looked = (status.st_size, min(now_ns, status.st_mtime_ns + (SETTLE_S + 1) * SECOND_NS))
        if self._looked.get(meter.site) == looked:
            return
        upto = self._kept.upto(meter.site)
        spans, wrong = await asyncio.to_thread(_new_spans, meter.path, upto)
        if wrong:
            log.warning("%s: lines that are none of a meter are passed over: %d", meter.path, wrong)
        self._write(meter.site, spans, now_ns)
        self._looked[meter.site] = looked

    async def _server(self, meter: PrometheusMeter, client: Client, now_ns: int) -> None:
        step_ns = STEP_S * SECOND_NS
        last = (now_ns - SETTLE_S * SECOND_NS) // step_ns
        upto = self._kept.upto(meter.site)
        first = last if upto is None else upto // step_ns + 1
        first = max(first, last - _MAX_POINTS + 1)
        if first > last:
            return
        samples = await _power(meter, client, first * STEP_S, last * STEP_S)
        spans = [
            Used(second * SECOND_NS, second * SECOND_NS - step_ns, watts * STEP_S / 3.6e6)
            for second, watts in sorted(samples.items())
        ]
        self._write(meter.site, spans, now_ns)

    def _write(self, site: str, spans: Iterable[Used], now_ns: int) -> None:
        oldest, newest = now_ns - LATE_S * SECOND_NS, now_ns - SETTLE_S * SECOND_NS
        written = {end for end in self._written.get(site, ()) if end >= oldest}
        self._written[site] = written
        last = 0
        for span in spans:
            if span.end_ns in written or not oldest <= span.end_ns <= newest:
                continue
            written.add(span.end_ns)
            last = max(last, span.end_ns)
            self._ledger.record_energy(
                EnergyEvent(
                    event_id=f"{site}/meter@{span.end_ns}",
                    start_ns=span.start_ns,
                    end_ns=span.end_ns,
                    site=site,
                    pool="",
                    model="",
                    holder="",
                    kwh=span.kwh,
                    modelled=False,
                    emulated=False,
                    purpose="",
                )
            )
        if last:
            self._kept.move(site, last)


def _new_spans(path: Path, upto_ns: int | None) -> tuple[list[Used], int]:
    """Spans of a table that may count, and how many of its lines are none.

    Energies add up whenever they come. Powers tell that of a time which has its energy already, if
    a line comes late between two that were read: that one is left out.
    """
    lines, wrong = read_lines(_tail(path))
    by_power = {line.time_ns for line in lines if line.kwh is None}
    spans = [
        span
        for span in spans_of(lines)
        if span.end_ns not in by_power or upto_ns is None or span.start_ns >= upto_ns
    ]
    return spans, wrong


def _tail(path: Path) -> str:
    """A table's header and its last lines; the last one only if it is whole."""
    with path.open("rb") as file:
        header = file.readline(4096)
        size = file.seek(0, os.SEEK_END)
        start = max(len(header), size - _TAIL_BYTES)
        file.seek(start)
        data = file.read(_TAIL_BYTES)
    if start > len(header):
        data = data[data.find(b"\n") + 1 :]
    data = data[: data.rfind(b"\n") + 1]  # a line without its end is still being written
    return header.decode("utf-8-sig", "replace") + data.decode("utf-8", "replace")


def _line(row: dict[str, str]) -> Line | None:
    try:
        time_ns = _time_ns(row["time"])
        kwh = float(row["kwh"]) if row.get("kwh") else None
        watts = float(row["w"]) if row.get("w") else None
    except (KeyError, ValueError, OverflowError):
        return None
    if kwh is None and watts is None:
        return None
    for value, most in ((kwh, _TOO_LARGE_KWH), (watts, _TOO_LARGE_KWH * 1e3)):
        if value is not None and not 0 <= value <= most:
            return None
    return Line(time_ns, kwh, watts)


def _time_ns(text: str) -> int:
    try:
        seconds = float(text)
    except ValueError:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        seconds = moment.timestamp()
    if not 0 < seconds < 2**33:
        raise ValueError(text)
    return round(seconds * 1000) * 1_000_000


async def _power(
    meter: PrometheusMeter, client: Client, start_s: int, end_s: int
) -> dict[int, float]:
    """Watts at each step, all series summed; a step that a series lacks is missing.

    Raises:
        UpstreamError: no answer came within `_TIMEOUT_S`.
        ValueError: it is an error, or no series of numbers.
    """
    address = Address.of_url(meter.url)
    path = meter.url.split("://", 1)[1].partition("/")[2].rstrip("/")
    prefix = f"/{path}" if path else ""
    target = (
        f"{prefix}/api/v1/query_range?query={quote(meter.query, safe='')}"
        f"&start={start_s}&end={end_s}&step={STEP_S}"
    )
    answer = await fetch(client.pool(address), b"GET", target.encode("ascii"), timeout_s=_TIMEOUT_S)
    if answer.status != 200:
        raise ValueError(f"{meter.url} answers with status {answer.status}: {answer.body[:200]!r}")
    try:
        series = _matrix(json.loads(answer.body))
    except (KeyError, TypeError, IndexError, ValueError):
        raise ValueError(f"{meter.url} gives no series for the query") from None
    return _summed(series)


def _matrix(told: Any) -> list[dict[int, float]]:
    if told["status"] != "success" or told["data"]["resultType"] != "matrix":
        raise ValueError("no matrix")
    return [
        {round(float(at)): float(value) for at, value in series["values"]}
        for series in told["data"]["result"]
    ]


def _summed(series: list[dict[int, float]]) -> dict[int, float]:
    if not series:
        return {}
    whole = set.intersection(*(set(each) for each in series))
    sums = {at: math.fsum(each[at] for each in series) for at in whole}
    return {at: watts for at, watts in sums.items() if math.isfinite(watts) and watts >= 0}
