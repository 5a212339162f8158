"""Quantities, money and time: what every room counts in."""

from neocloud.units.money import (
    PICO,
    Amount,
    MoneyError,
    minor_digits,
    price_per_token,
)
from neocloud.units.time import (
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

__all__ = [
    "HOUR_NS",
    "PICO",
    "SECOND_NS",
    "Amount",
    "MoneyError",
    "Period",
    "TimeError",
    "format_utc",
    "hour_floor",
    "minor_digits",
    "new_request_id",
    "parse_period",
    "parse_utc",
    "price_per_token",
]
