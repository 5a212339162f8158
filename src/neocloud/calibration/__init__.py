"""Measured rows: read, predicted, fitted; predictions judged by rows that a fit has not seen."""

from neocloud.calibration.accuracy import GROUPINGS, Error, Line, Ratios, lines, ratios
from neocloud.calibration.calibrate import (
    CalibrationError,
    Outcome,
    calibrate,
    write_calibration,
)
from neocloud.calibration.laying import read_pairs
from neocloud.calibration.model import Predicted, predict_cases
from neocloud.calibration.records import Case, Measured, Mode, RowError, Table
from neocloud.calibration.report import Accuracy, accuracy_of, pairs_of_files
from neocloud.calibration.rows import RowsReport, predict_file

__all__ = [
    "GROUPINGS",
    "Accuracy",
    "CalibrationError",
    "Case",
    "Error",
    "Line",
    "Measured",
    "Mode",
    "Outcome",
    "Predicted",
    "Ratios",
    "RowError",
    "RowsReport",
    "Table",
    "accuracy_of",
    "calibrate",
    "lines",
    "pairs_of_files",
    "predict_cases",
    "predict_file",
    "ratios",
    "read_pairs",
    "write_calibration",
]
