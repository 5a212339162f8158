"""Memory, time and energy of an engine's step; the steady throughput and latency that follow."""

from neocloud.perf.certainty import Certainty, certainty
from neocloud.perf.checks import ConfigurationError
from neocloud.perf.correction import (
    CLOSED,
    DISAGGREGATED,
    Situation,
    Slower,
    correction_of,
    corrections_of,
    layer_of,
    scaled,
    slower_by,
)
from neocloud.perf.fitted import NoParametersError, require_measured, step_numbers
from neocloud.perf.intervals import Interval
from neocloud.perf.learned import Correction
from neocloud.perf.memory import memory, replica_kv_tokens
from neocloud.perf.numbers import StepNumbers, stack
from neocloud.perf.predict import DoesNotFitError, predict, step_terms
from neocloud.perf.prediction import Intervals, Outputs, Prediction
from neocloud.perf.predictor import (
    Calibration,
    CalibrationFileError,
    Predictor,
    predictor_of,
    predictor_with,
    shipped,
)
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
from neocloud.perf.stations import Prefilling, decoding, prefill_rate, prefilling, together
from neocloud.perf.steady import at_batch
from neocloud.perf.table import StepTable, step_table, table_of

__all__ = [
    "CLOSED",
    "DISAGGREGATED",
    "Calibration",
    "CalibrationFileError",
    "Certainty",
    "Configuration",
    "ConfigurationError",
    "Correction",
    "DoesNotFitError",
    "Interval",
    "Intervals",
    "Load",
    "Memory",
    "NoParametersError",
    "Outputs",
    "Prediction",
    "Predictor",
    "PrefillAttention",
    "Prefilling",
    "Situation",
    "Slower",
    "Steady",
    "StepNumbers",
    "StepPower",
    "StepTable",
    "StepTableData",
    "StepTerms",
    "at_batch",
    "certainty",
    "correction_of",
    "corrections_of",
    "decoding",
    "layer_of",
    "memory",
    "predict",
    "predictor_of",
    "predictor_with",
    "prefill_rate",
    "prefilling",
    "replica_kv_tokens",
    "require_measured",
    "scaled",
    "shipped",
    "slower_by",
    "stack",
    "step_numbers",
    "step_table",
    "step_terms",
    "table_of",
    "together",
]
