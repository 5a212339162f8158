"""Rating: what usage costs, exactly."""

from neocloud.books.rating.plain import (
    RatedEvent,
    RatedUsage,
    billed_tokens,
    rate_event,
    rate_usage,
)
from neocloud.books.rating.records import (
    Rated,
    RatedLine,
    RequestCount,
    UnpricedHoursError,
    UnpricedModelError,
    total_pico,
)

__all__ = [
    "Rated",
    "RatedEvent",
    "RatedLine",
    "RatedUsage",
    "RequestCount",
    "UnpricedHoursError",
    "UnpricedModelError",
    "billed_tokens",
    "rate_event",
    "rate_usage",
    "total_pico",
]
