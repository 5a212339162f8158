"""What the file says of money, supply and demand, as months: `Cloud` to `Inputs`."""

from neocloud.finance.inputs.commitments import (
    Backlog,
    Obligation,
    Obligations,
    PowerObligation,
    backlog_of,
    obligations_of,
)
from neocloud.finance.inputs.gather import expected, expected_revenue, inputs_of
from neocloud.finance.inputs.use import Use, use_of_metered, use_of_plan

__all__ = [
    "Backlog",
    "Obligation",
    "Obligations",
    "PowerObligation",
    "Use",
    "backlog_of",
    "expected",
    "expected_revenue",
    "inputs_of",
    "obligations_of",
    "use_of_metered",
    "use_of_plan",
]
