"""Configurations of the grid that can exist and fit, with what their steps cost."""

from __future__ import annotations

from dataclasses import dataclass

from neocloud.perf import ConfigurationError, correction_of, memory, step_numbers
from neocloud.planner.flags import LaunchError, check_drafts
from neocloud.planner.search.grid import configurations, limited
from neocloud.planner.search.question import Question, Run


@dataclass(frozen=True, slots=True)
class Runs:
    """What fits, and how many configurations there were beside it."""

    runs: tuple[Run, ...]
    configurations: int
    no_room: int


def runs_of(q: Question) -> Runs:
    """Look at every configuration of the grid on the question's accelerator."""
    kept: list[Run] = []
    existing = no_room = 0
    for configuration in configurations(q.architecture, q.accelerator, q.engine, q.grid):
        try:
            check_drafts(q.engine, q.architecture, configuration)
            least = memory(q.architecture, q.accelerator, configuration)
        except (ConfigurationError, LaunchError):
            continue  # does not exist, so it was never a point
        existing += 1
        if not least.fits:
            no_room += 1
            continue
        memories = (
            least,
            *(
                memory(q.architecture, q.accelerator, limited(configuration, batch))
                for batch in q.grid.batch[1:]
            ),
        )
        kept.append(
            Run(
                configuration=configuration,
                memories=memories,
                numbers=step_numbers(q.architecture, q.accelerator, configuration, q.predictor),
                correction=correction_of(
                    q.architecture, q.accelerator, configuration, q.load, q.predictor
                ),
            )
        )
    return Runs(tuple(kept), existing, no_room)
