"""A mixed-integer linear program gathered in blocks of variables and rows, solved by HiGHS."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import highspy
import numpy as np
from numpy.typing import ArrayLike, NDArray

INFINITY = float("inf")
Numbers = NDArray[np.float64]
Places = NDArray[np.int64]
Clock = Callable[[], float]


class _SilentHighs(highspy.Highs):  # type: ignore[misc]
    """HiGHS that prints nothing, not even the banner that its constructor prints by itself."""

    def enableCallbacks(self) -> None:  # noqa: N802  (the library's name)
        # The first thing that the constructor does, and what logs the banner.
        self.setOptionValue("output_flag", False)
        super().enableCallbacks()


class SolverError(RuntimeError):
    """HiGHS ended in a state that is neither solved nor infeasible."""


@dataclass(slots=True)
class Watch:
    """Seconds that are left.

    Without a clock only the time within HiGHS counts, by its own clock.

    Attributes:
        seconds: in all.
        clock: seconds since any moment.
    """

    seconds: float
    clock: Clock | None = None
    _within: float = 0.0
    _start: float = 0.0

    def __post_init__(self) -> None:
        self._start = self.clock() if self.clock is not None else 0.0

    @property
    def spent(self) -> float:
        """Seconds used up."""
        return self._within if self.clock is None else self.clock() - self._start

    @property
    def left(self) -> float:
        """Seconds that remain, at least 0."""
        return max(0.0, self.seconds - self.spent)

    def add(self, seconds: float) -> None:
        """Count what a solver took."""
        self._within += seconds


@dataclass(frozen=True, slots=True, eq=False)
class Terms:
    """Part of a block of rows: coefficients by row of the block and variable, broadcast."""

    rows: ArrayLike
    variables: ArrayLike
    values: ArrayLike = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Relaxed:
    """Answer of a linear program: values, prices of the rows, reduced costs, objective."""

    values: Numbers
    prices: Numbers
    reduced: Numbers
    objective: float


@dataclass(frozen=True, slots=True, eq=False)
class Whole:
    """Answer of a mixed-integer program: values where any were found, and the proven bound."""

    values: Numbers | None
    objective: float
    bound: float


@dataclass(slots=True, eq=False)
class Program:
    """Minimise the cost of variables under rows `low <= sum(a x) <= high`."""

    cost: list[Numbers] = field(default_factory=list)
    lower: list[Numbers] = field(default_factory=list)
    upper: list[Numbers] = field(default_factory=list)
    integer: list[NDArray[np.bool_]] = field(default_factory=list)
    low: list[Numbers] = field(default_factory=list)
    high: list[Numbers] = field(default_factory=list)
    entries: list[tuple[Places, Places, Numbers]] = field(default_factory=list)
    variable_count: int = 0
    row_count: int = 0

    def variables(
        self,
        shape: tuple[int, ...],
        cost: ArrayLike = 0.0,
        upper: ArrayLike = INFINITY,
        *,
        lower: ArrayLike = 0.0,
        integer: bool = False,
    ) -> Places:
        """Add a block of variables; their places in that shape. What is given is broadcast."""
        count = int(np.prod(shape))
        for values, given in ((self.cost, cost), (self.lower, lower), (self.upper, upper)):
            values.append(np.array(np.broadcast_to(given, shape), dtype=np.float64).ravel())
        self.integer.append(np.full(count, integer))
        first = self.variable_count
        self.variable_count += count
        return np.arange(first, first + count, dtype=np.int64).reshape(shape)

    def bound(self, places: Places, lower: ArrayLike, upper: ArrayLike) -> None:
        """Set the bounds of variables again."""
        for blocks, given in ((self.lower, lower), (self.upper, upper)):
            values = _joined(blocks)
            values[places] = given
            blocks[:] = [values]

    def rows(self, count: int, low: ArrayLike, high: ArrayLike, *terms: Terms) -> Places:
        """Add a block of rows; their places."""
        first = self.row_count
        for part in terms:
            rows, variables, values = np.broadcast_arrays(part.rows, part.variables, part.values)
            self.entries.append(
                (
                    rows.ravel().astype(np.int64) + first,
                    variables.ravel().astype(np.int64),
                    values.ravel().astype(np.float64),
                )
            )
        self.low.append(np.array(np.broadcast_to(low, (count,)), dtype=np.float64))
        self.high.append(np.array(np.broadcast_to(high, (count,)), dtype=np.float64))
        self.row_count += count
        return np.arange(first, first + count, dtype=np.int64)

    def cost_of(self, values: Numbers) -> float:
        """What values of all variables cost."""
        return float(_joined(self.cost) @ values)

    def empty(self) -> Relaxed | None:
        """Answer of a program without variables, which HiGHS does not take."""
        low, high = _joined(self.low), _joined(self.high)
        if (low > 0.0).any() or (high < 0.0).any():
            return None
        nothing = np.zeros(0)
        return Relaxed(nothing, np.zeros(self.row_count), nothing, 0.0)

    def reduced(self, prices: Numbers) -> tuple[Numbers, float]:
        """Costs less what prices of the first rows take, and what the ends of these rows are worth.

        A price on a side without an end is taken as none, so with these costs and this worth any
        values within their bounds that satisfy the rows cost as much or more: weak duality.
        """
        count = len(prices)
        low, high = _joined(self.low)[:count], _joined(self.high)[:count]
        end = np.where(prices > 0.0, low, high)
        sound = np.where(np.isfinite(end) & (prices != 0.0), prices, 0.0)
        worth = float(sound @ np.where(sound != 0.0, end, 0.0))
        rows, variables, values = (
            np.concatenate(parts) for parts in zip(*self.entries, strict=True)
        )
        inside = rows < count
        taken = np.bincount(
            variables[inside],
            weights=values[inside] * sound[rows[inside]],
            minlength=self.variable_count,
        )
        return _joined(self.cost) - taken, worth

    def least(self, costs: Numbers) -> Numbers:
        """The least that each variable can cost at such costs within its bounds."""
        lower, upper = _joined(self.lower), _joined(self.upper)
        with np.errstate(invalid="ignore"):
            return np.where(costs >= 0.0, costs * lower, np.where(costs < 0.0, costs * upper, 0.0))

    def model(self, *, whole: bool) -> highspy.HighsLp:
        """As HiGHS takes it; `whole` keeps what must be whole numbers so."""
        model = highspy.HighsLp()
        model.num_col_ = self.variable_count
        model.num_row_ = self.row_count
        model.col_cost_ = _joined(self.cost)
        model.col_lower_ = _joined(self.lower)
        model.col_upper_ = _joined(self.upper)
        model.row_lower_ = _joined(self.low)
        model.row_upper_ = _joined(self.high)
        start, index, value = self._by_row()
        model.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
        model.a_matrix_.start_ = start
        model.a_matrix_.index_ = index
        model.a_matrix_.value_ = value
        if whole:
            kinds = highspy.HighsVarType
            integer = np.concatenate(self.integer) if self.integer else np.zeros(0, dtype=bool)
            model.integrality_ = [kinds.kInteger if i else kinds.kContinuous for i in integer]
        return model

    def _by_row(self) -> tuple[NDArray[np.int32], NDArray[np.int32], Numbers]:
        """Starts, variables and values of the rows; entries of one place are summed."""
        if not self.entries:
            return np.zeros(self.row_count + 1, np.int32), np.zeros(0, np.int32), np.zeros(0)
        rows, variables, values = (
            np.concatenate(parts) for parts in zip(*self.entries, strict=True)
        )
        kept = values != 0.0
        key = rows[kept] * max(1, self.variable_count) + variables[kept]
        places, inverse = np.unique(key, return_inverse=True)
        summed: Numbers = np.bincount(inverse, weights=values[kept], minlength=len(places)).astype(
            np.float64
        )
        row, variable = np.divmod(places, max(1, self.variable_count))
        start = np.searchsorted(row, np.arange(self.row_count + 1))
        return start.astype(np.int32), variable.astype(np.int32), summed


def _joined(parts: list[Numbers]) -> Numbers:
    return np.concatenate(parts) if parts else np.zeros(0)


def _solver(seconds: float) -> highspy.Highs:
    solver = _SilentHighs()
    solver.setOptionValue("threads", 1)
    solver.setOptionValue("random_seed", 0)
    solver.setOptionValue("time_limit", seconds)
    return solver


_PATIENCE_S = 300.0
_INFEASIBLE = (
    highspy.HighsModelStatus.kInfeasible,
    highspy.HighsModelStatus.kUnboundedOrInfeasible,
)


def relax(program: Program, watch: Watch) -> Relaxed | None:
    """Solve without asking for whole numbers; None if no values satisfy all rows.

    It is what everything else needs, so it may take longer than what is left.

    Raises:
        SolverError: HiGHS gave up.
    """
    if program.variable_count == 0:
        return program.empty()
    solver = _solver(max(_PATIENCE_S, watch.left))
    solver.passModel(program.model(whole=False))
    solver.run()
    watch.add(solver.getRunTime())
    status = solver.getModelStatus()
    if status in _INFEASIBLE:
        return None
    if status != highspy.HighsModelStatus.kOptimal:
        raise SolverError(f"HiGHS cannot place the demand: {solver.modelStatusToString(status)}")
    solution = solver.getSolution()
    return Relaxed(
        values=np.array(solution.col_value, dtype=np.float64),
        prices=np.array(solution.row_dual, dtype=np.float64),
        reduced=np.array(solution.col_dual, dtype=np.float64),
        objective=float(solver.getInfo().objective_function_value),
    )


STEP: Mapping[str, float | bool] = {
    "mip_allow_restart": False,
    "mip_detect_symmetry": False,
    "mip_heuristic_run_feasibility_jump": False,
}
"""For programs that take tenths of a second: what is left out does not pay there (measured)."""
CELL: Mapping[str, float | bool] = {
    **STEP,
    "mip_heuristic_effort": 0.0,
    "mip_heuristic_run_rens": False,
    "mip_heuristic_run_rins": False,
    "mip_heuristic_run_root_reduced_cost": False,
}
"""For programs that take hundredths: heuristics took half of the time there (measured)."""
_AS_HIGHS_HAS_THEM: Mapping[str, float | bool] = {}


def _worth(program: Program, values: Numbers, objective: float) -> bool:
    """Whether values cost what is said of them."""
    return abs(program.cost_of(values) - objective) <= 1e-6 * max(1.0, abs(objective))


def solve(
    program: Program,
    watch: Watch,
    *,
    relative_gap: float,
    absolute_gap: float = 0.0,
    seconds: float = INFINITY,
    least_seconds: float = 0.2,
    settings: Mapping[str, float | bool] = _AS_HIGHS_HAS_THEM,
    start: tuple[Places, Numbers] | None = None,
) -> Whole | None:
    """Solve with whole numbers on one thread; None if no values satisfy all rows.

    The answer depends on the arguments alone unless the time runs out.

    Args:
        program: what to solve.
        watch: the time that is left in all.
        relative_gap: where to stop; likewise absolute_gap.
        absolute_gap: of the objective.
        seconds: at most for this program.
        least_seconds: that it has even if none are left.
        settings: options of HiGHS.
        start: variables and values to begin from; the solver finds those of the others.

    Raises:
        SolverError: HiGHS gave up.
    """
    if program.variable_count == 0:
        nothing = program.empty()
        return None if nothing is None else Whole(nothing.values, 0.0, 0.0)
    solver = _solver(min(seconds, max(watch.left, least_seconds)))
    solver.setOptionValue("mip_rel_gap", relative_gap)
    solver.setOptionValue("mip_abs_gap", absolute_gap)
    for name, value in settings.items():
        solver.setOptionValue(name, value)
    solver.passModel(program.model(whole=True))
    if start is not None:
        places, values = start
        solver.setSolution(len(places), places.astype(np.int32), values)
    solver.run()
    watch.add(solver.getRunTime())
    status, info = solver.getModelStatus(), solver.getInfo()
    kinds = highspy.HighsModelStatus
    if status in _INFEASIBLE:
        return None
    if status not in (kinds.kOptimal, kinds.kTimeLimit, kinds.kSolutionLimit):
        raise SolverError(f"HiGHS cannot place the demand: {solver.modelStatusToString(status)}")
    solution = np.array(solver.getSolution().col_value, dtype=np.float64)
    objective = float(info.objective_function_value)
    found = info.primal_solution_status == int(highspy.SolutionStatus.kSolutionStatusFeasible)
    if start is not None and found and not _worth(program, solution, objective):
        # HiGHS 1.x at times tells the cost of the best and hands back what it began from.
        return solve(
            program, watch, relative_gap=relative_gap, absolute_gap=absolute_gap, seconds=seconds,
            least_seconds=least_seconds, settings=settings,
        )  # fmt: skip
    any_whole = any(block.any() for block in program.integer)
    bound = float(info.mip_dual_bound) if any_whole else objective
    return Whole(solution if found else None, objective if found else INFINITY, bound)
