"""Rating: what usage costs, exactly."""

from neocloud.books.rating.preview import (
    PreviewLine,
    PreviewSum,
    RatePreview,
    make_preview,
    preview_csv,
)
from neocloud.books.rating.pricing import amount_of
from neocloud.books.rating.records import (
    Rated,
    RatedLine,
    RequestCount,
    UnpricedHoursError,
    UnpricedModelError,
    total_pico,
)
from neocloud.books.rating.single import RatedEvent, rate_event
from neocloud.books.rating.tally import Tally, rate

__all__ = [
    "PreviewLine",
    "PreviewSum",
    "RatePreview",
    "Rated",
    "RatedEvent",
    "RatedLine",
    "RequestCount",
    "Tally",
    "UnpricedHoursError",
    "UnpricedModelError",
    "amount_of",
    "make_preview",
    "preview_csv",
    "rate",
    "rate_event",
    "total_pico",
]
