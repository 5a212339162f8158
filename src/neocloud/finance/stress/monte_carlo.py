"""Many paths: how cover, liquidity and owners' return are distributed, and what breaks first.

Paths are run in parts of `PART`, each with random numbers of its own: a part is the same whoever
runs it and when, so that workers may share the parts in any way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from neocloud.finance.arithmetic import Array, Exact, Paths
from neocloud.finance.model import run
from neocloud.finance.records import Inputs
from neocloud.finance.stress.comparing import exact_readings, number_or_none
from neocloud.finance.stress.drawing import UNKNOWN_CREDIT, Chance, drawn
from neocloud.finance.stress.processes import FACTORS, STANDARD, Processes, parameters_of, quiet
from neocloud.finance.stress.readings import Months, Readings, readings_of
from neocloud.finance.stress.records import BreachChance, Fan, FirstBreach, MonteCarlo
from neocloud.finance.stress.tails import distribution_of, quantiles_of, tail_of

PART: Final = 500
"""Paths of a part: what a run holds then stays in a processor's cache."""

FAN: Final = (0.05, 0.25, 0.50, 0.75, 0.95)
"""Quantiles by month."""

Chances = Callable[[int], Chance]
"""Random numbers of a part, by its number."""


@dataclass(frozen=True, slots=True)
class Part:
    """What came of a part of the paths.

    Attributes:
        readings: of its paths.
        badness: of the factors until the first breach; (factors, months, paths).
    """

    readings: Readings
    badness: Array


def parts_of(paths: int) -> tuple[int, ...]:
    """How many paths each part has."""
    whole, rest = divmod(paths, PART)
    return (PART,) * whole + ((rest,) if rest else ())


def run_part(
    inputs: Inputs, chances: Chances, number: int, paths: int, processes: Processes = STANDARD
) -> Part:
    """Run one part."""
    found = drawn(processes, inputs, chances(number), paths)
    arithmetic = Paths(paths)
    outcome = run(inputs, arithmetic, found.shocks)
    readings = readings_of(arithmetic, inputs, outcome, paths)
    return Part(readings=readings, badness=found.badness.astype(np.float32))


def monte_carlo(
    inputs: Inputs,
    parts: Sequence[Part],
    seed: int,
    base_difference: float,
    processes: Processes = STANDARD,
) -> MonteCarlo:
    """What parts, in the order of their numbers, say together."""
    every = [part.readings for part in parts]
    dscr = _joined(item.min_dscr for item in every)
    cash = _joined(item.equity_cash for item in every)
    irr = _joined(np.where(_all_lost(item), -1.0, item.equity_irr) for item in every)
    runway = _joined(item.runway.astype(float) for item in every)
    firsts = [item.first_breach() for item in every]
    month = np.concatenate([first[0] for first in firsts])
    which = np.concatenate([first[1] for first in firsts])
    badness = np.concatenate([part.badness for part in parts], axis=2)
    count = inputs.months.count
    return MonteCarlo(
        paths=len(dscr),
        seed=seed,
        parameters=parameters_of(processes),
        factors=FACTORS,
        correlations=tuple(tuple(map(float, row)) for row in processes.correlations()),
        distributions=(
            distribution_of("min_dscr", dscr),
            distribution_of("equity_irr", irr),
            distribution_of("runway_months", runway),
        ),
        tails=(tail_of("min_dscr", dscr), tail_of("equity_cash", cash)),
        breaches=_breaches(every, month, which, count),
        first=FirstBreach(
            share=float((month < count).mean()),
            by_month=_by_month(month, count),
            by_factor=_extremes(badness, month, count, moving(inputs, processes)),
        ),
        fans=_fans(inputs, every),
        base_difference=base_difference,
    )


