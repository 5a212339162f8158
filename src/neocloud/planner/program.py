"""A mixed-integer linear program gathered row by row, solved by HiGHS."""

from __future__ import annotations

from dataclasses import dataclass, field

import highspy
import numpy as np
from numpy.typing import NDArray

INFINITY = float("inf")


class _SilentHighs(highspy.Highs):  # type: ignore[misc]
    """HiGHS that prints nothing, not even the banner that its constructor prints by itself."""

    def enableCallbacks(self) -> None:  # noqa: N802  (the library's name)
        # The first thing that the constructor does, and what logs the banner.
        self.setOptionValue("output_flag", False)
        super().enableCallbacks()


class SolverError(RuntimeError):
    """HiGHS ended in a state that is neither solved nor infeasible."""


@dataclass(frozen=True, slots=True)
class Solution:
    """Values of the variables, the objective, and its proven relative distance from the best."""

    values: NDArray[np.float64]
    objective: float
    gap: float


@dataclass(slots=True)
class Program:
    """Minimise the cost of variables under rows `low <= sum(a x) <= high`."""

    cost: list[float] = field(default_factory=list)
    upper: list[float] = field(default_factory=list)
    integer: list[bool] = field(default_factory=list)
    low: list[float] = field(default_factory=list)
    high: list[float] = field(default_factory=list)
    start: list[int] = field(default_factory=lambda: [0])
    index: list[int] = field(default_factory=list)
    value: list[float] = field(default_factory=list)

    def variable(self, cost: float, upper: float = INFINITY, *, integer: bool = False) -> int:
        """Add a variable from 0 to `upper`; its index."""
        self.cost.append(cost)
        self.upper.append(upper)
        self.integer.append(integer)
        return len(self.cost) - 1

    def row(self, low: float, terms: list[tuple[int, float]], high: float) -> None:
        """Add `low <= sum(coefficient x variable) <= high`."""
        for variable, coefficient in terms:
            self.index.append(variable)
            self.value.append(coefficient)
        self.start.append(len(self.index))
        self.low.append(low)
        self.high.append(high)

    def solve(self, *, relative_gap: float, seconds: float) -> Solution | None:
        """Solve on one thread; None if no values satisfy all rows.

        The answer depends on the program and `relative_gap` alone unless `seconds` run out.
        """
        solver = _SilentHighs()
        solver.setOptionValue("threads", 1)
        solver.setOptionValue("random_seed", 0)
        solver.setOptionValue("mip_rel_gap", relative_gap)
        solver.setOptionValue("time_limit", seconds)
        solver.passModel(self._model())
        solver.run()
        status = solver.getModelStatus()
        info = solver.getInfo()
        kinds = highspy.HighsModelStatus
        if status in (kinds.kInfeasible, kinds.kUnboundedOrInfeasible):
            return None
        if status not in (kinds.kOptimal, kinds.kTimeLimit, kinds.kSolutionLimit):
            reason = solver.modelStatusToString(status)
            raise SolverError(f"HiGHS cannot place the demand: {reason}")
        values = np.array(solver.getSolution().col_value, dtype=np.float64)
        if len(values) != len(self.cost) or info.primal_solution_status == 0:
            raise SolverError(
                f"HiGHS found no placement within {seconds:g} s: fewer sites, models or user "
                "metros make the search smaller"
            )
        gap = float(info.mip_gap) if any(self.integer) else 0.0
        return Solution(values, float(info.objective_function_value), gap)

    def _model(self) -> highspy.HighsLp:
        model = highspy.HighsLp()
        model.num_col_ = len(self.cost)
        model.num_row_ = len(self.low)
        model.col_cost_ = np.array(self.cost)
        model.col_lower_ = np.zeros(len(self.cost))
        model.col_upper_ = np.array(self.upper)
        model.row_lower_ = np.array(self.low)
        model.row_upper_ = np.array(self.high)
        model.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
        model.a_matrix_.start_ = np.array(self.start, dtype=np.int32)
        model.a_matrix_.index_ = np.array(self.index, dtype=np.int32)
        model.a_matrix_.value_ = np.array(self.value)
        kinds = highspy.HighsVarType
        model.integrality_ = [kinds.kInteger if i else kinds.kContinuous for i in self.integer]
        return model
