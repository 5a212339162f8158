"""Points in time as integer nanoseconds UTC, half-open periods, and identifiers ordered by time."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

SECOND_NS = 1_000_000_000
HOUR_NS = 3600 * SECOND_NS

_MONTH = re.compile(r"(\d{4})-(\d{2})")
_DAY = re.compile(r"(\d{4})-(\d{2})-(\d{2})")


class TimeError(ValueError):
    """A text that is not a time or a period."""


def hour_floor(time_ns: int) -> int:
    """Start of the UTC hour that `time_ns` falls in, nanoseconds."""
    return time_ns - time_ns % HOUR_NS


def _to_ns(moment: datetime) -> int:
    delta = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (delta.days * 86_400 + delta.seconds) * SECOND_NS + delta.microseconds * 1000


def parse_utc(text: str) -> int:
    """Nanoseconds since the epoch of an ISO 8601 date or time; no offset means UTC."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise TimeError(
            f"{text!r} is not a time; write 2026-10-01 or 2026-10-01T13:00:00Z"
        ) from None
    return _to_ns(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def format_utc(time_ns: int) -> str:
    """ISO 8601 of a time, to the second, with Z."""
    return datetime.fromtimestamp(time_ns // SECOND_NS, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True, slots=True)
class Period:
    """A half-open span of time: `start_ns` belongs to it, `end_ns` does not."""

    start_ns: int
    end_ns: int

    def __post_init__(self) -> None:
        if self.end_ns <= self.start_ns:
            raise TimeError("a period must end after it starts")

    def __contains__(self, time_ns: int) -> bool:
        return self.start_ns <= time_ns < self.end_ns

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return (self.end_ns - self.start_ns) / SECOND_NS

    def __str__(self) -> str:
        return f"{format_utc(self.start_ns)}/{format_utc(self.end_ns)}"


def parse_period(text: str) -> Period:
    """Read `2026-10` (a month), `2026-10-05` (a day) or `START/END` (two ISO 8601 times), UTC."""
    if "/" in text:
        start, _, end = text.partition("/")
        return Period(parse_utc(start), parse_utc(end))
    try:
        if found := _MONTH.fullmatch(text):
            year, month = int(found[1]), int(found[2])
            after = (year + 1, 1) if month == 12 else (year, month + 1)
            return Period(
                _to_ns(datetime(year, month, 1, tzinfo=UTC)),
                _to_ns(datetime(*after, 1, tzinfo=UTC)),
            )
        if found := _DAY.fullmatch(text):
            start_ns = _to_ns(datetime(int(found[1]), int(found[2]), int(found[3]), tzinfo=UTC))
            return Period(start_ns, start_ns + 24 * HOUR_NS)
    except ValueError:
        pass
    raise TimeError(f"{text!r} is not a period; write 2026-10, 2026-10-05 or START/END")


def new_request_id(time_ns: int, random_bits: int) -> str:
    """Return a UUID of version 7 (RFC 9562, section 5.7) as text.

    Args:
        time_ns: when the request was admitted.
        random_bits: at least 74 random bits; the caller draws them, this room has no entropy.
    """
    milliseconds = (time_ns // 1_000_000) & 0xFFFF_FFFF_FFFF
    rand_a = random_bits & 0xFFF
    rand_b = (random_bits >> 12) & 0x3FFF_FFFF_FFFF_FFFF
    value = (milliseconds << 80) | (0x7 << 76) | (rand_a << 64) | (0b10 << 62) | rand_b
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
