"""Finance: cash, debt and statements by month; what cover they leave, and what breaks first."""

from neocloud.finance.arithmetic import Exact, Paths
from neocloud.finance.model import run
from neocloud.finance.months import Months
from neocloud.finance.outcome import Outcome
from neocloud.finance.records import Inputs
from neocloud.finance.shocks import NONE, Shocks

__all__ = ["NONE", "Exact", "Inputs", "Months", "Outcome", "Paths", "Shocks", "run"]
