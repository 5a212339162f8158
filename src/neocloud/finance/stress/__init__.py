"""Stress: scenarios by name, paths of chance, the smallest shocks that break cover."""

from neocloud.finance.stress.drawing import Chance
from neocloud.finance.stress.monte_carlo import Chances
from neocloud.finance.stress.page import stress_page
from neocloud.finance.stress.pictures import draw_stress
from neocloud.finance.stress.records import StressReport
from neocloud.finance.stress.report import Asked, stress_report
from neocloud.finance.stress.scenarios import (
    NAMES,
    Scenario,
    UnknownScenarioError,
    scenario_of,
)
from neocloud.finance.stress.text import stress_csv, stress_text

__all__ = [
    "NAMES",
    "Asked",
    "Chance",
    "Chances",
    "Scenario",
    "StressReport",
    "UnknownScenarioError",
    "draw_stress",
    "scenario_of",
    "stress_csv",
    "stress_page",
    "stress_report",
    "stress_text",
]
