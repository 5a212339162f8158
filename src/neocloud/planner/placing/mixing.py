"""Plans of models alone, mixed: which of those known go together best.

Where replicas stand all day and options are few. Each model alone is solved at some prices of what
is shared, which gives a plan and a bound; a small program picks one plan a model such that all fit,
and in parts its prices tell at what prices to look for the next plans (Dantzig and Wolfe 1960). The
prices asked are half way from the best so far to these: those alone swing (Wentges 1997).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from neocloud.planner.placing.formulation import DAY, Costs
from neocloud.planner.placing.layout import Numbers
from neocloud.planner.placing.limits import shared
from neocloud.planner.placing.program import INFINITY, Program, Terms, relax, solve
from neocloud.planner.placing.search import Search

_HALF = 0.5
_GAP = 1e-3
_CELL_S = 0.3
_ENDLESS = 1e12


@dataclass(frozen=True, slots=True, eq=False)
class _Plan:
    model: int
    replicas: Numbers
    cost: float


@dataclass(slots=True, eq=False)
class Mix:
    """Plans so far, and the prices of what is shared with the best bound.

    Attributes:
        search: what is improved.
        taken: what a replica takes of what is shared, shape (shared, o).
        there: how much there is.
        rent: prices, shape (shared,).
        plans: known.
    """

    search: Search
    taken: Numbers
    there: Numbers
    rent: Numbers
    plans: list[_Plan] = field(default_factory=list)


def begun_mix(search: Search) -> Mix:
    """The plans of the cells that were solved alone."""
    taken, there = shared(search.layout)
    rent = search.parts.relaxation.rent[:, 0]
    mix = Mix(search, taken, np.minimum(there, _ENDLESS), rent)
    for (m, _), part in search.plans.items():
        if part.replicas is not None:
            _add(mix, m, part.replicas, part.cost, mix.rent)
    return mix


def advance(mix: Mix) -> None:
    """One round: prices, plans and a bound at them, and the best mix of whole plans."""
    _add_found(mix)
    prices = _best_prices(mix)
    if prices is not None:
        _look(mix, _HALF * mix.rent + (1.0 - _HALF) * prices)
        _pick(mix)


def _add(mix: Mix, model: int, replicas: Numbers, cost: float, rent: Numbers) -> None:
    """Keep a plan with its cost at these prices, of which what is shared is taken off."""
    used = replicas[:, 0] * (mix.search.layout.option_model == model)
    plain = cost - float(rent @ (mix.taken @ used))
    mix.plans.append(_Plan(model, used, plain))


def _add_found(mix: Mix) -> None:
    """The plans that make up the replicas so far, where there are any."""
    search = mix.search
    if not search.served:
        return
    nothing = np.zeros_like(mix.rent)
    for m in search.models.tolist():
        mine = search.replicas * (search.layout.option_model == m)[:, None]
        cost = search.parts.cost_of(mine, np.array([m]), DAY)
        if np.isfinite(cost):
            _add(mix, m, mine, cost, nothing)


def _cost(mix: Mix) -> float:
    """Of the replicas so far, at the prices of power."""
    search = mix.search
    if not search.served:
        return INFINITY
    total = 0.0
    for m in search.models.tolist():
        mine = search.replicas[:, 0] * (search.layout.option_model == m)
        total += min(
            (p.cost for p in mix.plans if p.model == m and (p.replicas == mine).all()),
            default=INFINITY,
        )
    return total


def _program(mix: Mix, *, whole: bool) -> Program:
    """Plans as variables; a row for each model, then one for each thing shared."""
    program, models = Program(), mix.search.models
    row = {int(m): i for i, m in enumerate(models)}
    costs = np.array([p.cost for p in mix.plans])
    share = program.variables((len(mix.plans),), costs, 1.0, integer=whole)
    program.rows(len(models), 1.0, 1.0, Terms(np.array([row[p.model] for p in mix.plans]), share))
    held = mix.taken @ np.array([p.replicas for p in mix.plans]).T
    each = np.arange(len(mix.there))[:, None]
    program.rows(len(mix.there), -INFINITY, mix.there, Terms(each, share[None, :], held))
    return program


def _best_prices(mix: Mix) -> Numbers | None:
    """Prices at which the plans known are mixed best; None if no mix fits."""
    answer = relax(_program(mix, whole=False), mix.search.parts.watch)
    if answer is None:
        return None
    return np.maximum(0.0, -answer.prices[len(mix.search.models) :])


def _look(mix: Mix, rent: Numbers) -> None:
    """Solve every model alone at these prices: new plans, and a bound."""
    search = mix.search
    parts, layout = search.parts, search.layout
    fed = parts.relaxation.fed
    costs = Costs(fed.replica + (rent @ mix.taken)[:, None], fed.sent)
    bound = parts.relaxation.constant - float(rent @ mix.there)
    for m in search.models.tolist():
        if parts.watch.left <= 0.0:
            return
        part = parts.priced(np.array([m]), DAY, _GAP, _CELL_S, costs)
        bound += part.bound
        if part.replicas is not None:
            _add(mix, m, part.replicas, part.cost, rent)
    if len(parts.chosen) == len(layout.option_model) and bound > search.bound:
        search.proven = bound
        mix.rent = rent


def _pick(mix: Mix) -> None:
    """The plans that go together best in whole, if they are better than what was found."""
    search = mix.search
    whole = solve(_program(mix, whole=True), search.parts.watch, relative_gap=1e-5, seconds=1.0)
    if whole is None or whole.values is None or whole.objective >= _cost(mix) - 1e-6:
        return
    picked = [p for p, share in zip(mix.plans, whole.values, strict=True) if share > 0.5]
    search.replicas[:, 0] = sum(p.replicas for p in picked)
    search.found[0] = True
    search.tried.clear()
