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
from neocloud.books.rating.steps import Holder, Step, add_step, disjoint, holder_of
from neocloud.books.rating.tally import Tally, rate

__all__ = [
    "Holder",
    "PreviewLine",
    "PreviewSum",
    "RatePreview",
    "Rated",
    "RatedEvent",
    "RatedLine",
    "RequestCount",
    "Step",
    "Tally",
    "UnpricedHoursError",
    "UnpricedModelError",
    "add_step",
    "amount_of",
    "disjoint",
    "holder_of",
    "make_preview",
    "preview_csv",
    "rate",
    "rate_event",
    "total_pico",
]
