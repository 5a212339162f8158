"""Corrections from a file: CSV or Parquet, a row a request, the fields that were metered wrongly.

A row says what the request's event, as it was first recorded, should have said; what it does not
say stays as it was recorded. So a row means the same whatever was corrected before, and the same
file again changes nothing. The rows of a file are held in memory.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any, Final

import msgspec

from neocloud.ledger.corrections import in_order
from neocloud.ledger.event_files import BackfillError, digest_of, read_rows
from neocloud.ledger.fitting import MOST_TOKENS
from neocloud.ledger.place import LedgerPlace
from neocloud.ledger.reader import Reader
from neocloud.ledger.records import CorrectionEvent, Status, UsageEvent
from neocloud.ledger.store import batch_of
from neocloud.units import Period

_ROWS = 5_000
"""Written in one transaction."""
_TOLD = 5
"""Mistakes that are told of at once."""
_MILLISECOND_NS = 1_000_000
COUNTS: Final = ("input_tokens", "cached_tokens", "output_tokens", "reasoning_tokens")
_TEXTS = ("correction_id", "request_id", "status", "reason", "made_by", "emulated")
_COLUMNS = (*COUNTS, *_TEXTS, "made_ns")
_CHANGES = (*COUNTS, "status")
_MOST_TEXT = 1_000
"""Characters of a reason, an id or a name."""


class CorrectionError(BackfillError):
    """A file of corrections cannot be taken; the message says which of its rows and why."""


class Proposal(msgspec.Struct, frozen=True, kw_only=True):
    """Corrections of a file beside a ledger.

    Attributes:
        digest: hash of the file's content.
        rows: of the file.
        repeated: of them, standing in it again.
        known: of them, on record already.
        superseded: of all, those that a later correction of the same request overrules.
        new: that the ledger has not, by request, time and id.
        events: as first recorded, of the requests of `new`, by request.
    """

    digest: str
    rows: int
    repeated: int
    known: int
    superseded: int
    new: tuple[CorrectionEvent, ...]
    events: tuple[UsageEvent, ...]


class _Row(msgspec.Struct, frozen=True):
    line: int
    said: dict[str, Any]
    """What it says, by column."""


def propose(path: Path, reader: Reader, now_ns: int, made_by: str) -> Proposal:
    """Read a file of corrections and set it beside a ledger.

    Args:
        path: CSV, or Parquet where its name says so. Columns: `request_id`, `reason`, of
            `input_tokens`, `cached_tokens`, `output_tokens`, `reasoning_tokens` and `status` those
            that change, and where they are to be told `correction_id`, `made_ns`, `made_by`.
        reader: the ledger.
        now_ns: present time; when the corrections are made whose rows say no other.
        made_by: by whom, likewise.

    Raises:
        CorrectionError: it is no such file, or a row of it cannot be, or contradicts another one or
            the ledger.
        LedgerError: the ledger cannot be read.
    """
    problems = _Problems(path)
    rows = list(_rows(path, problems))
    made, repeated, events = _made(rows, reader, (now_ns, made_by), problems)
    having = {c.correction_id: c for c in reader.corrections() if c.correction_id in made}
    for id_, known in having.items():
        row, mine = made[id_]
        if not _alike(known, mine, row):
            problems.add(row, f"correction {id_} is on record and says something else")
    problems.refuse()
    new = sorted((mine for id_, (_, mine) in made.items() if id_ not in having), key=in_order)
    asked = {mine.request_id for mine in new}
    return Proposal(
        digest=digest_of(path),
        rows=len(rows),
        repeated=repeated,
        known=len(having),
        superseded=_superseded(reader, [*having.values(), *new]),
        new=tuple(new),
        events=tuple(events[name] for name in sorted(asked)),
    )


def record(place: LedgerPlace, found: Proposal) -> int:
    """Write what is new into the store, durably; how many corrections it was.

    Raises:
        LedgerError: the store cannot be written; what was written before stays.
    """
    stream, done, rest = f"corrections of {found.digest}", 0, iter(found.new)
    with closing(place.connect()) as store:
        store.create()
        position = store.position(stream)
        while batch := list(islice(rest, _ROWS)):
            done += len(batch)
            store.apply(stream, position + done, batch_of(batch))
    return done


class _Problems:
    """What is wrong with rows, told together."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._word = "row" if path.suffix == ".parquet" else "line"
        self._told: list[tuple[int, str]] = []

    def add(self, row: _Row, text: str) -> None:
        self._told.append((row.line, f"{self._path}, {self._word} {row.line}: {text}"))

    def refuse(self) -> None:
        if self._told:
            told = [text for _, text in sorted(self._told)]
            more = [f"and {len(told) - _TOLD:,} more"] if len(told) > _TOLD else []
            raise CorrectionError("\n".join([*told[:_TOLD], *more, "Nothing was written"]))


def _rows(path: Path, problems: _Problems) -> Iterator[_Row]:
    names, rows = read_rows(path)
    strange = sorted(set(names) - set(_COLUMNS))
    if strange or len(set(names)) < len(names):
        raise CorrectionError(
            f"{path}: {', '.join(strange) or 'a column that is there twice'} cannot be corrected; "
            f"columns are {', '.join(_COLUMNS)}"
        )
    if not {"request_id", "reason"} <= set(names) or not set(names) & set(_CHANGES):
        raise CorrectionError(
            f"{path} needs request_id, reason and what changes: some of {', '.join(_CHANGES)}"
        )
    for line, values in rows:
        if len(values) != len(names):
            row = _Row(line, {})
            problems.add(row, f"{len(values)} fields, where the head has {len(names)}")
            continue
        said = {n: v for n, v in zip(names, values, strict=True) if v is not None and v != ""}
        row = _Row(line, said)
        wrong = _unreadable(row)
        if wrong:
            problems.add(row, wrong)
        else:
            yield row


