"""The search on one accelerator: from the grid to the candidates."""

from __future__ import annotations

from dataclasses import dataclass, replace

from neocloud.planner.search.candidates import Candidate, Counts, aggregated
from neocloud.planner.search.grid import COARSE
from neocloud.planner.search.question import Question, Run
from neocloud.planner.search.runs import runs_of
from neocloud.planner.search.states import Stack, States, stack_of, states


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Candidates of one model on one accelerator, and what happened to the other points.

    Attributes:
        question: what was asked.
        runs: all configurations that fit, with their states at `COARSE`.
        nearest: where nothing meets the objective: the least latency that any point reaches.
    """

    question: Question
    runs: tuple[Run, ...]
    stacked: Stack | None
    coarse: States | None
    candidates: tuple[Candidate, ...]
    counts: Counts
    nearest: str


def search(q: Question) -> Found:
    """Look at every point of the grid and keep those that placement may want."""
    found = runs_of(q)
    outside = found.no_room * len(COARSE)
    if not found.runs:
        return Found(
            question=q,
            runs=(),
            stacked=None,
            coarse=None,
            candidates=(),
            counts=Counts(examined=outside, no_room=outside),
            nearest="nothing: its weights fit no configuration",
        )
    stacked = stack_of(found.runs)
    coarse = states(q, stacked, COARSE[None, :])
    kept = aggregated(q, found.runs, coarse, stacked)
    counts = replace(
        kept.counts,
        examined=kept.counts.examined + outside,
        no_room=kept.counts.no_room + outside,
    )
    return Found(
        question=q,
        runs=found.runs,
        stacked=stacked,
        coarse=coarse,
        candidates=kept.candidates,
        counts=counts,
        nearest=kept.nearest,
    )
