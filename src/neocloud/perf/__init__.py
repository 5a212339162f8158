"""Memory, time and energy of an engine's step; the steady throughput and latency that follow."""

from neocloud.perf.memory import memory
from neocloud.perf.numbers import ConfigurationError, StepNumbers, stack, step_numbers
from neocloud.perf.parameters import NoParametersError, Parameters, parameters_for, parameters_hash
from neocloud.perf.predict import DoesNotFitError, Prediction, predict, step_terms
from neocloud.perf.records import (
    Configuration,
    Load,
    Memory,
    PrefillAttention,
    Steady,
    StepTableData,
    StepTerms,
)
from neocloud.perf.steady import at_batch, at_concurrency
from neocloud.perf.table import StepTable, step_table, table_of

__all__ = [
    "Configuration",
    "ConfigurationError",
    "DoesNotFitError",
    "Load",
    "Memory",
    "NoParametersError",
    "Parameters",
    "Prediction",
    "PrefillAttention",
    "Steady",
    "StepNumbers",
    "StepTable",
    "StepTableData",
    "StepTerms",
    "at_batch",
    "at_concurrency",
    "memory",
    "parameters_for",
    "parameters_hash",
    "predict",
    "stack",
    "step_numbers",
    "step_table",
    "step_terms",
    "table_of",
]
