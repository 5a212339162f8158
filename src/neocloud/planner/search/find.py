"""The search on one accelerator: from the grid to the candidates."""

from __future__ import annotations

from dataclasses import dataclass, replace

from neocloud.planner.search.candidates import Candidate, Counts, aggregated, best_of
from neocloud.planner.search.disaggregation import disaggregated
from neocloud.planner.search.grid import COARSE
from neocloud.planner.search.question import Question, Run
from neocloud.planner.search.runs import runs_of
from neocloud.planner.search.states import Stack, States, stack_of, states
from neocloud.planner.search.stations import Decoders, Prefills, decoders_of, prefills_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Candidates of one model on one accelerator, and what happened to the other points.

    Attributes:
        question: what was asked.
        runs: all configurations of engines that prefill and decode that fit.
        stacked: the same as columns; None where none fits.
        coarse: their states at `COARSE`.
        candidates: what placement may want, replicas of apart workers included.
        counts: what happened to all points.
        nearest: where nothing meets the objective: the least latency that any point reaches.
        prefills: prefill workers, also for decode workers elsewhere; None where not asked for.
        decoders: decode workers, also for prefill workers elsewhere; None where not asked for.
    """

    question: Question
    runs: tuple[Run, ...]
    stacked: Stack | None
    coarse: States | None
    candidates: tuple[Candidate, ...]
    counts: Counts
    nearest: str
    prefills: Prefills | None = None
    decoders: Decoders | None = None


def search(q: Question) -> Found:
    """Look at every point of the grid and keep those that placement may want."""
    found = runs_of(q)
    outside = found.no_room * len(COARSE)
    nothing = Counts(examined=outside, no_room=outside)
    if not found.runs:
        return Found(
            question=q,
            runs=(),
            stacked=None,
            coarse=None,
            candidates=(),
            counts=nothing,
            nearest="nothing: its weights fit no configuration",
        )
    stacked = stack_of(found.runs)
    coarse = states(q, stacked, COARSE[None, :])
    one = aggregated(q, coarse, stacked)
    whole = Found(
        question=q,
        runs=found.runs,
        stacked=stacked,
        coarse=coarse,
        candidates=one.candidates if q.grid.aggregated else (),
        counts=one.counts + nothing,
        nearest=one.nearest,
    )
    return whole if q.grid.workers == 0 else _with_workers_apart(whole)


def _with_workers_apart(found: Found) -> Found:
    """The same with replicas whose workers of both kinds are on this accelerator."""
    q = found.question
    prefills, decoders = prefills_of(q), decoders_of(q)
    apart, counts = disaggregated(prefills, decoders, q.rtts_ms)
    decoding = Counts(
        examined=decoders.examined,
        no_room=decoders.no_room,
        dominated=decoders.examined - decoders.no_room,
    )
    candidates = best_of((*found.candidates, *apart))
    lost = len(found.candidates) + len(apart) - len(candidates)
    beaten = Counts(dominated=lost, kept=-lost)
    return replace(
        found,
        candidates=candidates,
        counts=found.counts + counts + decoding + beaten,
        nearest="" if apart else found.nearest,
        prefills=prefills,
        decoders=decoders,
    )