def base_difference(inputs: Inputs, chances: Chances) -> float:
    """Largest relative difference of a path on which nothing happens from the exact model.

    Every line of the statements counts, relative to the largest amount of its statement.
    """
    found = drawn(quiet(), inputs, chances(0), 1)
    one = run(inputs, Paths(1), found.shocks)
    other = run(inputs, Exact())
    worst = 0.0
    for statement in ("income", "cash", "balance", "cfads"):
        left, right = getattr(one, statement), getattr(other, statement)
        lines = [
            (_floats(getattr(left, name)), _floats(getattr(right, name)))
            for name in left.__struct_fields__
            if name != "costs"
        ]
        largest = max(1.0, *(np.abs(exact).max() for _, exact in lines))
        worst = max(worst, *(float(np.abs(path - exact).max() / largest) for path, exact in lines))
    return worst


def _floats(line: Iterable[object]) -> Array:
    return np.array([np.asarray(value, dtype=np.float64).reshape(-1)[0] for value in line])


def _joined(samples: Iterable[Array]) -> Array:
    return np.concatenate(list(samples))


def _all_lost(item: Readings) -> NDArray[np.bool_]:
    """Where owners get nothing back, no rate makes up for it: they lose all."""
    return np.isnan(item.equity_irr) & (item.equity_cash < 0)


def _breaches(
    every: Sequence[Readings], month: Months, which: Months, count: int
) -> tuple[BreachChance, ...]:
    rows = np.concatenate([item.breaches for item in every], axis=1)
    found = []
    for place, (facility, measure) in enumerate(every[0].tests):
        by_month = np.cumsum(_by_month(rows[place], count))
        found.append(
            BreachChance(
                facility=facility,
                measure=measure,
                by_month=tuple(float(min(share, 1.0)) for share in by_month),
                first=float(((month < count) & (which == place)).mean()),
            )
        )
    return tuple(found)


def _by_month(month: Months, count: int) -> tuple[float, ...]:
    shares = np.bincount(month, minlength=count + 1)[:count] / len(month)
    return tuple(float(share) for share in shares)


def _extremes(
    badness: Array, month: Months, count: int, counted: Sequence[str]
) -> dict[str, float]:
    """Share of broken paths in which each factor had the highest rank at the breach.

    The rank is the share of all paths whose mean until that month was less bad.
    """
    broken = np.flatnonzero(month < count)
    if not len(broken) or not counted:
        return dict.fromkeys(counted, 0.0)
    ranks = np.zeros((len(counted), len(broken)))
    for at in np.unique(month[broken]):
        chosen = np.flatnonzero(month[broken] == at)
        for row, factor in enumerate(counted):
            column = badness[FACTORS.index(factor), at]
            own = column[broken[chosen]]
            ranks[row, chosen] = np.searchsorted(np.sort(column), own) / len(column)
    worst = np.argmax(ranks, axis=0)
    return {factor: float((worst == row).mean()) for row, factor in enumerate(counted)}


def moving(inputs: Inputs, processes: Processes = STANDARD) -> tuple[str, ...]:
    """Factors that can move anything of this cloud."""
    sources = {item.source for item in inputs.merchant}
    by_use = any(any(cost.variable) for cost in inputs.costs) or any(
        contract.earned != contract.committed for contract in inputs.contracts
    )
    again = any(any(contract.market_price) for contract in inputs.contracts)
    risky = any(processes.default_rates[c.credit or UNKNOWN_CREDIT] for c in inputs.contracts)
    there = {
        "rental": "hours" in sources or (risky and again),
        "token": "tokens" in sources,
        "utilisation": bool(sources) or by_use,
        "credit": risky,
        "rates": any(item.floating_share for item in inputs.facilities),
        "build": any(not asset.standing for asset in inputs.assets),
    }
    return tuple(factor for factor in FACTORS if there[factor])


def _fans(inputs: Inputs, every: Sequence[Readings]) -> tuple[Fan, ...]:
    base = exact_readings(inputs)
    found = []
    for measure, name in (
        ("dscr", "dscr_line"),
        ("cash", "cash_line"),
        ("revenue", "revenue_line"),
    ):
        whole = np.concatenate([getattr(item, name) for item in every], axis=1)
        found.append(
            Fan(
                measure=measure,
                shares=FAN,
                by_month=tuple(quantiles_of(row, FAN) for row in whole),
                base=tuple(number_or_none(value) for value in getattr(base, name)[:, 0]),
            )
        )
    return tuple(found)
