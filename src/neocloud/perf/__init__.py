"""Memory, time and energy of an engine's step; the steady throughput and latency that follow."""

from neocloud.perf.checks import ConfigurationError
from neocloud.perf.constants import Fit
from neocloud.perf.fitted import (
    NoParametersError,
    require_measured,
    shipped_fit,
    shipped_hash,
    step_numbers,
)
from neocloud.perf.memory import memory
from neocloud.perf.numbers import StepNumbers, stack
from neocloud.perf.predict import DoesNotFitError, Prediction, predict, step_terms
from neocloud.perf.records import (
    Configuration,
    Load,
    Memory,
    PrefillAttention,
    Steady,
    StepPower,
    StepTableData,
    StepTerms,
)
from neocloud.perf.steady import at_batch
from neocloud.perf.table import StepTable, step_table, table_of

__all__ = [
    "Configuration",
    "ConfigurationError",
    "DoesNotFitError",
    "Fit",
    "Load",
    "Memory",
    "NoParametersError",
    "Prediction",
    "PrefillAttention",
    "Steady",
    "StepNumbers",
    "StepPower",
    "StepTable",
    "StepTableData",
    "StepTerms",
    "at_batch",
    "memory",
    "predict",
    "require_measured",
    "shipped_fit",
    "shipped_hash",
    "stack",
    "step_numbers",
    "step_table",
    "step_terms",
    "table_of",
]
