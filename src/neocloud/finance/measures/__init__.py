"""Measures of an `Outcome`: cover, leverage, liquidity, covenants, returns."""

from neocloud.finance.measures.covenants import CovenantTest, covenant_tests, first_breach
from neocloud.finance.measures.cover import (
    Definition,
    cfads_of,
    contracted_cover,
    dscr_by_period,
    dscr_trailing,
    interest_cover,
    leverage,
    loan_life_cover,
    loan_to_value,
    net_debt,
    project_life_cover,
    runway,
)
from neocloud.finance.measures.ratios import Ratio, first_month, lowest, lowest_month, trailing
from neocloud.finance.measures.returns import (
    Returns,
    Stream,
    equity_stream,
    project_stream,
    returns_of,
)

__all__ = [
    "CovenantTest",
    "Definition",
    "Ratio",
    "Returns",
    "Stream",
    "cfads_of",
    "contracted_cover",
    "covenant_tests",
    "dscr_by_period",
    "dscr_trailing",
    "equity_stream",
    "first_breach",
    "first_month",
    "interest_cover",
    "leverage",
    "loan_life_cover",
    "loan_to_value",
    "lowest",
    "lowest_month",
    "net_debt",
    "project_life_cover",
    "project_stream",
    "returns_of",
    "runway",
    "trailing",
]
