"""Rating, invoices, cost by tier, and the report of planned against metered."""

from neocloud.books.gather import Metered, gather, objective_rule
from neocloud.books.invoices import Invoice, Line, UnknownTenantError, invoice_text
from neocloud.books.prices import BILLED, PriceBook, PriceList, price_list, price_version
from neocloud.books.rating import (
    RatedEvent,
    UnpricedModelError,
    rate_event,
)
from neocloud.books.side_by_side.picture import MissingMatplotlibError, draw_report
from neocloud.books.side_by_side.rates import (
    UnknownPlaceError,
    cost_by_place,
    cost_of_row,
    rates_by_place,
)
from neocloud.books.side_by_side.records import Bridge, BridgeStep, Comparison, Report, Side
from neocloud.books.side_by_side.report import (
    NothingMeteredError,
    NothingSimulatedError,
    make_report,
)
from neocloud.books.side_by_side.step_factor import Replayed, replay_metered
from neocloud.books.side_by_side.text import report_text
from neocloud.books.usage import UsageLine, UsageSummary, summarise_usage

__all__ = [
    "BILLED",
    "Bridge",
    "BridgeStep",
    "Comparison",
    "Invoice",
    "Line",
    "Metered",
    "MissingMatplotlibError",
    "NothingMeteredError",
    "NothingSimulatedError",
    "PriceBook",
    "PriceList",
    "RatedEvent",
    "Replayed",
    "Report",
    "Side",
    "UnknownPlaceError",
    "UnknownTenantError",
    "UnpricedModelError",
    "UsageLine",
    "UsageSummary",
    "cost_by_place",
    "cost_of_row",
    "draw_report",
    "gather",
    "invoice_text",
    "make_report",
    "objective_rule",
    "price_list",
    "price_version",
    "rate_event",
    "rates_by_place",
    "replay_metered",
    "report_text",
    "summarise_usage",
]