def _unreadable(row: _Row) -> str:
    """Make whole numbers of a row's counts and times, or say what is wrong with it."""
    for name in ("request_id", "reason"):
        if not str(row.said.get(name, "")).strip():
            return f"{name} is missing"
    for name, value in row.said.items():
        if name in _TEXTS:
            row.said[name] = str(value)
            if len(row.said[name]) > _MOST_TEXT:
                return f"{name} is longer than {_MOST_TEXT:,} characters"
            continue
        try:
            row.said[name] = int(value)
        except (ValueError, OverflowError):
            return f"{name}: {value!r} is no whole number"
        if row.said[name] != value and not isinstance(value, str):
            return f"{name}: {value!r} is no whole number"
        if not 0 <= row.said[name] <= MOST_TOKENS and name in COUNTS:
            return f"{name} {row.said[name]}: from 0 to {MOST_TOKENS}"
    if row.said.get("status", Status.COMPLETED) not in set(Status):
        return f"status {row.said['status']!r}: one of {', '.join(Status)}"
    return "" if row.said.keys() & set(_CHANGES) else "it changes nothing"


_Made = dict[str, tuple[_Row, CorrectionEvent]]
"""By id of the correction."""


def _made(
    rows: Sequence[_Row], reader: Reader, by_default: tuple[int, str], problems: _Problems
) -> tuple[_Made, int, dict[str, UsageEvent]]:
    """Corrections of rows, how many rows are repeated, and the events that they are of."""
    of: dict[str, list[_Row]] = {}
    for row in rows:
        of.setdefault(row.said["request_id"], []).append(row)
    events = {e.request_id: e for e in _events(reader, of)}
    made: _Made = {}
    repeated = 0
    for request_id, mine in of.items():
        times: dict[int, _Row] = {}
        for row in mine:
            event = events.get(request_id)
            if event is None:
                problems.add(row, f"request {request_id} is not on record, or has not ended yet")
                continue
            correction = _correction(row, event, by_default)
            wrong = _impossible(row, event, correction, by_default[0])
            id_ = correction.correction_id
            if not wrong and id_ in made:
                if made[id_][1] == correction:
                    repeated += 1
                    continue
                wrong = f"correction {id_} stands in line {made[id_][0].line} with other content"
            twin = times.get(correction.made_ns)
            if not wrong and twin is not None:
                wrong = f"line {twin.line} corrects the same request; say by made_ns which is later"
            if wrong:
                problems.add(row, wrong)
                continue
            times[correction.made_ns] = row
            made[id_] = row, correction
    return made, repeated, events


def _events(reader: Reader, wanted: Iterable[str]) -> Iterator[UsageEvent]:
    """Events as recorded of some requests, found by the milliseconds that their ids begin with."""
    names = set(wanted)
    times = [time_ns for time_ns in map(_time_of, names) if time_ns is not None]
    if times:
        for event in reader.recorded(Period(min(times), max(times) + _MILLISECOND_NS)):
            if event.request_id in names:
                yield event


def _time_of(request_id: str) -> int | None:
    try:
        return int(request_id[:8] + request_id[9:13], 16) * _MILLISECOND_NS
    except ValueError:
        return None


def _correction(row: _Row, event: UsageEvent, by_default: tuple[int, str]) -> CorrectionEvent:
    now_ns, made_by = by_default
    said = row.said
    made = CorrectionEvent(
        correction_id=said.get("correction_id", ""),
        request_id=event.request_id,
        **{name: said.get(name, getattr(event, name)) for name in COUNTS},
        status=Status(said.get("status", event.status)),
        reason=said["reason"],
        made_ns=said.get("made_ns", now_ns),
        made_by=said.get("made_by", made_by),
    )
    if made.correction_id:
        return made
    content = msgspec.json.encode(_content(made)[1:])
    name = f"c-{hashlib.sha256(content).hexdigest()[:32]}"
    return msgspec.structs.replace(made, correction_id=name)


def _content(made: CorrectionEvent) -> tuple[Any, ...]:
    """All that a correction says but when it was made and by whom."""
    return msgspec.structs.astuple(made)[:-2]


def _impossible(row: _Row, event: UsageEvent, made: CorrectionEvent, now_ns: int) -> str:
    emulated = row.said.get("emulated", str(event.emulated)).lower()
    if emulated not in ("true", "false") or (emulated == "true") is not event.emulated:
        kind = "emulated" if event.emulated else "real"
        return f"request {event.request_id} was {kind} and stays so, whatever is corrected"
    if made.cached_tokens > made.input_tokens:
        return "cached_tokens are more than input_tokens"
    if made.reasoning_tokens > made.output_tokens:
        return "reasoning_tokens are more than output_tokens"
    if not event.admitted_ns <= made.made_ns <= now_ns:
        return f"made_ns {made.made_ns}: from the admission of the request until now"
    return ""


def _alike(known: CorrectionEvent, mine: CorrectionEvent, row: _Row) -> bool:
    return _content(known) == _content(mine) and all(
        getattr(known, name) == row.said[name] for name in ("made_ns", "made_by")
        if name in row.said
    )  # fmt: skip


def _superseded(reader: Reader, mine: Sequence[CorrectionEvent]) -> int:
    """How many of some corrections, on record or to be, a later one of the request overrules."""
    last: dict[str, CorrectionEvent] = {}
    asked = {made.request_id for made in mine}
    for each in (*mine, *(c for c in reader.corrections() if c.request_id in asked)):
        held = last.get(each.request_id)
        if held is None or in_order(held) < in_order(each):
            last[each.request_id] = each
    return sum(last[made.request_id].correction_id != made.correction_id for made in mine)
