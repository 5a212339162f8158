"""The whole stress test."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from neocloud.finance.records import Inputs
from neocloud.finance.stress.comparing import compared, exact_readings, figures_of
from neocloud.finance.stress.customers import without_market
from neocloud.finance.stress.monte_carlo import (
    Chances,
    base_difference,
    monte_carlo,
    parts_of,
    run_part,
)
from neocloud.finance.stress.readings import dscr_facilities
from neocloud.finance.stress.records import MonteCarlo, Reverse, StressReport
from neocloud.finance.stress.reverse import reverse_of
from neocloud.finance.stress.scenarios import Scenario
from neocloud.finance.stress.tornado import tornado_of

Told = Callable[[str, float | None], None]
"""What is being done, and what share of that is done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What to do beside the base case and the tornado.

    Attributes:
        scenarios: in this order.
        paths: of chance; 0: none.
        seed: of chance, to be told.
        reverse: whether to search for the smallest shocks.
    """

    scenarios: tuple[Scenario, ...]
    paths: int
    seed: int
    reverse: bool


def stress_report(inputs: Inputs, asked: Asked, chances: Chances, told: Told) -> StressReport:
    """Run all that is asked for.

    Args:
        inputs: the base case.
        asked: what to run.
        chances: random numbers of each part of the paths; of `asked.seed`.
        told: called with what is being done.
    """
    told("scenarios", None)
    base = figures_of(inputs, exact_readings(inputs), 0)
    return StressReport(
        cloud=inputs.name,
        currency=inputs.currency,
        months=inputs.months.labels,
        dscr_facilities=tuple(item.key for item in dscr_facilities(inputs)),
        base=base,
        scenarios=compared(inputs, base, asked.scenarios),
        without_market=without_market(inputs),
        tornado=tornado_of(inputs),
        monte_carlo=_paths(inputs, asked, chances, told) if asked.paths else None,
        reverse=_reverse(inputs, told) if asked.reverse else None,
    )


def _paths(inputs: Inputs, asked: Asked, chances: Chances, told: Told) -> MonteCarlo:
    sizes = parts_of(asked.paths)
    parts = []
    for number, size in enumerate(sizes):
        told(f"{asked.paths:,} paths", number / len(sizes))
        parts.append(run_part(inputs, chances, number, size))
    return monte_carlo(inputs, parts, asked.seed, base_difference(inputs, chances))


def _reverse(inputs: Inputs, told: Told) -> Reverse:
    told("smallest shocks", None)
    return reverse_of(inputs)
