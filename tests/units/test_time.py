"""Times are whole nanoseconds UTC, periods are half open, request ids are UUIDs of version 7."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from neocloud.units import (
    HOUR_NS,
    SECOND_NS,
    Period,
    TimeError,
    format_utc,
    hour_floor,
    new_request_id,
    parse_period,
    parse_utc,
)

moments = st.datetimes(datetime(1970, 1, 1), datetime(9999, 1, 1))  # noqa: DTZ001
times = st.integers(0, 2**48 * 1_000_000 - 1)
bits = st.integers(0, 2**80 - 1)


@given(moments, st.integers(-14 * 60, 14 * 60))
def test_parsing_is_exact_in_any_zone(moment: datetime, offset_min: int) -> None:
    zone = timezone(timedelta(minutes=offset_min))
    text = moment.replace(tzinfo=UTC).astimezone(zone).isoformat()
    since = moment - datetime(1970, 1, 1)  # noqa: DTZ001
    assert parse_utc(text) == (since // timedelta(microseconds=1)) * 1000


@given(st.integers(0, 4 * 10**9))
def test_formatting_and_parsing_are_inverse(second: int) -> None:
    text = format_utc(second * SECOND_NS + 999_999_999)
    assert text.endswith("Z")
    assert parse_utc(text) == second * SECOND_NS


def test_no_offset_means_utc() -> None:
    assert parse_utc("2026-10-01T13:00:00") == parse_utc("2026-10-01T15:00:00+02:00")
    assert parse_utc("2026-10-01") == parse_utc("2026-10-01T00:00:00Z")


@pytest.mark.parametrize("text", ["", "yesterday", "2026-13-01", "2026-02-30", "12:00", "1e9"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(TimeError, match="write 2026-10-01"):
        parse_utc(text)


@given(times)
def test_the_hour_of_a_time(time_ns: int) -> None:
    start = hour_floor(time_ns)
    assert start % HOUR_NS == 0
    assert time_ns in Period(start, start + HOUR_NS)


@pytest.mark.parametrize(
    ("text", "start", "end", "days"),
    [
        ("2026-10", "2026-10-01", "2026-11-01", 31),
        ("2026-12", "2026-12-01", "2027-01-01", 31),
        ("2024-02", "2024-02-01", "2024-03-01", 29),
        ("2026-10-05", "2026-10-05", "2026-10-06", 1),
        ("2026-10-05T06:00Z/2026-10-06T06:00Z", "2026-10-05T06:00", "2026-10-06T06:00", 1),
        ("2026-01-01/2027-01-01", "2026-01-01", "2027-01-01", 365),
    ],
)
def test_periods(text: str, start: str, end: str, days: int) -> None:
    period = parse_period(text)
    assert (period.start_ns, period.end_ns) == (parse_utc(start), parse_utc(end))
    assert period.seconds == days * 86_400
    assert period.start_ns in period
    assert period.end_ns - 1 in period
    assert period.end_ns not in period
    assert period.start_ns - 1 not in period
    assert parse_period(str(period)) == period


@given(st.integers(1971, 9998), st.integers(1, 12), times)
def test_each_time_is_in_exactly_one_month(year: int, month: int, time_ns: int) -> None:
    this = parse_period(f"{year:04}-{month:02}")
    later = (year + 1, 1) if month == 12 else (year, month + 1)
    following = parse_period("{:04}-{:02}".format(*later))
    assert this.end_ns == following.start_ns
    assert not (time_ns in this and time_ns in following)


@pytest.mark.parametrize(
    "text",
    ["", "2026", "2026-13", "2026-00", "2026-10-32", "2026-10-05/", "2026-10/2026-09", "9999-12",
     "2026-10-05/2026-10-05"],
)  # fmt: skip
def test_what_is_no_period_is_refused(text: str) -> None:
    with pytest.raises(TimeError):
        parse_period(text)


@given(times, bits)
def test_request_ids_are_uuids_of_version_7(time_ns: int, random_bits: int) -> None:
    text = new_request_id(time_ns, random_bits)
    read = uuid.UUID(text)
    assert str(read) == text
    assert read.version == 7
    assert read.variant == uuid.RFC_4122
    assert read.int >> 80 == time_ns // 1_000_000


@given(times, times, bits, bits)
def test_request_ids_sort_by_millisecond(a: int, b: int, first: int, second: int) -> None:
    assume(a // 1_000_000 < b // 1_000_000)
    assert new_request_id(a, first) < new_request_id(b, second)


@given(times, st.integers(0, 2**74 - 1), st.integers(0, 2**74 - 1))
def test_each_of_the_74_random_bits_counts(time_ns: int, one: int, two: int) -> None:
    assume(one != two)
    assert new_request_id(time_ns, one) != new_request_id(time_ns, two)
