"""What was known before a quarter that is forecast, as formulas over public figures.

One method for all; only ids differ. A formula may use ids of `figures.csv` and the names that
`names_of` gives to formulas before it. Where a level is missing at the end of a quarter, it is put
between its neighbours at constant growth.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

NONE = ""
"""No formula: nothing was found."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Owed:
    """An instrument of debt at the start of the quarter, or announced since.

    Formulas: `principal` in millions, `rate` in per cent a year as it costs all in. `first_day` is
    given where it begins within the quarter.
    """

    key: str
    kind: str
    principal: str
    rate: str
    maturity: date
    amortisation: str
    first_day: date | None = None
    days_origin: str = "assumption: the day; the source gives month or year"


@dataclass(frozen=True, slots=True, kw_only=True)
class Customer:
    """A customer and its share of revenue, per cent; signed but undelivered value in millions."""

    key: str
    credit: str
    share: str = NONE
    undelivered: str = NONE
    months: str = "60"


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarter:
    """What was known before a quarter. Money formulas are in millions of dollars.

    Attributes:
        file: name of the cloud file in `examples/public`.
        company: whose.
        name: the quarter that is forecast.
        first: its first day.
        cut_off: last day on which an outlook may have been published.
        power_before: MW active at the start of the quarter before.
        power_now: MW active at the start of the quarter that is forecast.
        revenue, running, ebitda, depreciation: of the quarter before; `running` is the cost of
            revenue, which grows with power, what else lies between revenue and EBITDA stays.
        interest: net, of the quarter before; none: instruments at their own rates.
        debt_before, debt_now: owed at the start of the quarter before, and now.
        rate: per cent a year that all debt cost, net; names the three before it.
        life: years of depreciation.
        accelerators: of a megawatt.
        cash, capex, new_rate: to start from, to spend in the quarter, per cent that new debt costs.
        equity: announced, by day.
        metro: where the ladder of power stands, since a file needs a place.
        contracted: MW contracted at the start of the quarter.
        target: the outlook of active MW, and its day.
        backlog: signed, in all; none: what `customers` say.
        published: what came out, by measure; none where nothing was found.
        outlook: what the company itself expected, middle of the range.
    """

    file: str
    company: str
    name: str
    first: date
    cut_off: date
    power_before: str
    power_now: str
    revenue: str
    running: str
    ebitda: str
    depreciation: str
    interest: str
    debt_before: str
    debt_now: str
    rate: str = "100*4*interest/mean(debt_before,debt_now)"
    life: str
    accelerators: str
    cash: str
    cash_origin: str
    capex: str
    new_rate: str
    owed: tuple[Owed, ...]
    customers: tuple[Customer, ...]
    metro: str
    contracted: str = NONE
    target: tuple[date, str] | None = None
    backlog: str = NONE
    equity: Mapping[date, str] = field(default_factory=dict)
    published: Mapping[str, str] = field(default_factory=dict)
    outlook: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


ACCELERATORS_MW = "cw_gpus_24/cw_mw_2024-12-31"
"""Accelerators of a megawatt: CoreWeave's fleet at the end of 2024; none later is published."""
