"""All that `neocloud report` says, as one record that is published as JSON."""

from __future__ import annotations

import msgspec

from neocloud.books import Report
from neocloud.finance.board.indicator_records import IndicatorReport
from neocloud.finance.board.records import FinanceReport
from neocloud.finance.lender import LenderPack

SCHEMA = "neocloud.report/3"


class LeftOut(msgspec.Struct, frozen=True, kw_only=True):
    """A part that is not there, and why."""

    part: str
    reason: str


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """All that `neocloud report` says.

    Attributes:
        schema: name and version of this form.
        cloud: its name.
        currency: of all money.
        reconstruction: what the file says of itself where it is one; empty.
        left_out: parts that are not there.
        tiers: cost and margin by tier, planned against metered.
        finance: statements, debt, covenants.
        indicators: component cost, dependence, use, cohorts, pipeline.
        lender: the pack of each facility.
    """

    schema: str = SCHEMA
    cloud: str
    currency: str
    reconstruction: str = ""
    left_out: tuple[LeftOut, ...] = ()
    tiers: Report | None = None
    finance: FinanceReport | None = None
    indicators: IndicatorReport | None = None
    lender: tuple[LenderPack, ...] = ()
