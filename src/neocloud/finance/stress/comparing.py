"""Scenarios beside the base case: all that share its inputs are paths of one run."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from neocloud.finance.arithmetic import Exact, Paths
from neocloud.finance.model import run
from neocloud.finance.records import Inputs
from neocloud.finance.shocks import NONE, Shocks
from neocloud.finance.stress.combine import stacked
from neocloud.finance.stress.readings import Readings, dscr_facilities, readings_of
from neocloud.finance.stress.records import Breach, Change, Figures, ScenarioResult
from neocloud.finance.stress.scenarios import Scenario


def figures_of(inputs: Inputs, readings: Readings, case: int) -> Figures:
    """One case of many, in figures."""
    count = inputs.months.count
    labels = inputs.months.labels
    month = int(readings.dscr_month[case])
    counting = dscr_facilities(inputs)
    breach_month, which = readings.first_breach()
    broken = int(breach_month[case])
    facility, measure = readings.tests[int(which[case])]
    runway = int(readings.runway[case])
    there = month < count
    return Figures(
        revenue=float(readings.revenue[case]),
        ebitda=float(readings.ebitda[case]),
        cfads=float(readings.cfads[case]),
        min_dscr=number_or_none(readings.min_dscr[case]),
        min_dscr_month=labels[month] if there else None,
        min_dscr_facility=counting[int(readings.dscr_facility[case])].key if there else None,
        min_llcr=number_or_none(readings.min_llcr[case]),
        max_ltv=number_or_none(readings.max_ltv[case]),
        first_breach=Breach(month=labels[broken], facility=facility, measure=measure)
        if broken < count
        else None,
        runway_months=runway if runway < count else None,
        equity_irr=number_or_none(readings.equity_irr[case]),
        equity_cash=float(readings.equity_cash[case]),
    )


def number_or_none(value: float) -> float | None:
    """None for what is not finite."""
    return float(value) if np.isfinite(value) else None


def readings_by_paths(inputs: Inputs, shocks: Shocks, cases: int) -> Readings:
    """Run shocks whose arrays have one element a case."""
    paths = Paths(cases)
    return readings_of(paths, inputs, run(inputs, paths, shocks), cases)


def exact_readings(inputs: Inputs, shocks: Shocks = NONE) -> Readings:
    """Run one case in whole numbers."""
    return readings_of(Exact(), inputs, run(inputs, Exact(), shocks), 1)


def compared(
    inputs: Inputs, base: Figures, scenarios: Sequence[Scenario]
) -> tuple[ScenarioResult, ...]:
    """Each scenario with what came of it, and the difference to the base case."""
    plain = [scenario for scenario in scenarios if scenario.change is None]
    shocks = [scenario.shocks(inputs) for scenario in plain]
    found: dict[str, ScenarioResult] = {}
    if plain:
        readings = readings_by_paths(inputs, stacked(shocks, inputs.months.count), len(plain))
        for case, scenario in enumerate(plain):
            found[scenario.name] = _result(scenario, base, figures_of(inputs, readings, case))
    for scenario in scenarios:
        if scenario.change is not None:
            changed = scenario.change(inputs)
            readings = exact_readings(changed, scenario.shocks(changed))
            found[scenario.name] = _result(scenario, base, figures_of(changed, readings, 0))
    return tuple(found[scenario.name] for scenario in scenarios)


def _result(scenario: Scenario, base: Figures, figures: Figures) -> ScenarioResult:
    return ScenarioResult(
        name=scenario.name,
        title=scenario.title,
        sentence=scenario.sentence,
        parameters=scenario.parameters,
        moves=_differs(base, figures),
        figures=figures,
        change=Change(
            revenue=_gap(figures.revenue, base.revenue),
            ebitda=_gap(figures.ebitda, base.ebitda),
            cfads=_gap(figures.cfads, base.cfads),
            min_dscr=_less(figures.min_dscr, base.min_dscr),
            min_llcr=_less(figures.min_llcr, base.min_llcr),
            max_ltv=_less(figures.max_ltv, base.max_ltv),
            equity_irr=_less(figures.equity_irr, base.equity_irr),
            equity_cash=_gap(figures.equity_cash, base.equity_cash),
        ),
    )


def _differs(base: Figures, figures: Figures) -> bool:
    """Whether any figure is another, but for a float's last bits."""
    pairs = ((getattr(base, n), getattr(figures, n)) for n in Figures.__struct_fields__)
    return any(
        bool(_gap(one, other))
        if isinstance(one, float) and isinstance(other, float)
        else one != other
        for one, other in pairs
    )


def _gap(one: float, other: float) -> float:
    """The difference; nothing where only a float's last bits differ."""
    return 0.0 if math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-9) else one - other


def _less(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else _gap(one, other)
