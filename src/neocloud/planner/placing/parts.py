"""Parts of the placement in whole numbers: some models in some hours, the rest as it is.

Power has the relaxation's prices. Pools, groups and firm power are either left to their prices, and
then what the part costs at least is a piece of the bound; or the part must fit beside the rest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from neocloud.planner.demand import HOURS
from neocloud.planner.placing.covering import add_rounded, cover, covers
from neocloud.planner.placing.cuts import broken, uncovered
from neocloud.planner.placing.formulation import Costs, Cut, cut, fix, limit, serve
from neocloud.planner.placing.known import Known
from neocloud.planner.placing.layout import Layout, Numbers, Places, Truths
from neocloud.planner.placing.limits import hold
from neocloud.planner.placing.program import CELL, STEP, Watch, relax, solve
from neocloud.planner.placing.relaxation import Relaxation

_SMALL = 72
"""Models times hours up to which a program counts as small."""
_EVERY = 4
"""Hours for which one stands in a sketch."""
_TRIES = 4
"""How often a part is solved again because someone was not served."""


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """A part that was solved.

    Attributes:
        replicas: shape (o, hours or 1), zero for what is not in the part; None if none were found.
        cost: of them.
        bound: the part costs no less.
    """

    replicas: Numbers | None
    cost: float
    bound: float


@dataclass(frozen=True, slots=True)
class _Effort:
    relative_gap: float
    absolute_gap: float
    seconds: float
    settings: Mapping[str, float | bool]


@dataclass(slots=True, eq=False)
class Parts:
    """Solves parts of one placement.

    Attributes:
        layout: the setting.
        relaxation: its prices and what they prove.
        known: grows with the cuts that are found broken.
        watch: the time that is left.
    """

    layout: Layout
    relaxation: Relaxation
    known: Known
    watch: Watch

    @property
    def chosen(self) -> Places:
        """Options that parts are made of: those that the relaxation looked at closely."""
        return self.relaxation.options

    def priced(
        self,
        models: Places,
        hours: Places,
        gap: float,
        seconds: float,
        costs: Costs | None = None,
    ) -> Part:
        """Cheapest with what is shared at prices: the relaxation's, or those in given costs.

        The bound is one over all options; at given costs only where all of them are looked at.
        """
        cell = self.relaxation.bound / self.relaxation.parts.size
        effort = _Effort(gap, gap * cell, seconds, CELL)
        options = self.chosen[self._of(models)]
        used = costs or self.relaxation.priced
        found = self._solved(used, models, hours, options, effort, None, None)
        bound = min(found.bound, self._without(options, models, hours, 0.0))
        return Part(found.replicas, found.cost, bound)

    def beside(
        self,
        others: Numbers,
        models: Places,
        hours: Places,
        gap: float,
        seconds: float,
        *,
        start: Numbers | None = None,
        costs: Costs | None = None,
    ) -> Part:
        """Cheapest that fits beside others; the bound is one over all options if they are none.

        Args:
            others: replicas, shape (o, hours or 1).
            models: in the part.
            hours: in the part.
            gap: relative, where to stop.
            seconds: at most.
            start: replicas to begin from.
            costs: those with the prices of power where not said.
        """
        used = costs or self.relaxation.fed
        settings = STEP if len(models) * len(hours) <= _SMALL else {}
        effort = _Effort(gap, 0.0, seconds, settings)
        options = self.chosen[self._of(models)]
        if start is not None:
            inside = np.isin(self.layout.option_model, models) & (start.max(axis=1) > 0.0)
            options = np.union1d(options, np.flatnonzero(inside))
        part = self._solved(used, models, hours, options, effort, others, start)
        room = float(self.relaxation.room[self._spans(hours)].sum())
        bound = min(part.bound, self._without(options, models, hours, room))
        return Part(part.replicas, part.cost, bound)

    def _of(self, models: Places) -> Truths:
        """Which of the chosen options are of some models."""
        found: Truths = np.isin(self.layout.option_model[self.chosen], models)
        return found

    def _spans(self, hours: Places) -> Places:
        return hours if self.layout.setting.hourly else np.zeros(1, np.int64)

    def sketched(
        self,
        others: Numbers,
        models: Places,
        gap: float,
        seconds: float,
        *,
        start: Numbers | None = None,
        costs: Costs | None = None,
    ) -> Part:
        """About the cheapest that fits beside others, where replicas stand all day.

        What is sent is looked at in some hours, each for those around it; the replicas are enough
        for all. The cost is that of the sketch.
        """
        used = costs or self.relaxation.fed
        hours = np.arange(_EVERY // 2, HOURS, _EVERY)
        return self.beside(
            others,
            models,
            hours,
            gap,
            seconds,
            start=start,
            costs=Costs(used.replica, used.sent * _EVERY),
        )

    def cost_of(self, replicas: Numbers, models: Places, hours: Places) -> float:
        """What given replicas of a part cost with the prices of power."""
        layout = self.layout
        inside = np.isin(layout.option_model, models) & (replicas.max(axis=1) > 0.0)
        options = np.flatnonzero(inside)
        f = serve(layout, self.relaxation.fed, options=options, models=models, hours=hours)
        cut(f, self._widened(models))
        limit(f)
        fix(f, replicas[options][:, f.columns])
        answer = relax(f.program, self.watch)
        return np.inf if answer is None else answer.objective

    def _widened(self, models: Places) -> list[Cut]:
        """The cuts of some models, each in all hours."""
        found: dict[tuple[int, bytes], Cut] = {}
        every = np.ones(HOURS, dtype=bool)
        for one in self.known.cuts:
            if one.model in models:
                found[one.lost, one.types.tobytes()] = replace(one, hours=every)
        return list(found.values())

    def _without(self, options: Places, models: Places, hours: Places, room: float) -> float:
        """What the part costs at least if it uses one that is not among these options."""
        relaxation, spans = self.relaxation, self._spans(hours)
        left = np.isin(self.layout.option_model, models)
        left[options] = False
        extra = relaxation.reduced[np.ix_(left, spans)].min(initial=np.inf)
        return room + float(relaxation.parts[np.ix_(models, spans)].sum() + extra)

    def _solved(
        self,
        costs: Costs,
        models: Places,
        hours: Places,
        options: Places,
        effort: _Effort,
        others: Numbers | None,
        start: Numbers | None,
    ) -> Part:
        layout = self.layout
        bound = -np.inf
        for _ in range(_TRIES):
            f = serve(layout, costs, options=options, models=models, hours=hours)
            cuts = self._widened(models)
            cut(f, cuts)
            cover(f, covers(layout, cuts, models))
            add_rounded(f, self.known.rounded)
            if others is not None:
                hold(f, others)
            limit(f)
            begin = None
            if start is not None:
                begin = (f.replicas.ravel(), start[options][:, f.columns].ravel())
            whole = solve(
                f.program,
                self.watch,
                relative_gap=effort.relative_gap,
                absolute_gap=effort.absolute_gap,
                seconds=effort.seconds,
                settings=effort.settings,
                start=begin,
            )
            if whole is None:
                return Part(None, np.inf, np.inf)
            bound = max(bound, whole.bound)
            if whole.values is None:
                return Part(None, np.inf, bound)
            more = broken(f, whole.values)
            replicas = np.zeros((len(layout.option_model), self.relaxation.parts.shape[1]))
            replicas[np.ix_(options, f.columns)] = np.rint(whole.values[f.replicas])
            if f.spans < len(hours) < HOURS:
                more += uncovered(layout, replicas, models)
            if not more:
                return Part(replicas, whole.objective, bound)
            self.known.cuts += more
        return Part(None, np.inf, bound)
