"""What use a document was made over, small enough to be kept for good: a seal.

By it can be told which events went missing, were added or changed since, one by one. A seal of a
million events is as large as one of a thousand. Each event is a string of bytes; three of the
seal's cells, picked by the string's hash, add it up: a count, and the exclusive or of the strings.
Two seals are subtracted cell by cell. Where one event alone is left in a cell, the cell is that
event; taken out of its other cells it lays open the next (the invertible Bloom lookup table of
Goodrich and Mitzenmacher, "Invertible Bloom Lookup Tables", 2011, with three parts). Sums of tokens
by model and of time by holder stand beside it and are exact however much differs.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Iterable, Mapping
from functools import lru_cache
from hashlib import blake2b
from uuid import UUID
from zlib import crc32

import msgspec

from neocloud.ledger import AllocationEvent, UsageEvent
from neocloud.units import Period

_PART = 85
"""Cells of each part: three parts tell up to some 200 differences among any number of events."""
_PARTS = 3
_KEY = struct.Struct(">B16sIIQQQQ")
_DIGEST = 8
_LENGTH = _KEY.size + _DIGEST


class SealedTokens(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """Sums of a model: requests; prompt tokens not cached, and cached; generated tokens."""

    model: str
    requests: int
    input: int
    cached_input: int
    output: int


class SealedTime(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """Accelerator-nanoseconds of a holder."""

    holder: str
    accelerator: str
    held_ns: int


class Cell(msgspec.Struct, frozen=True, array_like=True):
    """A cell that is not empty: its place, events in it, exclusive or of their strings (base64)."""

    place: int
    count: int
    mixed: str


class Seal(msgspec.Struct, frozen=True, kw_only=True):
    """Use of a tenant in a month as it was when a document was made over it.

    Attributes:
        month: UTC month.
        tokens: by model.
        held: by holder and accelerator.
        cells: which events, see the module.
    """

    month: str
    tokens: tuple[SealedTokens, ...] = ()
    held: tuple[SealedTime, ...] = ()
    cells: tuple[Cell, ...] = ()


class SealedEvent(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """An event as a seal knows it.

    Attributes:
        request_id: of the event; `#` and a hash of it where it is no UUID.
        model: model key; empty where the seals' sums do not know it.
        input_tokens, cached_tokens, output_tokens, reasoning_tokens: as in the event.
        content: hash of all else that its price depends on.
    """

    request_id: str
    model: str
    input_tokens: int
    cached_tokens: int
    output_tokens: int
    reasoning_tokens: int
    content: int


class SealDifference(msgspec.Struct, frozen=True, kw_only=True):
    """What differs between two seals of the same month.

    Attributes:
        gone: events that only the first has.
        come: events that only the second has; a changed one is in both.
        all_named: False where more differ than a seal can tell one by one: some are not named.
    """

    gone: tuple[SealedEvent, ...]
    come: tuple[SealedEvent, ...]
    all_named: bool


class SealMaker:
    """Adds up the use of one tenant, in any order; each event once.

    Args:
        period: to which spans are cut.
    """

    def __init__(self, period: Period) -> None:
        self._period = period
        self._sums: dict[str, list[int]] = {}
        self._held: dict[tuple[str, str], int] = {}
        self._counts = [0] * (_PART * _PARTS)
        self._mixed = [0] * (_PART * _PARTS)

    def note(self, e: UsageEvent) -> None:
        """Add an event."""
        read, cached, written = (
            e.input_tokens,
            min(e.cached_tokens, e.input_tokens),
            e.output_tokens,
        )
        sums = self._sums.get(e.model)
        if sums is None:
            sums = self._sums[e.model] = [0, 0, 0, 0]
        sums[0] += 1
        sums[1] += read - cached
        sums[2] += cached
        sums[3] += written
        key = _key(e)
        digest = blake2b(key, digest_size=_DIGEST).digest()
        value = int.from_bytes(key + digest)
        for place in _places(digest):
            self._counts[place] += 1
            self._mixed[place] ^= value

    def hold(self, span: AllocationEvent) -> None:
        """Add held accelerators, of the part of the span within the period."""
        start_ns = max(span.start_ns, self._period.start_ns)
        end_ns = min(span.end_ns, self._period.end_ns)
        if start_ns < end_ns:
            of = (span.holder, span.accelerator)
            self._held[of] = self._held.get(of, 0) + (end_ns - start_ns) * span.accelerators

    def seal(self, month: str) -> Seal:
        """The seal of all that was added."""
        return Seal(
            month=month,
            tokens=tuple(
                SealedTokens(model=m, requests=s[0], input=s[1], cached_input=s[2], output=s[3])
                for m, s in sorted(self._sums.items())
            ),
            held=tuple(
                SealedTime(holder=holder, accelerator=accelerator, held_ns=held_ns)
                for (holder, accelerator), held_ns in sorted(self._held.items())
            ),
            cells=tuple(
                Cell(place, count, base64.b64encode(mixed.to_bytes(_LENGTH)).decode())
                for place, (count, mixed) in enumerate(zip(self._counts, self._mixed, strict=True))
                if count or mixed
            ),
        )


def seal_difference(before: Seal, now: Seal) -> SealDifference:
    """Which events differ; see the module."""
    counts, mixed = [0] * (_PART * _PARTS), [0] * (_PART * _PARTS)
    for sign, seal in ((-1, before), (1, now)):
        for cell in seal.cells:
            counts[cell.place] += sign * cell.count
            mixed[cell.place] ^= int.from_bytes(base64.b64decode(cell.mixed))
    models = {crc32(s.model.encode()): s.model for seal in (before, now) for s in seal.tokens}
    found: dict[int, list[SealedEvent]] = {-1: [], 1: []}
    waiting = list(range(len(counts)))
    while waiting:
        place = waiting.pop()
        sign = counts[place]
        if sign not in found or mixed[place] >= 1 << 8 * _LENGTH:
            continue
        whole = mixed[place].to_bytes(_LENGTH)
        key, digest = whole[: _KEY.size], whole[_KEY.size :]
        if blake2b(key, digest_size=_DIGEST).digest() != digest or place not in _places(digest):
            continue
        found[sign].append(_event(key, models))
        value = mixed[place]
        for other in _places(digest):
            counts[other] -= sign
            mixed[other] ^= value
            waiting.append(other)
    return SealDifference(
        gone=tuple(sorted(found[-1])),
        come=tuple(sorted(found[1])),
        all_named=not any(counts) and not any(mixed),
    )


def _key(e: UsageEvent) -> bytes:
    known, mark = _mark(e.request_id)
    content = (
        f"{e.admitted_ns} {e.status} {e.price_version} {e.key_id} {e.api} {e.site} {e.pool} "
        f"{e.accelerator} {e.estimated}"
    )
    if e.service_tier != "default":  # of what was sealed before there were any, the seal stays
        content += f" {e.service_tier}"
    return _KEY.pack(
        known, mark, _model(e.model), crc32(content.encode()), e.input_tokens, e.cached_tokens,
        e.output_tokens, e.reasoning_tokens,
    )  # fmt: skip


def _mark(request_id: str) -> tuple[int, bytes]:
    """Sixteen bytes of an id, and whether the id can be had from them again."""
    if len(request_id) == 36 and request_id.islower() and request_id[8] == request_id[23] == "-":
        try:
            return 1, bytes.fromhex(request_id.replace("-", ""))
        except ValueError:
            pass
    return 0, blake2b(request_id.encode("utf-8", "surrogatepass"), digest_size=16).digest()


@lru_cache(1024)
def _model(model: str) -> int:
    return crc32(model.encode())


def _places(digest: bytes) -> Iterable[int]:
    whole = int.from_bytes(digest)
    return (
        whole % _PART, _PART + (whole >> 16) % _PART, 2 * _PART + (whole >> 32) % _PART,
    )  # fmt: skip


def _event(key: bytes, models: Mapping[int, str]) -> SealedEvent:
    known, mark, model, content, read, cached, written, reasoning = _KEY.unpack(key)
    return SealedEvent(
        request_id=str(UUID(bytes=mark)) if known else f"#{mark.hex()}",
        model=models.get(model, ""),
        input_tokens=read,
        cached_tokens=cached,
        output_tokens=written,
        reasoning_tokens=reasoning,
        content=content,
    )
